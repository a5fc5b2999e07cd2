"""`tpmwire rotate --sigv4a-out`: the P-256 key of the new access key, whose secret is nowhere afterwards."""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from sigv4 import iam
from sigv4.sigv4a import der_signature, private_key
from tests.aws.test_rotate_verb import HANDLE, KILLED, Device, make_device, persistent
from tests.support.home import ROOT
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm
from tests.support.verbs import Tool, held
from tpmwire import Tpm
from tpmwire.keys.keyfile import parse
from tpmwire.use.ecdsa import EcdsaKey

pytestmark = pytest.mark.swtpm("tcp")

DIGEST = sha256(b"what is signed").digest()
BESIDE = HANDLE + 1


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What IAM answers, by access key id."""
    found: dict[str, str] = {}
    build = iam.NewAccessKey.__init__

    def spy(self: iam.NewAccessKey, access_key_id: str, secret_access_key: str) -> None:
        found[access_key_id] = secret_access_key
        build(self, access_key_id, secret_access_key)

    monkeypatch.setattr(iam.NewAccessKey, "__init__", spy)
    return found


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sts: VerifyingSts, swtpm: Swtpm, tool: Tool) -> Device:
    return make_device(tmp_path, monkeypatch, sts, swtpm, tool, ["--persistent-handle", hex(HANDLE)])


def verify(swtpm: Swtpm, key: EcdsaKey, key_id: str, secret: str) -> None:
    with Tpm.open(swtpm.path, 20) as tpm:
        signature = der_signature(*key.sign(tpm, DIGEST))
    private_key(key_id, secret).public_key().verify(signature, DIGEST, ec.ECDSA(Prehashed(SHA256())))


def test_both_places_and_no_handle_for_two(
    device: Device, swtpm: Swtpm, tool: Tool, secrets: dict[str, str]
) -> None:
    """The handle after the old key's, which the new HMAC key would take, is the one that is asked for."""
    file = device.home / "v4a.pem"
    words = ("rotate", "--profile", "work", "--delete-old")
    done = tool(*words, "--sigv4a-out", file, "--sigv4a-handle", hex(BESIDE))
    assert done.code == 0, done.err
    assert f"SigV4A key of the new key: {file} and 0x{BESIDE:08x}\n" in done.err
    new = device.uses()
    verify(swtpm, EcdsaKey(handle=BESIDE), new, secrets[new])
    verify(swtpm, EcdsaKey(file=parse(file.read_bytes())), new, secrets[new])
    assert persistent(swtpm) == [BESIDE, BESIDE + 1]
    assert held(swtpm) == ""
    # Without the option nobody need find out by a signature that is refused.
    again = tool(*words)
    assert again.code == 0, again.err
    assert (
        f"a SigV4A key of {new}, if any, will not be valid afterwards; `rotate --sigv4a-out` creates a new one\n"
        in again.err
    )


@pytest.mark.parametrize("step", ["created", "made", "beside", "put", "placed"])
def test_killed_on_the_way_the_pair_is_whole_or_begun_anew(
    device: Device, swtpm: Swtpm, tool: Tool, secrets: dict[str, str], step: str
) -> None:
    file = device.home / "v4a.pem"
    words = ["--profile", "work", "--sigv4a-out", str(file), "--delete-old"]
    command = [sys.executable, "-c", KILLED, step, *words]
    killed = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, timeout=60)
    assert killed.returncode == -9, killed.stderr
    assert tool("flush", "--tpm-path", swtpm.path).code == 0
    assert file.exists() == (step in ("beside", "put", "placed"))
    done = tool("rotate", *words, "--resume")
    assert done.code == 0, done.err
    new = device.uses()
    if step not in ("put", "placed"):
        verify(swtpm, EcdsaKey(file=parse(file.read_bytes())), new, secrets[new])
    assert ["whose secret was lost" in done.err, new in secrets] == [new in secrets] * 2
    assert len(persistent(swtpm)) == 1
    assert held(swtpm) == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--sigv4a-handle", hex(HANDLE)], "is occupied"),
        (["--sigv4a-handle", hex(BESIDE), "--persistent-handle", hex(BESIDE)], "is given for two keys"),
        (["--sigv4a-out", "{}/.aws/config"], "exists"),
        (["--sigv4a-out", "{}/none/v4a.pem"], "no such directory"),
    ],
)
def test_a_place_that_cannot_be_costs_no_key(device: Device, tool: Tool, words: list[str], says: str) -> None:
    refused = tool("rotate", "--profile", "work", *(word.format(device.home) for word in words))
    assert (refused.code, says in refused.err) == (2, True), refused.err
    assert device.keys() == {device.key_id: "Active"}
