"""PCR banks: PCR values, PCR attributes of the PC Client profile, extend and reset (Part 1, §17)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..crypto.formulas import digest, digest_size
from ..spec.constants import TPM_ALG
from ..spec.structures import TPMS_PCR_SELECTION
from .observer import joined, note

__all__ = ["AUTHORIZED", "BANKS", "COUNT", "PcrBanks", "selected"]

COUNT = 24
"""The number of PCRs in a bank."""

BANKS = (TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512)

EXTEND_LOCALITIES = (*(0x1F,) * 17, 0x1C, 0x1C, 0x0C, 0x0E, 0x04, 0x04, 0x1F)
"""For each PCR, the localities that may extend it, one bit each (PC Client Platform TPM Profile, §4.6)."""

RESET_LOCALITIES = (*(0,) * 16, 0x0F, 0x10, 0x10, 0x10, 0x14, 0x14, 0x14, 0x0F)
"""For each PCR, the localities that may reset it."""

SAVED = range(16)
"""PCRs that keep their values over TPM2_Shutdown(STATE)."""

AUTHORIZED = (20, 21, 22)
"""PCRs that have an authValue and a policy, which they share."""

UNCOUNTED = (16, 21, 22, 23)
"""PCRs whose changes do not invalidate policy sessions (TPM_PT_PCR_NO_INCREMENT)."""


@dataclass
class PcrBanks:
    """The PCR values of all banks. `counter` is pcrUpdateCounter."""

    allocated: dict[int, bytes] = field(default_factory=lambda: dict.fromkeys(BANKS, b"\xff\xff\xff"))
    values: dict[int, list[bytes]] = field(default_factory=dict)
    counter: int = 0

    def __post_init__(self) -> None:
        self.start(locality=0)

    def start(self, locality: int, kept: "dict[int, list[bytes]] | None" = None) -> None:
        """Sets all PCRs to their values after TPM2_Startup. `kept` are the values that TPM2_Shutdown saved."""
        self.values = {}
        for alg in self.allocated:
            size = digest_size(alg)
            values = [bytes(size) if not RESET_LOCALITIES[n] & 0x10 else b"\xff" * size for n in range(COUNT)]
            values[0] = bytes(size - 1) + bytes([locality])
            if kept is not None and alg in kept:
                values = [kept[alg][n] if n in SAVED else value for n, value in enumerate(values)]
            self.values[alg] = values

    def has(self, alg: int, number: int) -> bool:
        """Returns whether the bank of hash algorithm `alg` has PCR `number`."""
        mask = self.allocated.get(alg, b"\0\0\0")
        return bool(mask[number // 8] >> number % 8 & 1)

    def extend(self, number: int, alg: int, value: bytes) -> None:
        """Extends PCR `number` of the bank of hash algorithm `alg`: PCR := H(PCR || value)."""
        if self.has(alg, number):
            before = self.values[alg][number]
            self.values[alg][number] = digest(alg, before, value)
            note("extend", f"PCR {number} = {TPM_ALG(alg).name}({joined([before, value])})")
            self.count_change(number)

    def reset(self, number: int) -> None:
        """Sets PCR `number` to zero in every bank."""
        for alg in self.values:
            self.values[alg][number] = bytes(digest_size(alg))
        self.count_change(number)

    def count_change(self, number: int) -> None:
        """Increments pcrUpdateCounter unless changes of PCR `number` do not count."""
        if number not in UNCOUNTED:
            self.counter = (self.counter + 1) & 0xFFFFFFFF

    def filtered(self, selections: Iterable[TPMS_PCR_SELECTION]) -> tuple[TPMS_PCR_SELECTION, ...]:
        """Returns the selections without the PCRs that the TPM does not implement."""
        return tuple(
            selection.replace(
                pcr_select=bytes(
                    byte & self.allocated.get(selection.hash, b"\0\0\0")[index]
                    for index, byte in enumerate(selection.pcr_select[:3])
                )
                + bytes(len(selection.pcr_select) - 3)
            )
            for selection in selections
        )

    def digest(self, alg: int, selections: Iterable[TPMS_PCR_SELECTION]) -> bytes:
        """Returns the hash, with algorithm `alg`, of the concatenated values of the selected PCRs."""
        return digest(alg, *(self.values[s.hash][n] for s in self.filtered(selections) for n in selected(s)))


def selected(selection: TPMS_PCR_SELECTION) -> Iterator[int]:
    """Yields the numbers of the PCRs in a selection."""
    for number in range(8 * len(selection.pcr_select)):
        if selection.pcr_select[number // 8] >> number % 8 & 1:
            yield number
