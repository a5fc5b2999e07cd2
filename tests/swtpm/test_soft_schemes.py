"""Schemes of the soft TPM, compared with swtpm: the same results, and signatures that the other verifies."""

import datetime
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.support.swtpm import Swtpm
from tpmwire import commands
from tpmwire.errors import TpmError
from tpmwire.keys import templates
from tpmwire.soft import SoftTransport, ecc, ecc_schemes
from tpmwire.soft import x509 as soft_x509
from tpmwire.spec.attestation import TPMS_ATTEST
from tpmwire.spec.constants import TPM_ALG, TPM_CAP, TPM_ECC, TPM_RH, TPM_ST, TPMA_OBJECT
from tpmwire.spec.properties import TPM_PT
from tpmwire.spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_RSA_PARMS,
    TPMS_SCHEME_ECDAA,
    TPMS_SCHEME_HASH,
    TPMS_SENSITIVE_CREATE,
    TPMS_SYMCIPHER_PARMS,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_PUBLIC,
    TPMT_RSA_SCHEME,
    TPMT_SENSITIVE,
    TPMT_SIG_SCHEME,
    TPMT_SYM_DEF_OBJECT,
    TPMT_TK_HASHCHECK,
)
from tpmwire.tpm import Tpm

A = TPMA_OBJECT
NO_SYMMETRIC, NO_KDF = TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL), TPMT_KDF_SCHEME(TPM_ALG.NULL)
NO_SCHEME, NO_TICKET = TPMT_SIG_SCHEME(TPM_ALG.NULL), TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")
SHA256 = TPMS_SCHEME_HASH(TPM_ALG.SHA256)
DIGEST = hashlib.sha256(b"message").digest()
P256 = ecc.CURVES[TPM_ECC.NIST_P256]
PRIVATE = int.from_bytes(hashlib.sha256(b"a private key").digest(), "big")


@pytest.fixture
def pair() -> Iterator[tuple[Tpm, Tpm]]:
    with Swtpm() as swtpm, Tpm.open(swtpm.path, 60) as real, Tpm(SoftTransport()) as soft:
        yield real, soft


def ecc_area(scheme: TPMT_ECC_SCHEME, attributes: A) -> TPMT_PUBLIC:
    parameters = TPMS_ECC_PARMS(NO_SYMMETRIC, scheme, TPM_ECC.NIST_P256, NO_KDF)
    point = ecc.point_of(P256, P256.multiply(PRIVATE, P256.g))
    return TPMT_PUBLIC(TPM_ALG.ECC, TPM_ALG.SHA256, attributes | A.USER_WITH_AUTH, b"", parameters, point)


def load(tpm: Tpm, public: TPMT_PUBLIC, private: bytes | None = None) -> int:
    area = None if private is None else TPMT_SENSITIVE(public.type, b"", b"seed" * 8, private)
    hierarchy = TPM_RH.OWNER if private is None else TPM_RH.NULL
    return tpm.execute(commands.LoadExternal(area, public, hierarchy)).object_handle


def of_both(pair: tuple[Tpm, Tpm], command: Any) -> Any:
    """The equal responses or codes of both TPMs."""
    found: list[Any] = []
    for tpm in pair:
        try:
            found.append(tpm.execute(command))
        except TpmError as error:
            found.append(error.rc)
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("alg", [TPM_ALG.ECDSA, TPM_ALG.ECSCHNORR, TPM_ALG.SM2])
def test_signatures_verified_by_the_other(pair: tuple[Tpm, Tpm], alg: TPM_ALG) -> None:
    public = ecc_area(TPMT_ECC_SCHEME(alg, SHA256), A.SIGN_ENCRYPT)
    for signer, verifier in (pair, pair[::-1]):
        key = load(signer, public, PRIVATE.to_bytes(32, "big"))
        signature = signer.execute(commands.Sign(key, DIGEST, NO_SCHEME, NO_TICKET)).signature
        other = load(verifier, public)
        verifier.execute(commands.VerifySignature(other, DIGEST, signature))
        with pytest.raises(TpmError, match="SIGNATURE"):
            verifier.execute(commands.VerifySignature(other, bytes(32), signature))
        signer.flush(key)
        verifier.flush(other)


