"""Keys and signatures of TPMs in other programs' formats, compared with `cryptography`, joserfc and the RFCs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.verbs import Tool
from tpmwire import TPM_ALG, TPM_ECC, TPMT_PUBLIC, bridges, templates
from tpmwire.crypto.public_keys import read_public_key
from tpmwire.errors import DecodeError, EncodeError, KeyFileError, SignatureError
from tpmwire.spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMS_SIGNATURE_ECC,
    TPMS_SIGNATURE_RSA,
    TPMT_ECC_SCHEME,
    TPMT_HA,
    TPMT_RSA_SCHEME,
    TPMT_SIGNATURE,
)

RSA = rsa.generate_private_key(65537, 2048)
P256, P384, P521 = (ec.generate_private_key(curve()) for curve in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1))
KEYS: dict[str, Any] = {"RSA": RSA, "P-256": P256, "P-384": P384, "P-521": P521}
SPKI = PublicFormat.SubjectPublicKeyInfo


def area(key: Any) -> TPMT_PUBLIC:
    return bridges.from_cryptography(key)


@pytest.mark.parametrize("name", KEYS)
def test_public_keys_in_every_format(name: str) -> None:
    key = KEYS[name].public_key()
    public = area(key)
    assert bridges.to_cryptography(public) == key
    assert bridges.to_der(public) == key.public_bytes(Encoding.DER, SPKI)
    assert bridges.to_pem(public).encode() == key.public_bytes(Encoding.PEM, SPKI)
    assert bridges.to_ssh(public).strip().encode() == key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    assert bridges.to_ssh(public, "me@host").endswith(" me@host\n")
    for data in (
        bridges.to_pem(public),
        bridges.to_der(public),
        bridges.to_ssh(public, "me@host"),
        'command="/bin/true",no-pty ' + bridges.to_ssh(public),
        "host.example.com,10.0.0.1 " + bridges.to_ssh(public),
        "# a comment\n" + bridges.to_ssh(public) * 2,
        bridges.to_ssh(public).split()[1],
        json.dumps(bridges.to_jwk(public)),
        json.dumps({"keys": [bridges.to_jwk(public) | {"use": "sig", "kid": "1"}]}, indent=2),
        public.build(),
    ):
        assert bridges.parse_public(data) == public
    # All attributes come from the template; its key does not matter.
    template = templates.srk_rsa() if name == "RSA" else templates.srk_ecc()
    made = bridges.from_cryptography(key, template)
    assert made.object_attributes == template.object_attributes
    assert bridges.to_cryptography(made) == key == bridges.to_cryptography(bridges.parse_public(made.build()))
    with pytest.raises(EncodeError, match="template type"):
        bridges.from_cryptography(key, templates.srk_ecc() if name == "RSA" else templates.srk_rsa())


@pytest.mark.parametrize(
    ("bits", "template", "says"),
    [
        (256, "ecc384", "expected NIST_P384, got NIST_P256"),
        (384, "srk", "expected NIST_P256, got NIST_P384"),
        (3072, "ek-rsa", "expected 2048 bits, got 3072 bits"),
        (384, "ecc384", ""),
        (384, "ecc:ecdsa-sha384", ""),
        (3072, "rsa", ""),
    ],
)
def test_a_template_of_another_size(tool: Tool, tmp_path: Path, bits: int, template: str, says: str) -> None:
    curve = ec.SECP256R1() if bits == 256 else ec.SECP384R1()
    key = rsa.generate_private_key(65537, bits) if bits > 1024 else ec.generate_private_key(curve)
    path, out = tmp_path / "key.pem", tmp_path / "key.pub"
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, SPKI))
    ran = tool("convert", path, "--to", "tpm2b-public", "--template", template, "--out", out)
    assert ran.err == (f"tpmwire: --template does not match the key: {says}\n" if says else "")
    assert ran.code == (2 if says else 0)
    assert out.exists() == (not says)


@pytest.mark.parametrize("name", KEYS)
def test_jwk_as_joserfc_has_it(name: str) -> None:
    jwk = pytest.importorskip("joserfc.jwk")
    pem = KEYS[name].public_key().public_bytes(Encoding.PEM, SPKI)
    kind = jwk.RSAKey if name == "RSA" else jwk.ECKey
    expected = kind.import_key(pem).as_dict(private=False)
    assert {key: expected[key] for key in expected if key != "kid"} == bridges.to_jwk(area(KEYS[name]))
    with pytest.raises(KeyFileError, match="contains a private key"):
        bridges.parse_public(json.dumps(kind.import_key(_private(name)).as_dict(private=True)))


def _private(name: str) -> bytes:
    plain = serialization.NoEncryption()
    pem: bytes = KEYS[name].private_bytes(Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return pem


def test_jwk_of_rfc_7517() -> None:
    """The example keys of RFC 7517, appendix A.1, and what they are not."""
    x, y = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
    jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "enc", "kid": "1"}
    public = bridges.parse_public(json.dumps(jwk))
    assert bridges.to_jwk(public) == {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    for change, reason in (
        ({"kty": "OKP", "crv": "Ed25519"}, "unsupported JWK"),
        ({"crv": "secp256k1"}, "unsupported JWK"),
        ({"x": x[:-4]}, "invalid coordinates"),
        ({"x": 7}, "unsupported JWK"),
        ({"x": "!"}, "unsupported JWK"),
        ({"d": x}, "private key"),
        ({"kty": "RSA", "n": x, "e": "AQABAQABAQ"}, "exponent"),
    ):
        with pytest.raises(KeyFileError, match=reason):
            bridges.parse_public(json.dumps(jwk | change))
    with pytest.raises(KeyFileError, match="2 keys"):
        bridges.parse_public(json.dumps({"keys": [jwk, jwk]}))


def test_ssh_keys_that_are_not_usable() -> None:
    line = bridges.to_ssh(area(P256))
    other = bridges.to_ssh(area(RSA))
    block = "---- BEGIN SSH2 PUBLIC KEY ----\nComment: x\n" + line.split()[1] + "\n---- END SSH2 PUBLIC KEY ----\n"
    assert bridges.parse_public(block) == area(P256)
    with pytest.raises(KeyFileError, match="2 SSH public keys"):
        bridges.parse_public(line + other)
    with pytest.raises(KeyFileError, match="damaged"):
        bridges.parse_public(line.replace("nistp256", "nistp384", 1).replace("AAAAE", "AAAAF", 1))
    ed25519_key = ed25519.Ed25519PrivateKey.generate().public_key()
    with pytest.raises(KeyFileError):
        bridges.parse_public(ed25519_key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
    with pytest.raises(EncodeError, match="printable"):
        bridges.to_ssh(area(P256), "a\nb")


def test_curves_of_tpms() -> None:
    for curve, identifier in (
        (ec.BrainpoolP256R1, TPM_ECC.BP_P256_R1),
        (ec.BrainpoolP384R1, TPM_ECC.BP_P384_R1),
        (ec.BrainpoolP512R1, TPM_ECC.BP_P512_R1),
        (ec.SECP224R1, TPM_ECC.NIST_P224),
    ):
        try:
            key = ec.generate_private_key(curve()).public_key()
        except UnsupportedAlgorithm:
            continue
        public = area(key)
        assert isinstance(public.parameters, TPMS_ECC_PARMS)
        assert public.parameters.curve_id == identifier
        assert bridges.to_cryptography(public) == key
        for convert in (bridges.to_jwk, bridges.to_ssh):
            with pytest.raises(EncodeError, match="does not support the curve"):
                convert(public)
    p256 = area(P256)
    assert isinstance(p256.parameters, TPMS_ECC_PARMS)
    for curve_id in (TPM_ECC.BN_P256, TPM_ECC(0x99)):
        with pytest.raises(EncodeError, match="no key format outside TPMs"):
            bridges.to_der(p256.replace(parameters=p256.parameters.replace(curve_id=curve_id)))


def test_keys_without_a_public_key() -> None:
    for convert in (bridges.to_pem, bridges.to_jwk, bridges.to_ssh, bridges.to_cryptography):
        with pytest.raises(EncodeError, match="expected RSA, ECC"):
            convert(templates.sealed())
    with pytest.raises(EncodeError, match="unsupported algorithm"):
        bridges.from_cryptography(ed25519.Ed25519PrivateKey.generate())
    with pytest.raises(EncodeError, match="cannot load this public key"):
        bridges.to_cryptography(area(P256).replace(unique=TPMS_ECC_POINT(bytes(31) + b"\1", bytes(31) + b"\1")))


HASHES = {"SHA1": hashes.SHA1, "SHA256": hashes.SHA256, "SHA384": hashes.SHA384, "SHA512": hashes.SHA512}


def _digest(name: str, data: bytes) -> bytes:
    context = hashes.Hash(HASHES[name]())
    context.update(data)
    return context.finalize()


def _changed(signature: TPMT_SIGNATURE) -> TPMT_SIGNATURE:
    value = signature.signature
    if isinstance(value, TPMS_SIGNATURE_RSA):
        return signature.replace(signature=value.replace(sig=value.sig[:-1] + bytes([value.sig[-1] ^ 1])))
    assert isinstance(value, TPMS_SIGNATURE_ECC)
    s = value.signature_s
    return signature.replace(signature=value.replace(signature_s=s[:-1] + bytes([s[-1] ^ 1])))


def _refused(public: TPMT_PUBLIC, signature: TPMT_SIGNATURE, data: bytes) -> None:
    with pytest.raises(SignatureError):
        bridges.verify_signature(public, signature, data)


@pytest.mark.parametrize("name", HASHES)
@pytest.mark.parametrize("scheme", ["RSASSA", "RSAPSS, salt like a digest", "RSAPSS, longest salt", "ECDSA"])
def test_verify(scheme: str, name: str) -> None:
    data, kind = b"what is signed", HASHES[name]()
    salt = kind.digest_size if "digest" in scheme else padding.PSS.MAX_LENGTH
    paddings = padding.PKCS1v15() if scheme == "RSASSA" else padding.PSS(padding.MGF1(kind), salt)
    key: Any = P256 if scheme == "ECDSA" else RSA
    plain = key.sign(data, ec.ECDSA(kind)) if scheme == "ECDSA" else key.sign(data, paddings, kind)
    algorithm = TPM_ALG[scheme.partition(",")[0]]
    signature = bridges.signature_from_der(plain, algorithm, TPM_ALG[name])
    assert bridges.signature_to_der(signature) == plain
    public = area(key)
    bridges.verify_signature(public, signature, data)
    bridges.verify_signature(public, signature, digest=_digest(name, data))
    assert TPMT_SIGNATURE.parse(signature.build()) == signature
    _refused(public, signature, data + b"!")
    _refused(public, _changed(signature), data)
    _refused(area(ec.generate_private_key(ec.SECP256R1()) if scheme == "ECDSA" else P256), signature, data)
    with pytest.raises(SignatureError, match="expected a digest"):
        bridges.verify_signature(public, signature, digest=data)
    for wrong in ({}, {"data": data, "digest": _digest(name, data)}):
        with pytest.raises(EncodeError, match="either"):
            bridges.verify_signature(public, signature, **wrong)


def test_the_keys_own_scheme() -> None:
    """A key that is restricted to one scheme has no signature of another one."""
    data = b"data"
    signature = bridges.signature_from_der(P256.sign(data, ec.ECDSA(hashes.SHA256())))
    public = area(P256)
    assert isinstance(public.parameters, TPMS_ECC_PARMS)
    for hash_alg, scheme, fits in (
        (TPM_ALG.SHA256, TPM_ALG.ECDSA, True),
        (TPM_ALG.SHA384, TPM_ALG.ECDSA, False),
        (TPM_ALG.SHA256, TPM_ALG.ECSCHNORR, False),
    ):
        own = public.parameters.replace(scheme=TPMT_ECC_SCHEME(scheme, TPMS_SCHEME_HASH(hash_alg)))
        if fits:
            bridges.verify_signature(public.replace(parameters=own), signature, data)
        else:
            _refused(public.replace(parameters=own), signature, data)
    rsa_area = area(RSA)
    assert isinstance(rsa_area.parameters, TPMS_RSA_PARMS)
    own_rsa = rsa_area.parameters.replace(scheme=TPMT_RSA_SCHEME(TPM_ALG.RSAPSS, TPMS_SCHEME_HASH(TPM_ALG.SHA256)))
    plain = RSA.sign(data, padding.PKCS1v15(), hashes.SHA256())
    _refused(
        rsa_area.replace(parameters=own_rsa),
        bridges.signature_from_der(plain, TPM_ALG.RSASSA, TPM_ALG.SHA256),
        data,
    )


def test_schemes_that_are_not_supported() -> None:
    value = TPMS_SIGNATURE_ECC(TPM_ALG.SHA256, bytes(32), bytes(32))
    for scheme in (TPM_ALG.SM2, TPM_ALG.ECSCHNORR, TPM_ALG.ECDAA):
        with pytest.raises(EncodeError, match=f"unsupported scheme {scheme.name}; expected RSASSA"):
            bridges.verify_signature(area(P256), TPMT_SIGNATURE(scheme, value), b"")
    hmac = TPMT_SIGNATURE(TPM_ALG.HMAC, TPMT_HA(TPM_ALG.SHA256, bytes(32)))
    with pytest.raises(EncodeError, match="HMAC signatures"):
        bridges.verify_signature(area(P256), hmac, b"")
    with pytest.raises(EncodeError, match="no signature format outside TPMs"):
        bridges.signature_to_der(hmac)
    with pytest.raises(EncodeError, match="got KEYEDHASH"):
        bridges.verify_signature(templates.sealed(), TPMT_SIGNATURE(TPM_ALG.ECDSA, value), b"")


def test_jws() -> None:
    """r and s of fixed size, also if they begin with zeros, as `cryptography` splits and joins them."""
    for key, algorithm, kind, size in (
        (P256, "ES256", hashes.SHA256(), 32),
        (P384, "ES384", hashes.SHA384(), 48),
        (P521, "ES512", hashes.SHA512(), 66),
    ):
        plain = key.sign(b"head.body", ec.ECDSA(kind))
        r, s = utils.decode_dss_signature(plain)
        signature = bridges.signature_from_der(plain, TPM_ALG.ECDSA, TPM_ALG["SHA" + algorithm[2:]])
        jws = bridges.signature_to_jws(signature)
        assert jws == r.to_bytes(size, "big") + s.to_bytes(size, "big")
        assert bridges.signature_from_jws(jws, algorithm) == signature
        bridges.verify_signature(area(key), bridges.signature_from_jws(jws, algorithm), b"head.body")
        with pytest.raises(DecodeError, match=f"expected {2 * size} bytes"):
            bridges.signature_from_jws(jws + b"\0", algorithm)
    plain = RSA.sign(b"head.body", padding.PKCS1v15(), hashes.SHA256())
    bridges.verify_signature(area(RSA), bridges.signature_from_jws(plain, "RS256"), b"head.body")
    assert bridges.signature_to_jws(bridges.signature_from_jws(plain, "RS256")) == plain
    for name in ("HS256", "ES257", "", "EdDSA"):
        with pytest.raises(EncodeError, match="unsupported JWS algorithm"):
            bridges.signature_from_jws(plain, name)
    small = bridges.signature_from_der(utils.encode_dss_signature(1, 2))
    assert bridges.signature_to_jws(small) == bytes(31) + b"\1" + bytes(31) + b"\2"
    with pytest.raises(EncodeError, match="JWS has no algorithm"):
        bridges.signature_to_jws(
            bridges.signature_from_der(utils.encode_dss_signature(1, 2), hash_alg=TPM_ALG.SHA1)
        )


@pytest.mark.parametrize("data", [b"", b"0", b"\x30\x06\x02\x01\x01\x02\x01", b"\x30\x03\x02\x01\xff", bytes(70)])
def test_signatures_that_are_not_der(data: bytes) -> None:
    with pytest.raises(DecodeError):
        bridges.signature_from_der(data)
    with pytest.raises(DecodeError):
        bridges.signature_from_der(utils.encode_dss_signature(1 << 600, 1))


def test_formats_without_cryptography() -> None:
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from tpmwire import bridges, templates\n"
        "public = bridges.parse_public(sys.stdin.buffer.read())\n"
        "print(bridges.to_pem(public), bridges.to_ssh(public), bridges.to_jwk(public))\n"
        "try: bridges.to_cryptography(public)\n"
        "except ModuleNotFoundError: print('missing')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=bridges.to_der(area(RSA)), capture_output=True, check=True
    )
    assert done.stdout.endswith(b"missing\n")


def test_no_key_is_read_twice() -> None:
    """An SSH key and a JWK also serve where public keys of other TPMs are read."""
    assert read_public_key(bridges.to_ssh(area(P256)).encode()).key == read_public_key(_public("P-256")).key
    assert (
        read_public_key(json.dumps(bridges.to_jwk(area(RSA))).encode()).key == read_public_key(_public("RSA")).key
    )


def _public(name: str) -> bytes:
    pem: bytes = KEYS[name].public_key().public_bytes(Encoding.PEM, SPKI)
    return pem
