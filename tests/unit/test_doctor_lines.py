"""`tpmwire doctor` on real files of AWS's programs, each with one fault."""

import json
import os
import socket
from pathlib import Path

import pytest

from cli.doctor import programs
from cli.lifecycle.profile_keys import is_own_line
from tests.support.findings import findings, texts
from tests.support.verbs import Tool

PROGRAM = "aws-tpm-process-credential"
KEY = "--aws-access-key-id=AKIAMADEUPMADEUP0000 --persistentHandle=0x81010002"
PLAIN = f"aws_access_key_id = AKIAMADEUPMADEUP0000\naws_secret_access_key = {'s' * 40}\n"


class Home:
    """A home with AWS's two files, and the program at two places: in a directory of PATH, and outside."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory, self.monkeypatch = directory, monkeypatch
        (directory / ".aws").mkdir()
        self.program = directory / "bin" / PROGRAM
        for folder in ("bin", "opt"):
            path = directory / folder / PROGRAM
            path.parent.mkdir()
            path.write_text("#!/bin/sh\n")
            path.chmod(0o755)
        monkeypatch.setenv("HOME", str(directory))
        monkeypatch.setenv("PATH", f"{directory}/bin:/usr/bin:/bin")
        for name in [name for name in os.environ if name.startswith(("XDG_", "TPM", "HTTP"))]:
            monkeypatch.delenv(name)
        # On a machine with tpmwire, these directories have it.
        monkeypatch.setattr(programs, "_USUAL_PATH", str(directory / "usual"))
        monkeypatch.chdir(directory)

    def config(self, text: str) -> None:
        (self.directory / ".aws" / "config").write_text(text)

    def credentials(self, text: str, mode: int = 0o600) -> None:
        path = self.directory / ".aws" / "credentials"
        path.touch(mode)
        path.write_text(text)
        path.chmod(mode)

    def line(self, start: str, options: str = KEY) -> None:
        self.config(f"[profile work]\ncredential_process = {start} {options}\n")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return Home(tmp_path, monkeypatch)


def examined(tool: Tool) -> dict[str, list[dict[str, str]]]:
    return findings(tool, "--tpm-path=/nonexistent/tpm")


def test_a_profile_without_a_fault(home: Home, tool: Tool) -> None:
    home.line(str(home.program))
    home.credentials("")
    found = examined(tool)
    for check in ("profiles", "program", "options", "precedence", "plaintext-keys", "password-files"):
        assert {each["status"] for each in found[check]} == {"ok"}, found[check]
    assert found["program"][0]["text"] == f"{home.program} can be run (profile work)"


@pytest.mark.parametrize(
    ("start", "status", "says"),
    [
        (PROGRAM, "warning", f"{PROGRAM} is found only in HOME/bin, which services do not search; write its abs"),
        (f"opt/{PROGRAM}", "error", f"opt/{PROGRAM} depends on the working directory of each program"),
        (f"~/bin/{PROGRAM}", "error", f"not every SDK expands ~/bin/{PROGRAM}; write its absolute path"),
        (f"$HOME/bin/{PROGRAM}", "error", f"not every SDK expands $HOME/bin/{PROGRAM}; write its absolute path"),
        (
            f"TPM_KEY_AUTH=x {PROGRAM}",
            "error",
            "the line sets TPM_KEY_AUTH, which SDKs do not support; use an option",
        ),
        (f"/nowhere/{PROGRAM}", "error", f"/nowhere/{PROGRAM} is not found; install it"),
        (f"HOME/bin/{PROGRAM}l", "error", f"HOME/bin/{PROGRAM}l is not found; write {PROGRAM}"),
        ("aws-tpm-proces-credential", "error", f"aws-tpm-proces-credential is not found; write {PROGRAM}"),
        (
            "/opt/aws_tpm_process_credential",
            "error",
            f"aws_tpm_process_credential is not found; write {PROGRAM}",
        ),
        ("aws-tpm-credential-process", "error", f"aws-tpm-credential-process is not found; write {PROGRAM}"),
        (f"/usr/bin/env {PROGRAM}", "warning", f"{PROGRAM} is found only in HOME/bin"),
        (f"/usr/bin/env HOME=/x /nowhere/{PROGRAM}", "error", f"/nowhere/{PROGRAM} is not found"),
        (f"/bin/sh /nowhere/{PROGRAM}", "error", f"/nowhere/{PROGRAM} is not found"),
        (f"/bin/sh -x opt/{PROGRAM}", "error", f"opt/{PROGRAM} depends on the working directory"),
        (f"/bin/sh HOME/unfit/{PROGRAM}", "ok", f"/bin/sh HOME/unfit/{PROGRAM} can be run (profile work)"),
        (f"HOME/unfit/{PROGRAM}", "error", "is not executable; run chmod +x HOME/unfit"),
        (
            f"HOME/old/{PROGRAM}",
            "error",
            "needs /gone/venv/bin/python3, which does not exist; install",
        ),
    ],
)
def test_how_the_program_is_found(home: Home, tool: Tool, start: str, status: str, says: str) -> None:
    for folder, mode in (("unfit", 0o644), ("old", 0o755)):
        path = home.directory / folder / PROGRAM
        path.parent.mkdir()
        path.write_text("#!/gone/venv/bin/python3\n")
        path.chmod(mode)
    shown = str(home.directory)
    home.line(start if "$HOME" in start else start.replace("HOME/", f"{shown}/"))
    (text,) = texts(examined(tool)["program"], status)
    assert status == "ok" or text.startswith("profile work: ")
    assert says.replace("HOME/", "HOME/" if "expands" in says else f"{shown}/") in text


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        (
            "--persistentHandle=0x81010002",
            "warning",
            "no --aws-access-key-id, so each program needs",
        ),
        (f"{KEY} --no-such-option", "error", "profile work: unrecognized arguments: --no-such-option"),
        (f"{KEY} --timeout=never", "error", "profile work: argument --timeout"),
        (f"{KEY} 'open quote", "error", "not a valid command line"),
        (
            f"{KEY} --credential-file=key.pem",
            "warning",
            "--credential-file: key.pem depends on the",
        ),
        (f"{KEY} --credential-file=~/key.pem", "error", "--credential-file: ~/key.pem is not expanded; write the"),
        (f"{KEY} --keyPass-file=/nowhere/pass", "error", "--keyPass-file: /nowhere/pass does not exist; correct"),
        (f"{KEY} --ca-bundle=/nowhere/ca.pem", "error", "--ca-bundle: /nowhere/ca.pem does not exist; correct"),
    ],
)
def test_options(home: Home, tool: Tool, options: str, status: str, says: str) -> None:
    home.line(str(home.program), options)
    assert any(says in text for text in texts(examined(tool)["options"], status))


@pytest.mark.parametrize(
    ("line", "own"),
    [
        ("aws-tmp-process-credential --credential-file=/k.pem", True),
        ("/usr/bin/env aws-tpm-proces-credential --credential-file=/k.pem", True),
        ("aws-tpm-proces-credential --keyPass-file='open", True),
        # A wrapper or another name may work: it must not become an error.
        ("/opt/wrapper --persistentHandle 0x81010020", False),
        ("aws-kms-process-credential --key=alias/x", False),
        ("tpmwire fetch --aws-access-key-id=x", False),
        ("aws_signing_helper credential-process --private-key=/k.pem", False),
        ("aws-vault export work persistentHandle", False),
    ],
)
def test_lines_that_are_examined(line: str, own: bool) -> None:
    assert is_own_line(line) is own


@pytest.mark.parametrize(
    ("more", "names"),
    [
        (PLAIN, "aws_access_key_id, aws_secret_access_key"),
        ("web_identity_token_file = /t\nrole_arn = arn:aws:iam::123456789012:role/x\n", "web_identity_token_file"),
        ("sso_session = x\n", "sso_session"),
    ],
)
def test_settings_that_override_the_line(home: Home, tool: Tool, more: str, names: str) -> None:
    home.config(f"[profile work]\ncredential_process = {home.program} {KEY}\n{more}")
    (text,) = texts(examined(tool)["precedence"], "error")
    assert text.startswith(f"profile work also has {names}")
    assert ("`tpmwire enroll --profile work --remove-plaintext`" in text) is (more == PLAIN)


def test_keys_in_the_other_file_and_in_the_environment(home: Home, tool: Tool) -> None:
    home.line(str(home.program))
    home.credentials(f"[work]\n{PLAIN}[other]\n{PLAIN}", 0o644)
    home.monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMADEUPMADEUP0000")
    found = examined(tool)
    assert len(texts(found["precedence"], "error")) == 1
    assert (
        "sets AWS_ACCESS_KEY_ID, which AWS programs use before any profile; unset"
        in (texts(found["precedence"], "warning")[0])
    )
    plain = texts(found["plaintext-keys"], "warning")
    assert [text.partition(" has ")[0] for text in plain] == ["profile work", "profile other"]
    assert "run `tpmwire enroll --profile other`" in plain[1]
    (text,) = texts(found["password-files"], "warning")
    assert "credentials (-rw-r--r--); run chmod 600" in text
    assert "s" * 40 not in json.dumps(found)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("[profile work\n", "config: not a valid AWS config file"),
        ("[profile work]\nx = 1\n[profile work]\ny = 2\n", "config: not a valid AWS config file"),
        (f"[work]\ncredential_process = /x/{PROGRAM} {KEY}\n", "ignore the section [work]"),
    ],
)
def test_files_that_aws_cannot_use(home: Home, tool: Tool, config: str, says: str) -> None:
    home.config(config)
    assert any(says in text for text in texts(examined(tool)["profiles"], "error"))


def test_a_selected_profile_that_does_not_exist(home: Home, tool: Tool) -> None:
    home.line(str(home.program))
    home.monkeypatch.setenv("AWS_PROFILE", "absent")
    assert texts(examined(tool)["profiles"], "error") == [
        "AWS_PROFILE selects the profile absent, which does not exist; correct AWS_PROFILE"
    ]


def test_chains_of_roles(home: Home, tool: Tool) -> None:
    role = "role_arn = arn:aws:iam::123456789012:role/demo\nsource_profile = work\n"
    home.config(
        f"[profile work]\ncredential_process = {home.program} {KEY}\n[profile good]\n{role}"
        f"[profile bad]\n{role}credential_source = Environment\n"
    )
    found = examined(tool)["roles"]
    assert texts(found, "ok") == ["profile good: its chain ends at profile work; "]
    assert "profile bad has both source_profile and credential_source" in texts(found, "error")[0]


@pytest.mark.parametrize(
    ("region", "option", "says"),
    [
        ("us-est-1", "", "profile work: region: 'us-est-1' is not a region of AWS; did you mean 'us-east-1'?"),
        ("eu_west_1", "", "profile work: region: 'eu_west_1' is not a valid region name; use e.g. eu-central-1"),
        (
            "eu-west-1",
            "--aws-region=ue-west-2",
            "profile work: --aws-region: 'ue-west-2' is not a region of AWS; ",
        ),
        ("eu-west-9", "--aws-region=us-gov-east-1", None),
    ],
)
def test_regions(home: Home, tool: Tool, region: str, option: str, says: str | None) -> None:
    home.config(f"[profile work]\nregion = {region}\ncredential_process = {home.program} {KEY} {option}\n")
    found = texts(examined(tool)["options"], "error")
    assert [text[: len(says or "")] for text in found] == ([] if says is None else [says])


@pytest.mark.parametrize("start", ["HOME/bin/tpmwire fetch", "HOME/bin/curl -s --unix-socket"])
@pytest.mark.parametrize(
    ("kind", "status", "says"),
    [
        ("socket", "ok", "HOME/sock exists (profile work)"),
        ("missing", "error", "profile work: HOME/sock: no such file or directory; run `systemctl --user enable"),
        ("file", "error", "profile work: HOME/sock is not a socket"),
    ],
)
def test_profiles_of_a_server(home: Home, tool: Tool, start: str, kind: str, status: str, says: str) -> None:
    for name in ("tpmwire", "curl"):
        (home.directory / "bin" / name).symlink_to(home.program)
    path = home.directory / "sock"
    with socket.socket(socket.AF_UNIX) as server:
        if kind == "socket":
            home.monkeypatch.chdir(home.directory)
            server.bind("sock")
        elif kind == "file":
            path.touch()
        url = "http://localhost/process" if "curl" in start else ""
        line = f"{start.replace('HOME', str(home.directory))} {path} {url}"
        home.config(f"[profile work]\ncredential_process = {line}\n{PLAIN}")
        found = examined(tool)
    assert texts(found["profiles"], "ok") == ["profiles that use the TPM: work; "]
    assert texts(found["precedence"], "error")[0].startswith("profile work also has aws_access_key_id")
    (text,) = texts(found["server"], status)
    assert text.startswith(says.replace("HOME", str(home.directory)))


def test_a_program_of_a_server_that_is_not_found(home: Home, tool: Tool) -> None:
    home.config("[profile work]\ncredential_process = /nowhere/tpmwire fetch\n")
    (text,) = texts(examined(tool)["program"], "error")
    assert text.startswith("profile work: /nowhere/tpmwire is not found; install it")


def test_named_pipes_in_place_of_files_end_the_check(home: Home, tool: Tool) -> None:
    os.mkfifo(home.directory / ".aws" / "config")
    assert len(texts(examined(tool)["profiles"], "error")) == 1


def test_commands_to_run_quote_the_names_of_profiles(home: Home, tool: Tool) -> None:
    home.config("")
    home.credentials(f"[a b; reboot]\n{PLAIN}")
    (text,) = texts(findings(tool)["plaintext-keys"], "warning")
    assert text.endswith("run `tpmwire enroll --profile 'a b; reboot'`")
