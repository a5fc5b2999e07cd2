"""`--mfa-totp`: the MFA code of a run from a key in the TPM, as AWS gets it, and what the TPM is asked for it."""

import base64
import json
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from tests.support import keys
from tests.support.front import Front
from tests.support.interposer import Interposer
from tests.support.programs import TOOLBOX, Machine, left_behind
from tests.support.sts import VerifyingSts

SERIAL = "arn:aws:iam::123456789012:mfa/tpm"
SECRET = bytes(range(40))  # as long as AWS's
HANDLE = "0x81010009"
FILE_RUN = ["CreatePrimary", "StartAuthSession", "Load", "HMAC", "FlushContext", "FlushContext"]


def _import(box: Machine, *more: str) -> None:
    box.toolbox("totp", "import", "--tpm-path", box.swtpm.path, *more, stdin=base64.b32encode(SECRET).decode())


@pytest.fixture(scope="module")
def pem(box: Machine) -> str:
    path = str(box.home / "mfa.pem")
    _import(box, "--out", path, "--persistent-handle", HANDLE)
    return path


def _words(sts: VerifyingSts, front: Front | None, path: str, *more: str) -> list[str]:
    url = front.url if front else "http://127.0.0.1:9"
    key = [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
    return [*key, f"--tpm-path={path}", f"--endpoint-url={url}", "--timeout=20s", *more]


def _mfa(where: str) -> tuple[str, str]:
    return f"--mfa-serial={SERIAL}", f"--mfa-totp={where}"


def _codes(began: float) -> set[str]:
    """What another implementation has for the time of the run."""
    totp = TOTP(SECRET, 6, hashes.SHA1(), 30)
    return {totp.generate(when).decode() for when in range(int(began), int(time.time()) + 1)}


WAYS = {
    "file": ((), [*FILE_RUN, "ReadPublic", "ReadPublic", "StartAuthSession", "HMAC"]),
    "file, in clear": (
        ("--no-session-encryption",),
        ["CreatePrimary", "Load", "HMAC", "FlushContext", "FlushContext", "HMAC"],
    ),
    "handle": ((), ["ReadPublic", "ReadPublic", "StartAuthSession", "HMAC"] * 2),
    "handle, in clear": (("--no-session-encryption",), ["HMAC", "HMAC"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_aws_gets_the_code_of_now(
    box: Machine, sts: VerifyingSts, front: Front, bus: Interposer, pem: str, way: str
) -> None:
    more, commands = WAYS[way]
    began = time.time()
    where = pem if way.startswith("file") else HANDLE
    done = box.run(*_words(sts, front, bus.path, *_mfa(where), *more))
    assert (done.returncode, done.stderr) == (0, "")
    form = front.seen[0].form()
    assert (form["Action"], form["SerialNumber"]) == ("GetSessionToken", SERIAL)
    assert form["TokenCode"] in _codes(began)
    assert [code for code in bus.codes if code != "GetCapability"] == commands
    assert left_behind(box.swtpm.path) == []


def test_only_the_first_role_of_a_chain_has_the_code(
    box: Machine, sts: VerifyingSts, front: Front, pem: str
) -> None:
    began = time.time()
    roles = ["--assumeRole", f"--aws-arn={sts.role_arn}", "--aws-arn=arn:aws:iam::123456789012:role/a"]
    done = box.run(*_words(sts, front, box.swtpm.path, *_mfa(pem), *roles))
    assert (done.returncode, done.stderr) == (0, "")
    first, second = [exchange.form().get("TokenCode") for exchange in front.seen]
    assert first in _codes(began)
    assert second is None


def test_a_password_is_that_of_the_run_where_the_file_says_that_there_is_one(
    box: Machine, sts: VerifyingSts, front: Front, pem: str
) -> None:
    began = time.time()
    same, other = str(box.home / "same.pem"), str(box.home / "other.pem")
    _import(box, "--out", same, "--key-auth", keys.PASSWORD)
    _import(box, "--out", other, "--key-auth", "another")
    words = _words(sts, front, box.swtpm.path, f"--keyPass={keys.PASSWORD}")
    words[1] = f"--persistentHandle={keys.PASSWORD_HANDLE:#x}"
    refused = box.run(*words, *_mfa(other))
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "concerns the key of --mfa-totp" in refused.stderr
    for without_or_same in (pem, same):
        done = box.run(*words, *_mfa(without_or_same))
        assert (done.returncode, done.stderr) == (0, "")
        assert front.seen[-1].form()["TokenCode"] in _codes(began)


def test_a_code_that_aws_refuses_is_no_lack_of_permissions(box: Machine, sts: VerifyingSts, pem: str) -> None:
    text = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
    body = f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{text}</Message></Error></ErrorResponse>"
    with Front(sts.port, instead=lambda *_: (403, body.encode())) as front:
        done = box.run(*_words(sts, front, box.swtpm.path, *_mfa(pem)))
    assert (done.returncode, done.stdout, len(front.seen)) == (6, "", 1)
    assert "AWS accepts an MFA code once" in done.stderr
    assert "permission" not in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((f"--mfa-totp={HANDLE}",), "--mfa-totp needs --mfa-serial"),
        ((*_mfa(HANDLE), "--mfa-process=echo 123456"), "are both given; give one"),
        (_mfa("0x80000001"), "--mfa-totp: 0x80000001 is not a persistent handle"),
        (_mfa("/nonexistent/key"), "/nonexistent/key: No such file"),
    ],
)
def test_refused_before_anybody_is_asked(
    box: Machine, sts: VerifyingSts, words: tuple[str, ...], says: str
) -> None:
    done = box.run(*_words(sts, None, "/nonexistent", *words))
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_aws_key_itself_is_no_token(box: Machine, sts: VerifyingSts, front: Front) -> None:
    done = box.run(*_words(sts, front, box.swtpm.path, *_mfa(f"{keys.PLAIN_HANDLE:#x}")))
    assert (done.returncode, done.stdout, front.seen) == (2, "", [])
    assert "AWS needs codes computed with HMAC-SHA-1" in done.stderr
    assert left_behind(box.swtpm.path) == []


def test_a_cache_spares_the_code(box: Machine, sts: VerifyingSts, front: Front, bus: Interposer, pem: str) -> None:
    words = _words(sts, front, bus.path, *_mfa(pem), "--cache")
    first, second = (box.run(*words, XDG_CACHE_HOME=str(box.home / "cache")) for _ in range(2))
    assert (first.returncode, second.returncode, first.stderr + second.stderr) == (0, 0, "")
    assert first.stdout == second.stdout
    filed = ["--format=credentials-file", "--credentials-profile=filed"]
    third = box.run(*words, *filed, XDG_CACHE_HOME=str(box.home / "cache"))
    assert (third.returncode, third.stdout, third.stderr) == (0, "", "")
    assert json.loads(first.stdout)["SessionToken"] in (box.home / ".aws" / "credentials").read_text()
    assert len(front.seen) == 1
    assert bus.codes[-2:] == ["StartAuthSession", "HMAC"]  # the seal's, by the run's own key
    assert bus.codes.count("Load") == 1  # the token's, by the first run


def test_exec_takes_it_too(box: Machine, sts: VerifyingSts, front: Front, pem: str) -> None:
    began = time.time()
    words = _words(sts, front, box.swtpm.path, *_mfa(pem))
    done = box.run("exec", *words, "--", "printenv", "AWS_SESSION_TOKEN", program=box.bin / TOOLBOX)
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")
    assert front.seen[0].form()["TokenCode"] in _codes(began)
