"""`tpmwire ek`: EK certificates of a real local CA in a real TPM, and everything that can be wrong with them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from cli.toolbox import main
from cli.tpm.pins import pin_from
from tests.support.ekcert import Maker, write_nv
from tests.support.guess import unsalted
from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tpmwire.channel import Loaded, create_primary, protected_sessions, read_loaded
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import SessionError, TpmError
from tpmwire.keys import templates
from tpmwire.spec.commands.capability import GetCapability
from tpmwire.spec.commands.random import GetRandom
from tpmwire.spec.constants import TPM_ALG, TPM_CAP, TPM_RH, TPM_SE, TPMA_OBJECT
from tpmwire.spec.structures import TPMS_ECC_POINT, TPMT_PUBLIC
from tpmwire.tpm import Tpm
from tpmwire.use.endorsement import prove

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    made = Maker(tmp_path_factory.mktemp("maker"))
    made.manufacture("one")
    return made


@pytest.fixture(scope="module")
def state(maker: Maker) -> Path:
    return maker.root.parent.parent / "one"


@pytest.fixture
def ek(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs the verb; gives its exit code, stdout and stderr."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(["ek", *map(str, words)])
        return code, *capfd.readouterr()

    return run


def trust(maker: Maker) -> tuple[str | Path, ...]:
    return ("--ca", maker.root, maker.issuer)


def rows(run: tuple[int, str, str]) -> dict[str, dict[str, Any]]:
    """The rows of a run that succeeded, by template."""
    code, out, err = run
    assert code == 0, err
    return {row["template"]: row for row in json.loads(out)}


def held(path: str) -> list[int]:
    """Handles of transient objects and of sessions in the TPM."""
    with Tpm.open(path, 30) as tpm:
        found: list[int] = []
        for first in (0x80000000, 0x02000000, 0x03000000):
            data = tpm.execute(GetCapability(TPM_CAP.HANDLES, first, 16)).capability_data.data
            found += [handle for handle in data if isinstance(handle, int)]
        return found


def own(path: str, template: TPMT_PUBLIC) -> TPMT_PUBLIC:
    """The public area of the endorsement key that this TPM makes from a template."""
    with Tpm.open(path, 30) as tpm:
        return create_primary(tpm, TPM_RH.ENDORSEMENT, template).public


def as_key(public: TPMT_PUBLIC) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    if isinstance(public.unique, TPMS_ECC_POINT):
        x, y = (int.from_bytes(number, "big") for number in (public.unique.x, public.unique.y))
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    return rsa.RSAPublicNumbers(65537, int.from_bytes(public.unique, "big")).public_key()


def test_rsa_and_ecc_certificates_give_the_names_that_the_tpm_has(
    maker: Maker, state: Path, ek: Run, tmp_path: Path
) -> None:
    with Swtpm(state=state) as swtpm:
        found = rows(ek("--tpm-path", swtpm.path, "--json", *trust(maker)))
        for template, handle in (("L-1", "0x81010001"), ("H-3", "0x81010016")):
            tpm2(swtpm, "readpublic", "-c", handle, "-n", tmp_path / "name")
            row = found[template]
            assert row["name"] == (tmp_path / "name").read_bytes().hex()
            assert row["pin"] == f"{row['name']}@{handle}"
            assert row["verified"]
            assert row["chain"] == ["CN=one", "CN=swtpm-localca", "CN=swtpm-localca-rootca"]
            assert row["tpm"]["model"] == "swtpm"
        assert held(swtpm.path) == []


def test_keys_that_are_not_persistent_are_made_and_given_back(maker: Maker, state: Path, ek: Run) -> None:
    with Swtpm(state=state) as swtpm:
        before = rows(ek("--tpm-path", swtpm.path, "--json", *trust(maker)))
        for handle in ("0x81010001", "0x81010016"):
            tpm2(swtpm, "evictcontrol", "-c", handle)
        after = rows(ek("--tpm-path", swtpm.path, "--json", *trust(maker)))
        for template in ("L-1", "H-3"):
            assert after[template]["name"] == before[template]["name"]
            assert after[template]["handle"] is None
        assert after["L-1"]["pin"] == f"{after['L-1']['name']}@ek-rsa"
        assert after["H-3"]["pin"] is None
        assert held(swtpm.path) == []


def test_a_key_is_made_under_the_endorsement_password(maker: Maker, state: Path, ek: Run, tmp_path: Path) -> None:
    """In a salted session: neither the password nor what it could be guessed from crosses the bus."""
    password = tmp_path / "endorsement"
    password.touch(0o600)
    password.write_text("271828")
    with Swtpm(state=state) as swtpm, Interposer(swtpm.path) as bus:
        for handle in ("0x81010001", "0x81010016"):
            tpm2(swtpm, "evictcontrol", "-c", handle)
        tpm2(swtpm, "changeauth", "-c", "endorsement", "271828")
        code, _, err = ek("--tpm-path", bus.path, "--json", *trust(maker))
        assert (code, "TPM_RC_BAD_AUTH" in err) == (4, True)
        bus.clear()
        found = rows(ek("--tpm-path", bus.path, "--json", *trust(maker), "--parent-auth-file", password))
        assert found["L-1"]["handle"] is None
        assert list(unsalted(bus.dialogue)) == []
        assert held(swtpm.path) == []


def test_what_is_printed_to_pin_opens_sessions_and_on_another_tpm_none(
    maker: Maker, state: Path, ek: Run, tmp_path: Path
) -> None:
    with Swtpm(state=state) as swtpm, Swtpm() as other:
        persistent = rows(ek("--tpm-path", swtpm.path, "--json", *trust(maker)))
        for handle in ("0x81010001", "0x81010016"):
            tpm2(other, "createek", "-G", "ecc", "-c", handle, "-u", tmp_path / "ek.pub")
        for row in persistent.values():
            pin = pin_from(row["pin"], None)
            with Tpm.open(swtpm.path, 30) as tpm:
                (session,) = protected_sessions(tpm, [TPM_SE.HMAC], pin=pin)
                assert tpm.execute(GetRandom(8), session.use(encrypt=True)).random_bytes
            with Tpm.open(other.path, 30) as tpm, pytest.raises(SessionError, match="a different TPM"):
                protected_sessions(tpm, [TPM_SE.HMAC], pin=pin)
        tpm2(swtpm, "evictcontrol", "-c", "0x81010001")
        made = rows(ek("--tpm-path", swtpm.path, "--json", *trust(maker)))["L-1"]
        with Tpm.open(swtpm.path, 30) as tpm:
            assert protected_sessions(tpm, [TPM_SE.HMAC], pin=pin_from(made["pin"], None))


def test_the_text_names_the_chain_and_says_when_nothing_vouches(maker: Maker, state: Path, ek: Run) -> None:
    with Swtpm(state=state) as swtpm:
        code, out, err = ek("--tpm-path", swtpm.path, *trust(maker))
        assert (code, err) == (0, "")
        assert "CN=swtpm-localca-rootca <- CN=swtpm-localca <- CN=one" in out
        code, out, err = ek("--tpm-path", swtpm.path)
        assert code == 0
        assert "NOT VERIFIED" in out
        assert "--ca" in err
        assert not any(row["verified"] for row in rows(ek("--tpm-path", swtpm.path, "--json")).values())


def test_another_makers_ca_of_the_same_name_is_refused(state: Path, ek: Run, tmp_path: Path) -> None:
    impostor = Maker(tmp_path / "impostor")
    impostor.manufacture("another")
    with Swtpm(state=state) as swtpm:
        code, out, err = ek("--tpm-path", swtpm.path, *trust(impostor))
        assert (code, out) == (8, "")
        assert "not trusted" in err
        assert len(err.splitlines()) == 2  # one line for each certificate


def test_missing_parts_of_the_chain_are_named(maker: Maker, state: Path, ek: Run) -> None:
    with Swtpm(state=state) as swtpm:
        code, out, err = ek("--tpm-path", swtpm.path, "--ca", maker.root)
        assert (code, out) == (4, "")
        assert "issued by 'CN=swtpm-localca', which is not among the given CA certificates" in err
        code, out, err = ek("--tpm-path", swtpm.path, "--ca", maker.issuer)
        assert (code, out) == (2, "")
        assert "no root" in err


def test_intermediates_that_the_tpm_stores_complete_the_chain_but_are_no_roots(
    maker: Maker, state: Path, ek: Run
) -> None:
    chain = b"".join(
        x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.DER)
        for path in (maker.issuer, maker.root)
    )
    with Swtpm(state=state) as swtpm:
        write_nv(swtpm.path, 0x01C00100, chain[:1000])
        write_nv(swtpm.path, 0x01C00101, chain[1000:])
        assert rows(ek("--tpm-path", swtpm.path, "--json", "--ca", maker.root))["L-1"]["verified"]
        code, out, err = ek("--tpm-path", swtpm.path, "--ca", maker.issuer)
        assert (code, out) == (2, "")
        assert "no root" in err


def test_a_bit_changed_anywhere_in_the_certificate_is_refused(
    maker: Maker, state: Path, ek: Run, tmp_path: Path
) -> None:
    with Swtpm(state=state) as swtpm:
        genuine = tpm2(swtpm, "nvread", "0x1c00016")
        file = tmp_path / "ek.der"
        file.write_bytes(genuine)
        assert rows(ek("--tpm-path", swtpm.path, "--cert", file, "--json", *trust(maker)))["H-3"]["verified"]
        for place in range(0, len(genuine), 29):
            file.write_bytes(genuine[:place] + bytes([genuine[place] ^ 1]) + genuine[place + 1 :])
            code, out, err = ek("--tpm-path", swtpm.path, "--cert", file, *trust(maker))
            assert (code, out) == (2, ""), (place, err)
            assert len(err.splitlines()) == 1, err


def test_a_ca_in_place_of_a_tpm_is_the_users_mistake(maker: Maker, state: Path, ek: Run) -> None:
    with Swtpm(state=state) as swtpm:
        code, out, err = ek("--tpm-path", swtpm.path, "--cert", maker.issuer)
    told = f"tpmwire: {maker.issuer} is the certificate of a CA, not of a TPM; give it with --ca\n"
    assert (code, out, err) == (2, "", told)


def test_the_certificate_of_another_tpm_is_refused(maker: Maker, state: Path, ek: Run, tmp_path: Path) -> None:
    with Swtpm(state=state) as one:
        for index in ("0x1c00002", "0x1c00016"):
            (tmp_path / index).write_bytes(tpm2(one, "nvread", index))
    with Swtpm() as other:
        for index, tried in (("0x1c00002", "L-1 and H-1"), ("0x1c00016", "H-3")):
            code, out, err = ek("--tpm-path", other.path, "--cert", tmp_path / index, *trust(maker))
            assert (code, out) == (2, "")
            assert "belongs to a different TPM" in err
            assert tried in err
        assert held(other.path) == []


def test_a_forged_certificate_in_the_tpm_is_an_alarm(maker: Maker, ek: Run, tmp_path: Path) -> None:
    """Exit code 8, unlike for a file; an expired one is no forgery."""
    with Swtpm() as one, Swtpm() as other:
        key = as_key(own(one.path, templates.ek_ecc()))
        write_nv(other.path, 0x01C0000A, maker.certify(key))
        code, out, err = ek("--tpm-path", other.path, *trust(maker))
        assert (code, out, "belongs to a different TPM" in err) == (8, "", True)
        genuine = bytearray(maker.certify(key))
        genuine[-1] ^= 1
        write_nv(one.path, 0x01C0000A, bytes(genuine))
        code, out, err = ek("--tpm-path", one.path, *trust(maker))
        assert (code, out, "not trusted" in err) == (8, "", True)
    with Swtpm() as late:
        key = as_key(own(late.path, templates.ek_ecc()))
        write_nv(late.path, 0x01C0000A, maker.certify(key, days=(-10, -2)))
        code, out, err = ek("--tpm-path", late.path, *trust(maker))
        assert (code, out, "expired on" in err) == (4, "", True)


def test_a_tpm_without_certificates_says_so(ek: Run) -> None:
    with Swtpm() as swtpm:
        code, out, err = ek("--tpm-path", swtpm.path)
        assert (code, out) == (4, "")
        assert "stores no EK certificate" in err


@pytest.mark.parametrize("padding", [b"", bytes(300), b"\xff" * 700])
def test_a_low_range_p256_certificate_with_an_empty_subject_and_padding(
    maker: Maker, state: Path, ek: Run, padding: bytes
) -> None:
    with Swtpm(state=state) as swtpm:
        public = own(swtpm.path, templates.ek_ecc())
        write_nv(swtpm.path, 0x01C0000A, maker.certify(as_key(public)) + padding)
        row = rows(ek("--tpm-path", swtpm.path, "--json", *trust(maker)))["L-2"]
        assert row["name"] == name_of(public).hex()
        assert row["pin"] == f"{row['name']}@ek-ecc"
        assert row["subject"] == ""
        assert row["tpm"] == {"manufacturer": "id:54455354"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"days": (-10, -2)}, "expired on 20"),
        ({"days": (2, 10)}, "check the clock"),
        ({"usage": ExtendedKeyUsageOID.SERVER_AUTH}, "not an endorsement key certificate"),
        ({"usage": ExtendedKeyUsageOID.CLIENT_AUTH}, "not an endorsement key certificate"),
    ],
)
def test_a_certificate_out_of_its_time_or_for_another_use_is_refused(
    maker: Maker, ek: Run, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    with Swtpm() as swtpm:
        file = tmp_path / "ek.der"
        key = as_key(own(swtpm.path, templates.ek_ecc()))
        file.write_bytes(maker.certify(key, subject="good"))
        assert "L-2" in rows(ek("--tpm-path", swtpm.path, "--cert", file, "--json", *trust(maker)))
        file.write_bytes(maker.certify(key, subject="bad", **change))
        code, out, err = ek("--tpm-path", swtpm.path, "--cert", file, *trust(maker))
        assert (code, out) == (2, "")
        assert reason in err
        assert len(err.splitlines()) == 1


def test_a_file_with_its_chain_in_pem(maker: Maker, ek: Run, tmp_path: Path) -> None:
    with Swtpm() as swtpm:
        certificate = x509.load_der_x509_certificate(maker.certify(as_key(own(swtpm.path, templates.ek_rsa()))))
        file = tmp_path / "ek.pem"
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + maker.issuer.read_bytes())
        row = rows(ek("--tpm-path", swtpm.path, "--cert", file, "--json", "--ca", maker.root))["L-1"]
        assert len(row["chain"]) == 3


def test_a_broken_index_does_not_hide_a_good_one(maker: Maker, state: Path, ek: Run) -> None:
    with Swtpm(state=state) as swtpm:
        write_nv(swtpm.path, 0x01C0000A, b"no certificate")
        code, out, err = ek("--tpm-path", swtpm.path, *trust(maker))
        assert code == 4
        assert "0x01c0000a: it contains no certificate in PEM or DER" in err
        assert "template L-1" in out
        assert "template H-3" in out


def test_the_vendors_template_and_nonce_make_another_key(maker: Maker, ek: Run) -> None:
    nonce = bytes(range(1, 33))
    vendors = templates.ek_ecc().replace(
        object_attributes=templates.ek_ecc().object_attributes | TPMA_OBJECT.NO_DA
    )
    with Swtpm() as swtpm:
        public = own(swtpm.path, vendors.replace(unique=TPMS_ECC_POINT(nonce, bytes(32))))
        write_nv(swtpm.path, 0x01C0000A, maker.certify(as_key(public)))
        code, _, err = ek("--tpm-path", swtpm.path, *trust(maker))
        assert code == 8
        assert "belongs to a different TPM" in err
        write_nv(swtpm.path, 0x01C0000B, nonce)
        write_nv(swtpm.path, 0x01C0000C, vendors.build())
        assert rows(ek("--tpm-path", swtpm.path, "--json", *trust(maker)))["L-2"]["name"] == name_of(public).hex()


def test_a_template_whose_keys_could_leave_the_tpm_is_refused(maker: Maker, ek: Run) -> None:
    template = templates.ek_ecc()
    loose = template.replace(object_attributes=template.object_attributes & ~TPMA_OBJECT.RESTRICTED)
    with Swtpm() as swtpm:
        write_nv(swtpm.path, 0x01C0000A, maker.certify(as_key(own(swtpm.path, template))))
        write_nv(swtpm.path, 0x01C0000C, loose.build())
        code, out, err = ek("--tpm-path", swtpm.path, *trust(maker))
        assert (code, out) == (8, "")
        assert "do not trust this TPM" in err


@pytest.mark.parametrize("handle", [0x81010001, 0x81010016])
def test_who_does_not_have_the_private_key_fails_the_proof(state: Path, handle: int) -> None:
    with Swtpm(state=state) as one, Tpm.open(one.path, 30) as tpm:
        genuine = read_loaded(tpm, handle)
        prove(tpm, genuine)
    with Swtpm() as other, Tpm.open(other.path, 30) as tpm:
        template = templates.ek_rsa() if genuine.public.type == TPM_ALG.RSA else templates.ek_ecc()
        impostor = create_primary(tpm, TPM_RH.ENDORSEMENT, template)
        with pytest.raises((TpmError, SessionError)):
            prove(tpm, Loaded(impostor.handle, genuine.name, genuine.public))


def test_nothing_is_asked_of_the_tpm_when_a_file_is_missing_or_no_certificate(ek: Run, tmp_path: Path) -> None:
    nowhere = tmp_path / "no such TPM"
    code, out, err = ek("--tpm-path", nowhere, "--ca", tmp_path / "missing.pem")
    assert (code, out) == (2, "")
    assert "missing.pem" in err
    (tmp_path / "text.pem").write_text("hello")
    code, out, err = ek("--tpm-path", nowhere, "--ca", tmp_path / "text.pem")
    assert (code, out) == (2, "")
    assert "contains no certificate" in err
