"""Prints a line for each TPM command under --verbose, with the command's purpose but without its content."""

from tpmwire.errors import TpmError
from tpmwire.tpm import Observed

from ..terminal.messages import note

__all__ = ["print_command"]


def print_command(seen: Observed) -> None:
    """Prints a line about an observed command on stderr."""
    command = type(seen.command)
    purpose = " ".join((command.__doc__ or "").split("\n\n", maxsplit=1)[0].split())
    if seen.rc:
        outcome = str(TpmError(seen.rc))
    elif seen.received:
        outcome = "success"
    else:
        outcome = "no response"
    again = f", sent {seen.resent + 1} times" if seen.resent else ""
    note(
        f"TPM2_{command.__qualname__}: {seen.sent} bytes sent, {seen.received} received, "
        f"{seen.seconds * 1000:.1f} ms{again}: {outcome}  # {purpose} ({command.spec})"
    )
