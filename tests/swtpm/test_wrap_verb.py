"""An AWS secret from one host to another, and to a fleet: export-public, wrap, import-key, by the command line."""

import base64
import csv
import hmac
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.toolbox import main
from tests.support.ekcert import Maker
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import shell
from tpmwire.errors import TpmError
from tpmwire.keys.keyfile import LOADABLE, parse
from tpmwire.secret import Secret
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYxx"
DATE = b"20261124"
EXPECTED = hmac.digest(b"AWS4" + SECRET.encode(), DATE, "sha256")
HANDLE = 0x81010030

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    made = Maker(tmp_path_factory.mktemp("maker"))
    made.manufacture("target")
    return made


@pytest.fixture(scope="module")
def target(maker: Maker) -> Iterator[Swtpm]:
    """TPM-B, with EK certificates, in which PCR 23 is not zero."""
    with Swtpm("tcp", state=maker.root.parent.parent / "target") as swtpm:
        tpm2(swtpm, "tpm2_pcrextend", "23:sha256=" + 64 * "0")
        yield swtpm


@pytest.fixture
def tool(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a verb with the secret on standard input; gives exit code, stdout and stderr."""

    def run(*words: str | Path, secret: str = SECRET) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(secret.encode())))
        capfd.readouterr()
        code = main([str(word) for word in words])
        return code, *capfd.readouterr()

    return run


def good(run: tuple[int, str, str]) -> str:
    code, out, err = run
    assert code == 0, err
    assert SECRET not in out + err
    return out


PCR23 = "sha256:23=f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"
WAYS: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
    "h2": ("h2", b"", ()),
    "h2, password": ("h2", b"pass word", ()),
    "h2, PCR": ("h2", b"", ("--pcrs", PCR23)),
    "P-384 endorsement key": ("ek-p384", b"", ()),
    "RSA endorsement key": ("ek-rsa", b"", ()),
    "RSA endorsement key, password": ("ek-rsa", b"pass word", ()),
    "RSA endorsement key, PCR": ("ek-rsa", b"", ("--pcrs", PCR23)),
    "RSA endorsement key, PCR and password": ("ek-rsa", b"pass word", ("--pcrs", PCR23)),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_transfer(target: Swtpm, tool: Run, tmp_path: Path, maker: Maker, way: str) -> None:
    kind, password, options = WAYS[way]
    public, wrapped, key = tmp_path / "b.json", tmp_path / "wrapped.pem", tmp_path / "key.pem"
    (tmp_path / "auth").write_bytes(password)
    (tmp_path / "auth").chmod(0o600)
    auth = ("--key-auth-file", tmp_path / "auth") if password else ()
    public.write_text(good(tool("export-public", "--tpm-path", target.path, "--key", kind)))
    trust = ("--ca", maker.root, maker.issuer) if kind.startswith("ek-") else ()
    good(tool("wrap", "--to", public, "--out", wrapped, *auth, *options, *trust))
    good(
        tool(
            *("import-key", wrapped, "--tpm-path", target.path, *auth),
            *("--out", key, "--persistent-handle", f"{HANDLE:#x}"),
        )
    )
    loadable = parse(key.read_bytes())
    assert loadable.type == LOADABLE
    assert wrapped.stat().st_mode & 0o777 == key.stat().st_mode & 0o777 == 0o600
    try:
        with Tpm.open(target.path, 20) as tpm:
            use: dict[str, Any] = {"auth": Secret(password), "ek_parent": kind.startswith("ek-")}
            assert HmacKey(file=loadable, **use).hmac(tpm, DATE) == EXPECTED
    finally:
        tpm2(target, "tpm2_evictcontrol", "-C", "o", "-c", f"{HANDLE:#x}")


@pytest.mark.parametrize("form", ["DER", "PEM", "base64"])
@pytest.mark.parametrize("index", [0x01C00002, 0x01C00016])
def test_to_an_endorsement_keys_certificate(
    target: Swtpm, tool: Run, tmp_path: Path, maker: Maker, index: int, form: str
) -> None:
    """The certificate is the public key, and is checked like one that `export-public` printed."""
    data = tpm2(target, "nvread", f"{index:#x}", "-C", "o")
    body = base64.encodebytes(data).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"
    certificate, wrapped = tmp_path / "ek.cer", tmp_path / "w.pem"
    certificate.write_bytes({"DER": data, "PEM": pem.encode(), "base64": body.encode()}[form])
    where = ("--to", certificate, "--out", wrapped)
    good(tool("wrap", *where, "--ca", maker.root, maker.issuer))
    assert parse(wrapped.read_bytes()).parent == {0x01C00002: 0x81010001, 0x01C00016: 0x81010016}[index]
    good(tool("import-key", wrapped, "--tpm-path", target.path, "--out", tmp_path / "key.pem"))
    with Tpm.open(target.path, 20) as tpm:
        assert HmacKey(file=parse((tmp_path / "key.pem").read_bytes())).hmac(tpm, DATE) == EXPECTED
    assert tool("wrap", *where, "--force", "--ca", maker.root)[0] == 2  # the issuer is missing


def test_without_the_right_pcr_value_the_key_is_not_usable(target: Swtpm, tool: Run, tmp_path: Path) -> None:
    public, wrapped = tmp_path / "b.json", tmp_path / "wrapped.pem"
    public.write_text(good(tool("export-public", "--tpm-path", target.path)))
    good(tool("wrap", "--to", public, "--out", wrapped, "--pcrs", "23"))
    code, _, err = tool("import-key", wrapped, "--tpm-path", target.path, "--out", tmp_path / "k.pem")
    assert code == 4
    assert "another PCR value" in err or "PCR values differ" in err or "TPM_RC_VALUE" in err
    assert not (tmp_path / "k.pem").exists()


def test_what_is_wrong_with_a_target_is_said(target: Swtpm, tool: Run, tmp_path: Path, maker: Maker) -> None:
    exported = json.loads(good(tool("export-public", "--tpm-path", target.path, "--key", "ek-rsa")))
    other = Maker(tmp_path / "other")
    other.manufacture("x")
    good_ca, bad_ca = ("--ca", maker.root, maker.issuer), ("--ca", other.root, other.issuer)
    changed = exported["public"][:-2] + f"{int(exported['public'][-2:], 16) ^ 1:02x}"
    for fields, options, code, says in (
        ({"name": "000b" + 64 * "0"}, (), 2, "the Name does not match"),
        ({"public": changed}, (), 2, "the Name does not match"),
        ({"public": changed, "name": None}, good_ca, 2, "does not match the host's key"),
        ({"kind": "ek-ecc"}, (), 2, "this public key is not of kind ek-ecc"),
        ({"public": "zz"}, (), 2, "hex"),
        ({}, bad_ca, 2, "certificate"),
        ({"certificate": None}, good_ca, 2, "no EK certificate"),
    ):
        (tmp_path / "t.json").write_text(json.dumps({**exported, **fields}))
        found, _, err = tool("wrap", "--to", tmp_path / "t.json", "--out", tmp_path / "k.pem", *options)
        assert (found, says in err) == (code, True), err
        assert not (tmp_path / "k.pem").exists()


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ("", "the secret is empty"),
        ("AWS4AWS4" + SECRET, "twice"),
        ("with blank", "spaces"),
        ("two\nlines", "spaces"),
        (200 * "x", "200 characters"),
        ("sécret", "spaces"),
    ],
)
def test_what_is_no_secret(target: Swtpm, tool: Run, tmp_path: Path, secret: str, says: str) -> None:
    (tmp_path / "b.json").write_text(good(tool("export-public", "--tpm-path", target.path)))
    code, _, err = tool("wrap", "--to", tmp_path / "b.json", "--out", tmp_path / "k.pem", secret=secret)
    assert (code, says in err) == (2, True), err


def test_a_fleet(target: Swtpm, tool: Run, tmp_path: Path) -> None:
    """Good hosts get their files whatever the bad ones are; a cut run goes on; each form of list works."""
    exported = json.loads(good(tool("export-public", "--tpm-path", target.path)))
    hosts = [{**exported, "host": f"host-{number}"} for number in range(100)]
    lines = [json.dumps(host) for host in hosts] + ['{"host": "bad", "public": "00"}', "garbage", ""]
    (tmp_path / "hosts.jsonl").write_text("\n".join(lines))
    out = tmp_path / "out"
    code, _, err = shell(
        "wrap", "--fleet", tmp_path / "hosts.jsonl", "--out", out, "--jobs", "2", stdin=SECRET.encode()
    )
    assert code == 1
    assert "100 of 102 hosts wrapped" in err
    assert "bad: " in err
    assert len(list(out.glob("*.pem"))) == 100
    with Tpm.open(target.path, 20) as tpm:
        file = parse((out / "host-7.pem").read_bytes())
        assert HmacKey(file=file).hmac(tpm, DATE) == EXPECTED

    manifest = out / "manifest.jsonl"
    entries = [json.loads(line) for line in manifest.read_text().splitlines()]
    assert sum("error" in entry for entry in entries) == 2
    before = (out / "host-1.pem").read_bytes()
    (out / "host-3.pem").unlink()
    manifest.write_text(manifest.read_text()[:-20])
    assert tool("wrap", "--fleet", tmp_path / "hosts.jsonl", "--out", out)[0] == 2
    code, _, err = tool("wrap", "--fleet", tmp_path / "hosts.jsonl", "--out", out, "--resume")
    assert "hosts are done already" in err
    assert len(list(out.glob("*.pem"))) == 100
    assert (out / "host-1.pem").read_bytes() == before

    (tmp_path / "dir").mkdir()
    for host in hosts[:3]:
        (tmp_path / "dir" / f"{host['host']}.json").write_text(json.dumps(host))
    good(tool("wrap", "--fleet", tmp_path / "dir", "--out", tmp_path / "out2"))
    assert len(list((tmp_path / "out2").glob("*.pem"))) == 3

    with open(tmp_path / "hosts.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["host", "kind", "public", "secret"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**host, "secret": f"{number:040}"} for number, host in enumerate(hosts[:3]))
    good(tool("wrap", "--fleet", tmp_path / "hosts.csv", "--out", tmp_path / "out3", secret=""))
    with Tpm.open(target.path, 20) as tpm:
        file = parse((tmp_path / "out3" / "host-2.pem").read_bytes())
        own = hmac.digest(b"AWS4" + f"{2:040}".encode(), DATE, "sha256")
        assert HmacKey(file=file).hmac(tpm, DATE) == own


def test_a_fleets_host_with_values_of_its_own(target: Swtpm, tool: Run, tmp_path: Path) -> None:
    """Its own secret, password and PCR values, tried on its TPM."""
    exported = json.loads(good(tool("export-public", "--tpm-path", target.path)))
    own, password = SECRET[::-1], tmp_path / "password"
    password.write_text("its own")
    password.chmod(0o600)
    host = {**exported, "host": "own", "secret": own, "password_file": str(password), "pcrs": PCR23}
    (tmp_path / "hosts.jsonl").write_text(json.dumps(host))
    good(tool("wrap", "--fleet", tmp_path / "hosts.jsonl", "--out", tmp_path / "out"))
    words = ("import-key", tmp_path / "out" / "own.pem", "--tpm-path", target.path, "--out", tmp_path / "own.pem")
    good(tool(*words, "--key-auth-file", password))
    file = parse((tmp_path / "own.pem").read_bytes())
    with Tpm.open(target.path, 20) as tpm:
        key = HmacKey(file=file, auth=Secret(b"its own"))
        assert key.hmac(tpm, DATE) == hmac.digest(b"AWS4" + own.encode(), DATE, "sha256")
        with pytest.raises(TpmError):
            HmacKey(file=file, auth=Secret(b"another")).hmac(tpm, DATE)
