"""`tpmwire setup` at a terminal: plaintext keys move into the TPM; ended at any prompt, it says what stands."""

import shlex
from pathlib import Path

import pytest

from tests.support.handles import handles, is_command
from tests.support.home import arn_of, files_with, make_home
from tests.support.interposer import Interposer
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm, tpm2
from tests.support.terminal import at_a_terminal
from tests.support.verbs import Tool, held
from tpmwire.spec.constants import TPM_CC

CONFIG = "[profile work]\nregion = us-east-1\n"
YES_OR_NO, SECRET = b"[y/N] ", b"(not shown): "
CTRL_C = b"\x03"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sts: VerifyingSts) -> Path:
    plain = (
        f"[work]\naws_access_key_id = {sts.access_key_id}\naws_secret_access_key = {sts.secret_access_key}\n"
        f"[other]\naws_access_key_id = AKIAOTHEROTHEROTHER\naws_secret_access_key = {'o' * 40}\n"
    )
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return make_home(tmp_path, monkeypatch, sts, CONFIG, plain)


def content(home: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in (home / ".aws").rglob("*") if path.is_file()}


@pytest.mark.parametrize("persistent", [b"n", b"y"], ids=["file", "handle"])
def test_a_plaintext_key_moves_into_the_tpm(
    home: Path, swtpm: Swtpm, sts: VerifyingSts, tool: Tool, persistent: bytes
) -> None:
    answers = [
        b"yess",
        persistent,
        b"y",
        b"y",
        b"n",
    ]  # a typing error, run enroll, remove the plaintext key, do not run it for the other
    code, shown = at_a_terminal(["setup", "--tpm-path", swtpm.path], answers, YES_OR_NO)
    assert code == 0, shown
    assert f"$ tpmwire doctor --tpm-path={swtpm.path}\r\nok       device: " in shown
    assert "warning  profiles: no profile runs aws-tpm-process-credential; setup offers to write one\r\n" in shown
    assert "; setup offers to move it into the TPM\r\n" in shown
    assert shown.count("reply y or n\r\n") == 1
    place = " --persistent-handle=0x81010020" if persistent == b"y" else ""
    command = f"tpmwire enroll --profile=work --tpm-path={swtpm.path}{place}"
    assert f"$ {command}\r\nRun this command? [y/N] " in shown
    assert "$ tpmwire enroll --profile=other" in shown
    assert shown.rstrip().endswith("$ aws sts get-caller-identity --profile work")
    assert "$ aws sts get-caller-identity --profile other" not in shown
    assert sts.secret_access_key not in shown
    assert files_with(home, sts.secret_access_key) == []
    assert files_with(home, "o" * 40) == [home / ".aws" / "credentials"]
    again = tool(*shlex.split(command)[1:])
    assert "enrolled already" in again.err, again
    assert held(swtpm) == ""


def test_the_commands_alone_change_nothing(home: Path, swtpm: Swtpm, tool: Tool) -> None:
    before = content(home)
    done = tool("setup", "--dry-run", "--tpm-path", swtpm.path)
    assert (done.code, done.err) == (0, "")
    where = f"--tpm-path={swtpm.path}"
    assert done.out.splitlines() == [
        f"tpmwire doctor {where}",
        f"tpmwire enroll --profile=work {where}",
        "aws sts get-caller-identity --profile work",
        f"tpmwire enroll --profile=other {where}",
        "aws sts get-caller-identity --profile other",
    ]
    assert content(home) == before


def test_without_a_terminal_the_commands_are_named(home: Path, tool: Tool) -> None:
    done = tool("setup")
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert "needs a terminal; in a script, use `tpmwire doctor` and `tpmwire enroll --profile NAME`" in line


def test_a_tpm_that_cannot_be_used_ends_it(home: Path) -> None:
    before = content(home)
    code, shown = at_a_terminal(["setup", "--tpm-path", "/nonexistent/tpm"], [], YES_OR_NO)
    assert code == 1
    assert shown.rstrip().endswith(
        "correct the errors of the TPM, then run `tpmwire setup` again; nothing was changed"
    )
    assert content(home) == before


