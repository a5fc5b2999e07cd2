"""Copies a duplicable key of this TPM to another TPM. The secret never leaves the two TPMs in plaintext.

On this machine, with a file that `tpmwire export-public` printed on the other machine:

  tpmwire import --out key.pem --duplicable-to web-2.json
  tpmwire duplicate --to web-2.json key.pem --out web-2.pem

On the other machine:

  tpmwire import-key web-2.pem --persistent-handle 0x81010020

A key created with --duplicable-to FILE can be copied to that parent only, and from there no further. A key created
with --duplicable-to any can be copied to every parent. All other keys cannot be copied. This TPM keeps its key.

An inner wrapper needs --inner-key-file on both sides: a second key, to be sent separately from the file.
tpm2_import reads the files of --public, --private and --seed.
"""

import argparse
import os

from tpmwire.crypto.formulas import random_bytes
from tpmwire.keys.keyfile import IMPORTABLE, KeyFile
from tpmwire.keys.templates import rsa_parent_of
from tpmwire.policy.policy import Policy
from tpmwire.secret import Secret
from tpmwire.spec.constants import TPMA_OBJECT
from tpmwire.use.duplication import Duplicated, duplicate_out, duplication_policy

from ..keys.options import FormatSettings, TargetSettings, add_format_option, add_target_options
from ..keys.persist import load_under, parent_of
from ..keys.targets import Target, format_key_file, read_target
from ..terminal.files import read_key_file, write_whole
from ..terminal.messages import UsageError, note
from ..terminal.options import TpmSettings, add_tpm_options, auth_from
from ..tpm.open import open_tpm
from ..tpm.options import add_auth_file_options

__all__ = ["Settings", "configure", "run"]

INNER_KEY_SIZE = 16
"""Size in bytes of the inner wrapper's AES-128 key."""


class Settings(TargetSettings, FormatSettings, TpmSettings):
    """The verb's options."""

    file: str
    to: str
    out: str | None
    public: str | None
    private: str | None
    seed: str | None
    inner_key_file: str | None
    key_auth_file: str | None
    parent_auth_file: str | None
    force: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_tpm_options(parser, "60s")
    parser.add_argument("file", metavar="KEYFILE", help="key file to copy")
    parser.add_argument(
        "--to",
        metavar="FILE",
        required=True,
        help="file with the public key of the new parent: `tpmwire export-public` JSON, PEM or TPM2B_PUBLIC (see "
        "`tpmwire wrap --help`)",
    )
    add_target_options(parser)
    add_format_option(parser)
    parser.add_argument("--out", metavar="FILE", help="write an importable key file for `tpmwire import-key`")
    parser.add_argument("--public", metavar="FILE", help="write the public area to FILE, for tpm2_import -u")
    parser.add_argument("--private", metavar="FILE", help="write the duplicate to FILE, for tpm2_import -i")
    parser.add_argument("--seed", metavar="FILE", help="write the encrypted seed to FILE, for tpm2_import -s")
    parser.add_argument(
        "--inner-key-file",
        metavar="FILE",
        help="add an inner wrapper; write its 16-byte key to FILE for `tpmwire import-key` or tpm2_import -k",
    )
    add_auth_file_options(parser)
    parser.add_argument("--force", action="store_true", help="replace existing files")


def run(args: Settings) -> int:
    """Finds the policy that allows duplication, duplicates the key, and writes the files."""
    tools = (args.public, args.private, args.seed)
    if not args.out and not any(tools):
        raise UsageError("no output; give --out FILE, or --public, --private and --seed")
    if any(tools) and not all(tools):
        raise UsageError("tpm2_import needs three files; give --public, --private and --seed together")
    file = read_key_file(args.file)
    if file.is_importable:
        raise UsageError(f"{args.file} is not in this TPM yet; import it with `tpmwire import-key`")
    target = read_target(args.to, args.to_handle, args.to_key)
    if args.out and not target.parent:
        raise UsageError(f"{args.to} does not state the new parent's handle; add --to-handle 0x81000001")
    written = [path for path in (args.out, *tools, args.inner_key_file) if path]
    if len(set(written)) < len(written):
        raise UsageError("two output files have the same name; give each a different name")
    for path in written:
        if os.path.lexists(path) and not args.force:
            raise UsageError(f"{path} exists; --force replaces it")
    policy = duplication_policy(file, target.public)
    inner = _inner_key(args.inner_key_file, file)
    _write(args, file, target, _duplicate(args, file, target, policy, inner), inner)
    return 0


def _inner_key(path: str | None, file: "KeyFile") -> "Secret | None":
    if path:
        return Secret(random_bytes(INNER_KEY_SIZE))
    if file.public.object_attributes & TPMA_OBJECT.ENCRYPTED_DUPLICATION:
        raise UsageError("the key needs an inner wrapper (encryptedDuplication); add --inner-key-file FILE")
    return None


def _duplicate(
    args: Settings, file: "KeyFile", target: "Target", policy: "Policy", inner: "Secret | None"
) -> "Duplicated":
    with open_tpm(args) as tpm:
        parent = parent_of(tpm, file, auth_from(None, args.parent_auth_file, "TPM_PARENT_AUTH"), None)
        key = load_under(tpm, parent, file.public, file.private)
        return duplicate_out(
            tpm,
            key,
            target.public,
            policy,
            parent.session,
            salt=parent.key,
            auth=auth_from(None, args.key_auth_file, "TPM_KEY_AUTH"),
            inner_key=inner,
        )


def _write(args: Settings, file: "KeyFile", target: "Target", made: "Duplicated", inner: "Secret | None") -> None:
    private, seed = (len(part).to_bytes(2, "big") + part for part in made)
    if inner is not None and args.inner_key_file:
        write_whole(args.inner_key_file, inner.reveal(), force=args.force)
        note(f"wrote the inner wrapper's key to {args.inner_key_file}; send it separately from the duplicate")
    if args.out:
        importable = file.replace(
            type=IMPORTABLE,
            secret=seed,
            privkey=private,
            parent=target.parent,
            rsa_parent=rsa_parent_of(target.parent, target.public),
        )
        write_whole(args.out, format_key_file(importable, target, args.format).encode(), force=args.force)
        note(
            f"{args.out} is for the TPM of {target.host}; run there: tpmwire import-key "
            f"{os.path.basename(args.out)}"
        )
    if args.public and args.private and args.seed:
        for path, data in ((args.public, file.pubkey), (args.private, private), (args.seed, seed)):
            write_whole(path, data, force=args.force)
        note(f"wrote {args.public}, {args.private} and {args.seed} for tpm2_import")
