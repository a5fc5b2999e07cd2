"""Wraps an HMAC key by `tpmwire wrap`, imports it by `import-key`, and uses it."""

import hmac
from pathlib import Path

from tests.support.swtpm import Swtpm
from tests.support.verbs import Ran, Tool
from tpmwire.keys.keyfile import LOADABLE, KeyFile, parse
from tpmwire.secret import Secret
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

__all__ = ["DATE", "EXPECTED", "SECRET", "good", "takes_in", "wrapped_to"]

SECRET = b"wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYxx"
DATE = b"20261124"
EXPECTED = hmac.digest(b"AWS4" + SECRET, DATE, "sha256")


def good(ran: Ran) -> str:
    """Asserts that a program has succeeded, and returns its stderr."""
    assert ran.code == 0, ran.err
    return ran.err


def takes_in(shared_swtpm: Swtpm, tool: Tool, wrapped: Path, *options: str, auth: bytes = b"") -> KeyFile:
    """Imports a wrapped key, uses the key, which needs no option for its parent, and returns the key file."""
    out = wrapped.with_suffix(".out")
    out.unlink(missing_ok=True)
    good(tool("import-key", wrapped, "--tpm-path", shared_swtpm.path, "--out", out, *options))
    loadable = parse(out.read_bytes())
    assert loadable.type == LOADABLE
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        assert HmacKey(file=loadable, auth=Secret(auth)).hmac(tpm, DATE) == EXPECTED
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        assert HmacKey(file=loadable, auth=Secret(auth), protected=False).hmac(tpm, DATE) == EXPECTED
    return loadable


def wrapped_to(tool: Tool, target: Path, *options: str) -> tuple[Path, str]:
    """Returns (key file wrapped for `target`, stderr)."""
    out = target.with_suffix(".wrapped")
    out.unlink(missing_ok=True)
    return out, good(tool("wrap", "--to", target, "--out", out, *options, stdin=SECRET))
