"""TPM 2.0 Part 3, §16: random numbers."""

from ...record import Record
from ..command import Command
from ..constants import TPM_CC
from ..structures import TPM2B_DIGEST, UINT16


class GetRandom(Command, code=TPM_CC.GetRandom, spec="Part 3 §16.1"):
    """Up to `bytes_requested` random octets; a TPM may give fewer."""

    bytes_requested: UINT16

    class Response(Record):
        random_bytes: TPM2B_DIGEST
