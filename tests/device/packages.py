"""Debian packages for the image, downloaded and unpacked into a cache. Nothing is installed."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

CACHE = Path(__file__).parents[2] / "build" / "device"

KERNEL = "linux-image-amd64"
USERLAND = (
    "busybox-static",
    "libc6",
    "libexpat1",
    "libffi8",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libssl3",
    "python3.11-minimal",
    "zlib1g",
)

NETWORK_MODULE = "e1000.ko"
"""Driver of the network card that QEMU is told to show; the TPM's driver (tpm_tis) is built into the kernel."""


class PackageError(Exception):
    """The packages cannot be had; the text says what to do."""


def unpacked() -> Path:
    """Directory holding the unpacked packages; the network is used once, and again when the list changes.

    Raises PackageError where apt has no such package or no network.
    """
    root, stamp = CACHE / "root", CACHE / "packages.txt"
    wanted = "\n".join((KERNEL, *USERLAND))
    if stamp.exists() and stamp.read_text() == wanted:
        return root
    shutil.rmtree(CACHE, ignore_errors=True)
    debs = CACHE / "debs"
    debs.mkdir(parents=True)
    try:
        _download(debs)
    except PackageError:
        # Lists that are missing, or so old that the archive has replaced the versions they name.
        if os.geteuid():
            raise
        _run(["apt-get", "-q", "update"], debs)
        _download(debs)
    for deb in sorted(debs.glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(deb), str(root)], debs)
    _prune_modules(root)
    shutil.rmtree(debs)
    stamp.write_text(wanted)
    return root


def _download(into: Path) -> None:
    # linux-image-amd64 holds no kernel, it depends on the package that does.
    depends = _run(["apt-cache", "depends", "--important", KERNEL], into)
    versioned = [word for word in depends.split() if word.startswith("linux-image-") and word != KERNEL]
    if len(versioned) != 1:
        raise PackageError(f"apt knows no kernel behind {KERNEL}: run `apt-get update` on a Debian 12 machine")
    # As _apt it could not write into a directory of root's, and would warn.
    _run(["apt-get", "-q", "download", "-o", "APT::Sandbox::User=root", *versioned, *USERLAND], into)


def _prune_modules(root: Path) -> None:
    """Keep of the kernel's 400 MB of modules the one we load."""
    for path in (root / "lib" / "modules").rglob("*"):
        if path.is_file() and path.name != NETWORK_MODULE:
            path.unlink()


def _run(command: Sequence[str], cwd: Path) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as error:
        raise PackageError(f"{command[0]} is not here: the image is built on Debian 12") from error
    if done.returncode:
        raise PackageError(f"{' '.join(command)} failed: {done.stderr.strip()}; as root: apt-get update")
    return done.stdout
