"""Builds the files of a release except the single file and the Debian package, and signs the checksums of all.

`make release` runs it: wheel, source archive, recipes of packages, SBOM (CycloneDX), SHA256SUMS and, with
RELEASE_KEY, SHA256SUMS.sig (docs/release.md). RELEASE_KEY is the path of an SSH key, private or, if it is in an
agent, public.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tools import recipes  # noqa: E402

DIST = ROOT / "dist"
HERE = Path(sys.executable).parent
SUMS = "SHA256SUMS"


def read_version() -> str:
    """Returns the version of the project."""
    found = re.search(r'^__version__ = "([^"]+)"$', (ROOT / "tpmwire" / "__init__.py").read_text(), re.M)
    if found is None:
        raise SystemExit("release: no __version__ in tpmwire/__init__.py")
    return found[1]


def artefacts(version: str) -> list[str]:
    """Returns the name of each file of a release except SHA256SUMS."""
    return [
        f"tpmwire-{version}-py3-none-any.whl",
        f"tpmwire-{version}.tar.gz",
        "tpmwire.pyz",
        f"tpmwire_{version}_all.deb",
        f"tpmwire-{version}-packaging.tar.xz",
        f"tpmwire-{version}.cdx.json",
    ]


def check_checkout(*, signed: bool) -> None:
    """Prints a warning if the checkout differs from its commit; raises SystemExit if the release is `signed`."""
    if not (ROOT / ".git").exists():
        return
    status = ["git", "status", "--porcelain"]
    changes = subprocess.run(status, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    if changes and signed:
        raise SystemExit(f"release: the checkout has uncommitted changes; commit or stash them:\n{changes}")
    if changes:
        print(f"release: these uncommitted changes can be in the files, so others cannot rebuild them:\n{changes}")


def write_sbom(wheel: Path, version: str, output: Path) -> None:
    """Writes the SBOM of the wheel with its dependencies, as pip installs them today."""
    with tempfile.TemporaryDirectory(prefix="release-") as place:
        environment = Path(place, "venv")
        venv.create(environment)
        python = environment / "bin" / "python"
        _run(*_pip(python), "install", "--quiet", str(wheel))
        # cyclonedx-py does not read a dynamic version.
        project = Path(place, "pyproject.toml")
        text = (ROOT / "pyproject.toml").read_text()
        project.write_text(text.replace('dynamic = ["version"]', f'version = "{version}"'))
        _run(
            *(str(HERE / "cyclonedx-py"), "environment", "--pyproject", str(project), "--output-reproducible"),
            *("--output-file", str(output), str(python)),
        )


def write_checksums(directory: Path, names: list[str]) -> None:
    """Writes SHA256SUMS, which `sha256sum --check` reads."""
    lines = [f"{hashlib.sha256((directory / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (directory / SUMS).write_text("".join(lines))


def sign(directory: Path, key: str | None) -> None:
    """Writes the signature of SHA256SUMS. Without a key, prints that the file is not signed."""
    signature = directory / f"{SUMS}.sig"
    signature.unlink(missing_ok=True)
    if not key:
        print(f"release: {SUMS} is not signed; set RELEASE_KEY to the path of an SSH key to sign it")
        return
    _run("ssh-keygen", "-Y", "sign", "-f", key, "-n", "file", str(directory / SUMS))
    print(f"release: {signature.name} has the signature of {SUMS}")


def _pip(python: Path) -> list[str]:
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"release: {command[0]} failed; its message is above")


def main() -> None:
    """Builds and signs a release. Raises SystemExit for a missing artefact or a failed step."""
    version = read_version()
    names = artefacts(version)
    key = os.environ.get("RELEASE_KEY")
    check_checkout(signed=bool(key))
    _run(sys.executable, "-m", "hatchling", "build", "-d", str(DIST))
    values = recipes.values_of(version, DIST / names[1], DIST / names[2])
    recipes.write_archive(recipes.fill(values), DIST / names[4], int(os.environ.get("SOURCE_DATE_EPOCH", "0")))
    write_sbom(DIST / names[0], version, DIST / names[5])
    missing = [name for name in names if not (DIST / name).exists()]
    if missing:
        raise SystemExit(f"release: missing in dist: {', '.join(missing)}; run `make release`")
    write_checksums(DIST, names)
    for name in [*names, SUMS]:
        print(f"dist/{name}: {(DIST / name).stat().st_size:,} bytes")
    sign(DIST, key)


if __name__ == "__main__":
    main()
