"""`tpmwire rotate` of keys whose policy is more than PCRs and a password: the new key has the same, as a whole."""

import json
import shlex
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.aws.test_rotate_verb import Device, make_device
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool
from tpmwire.crypto.formulas import name_of
from tpmwire.keys.keyfile import KeyFile, parse
from tpmwire.policy.conditions import PolicyNameHash
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue

pytestmark = pytest.mark.swtpm("tcp")


ZERO = "00" * 32
ONES = "11" * 32
EXTENDED = sha256(bytes.fromhex(ZERO + ONES)).hexdigest()
BRANCHES = [
    [{"type": "PolicyPCR", "pcrs": f"sha256:23={EXTENDED}"}],
    [{"type": "PolicyPCR", "pcrs": f"sha256:16={ZERO}"}, {"type": "PolicyAuthValue"}],
]
POLICIES = {
    "branches": [{"type": "PolicyOR", "branches": BRANCHES}],
    "a rarer statement": [{"type": "PolicyLocality", "locality": 1}, {"type": "PolicyAuthValue"}],
    "the password alone": [{"type": "PolicyAuthValue"}],
}


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sts: VerifyingSts, swtpm: Swtpm, tool: Tool) -> Device:
    """One whose key file has the password `mellon`."""
    (tmp_path / "password").write_text("mellon\n")
    (tmp_path / "password").chmod(0o600)
    options = ["--key-auth-file", str(tmp_path / "password")]
    return make_device(tmp_path, monkeypatch, sts, swtpm, tool, options)


def key_path(device: Device) -> Path:
    """The key file that the profile has."""
    words = shlex.split(device.command)
    return Path(next(word for word in words if word.startswith("--credential-file=")).partition("=")[2])


def signs(device: Device) -> bool:
    words = shlex.split(device.command)
    return subprocess.run(words, check=False, capture_output=True, timeout=60).returncode == 0


def made_again(device: Device, swtpm: Swtpm, tool: Tool, *options: str) -> KeyFile:
    """The device's key, imported anew with these options."""
    path = key_path(device)
    password = ("--key-auth-file", str(device.home / "password"))
    words = ("import", "--tpm-path", swtpm.path, "--out", path, "--force", *password, *options)
    ran = tool(*words, stdin=device.secret.encode())
    assert ran.code == 0, ran.err
    return parse(path.read_bytes())


@pytest.mark.parametrize("name", POLICIES)
def test_the_policy_goes_over_whole(device: Device, swtpm: Swtpm, tool: Tool, name: str) -> None:
    (device.home / "policy.json").write_text(json.dumps(POLICIES[name]))
    old = made_again(device, swtpm, tool, "--policy", str(device.home / "policy.json"))
    refused = tool("rotate", "--profile", "work", "--persistent-handle", "0x81010061")
    assert (refused.code, "give --out" in refused.err) == (2, True)
    done = tool("rotate", "--profile", "work", "--delete-old")
    assert done.code == 0, done.err
    new = parse(key_path(device).read_bytes())
    assert device.keys() == {device.uses(): "Active"}
    assert new.public != old.public
    assert new.public.replace(unique=b"") == old.public.replace(unique=b"")
    assert (new.policy, new.auth_policy) == (old.policy, old.auth_policy)
    if name == "branches":
        # The one branch holds no more, then the other does.
        tpm2(swtpm, "pcrextend", f"16:sha256={ONES}")
        assert not signs(device)
        tpm2(swtpm, "pcrextend", f"23:sha256={ONES}")
        assert signs(device)


def test_values_that_a_signer_approved_hold_for_the_new_key(device: Device, swtpm: Swtpm, tool: Tool) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    signer, trust = device.home / "signer.pem", device.home / "trust.json"
    signer.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    trust.write_text(json.dumps([{"type": "PolicyAuthorize", "key": public}, {"type": "PolicyAuthValue"}]))
    made_again(device, swtpm, tool, "--policy", str(trust))

    def approve(value: str) -> None:
        path = key_path(device)
        words = ("policy", "sign", path, "--key", signer, "--pcrs", f"sha256:23={value}")
        ran = tool(*words)
        assert ran.code == 0, ran.err

    approve(ZERO)
    assert signs(device)
    done = tool("rotate", "--profile", "work", "--delete-old")
    assert done.code == 0, done.err
    assert device.keys() == {device.uses(): "Active"}
    tpm2(swtpm, "pcrextend", f"23:sha256={ONES}")
    assert not signs(device)
    # The signer's next approval is of the new key as it was of the old one.
    approve(EXTENDED)
    assert signs(device)


def test_a_key_that_may_be_duplicated_gives_one_that_may(device: Device, swtpm: Swtpm, tool: Tool) -> None:
    old = made_again(device, swtpm, tool, "--duplicable-to", "any", "--pcrs", "23")
    done = tool("rotate", "--profile", "work", "--delete-old")
    assert done.code == 0, done.err
    new = parse(key_path(device).read_bytes())
    assert device.keys() == {device.uses(): "Active"}
    assert new.public.replace(unique=b"") == old.public.replace(unique=b"")
    tpm2(swtpm, "pcrextend", f"23:sha256={ONES}")
    assert not signs(device)


def test_a_policy_that_no_other_key_can_have(device: Device, swtpm: Swtpm, tool: Tool) -> None:
    old = made_again(device, swtpm, tool)
    itself = Policy(PolicyNameHash(name_of(old.public)[2:]), PolicyAuthValue())
    bound = old.public.replace(auth_policy=itself.digest())
    for file, code, says in (
        (KeyFile.of(bound, old.private, old.parent, policy=itself.to_steps()), 2, "PolicyNameHash, which names"),
        (old.replace(policy=itself.to_steps()), 2, "does not match the key's policy"),
        (old.replace(policy=((0x7FF, b"\1"),)), 4, "0x7ff"),
        (old.replace(auth_policy=(("later", ((0x7FF, b"\1"),)),)), 2, "authPolicy 1 'later' of the key file"),
    ):
        key_path(device).write_text(file.to_pem())
        refused = tool("rotate", "--profile", "work")
        assert (refused.code, refused.err.count("\n"), says in refused.err) == (code, 1, True), refused.err
        assert device.keys() == {device.key_id: "Active"}
