"""Builds the single file dist/tpmwire.pyz, which needs only a python3 (3.11 or newer).

It has the packages of this project and construct, as source. The same sources result in the same bytes: names are
sorted, modes are fixed, and every time is SOURCE_DATE_EPOCH (seconds since 1970, reproducible-builds.org) or 1980.
"""

import argparse
import importlib.metadata
import io
import os
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("cli", "sigv4", "tpmwire")
PROGRAMS = "tpmwire_programs.py"
LIBRARY = "construct"
# -E ignores PYTHONPATH and the like, which the caller sets. A shell runs Python, because busybox lacks `env -S`.
START = b'#!/bin/sh\nexec python3 -E "$0" "$@"\n'
# These are stored uncompressed: before they have sorted sys.path, a caller's module named zlib would be imported.
STORED = ("__main__.py", "cli/__init__.py", PROGRAMS)
ZIP_EPOCH = 315532800  # 1980-01-01, the earliest time in a zip archive

MAIN = '''\
"""Two programs in one file, selected by argv[0] or by the first argument."""

import os
import sys

from tpmwire_programs import credential_process, toolbox

PROGRAM = "aws-tpm-process-credential"


def main():
    name = os.path.basename(sys.argv[0])
    arguments = sys.argv[1:]
    if name in (PROGRAM, PROGRAM + ".pyz"):
        chosen = PROGRAM
    elif arguments and arguments[0] in (PROGRAM, "tpmwire"):
        chosen = arguments.pop(0)
    else:
        chosen = "tpmwire"
    if chosen == PROGRAM:
        credential_process(arguments)
    else:
        toolbox(arguments)


main()
'''


def members() -> Iterator[tuple[str, bytes]]:
    """Yields the name and content of every member of the archive, sorted by name.

    Raises SystemExit if construct is missing, or is installed without its source or licence.
    """
    found = {"__main__.py": MAIN.encode()}
    for name in ("LICENSE", PROGRAMS):
        found[name] = (ROOT / name).read_bytes()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            inside = path.relative_to(ROOT)
            if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in inside.parts):
                found[inside.as_posix()] = path.read_bytes()
    found.update(_library())
    yield from sorted(found.items())


def _library() -> dict[str, bytes]:
    try:
        distribution = importlib.metadata.distribution(LIBRARY)
    except importlib.metadata.PackageNotFoundError:
        raise SystemExit(f"zipapp: {LIBRARY} is not installed for {sys.executable}: run `make setup`") from None
    found = {}
    for file in distribution.files or []:
        # The licence of construct requires METADATA and LICENSE beside the code; files of installers are omitted.
        if file.suffix == ".py" or file.name in ("METADATA", "LICENSE"):
            found[file.as_posix()] = Path(str(file.locate())).read_bytes()
    if f"{LIBRARY}/core.py" not in found or not any(name.endswith("/LICENSE") for name in found):
        raise SystemExit(
            f"zipapp: the installed {LIBRARY} has no source or no licence: reinstall it from its wheel"
        )
    return found


def build() -> bytes:
    """Returns the content of the single file: a shell line that starts Python, and the zip archive."""
    epoch = max(int(os.environ.get("SOURCE_DATE_EPOCH", ZIP_EPOCH)), ZIP_EPOCH)
    moment = time.gmtime(epoch)[:6]
    buffer = io.BytesIO(START)
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members():
            info = zipfile.ZipInfo(name, moment)
            info.external_attr = 0o100644 << 16
            info.create_system = 3  # always Unix, so that the file modes count
            info.compress_type = zipfile.ZIP_STORED if name in STORED else zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("output", nargs="?", type=Path, default=Path("dist", "tpmwire.pyz"))
    output: Path = parser.parse_args().output
    output.parent.mkdir(parents=True, exist_ok=True)
    # Replaced atomically, since the old file may be running.
    draft = output.with_name(f".{output.name}.{os.urandom(8).hex()}")
    draft.write_bytes(build())
    draft.chmod(0o755)
    draft.replace(output)
    print(f"{output}: {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
