"""A new Debian in a directory."""

import os
import re
import shutil
import subprocess
from pathlib import Path

SUITE = re.findall("^VERSION_CODENAME=(.*)$", Path("/etc/os-release").read_text(), re.M)[0]
# dpkg writes its records and logs; debconf and ldconfig renew their caches.
OTHERS = ("/proc", "/sys", "/dev", "/tmp", "/var/lib/dpkg", "/var/log", "/var/cache")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Debian:
    """A Debian in a directory, with the packages that tpmwire depends on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        options = ["--foreign", "--variant=minbase", "--include=python3,python3-construct"]
        succeed("debootstrap", *options, SUITE, str(root), _mirror())
        # The root is discarded: no need to wait for the disk.
        (root / "etc" / "dpkg" / "dpkg.cfg.d").mkdir(parents=True, exist_ok=True)
        (root / "etc" / "dpkg" / "dpkg.cfg.d" / "test").write_text("force-unsafe-io\n")
        succeed("chroot", str(root), "/debootstrap/debootstrap", "--second-stage")
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


def succeed(*command: str | Path, **environment: str) -> str:
    """Returns what a program printed on stdout. Fails unless it exits with 0."""
    done = subprocess.run(
        [*map(str, command)],
        env={**os.environ, **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


def _mirror() -> str:
    command = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    sites = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return next(site for site in sites if site.rstrip("/").endswith("/debian"))
