"""What counts towards the TPM's dictionary attack lockout: a wrong password once, a right one never."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool
from tpmwire.spec.commands.capability import GetCapability
from tpmwire.spec.constants import TPM_CAP, TPM_PT
from tpmwire.tpm import Tpm

ID, SECRET = "AKIAIOSFODNN7EXAMPLE", b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SHARED, OTHER = "the shared word", "another word"
LOCKED = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|decrypt"
"""Attributes of a parent without noDA: a wrong password for it counts."""

PARENTS = {"open": ("0x81000010", ""), "shared": ("0x81000011", SHARED), "other": ("0x81000012", OTHER)}
PRESIGN = ("presign", "--region", "us-east-1", "s3://bucket/key", f"--aws-access-key-id={ID}", "--timeout=20s")


class Box:
    """A TPM with parents that lock up, and a key with the shared password under each."""

    def __init__(self, swtpm: Swtpm, bus: Interposer, directory: Path) -> None:
        self.swtpm, self.bus, self.directory = swtpm, bus, directory

    def counted(self) -> int:
        """The failed tries that the TPM remembers."""
        with Tpm.open(self.swtpm.path, 20) as tpm:
            command = GetCapability(TPM_CAP.TPM_PROPERTIES, TPM_PT.LOCKOUT_COUNTER, 1)
            return int(tpm.execute(command).capability_data.data[0].value)

    def file(self, parent: str) -> str:
        return f"--credential-file={self.directory}/{parent}.pem"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with Swtpm() as swtpm, Interposer(swtpm.path) as bus:
        directory = tmp_path_factory.mktemp("lockout")
        for name, word in (("shared", SHARED), ("other", OTHER), ("wrong", "a wrong word"), ("open", "")):
            path = directory / name
            path.touch(0o600)
            path.write_text(word)
        for handle, word in PARENTS.values():
            auth = ("-p", word) if word else ()
            tpm2(swtpm, "createprimary", "-C", "o", "-G", "ecc", "-c", directory / "p", "-a", LOCKED, *auth)
            tpm2(swtpm, "evictcontrol", "-C", "o", "-c", directory / "p", handle)
            tpm2(swtpm, "flushcontext", "-t")
        yield Box(swtpm, bus, directory)


@pytest.fixture(autouse=True)
def no_lockout(box: Box) -> None:
    tpm2(box.swtpm, "dictionarylockout", "-c")


@pytest.fixture(params=PARENTS)
def parent(box: Box, request: pytest.FixtureRequest, tool: Tool) -> str:
    """A key file with the shared password under this parent."""
    name: str = request.param
    handle, word = PARENTS[name]
    if not (box.directory / f"{name}.pem").exists():
        words = ["--parent", handle, "--out", box.directory / f"{name}.pem", f"--tpm-path={box.swtpm.path}"]
        auth = [f"--parent-auth-file={box.directory}/{name}"] if word else []
        ran = tool("import", *words, *auth, f"--key-auth-file={box.directory}/shared", stdin=SECRET)
        assert ran.code == 0, ran.err
    return name


MODES = [(), ("--no-session-encryption",)]


@pytest.mark.parametrize("mode", MODES, ids=["protected", "in clear"])
def test_right_passwords_count_nothing(
    box: Box, tool: Tool, monkeypatch: pytest.MonkeyPatch, parent: str, mode: tuple[str, ...]
) -> None:
    """TPM_KEY_AUTH is the key's, and may be the parent's; nobody has said which."""
    path = f"--tpm-path={box.bus.path}"
    before = box.counted()
    if parent == "other":
        monkeypatch.setenv("TPM_PARENT_AUTH", OTHER)
    monkeypatch.setenv("TPM_KEY_AUTH", SHARED)
    for _ in range(2):
        ran = tool(*PRESIGN, box.file(parent), path, *mode)
        assert ran.code == 0, ran.err
    assert box.counted() == before
    if not mode:
        assert SHARED.encode() not in box.bus.octets
        assert OTHER.encode() not in box.bus.octets


@pytest.mark.parametrize("mode", MODES, ids=["protected", "in clear"])
def test_a_wrong_password_counts_once(
    box: Box, tool: Tool, monkeypatch: pytest.MonkeyPatch, parent: str, mode: tuple[str, ...]
) -> None:
    """Wherever it is from, and whichever it is: the parent's or the key's."""
    word, path = PARENTS[parent][1], f"--tpm-path={box.swtpm.path}"
    ways: list[tuple[list[str], dict[str, str]]] = [
        ([f"--keyPass-file={box.directory}/wrong"], {"TPM_PARENT_AUTH": word} if word else {}),
        ([f"--parentPass-file={box.directory}/wrong"], {"TPM_KEY_AUTH": SHARED}),
        ([], {"TPM_KEY_AUTH": "a wrong word"}),
        ([], {"TPM_KEY_AUTH": SHARED, "TPM_PARENT_AUTH": "a wrong word"}),
    ]
    for words, variables in ways:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            before = box.counted()
            ran = tool(*PRESIGN, box.file(parent), path, *mode, *words)
        assert (ran.code, box.counted() - before) == (4, 1), (words, variables, ran.err)
        tpm2(box.swtpm, "dictionarylockout", "-c")


def test_a_wrong_password_counts_once_with_a_cache(
    box: Box, tool: Tool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, parent: str
) -> None:
    """What earlier runs have left spares the parent's password, and costs no second try of the key's."""
    from tpmwire.errors import TpmError
    from tpmwire.keys.keyfile import parse
    from tpmwire.secret import Secret
    from tpmwire.use.cached_key import CachedKey, Memory

    file = parse((box.directory / f"{parent}.pem").read_bytes())
    right = {"parent_auth": Secret(PARENTS[parent][1].encode()), "auth": Secret(SHARED.encode())}
    memory = Memory()
    before = box.counted()
    with Tpm.open(box.swtpm.path, 20) as tpm:
        CachedKey(file=file, memory=memory, **right).hmac(tpm, b"20261128")
    assert box.counted() == before
    with Tpm.open(box.swtpm.path, 20) as tpm, pytest.raises(TpmError, match="wrong password"):
        CachedKey(file=file, memory=memory, auth=Secret(b"a wrong word")).hmac(tpm, b"20261128")
    assert box.counted() == before + 1
