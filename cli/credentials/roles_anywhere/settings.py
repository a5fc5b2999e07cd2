"""The settings of a Roles Anywhere session."""

from __future__ import annotations

from tpmwire.typed import NamedTuple

__all__ = ["RolesAnywhere"]


class RolesAnywhere(NamedTuple):
    """Settings of IAM Roles Anywhere: paths of the certificate files, ARNs, and options of the session.

    `duration` is the session's lifetime in seconds. `region` and `endpoint` are None for the trust anchor's. With
    `no_password`, TPM_KEY_AUTH does not apply.
    """

    certificate: str
    intermediates: str | None
    role_arn: str
    profile_arn: str
    trust_anchor_arn: str
    duration: str
    session_name: str | None
    region: str | None
    endpoint: str | None
    no_password: bool
