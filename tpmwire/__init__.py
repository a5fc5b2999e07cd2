"""TPM 2.0 in pure Python, independent of AWS: commands, responses, sessions, policies and key files.

>>> import tpmwire
>>> with tpmwire.Tpm.open() as tpm:
...     by_call = tpmwire.calls.random(tpm, 8)
...     by_command = tpm.execute(tpmwire.commands.GetRandom(8)).random_bytes
>>> len(by_call), len(by_command)
(8, 8)
>>> tpmwire.parse_command(bytes.fromhex("80010000000c0000017b0008")).command
GetRandom(bytes_requested=8)

The names in `__all__` of this module, and of `tpmwire.attest`, `tpmwire.bridges`, `tpmwire.calls`,
`tpmwire.explain` and `tpmwire.templates`, are public. So are the standard's names in `tpmwire.commands`,
`tpmwire.spec.constants` and `tpmwire.spec.structures`. Other modules may change at any time.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import attest as attest
    from . import calls as calls
    from . import commands as commands
    from . import explain as explain
    from .calls.private_keys import EccPrivateKey as EccPrivateKey
    from .calls.private_keys import RsaPrivateKey as RsaPrivateKey
    from .channel import Pin as Pin
    from .channel import protected_sessions as protected_sessions
    from .errors import AttestationError as AttestationError
    from .errors import DecodeError as DecodeError
    from .errors import EncodeError as EncodeError
    from .errors import KeyFileError as KeyFileError
    from .errors import PolicyError as PolicyError
    from .errors import SessionError as SessionError
    from .errors import SignatureError as SignatureError
    from .errors import TpmError as TpmError
    from .errors import TpmwireError as TpmwireError
    from .errors import TransportError as TransportError
    from .keys import bridges as bridges
    from .keys import templates as templates
    from .keys.keyfile import KeyFile as KeyFile
    from .policy.approvals import PolicyAuthorize as PolicyAuthorize
    from .policy.approvals import PolicySigned as PolicySigned
    from .policy.pcr_selection import parse_pcrs as parse_pcrs
    from .policy.policy import Policy as Policy
    from .policy.statements import PolicyAuthValue as PolicyAuthValue
    from .policy.statements import PolicyCommandCode as PolicyCommandCode
    from .policy.statements import PolicyOR as PolicyOR
    from .policy.statements import PolicyPassword as PolicyPassword
    from .policy.statements import PolicyPCR as PolicyPCR
    from .policy.statements import PolicySecret as PolicySecret
    from .secret import Secret as Secret
    from .sessions import Password as Password
    from .sessions import Session as Session
    from .sessions import SessionStart as SessionStart
    from .spec.constants import TPM_ALG as TPM_ALG
    from .spec.constants import TPM_CAP as TPM_CAP
    from .spec.constants import TPM_CC as TPM_CC
    from .spec.constants import TPM_ECC as TPM_ECC
    from .spec.constants import TPM_NT as TPM_NT
    from .spec.constants import TPM_PT as TPM_PT
    from .spec.constants import TPM_RH as TPM_RH
    from .spec.constants import TPM_SE as TPM_SE
    from .spec.constants import TPMA_NV as TPMA_NV
    from .spec.constants import TPMA_OBJECT as TPMA_OBJECT
    from .spec.response_codes import TPM_RC as TPM_RC
    from .spec.structures import TPMT_PUBLIC as TPMT_PUBLIC
    from .tpm import Tpm as Tpm
    from .use.ecdsa import EcdsaKey as EcdsaKey
    from .use.hmac import HmacKey as HmacKey
    from .wire import Transport as Transport
    from .wire import parse_command as parse_command
    from .wire import parse_response as parse_response

__version__ = "0.1.0"

_MODULES = {
    "attest": "attest",
    "calls": "calls",
    "commands": "commands",
    "explain": "explain",
    "bridges": "keys.bridges",
    "templates": "keys.templates",
}
_NAMES = {
    "policy.approvals": ("PolicyAuthorize", "PolicySigned"),
    "channel": ("Pin", "protected_sessions"),
    "use.ecdsa": ("EcdsaKey",),
    "errors": (
        "AttestationError",
        "DecodeError",
        "EncodeError",
        "KeyFileError",
        "PolicyError",
        "SessionError",
        "SignatureError",
        "TpmError",
        "TpmwireError",
        "TransportError",
    ),
    "keys.keyfile": ("KeyFile",),
    "policy.pcr_selection": ("parse_pcrs",),
    "policy.policy": ("Policy",),
    "policy.statements": (
        "PolicyAuthValue",
        "PolicyCommandCode",
        "PolicyOR",
        "PolicyPCR",
        "PolicyPassword",
        "PolicySecret",
    ),
    "secret": ("Secret",),
    "sessions": ("Password", "Session", "SessionStart"),
    "use.hmac": ("HmacKey",),
    "calls.private_keys": ("EccPrivateKey", "RsaPrivateKey"),
    "spec.constants": (
        "TPMA_NV",
        "TPMA_OBJECT",
        "TPM_ALG",
        "TPM_CAP",
        "TPM_CC",
        "TPM_ECC",
        "TPM_NT",
        "TPM_PT",
        "TPM_RH",
        "TPM_SE",
    ),
    "spec.response_codes": ("TPM_RC",),
    "spec.structures": ("TPMT_PUBLIC",),
    "tpm": ("Tpm",),
    "wire": ("Transport", "parse_command", "parse_response"),
}

__all__ = ["__version__", *_MODULES, *(name for names in _NAMES.values() for name in names)]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    # Loaded at first use: every module of a run imports this one, and pays for what is imported here.
    from importlib import import_module

    if name in _MODULES:
        return import_module(f".{_MODULES[name]}", __name__)
    for module, names in _NAMES.items():
        if name in names:
            found = getattr(import_module(f".{module}", __name__), name)
            setattr(sys.modules[__name__], name, found)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
