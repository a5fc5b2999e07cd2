"""EK certificates as makers ship them: accepted and refused as `openssl verify` does it, which runs beside."""

import pickle
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.certificate_changes import (
    Change,
    authority,
    change,
    compressed,
    default_written_out,
    each,
    explicit,
    having,
    identifiers,
    longer,
    with_md5,
    with_pss,
    with_sha1,
    with_sha384,
)
from tests.support.makers import (
    DAY,
    NOW,
    Issued,
    attribute,
    boolean,
    chain,
    common,
    extension,
    integer,
    key_usage,
    name,
    octets,
    oid,
    pem,
    sequence,
    sign,
    tlv,
    tpm_name,
    utc,
)
from tpmwire.errors import CertificateError, UnusableCertificateError
from tpmwire.keys.certificates import (
    Certificate,
    Trust,
    describe,
    load_certificates,
    load_chain,
    public_key,
    verify_chain,
)
from tpmwire.spec.structures import TPMS_ECC_POINT

ANY_POLICY = extension("2.5.29.32", sequence(sequence(oid("2.5.29.32.0"))), True)
HARDWARE_NAME = sequence(oid("2.23.133.1.2"), octets(b"1"))
P384 = ec.generate_private_key(ec.SECP384R1())
P521 = ec.generate_private_key(ec.SECP521R1())
POINT = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
SHA256 = sequence(oid("2.16.840.1.101.3.4.2.1"), tlv(0x05))
PSS = sequence(
    oid("1.2.840.113549.1.1.10"),
    sequence(
        tlv(0xA0, SHA256),
        tlv(0xA1, sequence(oid("1.2.840.113549.1.1.8"), SHA256)),
        tlv(0xA2, integer(32)),
    ),
)


def rsa_public(algorithm: bytes) -> bytes:
    """A SubjectPublicKeyInfo with another AlgorithmIdentifier."""
    return sequence(algorithm, tlv(0x03, b"\0", RSA.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)))


NUVOTON = name(
    [attribute("2.5.4.3", "TPM Root CA 2112", 0x13), attribute("2.5.4.10", "N"), attribute("2.5.4.6", "TW", 0x13)]
)
CHAIN = ("leaf", "intermediate", "root")
ECDSA_SHA1 = sequence(oid("1.2.840.10045.4.1"))
EARLIER = utc(NOW - 50 * DAY)
LATER = utc(NOW + 50 * DAY)

