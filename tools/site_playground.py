"""Adds the playground to the site: its page, Python for the browser, and an archive with tpmwire."""

import errno
import importlib.util
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["PYODIDE", "playground_files", "tpmwire_archive"]

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "tools/playground"
PYODIDE = PAGE / "node_modules/pyodide"
"""The npm package that tools/playground/package.json names."""

_RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")

_PACKAGES = ("construct", "dilithium_py", "dpkt", "kyber_py")
"""Packages in pure Python that tpmwire, its soft TPM or its reader of network captures imports."""


def playground_files() -> Mapping[str, bytes]:
    """Returns the playground's files, keyed by the address in the site.

    Raises FileNotFoundError if the npm packages or the Python packages are not installed.
    """
    files = {f"pyodide/{name}": (PYODIDE / name).read_bytes() for name in _RUNTIME}
    files["tpmwire.zip"] = tpmwire_archive()
    downloads = ("pyodide/pyodide.asm.wasm", "pyodide/python_stdlib.zip", "tpmwire.zip")
    files["files.json"] = json.dumps({"bytes": sum(len(files[name]) for name in downloads)}).encode()
    for path in sorted(PAGE.iterdir()):
        if path.suffix in (".html", ".css", ".js"):
            files[path.name] = path.read_bytes()
    return {f"playground/{name}": content for name, content in files.items()}


def tpmwire_archive() -> bytes:
    """Returns a ZIP archive with tpmwire, the modules of the terminal that it shares, and needed packages."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, path in _sources():
            file.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def _sources() -> Iterator[tuple[str, Path]]:
    """Yields (name in the archive, path) of each file."""
    yield "playground_bridge.py", PAGE / "bridge.py"
    for top in ("tpmwire", "sigv4", "cli"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.is_file() and path.suffix in (".py", ".md", ".json", ".txt"):
                yield path.relative_to(ROOT).as_posix(), path
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(errno.ENOENT, "not installed", f"the package {name}")
        package = Path(spec.origin).parent
        for path in sorted(package.rglob("*.py")):
            yield f"{name}/{path.relative_to(package).as_posix()}", path
