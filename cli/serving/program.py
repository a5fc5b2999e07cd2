"""Runs a program with a credential server of its own, which ends with the program."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from ..terminal.messages import Interrupted
from ..terminal.programs import running
from ..terminal.progress import activity
from .handler import Service
from .listen import tcp_listener
from .renewal import log_failures, outlook
from .server import CredentialServer
from .store import Store
from .tokens import RandomToken, Sessions

__all__ = ["run_with_server"]

_FORWARDED = {
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM),
    *(signal.SIGUSR1, signal.SIGUSR2),
}
_LONGEST_REST = 60.0  # seconds until a resumed machine or a changed clock is noticed, at most


def run_with_server(words: Sequence[str], environment: Mapping[str, str], store: Store) -> int:
    """Runs a program that gets the credentials of `store` from a server on 127.0.0.1; returns its exit code.

    The program finds the server's URL and random token in its environment, as in an ECS container. The first fetch
    precedes the program; an error in a later fetch is logged. Signals are forwarded to the program. The exit code
    is negative, -N, if signal N ended the program. Raises OSError if the program cannot be executed, UsageError if
    no port is available, and the errors of the first fetch.
    """
    token = RandomToken()
    with tcp_listener("127.0.0.1", 0) as listener:
        with activity("getting temporary credentials"):
            store.fetch()
        own = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{listener.getsockname()[1]}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": token.text,
        }
        # The program precedes the threads: a process with threads must not run Python code between fork and exec.
        with running(words, env={**environment, **own}) as child, _forward_signals(child.pid):
            with CredentialServer([listener], Service(store, token, Sessions())) as server:
                os.register_at_fork(after_in_child=server.close_listeners)
                # The other signals are blocked, so this one means that the program has ended.
                with contextlib.suppress(Interrupted):
                    _renew_until_end(child.pid, store)
            return child.wait()


def _renew_until_end(pid: int, store: Store) -> None:
    """Renews the credentials when they are due, until the process `pid` ends. May then raise Interrupted."""

    def end(_number: int, _frame: object) -> None:
        if _has_ended(pid):
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            raise Interrupted(signal.SIGCHLD)  # also ends a fetch in progress

    signal.signal(signal.SIGCHLD, end)
    while not _has_ended(pid):
        if time.time() >= store.due:
            with log_failures("exec", lambda: outlook(store)):
                store.fetch()
        store.alarm.rest(min(store.due - time.time(), _LONGEST_REST))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _has_ended(pid: int) -> bool:
    """Returns whether a child process has ended. Its exit code stays available, so `pid` is not used again."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


@contextlib.contextmanager
def _forward_signals(pid: int) -> Iterator[None]:
    """Forwards the signals that would end this process to the process `pid`, until the block ends.

    Signals of the terminal (Ctrl-C) are not forwarded, since the kernel also sends them to the program.
    """
    ending = threading.Event()

    def forward() -> None:
        while True:
            found = signal.sigwaitinfo(_FORWARDED)
            if ending.is_set():
                return
            if found.si_code <= 0:  # sent by a process; positive codes are the kernel's (sigaction(2))
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, found.si_signo)

    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    thread = threading.Thread(target=forward, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        if thread.ident is not None:
            signal.pthread_kill(thread.ident, signal.SIGUSR1)
        thread.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
