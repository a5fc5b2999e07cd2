"""`tpmwire debug`: steps of a real recording as text and on the screen, and who notices a changed bit."""

import asyncio
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from cli.inspect.debugger.app import Debugger
from tests.support.interposer import Interposer
from tests.support.recording import AES, DATA, PASSWORD, Bench
from tests.support.salt_keys import SEALED
from tests.support.swtpm import Swtpm
from tests.support.verbs import PROGRAM, Tool
from tpmwire.errors import TpmError
from tpmwire.explain import explain_stream
from tpmwire.explain.tampering import Change, who_notices
from tpmwire.secret import Secret
from tpmwire.sessions import Password
from tpmwire.spec.commands.objects import Create, Load, Unseal
from tpmwire.spec.structures import TPMS_SENSITIVE_CREATE
from tpmwire.tpm import Tpm


class Talk:
    """A recording: a salted session creates, loads and unseals, after an attempt with a wrong password."""

    def __init__(self, bench: Bench, path: Path) -> None:
        self.path = path
        session = bench.salted(AES)
        sensitive = TPMS_SENSITIVE_CREATE(PASSWORD, DATA)
        made = bench.tpm.execute(Create(bench.parent, sensitive, SEALED), session.use(decrypt=True))
        loaded = bench.tpm.execute(Load(bench.parent, made.out_private, made.out_public), session.use())
        with pytest.raises(TpmError):
            bench.tpm.execute(Unseal(loaded.object_handle), Password(b"wrong"))
        bench.tpm.execute(Unseal(loaded.object_handle), session.use(PASSWORD, encrypt=True, keep=False))
        self.exchanges = bench.recorded
        self.salts, self.auths = [bench.salt], [Secret(PASSWORD)]
        path.write_text("".join(f"{c.hex()}\n{r.hex()}\n" for c, r in self.exchanges))
        self.words = ["--salt", bench.salt.reveal().hex(), "--auth", PASSWORD.hex(), str(path)]
        self.trees = list(explain_stream(self.exchanges, self.salts, self.auths, knowledge=True))

    def judge(self, change: Change) -> list[str]:
        return who_notices(self.exchanges, change, self.salts, self.auths)

    def last(self, name: str) -> int:
        """The index of the last command with a name."""
        return max(place for place, tree in enumerate(self.trees) if tree.name == name)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Talk:
    with Swtpm() as swtpm, Interposer(swtpm.path) as relay, Tpm.open(f"swtpm:path={relay.path}", 60) as tpm:
        return Talk(Bench(relay, tpm), tmp_path_factory.mktemp("debug") / "talk.hex")


def test_the_steps_as_text(talk: Talk, tool: Tool) -> None:
    ran = tool("debug", "--text", *talk.words)
    assert (ran.code, ran.err) == (0, "")
    steps = ran.out.split("\n\n== ")
    assert len(steps) == len(talk.trees)
    create = steps[talk.last("TPM2_Create")]
    secret, public = create.partition("known to anyone who reads the bus")[::2]
    for words in ("known only to the program and the TPM", "    sessionKey = ", "  + HMAC key = ", "  + IV = "):
        assert words in secret
    for words in ("    nonceTPM = ", "  + nonceCaller = ", "  + cpHash = ", "  + hmac = ", "valid: HMAC(key"):
        assert words in public
    assert repr(DATA.decode()) in create
    assert "No session protects this message" in steps[0]
    # Output that is not a terminal is text.
    assert tool("debug", *talk.words).out == ran.out
    assert tool("debug", "--text", "-", stdin=talk.path.read_bytes()).out.count("== message") == len(steps)


def test_the_steps_as_json(talk: Talk, tool: Tool) -> None:
    ran = tool("debug", "--json", *talk.words)
    steps = json.loads(ran.out)
    assert [step["message"] for step in steps] == list(range(1, len(talk.trees) + 1))
    assert [step["tree"]["name"] for step in steps] == [tree.name for tree in talk.trees]
    (session,) = steps[talk.last("TPM2_Create")]["sessions"]
    facts = {fact["name"]: fact for fact in session["facts"]}
    assert facts["sessionKey"]["sides"] == ["program", "TPM"]
    assert len(facts["nonceTPM"]["value"]) == 64
    part = json.loads(tool("debug", "--json", "--session", "0x02000000", *talk.words).out)
    assert part == [step for step in steps if step["sessions"]]
    ran = tool("debug", "--json", "--change", "1:0", *talk.words)
    (found,) = json.loads(ran.out)
    assert (found["message"], found["offset"], found["bit"], len(found["findings"])) == (1, 0, 0, 2)


