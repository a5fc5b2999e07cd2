"""Attestation keys by certificate, by Name, and with SHA-1; the layouts of go-attestation."""

import base64
import datetime
import hashlib
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.attestation import ATTRIBUTES, EccSigner, statement
from tests.support.verbs import Tool
from tpmwire import attest
from tpmwire.attest import AttestationError, certified_attestation_key
from tpmwire.attest.bundle import QuoteBundle
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import CertificateError
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.spec.constants import TPM_ALG, TPMA_OBJECT

NONCE, PCRS = b"\1\2\3\4", "sha256:0"
VALUES = {(TPM_ALG.SHA256, 0): b"\1" * 32}
MESSAGE = statement(NONCE, parse_pcrs(PCRS), hashlib.sha256(b"\1" * 32).digest()).build()
AIK = x509.ObjectIdentifier("2.23.133.8.3")
EK = x509.ObjectIdentifier("2.23.133.8.1")
signer = EccSigner()


class Ca:
    """A CA of attestation keys, with a root and an intermediate certificate."""

    def __init__(self) -> None:
        self.keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
        self.root = self._issue(self.keys[0].public_key(), "root", self.keys[0], "root", authority=True)
        self.middle = self._issue(self.keys[1].public_key(), "middle", self.keys[0], "root", authority=True)

    def certify(self, key: ec.EllipticCurvePublicKey, usage: x509.ObjectIdentifier | None = AIK) -> bytes:
        """The certificate of a key in PEM, followed by the intermediate one."""
        leaf = self._issue(key, "ak", self.keys[1], "middle", usage=usage)
        return leaf + self.middle

    def _issue(
        self,
        key: ec.EllipticCurvePublicKey,
        subject: str,
        by: ec.EllipticCurvePrivateKey,
        issuer: str,
        *,
        authority: bool = False,
        usage: x509.ObjectIdentifier | None = None,
        days: float = 1,
    ) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if usage is not None:
            made = made.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return made.sign(by, hashes.SHA256()).public_bytes(Encoding.PEM)


ca = Ca()


def test_a_key_with_a_certificate() -> None:
    certificate = ca.certify(signer.key.public_key())
    key = certified_attestation_key(certificate, ca.root)
    assert not key.has_attributes
    assert (
        attest.verify(MESSAGE, signer.sign(MESSAGE), key, nonce=NONCE, pcrs=PCRS, values=VALUES).values == VALUES
    )
    assert certified_attestation_key(certificate, ca.root, signer.public).has_attributes
    assert certified_attestation_key(ca.certify(signer.key.public_key(), None), ca.root)
    with pytest.raises(AttestationError, match="for another key"):
        certified_attestation_key(certificate, ca.root, EccSigner().public)
    for usage in (EK, ExtendedKeyUsageOID.SERVER_AUTH):
        with pytest.raises(CertificateError, match="not an attestation key certificate"):
            certified_attestation_key(ca.certify(signer.key.public_key(), usage), ca.root)
    for other in (Ca().root, ca.middle):
        with pytest.raises(CertificateError):
            certified_attestation_key(certificate, other)


