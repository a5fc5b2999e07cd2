"""The Debian package, in a new Debian without anything else: installed, used, removed and purged."""

import json
import os
import re
import shutil
import subprocess

import pytest

from tests.support.programs import ROOT
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm
from tpmwire import __version__

from .debian import Debian

pytestmark = pytest.mark.deb

DEB = ROOT / "dist" / f"tpmwire_{__version__}_all.deb"


def test_lintian_finds_nothing() -> None:
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on=error,warning", str(DEB)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_installed_used_and_purged(debian: Debian) -> None:
    before = debian.files()
    shutil.copy(DEB, debian.root / "tmp")
    done = debian.run("dpkg", "--install", f"/tmp/{DEB.name}")
    assert done.returncode == 0, done.stderr
    _is_complete(debian)
    _gets_credentials(debian)
    done = debian.run("dpkg", "--remove", "tpmwire")
    assert done.returncode == 0, done.stderr
    remaining = debian.files() - before
    assert {path for path in remaining if "/deb-systemd-" not in path} == {"/etc/default/tpmwire"}
    (debian.root / "var" / "lib" / "tpmwire" / ".aws").mkdir(parents=True)
    done = debian.run("dpkg", "--purge", "tpmwire")
    assert done.returncode == 0, done.stderr
    assert debian.files() == before


def _is_complete(debian: Debian) -> None:
    modules = debian.root / "usr" / "share" / "tpmwire"
    sources = {path.relative_to(modules) for path in modules.rglob("*.py")}
    compiled = {path.parents[1].relative_to(modules) / path.name.split(".")[0] for path in modules.rglob("*.pyc")}
    assert {path.with_suffix("") for path in sources} == compiled
    assert {path.parts[0] for path in sources} == {"cli", "sigv4", "tpmwire", "tpmwire_programs.py"}
    for name in ("tpmwire", "aws-tpm-process-credential"):
        for path in (f"bash-completion/completions/{name}", f"zsh/vendor-completions/_{name}"):
            assert name in (debian.root / "usr" / "share" / path).read_text()
    service = next(debian.root.glob("*/systemd/system/tpmwire.service")).read_text()
    assert re.findall("^ExecStart=([^ ]*)", service, re.M) == ["/usr/bin/tpmwire"]
    assert (debian.root / "usr" / "lib" / "systemd" / "user" / "tpmwire.socket").exists()
    assert debian.use("/usr/bin/tpmwire", "--version") == f"tpmwire {__version__}\n"


def _gets_credentials(debian: Debian) -> None:
    """Imports a key into a TPM and runs the line that import wrote, as nobody, beside modules of the caller's."""
    theirs = debian.root / "tmp" / "theirs"
    theirs.mkdir()
    for name in ("cli", "construct", "sitecustomize"):
        (theirs / f"{name}.py").write_text("raise SystemExit('the caller ran')\n")
    with Swtpm("tcp") as swtpm, VerifyingSts() as sts:
        environment = {
            "AWS_ENDPOINT_URL_STS": sts.endpoint,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "PYTHONPATH": "/tmp/theirs",
        }
        debian.use(
            *("tpmwire", "import", f"--tpm-path={swtpm.path}", "--persistent-handle=0x81010002"),
            *(f"--aws-access-key-id={sts.access_key_id}", "--write-profile=tpm"),
            stdin=sts.secret_access_key,
            **environment,
        )
        config = (debian.root / "tmp" / "home" / ".aws" / "config").read_text()
        line = re.search("^credential_process = (/usr/bin/aws-tpm-process-credential .*)$", config, re.M)
        assert line
        role = f"--assumeRole=true --aws-arn={sts.role_arn} --aws-session-name=deb"
        found = json.loads(debian.use("sh", "-c", f"{line[1]} {role}", **environment))
        assert found["AccessKeyId"].startswith("ASIA")
    shutil.rmtree(theirs)
    assert os.listdir(debian.root / "tmp" / "home") == [".aws"]
