"""`tpmwire aws` against an STS that verifies."""

import json

import pytest

from cli.toolbox import main
from tests.support import keys
from tests.support.programs import Machine, left_behind
from tests.support.sts import USER, VerifyingSts


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


def test_a_wrong_id_is_refused_before_the_tpm_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["aws", "key-info", "AKIA", "--tpm-path=/nonexistent"]) == 2
    assert "AccessKeyId" in capsys.readouterr().err