@pytest.mark.parametrize("yes", [[], [b"n"]], ids=["at the first question", "before a command"])
def test_ended_before_a_command_nothing_is_changed(home: Path, swtpm: Swtpm, yes: list[bytes]) -> None:
    before = content(home)
    code, shown = at_a_terminal(["setup", "--tpm-path", swtpm.path], [*yes, CTRL_C], YES_OR_NO)
    assert code == 130, shown
    assert "Traceback" not in shown
    assert shown.rstrip().endswith("nothing was changed\r\ntpmwire: interrupted")
    assert content(home) == before


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("yes", [[], [b"n"]], ids=["first question", "second question"])
def test_the_end_of_the_input_is_not_a_no(home: Path, swtpm: Swtpm, yes: list[bytes], plain: bool) -> None:
    if not plain:
        (home / ".aws" / "credentials").unlink()
    before = content(home)
    replies = [*(yes if plain else [b"AKIAMADEUPMADEUP0000"] * len(yes)), b"\x04"]
    code, shown = at_a_terminal(["setup", "--tpm-path", swtpm.path], replies, YES_OR_NO, b"): ")
    assert code == 2, shown
    *_, told, last = shown.rstrip().split("\r\n")
    assert told == "nothing was changed"
    assert last.startswith("tpmwire: the input ended before a reply; run the command again")
    assert content(home) == before


def test_an_access_key_id_that_is_not_valid_is_asked_for_again(home: Path, swtpm: Swtpm) -> None:
    (home / ".aws" / "credentials").unlink()
    words, prompts = ["setup", "--tpm-path", swtpm.path], [b"(empty: none): ", b"(empty: default): ", YES_OR_NO]
    replies = [b"AKAIOSFODNN7EXAMPLE", b"my key", b"AKIAIOSFODNN7EXAMPLE", b"", b"n"]
    code, shown = at_a_terminal(words, replies, *prompts)
    assert code == 0, shown
    assert shown.count("an access key ID of a user has 20 letters and digits, and begins with AKIA\r\n") == 2
    assert "--aws-access-key-id=AKIAIOSFODNN7EXAMPLE --write-profile=default" in shown
    code, shown = at_a_terminal(words, [b"x", b"ASIAIOSFODNN7EXAMPLE", b"x" * 40], *prompts)
    assert code == 2, shown
    assert shown.rstrip().endswith("begins with AKIA; copy it from the IAM console")


def test_ended_within_a_command_its_state_is_told(home: Path, swtpm: Swtpm, sts: VerifyingSts, tool: Tool) -> None:
    """At the password of the TPM's owner, and at the question whether to remove the plaintext key."""
    tpm2(swtpm, "changeauth", "-c", "owner", "word")
    before = content(home)
    prompts = [YES_OR_NO, SECRET]
    code, shown = at_a_terminal(["setup", "--tpm-path", swtpm.path], [b"n", b"y", CTRL_C], *prompts)
    assert code == 130, shown
    told = "profile work still uses its plaintext key; to continue, run `tpmwire enroll --profile=work "
    assert told in shown
    assert "nothing was changed" not in shown
    assert content(home) == before

    code, shown = at_a_terminal(["setup", "--tpm-path", swtpm.path], [b"n", b"y", b"word", CTRL_C], *prompts)
    assert code == 130, shown
    told = "profile work still uses its plaintext key, and has a credential_process; to continue, run `"
    assert told in shown
    assert arn_of("work").endswith(":user/device")
    command = shown.partition(told)[2].partition("`")[0]
    code, shown = at_a_terminal(shlex.split(command)[1:], [b"word", b"y"], *prompts)
    assert code == 0, shown
    assert files_with(home, sts.secret_access_key) == []
    assert held(swtpm) == ""


def test_a_key_that_aws_refuses_is_told_with_the_state(home: Path, swtpm: Swtpm) -> None:
    before = content(home)
    code, shown = at_a_terminal(["setup", "--tpm-path", swtpm.path], [b"n", b"n", b"y"], YES_OR_NO)
    assert code == 6, shown
    assert shown.rstrip().endswith("; profile other still uses its plaintext key")
    assert content(home) == before


