"""SigV4A: the derived key beside cryptography's key derivation, signatures that its ECDSA verifies."""

import hashlib
import hmac
import re
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from sigv4 import sigv4a
from sigv4.errors import RequestError
from sigv4.request import Request
from sigv4.sigv4a import (
    Sigv4aSigner,
    der_signature,
    derive_private_value,
    private_key,
    sign_digest_with,
    verify_signature,
)

KEY_ID = "AKIATESTTESTTEST"
SECRET = "made/up+secret/for-tests"
NOON = 1795521600  # 2026-11-24T12:00:00Z
KEY = private_key(KEY_ID, SECRET)
EMPTY = hashlib.sha256(b"").hexdigest()


def _candidate(key_id: str, secret: str, count: int) -> int:
    kdf = KBKDFHMAC(
        algorithm=hashes.SHA256(),
        mode=Mode.CounterMode,
        length=32,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=b"AWS4-ECDSA-P256-SHA256",
        context=key_id.encode() + bytes([count]),
        fixed=None,
    )
    return int.from_bytes(kdf.derive(b"AWS4A" + secret.encode()), "big")


@pytest.mark.parametrize("number", range(20))
def test_the_key_is_that_of_sp_800_108(number: int) -> None:
    key_id, secret = f"AKIA{number:016}", f"secret{number}/+"
    assert (
        derive_private_value(key_id, secret)
        == derive_private_value(key_id, secret.encode())
        == _candidate(key_id, secret, 1) + 1
    )


def test_known_answers() -> None:
    """The two keys that AWS's own implementations are tried with (aws-c-auth; aws-sdk-go-v2, internal/v4a)."""
    value = derive_private_value("AKISORANDOMAASORANDOM", "q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom")
    assert f"{value:064x}" == "7fd3bd010c0d9c292141c2b77bfbde1042c92e6836fff749d1269ec890fca1bd"
    public = private_key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY").public_key().public_numbers()
    assert f"{public.x:064x}" == "b6618f6a65740a99e650b33b6b4b5bd0d43b176d721a3edfea7e7d2d56d936b1"
    assert f"{public.y:064x}" == "865ed22a7eadc9c5cb9d2cbaca1b3699139fedc5043dc6661864218330c8e518"


def test_a_value_too_large_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its odds are 1 in 2^32, so the first blocks are replaced by the values about the limit."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    blocks = [2**256 - 1, order, order - 1, order - 2]
    asked = []

    def digest(_key: bytes, message: bytes, _name: str) -> bytes:
        asked.append(message)
        return blocks[len(asked) - 1].to_bytes(32, "big")

    monkeypatch.setattr(hmac, "digest", digest)
    assert derive_private_value(KEY_ID, SECRET) == order - 1
    assert [message[-5] for message in asked] == [1, 2, 3, 4]
    monkeypatch.setattr(hmac, "digest", lambda *_: b"\xff" * 32)
    with pytest.raises(RequestError, match="cannot derive a SigV4A key"):
        derive_private_value(KEY_ID, SECRET)


def test_a_signed_header_request() -> None:
    request = Request("POST", "https://h.example/a b?b=2&a=1", [("Content-Type", "text/x")], b"body")
    signer = Sigv4aSigner(KEY_ID, sign_digest_with(KEY), "the/token")
    signed = signer.sign(request, "us-*,eu-west-1", "service", NOON)
    canonical = (
        "POST\n/a%20b\na=1&b=2\ncontent-type:text/x\nhost:h.example\nx-amz-date:20261124T120000Z\n"
        "x-amz-region-set:us-*,eu-west-1\nx-amz-security-token:the/token\n\n"
        "content-type;host;x-amz-date;x-amz-region-set;x-amz-security-token\n"
        + hashlib.sha256(b"body").hexdigest()
    )
    text = (
        "AWS4-ECDSA-P256-SHA256\n20261124T120000Z\n20261124/service/aws4_request\n"
        + hashlib.sha256(canonical.encode()).hexdigest()
    )
    head, _, signature = (signed.header("Authorization") or "").partition(", Signature=")
    assert head == (
        f"AWS4-ECDSA-P256-SHA256 Credential={KEY_ID}/20261124/service/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-region-set;x-amz-security-token"
    )
    assert verify_signature(KEY.public_key(), text, signature)
    assert not verify_signature(KEY.public_key(), text + " ", signature)
    assert not verify_signature(private_key(KEY_ID, "other").public_key(), text, signature)
    for damaged in ("", "zz", signature[:-2], "30" + signature):
        assert not verify_signature(KEY.public_key(), text, damaged)


