"""Protects the TPM's lockout counter from a wrong password that several profiles share."""

import time
from typing import TYPE_CHECKING

from tpmwire.errors import TpmError
from tpmwire.spec.codes import TPM_RC_AUTH_FAIL

from .sts import obtain

if TYPE_CHECKING:
    from sigv4.credentials import Credentials

    from .settings import RunSettings

__all__ = ["Passwords"]

_REMEMBERED = 12 * 3600.0  # seconds; less than a store waits after a wrong password


class Passwords:
    """Obtains credentials without retrying a password that the TPM refused, because it counts wrong passwords.

    Profiles often share one key, for example to assume different roles. The repr hides the passwords.
    """

    def __init__(self) -> None:
        self._refused: dict[tuple[object, ...], tuple[float, TpmError]] = {}

    def __repr__(self) -> str:
        return "<Passwords>"

    def obtain(self, settings: "RunSettings") -> "Credentials":
        """Returns the credentials for the settings of a run.

        Raises the errors of `obtain`. If the TPM has refused the same password for the same key within 12 hours,
        raises that error again, without asking the TPM.
        """
        key = (
            *(settings.credential_file, settings.persistentHandle, settings.keyPass, settings.keyPass_file),
            *(settings.parentPass, settings.parentPass_file, settings.pcrs),
        )
        when, refusal = self._refused.get(key, (0.0, None))
        if refusal is not None and time.monotonic() - when < _REMEMBERED:
            raise refusal
        try:
            return obtain(settings)
        except TpmError as error:
            if error.code == TPM_RC_AUTH_FAIL:
                self._refused[key] = time.monotonic(), error
            raise

    def forget(self) -> None:
        """Forgets the wrong passwords, so that each is tried again."""
        self._refused.clear()
