"""Builds the HMAC key that a run's options describe, and requests HMACs from the TPM."""

import contextlib
import os
from collections.abc import Iterator, Sequence

from tpmwire.errors import TpmError
from tpmwire.secret import Secret
from tpmwire.spec.codes import TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH
from tpmwire.spec.constants import TPM_CC
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

from ..terminal.messages import UsageError, note, warn
from ..terminal.options import auth_from, pcrs_from
from ..tpm.cleanup import finish_in_background
from ..tpm.path import connect
from .settings import PROGRAM, RunSettings

__all__ = ["ask_tpm", "ask_tpm_each", "key_from", "opened_tpm"]


def key_from(settings: RunSettings) -> HmacKey:
    """Returns the key that the options describe.

    Raises UsageError for invalid options, KeyFileError for an invalid key file.
    """
    file = None
    if settings.credential_file:
        from ..terminal.files import read_key_file  # noqa: PLC0415 - a key at a handle has no file

        file = read_key_file(settings.credential_file)
    pcrs = pcrs_from(settings.pcrs) if settings.pcrs else None
    if settings.tpm_session_encrypt_with_name == "":
        warn("--tpm-session-encrypt-with-name is empty; no key is pinned")
    pin = name = None
    if settings.tpm_session_encrypt_with_name or settings.tpm_session_encrypt_with_public:
        from ..tpm.pins import pin_from  # noqa: PLC0415 - for a pinned key only

        if settings.no_session_encryption:
            raise UsageError(
                "a pinned key needs a salted session, which --no-session-encryption disables; remove "
                "one of the two "
                "options"
            )
        pin = pin_from(settings.tpm_session_encrypt_with_name, settings.tpm_session_encrypt_with_public)
    if settings.key_name:
        from ..tpm.pins import hex_name  # noqa: PLC0415 - for a named key only

        name = hex_name("--key-name", settings.key_name)
    explicit = settings.parentPass or settings.parentPass_file or os.environ.get("TPM_PARENT_AUTH")
    fallback = os.environ.get("TPM_KEY_AUTH")
    return HmacKey(
        file=file,
        handle=settings.persistentHandle,
        auth=auth_from(settings.keyPass, settings.keyPass_file, "TPM_KEY_AUTH"),
        parent_auth=auth_from(settings.parentPass, settings.parentPass_file, "TPM_PARENT_AUTH"),
        parent_auth_otherwise=Secret(fallback.encode()) if fallback and not explicit else None,
        pcrs=pcrs,
        ek_parent=settings.useEKParent,
        protected=not settings.no_session_encryption,
        pin=pin,
        name=name,
    )


def ask_tpm(settings: RunSettings, key: HmacKey, message: bytes) -> bytes:
    """Opens the TPM, returns the HMAC of `message`, and closes the TPM. Raises the errors of `HmacKey.hmac`."""
    return ask_tpm_each(settings, [(key, [message])])[0]


def ask_tpm_each(settings: RunSettings, wanted: Sequence[tuple[HmacKey, Sequence[bytes]]]) -> list[bytes]:
    """Returns the HMACs for all (key, messages) pairs of `wanted`; opens the TPM once.

    Raises the errors of `HmacKey.hmacs`.
    """
    unpinned = any(key.protected and key.pin is None for key, _ in wanted)
    found: list[bytes] = []
    with opened_tpm(settings, for_one_use=len(wanted) == 1, unpinned=unpinned) as tpm:
        for key, messages in wanted:
            try:
                found += key.hmacs(tpm, messages)
            except TpmError as error:
                wrong_password = error.code in (TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH)
                if wrong_password and error.command in (TPM_CC.HMAC, TPM_CC.HMAC_Start) and not key.auth:
                    error.add_note("no password was given; give one with --keyPass-file")
                if key.name is not None and key.file is None and error.session == 1:
                    at = f"0x{key.handle or 0:08x}"
                    error.add_note(f"or --key-name does not match the key at {at}")
                raise
    return found


@contextlib.contextmanager
def opened_tpm(settings: RunSettings, *, for_one_use: bool = True, unpinned: bool = False) -> Iterator[Tpm]:
    """Context manager that opens the TPM of a run and closes it; with --verbose, it prints the commands.

    `unpinned` is true if a session is salted to a key that is not verified. Raises the errors of `connect`.
    """
    transport = connect(settings.tpm_path, settings.timeout)
    tpm = Tpm(transport, abandon=finish_in_background, for_one_use=for_one_use)
    if settings.verbose:
        from ..tpm.verbose import print_command  # noqa: PLC0415 - for --verbose only

        tpm.observe = print_command
        if unpinned:
            note(
                f"{PROGRAM}: the session's salt key is not verified: this protects against eavesdropping "
                "on the bus; pin the key with --tpm-session-encrypt-with-name to detect an impostor TPM"
            )
    try:
        yield tpm
    finally:
        tpm.close()
