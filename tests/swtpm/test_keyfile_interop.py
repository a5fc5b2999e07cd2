"""Key files between programs: theirs used by us, ours by tpm2-tools and tpm2-openssl, all in a real TPM."""

import hmac
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.swtpm import Swtpm, SwtpmError, tpm2
from tpmwire.channel import create_primary
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import KeyFileError, TpmError
from tpmwire.keys.keyfile import KeyFile, parse, parse_der
from tpmwire.keys.templates import h2_primary, hmac_key
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyPCR
from tpmwire.secret import Secret
from tpmwire.sessions import Password
from tpmwire.spec.commands.objects import Create, Load, Unseal
from tpmwire.spec.commands.pcr import PCR_Read
from tpmwire.spec.constants import TPM_ALG, TPM_RH
from tpmwire.spec.structures import TPMS_SENSITIVE_CREATE
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

KEYS = Path(__file__).parents[2] / "fixtures" / "keys"

MANIFEST = {entry["name"]: entry for entry in json.loads((KEYS / "manifest.json").read_text())}
HMAC_KEYS = [name for name, entry in MANIFEST.items() if "hmac" in entry]
OPENSSL_KEYS = [name for name in MANIFEST if name.startswith("openssl")]
SECRET, MESSAGE = b"AWS4secret", b"20261124"

pytestmark = pytest.mark.swtpm(state=KEYS / "swtpm-state")


@pytest.fixture(autouse=True)
def flush(shared_swtpm: Swtpm) -> Iterator[None]:
    """Flushes what other programs left in the TPM."""
    yield
    for kind in ("-t", "-l", "-s"):
        tpm2(shared_swtpm, "flushcontext", kind)


def key_of(name: str) -> KeyFile:
    return parse((KEYS / f"{name}.pem").read_bytes())


def made(tpm: Tpm, auth: bytes = b"", policy: Policy | None = None, **rest: Any) -> KeyFile:
    """An HMAC key of ours under the owner hierarchy's primary, as `tpmwire import` makes it."""
    parent = create_primary(tpm, TPM_RH.OWNER, h2_primary())
    template = hmac_key(policy.digest() if policy else b"", with_auth=bool(auth))
    answer = tpm.execute(Create(parent.handle, TPMS_SENSITIVE_CREATE(auth, SECRET), template), Password())
    tpm.flush(parent.handle)
    steps = policy.to_steps() if policy else None
    return KeyFile.of(answer.out_public, answer.out_private, TPM_RH.OWNER, policy=steps, **rest)


def pcr23(tpm: Tpm) -> PolicyPCR:
    """PCR 23 as it is now."""
    selection = parse_pcrs("23")
    values = tpm.execute(PCR_Read(selection)).pcr_values
    return PolicyPCR.of_values(TPM_ALG.SHA256, selection, {(TPM_ALG.SHA256, 23): values[0]})


