"""The key of a one-time password token (TOTP) in the TPM, and the current code for AWS."""

import time

from tpmwire.errors import TpmError
from tpmwire.use.hmac import HmacKey

from ..terminal.messages import UsageError
from ..terminal.options import auth_from
from .key import ask_tpm
from .options import totp_place
from .settings import RunSettings
from .totp import code_of, step_at

__all__ = ["aws_code", "key_at"]


def key_at(where: int | str) -> HmacKey:
    """Returns the HMAC key of a token at a persistent handle or in a key file, without a password.

    Raises UsageError for an invalid location, KeyFileError for an invalid key file.
    """
    if isinstance(where, int):
        return HmacKey(handle=where)
    from ..terminal.files import read_key_file  # noqa: PLC0415 - a key at a handle has no file

    return HmacKey(file=read_key_file(where))


def aws_code(settings: RunSettings) -> str:
    """Opens the TPM, returns the current code of a run's --mfa-totp key, and closes the TPM.

    Session encryption, salt key and passwords are set by the options for the AWS key. The key's password is used
    only if the token's key file states that it has one. Raises UsageError for an invalid option or a key with
    another hash, KeyFileError for an invalid key file, and the errors of `HmacKey.hmac`.
    """
    key = key_at(totp_place(settings))
    if key.file is not None:
        if not key.file.empty_auth:
            key.auth = auth_from(settings.keyPass, settings.keyPass_file, "TPM_KEY_AUTH")
        key.parent_auth = auth_from(settings.parentPass, settings.parentPass_file, "TPM_PARENT_AUTH")
    key.protected = not settings.no_session_encryption
    if settings.tpm_session_encrypt_with_name or settings.tpm_session_encrypt_with_public:
        from ..tpm.pins import pin_from  # noqa: PLC0415 - for a pinned key only

        key.pin = pin_from(settings.tpm_session_encrypt_with_name, settings.tpm_session_encrypt_with_public)
    try:
        mac = ask_tpm(settings, key, step_at(time.time()))
    except TpmError as error:
        # Without this note, the user would suspect the run's AWS key.
        error.add_note("the error concerns the key of --mfa-totp")
        raise
    if len(mac) != 20:
        raise UsageError(
            "--mfa-totp: AWS needs codes computed with HMAC-SHA-1, but this key has a different hash; give a key "
            "that `tpmwire totp import` created"
        )
    return code_of(mac)
