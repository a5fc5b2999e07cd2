"""Writes a certificate request (CSR), signed by a key in the TPM, for IAM Roles Anywhere.

  tpmwire roles-anywhere csr --private-key handle:0x81010050 \\
      --subject CN=host-1.example.com,O=Example --out host.csr

Standard error shows how to issue the certificate with OpenSSL or with AWS Private CA, and the extensions that
Roles Anywhere requires. The subject and the alternative names become session tags, which trust policies can
check. The order of the subject is that of RFC 4514; openssl's /O=Example/CN=host is accepted, too.

With --certify-by, an attestation key (see `tpmwire ak`) certifies that the TPM has the key. The CA verifies the
statement with `tpmwire checkcertify STATEMENT --public ak.pub --csr host.csr`.
"""

import argparse
import json
import sys

from tpmwire.errors import EncodeError
from tpmwire.keys.csr import alternative_names, parse_subject, request_pem

from ..credentials.roles_anywhere.options import PrivateKeySettings, add_private_key_options, run_of_private_key
from ..credentials.roles_anywhere.request import (
    certify_key,
    extension_text,
    issue_text,
    read_public_area,
    sign_request,
)
from ..terminal.files import check_outputs, write_whole
from ..terminal.messages import UsageError, note
from ..terminal.options import auth_from, filled
from ..tpm.key_argument import KEY_FORMS, NamedKey

__all__ = ["GO_STYLE", "Settings", "configure", "run"]

GO_STYLE = True
"""The arguments are parsed like those of AWS's helper."""


class Settings(PrivateKeySettings):
    """The verb's options."""

    subject: str
    san_dns: list[str]
    san_uri: list[str]
    out: str | None
    extfile: str | None
    certify_by: str | None
    certify_auth_file: str | None
    statement: str | None
    force: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_private_key_options(parser)
    parser.usage = "%(prog)s --private-key KEY --subject NAME [options]"
    parser.add_argument(
        "--subject",
        required=True,
        type=filled,
        metavar="NAME",
        help="subject, such as CN=host-1.example.com,O=Example; a comma in a value needs a backslash before it "
        "(required)",
    )
    parser.add_argument(
        "--san-dns",
        action="append",
        default=[],
        type=filled,
        metavar="NAME",
        help="alternative name: a DNS name; repeatable",
    )
    parser.add_argument(
        "--san-uri",
        action="append",
        default=[],
        type=filled,
        metavar="URI",
        help="alternative name: a URI, such as spiffe://example.com/host-1; repeatable",
    )
    parser.add_argument("--out", type=filled, metavar="FILE", help="file to write (PEM; default: standard output)")
    parser.add_argument(
        "--extfile",
        type=filled,
        metavar="FILE",
        help="write the extensions to FILE, for `openssl x509 -extfile`, instead of showing them",
    )
    parser.add_argument(
        "--certify-by",
        type=filled,
        metavar="KEY",
        help=f"attestation key, which certifies the key for the CA: {KEY_FORMS}",
    )
    parser.add_argument(
        "--certify-auth-file", type=filled, metavar="FILE", help="file with the attestation key's password"
    )
    parser.add_argument(
        "--statement", type=filled, metavar="FILE", help="write the statement of --certify-by to FILE (JSON)"
    )
    parser.add_argument("--force", action="store_true", help="replace existing files")


def run(args: Settings) -> int:
    """Writes the request. Raises UsageError, KeyFileError, and the errors of `sign_request`."""
    settings = run_of_private_key(args)
    out = None if args.out == "-" else args.out
    if bool(args.certify_by) != bool(args.statement):
        raise UsageError("--certify-by and --statement require each other; give both")
    if args.certify_auth_file and not args.certify_by:
        raise UsageError("--certify-auth-file requires --certify-by")
    check_outputs((out, args.extfile, args.statement), force=args.force)
    by = NamedKey(args.certify_by) if args.certify_by else None
    by_auth = auth_from(None, args.certify_auth_file)
    try:
        subject, names = parse_subject(args.subject), alternative_names(args.san_dns, args.san_uri)
    except EncodeError as error:
        raise UsageError(str(error)) from None
    public = read_public_area(settings)
    request = sign_request(settings, public, subject, names)
    if by is not None and args.statement:
        statement = json.dumps(certify_key(settings, request, public, by, by_auth), indent=2) + "\n"
        write_whole(args.statement, statement.encode(), force=args.force)
    text = request_pem(request)
    extensions = extension_text(args.san_dns, args.san_uri)
    if args.extfile:
        write_whole(args.extfile, extensions.encode(), force=args.force)
    if out:
        write_whole(out, text.encode(), force=args.force)
        note(f"wrote {out}")
    else:
        sys.stdout.write(text)
    for line in issue_text(out or "host.csr", args.extfile, extensions).splitlines():
        note(line)
    return 0
