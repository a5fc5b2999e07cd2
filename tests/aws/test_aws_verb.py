"""`tpmwire aws` against an STS that verifies."""

import base64
import json
from pathlib import Path

import pytest

from cli.toolbox import main
from tests.support import keys
from tests.support.programs import KEY_ID, Machine, left_behind
from tests.support.sts import USER, VerifyingSts

ACCOUNT = "123456789012"  # moto's
TOKEN = ["--audience=https://api.example", "--audience=two", "--signing-algorithm=ES384"]


def _words(box: Machine, sts: VerifyingSts) -> list[str]:
    key = [f"--aws-access-key-id={sts.access_key_id}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
    return [*key, f"--tpm-path={box.swtpm.path}", f"--endpoint-url={sts.endpoint}", "--timeout=20s"]


def test_whoami(box: Machine, sts: VerifyingSts, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["aws", "whoami", "--json", *_words(box, sts)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["Arn"].endswith(f":user/{USER}")
    assert main(["aws", "whoami", *_words(box, sts)]) == 0
    assert answer["Arn"] in capsys.readouterr().out
    assert left_behind(box.swtpm.path) == []


def test_whoami_of_a_role(box: Machine, sts: VerifyingSts, capsys: pytest.CaptureFixture[str]) -> None:
    role = ["--assumeRole=true", f"--aws-arn={sts.role_arn}", "--aws-session-name=laptop"]
    assert main(["aws", "whoami", *_words(box, sts), *role]) == 0
    assert "assumed-role/demo/laptop" in capsys.readouterr().out


def test_key_info(box: Machine, sts: VerifyingSts, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["aws", "key-info", sts.access_key_id, *_words(box, sts)]) == 0
    assert capsys.readouterr().out.split() == ["Account", ACCOUNT]


def test_decode_message(box: Machine, sts: VerifyingSts, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["aws", "decode-message", "made-up+message/=", *_words(box, sts)]) == 0
    assert json.loads(capsys.readouterr().out) == {"allowed": False, "encoded": "made-up+message/="}


def test_a_web_identity_token(box: Machine, sts: VerifyingSts, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["aws", "web-identity-token", *TOKEN, "--token-tag=team=red", "--token-duration=60"]
    assert main([*words, *_words(box, sts)]) == 0
    token = capsys.readouterr().out
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "===")) for part in token.split(".")[:2])
    assert header["alg"] == "ES384"
    assert claims["aud"] == ["https://api.example", "two"]
    assert claims["sub"].endswith(f":user/{USER}")
    assert claims["tags"] == [{"Key": "team", "Value": "red"}]
    assert main([*words, "--json", *_words(box, sts)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"WebIdentityToken", "Expiration"}


def test_delegated_access(
    box: Machine, sts: VerifyingSts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    file.write_text("made-up-trade-in-token\n")
    words = ["aws", "delegated-access-token", f"--trade-in-token-file={file}", *_words(box, sts)]
    assert main(words) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["Version"], answer["AccountId"]) == (1, ACCOUNT)
    assert main([*words, "--format=env"]) == 0
    assert f"AWS_SESSION_TOKEN={answer['SessionToken']}" in capsys.readouterr().out.splitlines()


REFUSED = {
    "a short id": (["key-info", "AKIA"], "AccessKeyId"),
    "an unknown algorithm": (
        ["web-identity-token", "--audience=a", "--signing-algorithm=HS256"],
        "SigningAlgorithm",
    ),
    "a short life": (["web-identity-token", *TOKEN, "--token-duration=59"], "DurationSeconds"),
    "no number": (["web-identity-token", *TOKEN, "--token-duration=x"], "--token-duration 'x' is not a number"),
    "eleven audiences": (["web-identity-token", *TOKEN, *["--audience=b"] * 9], "Audience"),
    "a scope that is none": (["web-identity-token", *TOKEN, "--scope=a  b"], "Scope"),
    "a mode that is none": (["web-identity-token", *TOKEN, "--subject-mode=Mine"], "SubjectMode"),
    "a tag without a value": (["web-identity-token", *TOKEN, "--token-tag=a"], "--token-tag 'a': not of the form"),
    "the global endpoint": (["web-identity-token", *TOKEN], "give --aws-region"),
    "no token": (["delegated-access-token", "--trade-in-token-file=/dev/null"], "TradeInToken"),
    "no token file": (["delegated-access-token", "--trade-in-token-file=/nonexistent"], "/nonexistent"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_the_tpm_is_asked(
    case: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    words, text = REFUSED[case]
    # There is no TPM.
    assert main(["aws", *words, f"--aws-access-key-id={KEY_ID}", "--tpm-path=/nonexistent"]) == 2
    told = capsys.readouterr().err
    assert text in told
    assert told.count("\n") == 1
