"""Policies as values: statements, digests, text and JSON. No TPM is needed."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .approvals import PolicyAuthorize as PolicyAuthorize
    from .approvals import PolicySigned as PolicySigned
    from .policy import Policy as Policy
    from .policy import PolicyAuthValue as PolicyAuthValue
    from .policy import PolicyCommandCode as PolicyCommandCode
    from .policy import PolicyOR as PolicyOR
    from .policy import PolicyPassword as PolicyPassword
    from .policy import PolicyPCR as PolicyPCR
    from .policy import PolicySecret as PolicySecret
    from .policy import parse_pcrs as parse_pcrs

_MODULES = {"PolicyAuthorize": "approvals", "PolicySigned": "approvals"}

__all__ = [
    "Policy",
    "PolicyAuthValue",
    "PolicyAuthorize",
    "PolicyCommandCode",
    "PolicyOR",
    "PolicyPCR",
    "PolicyPassword",
    "PolicySecret",
    "PolicySigned",
    "parse_pcrs",
]


def __getattr__(name: str) -> object:
    # Loaded at first use: a run without a policy imports none of it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES.get(name, 'policy')}", __name__), name)
