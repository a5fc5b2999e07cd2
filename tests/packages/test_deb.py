"""The Debian package, in a new Debian without anything else: installed, used, removed and purged."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm
from tpmwire import __version__

pytestmark = pytest.mark.deb

DEB = ROOT / "dist" / f"tpmwire_{__version__}_all.deb"
# dpkg writes its records and logs; debconf and ldconfig renew their caches.
OTHERS = ("/proc", "/sys", "/dev", "/tmp", "/var/lib/dpkg", "/var/log", "/var/cache")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Debian:
    """A Debian in a directory, with the packages that tpmwire depends on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        suite = re.search("^VERSION_CODENAME=(.*)$", Path("/etc/os-release").read_text(), re.M)
        assert suite
        options = ["--foreign", "--variant=minbase", "--include=python3,python3-construct"]
        _succeed("debootstrap", *options, suite[1], str(root), _mirror())
        # The root is discarded: no need to wait for the disk.
        (root / "etc" / "dpkg" / "dpkg.cfg.d").mkdir(parents=True, exist_ok=True)
        (root / "etc" / "dpkg" / "dpkg.cfg.d" / "test").write_text("force-unsafe-io\n")
        _succeed("chroot", str(root), "/debootstrap/debootstrap", "--second-stage")
        (root / "tmp" / "home").mkdir()
        shutil.chown(root / "tmp" / "home", 65534, 65534)

    def run(self, *words: str, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        """Runs a program as root."""
        return self._chroot("0:0", *words, stdin=stdin, **environment)

    def use(self, *words: str, stdin: str = "", **environment: str) -> str:
        """Returns what a program printed for the user nobody, whose home is /tmp/home."""
        done = self._chroot("65534:65534", *words, stdin=stdin, HOME="/tmp/home", **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _chroot(
        self, user: str, *words: str, stdin: str, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["chroot", f"--userspec={user}", str(self.root), *words],
            env={"PATH": PATH, "DEBIAN_FRONTEND": "noninteractive", **environment},
            check=False,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def files(self) -> set[str]:
        """Returns the path of every file, without those of dpkg."""
        found = {f"/{path.relative_to(self.root)}" for path in self.root.rglob("*")}
        return {path for path in found if not path.startswith(OTHERS)}


def _succeed(*command: str) -> None:
    done = subprocess.run([*command], check=False, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def _mirror() -> str:
    command = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    sites = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return next(site for site in sites if site.rstrip("/").endswith("/debian"))


@pytest.fixture(scope="module")
def debian() -> Iterator[Debian]:
    with tempfile.TemporaryDirectory(prefix="debian-") as place:
        Path(place).chmod(0o755)
        yield Debian(Path(place, "root"))


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
