"""The only I/O of tpmwire: one command out, one response back, each within a deadline.

`open(path)` picks the transport by one string, for the library and the command line alike:

    /dev/tpmrm0, /dev/tpm0, device:PATH   a Linux device file
    HOST:PORT, swtpm:host=H,port=P        swtpm's TCP server
    SOCKET, swtpm:path=SOCKET             swtpm's Unix socket
    mssim:host=H,port=P                   the reference simulator's framing
"""

from .base import Transport
from .paths import DEFAULT_PATHS, default_path, open_transport

__all__ = ["DEFAULT_PATHS", "Transport", "default_path", "open_transport"]
