"""What a run's TPM commands take on real chips, reckoned: `python -m tests.bench.chips`.

Nobody has published times of TPM2_HMAC, TPM2_Load or TPM2_ContextLoad, so a command costs here what its slowest
published part does: one exchange at least, and a key generated, an ECDH point or an RSA decryption if it has one.
Both programs' lists are reckoned alike. Ours are recorded now (tests/support/modes.py); the Go program's
(aws-tpm-process-credential, commit 497f983) were recorded on swtpm 0.7.1. Chips' times are those of wolfTPM's
README ("Benchmark", parameter encryption off; 32 octets of GetRandom are the exchange).
"""

from collections.abc import Iterable
from typing import NamedTuple

from tests.support.modes import MODES, Recorded, record

__all__ = ["GO", "behind", "main", "theirs"]


class Chip(NamedTuple):
    """Milliseconds: one exchange, an ECC P-256 key, an RSA-2048 key, an ECDH point, an RSA decryption."""

    exchange: float
    ecc: float
    rsa_key: float
    ecdh: float
    rsa: float


CHIPS = {
    "Infineon SLB9670": Chip(2.2, 231, 2196, 232, 163),
    "Infineon SLB9672": Chip(1.4, 136, 1568, 66, 77),
    "Infineon SLB9673 (I2C)": Chip(11, 311, 1911, 114, 168),
    "ST33KTPM2X": Chip(1.4, 89, 1944, 66, 91),
    "ST33TPHF2X": Chip(2.3, 220, 7455, 247, 248),
    "Microchip ATTPM20": Chip(29, 153, 5276, 64, 118),
    "Nations Z32H330": Chip(2.8, 52, 2184, 39, 133),
    "Nations NS350": Chip(5.5, 52, 2379, 27, 52),
    "Nuvoton NPCT650": Chip(5.0, 148, 4479, 176, 541),
    "Nuvoton NPCT750": Chip(2.2, 84, 3409, 29, 70),
    "Jetson Orin fTPM": Chip(0.06, 120, 736, 90, 12),
}

# In the order in which they were sent.
_HMAC = ["ReadPublic", "StartAuthSession", "HMAC_Start", "SequenceComplete"]
_PCR = ["StartAuthSession", "PolicyPCR", *_HMAC, "FlushContext"]
_FILE, _FLUSHED = ["CreatePrimary ecc", "Load"], ["FlushContext", "FlushContext"]
_EK = ["StartAuthSession", "CreatePrimary rsa"]
GO = {
    "handle, in clear": _HMAC,
    "handle, encrypted": [*_EK, *_HMAC, "FlushContext"],
    "password, in clear": _HMAC,
    "password, encrypted": [*_EK, *_HMAC, "FlushContext"],
    "PCR, in clear": _PCR,
    "PCR, encrypted": [*_EK, *_PCR, "FlushContext"],
    "endorsement parent, in clear": ["CreatePrimary rsa", "StartAuthSession", "PolicySecret", *_HMAC, *_FLUSHED],
    "file, in clear": [*_FILE, *_HMAC, *_FLUSHED],
    "file, encrypted": [*_EK, *_FILE, *_HMAC, "FlushContext", *_FLUSHED],
    "file, PCR, in clear": [*_FILE, *_PCR, *_FLUSHED],
    "file, PCR, encrypted": [*_EK, *_FILE, *_PCR, "FlushContext", *_FLUSHED],
}
"""Its option for encryption salts no session and hides nothing. It makes the RSA endorsement key each time, and
with a file it then runs out of object slots, where there are three. It has no cache."""


def theirs(mode: str) -> list[str]:
    """The Go program's commands for what our mode is for."""
    kind = mode.partition(",")[0].replace("file under the storage root key", "file")
    if mode.startswith("file, PCR"):
        kind = "file, PCR"
    return GO[f"{kind}, {'in clear' if 'in clear' in mode else 'encrypted'}"]


def milliseconds(commands: Iterable[str], chip: Chip) -> float:
    """What a list of commands takes on a chip."""
    more = {"ecc": chip.ecc, "rsa": chip.rsa_key, "ecdh": chip.ecdh, "keyedhash": 0.0}
    total = 0.0
    for command in commands:
        name, _, part = command.partition(" ")
        if (name, part) == ("StartAuthSession", "rsa"):
            total += chip.rsa
        elif part:
            total += more[part]
        total += chip.exchange
    return total


def behind(ours: dict[str, Recorded]) -> list[str]:
    """Each mode, run and chip for which the Go program needs no more time."""
    return [
        f"{mode}, {label}, on {name}"
        for mode, runs in ours.items()
        for label, commands in runs._asdict().items()
        for name, chip in CHIPS.items()
        if milliseconds(commands, chip) >= milliseconds(theirs(mode), chip)
    ]


def main() -> None:
    """Prints milliseconds of TPM time a run, and where we are not ahead."""
    ours = dict(record())
    for mode in MODES:
        runs, go = ours[mode], theirs(mode)
        print(f"\n{mode}")
        for label, commands in (*runs._asdict().items(), ("in Go", go)):
            print(f"    {label:6}{len(commands):3}  {' '.join(_short(commands))}")
        print(f"    {'':26}{'cold':>9}{'first':>9}{'warm':>9}{'in Go':>9} ms")
        for name, chip in CHIPS.items():
            times = [milliseconds(commands, chip) for commands in (*runs, go)]
            print(f"    {name:26}" + "".join(f"{time:9.1f}" for time in times))
    print("\nnot ahead of the same mode in Go: " + ("; ".join(behind(ours)) or "nowhere"))
    _print_price(ours["handle, encrypted"].warm)


def _print_price(encrypted: list[str]) -> None:
    """We encrypt by default, the Go program never does: what that costs over its way in clear."""
    print("\nour default, a warm run that hides everything, over the Go program's default, which hides nothing:")
    for name, chip in CHIPS.items():
        more = milliseconds(encrypted, chip) - milliseconds(GO["handle, in clear"], chip)
        print(f"    {name:26}{more:+9.1f} ms: {'behind' if more >= 0 else 'ahead'}")


def _short(commands: list[str]) -> list[str]:
    """The list with what is costly in brackets."""
    return [command if " " not in command else command.replace(" ", "(") + ")" for command in commands]


if __name__ == "__main__":
    main()