def test_a_presigned_url() -> None:
    url = Sigv4aSigner(KEY_ID, sign_digest_with(KEY)).presign(
        Request("GET", "https://h.example/k"), "*", "s3", NOON, 60
    )
    query = {key: value for key, [value] in parse_qs(urlsplit(url).query).items()}
    signature = query.pop("X-Amz-Signature")
    assert query == {
        "X-Amz-Algorithm": "AWS4-ECDSA-P256-SHA256",
        "X-Amz-Credential": f"{KEY_ID}/20261124/s3/aws4_request",
        "X-Amz-Date": "20261124T120000Z",
        "X-Amz-Expires": "60",
        "X-Amz-Region-Set": "*",
        "X-Amz-SignedHeaders": "host",
    }
    canonical = (
        f"GET\n/k\nX-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Credential={KEY_ID}%2F20261124%2Fs3%2Faws4_request"
        "&X-Amz-Date=20261124T120000Z&X-Amz-Expires=60&X-Amz-Region-Set=%2A&X-Amz-SignedHeaders=host\n"
        "host:h.example\n\nhost\nUNSIGNED-PAYLOAD"
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-ECDSA-P256-SHA256\n20261124T120000Z\n20261124/s3/aws4_request\n{digest}"
    assert verify_signature(KEY.public_key(), text, signature)


def test_the_holder_gets_a_digest_and_nothing_else() -> None:
    asked: list[bytes] = []

    def sign_digest(digest: bytes) -> bytes:
        asked.append(digest)
        return b"\x30\x00"

    signer = Sigv4aSigner(KEY_ID, sign_digest)
    signer.prime("20261124")
    assert signer.signing_time(NOON) == NOON
    signed = signer.sign(Request("GET", "https://h.example/"), "*", "service", NOON)
    assert [len(digest) for digest in asked] == [32]
    assert (signed.header("Authorization") or "").endswith("Signature=3000")


def test_a_set_for_every_signature() -> None:
    """For clients that know one region only, such as StsClient."""
    bound = Sigv4aSigner(KEY_ID, sign_digest_with(KEY), region_set="*")
    signed = bound.sign(Request("GET", "https://h.example/"), "us-east-1", "sts", NOON)
    assert signed.header("X-Amz-Region-Set") == "*"
    assert "X-Amz-Region-Set=%2A&" in bound.presign(Request("GET", "https://h.example/"), "us-east-1", "sts", NOON)
    for unfit in ("", "us east"):
        with pytest.raises(RequestError, match="not a valid set of regions"):
            Sigv4aSigner(KEY_ID, sign_digest_with(KEY), region_set=unfit)


def test_an_old_region_set_does_not_stay() -> None:
    request = Request("GET", "https://h.example/", [("x-amz-region-set", "old")])
    signed = Sigv4aSigner(KEY_ID, sign_digest_with(KEY)).sign(request, "new-1", "service", NOON)
    assert [value for name, value in signed.headers if name.lower() == "x-amz-region-set"] == ["new-1"]


@pytest.mark.parametrize("size", [1, 31, 32])
def test_der_signatures(size: int) -> None:
    for r, s in ((b"\x7f" * size, b"\x80" * size), (b"\xff" * size, b"\x01" * size)):
        numbers = (int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        padded = der_signature(r.rjust(32, b"\0"), s.rjust(32, b"\0"))
        assert decode_dss_signature(padded) == numbers
        assert padded == der_signature(r, s)


@pytest.mark.parametrize("number", [b"", b"\0" * 32, b"\x01" * 33])
def test_der_signatures_of_other_sizes_are_refused(number: bytes) -> None:
    with pytest.raises(RequestError, match="1 to 32 bytes"):
        der_signature(b"\x01", number)


@pytest.mark.parametrize(
    ("region", "service", "pattern"),
    [
        ("", "s3", "'' is not a valid set of regions"),
        ("us-east-1,", "s3", "not a valid set of regions"),
        ("us east", "s3", "not a valid set of regions"),
        ("*\n", "s3", "not a valid set of regions|line end"),
        ("*", "s/3", "'s/3' is not a valid service name"),
    ],
)
def test_unfit_scopes_are_refused(region: str, service: str, pattern: str) -> None:
    with pytest.raises(RequestError, match=pattern):
        Sigv4aSigner(KEY_ID, sign_digest_with(KEY)).sign(Request("GET", "https://h/"), region, service, NOON)


def test_there_is_no_hmac_behind_it() -> None:
    with pytest.raises(RequestError, match="invalid access key id"):
        derive_private_value("AKIA TEST", SECRET)
    with pytest.raises(RequestError, match="has no HMAC"):
        sigv4a._refuse_hmac(b"")
    assert SECRET not in repr(Sigv4aSigner(KEY_ID, sign_digest_with(KEY), "t"))


def test_signing_needs_no_cryptography() -> None:
    code = "import sys; sys.path.insert(0, '.'); import sigv4.sigv4a; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], stdout=subprocess.PIPE, check=True, text=True)
    assert not re.search(r"\bcryptography\b", run.stdout)
    assert isinstance(KEY.curve, ec.SECP256R1)