def test_checkquote_with_a_certificate(tool: Tool, tmp_path: Path) -> None:
    def put(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    key = signer.key.public_key()
    certificate, root = put("ak.pem", ca.certify(key)), put("ca.pem", ca.root)
    # The key's attributes are only claimed: by the quoting machine, which may lie.
    bundle = QuoteBundle.of(MESSAGE, signer.sign(MESSAGE), VALUES, signer.public)
    check = ("checkquote", put("quote.json", bundle.to_json().encode()), "--pcrs", PCRS, "--nonce", NONCE.hex())
    good = tool(*check, "--certificate", certificate, "--ca", root)
    assert good.code == 0
    assert "attributes are unknown" in good.err
    public = put("ak.pub", signer.public.build())
    known = tool(*check, "--certificate", certificate, "--ca", root, "--public", public)
    assert (known.code, known.err) == (0, "")
    stdin = bundle.to_json().encode()
    assert tool(*check[:1], "-", *check[2:], "--public", public, stdin=stdin).code == 0
    long = tool(*check[:-1], "00" * 67, "--public", public)
    assert (long.code, "--nonce is 67 bytes long, more than any TPM accepts; use at most 32" in long.err) == (
        2,
        True,
    )
    bare = put("bare.pem", key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert tool(*check, "--certificate", certificate, "--ca", root, "--public", bare).code == 0
    stranger = ca._issue(ca.keys[1].public_key(), "stranger", ca.keys[1], "stranger", authority=True)
    expired = ca._issue(key, "ak", ca.keys[1], "middle", usage=AIK, days=-1) + ca.middle
    other = put("other.pub", EccSigner().public.build())
    for words, code in (
        (("--certificate", certificate), 2),
        (("--ca", root), 2),
        ((), 2),
        (("--certificate", certificate, "--ca", put("other.pem", Ca().root)), 8),
        (("--certificate", certificate, "--ca", put("stranger.pem", stranger)), 8),
        (("--certificate", certificate, "--ca", put("middle.pem", ca.middle)), 8),
        (("--certificate", put("expired.pem", expired), "--ca", root), 8),
        (("--certificate", certificate, "--ca", root, "--public", other), 2),
        (("--public", other), 8),
        (("--name", name_of(EccSigner().public).hex()), 8),
        (("--name", "xyz", "--public", public), 2),
    ):
        refused = tool(*check, *words)
        assert (refused.code, refused.out) == (code, ""), words
    assert tool(*check, "--name", name_of(signer.public).hex()).code == 0
    # A machine whose key signs anything cannot hide this behind attributes that it makes up.
    weak = signer.public.replace(object_attributes=TPMA_OBJECT(ATTRIBUTES & ~TPMA_OBJECT.RESTRICTED))
    assert tool(*check, "--public", put("weak.pub", weak.build())).code == 8
    assert tool(*check, "--name", name_of(weak).hex()).code == 8


def test_sha1_is_accepted_only_if_the_verifier_says_so(tool: Tool, tmp_path: Path) -> None:
    old = EccSigner(hash_alg=TPM_ALG.SHA1)
    values = {(TPM_ALG.SHA1, 0): b"\1" * 20}
    message = statement(b"", parse_pcrs("sha1:0"), hashlib.sha1(b"\1" * 20).digest()).build()
    # The layout of go-attestation's attest-tool.
    document = {
        "Static": {"TPMVersion": 2, "EKPem": None},
        "AK": {"Public": base64.b64encode(old.public.build()).decode()},
        "Quote": {
            "Nonce": "",
            "Alg": 4,
            "Quote": base64.b64encode(message).decode(),
            "Signature": base64.b64encode(old.sign(message).build()).decode(),
        },
        "Log": {
            "PCRs": [{"Index": 0, "Digest": base64.b64encode(b"\1" * 20).decode(), "DigestAlg": 3}],
            "PCRAlg": 0,
            "Raw": "",
        },
    }
    path, public = tmp_path / "dump.json", tmp_path / "ak.pub"
    path.write_text(json.dumps(document))
    public.write_bytes(old.public.build())
    check = ("checkquote", path, "--public", public, "--pcrs", "sha1:0", "--nonce", "text:")
    assert "SHA1 is not accepted" in tool(*check).err
    assert tool(*check, "--accept-sha1").code == 0
    bundle = QuoteBundle.from_json(path.read_bytes())
    assert bundle.values == values
    assert bundle.event_log is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"message": 1, "signature": ""}',
        '{"message": "ff", "signature": "0"}',
        '{"message": "", "signature": "", "pcrs": {"sha255": {"0": ""}}}',
        '{"message": "", "signature": "", "pcrs": {"sha256": {"0": "00"}}}',
        '{"message": "", "signature": "", "pcrs": 7}',
        '{"message": "", "signature": "", "public": "0001"}',
        '{"Quotes": 5, "PCRs": []}',
        '{"Quotes": [{"Quote": "", "Signature": "!"}], "PCRs": []}',
        '{"Quotes": [], "PCRs": [{"Index": "a", "Digest": "", "DigestAlg": 5}]}',
        '{"Quotes": [], "PCRs": [{"Index": 1, "Digest": "", "DigestAlg": 99}]}',
        '{"AK": 1, "Quote": 2, "Log": 3}',
    ],
)
def test_damaged_json_is_refused(text: str) -> None:
    with pytest.raises(AttestationError) as refused:
        QuoteBundle.from_json(text.encode())
    assert refused.value.check == "format"
