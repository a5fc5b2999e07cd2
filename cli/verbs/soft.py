"""Runs a TPM 2.0 in Python, for other programs: to learn with, and to test with.

  tpmwire soft
  TPM2TOOLS_TCTI=swtpm:host=127.0.0.1,port=2321 tpm2_getrandom --hex 8
  tpmwire send --tpm-path 127.0.0.1:2321 GetRandom bytesRequested=8

  tpmwire soft --socket /tmp/soft.sock
  TPM2TOOLS_TCTI=swtpm:path=/tmp/soft.sock tpm2_pcrread

The TPM speaks the protocol of swtpm: commands on a port or a socket, control on the next port or SOCKET.ctrl. One
client at a time is served. Ctrl-C ends it.

tpmwire itself needs no server: --tpm-path soft: is a new TPM in the same process, soft:FILE one that keeps its
state in FILE, and soft:seed=WORD one whose random values are the same each time.

With --state, the TPM keeps its state in a file. With --seed, its keys and nonces are the same each time. With
--explain, it prints each internal step: keys that are derived, digests, and why it refuses a command.

A soft TPM protects nothing: its secrets are in the memory of this process, and in the state file. Do not store
keys in it that matter.
"""

import argparse
from typing import TYPE_CHECKING

from ..serving.listen import identity, tcp_listener, unix_listener, unlink_socket
from ..terminal.messages import UsageError, note
from ..terminal.options import Once

if TYPE_CHECKING:
    from tpmwire.soft import SoftTransport

__all__ = ["Settings", "configure", "run"]

PORT = 2321
OWNER_ONLY = 0o600


class Settings:
    """The verb's options."""

    port: int
    socket: str | None
    state: str | None
    seed: str | None
    explain: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "--port",
        type=int,
        default=PORT,
        metavar="PORT",
        help=f"port of 127.0.0.1 for commands; the next port is for control (default: {PORT})",
    )
    parser.add_argument(
        "--socket", action=Once, metavar="PATH", help="unix socket for commands, in place of a port"
    )
    parser.add_argument("--state", action=Once, metavar="FILE", help="file in which the TPM keeps its state")
    parser.add_argument("--seed", action=Once, metavar="WORD", help="make keys and nonces the same each time")
    parser.add_argument("--explain", action="store_true", help="print each internal step on standard error")


def run(args: Settings) -> int:
    """Serves the TPM until a signal or a client ends it."""
    if args.state is not None and args.seed is not None:
        raise UsageError("--seed and --state exclude each other: the state file has its own random values")
    try:
        from tpmwire.soft import SoftTransport  # noqa: PLC0415 - the single file does not have it
    except ModuleNotFoundError:
        raise UsageError("the single file has no soft TPM; install tpmwire with pip") from None
    seed = None if args.seed is None else args.seed.encode()
    observe = (lambda step, detail: note(f"{step}: {detail}")) if args.explain else None
    tpm = SoftTransport(seed, args.state, observe)
    try:
        _serve(tpm, args)
    finally:
        tpm.close()
    return 0


def _serve(tpm: "SoftTransport", args: Settings) -> None:
    from tpmwire.soft.server import serve  # noqa: PLC0415 - the single file does not have it

    if args.socket is None:
        if not 0 < args.port < 65535:
            raise UsageError(f"--port {args.port} is not valid; use 1 to 65534, because control has the next port")
        with tcp_listener("127.0.0.1", args.port) as commands, tcp_listener("127.0.0.1", args.port + 1) as control:
            note(f"serving a soft TPM, which protects nothing, at 127.0.0.1:{args.port}")
            serve(tpm, commands, control)
        return
    control_path = f"{args.socket}.ctrl"
    with unix_listener(args.socket, OWNER_ONLY) as commands, unix_listener(control_path, OWNER_ONLY) as control:
        bound = {path: identity(path) for path in (args.socket, control_path)}
        try:
            note(f"serving a soft TPM, which protects nothing, at {args.socket}")
            serve(tpm, commands, control)
        finally:
            for path, file in bound.items():
                unlink_socket(path, file)
