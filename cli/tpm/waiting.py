"""A TPM whose slow commands are shown on the terminal."""

from typing import TypeVar

from tpmwire.sessions import Password, Use
from tpmwire.spec.command import Answered
from tpmwire.tpm import Tpm

from ..terminal.progress import activity

__all__ = ["ShownTpm"]

R = TypeVar("R")


class ShownTpm(Tpm):
    """A TPM that shows on the terminal which command the user is waiting for: an RSA key can take a minute."""

    def execute(self, command: Answered[R], *authorizations: Password | Use) -> R:
        """Executes a command like Tpm.execute, and meanwhile shows the command on the terminal."""
        with activity(f"waiting for the TPM: {type(command).__name__}"):
            return super().execute(command, *authorizations)
