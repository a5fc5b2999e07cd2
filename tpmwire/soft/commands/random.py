"""Soft TPM: random number commands (Part 3, §16)."""

from ...spec.commands.random import GetRandom, StirRandom
from ..registry import handles
from ..tpm_state import TpmState

LARGEST = 64
"""Maximum number of random bytes in a response: the size of the largest digest."""


@handles(GetRandom)
def get_random(tpm: TpmState, command: GetRandom) -> GetRandom.Response:
    """Returns random bytes, at most 64, the size of the largest digest (TPM2_GetRandom)."""
    return GetRandom.Response(tpm.generator.bytes(min(command.bytes_requested, LARGEST)))


@handles(StirRandom)
def stir_random(tpm: TpmState, command: StirRandom) -> None:
    """Mixes the caller's bytes into the random number generator (TPM2_StirRandom)."""
    tpm.generator.stir(command.in_data)
