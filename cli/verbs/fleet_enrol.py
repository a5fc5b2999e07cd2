"""Issues certificates for keys that a TPM proves to hold. Hosts and CA exchange files only.

  host: tpmwire roles-anywhere create-key --persistent-handle 0x81010050
        tpmwire roles-anywhere csr --private-key handle:0x81010050 \\
            --subject CN=host-1.example.com --out host.csr
        tpmwire fleet enrol request 0x81010050 --csr host.csr --out request.json
  CA:   tpmwire fleet enrol challenge request.json --ca tpm-maker.pem \\
            --state pending --out challenge.json
  host: tpmwire fleet enrol response 0x81010050 challenge.json \\
            --out response.json
  CA:   tpmwire fleet enrol certificate response.json --state pending \\
            --ca-command /etc/tpmwire/ca --pem --out host.pem

The CA encrypts a fresh secret for the host's endorsement key (EK) and the Name of its signing key. Only a TPM that
has both keys can decrypt the secret. The key's attributes, which are part of its Name, show that the TPM created
the key and never releases it. With --ca, the maker's certificate proves that the EK is in a genuine TPM.

Each file has JSON Lines. challenge and certificate accept many lines, one for each host, and continue after a line
that fails; the exit code is then 1. A host finds its own line among the challenges. The CA must decide whether
a TPM may have the subject that its host requests: with a list of endorsement keys and subjects (--allow), or in
--ca-command, which gets TPMWIRE_EK_NAME and TPMWIRE_SUBJECT.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable

from tpmwire.attest.enrolment import ChallengeResponse, EnrolmentRequest, check_signing_key
from tpmwire.crypto.formulas import name_of
from tpmwire.spec.structures import TPMT_PUBLIC

from ..credentials.roles_anywhere.renewal import parse_ca_command
from ..keys.activation import EK_NAMES, Activation, parse_ek
from ..keys.trust import read_trust
from ..lifecycle.enrolment import (
    Issuer,
    create_challenge,
    find_challenge,
    issue_certificate,
    read_allowed,
    read_certificates,
    read_csr,
    read_endorsement_key,
    read_named_key,
    remove_expired,
    run_lines,
)
from ..terminal.files import check_outputs, read_input, write_whole
from ..terminal.messages import UsageError, note, warn
from ..terminal.options import TpmSettings, add_tpm_options, filled, timeout
from ..tpm.key_argument import KEY_FORMS, NamedKey
from ..tpm.open import open_tpm
from ..tpm.options import EndorsementSettings, KeySettings, ParentSettings, add_auth_options
from ..tpm.passwords import endorsement_auth, key_auth, parent_auth

__all__ = ["Settings", "configure", "run"]

_LARGEST = 256 << 20
"""Bytes; a request has about 5,000, so that 50,000 hosts fit."""


class Settings(KeySettings, ParentSettings, EndorsementSettings, TpmSettings):
    """The verb's options; each step sets only its own."""

    step: str
    key: str
    input: str
    csr: str
    ek: str | None
    ek_cert: str | None
    ca: list[str]
    allow: str | None
    state: str
    expires_in: float
    ca_command: str | None
    ca_timeout: float
    pem: bool
    out: str | None
    force: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, (text, add_options) in _STEPS.items():
        step = steps.add_parser(name, help=text, description=text)
        add_options(step)
        step.add_argument("--out", type=filled, metavar="FILE", help="file to write (default: standard output)")
        step.add_argument("--force", action="store_true", help="replace an existing file")


def _add_request_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help=f"signing key: {KEY_FORMS}")
    parser.add_argument(
        "--csr", required=True, type=filled, metavar="FILE", help="certificate request of the key (PEM or DER)"
    )
    parser.add_argument(
        "--ek",
        choices=tuple(EK_NAMES),
        help="kind of endorsement key (default: the kind of the certificate, else ek-ecc)",
    )
    parser.add_argument(
        "--ek-cert",
        type=filled,
        metavar="FILE",
        help="the endorsement key's certificate, with intermediates (PEM or DER), instead of the TPM's own",
    )
    add_auth_options(parser, "endorsement", "the endorsement hierarchy's password")
    add_tpm_options(parser, "60s")


def _add_challenge_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="REQUESTS", help="file with the requests; - for standard input")
    parser.add_argument(
        "--ca",
        nargs="+",
        default=[],
        metavar="FILE",
        help="CA certificates of the TPMs' makers, which verify the EK certificates (PEM or DER)",
    )
    parser.add_argument(
        "--allow",
        type=filled,
        metavar="FILE",
        help="file with the endorsement keys that may enrol, one per line: the Name in hex (from `tpmwire ek` or "
        "`tpmwire name ek-ecc`), and optionally the subject allowed for that key (default: any)",
    )
    _add_state(parser)
    parser.add_argument(
        "--expires-in",
        type=timeout,
        default=86400.0,
        metavar="TIME",
        help="lifetime of the challenges, such as 1h (default: 24h)",
    )


