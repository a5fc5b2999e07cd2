"""Fills the version, the address and the checksums of a release into the recipes of distributions.

`make release` runs it. Directories of packaging/ whose files have @NAME@ are recipes. The result is one archive,
dist/tpmwire-VERSION-packaging.tar.xz.
"""

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["RECIPES", "fill", "values_of", "write_archive"]

ROOT = Path(__file__).parent.parent
RECIPES = ("alpine", "arch", "buildroot", "nix", "rpm", "yocto")
_URL = "https://tpmwire.example"


def values_of(version: str, source: Path, single_file: Path) -> dict[str, str]:
    """Returns the value for each name in the recipes, such as RELEASE_URL."""
    archive, single, licence = source.read_bytes(), single_file.read_bytes(), (ROOT / "LICENSE").read_bytes()
    return {
        "VERSION": version,
        "URL": os.environ.get("RELEASE_URL", _URL),
        "SHA256": hashlib.sha256(archive).hexdigest(),
        "SHA512": hashlib.sha512(archive).hexdigest(),
        "SHA256_SINGLE": hashlib.sha256(single).hexdigest(),
        "SHA256_LICENSE": hashlib.sha256(licence).hexdigest(),
        # OpenEmbedded identifies licences so.
        "MD5_LICENSE": hashlib.md5(licence, usedforsecurity=False).hexdigest(),
    }


def fill(values: Mapping[str, str]) -> dict[str, str]:
    """Returns the text of each recipe, keyed by path. Raises KeyError for a name without a value."""
    paths = sorted(path for name in RECIPES for path in (ROOT / "packaging" / name).iterdir())
    return {
        path.relative_to(ROOT / "packaging").as_posix(): re.sub(
            r"@([A-Z][A-Z0-9_]*)@", lambda found: values[found[1]], path.read_text()
        )
        for path in paths
    }


def write_archive(recipes: Mapping[str, str], output: Path, moment: int) -> None:
    """Writes the recipes into a tar archive. `moment` is the modification time of its members."""
    with tarfile.open(output, "w:xz") as archive:
        for name, text in sorted(recipes.items()):
            member = tarfile.TarInfo(f"packaging/{name}")
            member.size, member.mtime, member.mode = len(text.encode()), moment, 0o644
            archive.addfile(member, io.BytesIO(text.encode()))
