"""Runs verbs in a Python like that of a browser (Pyodide) or of Windows: without fcntl, sockets and signals.

python -m tests.support.bare_python <<< '[["spec", "TPM2_Hash"], ...]'

Prints a JSON list with [exit code, stdout, stderr] of each verb.
"""

import contextlib
import io
import json
import os
import select
import signal
import sys

MODULES = [
    "_ctypes",
    "_multiprocessing",
    "_socket",
    "_ssl",
    "asn1crypto",
    "cryptography",
    "ctypes",
    "fcntl",
    "grp",
    "multiprocessing",
    "OpenSSL",
    "pwd",
    "resource",
    "rich",
    "socket",
    "ssl",
    "subprocess",
    "termios",
    "tty",
]
"""Modules that Pyodide, or Python for Windows, lacks, or that cannot do their work there."""

NAMES = {
    os: [
        "O_CLOEXEC",
        "O_NOCTTY",
        "O_NOFOLLOW",
        "O_NONBLOCK",
        "environb",
        "fchmod",
        "fork",
        "geteuid",
        "getuid",
        "set_blocking",
    ],
    select: ["poll"],
    signal: ["SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "alarm", "pthread_sigmask", "setitimer"],
}


def make_bare() -> None:
    """Removes the modules and names. Tests whether none of the modules is loaded already."""
    loaded = set(MODULES) & sys.modules.keys()
    assert not loaded, loaded
    sys.modules.update(dict.fromkeys(MODULES))
    for module, names in NAMES.items():
        for name in names:
            delattr(module, name)


def main() -> None:
    """Runs the verbs that stdin names."""
    orders = json.load(sys.stdin)
    make_bare()
    from cli.toolbox import main as run

    done = []
    for words in orders:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = run(words)
            except SystemExit as end:
                code = int(end.code or 0)
        done.append([code, out.getvalue(), err.getvalue()])
    print(json.dumps(done))


if __name__ == "__main__":
    main()
