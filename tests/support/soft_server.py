"""Serves a soft TPM with swtpm's options for sockets, in place of swtpm.

python -m tests.support.soft_server STATE LOG --server TYPE --ctrl TYPE --flags FLAGS
"""

import os
import socket
import sys
from contextlib import ExitStack

from tpmwire.soft import SoftTransport
from tpmwire.soft.server import serve


def listen(kind: str) -> socket.socket:
    """Returns a listener for `type=unixio,path=PATH` or `type=tcp,port=PORT`."""
    options = dict(part.split("=", 1) for part in kind.split(","))
    if options["type"] == "tcp":
        return socket.create_server(("127.0.0.1", int(options["port"])))
    if os.path.exists(options["path"]):
        os.unlink(options["path"])  # of the TPM before a restart
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(options["path"])
    listener.listen()
    return listener


def main(state: str, log: str, *arguments: str) -> None:
    """Serves the TPM until a client of the control socket stops it."""
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    with ExitStack() as stack, open(log, "w") as sys.stderr:
        tpm = SoftTransport(file=state)
        stack.callback(tpm.close)
        if "startup-clear" not in options["--flags"]:
            tpm.machine.power_off()
        elif tpm.resumed:
            tpm.restart()
        serve(tpm, *(stack.enter_context(listen(options[name])) for name in ("--server", "--ctrl")))


if __name__ == "__main__":
    main(*sys.argv[1:])
