"""Creates an attestation key: a key in the TPM that signs only statements of the TPM, such as quotes.

  tpmwire ak --out ak.pem --public ak.pub
  tpmwire quote ak.pem --pcrs sha256:0,7 --nonce "$(openssl rand -hex 16)"

Writes a key file, which only this TPM can load, and prints the key's Name. Give the public area (ak.pub) to the
verifiers of quotes. `tpmwire persist ak.pem HANDLE` makes the key persistent.
"""

import argparse

from tpmwire.attest.go_attestation import AttestationParameters, require_go_scheme
from tpmwire.errors import AttestationError, EncodeError, SessionError
from tpmwire.keys import templates
from tpmwire.keys.keyfile import KeyFile
from tpmwire.keys.templates import rsa_parent_of
from tpmwire.spec.commands.attestation import CertifyCreation
from tpmwire.spec.commands.objects import Create
from tpmwire.spec.constants import TPM_ALG
from tpmwire.spec.structures import TPM2B_PUBLIC, TPMS_SENSITIVE_CREATE
from tpmwire.use.attesting import OWN_SCHEME
from tpmwire.wires import wire_of

from ..keys.options import OWNER, SRK
from ..keys.persist import load_under, parent_at
from ..terminal.files import check_outputs, write_whole
from ..terminal.messages import UsageError
from ..terminal.options import TpmSettings, add_tpm_options, persistent_handle
from ..tpm.open import open_tpm
from ..tpm.options import KeySettings, OwnerSettings, ParentSettings, add_auth_options
from ..tpm.passwords import new_key_auth, owner_auth, parent_auth

__all__ = ["Settings", "configure", "run"]


class Settings(KeySettings, ParentSettings, OwnerSettings, TpmSettings):
    """The verb's options."""

    out: str
    public: str | None
    go: str | None
    algorithm: str
    parent: int
    force: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("--out", metavar="FILE", required=True, help="key file to write")
    parser.add_argument("--public", metavar="FILE", help="write the key's public area (TPM2B_PUBLIC) to FILE")
    parser.add_argument(
        "--go",
        metavar="FILE",
        help="write go-attestation's AttestationParameters, which certify the key's creation, to FILE",
    )
    parser.add_argument(
        "--algorithm",
        default="ecc",
        metavar="NAME",
        help="algorithm by its name in tpm2-tools, such as ecc, ecc384 or rsa2048:rsapss-sha256 (default: ecc)",
    )
    parser.add_argument(
        "--parent",
        type=persistent_handle,
        default=OWNER,
        metavar="HANDLE",
        help=f"persistent parent, such as 0x{SRK:08x} (default: the owner's standard primary key)",
    )
    parser.add_argument("--force", action="store_true", help="replace existing files")
    add_auth_options(parser, "key", "the new key's password (default: none)")
    add_auth_options(parser, "parent", "the password of the parent, or of the owner")
    add_auth_options(parser, "owner", "the owner's password (without --parent, same as --parent-auth)")
    add_tpm_options(parser, "60s")


def run(args: Settings) -> int:
    """Creates the key, tests it by certifying its creation, writes the files, and prints the Name."""
    try:
        template = templates.attestation(args.algorithm)
    except EncodeError as error:
        raise UsageError(str(error)) from error
    if template.type in (TPM_ALG.SYMCIPHER, TPM_ALG.KEYEDHASH):
        raise UsageError(f"a key of type {template.type.name} has no public key; choose ecc or rsa2048")
    if args.go:
        try:
            rsa_or_ecc = template.type in (TPM_ALG.RSA, TPM_ALG.ECC)
            require_go_scheme(template.parameters.scheme.scheme if rsa_or_ecc else template.type)
        except AttestationError as error:
            raise UsageError(error.reason) from error
    check_outputs((args.out, args.public, args.go), force=args.force)
    auth = new_key_auth(args)
    above = parent_auth(args) or (owner_auth(args) if args.parent == OWNER else parent_auth(args))
    with open_tpm(args) as tpm:
        parent = parent_at(tpm, args.parent, above, None)
        use = parent.session.use(parent.auth, decrypt=True)
        sensitive = TPMS_SENSITIVE_CREATE(auth.reveal(), b"")
        made = tpm.execute(Create(parent.key.handle, sensitive, template), use)
        public, private = made.out_public, made.out_private
        if public.replace(unique=template.unique) != template:
            raise SessionError("the TPM created a key that differs from the requested one; do not trust this TPM")
        key = load_under(tpm, parent, public, private)
        own = parent.session.use(auth)
        certified = tpm.execute(
            CertifyCreation(key.handle, key.handle, b"", made.creation_hash, OWN_SCHEME, made.creation_ticket), own
        )
    parameters = AttestationParameters(public, made.creation_data, certified.certify_info, certified.signature)
    parameters.verify()
    rsa = rsa_parent_of(args.parent, parent.key.public)
    file = KeyFile.of(public, private, args.parent, empty_auth=not auth, rsa_parent=rsa)
    write_whole(args.out, file.to_pem().encode(), force=args.force)
    if args.public:
        write_whole(args.public, wire_of(TPM2B_PUBLIC).build(public), force=args.force)
    if args.go:
        write_whole(args.go, (parameters.to_json() + "\n").encode(), force=args.force)
    print(key.name.hex())
    return 0
