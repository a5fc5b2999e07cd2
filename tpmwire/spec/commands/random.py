"""TPM 2.0 Part 3, §16: random numbers."""

from ...record import Record
from ..command import Command
from ..constants import TPM_CC
from ..structures import TPM2B_DIGEST, TPM2B_SENSITIVE_DATA, UINT16


class GetRandom(Command, code=TPM_CC.GetRandom, spec="Part 3 §16.1"):
    """Returns up to `bytes_requested` random bytes; a TPM may return fewer."""

    bytes_requested: UINT16

    class Response(Record):
        random_bytes: TPM2B_DIGEST


class StirRandom(Command, code=TPM_CC.StirRandom, spec="Part 3 §16.2"):
    """Adds data to the state of the random number generator."""

    in_data: TPM2B_SENSITIVE_DATA
