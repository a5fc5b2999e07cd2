"""Imports a key that was wrapped for this TPM elsewhere, and tests it.

  tpmwire import-key web-1.pem --persistent-handle 0x81010020
  tpmwire import-key web-1.pem --out key.pem

web-1.pem comes from `tpmwire wrap`, from `tpmwire duplicate`, from `tpmcopy --mode duplicate` (its JSON), or from
another program that writes importable TSS2 key files. For the files of tpm2_duplicate, also give the key's public
area:

  tpmwire import-key --public key.pub --private dup.priv \\
      --seed dup.seed --out key.pem

The result is a key at a persistent handle, or a loadable key file, for this TPM only.
"""

import argparse

from tpmwire.channel import authorized_once
from tpmwire.crypto.formulas import random_bytes
from tpmwire.errors import TpmError
from tpmwire.keys.keyfile import IMPORTABLE, SEALED, KeyFile
from tpmwire.secret import EMPTY_AUTH, Secret
from tpmwire.spec.codes import TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH, TPM_RC_HANDLE
from tpmwire.tpm import Tpm
from tpmwire.use.ecdsa import EcdsaKey, check_signature, is_p256_key
from tpmwire.use.hmac import HmacKey
from tpmwire.use.load import import_key, load_key, persist_key
from tpmwire.use.parents import PARENTS, candidates, for_endorsement

from ..keys.options import OWNER, SRK, new_handle
from ..keys.persist import evict, is_occupied
from ..keys.place import Place, Placement, check_path, put_in_place
from ..keys.tpmcopy import parent_kind
from ..terminal.files import read_key_file, read_small
from ..terminal.messages import UsageError, note
from ..terminal.options import TpmSettings, add_tpm_options, auth_from, pcrs_from, persistent_handle
from ..tpm.open import open_tpm
from ..tpm.options import add_auth_file_options
from ..tpm.path import warn_of_soft

__all__ = ["Settings", "configure", "run"]


