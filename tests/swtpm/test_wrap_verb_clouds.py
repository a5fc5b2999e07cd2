"""`wrap` for virtual machines, whose public keys AWS and Google return as JSON."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.ekcert import write_nv
from tests.support.swtpm import Swtpm
from tests.support.verbs import Tool
from tests.support.wrapped_keys import SECRET, good, takes_in, wrapped_to
from tpmwire.crypto.formulas import name_of
from tpmwire.keys import templates
from tpmwire.keys.keyfile import parse
from tpmwire.primary import create_primary
from tpmwire.spec.constants import TPM_RH, TPMA_OBJECT
from tpmwire.spec.structures import TPMS_ECC_POINT, TPMT_PUBLIC
from tpmwire.tpm import Tpm
from tpmwire.use import parents

pytestmark = pytest.mark.usefixtures("storage_root_key")


def alone(public: TPMT_PUBLIC, encoding: Encoding = Encoding.PEM) -> bytes:
    """The public key of a public area, as `cryptography` writes it."""
    unique = public.unique
    if isinstance(unique, bytes):
        key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey = rsa.RSAPublicNumbers(
            65537, int.from_bytes(unique, "big")
        ).public_key()
    else:
        assert isinstance(unique, TPMS_ECC_POINT)
        x, y = (int.from_bytes(one, "big") for one in (unique.x, unique.y))
        curve = ec.SECP256R1() if len(unique.x) == 32 else ec.SECP384R1()
        key = ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
    return key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("format", ["tpmt", "der"])
@pytest.mark.parametrize(("type", "kind"), [("rsa-2048", "ek-rsa"), ("ecc-sec-p384", "ek-p384")])
def test_what_aws_says_of_an_instance(
    shared_swtpm: Swtpm,
    tool: Tool,
    tmp_path: Path,
    public_areas: dict[str, TPMT_PUBLIC],
    type: str,
    kind: str,
    format: str,
) -> None:
    public = public_areas[kind]
    value = public.build() if format == "tpmt" else alone(public, Encoding.DER)
    text = base64.encodebytes(value).decode()  # with ends of lines, as in the documentation's examples
    said = {"InstanceId": "i-0123", "KeyFormat": format, "KeyType": type, "KeyValue": text}
    (tmp_path / "ek.json").write_text(json.dumps(said, indent=4).replace("\\n", "\n    "))
    wrapped, _ = wrapped_to(tool, tmp_path / "ek.json")
    assert takes_in(shared_swtpm, tool, wrapped).parent == parents.PARENTS[kind].parent
    (tmp_path / "windows.json").write_text(json.dumps(said), encoding="utf-16")  # PowerShell's >
    takes_in(shared_swtpm, tool, wrapped_to(tool, tmp_path / "windows.json")[0])
    (tmp_path / "mark.json").write_text(json.dumps([said]), encoding="utf-8-sig")
    takes_in(shared_swtpm, tool, wrapped_to(tool, tmp_path / "mark.json")[0])
    (tmp_path / "value.txt").write_text(text)  # --query KeyValue --output text
    takes_in(shared_swtpm, tool, wrapped_to(tool, tmp_path / "value.txt")[0])


@pytest.mark.parametrize("choose", [(), ("--to-key", "ek-rsa"), ("--to-key", "ek-ecc")])
def test_what_google_says_of_an_instance(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, public_areas: dict[str, TPMT_PUBLIC], choose: tuple[str, ...]
) -> None:
    keys = {kind: alone(public_areas[kind]).decode() for kind in ("ek-rsa", "ek-ecc", "srk")}
    said = {
        "kind": "compute#shieldedInstanceIdentity",
        "signingKey": {"ekPub": keys["srk"]},
        "encryptionKey": {"ekPub": keys["ek-rsa"]},
        "eccP256SigningKey": {"ekPub": keys["srk"]},
        "eccP256EncryptionKey": {"ekPub": keys["ek-ecc"], "ekCert": ""},
    }
    (tmp_path / "ek.json").write_text(json.dumps(said))
    wrapped, _ = wrapped_to(tool, tmp_path / "ek.json", *choose)
    kind = choose[1] if choose else "ek-ecc"
    assert takes_in(shared_swtpm, tool, wrapped).parent == parents.PARENTS[kind].parent


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not valid JSON"),
        ("{}\n{}\n", "wrap for many hosts with `tpmwire wrap --fleet`"),
        ("[1, 2]", "expected a JSON object"),
        ('{"a": 1}', "unrecognized JSON (fields: 'a'); expected JSON printed by `tpmwire export-public`"),
        ("{}", "(fields: none)"),
        ('{"key": "-----BEGIN TSS2 PRIVATE KEY-----", "parentName": "00"}', "already wrapped key"),
        ('{"KeyValue": "AAAA"}', "not a public key"),
        ('{"public": "00"}', "not a public key"),
        ('{"public": "00", "kind": "x"}', "'x' is not a kind of key"),
    ],
)
def test_json_of_something_else(tool: Tool, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t.json").write_text(text)
    ran = tool("wrap", "--to", tmp_path / "t.json", "--out", tmp_path / "o", stdin=SECRET)
    assert (ran.code, says in ran.err, ran.err.count("\n")) == (2, True, 1), ran.err


def test_a_fleet_of_clouds(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, public_areas: dict[str, TPMT_PUBLIC]
) -> None:
    """A directory of what the clouds' programs print, and public keys of other forms in our own fields."""
    hosts = tmp_path / "hosts"
    hosts.mkdir()
    value = base64.b64encode(public_areas["ek-p384"].build()).decode()
    for name, fields in {
        "aws": {"InstanceId": "i-0", "KeyFormat": "tpmt", "KeyType": "ecc-sec-p384", "KeyValue": value},
        "google": {"eccP256EncryptionKey": {"ekPub": alone(public_areas["ek-ecc"]).decode()}},
        "pem": {"public": alone(public_areas["ek-ecc"]).decode(), "kind": "ek-ecc"},
        "base64": {"public": base64.b64encode(public_areas["h2"].build()).decode()},
    }.items():
        (hosts / f"{name}.json").write_text(json.dumps(fields))
    words = ("wrap", "--fleet", hosts, "--out", tmp_path / "out")
    good(tool(*words, stdin=SECRET))
    before = (tmp_path / "out" / "aws.pem").read_bytes()
    for name in ("aws", "google", "pem", "base64"):
        takes_in(shared_swtpm, tool, tmp_path / "out" / f"{name}.pem")
    good(tool(*words, "--resume", stdin=SECRET))
    assert (tmp_path / "out" / "aws.pem").read_bytes() == before
    # Another machine of this name: wrapped for again.
    value = base64.b64encode(public_areas["ek-rsa"].build()).decode()
    (hosts / "aws.json").write_text(json.dumps({"InstanceId": "i-1", "KeyValue": value}))
    good(tool(*words, "--resume", stdin=SECRET))
    assert parse((tmp_path / "out" / "aws.pem").read_bytes()).parent == 0x81010001


