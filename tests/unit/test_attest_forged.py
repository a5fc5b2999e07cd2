"""More forgeries: statements that the attestation key signed, signatures, keys, logs; go-attestation's JSON."""

import base64
import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.support.attestation import ATTRIBUTES, EccSigner, RsaSigner, statement
from tests.support.verbs import Tool
from tpmwire.attest import AttestationError, AttestationParameters, CertificationParameters, verify
from tpmwire.attest.bundle import QuoteBundle
from tpmwire.attest.event_log import parse_event_log, replay
from tpmwire.crypto.formulas import name_of
from tpmwire.keys import templates
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.spec.attestation import TPMS_CREATION_INFO
from tpmwire.spec.constants import TPM_ALG, TPM_ECC, TPM_ST, TPMA_OBJECT
from tpmwire.spec.structures import (
    TPMS_ECC_POINT,
    TPMS_PCR_SELECTION,
    TPMS_SIGNATURE_ECC,
    TPMS_SIGNATURE_RSA,
    TPMT_PUBLIC,
    TPMT_SIGNATURE,
)

FIXTURES = Path(__file__).parents[2] / "fixtures"
SHA256, RSASSA, RSAPSS = TPM_ALG.SHA256, TPM_ALG.RSASSA, TPM_ALG.RSAPSS
NONCE, PCRS = b"0123456789abcdef", parse_pcrs("sha256:0,7")
VALUES = {(SHA256, 0): b"\1" * 32, (SHA256, 7): b"\2" * 32}
JOINED = b"\1" * 32 + b"\2" * 32
DIGEST = hashlib.sha256(JOINED).digest()
MESSAGE = statement(NONCE, PCRS, DIGEST).build()
ecc, rsassa, rsapss = EccSigner(), RsaSigner(), RsaSigner(RSAPSS)
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF


def check(message: bytes, signature: Any, key: Any = ecc.public, **changes: Any) -> Any:
    return verify(message, signature, key, **{"nonce": NONCE, "pcrs": "sha256:0,7", "values": VALUES, **changes})


def refused_by(check_name: str, *given: Any, **changes: Any) -> str:
    with pytest.raises(AttestationError) as refused:
        check(*given, **changes)
    assert refused.value.check == check_name
    return str(refused.value)


BANK, CLOCK = b"\0\0\0\1\0\x0b\3", struct.pack(">QIIB", 12345, 7, 2, 1)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda m: b"\x47\x43\x54\xff" + m[4:], "format"),
        (lambda m: m[:4] + TPM_ST.ATTEST_CREATION.to_bytes(2, "big") + m[6:], "format"),
        (lambda m: m[:4] + TPM_ST.ATTEST_TIME.to_bytes(2, "big") + m[6:], "format"),
        (lambda m: m[:4] + TPM_ST.ATTEST_NV.to_bytes(2, "big") + m[6:], "format"),
        (lambda m: m + m, "format"),
        (lambda m: m[:-34] + b"\0\x21" + m[-32:], "format"),
        (lambda m: m[:-34] + b"\0\x1f" + m[-32:], "format"),
        (lambda m: m.replace(BANK, b"\0\0\0\2" + BANK[4:]), "format"),
        (lambda m: m.replace(BANK, b"\0\0\0\0" + BANK[4:]), "format"),
        (lambda m: m.replace(BANK, b"\xff\xff\xff\xff" + BANK[4:]), "format"),
        (lambda m: m.replace(BANK + b"\x81\0\0", BANK[:-1] + b"\xff\x81" + bytes(254)), "PCR selection"),
        (lambda m: m.replace(BANK, BANK[:5] + b"\x99\3"), "PCR selection"),
        (lambda m: m.replace(CLOCK, CLOCK[:-1] + b"\2"), "format"),
        (lambda m: m[:6], "format"),
        (lambda m: m.replace(NONCE, hashlib.sha256(NONCE).digest()[:16]), "nonce"),
        (lambda m: m.replace(b"\0\x10" + NONCE, b"\0\x11\0" + NONCE), "nonce"),
        (lambda m: m.replace(b"\0\x10" + NONCE, b"\0\x20" + NONCE.hex().encode()), "nonce"),
    ],
)
def test_changed_bytes_that_the_key_signed(change: Callable[[bytes], bytes], name: str) -> None:
    message = change(MESSAGE)
    assert message != MESSAGE
    refused_by(name, message, ecc.sign(message))


