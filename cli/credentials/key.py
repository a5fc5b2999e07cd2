"""The HMAC key of a run's options: where it is, how it is authorized, and one HMAC with it."""

import os
from typing import TYPE_CHECKING

from ..terminal.messages import UsageError, note, warn
from ..terminal.options import Untyped, auth_from, pcrs_from
from .options import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tpmwire.use.hmac import HmacKey

__all__ = ["ask_tpm", "ask_tpm_each", "key_from"]


def key_from(args: Untyped) -> "HmacKey":
    """The key as the options describe it. Raises UsageError, KeyFileError."""
    from tpmwire.use.hmac import HmacKey

    file = None
    if args.credential_file:
        from ..terminal.files import read_key_file

        file = read_key_file(args.credential_file)
    pcrs = pcrs_from(args.pcrs) if args.pcrs else None
    if args.tpm_session_encrypt_with_name == "":
        warn("--tpm-session-encrypt-with-name is empty: no key is pinned")
    pin = name = None
    if args.tpm_session_encrypt_with_name or args.tpm_session_encrypt_with_public:
        from ..tpm.pins import pin_from

        if args.no_session_encryption:
            raise UsageError("--no-session-encryption leaves nothing to salt: take it or the pinned key away")
        pin = pin_from(args.tpm_session_encrypt_with_name, args.tpm_session_encrypt_with_public)
    if args.key_name:
        from ..tpm.pins import hex_name

        name = hex_name("--key-name", args.key_name)
    explicit = args.parentPass or args.parentPass_file or os.environ.get("TPM_PARENT_AUTH")
    fallback = os.environ.get("TPM_KEY_AUTH")
    from tpmwire.secret import Secret

    return HmacKey(
        file=file,
        handle=args.persistentHandle,
        auth=auth_from(args.keyPass, args.keyPass_file, "TPM_KEY_AUTH"),
        parent_auth=auth_from(args.parentPass, args.parentPass_file, "TPM_PARENT_AUTH"),
        parent_auth_otherwise=Secret(fallback.encode()) if fallback and not explicit else None,
        pcrs=pcrs,
        ek_parent=args.useEKParent,
        protected=not args.no_session_encryption,
        pin=pin,
        name=name,
    )


def ask_tpm(args: Untyped, key: "HmacKey", message: bytes) -> bytes:
    """One HMAC, and the TPM given back. Raises what `HmacKey.hmac` does."""
    return ask_tpm_each(args, [(key, [message])])[0]


def ask_tpm_each(args: Untyped, wanted: "Sequence[tuple[HmacKey, Sequence[bytes]]]") -> list[bytes]:
    """The HMAC of each message by its key, in one opening of the TPM. Raises what `HmacKey.hmacs` does."""
    from tpmwire.tpm import Tpm
    from tpmwire.transport import open_transport

    from ..tpm.cleanup import finish_in_background

    transport = open_transport(args.tpm_path, args.timeout)
    tpm = Tpm(transport, abandon=finish_in_background, for_one_use=len(wanted) == 1)
    if args.verbose:
        from ..tpm.verbose import trace

        tpm.observe = trace
        if any(key.protected and key.pin is None for key, _ in wanted):
            note(
                f"{PROGRAM}: the session's salt key is the TPM's own word: safe against a listener on the bus; "
                "--tpm-session-encrypt-with-name also keeps out somebody who answers in the TPM's place"
            )
    from tpmwire.errors import TpmError
    from tpmwire.spec.codes import TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH
    from tpmwire.spec.constants import TPM_CC

    found: list[bytes] = []
    try:
        for key, messages in wanted:
            try:
                found += key.hmacs(tpm, messages)
            except TpmError as error:
                wrong_password = error.code in (TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH)
                if wrong_password and error.command in (TPM_CC.HMAC, TPM_CC.HMAC_Start) and not key.auth:
                    error.add_note("no password was given: --keyPass-file names a file with it")
                if key.name is not None and key.file is None and error.session == 1:
                    at = f"0x{key.handle or 0:08x}"
                    error.add_note(f"or --key-name is not the Name of the key at {at}")
                raise
    finally:
        tpm.close()
    return found
