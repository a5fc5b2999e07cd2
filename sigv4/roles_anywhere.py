"""CreateSession of IAM Roles Anywhere: temporary credentials for an X.509 certificate and its private key.

The request is signed by SigV4 with four differences: the name of the algorithm, the certificate's serial number in
place of the access key ID, the certificates as headers, and an RSA or ECDSA signature in place of the HMAC.

Source: "Signing process for CreateSession" in the IAM Roles Anywhere User Guide; for details that the guide leaves
open, AWS's credential helper (rolesanywhere-credential-helper).
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from urllib.parse import quote

from .credentials import Credentials
from .endpoints import Endpoint, check_region, configured_url, is_enabled, partition
from .errors import RequestError, ResponseError
from .operation import IntegerParameter, Operation, TextParameter
from .request import Request
from .signer import Signer
from .times import is_rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .config import Profile

__all__ = [
    "ECDSA",
    "MAX_CHAIN",
    "RSA",
    "CreateSession",
    "RolesAnywhereSigner",
    "check_arns",
    "resolve_roles_anywhere",
]

RSA, ECDSA = "AWS4-X509-RSA-SHA256", "AWS4-X509-ECDSA-SHA256"
MAX_CHAIN = 5
"""Maximum number of intermediate certificates in a request."""

_SERVICE = "rolesanywhere"
_TEXT = r"[!-~]+"


class RolesAnywhereSigner(Signer):
    """Signs CreateSession with the private key of an X.509 certificate.

    `certificate` and the intermediate certificates `chain` are in DER; `chain` begins with the issuer of
    `certificate`. `serial` is the certificate's serial number. `algorithm` is RSA or ECDSA, as the certificate's
    key. `sign_text(text)` returns the signature of a byte string, hashed with SHA-256: an RSA signature by PKCS #1
    v1.5, or an ECDSA signature in DER. It is called once per signature; its errors pass through. Raises
    RequestError for more than MAX_CHAIN intermediate certificates.
    """

    def __init__(
        self,
        certificate: bytes,
        chain: Sequence[bytes],
        serial: int,
        algorithm: str,
        sign_text: Callable[[bytes], bytes],
    ) -> None:
        super().__init__(str(serial), _refuse_hmac)
        if len(chain) > MAX_CHAIN:
            raise RequestError(f"{len(chain)} intermediate certificates; Roles Anywhere allows {MAX_CHAIN}")
        if algorithm not in (RSA, ECDSA):
            raise RequestError(f"invalid algorithm {algorithm!r}; use {RSA} or {ECDSA}")
        self.algorithm = algorithm
        self._sign_text = sign_text
        self._fields = [("X-Amz-X509", b64encode(certificate).decode())]
        if chain:
            self._fields.append(("X-Amz-X509-Chain", ",".join(b64encode(each).decode() for each in chain)))

    def prime(self, date: str) -> None:
        """Does nothing, because there is no key per day."""

    def signing_time(self, now: float) -> float:
        """Returns `now`, because there is no key per day."""
        return now

    def region_fields(self, _region: str) -> list[tuple[str, str]]:
        """Returns the headers with the certificates, as pairs of name and value."""
        return list(self._fields)

    def string_to_sign(self, canonical: str, stamp: str, region: str, service: str) -> str:
        """Returns the string to sign: algorithm, time stamp, scope, and SHA-256 of the canonical request."""
        digest = sha256(canonical.encode("utf-8")).hexdigest()
        return "\n".join((self.algorithm, stamp, self.scope(stamp, region, service), digest))

    def signature(self, text: str, _date: str, _region: str, _service: str) -> str:
        """Returns the signature of a string to sign, in hex."""
        return self._sign_text(text.encode("utf-8")).hex()

    def presign(self, *_arguments: object, **_settings: object) -> NoReturn:
        """Raises RequestError, because Roles Anywhere does not support presigned URLs."""
        raise RequestError("Roles Anywhere does not support presigned URLs; call sign()")


class CreateSession(Operation[Credentials]):
    """Returns temporary credentials of a role. The signer's certificate identifies the caller.

    The session lasts `duration_seconds`, but no longer than the profile allows; None means the profile's duration.
    The profile must accept a `role_session_name`.
    """

    def __init__(
        self,
        profile_arn: str,
        role_arn: str,
        trust_anchor_arn: str,
        duration_seconds: int | None = None,
        *,
        role_session_name: str | None = None,
    ) -> None:
        self._arns = {"profileArn": profile_arn, "roleArn": role_arn, "trustAnchorArn": trust_anchor_arn}
        self._duration = duration_seconds
        self._name = role_session_name
        self.parameters = (
            *(TextParameter(name, arn, 1, 1011, _TEXT) for name, arn in self._arns.items()),
            IntegerParameter("durationSeconds", duration_seconds, 900, 43200, "seconds"),
            TextParameter("roleSessionName", role_session_name, 2, 64, r"[\w+=,.@-]*"),
        )

    def check(self) -> None:
        """Raises RequestError for the first parameter that AWS would reject."""
        super().check()
        check_arns(self._arns["profileArn"], self._arns["roleArn"], self._arns["trustAnchorArn"])

    def request(self, url: str) -> Request:
        """Returns the unsigned request to the endpoint at `url`."""
        query = "&".join(f"{name}={quote(arn, safe='-._~')}" for name, arn in sorted(self._arns.items()))
        fields: dict[str, int | str] = {}
        if self._duration is not None:
            fields["durationSeconds"] = self._duration
        if self._name is not None:
            fields["roleSessionName"] = self._name
        body = json.dumps(fields, separators=(",", ":")).encode("ascii")
        headers = (("Content-Type", "application/json"),)
        return Request("POST", f"{url.rstrip('/')}/sessions?{query}", headers, body)

    def read(self, body: bytes) -> Credentials:
        """Returns the credentials of a response body. Raises ResponseError for an unusable body."""
        try:
            first = json.loads(body)["credentialSet"][0]
            found = first["credentials"]
            account = _account_of(first)
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            raise ResponseError(
                "the response has no credentialSet; check the endpoint and any proxy in between"
            ) from None
        values = [_read_text(found, name) for name in ("accessKeyId", "secretAccessKey", "sessionToken")]
        expiration = _read_text(found, "expiration")
        if not is_rfc3339(expiration):
            raise ResponseError("the response's expiration is not a valid time")
        return Credentials(values[0], values[1], values[2], expiration, account)


def _read_text(fields: object, name: str) -> str:
    value = fields.get(name) if isinstance(fields, dict) else None
    if not isinstance(value, str) or not re.fullmatch(_TEXT, value):
        raise ResponseError(f"the response has no valid {name}; check the endpoint and any proxy in between")
    return value


def _account_of(session: Mapping[str, object]) -> str | None:
    """Returns the account in the ARN of the assumed role, or None."""
    user = session.get("assumedRoleUser")
    arn = user.get("arn") if isinstance(user, dict) else None
    match = re.match(r"arn:[a-z-]+:sts::([0-9]{12}):", arn) if isinstance(arn, str) else None
    return match[1] if match else None


def resolve_roles_anywhere(
    region: str,
    endpoint_url: str | None = None,
    environ: Mapping[str, str] | None = None,
    profile: Profile | None = None,
) -> Endpoint:
    """Returns the endpoint of Roles Anywhere in a region.

    `endpoint_url`, AWS_ENDPOINT_URL_ROLESANYWHERE, FIPS and dual-stack settings apply as in
    `endpoints.resolve_service`, which has the same result but loads a large table. Raises RequestError for an
    invalid region or URL.
    """
    environ = environ or {}
    plain = region.replace("fips-", "").replace("-fips", "")
    check_region(plain)
    if url := configured_url(_SERVICE, endpoint_url, environ, profile):
        return Endpoint(url, plain, _SERVICE)
    fips = plain != region or is_enabled("AWS_USE_FIPS_ENDPOINT", environ, profile)
    dual_stack = is_enabled("AWS_USE_DUALSTACK_ENDPOINT", environ, profile)
    row = partition(plain)
    host = f"{_SERVICE}{'-fips' if fips else ''}.{plain}.{row[3 if dual_stack else 2]}"
    return Endpoint(f"https://{host}/", plain, _SERVICE)


def check_arns(profile: str, role: str, trust_anchor: str) -> str:
    """Returns the region of the trust anchor.

    Raises RequestError for an ARN of another kind, and if partition, region or account of the ARNs differ.
    """
    anchor = _parse_arn("trust anchor", trust_anchor, "rolesanywhere", "trust-anchor/")
    own = _parse_arn("profile", profile, "rolesanywhere", "profile/")
    target = _parse_arn("role", role, "iam", "role/")
    for what, found, at in (("region", own[3], 3), ("account", own[4], 4)):
        if found != anchor[at]:
            raise RequestError(
                f"the profile's {what} is {found or 'missing'}, but the trust anchor's is {anchor[at]}; use a "
                f"profile and a trust anchor of the same {what}"
            )
    if target[4] != anchor[4]:
        raise RequestError(
            f"the role's account is {target[4]}, but the trust anchor's is {anchor[4]}; use a role of the same "
            "account (source_profile chains roles of other accounts)"
        )
    if len({anchor[1], own[1], target[1]}) > 1:
        raise RequestError(
            f"the ARNs are of different partitions: {anchor[1]}, {own[1]} and {target[1]}; use one partition"
        )
    return anchor[3]


def _parse_arn(what: str, arn: str, service: str, resource: str) -> list[str]:
    parts = arn.split(":", 5)
    region, name = ("", "NAME") if service == "iam" else ("REGION", "ID")
    example = f"arn:aws:{service}:{region}:ACCOUNT:{resource}{name}"
    # Roles Anywhere also has alias ARNs: alias/profile/NAME.
    fits = len(parts) == 6 and parts[0] == "arn" and parts[2] == service and parts[1].startswith("aws")
    if not fits or not re.match(rf"(alias/)?{resource}.", parts[5]) or not re.fullmatch("[0-9]{12}", parts[4]):
        raise RequestError(f"{arn!r} is not the ARN of a {what}; expected {example}")
    if service != "iam" and not parts[3]:
        raise RequestError(f"{arn!r} has no region; expected {example}")
    return parts


def _refuse_hmac(_message: bytes) -> bytes:
    raise RequestError("Roles Anywhere signs with the certificate's key and has no HMAC; call sign()")