@pytest.mark.parametrize(
    ("selection", "digest", "name"),
    [
        ("sha384:0,7", DIGEST, "PCR selection"),
        ("sha256:0,7", hashlib.sha256(b"\2" * 32 + b"\1" * 32).digest(), "PCR values"),
        ("sha256:0,7", hashlib.sha256(DIGEST).digest(), "PCR values"),
        ("sha256:0,7", hashlib.sha1(JOINED).digest(), "PCR values"),
        ("sha256:0,7", hashlib.sha384(JOINED).digest(), "PCR values"),
        (parse_pcrs("sha256:0") + parse_pcrs("sha256:7"), DIGEST, "PCR selection"),  # the same digest
        (PCRS + PCRS, DIGEST, "PCR selection"),
        ((TPMS_PCR_SELECTION(SHA256, b"\x81\0\0\1"),), DIGEST, "PCR selection"),
    ],
)
def test_other_selections_and_digests(selection: Any, digest: bytes, name: str) -> None:
    chosen = parse_pcrs(selection) if isinstance(selection, str) else selection
    message = statement(NONCE, chosen, digest).build()
    refused_by(name, message, ecc.sign(message))


def test_values_with_another_boundary_have_the_same_digest() -> None:
    moved = {(SHA256, 0): b"\1" * 31, (SHA256, 7): b"\1" + b"\2" * 32}
    assert "sha256:0: expected 32 bytes, got 31" in refused_by(
        "PCR values", MESSAGE, ecc.sign(MESSAGE), values=moved
    )


def numbers(r: int, s: int, size: int = 32, alg: int = SHA256, scheme: TPM_ALG = TPM_ALG.ECDSA) -> TPMT_SIGNATURE:
    value = TPMS_SIGNATURE_ECC(TPM_ALG(alg), r.to_bytes(size, "big"), s.to_bytes(size, "big"))
    return TPMT_SIGNATURE(scheme, value)


def test_ecdsa_signatures() -> None:
    signed = ecc.sign(MESSAGE).signature
    r, s = (int.from_bytes(part, "big") for part in (signed.signature_r, signed.signature_s))
    check(MESSAGE, numbers(r, s, 33))  # as some TPMs pad
    for forged in (
        *(numbers(*pair) for pair in ((0, 0), (0, s), (r, 0), (1, 1), (ORDER, s), (r, ORDER), (s, r))),
        numbers(r + ORDER, s, 33),
        numbers(r, s + ORDER, 33),
        numbers(0, 0, 0),
        *(numbers(r, s, alg=alg) for alg in (TPM_ALG.SHA384, TPM_ALG.NULL, TPM_ALG.SM3_256, TPM_ALG.SHA3_256)),
        *(numbers(r, s, scheme=scheme) for scheme in (TPM_ALG.SM2, TPM_ALG.ECSCHNORR, TPM_ALG.ECDAA)),
        ecc.sign(hashlib.sha256(MESSAGE).digest()),
        ecc.sign(len(MESSAGE).to_bytes(2, "big") + MESSAGE),
    ):
        refused_by("signature", MESSAGE, forged)
    good = ecc.sign(MESSAGE).build()
    for form in (
        good + b"\0\0",
        len(good).to_bytes(2, "big") + good,
        ecc.key.sign(MESSAGE, ec.ECDSA(hashes.SHA256())),
    ):
        refused_by("format", MESSAGE, form)


def without_scheme(public: TPMT_PUBLIC) -> TPMT_PUBLIC:
    """Returns an attestation key that may sign with any scheme."""
    scheme = public.parameters.scheme
    return public.replace(parameters=public.parameters.replace(scheme=type(scheme)(TPM_ALG.NULL)))