def _add_response_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help=f"signing key of the request: {KEY_FORMS}")
    parser.add_argument("input", metavar="CHALLENGES", help="file with the challenge; - for standard input")
    parser.add_argument(
        "--ek",
        type=filled,
        metavar="KEY",
        help=f"endorsement key of the request: {', '.join(EK_NAMES)}, a handle, or a context file of tpm2-tools "
        "(default: the kind that fits the challenge)",
    )
    add_auth_options(parser, "key", "the key's password")
    add_auth_options(parser, "parent", "the password of the key's parent, or of its hierarchy")
    add_auth_options(parser, "endorsement", "the endorsement hierarchy's password")
    add_tpm_options(parser, "60s")


def _add_certificate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="RESPONSES", help="file with the responses; - for standard input")
    _add_state(parser)
    parser.add_argument(
        "--ca-command",
        type=filled,
        metavar="COMMAND",
        help="program, with arguments, that reads a CSR (PEM) and prints the certificate and its chain (PEM); "
        "runs without a shell (default: print the CSR)",
    )
    parser.add_argument(
        "--ca-timeout",
        type=timeout,
        default=300.0,
        metavar="TIME",
        help="longest wait for the program, such as 30s or 5m (default: 5m)",
    )
    parser.add_argument("--pem", action="store_true", help="write the certificates or CSRs alone, without JSON")


def _add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state",
        required=True,
        type=filled,
        metavar="DIR",
        help="directory for the CA's state, one file for each challenge, until its response or its expiry",
    )


_STEPS = {
    "request": ("on the host: write the request, with EK, signing key and CSR", _add_request_options),
    "challenge": ("on the CA: check requests, and encrypt a secret for each", _add_challenge_options),
    "response": ("on the host: decrypt the secret in the TPM", _add_response_options),
    "certificate": ("on the CA: check the secrets, and issue the certificates", _add_certificate_options),
}


def run(args: Settings) -> int:
    """Runs one step, and returns the exit code."""
    check_outputs([args.out], force=args.force)
    if args.step == "request":
        return _write(args, [_request(args)])
    if args.step == "response":
        return _write(args, [_respond(args)])
    return _run_ca(args)


def _request(args: Settings) -> str:
    named, csr = NamedKey(args.key), read_csr(args.csr)
    given = read_certificates(args.ek_cert) if args.ek_cert else ()
    kind = EK_NAMES[args.ek] if args.ek else None
    auth = endorsement_auth(args)
    with open_tpm(args) as tpm:
        key = read_named_key(tpm, named)
        public = key.public if key is not None else _read_public(named)
        check_signing_key(public)
        ek, certificates = read_endorsement_key(tpm, kind, given, auth)
    if not certificates:
        warn("the TPM has no EK certificate; the CA cannot verify the TPM with --ca")
    return EnrolmentRequest(ek.public, certificates, public, csr).to_json()


def _read_public(named: NamedKey) -> TPMT_PUBLIC:
    assert named.file is not None  # other keys are in the TPM
    return named.file.public


def _respond(args: Settings) -> str:
    named, data, ek = NamedKey(args.key), read_input(args.input, _LARGEST), parse_ek(args.ek)
    passwords = key_auth(args), parent_auth(args), endorsement_auth(args)
    with open_tpm(args) as tpm:
        key = read_named_key(tpm, named)
        challenge = find_challenge(data, key.name if key is not None else name_of(_read_public(named)))
        secret = Activation(named, challenge.credential, *passwords).run(tpm, ek)
    return ChallengeResponse(challenge.id, secret.reveal()).to_json()


def _run_ca(args: Settings) -> int:
    data = read_input(args.input, _LARGEST)
    lines: list[str] = []
    write = lines.append if args.out else _print
    try:
        if args.step == "challenge":
            trust = read_trust(args.ca)
            allowed = read_allowed(args.allow) if args.allow else None
            if trust is None and allowed is None:
                warn(
                    "the endorsement keys are not verified; verify them with --ca FILE, or list them with --allow"
                )
            os.makedirs(args.state, 0o700, exist_ok=True)
            if removed := remove_expired(args.state):
                note(f"expired challenges removed from {args.state}: {removed}")
            return run_lines(
                data, lambda line: create_challenge(line, trust, allowed, args.state, args.expires_in), write
            )
        if not os.path.isdir(args.state):
            raise UsageError(f"{args.state} is not a directory; give the --state of `fleet enrol challenge`")
        issuer = Issuer(parse_ca_command(args.ca_command), args.ca_timeout) if args.ca_command else None
        show = _pem_writer(write) if args.pem else write
        return run_lines(data, lambda line: issue_certificate(line, args.state, issuer), show)
    finally:
        # A certificate must not be lost because a later line raises an error.
        if lines:
            _write(args, lines)


def _pem_writer(write: Callable[[str], None]) -> Callable[[str], None]:
    def show(text: str) -> None:
        result = json.loads(text)
        if "error" not in result:
            write((result.get("certificate") or result["csr"]).rstrip("\n"))

    return show


def _print(line: str) -> None:
    print(line, flush=True)


def _write(args: Settings, lines: list[str]) -> int:
    text = "".join(f"{line}\n" for line in lines)
    if args.out:
        write_whole(args.out, text.encode(), force=args.force)
    else:
        sys.stdout.write(text)
    return 0
