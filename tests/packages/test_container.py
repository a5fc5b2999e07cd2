"""The image of packaging/container/Containerfile: built by buildah, without a registry, and run."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import keys
from tests.support.programs import CREDENTIAL_PROCESS, ROOT
from tests.support.sts import VerifyingSts
from tests.support.swtpm import Swtpm
from tpmwire import __version__

from .debian import SUITE, Debian, succeed

pytestmark = pytest.mark.deb

IMAGE = "tpm-credentials"
APT = Path("etc/apt/apt.conf.d/99machine")


class Buildah:
    """Images and containers in a directory, which need neither a service nor a registry."""

    def __init__(self, directory: Path) -> None:
        self._options = ("--root", directory / "images", "--runroot", directory / "run")

    def run(self, *words: str | Path) -> str:
        """Returns what a command of buildah printed, without the line's end."""
        return succeed("buildah", *self._options, *words, BUILDAH_ISOLATION="chroot").rstrip("\n")


@pytest.fixture(scope="module")
def buildah(debian: Debian) -> Iterator[Buildah]:
    """Buildah with the image, built from this machine's Debian. It takes half a gigabyte, so it is removed."""
    with tempfile.TemporaryDirectory(prefix="buildah-") as directory:
        buildah = Buildah(Path(directory))
        try:
            _build_image(buildah, debian, Path(directory, "base.tar"))
            yield buildah
        finally:
            buildah.run("rm", "--all")  # unmounts them


def _build_image(buildah: Buildah, debian: Debian, archive: Path) -> None:
    # Mirrors and proxies of this machine.
    (debian.root / APT).write_text(succeed("sh", "-c", "apt-config dump | grep ^Acquire:: || :"))
    unneeded = [f"--exclude=./{path}" for path in ("usr/share/doc", "usr/share/locale", "var/cache/apt/archives")]
    succeed("tar", "--create", "--file", archive, "--directory", debian.root, *unneeded, ".")
    base = buildah.run("from", "scratch")
    buildah.run("add", "--quiet", base, archive, "/")
    buildah.run("commit", "--quiet", "--rm", base, f"docker.io/library/debian:{SUITE}-slim")
    (debian.root / APT).unlink()
    file = ROOT / "packaging" / "container" / "Containerfile"
    options = ("--pull-never", f"--build-arg=DEBIAN={SUITE}", f"--file={file}", f"--tag={IMAGE}")
    buildah.run("bud", *options, ROOT)


def test_the_image_is_small_and_has_no_shell(buildah: Buildah) -> None:
    config = json.loads(buildah.run("inspect", "--type=image", IMAGE))["OCIv1"]["config"]
    assert (config["User"], config["Entrypoint"]) == ("65534:65534", ["/usr/bin/tpmwire"])
    root = Path(buildah.run("mount", buildah.run("from", "--pull-never", IMAGE)))
    assert sorted(path.name for path in root.glob("**/bin/*") if not path.is_symlink()) == [
        *(path.name for path in root.glob("usr/bin/python3.*")),
        "tpmwire",
    ]
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    assert 15_000_000 < size < 30_000_000
    assert len(list(root.glob("**/ssl/certs/*.0"))) > 100


def test_a_container_gets_credentials(buildah: Buildah, tmp_path: Path) -> None:
    container = buildah.run("from", "--pull-never", IMAGE)
    assert buildah.run("run", container, "--", "/usr/bin/tpmwire", "--version") == f"tpmwire {__version__}"
    with Swtpm("tcp") as swtpm, VerifyingSts() as sts:
        keys.make_keys(swtpm, sts.secret_access_key, tmp_path)
        options = [f"--persistentHandle={keys.PLAIN_HANDLE:#x}", f"--tpm-path={swtpm.path}"]
        options += [f"--aws-access-key-id={sts.access_key_id}", f"--endpoint-url={sts.endpoint}"]
        printed = buildah.run("run", container, "--", f"/usr/bin/{CREDENTIAL_PROCESS}", *options)
    assert json.loads(printed)["SessionToken"]
