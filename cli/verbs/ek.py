"""Verifies the TPM's endorsement key (EK) by its certificate, and prints the Name to pin.

The maker of a TPM certifies a key that never leaves it. With the maker's CA certificates, this verb verifies the
certificate, computes the key's Name from it and the TCG's template, and requires the TPM to prove possession of
the key. A session salted to a key with that Name is safe even against an attacker between this machine and the
TPM:

  tpmwire ek --ca maker-root.pem maker-intermediate.pem
  aws-tpm-process-credential --tpm-session-encrypt-with-name NAME ...

The certificates come from the TPM's NV memory or, with --cert, from a file. Without --ca they are not verified:
the Name is then only as trustworthy as the connection to the TPM. Run this once on a machine that you trust, and
keep the Name. If the key is not persistent, the TPM creates it, which can take ten seconds; --timeout therefore
defaults to 60s.
"""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tpmwire.errors import CertificateError, NoCertificateError, NvError, UnusableCertificateError
from tpmwire.primary import WELL_KNOWN
from tpmwire.secret import Secret
from tpmwire.state import nv
from tpmwire.tpm import Tpm
from tpmwire.use.endorsement import CHAIN, KINDS, MLKEM_KINDS, EkKind, OwnKey, own_key

from ..keys.trust import read_chain, read_trust
from ..terminal.messages import UsageError, note, warn
from ..terminal.options import TpmSettings, add_tpm_options
from ..tpm.open import open_tpm
from ..tpm.options import ParentSettings, add_auth_options
from ..tpm.passwords import parent_auth

if TYPE_CHECKING:
    from tpmwire.keys.certificates import Certificate, Trust

__all__ = ["Settings", "configure", "run"]


class FoundCertificate(NamedTuple):
    """An EK certificate in the TPM or in a file.

    `where` is the NV index or file, `read` returns the certificate, and `kinds` are the kinds of EKs that it may
    certify.
    """

    where: str
    read: "Callable[[], Certificate]"
    kinds: "tuple[EkKind, ...]"


class Settings(ParentSettings, TpmSettings):
    """The verb's options."""

    ca: list[str]
    cert: str | None
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_tpm_options(parser, "60s")
    add_auth_options(parser, "parent", "the endorsement hierarchy's password, needed to create a key")
    parser.add_argument(
        "--ca",
        nargs="+",
        default=[],
        metavar="FILE",
        help="CA certificates of the TPM's maker, roots and intermediates, in PEM or DER",
    )
    parser.add_argument("--cert", metavar="FILE", help="EK certificate in PEM or DER, instead of the TPM's own")
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object per certificate")


def run(args: Settings) -> int:
    """Prints the results for each EK certificate; raises the error of the first invalid certificate."""
    trust = read_trust(args.ca)
    given = read_chain(args.cert) if args.cert else None
    if given is not None and given[0].is_authority:
        raise UsageError(f"{args.cert} is the certificate of a CA, not of a TPM; give it with --ca")
    auth = parent_auth(args)
    rows: list[dict[str, Any]] = []
    failed: list[Exception] = []
    with open_tpm(args) as tpm:
        found, untrusted, present = _certificates(tpm, args.cert, given)
        for one in found:
            try:
                rows.append(_check_certificate(tpm, one, trust, untrusted, present, auth))
            except (CertificateError, NvError) as error:
                # A certificate from --cert does not come from the TPM.
                failed.append((UsageError if args.cert else type(error))(f"{one.where}: {error}"))
    if args.json:
        json.dump(rows, sys.stdout, indent=2)
        print()
    else:
        print("\n\n".join(_text(row) for row in rows), end="\n" if rows else "")
    for other in failed[1:]:
        note(f"tpmwire: {other}")
    if failed:
        raise failed[0]
    if trust is None:
        warn("these certificates are not verified; verify them with --ca FILE")
    return 0