class Settings(TpmSettings):
    """The verb's options."""

    file: str | None
    public: str | None
    private: str | None
    seed: str | None
    parent: int | None
    inner_key_file: str | None
    out: str | None
    persistent_handle: int | None
    key_auth_file: str | None
    parent_auth_file: str | None
    pcrs: str | None
    use_ek_parent: bool
    owner_auth_file: str | None
    force: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_tpm_options(parser, "60s")
    parser.add_argument("file", metavar="FILE", nargs="?", help="importable key file")
    parser.add_argument(
        "--public", metavar="FILE", help="file with the public area from tpm2_create -u, instead of a key file"
    )
    parser.add_argument(
        "--private", metavar="FILE", help="with --public: file with the duplicate from tpm2_duplicate -r"
    )
    parser.add_argument(
        "--seed", metavar="FILE", help="with --public: file with the encrypted seed from tpm2_duplicate -s"
    )
    parser.add_argument(
        "--parent",
        type=persistent_handle,
        metavar="HANDLE",
        help="persistent handle of the parent in this TPM (default: the handle in the file, else "
        "each matching parent is tried)",
    )
    parser.add_argument(
        "--inner-key-file",
        metavar="FILE",
        help="file with the 16-byte key of the inner wrapper, from `tpmwire duplicate` or tpm2_duplicate -o",
    )
    parser.add_argument("--out", metavar="FILE", help="write the key to FILE as a loadable key file")
    parser.add_argument(
        "--persistent-handle", type=new_handle, metavar="HANDLE", help="make the key persistent at this handle"
    )
    add_auth_file_options(parser)
    parser.add_argument(
        "--pcrs",
        metavar="PCRS",
        help="PCRs of the key's policy, such as 7,23, if the key file does not contain them (e.g. from tpmcopy)",
    )
    parser.add_argument("--use-ek-parent", action="store_true", help="the key was wrapped for an endorsement key")
    parser.add_argument(
        "--owner-auth-file",
        metavar="FILE",
        help="file with the owner's password, needed for --persistent-handle (env: TPM_OWNER_AUTH contains the "
        "password)",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def run(args: Settings) -> int:
    """Imports a wrapped key, tests it, and stores it."""
    if not args.out and args.persistent_handle is None:
        raise UsageError("no output; give --out FILE, --persistent-handle HANDLE, or both")

    if args.out:
        check_path(args.out, "--out", force=args.force)
    choices = _candidate_files(args)
    owner = auth_from(None, args.owner_auth_file, "TPM_OWNER_AUTH")
    key = _key(args, choices[0], owner)
    warn_of_soft(args.tpm_path)
    with open_tpm(args) as tpm:
        if args.persistent_handle is not None and is_occupied(tpm, args.persistent_handle):
            raise UsageError(
                f"0x{args.persistent_handle:08x} is occupied; choose another handle (see `tpmwire list`)"
            )
        loadable = _import(tpm, key, choices)
        ready = key.of_file(loadable)
        _test_key(tpm, ready, loadable)
        # If the parent is the owner's primary key, the owner's password is the same as the parent's.
        own = owner or (key.parent_auth if loadable.hierarchy == OWNER else owner)
        placement = Placement(
            loadable,
            Place(args.persistent_handle, args.out),
            lambda handle: persist_key(ready, tpm, handle, own),
            lambda handle: evict(tpm, handle, authorized_once(tpm, own)),
        )
        put_in_place(tpm, [placement], force=args.force)
    if args.persistent_handle is not None:
        note(f"the key is persistent at 0x{args.persistent_handle:08x}")
    if args.out:
        note(f"wrote {args.out}")
    return 0


def _key(args: Settings, file: "KeyFile", owner: "Secret") -> "HmacKey | EcdsaKey":
    parent = auth_from(None, args.parent_auth_file, "TPM_PARENT_AUTH")
    return (EcdsaKey if is_p256_key(file.public) else HmacKey)(
        file=file,
        auth=auth_from(None, args.key_auth_file, "TPM_KEY_AUTH"),
        parent_auth=parent,
        parent_auth_otherwise=owner if owner and not parent else None,
        pcrs=pcrs_from(args.pcrs) if args.pcrs else None,
        inner_key=_inner_key(args.inner_key_file),
    )


def _import(tpm: "Tpm", key: "HmacKey | EcdsaKey", choices: "list[KeyFile]") -> "KeyFile":
    """Imports the key under the first parent that accepts it, and returns the loadable key file.

    `choices` are importable key files that differ only in the parent. If no parent accepts the key, raises the
    error of the first parent.
    """
    failed: TpmError | None = None
    for file in choices:
        try:
            return import_key(key.of_file(file), tpm)
        except TpmError as error:
            # Stop: the password would be wrong for every parent, and each attempt may count towards lockout.
            if error.code in (TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH):
                raise
            failed = failed or error
            tpm.flush_opened()
    assert failed is not None  # at least one choice exists
    if choices[0].parent == SRK and failed.code == TPM_RC_HANDLE:
        raise UsageError(
            f"the key was wrapped for the storage root key, but 0x{SRK:08x} is empty; make that key "
            "persistent first (`tpmwire import --make-srk`, tpm2_evictcontrol)"
        ) from failed
    raise failed


def _test_key(tpm: "Tpm", key: "HmacKey | EcdsaKey", file: "KeyFile") -> None:
    """Loads the key, and computes an HMAC or a signature with it. Raises an error if the TPM refuses the key.

    The HMAC itself cannot be checked, since the secret is unknown here.
    """
    if file.type == SEALED:
        load_key(key, tpm)
        return
    if isinstance(key, HmacKey):
        key.hmac(tpm, b"tpmwire")
        return

    digest = random_bytes(32)
    check_signature(file.public, digest, key.sign(tpm, digest))


def _candidate_files(args: Settings) -> "list[KeyFile]":
    """Returns copies of the key file to import, one for each parent to try.

    Raises UsageError for invalid options, KeyFileError for an invalid file.
    """
    if args.file:
        if args.public or args.private or args.seed:
            raise UsageError("a key file contains all three parts; remove --public, --private and --seed")
        file = read_key_file(args.file)
        if not file.is_importable:
            raise UsageError(
                f"{args.file} is not an importable key; `tpmwire persist` makes a loadable key persistent"
            )
        if kind := parent_kind(read_small(args.file)):
            file = file.replace(parent=PARENTS[kind].parent, rsa_parent=PARENTS[kind].rsa_parent)
    else:
        if not (args.public and args.private and args.seed):
            raise UsageError(
                "no key given; expected a key FILE, or --public, --private and --seed of tpm2_duplicate"
            )
        public, private, seed = map(read_small, (args.public, args.private, args.seed))
        file = KeyFile(type=IMPORTABLE, parent=OWNER, pubkey=public, privkey=private, secret=seed)
    if args.parent is not None:
        return [file.replace(parent=args.parent, rsa_parent=None)]
    return for_endorsement(file) if args.use_ek_parent else candidates(file)


def _inner_key(path: str | None) -> "Secret":
    if not path:
        return EMPTY_AUTH
    key = read_small(path)
    if len(key) != 16:
        raise UsageError(f"{path} is {len(key)} bytes long; expected a 16-byte AES-128 key")
    return Secret(key)
