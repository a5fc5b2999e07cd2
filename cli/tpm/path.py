"""Selects the TPM of a run: from --tpm-path, an environment variable, or the default device."""

from __future__ import annotations

import os

from ..terminal.messages import UsageError, note, warn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tpmwire.transport import Transport

__all__ = [
    "TRACED",
    "MissingDeviceError",
    "absolute_tpm_path",
    "chosen_path",
    "connect",
    "find_missing_device",
    "is_soft",
    "lasting_path",
    "note_source",
    "path_source",
    "warn_of_soft",
]

OWN = "TPMWIRE_TPM_PATH"
TOOLS = "TPM2TOOLS_TCTI"
SOFT = "soft:"
TRACED = "TPMWIRE_TRACED_TPM"
"""Set by `trace` for its program: the relay's path, a space, and the path of the TPM behind it."""

_LOCAL = {"device": "", "swtpm": "host=127.0.0.1", "mssim": "host=127.0.0.1"}
"""Supported types of TPM2TOOLS_TCTI, and the configuration of each if the variable has none."""


class MissingDeviceError(UsageError):
    """Raised if no device file exists at the path of the TPM."""

    setting = "path"


def chosen_path(option: str | None) -> str | None:
    """Returns the TPM's path from the option, TPMWIRE_TPM_PATH or TPM2TOOLS_TCTI; None for the default device.

    Empty values count as absent. Raises TransportError for an unsupported TPM2TOOLS_TCTI.
    """
    return option or os.environ.get(OWN) or _tools_path(os.environ.get(TOOLS, ""))


def path_source(option: str | None) -> str:
    """Returns the source of the TPM's path: `--tpm-path`, the name of an environment variable, or `default`."""
    if option:
        return "--tpm-path"
    return next((name for name in (OWN, TOOLS) if os.environ.get(name)), "default")


def note_source(option: str | None) -> None:
    """Prints which environment variable selects the TPM, and a warning about a soft TPM.

    Call this function before a secret is stored in the TPM. The variable may be left over from other work.
    """
    source, path = path_source(option), lasting_path(option)
    if path and source in (OWN, TOOLS):
        note(f"{source} selects the TPM at {path}")
    warn_of_soft(option)


def warn_of_soft(option: str | None) -> None:
    """Warns about a soft TPM. Call this function once, before a secret is stored in the TPM."""
    if not is_soft(option):
        return
    path = lasting_path(option) or ""
    location = path.removeprefix(SOFT).partition("?")[0]
    if not location:
        why = "the TPM and the key are lost at the end of this command; use soft:FILE"
    elif location.startswith("seed="):
        why = "its keys derive from the seed, and a persistent key is lost at the end of this command"
    else:
        why = "its state file contains the key in plaintext"
    warn(f"{path} is a soft TPM, which does not protect the key: {why}")


def is_soft(option: str | None) -> bool:
    """Returns whether the option or the environment selects a soft TPM."""
    return (lasting_path(option) or "").startswith(SOFT)


def connect(option: str | None, timeout: float) -> Transport:
    """Opens the TPM that the option or the environment selects.

    If an environment variable selects the TPM, the error message names the variable. `timeout` is in seconds.
    Raises TransportError if the TPM cannot be reached.
    """
    from tpmwire.errors import TransportError  # noqa: PLC0415 - find_missing_device is called before it is loaded
    from tpmwire.transport import open_transport  # noqa: PLC0415 - likewise

    path = chosen_path(option)
    try:
        return open_transport(path, timeout)
    except TransportError as error:
        _name_variable(error, option, path)
        raise


def find_missing_device(option: str | None) -> MissingDeviceError | None:
    """Returns an error with the message of `connect` if the TPM's path is a device file that does not exist.

    Returns None for an existing device, and for other paths, which must be opened to be checked. This function
    loads no module of tpmwire, so a run on a machine without a TPM ends in half the time.
    """
    path = chosen_path(option)
    device = path.removeprefix("device:") if path else "/dev/tpm0"
    if ":" in device or "/" not in device or (not path and os.path.exists("/dev/tpmrm0")):
        return None
    try:
        os.stat(device)
    except FileNotFoundError:
        error = MissingDeviceError(f"{device} does not exist; enable the TPM 2.0 in the firmware")
        _name_variable(error, option, path)
        return error
    except (OSError, ValueError):
        pass  # opening it tells the reason
    return None


def _name_variable(error: Exception, option: str | None, path: str | None) -> None:
    if path and not option:
        error.add_note(f"{OWN if os.environ.get(OWN) else TOOLS} names this TPM")


def lasting_path(option: str | None) -> str | None:
    """Returns the TPM's path for use in later runs; None for the default device.

    The result equals `chosen_path`, except under `tpmwire trace`: then it is the path of the traced TPM, since the
    relay ends with the run.
    """
    path = chosen_path(option)
    relay, _, traced = os.environ.get(TRACED, "").partition(" ")
    return (traced or None) if path and path == relay else path


def absolute_tpm_path(path: str) -> str:
    """Returns a --tpm-path value with the absolute path of its file, for a program in a different directory."""
    for start in ("device:", "swtpm:path=", SOFT):
        rest = path.removeprefix(start)
        if path.startswith(start) and rest and not (start == SOFT and rest.startswith(("seed=", "?"))):
            return start + os.path.abspath(rest)
    return os.path.abspath(path) if os.path.exists(path) else path


def _tools_path(tcti: str) -> str | None:
    """Converts a value of TPM2TOOLS_TCTI to a --tpm-path; None if the value selects the default device.

    The value is `TYPE[:CONFIGURATION]` (Tss2_TctiLdr_Initialize). Raises TransportError for an unsupported type.
    """
    kind, _, configuration = tcti.partition(":")
    # The type may be the file name of a library, such as libtss2-tcti-device.so.0.
    kind = os.path.basename(kind).removeprefix("libtss2-tcti-").partition(".so")[0]
    if tcti and kind not in _LOCAL:
        from tpmwire.errors import TransportError  # noqa: PLC0415 - for an unsupported type only

        raise TransportError(
            f"unsupported {TOOLS}={tcti!r}: expected device, swtpm or mssim, got {kind!r}; "
            f"set {OWN} (for example to /dev/tpmrm0), or give --tpm-path"
        )
    configuration = configuration or _LOCAL.get(kind, "")
    return f"{kind}:{configuration}" if configuration else None
