"""Decrypts a credential in the TPM, which proves that a key and an endorsement key are in the same TPM.

  tpmwire ak --out ak.pem --public ak.pub
  tpmwire activatecredential ak.pem ak.cred

CREDENTIAL is a file of `tpmwire makecredential`, of tpm2_makecredential, or JSON of go-attestation. The
endorsement key is taken from its reserved handle, or created from this TPM's template, which can take ten seconds.
Its policy is satisfied with the endorsement hierarchy's password. The secret crosses the bus encrypted.

The secret is printed in hex; --out writes it to a file, as it is.
"""

import argparse
from typing import NamedTuple

from tpmwire.attest.credentials import Credential
from tpmwire.errors import KeyFileError, TpmError
from tpmwire.primary import Loaded, read_loaded
from tpmwire.secret import Secret
from tpmwire.spec.codes import TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH
from tpmwire.spec.commands.context import ContextLoad
from tpmwire.tpm import Tpm
from tpmwire.use.attesting import AttestingKey
from tpmwire.use.endorsement import KINDS, EkKind
from tpmwire.use.endorsement_keys import likely_kinds, use_endorsement_key
from tpmwire.use.parents import ENDORSEMENT

from ..terminal.files import check_outputs, read_small, write_whole
from ..terminal.messages import UsageError
from ..terminal.options import TpmSettings, add_tpm_options, filled
from ..tpm.key_argument import KEY_FORMS, NamedKey, use_key
from ..tpm.open import open_tpm
from ..tpm.options import EndorsementSettings, KeySettings, ParentSettings, add_auth_options
from ..tpm.passwords import endorsement_auth, key_auth, parent_auth

__all__ = ["Settings", "configure", "run"]

_NAMES = {ENDORSEMENT[kind.handle].name: kind for kind in KINDS}


class Settings(KeySettings, ParentSettings, EndorsementSettings, TpmSettings):
    """The verb's options."""

    key: str
    credential: str
    ek: str | None
    out: str | None
    force: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("key", metavar="KEY", help=f"key that the credential is for: {KEY_FORMS}")
    parser.add_argument("credential", metavar="CREDENTIAL", help="file with the credential")
    parser.add_argument(
        "--ek",
        type=filled,
        metavar="KEY",
        help=f"endorsement key: {', '.join(_NAMES)}, a handle, or a context file of tpm2-tools (default: the kind "
        "that fits the credential)",
    )
    parser.add_argument("--out", metavar="FILE", help="write the secret to FILE instead of printing it")
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    add_auth_options(parser, "key", "the key's password")
    add_auth_options(parser, "parent", "the password of the key's parent, or of its hierarchy")
    add_auth_options(parser, "endorsement", "the endorsement hierarchy's password")
    add_tpm_options(parser, "60s")


def run(args: Settings) -> int:
    """Activates the credential, and prints or writes the secret."""
    try:
        credential = Credential.parse(read_small(args.credential))
    except KeyFileError as error:
        raise UsageError(f"{args.credential}: {error}") from error
    check_outputs([args.out], force=args.force)
    named = NamedKey(args.key)
    ek = NamedKey(args.ek) if args.ek and args.ek not in _NAMES else None
    if ek is not None and ek.file is not None:
        raise UsageError(f"{args.ek} is a key file; expected a kind of EK, a handle or a context file")
    request = _Request(named, credential, key_auth(args), parent_auth(args), endorsement_auth(args))
    with open_tpm(args) as tpm:
        if ek is not None:
            secret = _use_named(tpm, ek, request)
        else:
            kinds = [_NAMES[args.ek]] if args.ek else likely_kinds(credential.seed)
            secret = _try_kinds(tpm, kinds, request)
    if args.out:
        write_whole(args.out, secret.reveal(), force=args.force)
    else:
        print(secret.reveal().hex())
    return 0


class _Request(NamedTuple):
    """A credential, its key, and the passwords of the key, its parent and the endorsement hierarchy."""

    named: NamedKey
    credential: Credential
    auth: Secret
    parent: Secret
    hierarchy: Secret

    def activate(self, tpm: Tpm, ek: EkKind | Loaded) -> Secret:
        """Returns the secret in the credential, decrypted with the endorsement key `ek`."""
        with (
            use_endorsement_key(tpm, ek, self.hierarchy) as (loaded, by),
            use_key(tpm, self.named, AttestingKey, self.auth, self.parent, protected=True) as key,
        ):
            return key.activate(tpm, self.credential, loaded, by)


def _use_named(tpm: Tpm, ek: NamedKey, request: _Request) -> Secret:
    handle = ek.handle if ek.context is None else tpm.execute(ContextLoad(ek.context)).loaded_handle
    assert handle is not None  # the key is not a file
    try:
        return request.activate(tpm, read_loaded(tpm, handle))
    finally:
        if ek.context is not None:
            tpm.flush(handle)


def _try_kinds(tpm: Tpm, kinds: list[EkKind], request: _Request) -> Secret:
    """Returns the secret, decrypted with the first kind of endorsement key that works.

    Raises the first error if no kind decrypts the credential.
    """
    if not kinds:
        raise UsageError("no endorsement key fits the credential; give the key with --ek")
    first: TpmError | None = None
    for kind in kinds:
        try:
            return request.activate(tpm, kind)
        except TpmError as error:
            if error.code in (TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH):
                raise
            first = first or error
    assert first is not None  # a kind was tried
    raise first
