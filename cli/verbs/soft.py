"""Runs a TPM 2.0 in pure Python for other programs, for learning and testing.

  tpmwire soft
  TPM2TOOLS_TCTI=swtpm:host=127.0.0.1,port=2321 tpm2_getrandom --hex 8
  tpmwire send --tpm-path 127.0.0.1:2321 GetRandom bytesRequested=8

  tpmwire soft --socket /tmp/soft.sock
  TPM2TOOLS_TCTI=swtpm:path=/tmp/soft.sock tpm2_pcrread

The soft TPM speaks the protocol of swtpm, or of the reference simulator (--mssim). TPM commands use a TCP port or
a Unix socket. Control commands use the next port, or SOCKET.ctrl. Only one client at a time is served. Ctrl-C
stops the server.

  tpmwire soft --mssim --listen 127.0.0.1:2331
  TPM2TOOLS_TCTI=mssim:host=127.0.0.1,port=2331 tpm2_getrandom --hex 8

tpmwire itself needs no server: --tpm-path soft: is a new TPM in the same process, soft:FILE is a TPM with its
state in FILE, and soft:seed=WORD is a TPM with repeatable random values.

With --state, the TPM stores its state in a file. The start of the server is then a TPM reset: loaded objects and
sessions are lost, as in a TPM that is switched off and on. With --seed, its keys and nonces are repeatable. With
--explain, it prints each internal step: which key is derived from which seed, the inputs of cpHash and HMAC,
policyDigest and nonces before and after, what is loaded and flushed, and the reason of each error response.

With --fault, it misbehaves, to test how programs react. --fault is repeatable. The faults are the options of
soft:FILE?OPTION (docs/soft.md):

  tpmwire soft --fault without=HMAC,EncryptDecrypt2 --fault retry=3

A soft TPM is not secure: its secrets are in the memory of this process and in the state file. Do not store
production keys in it.
"""

import argparse

from tpmwire.errors import TransportError
from tpmwire.soft import SoftTransport, postquantum
from tpmwire.soft.address import FAULTS, parse_options
from tpmwire.soft.faults import parse_faults

from ..serving.listen import identity, tpm_listener, unix_listener, unlink_socket
from ..terminal.messages import UsageError, note
from ..terminal.options import Once

__all__ = ["Settings", "configure", "run"]

PORT = 2321
OWNER_ONLY = 0o600


class Settings:
    """The verb's options."""

    port: int | None
    listen: str | None
    mssim: bool
    socket: str | None
    state: str | None
    seed: str | None
    explain: str | None
    fault: list[str]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "--port",
        type=int,
        default=None,
        metavar="PORT",
        help=f"TCP port for commands on 127.0.0.1; control uses the next port (default: {PORT})",
    )
    parser.add_argument(
        "--listen",
        action=Once,
        metavar="HOST:PORT",
        help="IP address and TCP port for commands, such as 0.0.0.0:2321 for other machines and containers",
    )
    parser.add_argument(
        "--mssim",
        action="store_true",
        help="speak the protocol of the reference simulator (mssim:host=127.0.0.1,port=2321) instead of swtpm's",
    )
    parser.add_argument(
        "--socket", action=Once, metavar="PATH", help="Unix socket for commands, instead of a port"
    )
    parser.add_argument("--state", action=Once, metavar="FILE", help="file for the state of the TPM")
    parser.add_argument("--seed", action=Once, metavar="WORD", help="seed that makes keys and nonces repeatable")
    parser.add_argument(
        "--explain",
        nargs="?",
        const="steps",
        choices=("steps", "secrets"),
        help="print each internal step on standard error; with `secrets`, also keys and passwords in hex",
    )
    usage = ", ".join(option.usage for option in FAULTS.values())
    parser.add_argument(
        "--fault", action="append", default=[], metavar="FAULT", help=f"simulated fault; repeatable: {usage}"
    )


def run(args: Settings) -> int:
    """Serves the soft TPM until a signal or a client stops the server."""
    if [args.port, args.listen, args.socket].count(None) < 2:
        raise UsageError("--port, --listen and --socket cannot be combined; give one of them")
    if args.state is not None and args.seed is not None:
        raise UsageError("--seed and --state cannot be combined: the state file has its own seed; remove one")
    seed = None if args.seed is None else args.seed.encode()
    observe = (lambda step, detail: note(f"{step}: {detail}")) if args.explain else None
    try:
        faults = parse_faults(parse_options("--fault", args.fault, FAULTS))
    except TransportError as error:
        raise UsageError(str(error)) from None
    tpm = SoftTransport(seed, args.state, observe, show_secrets=args.explain == "secrets", faults=faults)
    try:
        if tpm.resumed:
            tpm.restart()
        _serve(tpm, args)
    finally:
        tpm.close()
    return 0


def _announce(address: str) -> None:
    """Prints where the TPM is served, and which algorithms it lacks."""
    if not postquantum.TYPES:
        note(postquantum.MISSING)
    note(f"serving a soft TPM (not secure) at {address}")


def _serve(tpm: SoftTransport, args: Settings) -> None:
    from tpmwire.soft.server import serve  # noqa: PLC0415 - the single file does not have it

    if args.socket is None:
        host, port = _address(args)
        with tpm_listener(host, port) as commands, tpm_listener(host, port + 1) as control:
            _announce(_joined(host, port))
            serve(tpm, commands, control, mssim=args.mssim)
        return
    control_path = f"{args.socket}.ctrl"
    with unix_listener(args.socket, OWNER_ONLY) as commands, unix_listener(control_path, OWNER_ONLY) as control:
        bound = {path: identity(path) for path in (args.socket, control_path)}
        try:
            _announce(args.socket)
            serve(tpm, commands, control, mssim=args.mssim)
        finally:
            for path, file in bound.items():
                unlink_socket(path, file)


def _address(args: Settings) -> tuple[str, int]:
    """Returns the IP address and the port for commands. Raises UsageError for an invalid --listen or --port."""
    if args.listen is None:
        host, port = "127.0.0.1", PORT if args.port is None else args.port
    else:
        host, _, number = args.listen.rpartition(":")
        host, port = host.strip("[]"), int(number) if number.isdecimal() else 0
    if not 0 < port < 65535:
        option = f"--port {port}" if args.listen is None else f"--listen {args.listen}"
        raise UsageError(f"{option} is not valid; use a port of 1 to 65534 (control uses the next port)")
    return host, port


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
