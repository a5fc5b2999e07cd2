"""Takes in a key that was wrapped for this TPM elsewhere, and proves that it works.

  tpmwire import-key web-1.pem --persistent-handle 0x81010002
  tpmwire import-key web-1.pem --out key.pem

web-1.pem comes from `tpmwire wrap`, or from another program that writes importable TSS2 key files. The result is
the key at a persistent handle, or a loadable key file; either way it works on this TPM only.
"""

import argparse

from ..messages import UsageError, note
from ..options import add_tpm_options, auth_from, persistent_handle

__all__ = ["HELP", "configure", "run"]

ENDORSEMENT = 0x4000000B
"""TPM_RH_ENDORSEMENT: such a file's parent is the endorsement key."""

HELP = "take in a key that was wrapped for this TPM elsewhere"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_tpm_options(parser, "60s")
    parser.add_argument("file", metavar="FILE", help="the importable key file")
    parser.add_argument("--out", metavar="FILE", help="write the key as a loadable key file")
    parser.add_argument(
        "--persistent-handle", type=persistent_handle, metavar="HANDLE", help="make the key persistent there"
    )
    parser.add_argument("--key-auth-file", metavar="FILE", help="file with the key's password (or TPM_KEY_AUTH)")
    parser.add_argument(
        "--parent-auth-file",
        metavar="FILE",
        help="file with the parent's or hierarchy's password (or TPM_PARENT_AUTH)",
    )
    parser.add_argument(
        "--use-ek-parent", action="store_true", help="the key was wrapped for the RSA endorsement key"
    )
    parser.add_argument(
        "--owner-auth-file", metavar="FILE", help="file with the owner's password, to persist (or TPM_OWNER_AUTH)"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def run(args: argparse.Namespace) -> int:
    """Imports, proves, and puts the key where it was asked for."""
    if not args.out and args.persistent_handle is None:
        raise UsageError("say where the key is to go: --out FILE, --persistent-handle HANDLE, or both")
    from tpmwire.keyfile import IMPORTABLE, parse
    from tpmwire.signing import HmacKey
    from tpmwire.tpm import Tpm

    from ..files import read_small, write_whole

    file = parse(read_small(args.file))
    if file.type != IMPORTABLE:
        raise UsageError(f"{args.file} is not to be imported; `tpmwire persist` makes a loadable key persistent")
    key = HmacKey(
        file=file,
        auth=auth_from(None, args.key_auth_file, "TPM_KEY_AUTH"),
        parent_auth=auth_from(None, args.parent_auth_file, "TPM_PARENT_AUTH"),
        ek_parent=args.use_ek_parent or file.parent == ENDORSEMENT,
    )
    with Tpm.open(args.tpm_path, args.timeout) as tpm:
        loadable = key.imported(tpm)
        ready = key.of_file(loadable)
        # The secret is not known here; that the TPM computes with the key shows that it can be used.
        ready.hmac(tpm, b"tpmwire")
        if args.persistent_handle is not None:
            ready.persist(tpm, args.persistent_handle, auth_from(None, args.owner_auth_file, "TPM_OWNER_AUTH"))
            note(f"the key is persistent at 0x{args.persistent_handle:08x}")
    if args.out:
        write_whole(args.out, loadable.to_pem().encode(), force=args.force)
        note(f"wrote {args.out}")
    return 0