def test_a_nonce_and_a_template_of_the_tpms_maker(tool: Tool, tmp_path: Path) -> None:
    """With it the endorsement key is another one, and that is the one that its certificate is for."""
    nonce = bytes(range(1, 33))
    template = templates.ek_ecc()
    template = template.replace(unique=TPMS_ECC_POINT(nonce, bytes(32)))
    with Swtpm() as other:
        write_nv(other.path, 0x01C0000B, nonce)
        with Tpm.open(other.path, 20) as tpm:
            public = create_primary(tpm, TPM_RH.ENDORSEMENT, template).public
            assert public != create_primary(tpm, TPM_RH.ENDORSEMENT, templates.ek_ecc()).public
        (tmp_path / "ek.pem").write_bytes(alone(public))
        wrapped, _ = wrapped_to(tool, tmp_path / "ek.pem")
        assert takes_in(other, tool, wrapped).parent == 0x81010002
        (tmp_path / "ek.json").write_text(tool("export-public", "--key", "ek-ecc", "--tpm-path", other.path).out)
        assert name_of(public).hex() in (tmp_path / "ek.json").read_text()
        takes_in(other, tool, wrapped_to(tool, tmp_path / "ek.json")[0])
        # A template of the maker's own, too: the public area is of no known kind.
        vendors = templates.ek_ecc().replace(
            object_attributes=templates.ek_ecc().object_attributes | TPMA_OBJECT.NO_DA
        )
        write_nv(other.path, 0x01C0000C, vendors.build())
        (tmp_path / "ek.json").write_text(tool("export-public", "--key", "ek-ecc", "--tpm-path", other.path).out)
        assert json.loads((tmp_path / "ek.json").read_text())["kind"] == "other"
        assert takes_in(other, tool, wrapped_to(tool, tmp_path / "ek.json")[0]).parent == 0x81010002