ACCEPTED: dict[str, Change] = {
    "plain": lambda _: None,
    "an intermediate's critical policies": having("intermediate", x2_5_29_32=ANY_POLICY),
    "a leaf's critical policies": having("leaf", x2_5_29_32=ANY_POLICY),
    "defaults written out": default_written_out,
    "a root's name as one set in the wrong order": change("root", subject=NUVOTON),
    "parameters NULL for ECDSA": change("intermediate", algorithm=sequence(oid("1.2.840.10045.4.3.2"), tlv(5))),
    "a negative serial number": change("leaf", serial=integer(-1234567)),
    "an intermediate's negative serial number": change("intermediate", serial=integer(-1)),
    "the serial number 0": change("leaf", serial=integer(0)),
    "a serial number of 40 bytes": change("leaf", serial=integer(1 << 317)),
    "a length in three bytes": change("leaf", whole=longer(3)),
    "an intermediate's length in four bytes": change("intermediate", whole=longer(4)),
    "no extended key usage": having("leaf", x2_5_29_37=None),
    "a critical extended key usage": having(
        "leaf", x2_5_29_37=extension("2.5.29.37", sequence(oid("2.23.133.8.1")), True)
    ),
    "any extended key usage": having("leaf", x2_5_29_37=extension("2.5.29.37", sequence(oid("2.5.29.37.0")))),
    "two extended key usages": having(
        "leaf", x2_5_29_37=extension("2.5.29.37", sequence(oid("1.3.6.1.4.1.311.21.36"), oid("2.23.133.8.1")))
    ),
    "another extended key usage in an intermediate": having(
        "intermediate", x2_5_29_37=extension("2.5.29.37", sequence(oid("2.23.133.8.3")))
    ),
    "no subjectAltName": having("leaf", x2_5_29_17=None),
    "a subject and a subjectAltName that is not critical": each(
        change("leaf", subject=common("a TPM")),
        having("leaf", x2_5_29_17=extension("2.5.29.17", sequence(tlv(0xA4, tpm_name())))),
    ),
    "an otherName beside the directoryName": having(
        "leaf",
        x2_5_29_17=extension(
            "2.5.29.17",
            sequence(tlv(0xA4, tpm_name()), tlv(0xA0, oid("1.3.6.1.5.5.7.8.4"), tlv(0xA0, HARDWARE_NAME))),
            True,
        ),
    ),
    "no keyUsage in a CA": having("intermediate", x2_5_29_15=None),
    "no basicConstraints in a leaf": having("leaf", x2_5_29_19=None),
    "basicConstraints that are not critical": having(
        "intermediate", x2_5_29_19=extension("2.5.29.19", sequence(boolean(True)))
    ),
    "a path length that suffices": having(
        "intermediate", x2_5_29_19=extension("2.5.29.19", sequence(boolean(True), integer(0)), True)
    ),
    "the end of time": change("leaf", not_after=tlv(0x18, b"99991231235959Z")),
    "GeneralizedTime before 2050": change("leaf", not_after=tlv(0x18, f"{NOW + DAY:%Y%m%d%H%M%SZ}".encode())),
    "key identifiers": identifiers,
    "an authority's name and serial number": having(
        "leaf",
        x2_5_29_35=extension(
            "2.5.29.35", sequence(tlv(0xA1, tlv(0xA4, common("root"))), tlv(0x82, integer(0x1234567890)[2:]))
        ),
    ),
    "a root signed with SHA-1": change("root", algorithm=ECDSA_SHA1, sign=with_sha1),
    "an intermediate signed with SHA-1": change("intermediate", algorithm=ECDSA_SHA1, sign=with_sha1),
    "a root whose own signature is broken": change("root", sign=lambda key, data: sign(key, data + b"x")),
    "a root of version 1": change("root", extensions={}, version=b""),
    "P-384": each(
        change("root", key=P384),
        change("intermediate", algorithm=sequence(oid("1.2.840.10045.4.3.3")), sign=with_sha384),
        change("root", algorithm=sequence(oid("1.2.840.10045.4.3.3")), sign=with_sha384),
    ),
    "P-521": change("intermediate", key=P521),
    "an RSA intermediate": change("intermediate", key=RSA),
    "RSA-PSS": each(change("intermediate", key=RSA), change("leaf", algorithm=PSS, sign=with_pss)),
    "an RSA key without parameters": change("leaf", public=rsa_public(sequence(oid("1.2.840.113549.1.1.1")))),
    "a key for RSA-PSS": change("leaf", public=rsa_public(sequence(oid("1.2.840.113549.1.1.10")))),
    "the RSA of X.509 itself": change("leaf", public=rsa_public(sequence(oid("2.5.8.1.1"), integer(2048)))),
    "a compressed point": change("leaf", key=POINT, public=compressed(POINT)),
    "an issuer's name in another string type": change("leaf", issuer=common("intermediate", 0x13)),
    "an issuer's name in other case and spaces": change("leaf", issuer=common("  INTERMEDIATE ")),
    "a NumericString": change("root", subject=name(attribute("2.5.4.5", "1234", 0x12))),
    "an unknown attribute": change("intermediate", subject=name(attribute("1.2.3.4", "x"))),
    "an empty attribute": change(
        "intermediate", subject=name(attribute("2.5.4.3", ""), attribute("2.5.4.6", "CHE"))
    ),
    "a character that is not assigned": change("intermediate", subject=common("\u0378")),
    "T61String and BMPString": each(
        change("root", subject=common("r\u00f6\u00f6t", 0x14)),
        change("intermediate", subject=common("z\u00e4", 0x1E)),
    ),
}

REFUSED: dict[str, tuple[Change, str]] = {
    "expired": (change("leaf", not_after=EARLIER), "the certificate expired on"),
    "not yet valid": (change("leaf", not_before=LATER), "check the clock"),
    "an expired intermediate": (change("intermediate", not_after=EARLIER), "'CN=intermediate' expired on"),
    "a broken signature": (change("leaf", sign=lambda key, data: sign(key, data + b"x")), "not trusted"),
    "an intermediate's broken signature": (
        change("intermediate", sign=lambda key, data: sign(key, data + b"x")),
        "not trusted",
    ),
    "a CA that is none": (
        having("intermediate", x2_5_29_19=extension("2.5.29.19", sequence(), True)),
        "invalid CA certificate",
    ),
    "a CA without the right to sign": (
        having("intermediate", x2_5_29_15=extension("2.5.29.15", key_usage(6), True)),
        "not trusted",
    ),
    "a CA of version 1": (change("intermediate", extensions={}, version=b""), "invalid CA certificate"),
    "a path that is too long": (
        having("root", x2_5_29_19=extension("2.5.29.19", sequence(boolean(True), integer(0)), True)),
        "path length",
    ),
    "an unknown critical extension": (
        having("leaf", x2_23_133_99=extension("2.23.133.99", sequence(), True)),
        "unhandled critical extension",
    ),
    "an excluded name": (
        each(
            change("leaf", subject=common("a TPM")),
            having(
                "intermediate",
                x2_5_29_30=extension("2.5.29.30", sequence(tlv(0xA0, sequence(tlv(0xA4, common("other"))))), True),
            ),
        ),
        "not trusted",
    ),
    "a key identifier of another CA": (each(identifiers, having("leaf", x2_5_29_35=authority(9))), "not trusted"),
    "explicit parameters of the curve": (
        change("leaf", key=POINT, public=explicit(POINT)),
        "explicit ECC parameters",
    ),
    "explicit parameters in an intermediate": (
        change("intermediate", key=POINT, public=explicit(POINT)),
        "explicit ECC parameters",
    ),
    "another issuer": (change("leaf", issuer=common("somebody")), "issued by 'CN=somebody', which is not among"),
    "another root": (change("intermediate", issuer=common("elsewhere")), "'CN=elsewhere', which is not among"),
}