def test_rsa_signatures() -> None:
    good = rsassa.sign(MESSAGE).signature.sig
    modulus = int.from_bytes(rsassa.public.unique, "big")
    relabelled = TPMT_SIGNATURE(RSASSA, rsapss.sign(MESSAGE).signature)
    refused_by("signature", MESSAGE, relabelled, rsapss.public)
    refused_by("signature", MESSAGE, relabelled, without_scheme(rsapss.public))
    pss = TPMT_SIGNATURE(RSAPSS, rsassa.sign(MESSAGE).signature)
    refused_by("signature", MESSAGE, pss, without_scheme(rsassa.public))
    refused_by("signature", MESSAGE, ecc.sign(MESSAGE, TPM_ALG.SHA1), without_scheme(ecc.public))
    beyond = (int.from_bytes(good, "big") + modulus).to_bytes(257, "big")
    for sig in (b"\0" + good, good[:-1], beyond, bytes(256), bytes(255) + b"\1", b""):
        refused_by("signature", MESSAGE, TPMT_SIGNATURE(RSASSA, TPMS_SIGNATURE_RSA(SHA256, sig)), rsassa.public)


def test_keys() -> None:
    signature = ecc.sign(MESSAGE)
    for bit in ("RESTRICTED", "FIXED_TPM", "FIXED_PARENT", "SENSITIVE_DATA_ORIGIN", "SIGN_ENCRYPT"):
        key = ecc.public.replace(object_attributes=TPMA_OBJECT(ATTRIBUTES & ~TPMA_OBJECT[bit]))
        assert "not an attestation key" in refused_by("key", MESSAGE, signature, key)
    refused_by("key", MESSAGE, signature, templates.srk_ecc().replace(unique=ecc.public.unique))
    x, y = ecc.public.unique.x, ecc.public.unique.y
    beyond = (int.from_bytes(x, "big") + PRIME).to_bytes(33, "big")
    for point in ((b"\1" * 32, b"\2" * 32), (b"", b""), (beyond, y), (y, x)):
        refused_by("signature", MESSAGE, signature, ecc.public.replace(unique=TPMS_ECC_POINT(*point)))
    curve = ecc.public.parameters.replace(curve_id=TPM_ECC.NIST_P384)
    refused_by("signature", MESSAGE, signature, ecc.public.replace(parameters=curve))


def test_weak_rsa_keys() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    signature = TPMT_SIGNATURE(
        RSASSA, TPMS_SIGNATURE_RSA(SHA256, weak.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256()))
    )
    modulus = weak.public_key().public_numbers().n.to_bytes(128, "big")
    for bits in (1024, 2048):  # also if the public area lies about the size
        area = rsassa.public.replace(unique=modulus, parameters=rsassa.public.parameters.replace(key_bits=bits))
        assert "too weak" in refused_by("key", MESSAGE, signature, area)
    assert "too weak" in refused_by("key", MESSAGE, signature, weak.public_key())
    # With the exponent 1, a signature is its own padded digest.
    info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(MESSAGE).digest()
    forged = TPMT_SIGNATURE(RSASSA, TPMS_SIGNATURE_RSA(SHA256, b"\0\1" + b"\xff" * 202 + b"\0" + info))
    area = rsassa.public.replace(parameters=rsassa.public.parameters.replace(exponent=1))
    refused_by("signature", MESSAGE, forged, area)


LOG = (FIXTURES / "event_logs" / "ovmf.bin").read_bytes()


def quote_log(pcrs: str, data: bytes, logged: bytes = LOG, **changes: Any) -> Any:
    """Verifies a quote of the PCR values that result from `logged`, with the event log `data`."""
    selection = parse_pcrs(pcrs)
    replayed = replay([parse_event_log(logged)])
    values = {(SHA256, n): replayed.get((SHA256, n), bytes(32)) for n in range(24)} | changes.pop("other", {})
    chosen = [n for n in range(24) if int.from_bytes(selection[0].pcr_select, "little") >> n & 1]
    message = statement(NONCE, selection, hashlib.sha256(b"".join(values[SHA256, n] for n in chosen)).digest())
    signed = ecc.sign(message.build())
    return check(message.build(), signed, pcrs=pcrs, values=values, event_logs=[data], **changes)