def ecdaa(count: int) -> TPMT_SIG_SCHEME:
    return TPMT_SIG_SCHEME(TPM_ALG.ECDAA, TPMS_SCHEME_ECDAA(TPM_ALG.SHA256, count))


def second_point() -> tuple[bytes, bytes]:
    """s2 and y2 of TPM2_Commit: a point whose x coordinate is the hash of s2."""
    for number in range(256):
        x = int.from_bytes(hashlib.sha256(bytes([number])).digest(), "big") % P256.p
        y = pow(x**3 - 3 * x + P256.b, (P256.p + 1) // 4, P256.p)
        if P256.holds((x, y)):
            return bytes([number]), y.to_bytes(32, "big")
    raise AssertionError


def test_commit(pair: tuple[Tpm, Tpm]) -> None:
    """The point K, which the private key determines, is the same. The ECDAA signatures fit to the points E."""
    public = ecc_area(TPMT_ECC_SCHEME(TPM_ALG.ECDAA, TPMS_SCHEME_ECDAA(TPM_ALG.SHA256, 0)), A.SIGN_ENCRYPT)
    s2, y2 = second_point()
    own = P256.multiply(PRIVATE, P256.g)
    points = []
    for tpm in pair:
        key = load(tpm, public, PRIVATE.to_bytes(32, "big"))
        full = tpm.execute(commands.Commit(key, ecc.point_of(P256, own), s2, y2))
        points.append(full.k)
        begun = tpm.execute(commands.Commit(key, TPMS_ECC_POINT(b"", b""), b"", b""))
        assert begun.counter == full.counter + 1
        signature: Any = tpm.execute(commands.Sign(key, DIGEST, ecdaa(begun.counter), NO_TICKET)).signature
        value = signature.signature
        hashed = int.from_bytes(hashlib.sha256(value.signature_r + DIGEST).digest(), "big") % P256.n
        s = int.from_bytes(value.signature_s, "big")
        assert P256.multiply_sum((s, P256.g), (P256.n - hashed, own)) == ecc.to_point(P256, begun.e)
        for wrong in (begun.counter, begun.counter + 9):
            with pytest.raises(TpmError) as refused:
                tpm.execute(commands.Sign(key, DIGEST, ecdaa(wrong), NO_TICKET))
            assert refused.value.rc == 0x84
    assert points[0] == points[1]
    assert points[0] == ecc.point_of(
        P256,
        P256.multiply(PRIVATE, (int.from_bytes(hashlib.sha256(s2).digest(), "big"), int.from_bytes(y2, "big"))),
    )


def test_anonymous_attestation(pair: tuple[Tpm, Tpm]) -> None:
    """An ECDAA attestation has no signer and no nonce; the nonce is part of the signed digest."""
    public = ecc_area(TPMT_ECC_SCHEME(TPM_ALG.ECDAA, TPMS_SCHEME_ECDAA(TPM_ALG.SHA256, 0)), A.SIGN_ENCRYPT)
    own = P256.multiply(PRIVATE, P256.g)
    for tpm in pair:
        key = load(tpm, public, PRIVATE.to_bytes(32, "big"))
        begun = tpm.execute(commands.Commit(key, TPMS_ECC_POINT(b"", b""), b"", b""))
        made = tpm.execute(commands.Certify(key, key, b"nonce", ecdaa(begun.counter)))
        attested: Any = TPMS_ATTEST.parse(made.certify_info)
        assert (attested.qualified_signer, attested.extra_data) == (b"", b"")
        assert attested.attested.qualified_name == b""
        value: Any = made.signature.signature
        digest = hashlib.sha256(b"nonce" + hashlib.sha256(made.certify_info).digest()).digest()
        hashed = int.from_bytes(hashlib.sha256(value.signature_r + digest).digest(), "big") % P256.n
        s = int.from_bytes(value.signature_s, "big")
        assert P256.multiply_sum((s, P256.g), (P256.n - hashed, own)) == ecc.to_point(P256, begun.e)


def test_key_exchange(pair: tuple[Tpm, Tpm]) -> None:
    """The two TPMs are the two parties; both compute the same points."""
    public = ecc_area(TPMT_ECC_SCHEME(TPM_ALG.NULL), A.DECRYPT)
    static: Any = public.unique
    keys = [load(tpm, public, PRIVATE.to_bytes(32, "big")) for tpm in pair]
    begun = [tpm.execute(commands.EC_Ephemeral(TPM_ECC.NIST_P256)) for tpm in pair]
    found = []
    for tpm, key, ours, theirs in zip(pair, keys, begun, begun[::-1], strict=True):
        exchange = commands.ZGen_2Phase(key, static, theirs.q, TPM_ALG.ECDH, ours.counter)
        found.append(tpm.execute(exchange))
        with pytest.raises(TpmError) as refused:
            tpm.execute(exchange)
        assert refused.value.rc == 0x4C4
    assert found[0] == found[1]


@pytest.mark.parametrize("exchange", [ecc_schemes.exchange_mqv, ecc_schemes.exchange_sm2])
def test_other_key_exchanges(exchange: Any) -> None:
    """Both parties compute the same point. libtpms 0.9 masks bits wrongly for SM2 and does not finish MQV."""
    keys = [int.from_bytes(hashlib.sha256(bytes([n])).digest(), "big") % P256.n for n in range(4)]
    points = [P256.multiply(key, P256.g) for key in keys]
    first = exchange(P256, keys[0], keys[1], points[2], points[3])
    assert first is not None
    assert first == exchange(P256, keys[2], keys[3], points[0], points[1])


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 32, 100])
def test_cmac(pair: tuple[Tpm, Tpm], size: int) -> None:
    symmetric = TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 128, TPM_ALG.CMAC)
    secret, seed = bytes(range(16)), b"seed" * 8
    unique = hashlib.sha256(seed + secret).digest()
    attributes = A.SIGN_ENCRYPT | A.USER_WITH_AUTH
    public = TPMT_PUBLIC(
        TPM_ALG.SYMCIPHER, TPM_ALG.SHA256, attributes, b"", TPMS_SYMCIPHER_PARMS(symmetric), unique
    )
    keys = [load(tpm, public, secret) for tpm in pair]
    assert keys[0] == keys[1]
    data = bytes(range(size))
    mac = of_both(pair, commands.HMAC(keys[0], data, TPM_ALG.NULL)).out_hmac
    assert len(mac) == 16
    started = of_both(pair, commands.HMAC_Start(keys[0], b"", TPM_ALG.CMAC)).sequence_handle
    of_both(pair, commands.SequenceUpdate(started, data[:5]))
    assert of_both(pair, commands.SequenceComplete(started, data[5:], TPM_RH.NULL)).result == mac
    of_both(pair, commands.HMAC(keys[0], data, TPM_ALG.SHA256))
    of_both(pair, commands.HMAC(keys[0], data, TPM_ALG.SHA3_256))


