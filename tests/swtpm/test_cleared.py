"""A TPM that was cleared: whoever uses a key that was in it is told so first, and what to do."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import keys
from tests.support.bench import KDATE, PASSWORD, SECRET, Bench, bench
from tests.support.programs import KEY_ID, left_behind, machine
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say
from tests.support.verbs import Tool
from tpmwire.channel import Pin, read_loaded
from tpmwire.errors import SessionError, TpmError
from tpmwire.keys.wrapping import wrap_hmac_key
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.secret import Secret
from tpmwire.spec.commands.hierarchy import Clear
from tpmwire.spec.constants import TPM_RH
from tpmwire.tpm import Tpm
from tpmwire.use.cached_key import CachedKey, Memory
from tpmwire.use.ecdsa import EcdsaKey
from tpmwire.use.hmac import HmacKey

LOST = "a clear erases the secret: create a new access key, or a new secret, and import it"
NOTHING_THERE = (
    f"no object at this handle: the TPM was cleared, or the key was evicted or never stored there; {LOST}"
)
OF_BEFORE = (
    r"the TPM was cleared since the key was created \(TPM2_Clear, a firmware reset\), or .* or parent; " + LOST
)
PCR23 = parse_pcrs("23")


def clear(path: str) -> None:
    """TPM2_Clear, as `tpm2_clear` and a firmware's menu do it."""
    with Tpm.open(path, 20) as tpm:
        tpm.execute(Clear(TPM_RH.LOCKOUT))


@pytest.fixture(scope="module")
def cleared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("keys")) as made:
        MEMORIES.update(file=Memory(), handle=Memory())
        made.run(CachedKey(memory=MEMORIES["file"], file=made.file("plain")))
        made.run(CachedKey(memory=MEMORIES["handle"], handle=PLAIN))
        clear(made.bus.target)
        yield made
        assert made.left_behind() == []


PLAIN = keys.PLAIN_HANDLE
MEMORIES: dict[str, Memory] = {}
WITHOUT_HANDLE: dict[str, Callable[[Bench], HmacKey]] = {
    "handle": lambda _: HmacKey(handle=PLAIN),
    "in clear": lambda _: HmacKey(handle=PLAIN, protected=False),
    "password": lambda _: HmacKey(handle=keys.PASSWORD_HANDLE, auth=PASSWORD),
    "PCRs": lambda _: HmacKey(handle=keys.PCR_HANDLE, pcrs=PCR23),
    "PCRs in clear": lambda _: HmacKey(handle=keys.PCR_HANDLE, pcrs=PCR23, protected=False),
    "Name given": lambda b: HmacKey(handle=PLAIN, name=b.names[PLAIN]),
    "storage root key pinned": lambda b: HmacKey(handle=PLAIN, pin=Pin(b.srk.name, None, keys.SRK_HANDLE)),
    "endorsement key pinned": lambda b: HmacKey(handle=PLAIN, pin=Pin(b.made["ek-ecc"].name, None, "ek-ecc")),
    "remembered": lambda _: CachedKey(handle=PLAIN, memory=MEMORIES["handle"]),
    "parent": lambda b: HmacKey(file=b.file("plain-srk")),
    "parent in clear": lambda b: HmacKey(file=b.file("plain-srk"), protected=False),
}
FILES: dict[str, Callable[[Bench], HmacKey]] = {
    "file": lambda b: HmacKey(file=b.file("plain")),
    "in clear": lambda b: HmacKey(file=b.file("plain"), protected=False),
    "PCRs": lambda b: HmacKey(file=b.file("pcr"), pcrs=PCR23),
    "remembered": lambda b: CachedKey(file=b.file("plain"), memory=MEMORIES["file"]),
    "endorsement key pinned": lambda b: HmacKey(
        file=b.file("plain"), pin=Pin(b.made["ek-ecc"].name, None, "ek-ecc")
    ),
}


@pytest.mark.parametrize("way", WITHOUT_HANDLE)
def test_what_is_gone_from_its_handle(cleared: Bench, way: str) -> None:
    with pytest.raises(TpmError) as refused:
        cleared.run(WITHOUT_HANDLE[way](cleared))
    assert f": {NOTHING_THERE}" in str(refused.value)


def test_a_key_of_sigv4a_that_is_gone(cleared: Bench) -> None:
    with Tpm.open(cleared.bus.path, 20) as tpm, pytest.raises(TpmError, match=NOTHING_THERE):
        EcdsaKey(handle=PLAIN).sign(tpm, bytes(32))


