"""Public keys in PEM and DER as salt keys: read as `cryptography` writes them, pinned by the right template."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from cli.terminal.messages import UsageError
from cli.tpm.pins import hex_name, pin_from
from tpmwire.crypto.formulas import name_of
from tpmwire.crypto.spki import into_template, parse_public_key
from tpmwire.errors import KeyFileError
from tpmwire.keys import templates
from tpmwire.spec.constants import TPM_ECC
from tpmwire.spec.structures import TPMS_ECC_POINT

RSA = rsa.generate_private_key(65537, 2048).public_key()
P256 = ec.generate_private_key(ec.SECP256R1()).public_key()


def encoded(key: object, encoding: Encoding = Encoding.PEM) -> bytes:
    return key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_what_cryptography_writes(encoding: Encoding) -> None:
    numbers = RSA.public_numbers()
    assert parse_public_key(encoded(RSA, encoding)) == (numbers.n.to_bytes(256, "big"), 65537)
    for curve, identifier, size in (
        (ec.SECP256R1(), TPM_ECC.NIST_P256, 32),
        (ec.SECP384R1(), TPM_ECC.NIST_P384, 48),
        (ec.SECP521R1(), TPM_ECC.NIST_P521, 66),
    ):
        key = ec.generate_private_key(curve).public_key()
        point = key.public_numbers()
        expected = TPMS_ECC_POINT(point.x.to_bytes(size, "big"), point.y.to_bytes(size, "big"))
        assert parse_public_key(encoded(key, encoding)) == (identifier, expected)


def test_what_is_no_such_key() -> None:
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    curve = ec.generate_private_key(ec.SECP256K1()).public_key()
    for data in (
        b"",
        b"nonsense",
        encoded(other),
        encoded(curve),
        encoded(RSA)[:100],
        encoded(RSA, Encoding.DER) + b"x",
    ):
        with pytest.raises(KeyFileError, match="not a supported public key"):
            parse_public_key(data)


@given(st.binary(max_size=120))
def test_arbitrary_octets(data: bytes) -> None:
    with pytest.raises(KeyFileError):
        parse_public_key(data)


def test_a_template_takes_the_key_that_fits_it() -> None:
    made = into_template(parse_public_key(encoded(RSA)), templates.ek_rsa())
    assert made is not None
    assert made.replace(unique=templates.ek_rsa().unique) == templates.ek_rsa()
    assert into_template(parse_public_key(encoded(RSA)), templates.ek_ecc()) is None
    assert into_template(parse_public_key(encoded(P256)), templates.ek_rsa()) is None
    small = rsa.generate_private_key(65537, 3072).public_key()
    assert into_template(parse_public_key(encoded(small)), templates.ek_rsa()) is None


def test_pins(tmp_path: Path) -> None:
    """A PEM of an ECC key can be that of several templates: the Name, or @WHERE, says which."""
    (tmp_path / "rsa.pem").write_bytes(encoded(RSA))
    (tmp_path / "ecc.pem").write_bytes(encoded(P256))
    storage = into_template(parse_public_key(encoded(P256)), templates.srk_ecc())
    assert storage is not None
    octets = storage.build()
    (tmp_path / "tpmt").write_bytes(octets)
    (tmp_path / "tpm2b").write_bytes(len(octets).to_bytes(2, "big") + octets)
    name = name_of(storage).hex()
    (tmp_path / "hex").write_text(octets.hex() + "\n")
    for file in ("tpmt", "tpm2b", "hex"):
        pin = pin_from(None, str(tmp_path / file))
        assert pin is not None
        assert (pin.name.hex(), pin.public) == (name, storage)
    pin = pin_from(f"{name}@srk", str(tmp_path / "ecc.pem"))
    assert pin is not None
    assert (pin.public, pin.where) == (storage, "srk")
    with pytest.raises(UsageError, match="the public key matches several templates"):
        pin_from(None, str(tmp_path / "ecc.pem"))
    with pytest.raises(UsageError, match="but --tpm-session-encrypt-with-name is 000b0000"):
        pin_from("000b" + 64 * "0", str(tmp_path / "tpmt"))
    with pytest.raises(UsageError, match="gives this public key the Name 000b0000"):
        pin_from("000b" + 64 * "0", str(tmp_path / "ecc.pem"))
    (tmp_path / "bad").write_bytes(b"\0\x01")
    with pytest.raises(UsageError, match="bad: not a public key: this looks like 2 bytes"):
        pin_from(None, str(tmp_path / "bad"))
    assert pin_from(None, None) is None


@pytest.mark.parametrize("text", ["", "xyz", "000b", "000b00", "00ff" + 64 * "0", "000b" + 66 * "0"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(UsageError, match="is not a valid Name"):
        hex_name("--key-name", text)


def test_a_place_that_is_none() -> None:
    with pytest.raises(UsageError, match="expected a handle or"):
        pin_from("000b" + 64 * "0" + "@nowhere", None)