# TPM2_CertifyX509


def partial_certificate(
    usage: bytes = b"\x07\x80", *, algorithm: bytes = b"", attributes: int | None = None
) -> bytes:
    """A partialCertificate, encoded by `cryptography`; `usage` is the content of the KeyUsage bit string."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a key of a TPM")])
    day = datetime.datetime(2026, 1, 1)
    built = x509.CertificateBuilder(name, name, key.public_key(), 7, day, day + datetime.timedelta(days=9))
    data = built.sign(key, hashes.SHA256()).tbs_certificate_bytes
    at, end = soft_x509._read_header(data, 0)[1:]
    parts = []
    while at < end:
        stop = soft_x509._read_header(data, at)[2]
        parts.append(data[at:stop])
        at = stop
    encode = soft_x509.encode
    octets = encode(0x04, encode(0x03, usage))
    extensions = [encode(0x30, soft_x509.KEY_USAGE, b"\x01\x01\xff", octets)]
    if attributes is not None:
        octets = encode(0x04, encode(0x03, b"\0", attributes.to_bytes(4, "big")))
        extensions.append(encode(0x30, soft_x509.ATTRIBUTES, octets))
    # issuer, validity and subject follow version, serial number and algorithm
    return encode(0x30, algorithm, *parts[3:6], encode(0xA3, encode(0x30, *extensions)))


@pytest.mark.parametrize("alg", [TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA512])
@pytest.mark.parametrize("scheme", [TPM_ALG.RSASSA, TPM_ALG.RSAPSS])
def test_certificate(pair: tuple[Tpm, Tpm], scheme: TPM_ALG, alg: TPM_ALG) -> None:
    """Both TPMs add the same bytes and sign the same digest, and the certificate is valid."""
    numbers = rsa.generate_private_key(65537, 2048).private_numbers()
    modulus = numbers.public_numbers.n.to_bytes(256, "big")
    details = TPMT_RSA_SCHEME(scheme, TPMS_SCHEME_HASH(alg))
    parameters = TPMS_RSA_PARMS(NO_SYMMETRIC, details, 2048, 0)
    signer = TPMT_PUBLIC(TPM_ALG.RSA, TPM_ALG.SHA256, A.SIGN_ENCRYPT | A.USER_WITH_AUTH, b"", parameters, modulus)
    subject = ecc_area(TPMT_ECC_SCHEME(TPM_ALG.NULL), A.SIGN_ENCRYPT | A.DECRYPT)
    for tpm in pair:
        load(tpm, subject, PRIVATE.to_bytes(32, "big"))
        load(tpm, signer, numbers.p.to_bytes(128, "big"))
    partial = partial_certificate(b"\x05\xa0", attributes=int(subject.object_attributes))
    command = commands.CertifyX509(0x80000000, 0x80000001, b"", NO_SCHEME, partial)
    made = [tpm.execute(command) for tpm in pair]
    assert made[0].added_to_certificate == made[1].added_to_certificate
    assert made[0].tbs_digest == made[1].tbs_digest
    if scheme == TPM_ALG.RSASSA:
        assert made[0].signature == made[1].signature
    if (scheme, alg) == (TPM_ALG.RSAPSS, TPM_ALG.SHA1):
        return  # cryptography refuses the algorithm identifier of swtpm, which has the parameter NULL
    for one in made:
        certificate = assemble(partial, one.added_to_certificate, one.signature.signature.sig)
        found = x509.load_der_x509_certificate(certificate)
        public = found.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        assert public == soft_x509.encode_public_key(subject)
        assert found.signature_hash_algorithm is not None
        hashed = hashlib.new(found.signature_hash_algorithm.name, found.tbs_certificate_bytes).digest()
        assert hashed == one.tbs_digest


def assemble(partial: bytes, added: bytes, signature: bytes) -> bytes:
    """The complete certificate, as a program assembles it."""

    def pieces(data: bytes) -> list[bytes]:
        at, end = soft_x509._read_header(data, 0)[1:]
        found = []
        while at < end:
            stop = soft_x509._read_header(data, at)[2]
            found.append(data[at:stop])
            at = stop
        return found

    version, serial, algorithm, subject_key = pieces(added)
    issuer, validity, subject, extensions = pieces(partial)
    encode = soft_x509.encode
    body = encode(0x30, version, serial, algorithm, issuer, validity, subject, subject_key, extensions)
    return encode(0x30, body, algorithm, encode(0x03, b"\0", signature))


OBJECT_HANDLE = {0x282: 0x182, 0x29C: 0x19C, 0x19C: 0x29C}
"""libtpms 0.9 counts the two handles of TPM2_CertifyX509 in the reverse order."""


def test_refused_certificates(pair: tuple[Tpm, Tpm]) -> None:
    """Both TPMs refuse the same certificates with the same codes."""
    subject = ecc_area(TPMT_ECC_SCHEME(TPM_ALG.NULL), A.DECRYPT)
    signer = ecc_area(TPMT_ECC_SCHEME(TPM_ALG.ECDSA, SHA256), A.SIGN_ENCRYPT)
    for tpm in pair:
        load(tpm, subject, PRIVATE.to_bytes(32, "big"))
        load(tpm, signer, PRIVATE.to_bytes(32, "big"))
    good = partial_certificate(b"\x05\xa0")
    algorithm = soft_x509.encode(0x30, soft_x509.ECDSA[TPM_ALG.SHA256])
    partials = [
        b"",
        b"\x30\0",
        good[:-1],
        good + b"\0",
        b"\x31" + good[1:],
        good.replace(soft_x509.KEY_USAGE, soft_x509.KEY_USAGE[:-1] + b"\x10"),
        *(partial_certificate(bytes([0, 1 << bit])) for bit in range(8)),
        partial_certificate(b"\x07\0\x80"),
        partial_certificate(b"\x08\x80"),
        partial_certificate(b"\x05\x20", attributes=int(subject.object_attributes)),
        partial_certificate(b"\x05\x20", attributes=3),
        partial_certificate(b"\x05\x20", algorithm=algorithm + algorithm),
        soft_x509.encode(0x30, soft_x509.encode(0xA3, b"")),
    ]
    codes = []
    for partial in partials:
        found = []
        for tpm in pair:
            try:
                tpm.execute(commands.CertifyX509(0x80000000, 0x80000001, b"", NO_SCHEME, partial))
                found.append(0)
            except TpmError as error:
                found.append(error.rc)
        codes.append(found)
    assert [OBJECT_HANDLE.get(one[0], one[0]) for one in codes] == [one[1] for one in codes]
    with_algorithm = partial_certificate(b"\x05\x20", algorithm=algorithm)
    for command in (
        commands.CertifyX509(0x80000000, 0x80000001, b"x", NO_SCHEME, good),
        commands.CertifyX509(
            0x80000000, 0x80000001, b"", TPMT_SIG_SCHEME(TPM_ALG.ECDSA, TPMS_SCHEME_HASH(TPM_ALG.SHA1)), good
        ),
    ):
        of_both(pair, command)
    for tpm in pair:
        tpm.execute(commands.CertifyX509(0x80000000, 0x80000001, b"", NO_SCHEME, with_algorithm))


def test_primary_ecdaa_key(pair: tuple[Tpm, Tpm]) -> None:
    """A restricted ECDAA key is created, and needs the counter of a commitment."""
    scheme = TPMT_ECC_SCHEME(TPM_ALG.ECDAA, TPMS_SCHEME_ECDAA(TPM_ALG.SHA256, 0))
    fixed = A.FIXED_TPM | A.FIXED_PARENT | A.SENSITIVE_DATA_ORIGIN
    public = ecc_area(scheme, A.SIGN_ENCRYPT | A.RESTRICTED | fixed).replace(unique=TPMS_ECC_POINT(b"", b""))
    for tpm in pair:
        tpm.execute(commands.CreatePrimary(TPM_RH.ENDORSEMENT, TPMS_SENSITIVE_CREATE(b"", b""), public))
    of_both(pair, commands.Quote(0x80000000, b"", NO_SCHEME, ()))
    of_both(pair, commands.Quote(0x80000000, b"", ecdaa(99), ()))


@pytest.mark.parametrize("hierarchy", [TPM_RH.OWNER, TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM, TPM_RH.NULL])
def test_obfuscated_time(pair: tuple[Tpm, Tpm], hierarchy: TPM_RH) -> None:
    """Only the statement's own clock info and firmware version are obfuscated, not those that GetTime attests."""
    found = []
    for tpm in pair:
        public = templates.signing("ecc256:ecdsa-sha256")
        key = tpm.execute(commands.CreatePrimary(hierarchy, TPMS_SENSITIVE_CREATE(b"", b""), public))
        command = commands.GetTime(TPM_RH.ENDORSEMENT, key.object_handle, b"nonce", NO_SCHEME)
        statement = TPMS_ATTEST.parse(tpm.execute(command).time_info)
        true = tpm.execute(commands.ReadClock()).current_time.clock_info
        first, second = (
            p.value
            for p in tpm.execute(
                commands.GetCapability(TPM_CAP.TPM_PROPERTIES, TPM_PT.FIRMWARE_VERSION_1, 2)
            ).capability_data.data
        )
        shown = (
            (statement.clock_info, statement.firmware_version),
            (statement.attested.time.clock_info, statement.attested.firmware_version),
        )
        expected = (true.reset_count, true.restart_count, first << 32 | second)
        found.append([(info.reset_count, info.restart_count, version) == expected for info, version in shown])
    assert found[0] == found[1] == [hierarchy in (TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM), True]
