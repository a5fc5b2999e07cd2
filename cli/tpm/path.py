"""Selects the TPM of a run: from --tpm-path, an environment variable, or the default device."""

import os

from tpmwire.errors import TransportError
from tpmwire.transport import DescriptorTransport, open_transport

__all__ = ["TRACED", "chosen_path", "connect", "lasting_path", "path_source"]

OWN = "TPMWIRE_TPM_PATH"
TOOLS = "TPM2TOOLS_TCTI"
TRACED = "TPMWIRE_TRACED_TPM"
"""Set by `trace` for its program: the relay's path, a blank, and the path of the TPM behind it."""

_LOCAL = {"device": "", "swtpm": "host=127.0.0.1", "mssim": "host=127.0.0.1"}
"""Supported types of TPM2TOOLS_TCTI, and the configuration of each if the variable has none."""


def chosen_path(option: str | None) -> str | None:
    """Returns the TPM's path from the option, TPMWIRE_TPM_PATH or TPM2TOOLS_TCTI; None for the default device.

    Empty values count as absent. Raises TransportError for an unsupported TPM2TOOLS_TCTI.
    """
    return option or os.environ.get(OWN) or _tools_path(os.environ.get(TOOLS, ""))


def path_source(option: str | None) -> str:
    """Returns what names the TPM: `--tpm-path`, a variable, or `default`."""
    if option:
        return "--tpm-path"
    return next((name for name in (OWN, TOOLS) if os.environ.get(name)), "default")


def connect(option: str | None, timeout: float) -> DescriptorTransport:
    """Opens the TPM of the option or the environment; an error names the variable. Raises TransportError."""
    path = chosen_path(option)
    try:
        return open_transport(path, timeout)
    except TransportError as error:
        if path and not option:
            error.add_note(f"{OWN if os.environ.get(OWN) else TOOLS} names this TPM")
        raise


def lasting_path(option: str | None) -> str | None:
    """Returns the TPM's path for later runs: as `chosen_path`, but under `tpmwire trace` not the relay's."""
    path = chosen_path(option)
    relay, _, traced = os.environ.get(TRACED, "").partition(" ")
    return (traced or None) if path and path == relay else path


def _tools_path(tcti: str) -> str | None:
    """Converts a value of TPM2TOOLS_TCTI, `TYPE[:CONFIGURATION]` (Tss2_TctiLdr_Initialize), to a --tpm-path."""
    kind, _, configuration = tcti.partition(":")
    # The type may be the file name of a library, such as libtss2-tcti-device.so.0.
    kind = os.path.basename(kind).removeprefix("libtss2-tcti-").partition(".so")[0]
    if tcti and kind not in _LOCAL:
        raise TransportError(
            f"unsupported {TOOLS}={tcti!r}: expected device, swtpm or mssim, got {kind!r}; "
            f"set {OWN} (for example to /dev/tpmrm0), or give --tpm-path"
        )
    configuration = configuration or _LOCAL.get(kind, "")
    return f"{kind}:{configuration}" if configuration else None