def openssl(shared_swtpm: Swtpm, verb: str, *arguments: str | Path, provider: bool = True) -> bytes:
    """An openssl command, as a rule with the tpm2 provider. Its failure is the test's."""
    providers = ("-provider", "tpm2", "-provider", "base") if provider else ()
    command = ["openssl", verb, *providers, *map(str, arguments)]
    environment = {**os.environ, "TPM2OPENSSL_TCTI": shared_swtpm.tcti}
    done = subprocess.run(command, check=False, env=environment, input=b"", capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("name", HMAC_KEYS)
def test_their_hmac_keys(tpm: Tpm, name: str) -> None:
    entry = MANIFEST[name]
    key = HmacKey(
        file=key_of(name),
        auth=Secret(bytes.fromhex(entry["auth"])),
        pcrs=parse_pcrs("23") if "policy" in entry else None,
    )
    assert key.hmac(tpm, bytes.fromhex(entry["message"])).hex() == entry["hmac"]


def test_sealed_data_is_no_hmac_key(tpm: Tpm) -> None:
    with pytest.raises(KeyFileError, match="has sealed data, not an HMAC key"):
        HmacKey(file=key_of("sealed")).hmac(tpm, b"")


@pytest.mark.parametrize("parent", [0, 0x40000140, 0x40010000, 0x80000002])
def test_parents_that_others_write_for_the_owner_hierarchy(tpm: Tpm, parent: int) -> None:
    file = parse(key_of("hmac").replace(parent=parent).to_pem())
    assert (
        HmacKey(file=file).hmac(tpm, bytes.fromhex(MANIFEST["hmac"]["message"])).hex() == MANIFEST["hmac"]["hmac"]
    )


def test_a_negative_parent(tpm: Tpm) -> None:
    entry = MANIFEST["hmac-persistent-parent"]
    good = key_of("hmac-persistent-parent")
    data = good.to_der()
    handle, negative = bytes.fromhex("0205 00 81000001".replace(" ", "")), bytes.fromhex("0204 81000001")
    assert data.count(handle) == 1
    file = parse_der(data[:2] + bytes([data[2] - 1]) + data[3:].replace(handle, negative))
    assert file == good
    key = HmacKey(file=file, auth=Secret(bytes.fromhex(entry["auth"])))
    assert key.hmac(tpm, bytes.fromhex(entry["message"])).hex() == entry["hmac"]


@pytest.mark.parametrize("name", MANIFEST)
def test_every_file_of_theirs_loads(tpm: Tpm, name: str) -> None:
    file = key_of(name)
    parent = file.persistent_parent
    if parent is None:
        assert file.hierarchy is not None
        parent = create_primary(tpm, file.hierarchy, h2_primary()).handle
    loaded = tpm.execute(Load(parent, file.private, file.public), Password())
    assert loaded.name == name_of(file.public)
    if "sealed" in MANIFEST[name]:
        data = tpm.execute(Unseal(loaded.object_handle), Password()).out_data
        assert data.hex() == MANIFEST[name]["sealed"]


@pytest.mark.parametrize("auth", [b"", b"password"])
def test_tpm2_tools_use_ours(shared_swtpm: Swtpm, tmp_path: Path, auth: bytes) -> None:
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        ours = made(tpm, auth, empty_auth=not auth)
    (tmp_path / "key.pem").write_text(ours.to_pem())
    (tmp_path / "message").write_bytes(MESSAGE)
    # With the PEM alone it finds the parent by itself.
    tpm2(shared_swtpm, "load", "-r", "key.pem", "-c", "key.ctx", cwd=tmp_path)
    password = ("-p", auth.decode()) if auth else ()
    tpm2(shared_swtpm, "flushcontext", "-t")
    output = tpm2(shared_swtpm, "hmac", "-c", "key.ctx", *password, "--hex", "message", cwd=tmp_path)
    assert output.decode().strip() == hmac.digest(SECRET, MESSAGE, "sha256").hex()
    tpm2(shared_swtpm, "flushcontext", "-t")


def test_tpm2_tools_load_our_parts_and_encode_them_as_we_do(shared_swtpm: Swtpm, tmp_path: Path) -> None:
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        ours = made(tpm)
    (tmp_path / "key.pub").write_bytes(ours.pubkey)
    (tmp_path / "key.priv").write_bytes(ours.privkey)
    (tmp_path / "unique.dat").write_bytes(bytes(2))
    attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"
    primary = ("createprimary", "-C", "o", "-G", "ecc", "-c", "h2.ctx", "-a", attributes, "-u", "unique.dat")
    tpm2(shared_swtpm, *primary, cwd=tmp_path)
    tpm2(shared_swtpm, "flushcontext", "-t")
    areas = ("-C", "h2.ctx", "-u", "key.pub", "-r", "key.priv")
    tpm2(shared_swtpm, "load", *areas, "-c", "key.ctx", "-n", "name", cwd=tmp_path)
    tpm2(shared_swtpm, "flushcontext", "-t")
    tpm2(shared_swtpm, "encodeobject", *areas, "-o", "theirs.pem", cwd=tmp_path)
    tpm2(shared_swtpm, "flushcontext", "-t")
    assert (tmp_path / "name").read_bytes() == name_of(ours.public)
    # Without -p it writes emptyAuth FALSE, whatever the key.
    assert (tmp_path / "theirs.pem").read_text().strip() == ours.replace(empty_auth=False).to_pem().strip()


def test_tpm2_tools_refuse_another_tpms_key(shared_swtpm: Swtpm, tmp_path: Path) -> None:
    """The other side of the tests above: these commands do tell a good file from a bad one."""
    file = key_of("hmac")
    bad = file.replace(privkey=file.privkey[:-1] + bytes([file.privkey[-1] ^ 1]))
    (tmp_path / "key.pem").write_text(bad.to_pem())
    with pytest.raises(SwtpmError, match="integrity check failed"):
        tpm2(shared_swtpm, "load", "-r", "key.pem", "-c", "key.ctx", cwd=tmp_path)
    tpm2(shared_swtpm, "flushcontext", "-t")


@pytest.mark.parametrize("name", [*OPENSSL_KEYS, "rsa", "ecc"])
def test_openssl_signs_with_what_we_write(shared_swtpm: Swtpm, tmp_path: Path, name: str) -> None:
    auth = bytes.fromhex(MANIFEST[name]["auth"]).decode()
    # emptyAuth true keeps openssl from asking for a password; tpm2_encodeobject writes false for rsa and ecc.
    file = key_of(name).replace(empty_auth=not auth)
    path, public, signature = tmp_path / "key.pem", tmp_path / "public.pem", tmp_path / "signature"
    path.write_text(file.to_pem())
    password = ("-passin", f"pass:{auth}") if auth else ()
    public.write_bytes(openssl(shared_swtpm, "pkey", "-in", path, "-pubout", *password))
    message = tmp_path / "message"
    message.write_bytes(MESSAGE)
    sign = ("-sign", "-inkey", path, *password, "-rawin", "-digest", "sha256", "-in", message, "-out", signature)
    openssl(shared_swtpm, "pkeyutl", *sign)
    verify = ("dgst", "-sha256", "-verify", public, "-signature", signature, message)
    assert openssl(shared_swtpm, *verify, provider=False).strip() == b"Verified OK"


def test_a_policy_goes_through_the_file(tpm: Tpm) -> None:
    """Made with a policy whose digest is computed here; used by the commands that come back out of the file."""
    policy = Policy(pcr23(tpm), PolicyAuthValue())
    file = parse(made(tpm, b"password", policy).to_pem())
    assert file.policy is not None
    assert Policy.from_steps(file.policy) == policy
    assert policy.digest() == file.public.auth_policy
    key = HmacKey(file=file, auth=Secret(b"password"), pcrs=parse_pcrs("23"))
    assert key.hmac(tpm, MESSAGE) == hmac.digest(SECRET, MESSAGE, "sha256")
    wrong = HmacKey(file=file, auth=Secret(b"passwort"), pcrs=parse_pcrs("23"))
    with pytest.raises(TpmError):
        wrong.hmac(tpm, MESSAGE)
