"""Faults that a soft TPM simulates on request, to test how programs react."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import TransportError
from ..spec.command import command_class
from ..spec.constants import TPM_ALG, TPM_CC
from ..spec.response_codes import TPM_RC
from ..spec.structures import TPMT_PUBLIC, TPMT_PUBLIC_PARMS
from .refusal import Refusal

__all__ = ["ECC_ALGORITHMS", "Faults", "parse_faults"]

ECC_COMMANDS = (
    TPM_CC.ECDH_KeyGen,
    TPM_CC.ECDH_ZGen,
    TPM_CC.ECC_Parameters,
    TPM_CC.ZGen_2Phase,
    TPM_CC.EC_Ephemeral,
    TPM_CC.Commit,
    TPM_CC.ECC_Encrypt,
    TPM_CC.ECC_Decrypt,
)
ECC_ALGORITHMS = (
    TPM_ALG.ECC,
    TPM_ALG.ECDSA,
    TPM_ALG.ECDH,
    TPM_ALG.ECDAA,
    TPM_ALG.SM2,
    TPM_ALG.ECSCHNORR,
    TPM_ALG.ECMQV,
)


@dataclass(frozen=True)
class Faults:
    """The simulated faults. Without arguments, there are none.

    The TPM does not support the commands `without`. With `no_ecc`, it does not support elliptic curves.
    It responds TPM_RC_RETRY `retry` times before it executes a command. It does not respond to any command after
    the first `silent_after` commands. The response HMACs of the commands `wrong_hmac` are not valid. With
    `lockout`, it starts in lockout mode.
    """

    without: frozenset[int] = frozenset()
    no_ecc: bool = False
    retry: int = 0
    silent_after: int | None = None
    wrong_hmac: frozenset[int] = frozenset()
    lockout: bool = False

    @property
    def missing_commands(self) -> frozenset[int]:
        """The codes of the commands that the TPM does not support."""
        return self.without | {*ECC_COMMANDS} if self.no_ecc else self.without

    def check(self, command: Any) -> None:
        """Raises Refusal if the parsed command has the public area of an ECC key, and the TPM has no ECC."""
        if not self.no_ecc:
            return
        for name, value in vars(command).items():
            kind = getattr(value, "type", None) if isinstance(value, (TPMT_PUBLIC, TPMT_PUBLIC_PARMS)) else None
            if type(command).__name__ == "CreateLoaded" and name == "in_public":
                kind = int.from_bytes(value[:2], "big")
            if kind == TPM_ALG.ECC:
                raise Refusal(TPM_RC.TYPE, name)


def _parse_commands(text: str) -> frozenset[int]:
    """Returns the codes of commands that are separated by commas. Raises TransportError for an unknown name."""
    found = set()
    for name in text.split(","):
        code = TPM_CC.__members__.get(name.removeprefix("TPM2_"))
        if code is None or command_class(code) is None:
            raise TransportError(f"soft: {name!r} is not a TPM command; use names such as HMAC,EncryptDecrypt2")
        found.add(int(code))
    return frozenset(found)


def parse_faults(options: Mapping[str, str]) -> Faults:
    """Returns the faults in the options of a soft TPM's address. Raises TransportError for an unknown command."""
    every = frozenset(int(code) for code in TPM_CC)
    named = options.get("wrong-hmac")
    return Faults(
        without=_parse_commands(options["without"]) if "without" in options else frozenset(),
        no_ecc="no-ecc" in options,
        retry=int(options.get("retry", 0)),
        silent_after=int(options["silent-after"]) if "silent-after" in options else None,
        wrong_hmac=frozenset() if named is None else _parse_commands(named) if named else every,
        lockout="lockout" in options,
    )
