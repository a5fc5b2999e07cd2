"""`tpmwire console` with a sign-in page that takes only credentials that an STS takes."""

import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from cli.toolbox import main
from tests.support import keys
from tests.support.programs import KEY_ID, TOOLBOX, Machine, left_behind
from tests.support.signin import SigninPage, signin_page
from tests.support.sts import VerifyingSts

HOSTS = {"eu-west-1": "signin.aws.amazon.com", "cn-north-1": "signin.amazonaws.cn"}


@pytest.fixture(scope="module")
def page(sts: VerifyingSts) -> Iterator[SigninPage]:
    with signin_page(sts, HOSTS["eu-west-1"]) as running:
        yield running


def _words(box: Machine, sts: VerifyingSts) -> list[str]:
    key = [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
    role = ["--assumeRole=true", f"--aws-arn={sts.role_arn}", f"--endpoint-url={sts.endpoint}"]
    return [str(box.bin / TOOLBOX), "console", *key, *role, f"--tpm-path={box.swtpm.path}", "--timeout=20s"]


def _environ(box: Machine, sts: VerifyingSts, page: SigninPage, **more: str) -> dict[str, str]:
    return box.environment(HTTPS_PROXY=page.proxy, AWS_CA_BUNDLE=str(sts.authority().bundle), **more)


def _run(box: Machine, sts: VerifyingSts, page: SigninPage, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*_words(box, sts), *words],
        check=False,
        env=_environ(box, sts, page),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("region", HOSTS)
def test_a_browser_would_be_signed_in(box: Machine, sts: VerifyingSts, region: str) -> None:
    with signin_page(sts, HOSTS[region]) as page:
        done = _run(box, sts, page, f"--region={region}", "--session-duration=43200", "--destination=s3")
        assert (done.returncode, done.stderr) == (0, "")
        url = done.stdout.strip()
        assert url.startswith(f"https://{HOSTS[region]}/federation?")
        assert page.seen[0]["SessionDuration"] == "43200"
        status, _, location = page.answer(url.removeprefix(f"https://{HOSTS[region]}"))
    console = HOSTS[region].replace("signin", "console")
    assert (status, location) == (302, f"https://{console}/s3/home?region={region}")
    assert left_behind(box.swtpm.path) == []


def test_a_refusal_shows_no_credentials(box: Machine, sts: VerifyingSts) -> None:
    """The page repeats what it was given; our line does not."""
    with VerifyingSts() as other, signin_page(other, HOSTS["eu-west-1"]) as strange:
        done = subprocess.run(
            [*_words(box, sts), "--region=eu-west-1"],
            check=False,
            env=_environ(box, other, strange),
            capture_output=True,
            text=True,
            timeout=60,
        )
        session = strange.seen[0]["Session"]
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (6, "", 1)
    assert "sign-in page refused the credentials (HTTP 400)" in done.stderr
    assert not any(word in done.stderr for word in session.split('"') if len(word) > 12)


@pytest.mark.parametrize("status", [404, 502])
def test_a_page_that_is_not_the_sign_in_page(
    box: Machine, sts: VerifyingSts, page: SigninPage, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(page, "answer", lambda _path: (status, "<html>", ""))
    done = _run(box, sts, page, "--region=eu-west-1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (7, "", 1)
    assert f"unexpected HTTP {status} from the console's sign-in page" in done.stderr


OPENER = """#!/bin/sh
ps -o args= -p $$ > "$OPENED.args"
stat -c %a "$1" > "$OPENED.mode"
cp "$1" "$OPENED"
"""


def test_the_browser_is_opened(box: Machine, sts: VerifyingSts, page: SigninPage, tmp_path: Path) -> None:
    """On a terminal, by a page of the user's own: its URL is on no command line, and is not printed."""
    opener = tmp_path / "xdg-open"
    opener.write_text(OPENER)
    opener.chmod(0o755)
    run = tmp_path / "run"
    run.mkdir(0o700)
    environ = _environ(box, sts, page, OPENED=str(tmp_path / "opened"), XDG_RUNTIME_DIR=str(run), DISPLAY=":0")
    environ["PATH"] = f"{tmp_path}:{environ['PATH']}"
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*_words(box, sts), "--region=eu-west-1"], check=False, env=environ, stdout=theirs, timeout=60
    )
    os.close(theirs)
    assert done.returncode == 0
    shown = (tmp_path / "opened").read_text()
    assert page.given[-1] in shown
    assert page.given[-1] not in (tmp_path / "opened.args").read_text()
    assert (tmp_path / "opened.mode").read_text().strip() == "600"
    assert list(run.iterdir()) == []
    with pytest.raises(OSError, match="Input/output error"):  # nothing was printed
        os.read(ours, 100)
    os.close(ours)


def test_a_browser_in_the_foreground(box: Machine, sts: VerifyingSts, page: SigninPage, tmp_path: Path) -> None:
    """As xdg-open starts one without a desktop: nobody waits for its end, and it does not end with us."""
    opener = tmp_path / "xdg-open"
    opener.write_text('#!/bin/sh\necho $$ > "$OPENED"\nexec sleep 60\n')
    opener.chmod(0o755)
    environ = _environ(box, sts, page, OPENED=str(tmp_path / "opened"), XDG_RUNTIME_DIR="/gone", DISPLAY=":0")
    environ["PATH"] = f"{tmp_path}:{environ['PATH']}"
    ours, theirs = pty.openpty()
    words = [*_words(box, sts), "--region=eu-west-1"]
    subprocess.run(words, check=True, env=environ, stdout=theirs, timeout=40)
    os.kill(int((tmp_path / "opened").read_text()), signal.SIGTERM)
    os.close(theirs)
    os.close(ours)


@pytest.mark.parametrize("display", ["", ":0"])
def test_no_browser(box: Machine, sts: VerifyingSts, page: SigninPage, tmp_path: Path, display: str) -> None:
    """Then, or where a browser could only be one for this terminal, the URL is printed."""
    opener = tmp_path / "xdg-open"
    opener.write_text(f'#!/bin/sh\ntest -z "$DISPLAY" && touch {tmp_path}/started\nexit {3 if display else 0}\n')
    opener.chmod(0o755)
    environ = _environ(box, sts, page, DISPLAY=display)
    environ["PATH"] = f"{tmp_path}:{environ['PATH']}"
    ours, theirs = pty.openpty()
    subprocess.run([*_words(box, sts), "--region=eu-west-1"], check=True, env=environ, stdout=theirs, timeout=60)
    assert b"SigninToken=" in os.read(ours, 4096)
    assert not (tmp_path / "started").exists()
    os.close(theirs)
    os.close(ours)


ROLE = ["--assumeRole=true", "--aws-arn=arn:aws:iam::123456789012:role/a"]
REGION = "--region=eu-west-1"
REFUSED = {
    "GetSessionToken": ([REGION], "the credentials of a role or a federated user"),
    "MFA alone": (
        [REGION, "--mfa-serial=arn:aws:iam::123456789012:mfa/me"],
        "credentials of a role or a federated user",
    ),
    "root": (
        [REGION, "--root-of=123456789012", "--task-policy-arn=x"],
        "credentials of a role or a federated user",
    ),
    "too short": ([REGION, *ROLE, "--session-duration=899"], "900 to 43200 seconds, not 899"),
    "too long": ([REGION, *ROLE, "--session-duration=43201"], "900 to 43200 seconds, not 43201"),
    "a chain": ([REGION, *ROLE, ROLE[1], "--session-duration=900"], "is only for a single role"),
    "a user's": ([REGION, "--federation-name=me", "--session-duration=900"], "is only for roles"),
    "no console": (["--region=us-iso-east-1", *ROLE], "console sign-in page of partition aws-iso"),
    "an issuer that is none": ([REGION, *ROLE, "--issuer=example.com/\udcff"], "invalid URL"),
    "no page": ([REGION, *ROLE, "--destination=http://x"], "not a valid console page"),
    "no region": (ROLE, "the region is not known"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_the_tpm_is_asked(
    case: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    words, says = REFUSED[case]
    # There is no TPM.
    assert main(["console", *words, f"--aws-access-key-id={KEY_ID}", "--tpm-path=/nonexistent"]) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)


def test_the_url_is_made_of_what_was_asked(box: Machine, sts: VerifyingSts, page: SigninPage) -> None:
    words = ["--print", "--region=eu-west-1", "--destination=https://console.aws.amazon.com/a?b=c#d"]
    done = _run(box, sts, page, *words, "--issuer=https://intranet/")
    query = dict(parse_qsl(urlsplit(done.stdout.strip()).query))
    assert query["Destination"] == "https://console.aws.amazon.com/a?b=c#d"
    assert query["Issuer"] == "https://intranet/"
    assert query["SigninToken"] == page.given[-1]
    assert "SessionDuration" not in page.seen[-1]
