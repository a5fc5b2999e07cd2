"""Diagnoses missing and outdated packages, and names the package to install."""

import sys
from itertools import takewhile
from traceback import walk_tb

__all__ = ["FLOORS", "explained", "package_name", "version_numbers"]

FLOORS = {"asn1crypto": (1, 5), "construct": (2, 10, 68), "cryptography": (38,), "OpenSSL": (23, 0)}
"""The oldest supported versions of the packages in pyproject.toml, by module."""

_NAMES = {"OpenSSL": "pyOpenSSL"}  # modules whose package has a different name
_OURS = ("cli", "sigv4", "tpmwire")


def explained(error: Exception) -> str | None:
    """Returns a message about a broken installation and its remedy; None if the error has a different cause."""
    if isinstance(error, ImportError):
        return _find_old_version(_top(error.name)) or _explain_import_error(error)
    if isinstance(error, AttributeError | TypeError):
        # These errors mean that a package lacks a function or an argument, so it may be too old.
        return next(filter(None, map(_find_old_version, FLOORS)), None) or _find_conflict(error)
    return None


def _explain_import_error(error: ImportError) -> str:
    package = _top(error.name)
    missing = isinstance(error, ModuleNotFoundError)
    if package in _OURS:
        return f"the installation is incomplete: {error}; reinstall tpmwire"
    if package in sys.stdlib_module_names and missing:
        return (
            f"{sys.executable} has no module `{error.name}`; install all of Python (Debian: apt install python3)"
        )
    if package in sys.stdlib_module_names:
        return f"{sys.executable} cannot load `{error.name}` ({error}); check LD_LIBRARY_PATH, or reinstall Python"
    name = _NAMES.get(package, package)
    if missing:
        debian = f"python3-{package.lower().replace('_', '-')}"
        return (
            f"the Python package `{name}` is not installed for {sys.executable}; install it with pip or your "
            f"distribution (Debian: apt install {debian})"
        )
    return f"the Python package `{name}` of {sys.executable} cannot be loaded ({error}); reinstall it"


def _find_old_version(package: str) -> str | None:
    """Returns an error message if the loaded package is older than required, else None."""
    version = getattr(sys.modules.get(package), "__version__", None)
    if package not in FLOORS or not isinstance(version, str) or version_numbers(version) >= FLOORS[package]:
        return None
    name, needed = _NAMES.get(package, package), ".".join(map(str, FLOORS[package]))
    return f"the Python package `{name}` of {sys.executable} is {version}, older than {needed}; upgrade it"


def _find_conflict(error: Exception) -> str | None:
    """Returns an error message if `error` was raised while a required package was imported, else None.

    A newer dependency of the package can cause such an error.
    """
    frames = (frame for frame, _ in walk_tb(error.__traceback__) if frame.f_code.co_name == "<module>")
    package = next((top for frame in frames if (top := _top(frame.f_globals.get("__name__"))) in FLOORS), None)
    if package is None:
        return None
    name = _NAMES.get(package, package)
    return f"the Python package `{name}` of {sys.executable} does not work ({error}); upgrade it"


def package_name(module: str) -> str:
    """Returns the name of the package to install for a module, such as pyOpenSSL for OpenSSL."""
    return _NAMES.get(module, module)


def version_numbers(version: str) -> tuple[int, ...]:
    """Returns the numbers of a version, up to the first part that is not a number: (2, 10) for 2.10.rc1."""
    return tuple(int(part) for part in takewhile(str.isdigit, version.split(".")))


def _top(name: str | None) -> str:
    return (name or "").partition(".")[0]