def test_event_logs() -> None:
    assert quote_log("sha256:0-7", LOG).logs
    ones = {(SHA256, 17): b"\xff" * 32}
    assert quote_log("sha256:0-15,17", LOG, other=ones).logs
    unknown = {(SHA256, 10): b"\5" * 32}
    with pytest.raises(AttestationError, match="the log has no event of sha256:10"):
        quote_log("sha256:0-10", LOG, other=unknown)
    assert quote_log("sha256:0-10", LOG, other=unknown, expected=unknown).logs
    log = parse_event_log(LOG)
    of_seven = [event for event in log.events if event.pcr == 7]
    removed = LOG
    for event in reversed(of_seven):  # an attacker hides all events of a PCR
        removed = removed[: event.offset] + removed[event.offset + event.size :]
    with pytest.raises(AttestationError, match="the log has no event of sha256:7"):
        quote_log("sha256:0,7", removed)
    # An event without a SHA-256 digest: one digest less, and its bytes removed.
    event = of_seven[0]
    raw = LOG[event.offset : event.offset + event.size]
    digests = int.from_bytes(raw[8:12], "little")
    at = raw.index((0x000B).to_bytes(2, "little") + event.digests[SHA256])
    less = raw[:8] + (digests - 1).to_bytes(4, "little") + raw[12:at] + raw[at + 34 :]
    with pytest.raises(AttestationError, match="an event of PCR 7 has no sha256 digest"):
        quote_log("sha256:0,7", LOG[: event.offset] + less + LOG[event.offset + event.size :])


# Written by go-attestation's library (commit 01dcb11) with swtpm: an ECDSA attestation key, a quote of all SHA-256
# PCRs, and an application key with its certification.
GO = json.loads((FIXTURES / "attestation" / "go-attestation.json").read_text())


