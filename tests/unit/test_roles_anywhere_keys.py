"""Keys and certificate requests for IAM Roles Anywhere, with a soft TPM whose state is in a file."""

import json
from pathlib import Path

import pytest

from tests.support.verbs import Tool
from tpmwire.crypto.formulas import name_of
from tpmwire.crypto.public_key_formats import to_pem
from tpmwire.keys.keyfile import parse
from tpmwire.spec.constants import TPMA_OBJECT

MADE_IN_TPM = TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN
HANDLE = "0x81010050"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return f"soft:{tmp_path / 'state'}"


@pytest.mark.parametrize(
    ("options", "attributes"),
    [
        ((), TPMA_OBJECT.USER_WITH_AUTH | TPMA_OBJECT.NO_DA),
        (("--algorithm", "ecc384"), TPMA_OBJECT.USER_WITH_AUTH | TPMA_OBJECT.NO_DA),
        (("--algorithm", "rsa2048"), TPMA_OBJECT.USER_WITH_AUTH | TPMA_OBJECT.NO_DA),
        (("--key-auth", "password"), TPMA_OBJECT.USER_WITH_AUTH),
        (("--pcrs", "sha256:0"), TPMA_OBJECT.NO_DA),
        (("--pcrs", "sha256:0", "--key-auth", "password"), TPMA_OBJECT(0)),
        ((f"--pcrs=sha256:0={'11' * 32}", "--key-auth", "password"), TPMA_OBJECT(0)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_the_tpm_generates_a_key(
    tool: Tool, path: str, tmp_path: Path, options: tuple[str, ...], attributes: TPMA_OBJECT
) -> None:
    out = tmp_path / "host.key"
    ran = tool("roles-anywhere", "create-key", "--out", out, "--json", *options, "--tpm-path", path)
    file = parse(out.read_text())
    assert ran.code == 0, ran.err
    assert file.public.object_attributes == MADE_IN_TPM | TPMA_OBJECT.SIGN_ENCRYPT | attributes
    assert file.empty_auth != ("--key-auth" in options)
    assert bool(file.policy) == ("pcrs" in " ".join(options))
    name, public_key = name_of(file.public).hex(), to_pem(file.public)
    assert json.loads(ran.out) == {"file": str(out), "handle": None, "name": name, "public_key": public_key}
    assert out.stat().st_mode & 0o777 == 0o600
    assert ("was not tested" in ran.err) == (len(options) > 2 and "=" in options[0])


def test_a_persistent_key_is_replaced_only_with_force(tool: Tool, path: str) -> None:
    create = ("roles-anywhere", "create-key", "--persistent-handle", HANDLE, "--tpm-path", path)
    first, second, third = tool(*create), tool(*create), tool(*create, "--force")
    assert (first.code, second.code, third.code) == (0, 2, 0)
    assert f"{HANDLE} is occupied" in second.err
    assert tool("name", HANDLE, "--tpm-path", path).out == third.out != first.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "no output; give --out FILE"),
        (("--out", "/nonexistent/key"), "no such directory"),
        (("--out", "key", "--algorithm", "rsa1024"), "at least 2048 bits"),
        (("--out", "key", "--algorithm", "ecc224"), "on curve NIST_P224"),
        (("--out", "key", "--algorithm", "rsa2048:rsapss-sha256"), "signs by RSAPSS only"),
        (("--out", "key", "--algorithm", "ecc384:ecdsa-sha384"), "signs with SHA384 only"),
        (("--out", "key", "--algorithm", "hmac"), "use ecc, ecc384"),
        (("--out", "key", "--algorithm", "none"), "'none' is not a valid name; use ecc, ecc384, ecc521, rsa2048"),
        (("--persistent-handle", HANDLE, f"--pcrs=7={'00' * 32}"), "a persistent key does not store its policy"),
    ],
)
def test_a_wrong_option_is_found_before_the_tpm_is_used(
    tool: Tool, options: tuple[str, ...], message: str
) -> None:
    ran = tool("roles-anywhere", "create-key", *options, "--tpm-path", "/nonexistent")
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
