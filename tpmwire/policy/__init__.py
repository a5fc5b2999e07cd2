"""Policies as values: statements, digests, text and JSON. No TPM is needed."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .approvals import PolicyAuthorize as PolicyAuthorize
    from .approvals import PolicySigned as PolicySigned
    from .conditions import PolicyCounterTimer as PolicyCounterTimer
    from .conditions import PolicyCpHash as PolicyCpHash
    from .conditions import PolicyLocality as PolicyLocality
    from .conditions import PolicyNameHash as PolicyNameHash
    from .conditions import PolicyNV as PolicyNV
    from .conditions import PolicyNvWritten as PolicyNvWritten
    from .conditions import PolicyTemplate as PolicyTemplate
    from .pcr_selection import parse_pcrs as parse_pcrs
    from .policy import Policy as Policy
    from .sign import approve as approve
    from .sign import assert_signed as assert_signed
    from .statements import PolicyAuthValue as PolicyAuthValue
    from .statements import PolicyCommandCode as PolicyCommandCode
    from .statements import PolicyDuplicationSelect as PolicyDuplicationSelect
    from .statements import PolicyOR as PolicyOR
    from .statements import PolicyPassword as PolicyPassword
    from .statements import PolicyPCR as PolicyPCR
    from .statements import PolicySecret as PolicySecret

_MODULES = {
    "Policy": "policy",
    "PolicyAuthValue": "statements",
    "PolicyAuthorize": "approvals",
    "PolicyCommandCode": "statements",
    "PolicyCounterTimer": "conditions",
    "PolicyCpHash": "conditions",
    "PolicyDuplicationSelect": "statements",
    "PolicyLocality": "conditions",
    "PolicyNV": "conditions",
    "PolicyNameHash": "conditions",
    "PolicyNvWritten": "conditions",
    "PolicyOR": "statements",
    "PolicyPCR": "statements",
    "PolicyPassword": "statements",
    "PolicySecret": "statements",
    "PolicySigned": "approvals",
    "PolicyTemplate": "conditions",
    "approve": "sign",
    "assert_signed": "sign",
    "parse_pcrs": "pcr_selection",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    # Loaded at first use: a run without a policy imports none of it.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