def test_a_new_key_is_imported(home: Path, swtpm: Swtpm, sts: VerifyingSts, tool: Tool) -> None:
    (home / ".aws" / "credentials").unlink()
    prompts = [b"(empty: none): ", b"(empty: default): ", YES_OR_NO, SECRET]
    words = ["setup", "--tpm-path", swtpm.path]
    code, shown = at_a_terminal(words, [b""], *prompts)
    assert code == 0
    answers = [sts.access_key_id.encode(), b"new", b"y", sts.secret_access_key.encode()]
    code, shown = at_a_terminal(words, answers, *prompts)
    assert code == 0, shown
    assert sts.secret_access_key not in shown
    assert f"$ tpmwire import --persistent-handle=0x81010020 --aws-access-key-id={sts.access_key_id} " in shown
    assert shown.rstrip().endswith("$ aws sts get-caller-identity --profile new")
    assert tool("aws", "whoami", "--profile", "new").code == 0
    assert files_with(home, sts.secret_access_key) == []


def test_handles_in_use_are_not_offered(home: Path, swtpm: Swtpm, tool: Tool) -> None:
    assert tool("import", "--persistent-handle=0x81010020", "--tpm-path", swtpm.path, stdin=b"x" * 40).code == 0
    code, shown = at_a_terminal(["setup", "--tpm-path", swtpm.path], [b"y", b"n", b"n"], YES_OR_NO)
    assert code == 0
    assert "--profile=work " in shown
    assert "--persistent-handle=0x81010021" in shown
    assert "--persistent-handle=0x81010022" in shown


def test_profiles_with_one_key_share_its_handle(home: Path, swtpm: Swtpm, sts: VerifyingSts) -> None:
    plain = home / ".aws" / "credentials"
    text = plain.read_text().split("[other]")[0]
    plain.write_text(text + text.replace("[work]", "[again]"))
    words = ["setup", "--tpm-path", swtpm.path]
    code, shown = at_a_terminal(words, [b"y", b"y", b"n", b"y", b"n"], YES_OR_NO)
    assert code == 0, shown
    assert shown.count("--persistent-handle=0x81010020\r\n") == 2
    assert len(handles(swtpm, "persistent")) == 1
    # The keys are still in plaintext: another run proposes what is there.
    code, shown = at_a_terminal(words, [b"n", b"y", b"y", b"y", b"y"], YES_OR_NO)
    assert code == 0, shown
    assert shown.count("--persistent-handle=0x81010020\r\n") == 2
    assert len(handles(swtpm, "persistent")) == 1
    assert files_with(home, sts.secret_access_key) == []


@pytest.mark.parametrize("verb", ["enroll", "import"])
def test_a_key_that_is_stored_already_is_told(home: Path, swtpm: Swtpm, sts: VerifyingSts, verb: str) -> None:
    """The config file can be written when the command begins, and no longer when the key is stored."""
    config = home / ".aws" / "config"

    def replaced(octets: bytes, sent: bytes) -> bytes:
        if is_command(sent, TPM_CC.EvictControl) and config.is_file():
            config.unlink()
            config.mkdir()
        return octets

    replies = [b"y", b"y"]
    if verb == "import":
        (home / ".aws" / "credentials").unlink()
        replies = [sts.access_key_id.encode(), b"new", b"y", sts.secret_access_key.encode()]
    prompts = [b"(empty: none): ", b"(empty: default): ", YES_OR_NO, SECRET]
    with Interposer(swtpm.path) as bus:
        bus.on_response = replaced
        code, shown = at_a_terminal(["setup", "--tpm-path", bus.path], replies, *prompts)
    assert code == 2, shown
    assert shown.rstrip().endswith("; the key is at 0x81010020 (`tpmwire evict 0x81010020` removes it)")
    assert handles(swtpm, "persistent") == ["0x81010020"]