def made(changed: Change) -> dict[str, bytes]:
    specs = chain()
    changed(specs)
    return {
        "root": Issued(specs["root"], specs["root"]).der,
        "intermediate": Issued(specs["intermediate"], specs["root"]).der,
        "leaf": Issued(specs["leaf"], specs["intermediate"]).der,
    }


def openssl_accepts(tmp_path: Path, ders: dict[str, bytes]) -> bool:
    for who, der in ders.items():
        (tmp_path / f"{who}.pem").write_bytes(pem(der))
    (tmp_path / "ca.pem").write_bytes(pem(ders["root"], ders["intermediate"]))
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", tmp_path / "ca.pem", tmp_path / "leaf.pem"],
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode == 0


def check(ders: dict[str, bytes]) -> list[Certificate]:
    bundle = load_certificates(pem(ders["root"], ders["intermediate"]), "ca.pem")
    assert not bundle.unread
    return verify_chain(load_chain(pem(ders["leaf"]), "leaf.pem")[0], Trust(bundle.certificates))


@pytest.mark.parametrize("quirk", ACCEPTED)
def test_accepted_as_openssl_does(quirk: str, tmp_path: Path) -> None:
    ders = made(ACCEPTED[quirk])
    assert openssl_accepts(tmp_path, ders)
    found = check(ders)
    assert [describe(one) for one in found] == [describe(Certificate(ders[who])) for who in CHAIN]
    for one in found:
        assert describe(one).not_after > "2026"
    assert public_key(found[0])


@pytest.mark.parametrize("quirk", REFUSED)
def test_refused_as_openssl_does(quirk: str, tmp_path: Path) -> None:
    changed, says = REFUSED[quirk]
    ders = made(changed)
    assert not openssl_accepts(tmp_path, ders)
    with pytest.raises(CertificateError, match=says) as refused:
        check(ders)
    harmless = any(word in says for word in ("expired", "clock", "not among"))
    assert isinstance(refused.value, UnusableCertificateError) == harmless