@pytest.mark.parametrize("way", FILES)
def test_a_file_of_before(cleared: Bench, way: str) -> None:
    with pytest.raises(TpmError, match=f"^TPM2_Load: .*: {OF_BEFORE}"):
        cleared.run(FILES[way](cleared))


PINNED: dict[str, Callable[[Bench], HmacKey]] = {
    "parent of a file": lambda b: HmacKey(file=b.file("plain"), pin=Pin(b.made["h2"].name, None, "h2")),
    "beside a handle": lambda b: HmacKey(handle=PLAIN, pin=Pin(b.made["h2"].name, None, "h2")),
    "its Name alone": lambda b: HmacKey(handle=PLAIN, pin=Pin(b.made["h2"].name)),
}


@pytest.mark.parametrize("way", PINNED)
def test_a_pinned_storage_key_of_before(cleared: Bench, way: str) -> None:
    """It could also be an attack, and ends as one: nothing secret was sent."""
    with pytest.raises(SessionError, match=f"the TPM was cleared, this is a different TPM, or .*; {LOST}"):
        cleared.run(PINNED[way](cleared))
    assert not {"StartAuthSession", "HMAC"} & set(cleared.bus.codes)


def test_a_file_that_was_wrapped_for_it_before(cleared: Bench) -> None:
    """The secret is still where it was wrapped; an endorsement key is the same after TPM2_Clear."""
    secret = Secret(b"AWS4" + SECRET.encode())
    file = wrap_hmac_key(secret, cleared.made["h2"].public, TPM_RH.OWNER)
    rsa = wrap_hmac_key(secret, cleared.made["ek-rsa"].public, TPM_RH.OWNER).replace(rsa_parent=True)
    with pytest.raises(
        TpmError, match=r"the TPM was cleared since its public key was exported .*; wrap the secret"
    ):
        cleared.run(HmacKey(file=rsa))
    with pytest.raises(
        TpmError, match=r"the TPM was cleared since its public key was exported .*; wrap the secret"
    ):
        cleared.run(HmacKey(file=file))
    file = wrap_hmac_key(secret, cleared.made["ek-rsa"].public, TPM_RH.ENDORSEMENT)
    assert cleared.run(HmacKey(file=file, ek_parent=True))[0] == KDATE


@pytest.mark.parametrize("protected", [False, True])
def test_the_owners_password_is_gone_too(cleared: Bench, protected: bool) -> None:
    key = HmacKey(file=cleared.file("plain"), parent_auth=Secret(b"the owner's"), protected=protected)
    with pytest.raises(TpmError, match=r"wrong password; .* was cleared has neither passwords nor keys"):
        cleared.run(key)


@pytest.mark.parametrize("key", ["plain", "plain-srk"])
def test_a_verb_that_loads_a_file_of_before(cleared: Bench, tool: Tool, key: str) -> None:
    ran = tool("persist", cleared.directory / f"{key}.pem", "0x81010009", "--tpm-path", cleared.bus.path)
    assert ran.code == 4
    (line,) = ran.err.splitlines()
    assert "the TPM was cleared" in line
    assert LOST in line


def test_an_empty_handle_elsewhere_says_nothing_of_it(cleared: Bench) -> None:
    """A wrong word on a command line is the likelier reason there."""
    with Tpm.open(cleared.bus.path, 20) as tpm, pytest.raises(TpmError) as refused:
        read_loaded(tpm, PLAIN)
    assert "cleared" not in str(refused.value)


@pytest.mark.parametrize("key", ["handle", "file"])
def test_a_program_with_a_cache_ends_in_one_line(tmp_path: Path, key: str) -> None:
    with machine(tmp_path) as box, ScriptedServer(say(http("200 OK", STS_ANSWER))) as sts:
        chosen = {"handle": f"--persistentHandle={PLAIN:#x}", "file": f"--credential-file={box.home}/plain.pem"}[
            key
        ]
        words = (f"--tpm-path={box.swtpm.path}", f"--aws-access-key-id={KEY_ID}", f"--endpoint-url={sts.endpoint}")
        for number in range(2):
            ran = box.run(*words, chosen, "--cache", "--timeout=20", XDG_RUNTIME_DIR=str(tmp_path))
            assert (ran.returncode, ran.stderr) == (0, ""), number
        clear(box.swtpm.path)
        ran = box.run(*words, chosen, "--cache", "--timeout=20", XDG_RUNTIME_DIR=str(tmp_path))
        assert (ran.returncode, ran.stdout) == (4, "")
        (line,) = ran.stderr.splitlines()
        assert "the TPM was cleared" in line
        assert LOST in line
        assert left_behind(box.swtpm.path) == []