def test_json_of_go_attestation(tool: Tool, tmp_path: Path) -> None:
    for name, document in GO.items():
        (tmp_path / name).write_text(json.dumps(document))
    parameters = AttestationParameters.from_json(json.dumps(GO["AttestationParameters"]).encode())
    parameters.verify()
    assert json.loads(parameters.to_json()) == GO["AttestationParameters"]
    bundle = QuoteBundle.from_json(json.dumps(GO["PlatformParameters"]).encode())
    assert json.loads(bundle.to_go())["Quotes"] == GO["PlatformParameters"]["Quotes"]
    certified = CertificationParameters.from_json(json.dumps(GO["CertificationParameters"]).encode())
    assert json.loads(certified.to_json()) == GO["CertificationParameters"]

    by = ("--public", tmp_path / "AttestationParameters")
    quote = ("checkquote", tmp_path / "PlatformParameters", *by, "--nonce", GO["nonce"], "--pcrs")
    assert tool(*quote, "sha256:all").code == 0
    assert tool(*quote, "sha256:0-22").code == 8
    for pcr in ({**GO["PlatformParameters"]["PCRs"][1], "Index": 1.5}, GO["PlatformParameters"]["PCRs"][0]):
        changed = {**GO["PlatformParameters"], "PCRs": [*GO["PlatformParameters"]["PCRs"], pcr]}
        (tmp_path / "PlatformParameters").write_text(json.dumps(changed))
        assert "is repeated or not a whole number" in tool(*quote, "sha256:all").err
    statement_of = ("checkcertify", tmp_path / "CertificationParameters", *by, "--nonce")
    ran = tool(*statement_of, "text:")
    assert (ran.code, ran.err) == (0, "")
    assert "attributes:     fixedTPM|fixedParent|sensitiveDataOrigin|userWithAuth|signEncrypt\n" in ran.out
    assert tool(*statement_of, GO["nonce"]).code == 8
    other = base64.b64decode(GO["CertificationParameters"]["Public"])[:-1] + b"\0"
    forged = {**GO["CertificationParameters"], "Public": base64.b64encode(other).decode()}
    (tmp_path / "CertificationParameters").write_text(json.dumps(forged))
    assert "Name" in tool(*statement_of, "text:").err


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"PCRs": [{"Index": 0, "Digest": "", "DigestAlg": 4}]},
            "the hash algorithm 4 in DigestAlg is not supported",
        ),
        ({"PCRs": [{"Index": 0, "Digest": "", "DigestAlg": 5.0}]}, "the hash algorithm 5.0 in DigestAlg is not"),
        ({"PCRs": [{"Index": 0, "Digest": "", "DigestAlg": []}]}, "the hash algorithm [] in DigestAlg is not"),
        ({"PCRs": [{"Index": 0, "Digest": ""}]}, "missing field 'DigestAlg'"),
        ({"Public": []}, "a value has the wrong type"),
        ({"Public": False}, "a value has the wrong type"),
        ({"EventLog": 0}, "a value has the wrong type"),
        ({"PCRs": {}}, "a value has the wrong type"),
        ({"Quotes": {}}, "a value has the wrong type"),
    ],
)
def test_wrong_values_in_json_of_go_attestation(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(AttestationError) as refused:
        QuoteBundle.from_json(json.dumps({**GO["PlatformParameters"], **changes}).encode())
    assert says in str(refused.value)


@pytest.mark.parametrize("name", ["public", "pcrs", "event_log"])
def test_wrong_values_in_json_of_a_quote(name: str) -> None:
    document = json.loads(QuoteBundle.of(MESSAGE, ecc.sign(MESSAGE), VALUES, ecc.public).to_json())
    assert QuoteBundle.from_json(json.dumps({**document, name: None}).encode()).quotes
    with pytest.raises(AttestationError, match="not a valid quote in JSON"):
        QuoteBundle.from_json(json.dumps({**document, name: []}).encode())


def test_rsapss_has_no_json_of_go_attestation() -> None:
    creation = AttestationParameters.from_json(json.dumps(GO["AttestationParameters"]).encode()).creation
    pss, good = rsapss.sign(MESSAGE), rsassa.sign(MESSAGE)
    assert json.loads(CertificationParameters(rsassa.public, MESSAGE, good).to_json())
    for made in (
        QuoteBundle.of(MESSAGE, pss, VALUES, rsapss.public).to_go,
        CertificationParameters(rsapss.public, MESSAGE, pss).to_json,
        AttestationParameters(rsapss.public, creation, MESSAGE, pss).to_json,
    ):
        with pytest.raises(AttestationError, match="go-attestation does not verify RSAPSS"):
            made()


def test_options_that_contradict_the_format_of_go_attestation(tool: Tool, tmp_path: Path) -> None:
    where = ("--nonce", "00", "--tpm-path", tmp_path / "none")
    files = ("--message", tmp_path / "m", "--signature", tmp_path / "s")
    for words, says in (
        (("quote", "0x81010002", "--pcrs", "sha256:0", "--values", tmp_path / "v"), "and --values; remove"),
        (("quote", "0x81010002", "--pcrs", "sha256:0", *files), "--format go cannot be combined with --message"),
        (("certify", "0x81010002", "--by", "0x81010003", *files), "--format go cannot be combined with --message"),
    ):
        ran = tool(*words, "--format", "go", *where)
        assert (ran.code, ran.out) == (2, "")
        assert says in ran.err
    for name in ("rsa2048:rsapss-sha256", "mldsa65"):
        ran = tool("ak", "--out", tmp_path / "ak", "--go", tmp_path / "go", "--algorithm", name, *where[2:])
        assert (ran.code, ran.out) == (2, "")
        assert "go-attestation does not verify" in ran.err


def test_makecredential_accepts_sha1_only_if_the_verifier_says_so(tool: Tool, tmp_path: Path) -> None:
    windows = EccSigner(hash_alg=TPM_ALG.SHA1)
    creation = AttestationParameters.from_json(json.dumps(GO["AttestationParameters"]).encode()).creation
    info = TPMS_CREATION_INFO(name_of(windows.public), hashlib.sha256(creation.build()).digest())
    message = statement(b"", (), b"", type=TPM_ST.ATTEST_CREATION, attested=info).build()
    own = AttestationParameters(windows.public, creation, message, windows.sign(message))
    (tmp_path / "ak.json").write_text(own.to_json())
    (tmp_path / "ek.pub").write_bytes(templates.ek_ecc().replace(unique=ecc.public.unique).build())
    (tmp_path / "secret").write_text("a secret")
    (tmp_path / "secret").chmod(0o600)
    make = (
        "makecredential",
        "--ek",
        tmp_path / "ek.pub",
        "--for",
        tmp_path / "ak.json",
        "--out",
        tmp_path / "cred",
    )
    secret = ("--secret-file", tmp_path / "secret")
    assert "SHA1 is not accepted" in tool(*make, *secret).err
    ran = tool(*make, *secret, "--accept-sha1")
    assert (ran.code, ran.err) == (0, "")