def test_what_openssl_accepts_and_endorsement_keys_must_not_have(tmp_path: Path) -> None:
    md5 = sequence(oid("1.2.840.113549.1.1.4"), tlv(0x05))
    for changed, says in (
        (
            having("leaf", x2_5_29_37=extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.1")))),
            "not an endorsement key certificate",
        ),
        (each(change("intermediate", key=RSA), change("leaf", algorithm=md5, sign=with_md5)), "md5"),
    ):
        ders = made(changed)
        assert openssl_accepts(tmp_path, ders)
        with pytest.raises(CertificateError, match=says):
            check(ders)


@pytest.mark.parametrize("identified", [False, True])
@pytest.mark.parametrize("who", ["intermediate", "root"])
def test_several_cas_of_one_name(who: str, identified: bool) -> None:
    """AMD's roots for RSA and for ECC are both CN=AMDTPM; renewed CAs keep their names."""
    ders = made(identifiers if identified else lambda _: None)
    others = [made(identifiers if identified else lambda _: None)[who] for _ in range(3)]
    for at in range(4):
        given = [*others[:at], ders["root"], ders["intermediate"], *others[at:]]
        trust = Trust(load_certificates(pem(*given), "ca.pem").certificates)
        assert [one.der for one in verify_chain(Certificate(ders["leaf"]), trust)] == [ders[one] for one in CHAIN]
    others += [der for one, der in ders.items() if one not in (who, "leaf")]
    if who == "intermediate":
        with pytest.raises(CertificateError, match="not trusted"):
            verify_chain(Certificate(ders["leaf"]), Trust([Certificate(der) for der in others]))


def test_one_unreadable_certificate_does_not_cost_the_others() -> None:
    ders = made(lambda _: None)
    overlong = made(change("leaf", serial=tlv(0x02, b"\0\0\0\1")))["leaf"]  # as STM's first intermediates have it
    broken = [overlong, ders["root"][:-9], ders["root"][:8] + b"\xff" + ders["root"][9:], b"noise"]
    bundles = [pem(*broken, ders["root"], ders["intermediate"]), pem(ders["root"], *broken, ders["intermediate"])]
    bundles.append(overlong + ders["root"] + ders["intermediate"])
    bundles.append(pem(ders["root"], ders["intermediate"]) + pem(overlong)[:90])
    for bundle in bundles:
        found = load_certificates(bundle, "ca.pem")
        assert {one.der for one in found.certificates} == {ders["root"], ders["intermediate"]}
        assert len(found.unread) in (1, 4)
        assert all("ca.pem cannot be read (" in reason for reason in found.unread)
        assert verify_chain(Certificate(ders["leaf"]), Trust(found.certificates))


@pytest.mark.parametrize("label", ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"])
def test_labels_and_surroundings_of_pem(label: str) -> None:
    ders = made(lambda _: None)
    text = pem(ders["root"], ders["intermediate"], label=label)
    for variant in (
        text,
        b"\xef\xbb\xbf" + text,
        text.replace(b"\n", b"\r\n"),
        b"  " + text.replace(b"\n", b"\n  "),
    ):
        assert [one.der for one in load_certificates(b"subject=x\n" + variant, "it").certificates] == [
            *ders.values()
        ][:2]


def test_a_chain_in_one_file_begins_with_the_leaf() -> None:
    ders = made(lambda _: None)
    for data in (pem(ders["leaf"], ders["intermediate"]), ders["leaf"] + ders["intermediate"] + bytes(9)):
        leaf, others = load_chain(data, "it")
        assert (leaf.der, [one.der for one in others]) == (ders["leaf"], [ders["intermediate"]])
        assert verify_chain(leaf, Trust([Certificate(ders["root"])]), others)
    with pytest.raises(UnusableCertificateError, match="it cannot be read"):
        load_chain(pem(ders["leaf"][:-5], ders["intermediate"]), "it")


@pytest.mark.parametrize("padding", [b"", bytes(700), 700 * b"\xff"])
def test_forms_in_which_tpms_store_certificates(padding: bytes) -> None:
    der = made(lambda _: None)["leaf"]
    header = b"\x10\x01\x00" + (len(der) + 2).to_bytes(2, "big") + b"\x10\x02"
    for stored in (der, octets(der), header + der, der + padding + der):
        assert load_chain(stored + padding, "it")[0].der == der
    assert len(load_chain(der + padding + der + padding, "it")[1]) == 1


def test_there_must_be_a_root_and_what_the_tpm_stores_is_none() -> None:
    ders = {who: Certificate(der) for who, der in made(lambda _: None).items()}
    with pytest.raises(UnusableCertificateError, match="no root among the CA certificates"):
        Trust([ders["intermediate"]])
    other = Certificate(made(change("root", subject=common("other")))["root"])
    with pytest.raises(CertificateError, match=r"not trusted|not among"):
        verify_chain(ders["leaf"], Trust([other]), [ders["intermediate"], ders["root"]])
    assert verify_chain(ders["leaf"], Trust([other, ders["root"]]), [ders["intermediate"]])


def test_trust_can_be_pickled() -> None:
    ders = {who: Certificate(der) for who, der in made(lambda _: None).items()}
    trust = pickle.loads(pickle.dumps(Trust([ders["root"], ders["intermediate"]])))
    assert len(verify_chain(ders["leaf"], trust)) == 3


def test_keys_that_no_endorsement_key_has(tmp_path: Path) -> None:
    # rsaesOaep, as TPM 1.2 has it: OpenSSL does not know it either.
    ders = made(change("leaf", public=rsa_public(sequence(oid("1.2.840.113549.1.1.7"), sequence()))))
    assert not openssl_accepts(tmp_path, ders)
    with pytest.raises(UnusableCertificateError, match="unsupported public key"):
        check(ders)
    with pytest.raises(UnusableCertificateError, match="unsupported public key"):
        public_key(Certificate(ders["leaf"]))
    _, point = public_key(Certificate(made(change("leaf", key=P521))["leaf"]))
    assert isinstance(point, TPMS_ECC_POINT)
    assert len(point.x) == 66
