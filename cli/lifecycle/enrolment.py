"""Steps of `tpmwire fleet enrol`: what the host reads from its TPM, and what the CA checks and issues."""

import binascii
import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tpmwire.attest.enrolment import (
    Challenge,
    ChallengeResponse,
    EnrolmentRequest,
    PendingEnrolment,
    make_challenge,
)
from tpmwire.crypto.formulas import name_of
from tpmwire.crypto.spki import PublicKey, certified_key, into_template, parse_public_key_der
from tpmwire.errors import AttestationError, DecodeError, TpmwireError, UnusableCertificateError
from tpmwire.keys.csr import request_pem
from tpmwire.keys.nv_certificate import without_padding
from tpmwire.keys.x509 import order_chain
from tpmwire.policy import strict_json
from tpmwire.primary import Loaded, read_loaded
from tpmwire.secret import Secret
from tpmwire.spec.commands.context import ContextLoad
from tpmwire.state import nv
from tpmwire.tpm import Tpm
from tpmwire.use.endorsement import CHAIN, KINDS, EkKind
from tpmwire.use.endorsement_keys import use_endorsement_key

from ..credentials.roles_anywhere.certificate import check_leaf
from ..credentials.roles_anywhere.renewal import ask_ca, certificate_pem, is_for
from ..keys.activation import EK_NAMES
from ..terminal.files import read_small, write_whole
from ..terminal.messages import UsageError, note
from ..tpm.key_argument import NamedKey
from ..tpm.pins import hex_name

if TYPE_CHECKING:
    from tpmwire.keys.certificates import Trust

__all__ = [
    "Issuer",
    "create_challenge",
    "find_challenge",
    "issue_certificate",
    "read_allowed",
    "read_certificates",
    "read_csr",
    "read_endorsement_key",
    "read_named_key",
    "remove_expired",
    "run_lines",
]

_BLOCK = re.compile(rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<body>.*?)-----END (?P=label)-----", re.DOTALL)


