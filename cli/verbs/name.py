"""Prints the Name of a key: the hash by which TPMs, policies and pins identify it.

  tpmwire name ek-rsa
  tpmwire name 0x81010020
  tpmwire name key.pem

ek-rsa, ek-ecc, ek-mlkem (ML-KEM-768) and ek-mlkem1024 are the TPM's endorsement keys, srk and srk-rsa its storage
root keys, and h2 is the parent of key files; the TPM creates them temporarily from their standard templates. A
handle is the handle of a key, an NV index or a hierarchy. A file is a key file or a public area, as from
`tpm2_readpublic -o`; its Name is computed without a TPM. Pin the Name of an endorsement key with
--tpm-session-encrypt-with-name; `tpmwire ek` verifies it by the maker's certificate.
"""

import argparse
import json
import os

from tpmwire.channel import authorized_once
from tpmwire.crypto.formulas import name_of
from tpmwire.keys.keyfile import parse
from tpmwire.primary import WELL_KNOWN, WellKnown, create_primary
from tpmwire.spec.constants import TPM_RH
from tpmwire.use.parents import endorsement_kind

from ..terminal.files import read_small
from ..terminal.messages import UsageError
from ..terminal.options import TpmSettings, add_tpm_options
from ..tpm.open import open_tpm
from ..tpm.options import ParentSettings, add_auth_options
from ..tpm.passwords import parent_auth
from ..tpm.public_file import read_public_file

__all__ = ["Settings", "configure", "run"]


class Settings(ParentSettings, TpmSettings):
    """The verb's options."""

    what: str
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "what",
        metavar="WHAT",
        help="object whose Name is printed: ek-rsa, ek-ecc, ek-h1 to ek-h7, ek-mlkem, srk, srk-rsa, h2, a handle, "
        "or a file",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with the argument and the Name")
    add_auth_options(parser, "parent", "the hierarchy's password, needed to create a key")
    # Some TPMs need ten seconds to create an RSA key.
    add_tpm_options(parser, "60s")


def run(args: Settings) -> int:
    """Prints the Name of a key, in hex or as JSON."""
    if args.what in WELL_KNOWN or endorsement_kind(args.what) is not None:
        name = _name_of_primary(args)
    elif (handle := _handle(args.what)) is not None:
        with open_tpm(args) as tpm:
            name = tpm.name(handle)
    else:
        name = _of_file(args.what)
    print(json.dumps({"what": args.what, "name": name.hex()}, indent=2) if args.json else name.hex())
    return 0


def _name_of_primary(args: Settings) -> bytes:
    ek = endorsement_kind(args.what)
    place = WELL_KNOWN[args.what] if ek is None else WellKnown(TPM_RH.ENDORSEMENT, ek.template, ek.handle)
    auth = parent_auth(args)
    with open_tpm(args) as tpm:
        return create_primary(tpm, place.hierarchy, place.template(), authorized_once(tpm, auth)).name


def _handle(text: str) -> int | None:
    try:
        value = int(text, 0)
    except ValueError:
        return None
    if not 0 <= value <= 0xFFFFFFFF:
        raise UsageError(f"{text} is not a handle (0 to 0xffffffff)")
    return value


def _of_file(path: str) -> bytes:
    if not os.path.exists(path):
        raise UsageError(
            f"{path!r} is not an existing file; expected a file, a handle such as 0x81010020, or one "
            f"of {', '.join(WELL_KNOWN)}"
        )
    if b"TSS2" in (data := read_small(path)):
        return name_of(parse(data).public)
    return name_of(read_public_file(path, None, None))