def test_the_steps_of_one_session(talk: Talk, tool: Tool) -> None:
    used = [place for place, tree in enumerate(talk.trees) if tree.knowledge]
    ran = tool("debug", "--session", "0x02000000", *talk.words)
    assert [line.split(":")[0] for line in ran.out.splitlines() if line.startswith("== ")] == [
        f"== message {place + 1}" for place in used
    ]
    ran = tool("debug", "--text", "--session", "0x02000009", *talk.words)
    assert (ran.code, ran.out) == (2, "")
    assert "no message uses the session 0x02000009; sessions in the recording: 0x02000000\n" in ran.err
    ran = tool("debug", "--session", "2000000", *talk.words)
    assert (ran.code, ran.err) == (
        2,
        "tpmwire: --session: '2000000' is not a handle; use e.g. 0x02000000\n",
    )


def test_who_notices_a_changed_bit(talk: Talk, tool: Tool) -> None:
    create, load, public = map(talk.last, ("TPM2_Create", "TPM2_Load", "TPM2_ReadPublic"))
    wrong = next(n for n, tree in enumerate(talk.trees) if b"wrong" in tree.octets)
    where = talk.trees[wrong].octets.index(b"wrong")
    by_hmac = "because the HMAC of session 0x02000000 is not valid."
    for place, offset, who in (
        (create, 0x60, f"The TPM notices, {by_hmac}"),  # encrypted
        (create + 1, 0x20, f"The program notices, {by_hmac}"),
        (load, len(talk.trees[load].octets) - 1, f"The TPM notices, {by_hmac}"),
        (create, 0, "The TPM notices, because it cannot parse the message: "),
        (wrong, where, "The TPM notices, because the password is wrong."),
        (public, 13, "Neither the TPM nor the program notices: no HMAC protects this message. The TPM uses"),
        (
            public + 1,
            60,
            "Neither the TPM nor the program notices: no HMAC protects this message. The program uses",
        ),
    ):
        said = talk.judge(Change(place, offset))
        assert said[1].startswith(who), (place, offset, said)
    ran = tool("debug", "--change", f"{create + 1}:0x60:7", *talk.words)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[1] == f"The TPM notices, {by_hmac}"
    # Without the salt, nobody can say.
    ran = tool("debug", "--change", f"{create + 1}:96", str(talk.path))
    assert "The HMAC's key is unknown here." in ran.out
    for text in ("0:1", "1", "1:0:8", "x:1"):
        ran = tool("debug", "--change", text, *talk.words)
        assert (ran.code, ran.out) == (2, "")
        assert f"--change: {text!r} is not MESSAGE:OFFSET[:BIT]" in ran.err
    ran = tool("debug", "--change", "1:5000", *talk.words)
    assert (ran.code, ran.err) == (2, "tpmwire: --change: the recording has no byte 5000 in message 1\n")


def test_the_screen(talk: Talk) -> None:
    def text(app: Debugger, name: str) -> str:
        return " ".join(str(app.query_one(f"#{name}").render()).split())

    async def use() -> None:
        app = Debugger(talk.trees, talk.judge, range(len(talk.trees)))
        async with app.run_test(size=(140, 40)) as pilot:
            assert text(app, "title").startswith("message 1: ")
            assert "No session protects this message" in text(app, "facts")
            await pilot.press("right", "right", "left")
            assert app.place == 1
            await pilot.press("left", "left", "left")
            assert app.place == 0
            while app.trees[app.place].name != "TPM2_Create":
                await pilot.press("s")
            assert "HMAC key" in text(app, "facts")
            # The second line is the tag, the first line with bytes.
            await pilot.press("down", "c")
            await pilot.pause()
            assert "The TPM notices, because it cannot parse" in text(app, "field")
            await pilot.press("r")
            assert app.trees[app.place].type == "response"
            assert any(app.trees[app.place].octets[6:10])

    asyncio.run(use())


def on_terminal(*words: str, **variables: str) -> tuple[int, str]:
    """The exit code and the errors of the verb whose output is a terminal."""
    here, there = pty.openpty()
    with os.fdopen(here), os.fdopen(there) as screen:
        ran = subprocess.run(
            [*PROGRAM, "debug", *words],
            stdin=subprocess.DEVNULL,
            stdout=screen,
            stderr=subprocess.PIPE,
            env=os.environ | variables,
            check=False,
            timeout=60,
        )
    return ran.returncode, ran.stderr.decode()


def test_the_screen_needs_a_package_and_a_file(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "textual.py").write_text("raise ImportError")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    code, err = on_terminal(str(talk.path), PYTHONPATH=path)
    assert (code, err.count("\n")) == (2, 1)
    assert "pip install 'tpmwire[debug]'; --text prints the steps" in err
    assert on_terminal() == (
        2,
        "tpmwire: the debugger reads keys from standard input; give the recording as a file, or add --text\n",
    )


def test_a_file_that_is_not_a_recording(tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "key.pub"
    path.write_bytes(len(SEALED.build()).to_bytes(2, "big") + SEALED.build())
    ran = tool("debug", "--text", path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"tpmwire: {path} is not a recording but a TPM2B_PUBLIC")
    assert os.fspath(path) in ran.err