def read_csr(path: str) -> bytes:
    """Returns the certificate request in a file (PEM or DER), in DER. Raises UsageError if there is none."""
    blocks = _read_blocks(path, ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"))
    if len(blocks) != 1:
        raise UsageError(f"{path} is not a certificate request; create one with `tpmwire roles-anywhere csr`")
    return blocks[0]


def read_certificates(path: str) -> tuple[bytes, ...]:
    """Returns the certificates in a file (PEM, or one in DER), in DER. Raises UsageError if there are none."""
    blocks = _read_blocks(path, ("CERTIFICATE", "X509 CERTIFICATE"))
    if not blocks:
        raise UsageError(f"{path} has no certificate in PEM or DER")
    return tuple(blocks)


def _read_blocks(path: str, labels: Sequence[str]) -> list[bytes]:
    data = read_small(path)
    if data[:1] == b"\x30":
        return [data]
    blocks = [block["body"] for block in _BLOCK.finditer(data) if block["label"].decode() in labels]
    try:
        return [binascii.a2b_base64(body) for body in blocks]
    except binascii.Error as error:
        raise UsageError(f"{path}: the base64 is damaged: {error}") from None


def read_named_key(tpm: Tpm, named: NamedKey) -> Loaded | None:
    """Returns handle, public area and Name of a key in the TPM; None for a key file.

    The object of a context file is flushed.
    """
    if named.file is not None:
        return None
    if named.context is None:
        assert named.handle is not None  # the key is not a file
        return read_loaded(tpm, named.handle)
    handle = tpm.execute(ContextLoad(named.context)).loaded_handle
    try:
        return read_loaded(tpm, handle)
    finally:
        tpm.flush(handle)


def read_endorsement_key(
    tpm: Tpm, kind: EkKind | None, given: Sequence[bytes], auth: Secret
) -> tuple[Loaded, tuple[bytes, ...]]:
    """Returns (endorsement key, its certificate and the intermediates in DER).

    `given` are certificates from a file, which replace those in the TPM. Without `kind`, the certificate selects
    the key; without a certificate, the key is ek-ecc. `auth` is the endorsement hierarchy's password. Raises
    UsageError if the certificate is for another key, and the errors of `use_endorsement_key`.
    """
    present = nv.handles(tpm, 0x01C00000, CHAIN[1])
    kinds = [kind] if kind else list(KINDS)
    if given:
        key = _read_certified_key(given[0])
        kinds = [each for each in kinds if into_template(key, each.template()) is not None]
        if not kinds:
            raise UsageError("the certificate of --ek-cert is for another type of key; correct --ek or --ek-cert")
        certificates = tuple(given)
    else:
        kinds = [each for each in kinds if each.certificate in present][:1] or [kind or EK_NAMES["ek-ecc"]]
        certificates = _read_stored(tpm, kinds[0], present)
    for each in kinds:
        with use_endorsement_key(tpm, each, auth) as (loaded, _):
            if not certificates:
                return loaded, ()
            if into_template(_read_certified_key(certificates[0]), loaded.public) == loaded.public:
                return loaded, certificates
    raise UsageError("the certificate is for a different endorsement key; check --ek and --ek-cert")


def _read_stored(tpm: Tpm, kind: EkKind, present: Sequence[int]) -> tuple[bytes, ...]:
    if kind.certificate not in present:
        return ()
    chain = b"".join(nv.read_index(tpm, index) for index in present if index >= CHAIN[0])
    return (without_padding(nv.read_index(tpm, kind.certificate)), *_split(chain))


def _split(data: bytes) -> Iterator[bytes]:
    """Yields each certificate of concatenated DER, up to the first bytes that are not a certificate."""
    with contextlib.suppress(UnusableCertificateError):
        while data := data.lstrip(b"\0\xff"):
            one = without_padding(data)
            yield one
            data = data[data.index(one) + len(one) :]


def _read_certified_key(certificate: bytes) -> PublicKey:
    try:
        return certified_key(certificate)[0]
    except DecodeError as error:
        raise UsageError(f"the EK's certificate cannot be read: {error}") from None


def find_challenge(data: bytes, name: bytes) -> Challenge:
    """Returns the last challenge in JSON Lines for the key with this Name.

    Raises UsageError if there is none, AttestationError or KeyFileError for a damaged line.
    """
    last, refusal = None, ""
    for line in filter(bytes.strip, data.splitlines()):
        with contextlib.suppress(ValueError):
            document = strict_json.loads(line)
            if isinstance(document, dict) and "error" in document:
                refusal = str(document["error"]) if document.get("name") == name.hex() else refusal
                continue
        challenge = Challenge.from_json(line)
        last = challenge if challenge.name == name else last
    if last is None:
        reason = f"the CA refused the request: {refusal}" if refusal else "create it from this key's request"
        raise UsageError(f"no challenge for the key with the Name {name.hex()}; {reason}")
    return last


def run_lines(data: bytes, step: Callable[[bytes], dict[str, Any]], write: Callable[[str], None]) -> int:
    """Calls `step` for each line, writes each result as a line of JSON, and returns the exit code.

    A line that fails has the result {"line": its number, "name": the key's Name or null, "error": the reason}.
    Returns 1 if a line failed. Raises UsageError if there are no lines.
    """
    lines = [(number, line) for number, line in enumerate(data.splitlines(), 1) if line.strip()]
    if not lines:
        raise UsageError("the input is empty; expected JSON Lines")
    failed = 0
    for number, line in lines:
        try:
            result = step(line)
        except (TpmwireError, UsageError) as error:
            failed += 1
            result = {"line": number, "name": _read_name(line), "error": str(error)}
            note(f"tpmwire: line {number}: {error}")
        write(json.dumps(result, separators=(",", ":")))
    return 1 if failed else 0


def _read_name(line: bytes) -> str | None:
    try:
        name = strict_json.loads(line)["name"]
    except (ValueError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) else None


Allowed = Mapping[bytes, frozenset[str]]
"""The EKs that may enrol: for each Name, the subjects that it may have, or an empty set for any subject."""


def read_allowed(path: str) -> Allowed:
    """Reads a file with the EKs that may enrol: on each line a Name in hex and, optionally, a subject.

    Empty lines and lines that begin with # are ignored. Raises UsageError for any other line.
    """
    allowed: dict[bytes, set[str] | None] = {}
    for number, line in enumerate(read_small(path).decode(errors="replace").splitlines(), 1):
        words = line.split(maxsplit=1)
        if not words or words[0].startswith("#"):
            continue
        name = hex_name(f"{path}, line {number}:", words[0])
        subjects = allowed.setdefault(name, set())
        if len(words) == 1:
            allowed[name] = None
        elif subjects is not None:
            subjects.add(words[1].strip())
    return {name: frozenset(subjects or ()) for name, subjects in allowed.items()}


def remove_expired(directory: str) -> int:
    """Removes the files of expired challenges from the CA's state, and returns their number."""
    removed = 0
    for entry in os.scandir(directory):
        if not re.fullmatch(r"[0-9a-f]{32}\.json", entry.name) or not entry.is_file(follow_symlinks=False):
            continue
        with contextlib.suppress(AttestationError, FileNotFoundError):
            if time.time() >= PendingEnrolment.from_json(read_small(entry.path)).expires:
                os.unlink(entry.path)
                removed += 1
    return removed


def create_challenge(
    line: bytes, trust: "Trust | None", allowed: Allowed | None, directory: str, lifetime: float
) -> dict[str, Any]:
    """Checks a request, writes the CA's state to `directory`, and returns the challenge as a JSON object.

    `trust` are the CAs that verify the EK's certificate, and `allowed` the EKs that may enrol; None means all.
    `lifetime` is in seconds. Raises AttestationError or CertificateError for a request that must not be accepted.
    """
    request = EnrolmentRequest.from_json(line)
    if trust is not None:
        _verify_ek(request, trust)
    subject = request.check()
    if allowed is not None:
        _check_allowed(name_of(request.ek), subject, allowed)
    challenge, state = make_challenge(request, subject, time.time() + lifetime, ek_verified=trust is not None)
    write_whole(_state_path(directory, state.id), (state.to_json() + "\n").encode())
    shown = {"subject": subject, "ek_name": state.ek_name.hex(), "ek_verified": state.ek_verified}
    return {**json.loads(challenge.to_json()), **shown}


def _check_allowed(name: bytes, subject: str, allowed: Allowed) -> None:
    if name not in allowed:
        raise AttestationError("EK", f"the endorsement key with the Name {name.hex()} is not allowed to enrol")
    if allowed[name] and subject not in allowed[name]:
        raise AttestationError("EK", f"this endorsement key is not allowed to have the subject {subject!r}")


def _verify_ek(request: EnrolmentRequest, trust: "Trust") -> None:
    from tpmwire.keys.certificates import (  # noqa: PLC0415 - needs optional packages
        Certificate,
        public_key,
        verify_chain,
    )

    if not request.ek_certificates:
        raise AttestationError("EK", "the request has no EK certificate; create it with --ek-cert")
    leaf, *others = (Certificate(each, "the EK's certificate") for each in request.ek_certificates)
    verify_chain(leaf, trust, others)
    request.check_ek_key(public_key(leaf))


def _state_path(directory: str, number: str) -> str:
    return os.path.join(directory, f"{number}.json")


class Issuer(NamedTuple):
    """The CA's program with its arguments, and the longest wait for it in seconds."""

    words: list[str]
    timeout: float


def issue_certificate(line: bytes, directory: str, issuer: Issuer | None) -> dict[str, Any]:
    """Checks a response, and returns a JSON object with the certificate and its chain.

    Without `issuer`, the object has the CSR to sign. The CA's state is removed first, so that each challenge
    has one response. Raises AttestationError for a response that is not valid, UsageError if the CA fails.
    """
    response = ChallengeResponse.from_json(line)
    state = _take_state(_state_path(directory, response.id))
    state.check(response, time.time())
    csr = request_pem(state.csr)
    known = {
        "id": state.id,
        "name": state.name.hex(),
        "ek_name": state.ek_name.hex(),
        "ek_verified": state.ek_verified,
        "subject": state.subject,
    }
    if issuer is None:
        return {**known, "csr": csr}
    return {**known, "certificate": _ask(issuer, csr, state)}


def _take_state(path: str) -> PendingEnrolment:
    """Reads and removes the CA's state. Of two runs at the same time, only one gets it."""
    unknown = AttestationError("replay", "no pending challenge with this id: it expired, or had its one response")
    if not os.path.exists(path):
        raise unknown
    data = read_small(path)
    try:
        os.unlink(path)
    except FileNotFoundError:
        raise unknown from None
    return PendingEnrolment.from_json(data)


def _ask(issuer: Issuer, csr: str, state: PendingEnrolment) -> str:
    retry = "create a new challenge"
    variables = {
        "TPMWIRE_EK_NAME": state.ek_name.hex(),
        "TPMWIRE_EK_VERIFIED": str(state.ek_verified).lower(),
        "TPMWIRE_SUBJECT": state.subject,
    }
    issued = ask_ca(issuer.words, csr, issuer.timeout, kept=retry, variables=variables)
    expected = _requested_key(state.csr)
    leaf = next((each for each in issued if is_for(each, expected)), None)
    if leaf is None:
        raise UsageError(
            f"--ca-command: the CA returned no certificate with the public key of the request; {retry}"
        )
    check_leaf(leaf, "--ca-command", time.time())
    chain, _ = order_chain(leaf, [each for each in issued if each is not leaf])
    return "".join(map(certificate_pem, [leaf, *chain]))


def _requested_key(csr: bytes) -> PublicKey:
    from cryptography import x509  # noqa: PLC0415 - optional on a host
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - likewise

    key = x509.load_der_x509_csr(csr).public_key()
    return parse_public_key_der(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