def _certificates(
    tpm: "Tpm", file: str | None, given: "tuple[Certificate, list[Certificate]] | None"
) -> "tuple[list[FoundCertificate], list[Certificate], list[int]]":
    """Returns (EK certificates, intermediate certificates, existing NV indices of the EK profile).

    The intermediates come from the TPM and from the file. If `file` is given, `given` is the file's EK
    certificate and intermediates.
    """
    from tpmwire.keys.certificates import load_certificates  # noqa: PLC0415 - needs optional packages

    present = nv.handles(tpm, 0x01C00000, CHAIN[1])
    stored = b"".join(nv.read_index(tpm, index) for index in present if index >= CHAIN[0])
    try:
        chain = load_certificates(stored, "the chain in the TPM").certificates if stored else []
    except UnusableCertificateError as error:
        warn(str(error))
        chain = []
    if file is not None and given is not None:
        leaf, others = given
        return [FoundCertificate(file, lambda: leaf, (*KINDS, *MLKEM_KINDS))], others + chain, present
    found = [
        FoundCertificate(
            f"NV index 0x{kind.certificate:08x}", partial(_read_stored, tpm, kind.certificate), (kind,)
        )
        for kind in (*KINDS, *MLKEM_KINDS)
        if kind.certificate in present
    ]
    if not found:
        raise NoCertificateError(
            "this TPM stores no EK certificate; if its maker publishes it, give it with --cert FILE"
        )
    return found, chain, present


def _read_stored(tpm: "Tpm", index: int) -> "Certificate":
    from tpmwire.keys.certificates import load_chain  # noqa: PLC0415 - needs optional packages

    return load_chain(nv.read_index(tpm, index), "it")[0]


def _check_certificate(
    tpm: "Tpm",
    found: FoundCertificate,
    trust: "Trust | None",
    untrusted: "list[Certificate]",
    present: list[int],
    auth: "Secret",
) -> dict[str, Any]:
    """Verifies a certificate, creates its key in the TPM, and returns the results.

    `untrusted` are intermediate certificates, `present` the existing NV indices of the EK profile. `auth` is the
    endorsement password. Without `trust`, the certificate is not verified. Raises CertificateError if the
    certificate is not trusted.
    """
    from tpmwire.keys.certificates import describe, public_key, verify_chain  # noqa: PLC0415 - needs optional packages

    certificate = found.read()
    chain = verify_chain(certificate, trust, untrusted) if trust else []
    own = own_key(tpm, found.kinds, public_key(certificate), present, auth)
    return {
        "certificate": found.where,
        **describe(certificate)._asdict(),
        "verified": bool(chain),
        "chain": [describe(one).subject for one in chain],
        "template": own.kind.name,
        "key": own.kind.what,
        "handle": None if own.handle is None else f"0x{own.handle:08x}",
        "name": own.name.hex(),
        "pin": _pin(own),
    }


def _pin(own: "OwnKey") -> str | None:
    """Returns NAME@WHERE of the EK for --tpm-session-encrypt-with-name; None if later runs cannot find the EK."""
    if own.handle is not None:
        return f"{own.name.hex()}@0x{own.handle:08x}"
    made = {"L-1": "ek-rsa", "L-2": "ek-ecc", "H-27": "ek-mlkem", "H-28": "ek-mlkem1024"}.get(own.kind.name)
    # Later runs create the key from the library's template only.
    if made is None or (own.kind in MLKEM_KINDS and not WELL_KNOWN[made].fits(own.public)):
        return None
    return f"{own.name.hex()}@{made}"


def _text(row: dict[str, Any]) -> str:
    tpm = ", ".join(f"{key} {value}" for key, value in row["tpm"].items()) or "not named"
    chain = " <- ".join(reversed(row["chain"])) if row["verified"] else "NOT VERIFIED: no --ca given"
    where = row["handle"] or "not persistent"
    lines = {
        "certificate": f"{row['certificate']}, serial number {row['serial']}",
        "TPM": tpm,
        "subject": row["subject"] or "(empty)",
        "issuer": row["issuer"],
        "valid": f"{row['not_before']} to {row['not_after']}",
        "chain": chain,
        "key": f"{row['key']}, template {row['template']}, {where}; present in this TPM",
        "Name": row["name"],
        "to pin": row["pin"] or "make the key persistent first; then NAME@HANDLE",
    }
    return "\n".join(f"{label + ':':13}{value}" for label, value in lines.items())
