"""Checks of profiles that get their credentials from a running server, by `tpmwire fetch`."""

import os
import stat
from collections.abc import Iterator

from sigv4.errors import RequestError

from ..credentials.role_chain import fetched_socket
from ..serving.client import default_socket
from .finding import Finding
from .machine import Machine
from .registry import register

__all__ = ["check_server"]


@register
def check_server(machine: Machine) -> Iterator[Finding]:
    """The socket of each profile that runs `tpmwire fetch` exists, and belongs to this user or to root."""
    try:
        lines = {name: machine.config.profile(name).get("credential_process") for name in machine.config}
    except RequestError:
        return  # another check reports it
    sockets: dict[str, list[str]] = {}
    for name, line in lines.items():
        if line is not None and (path := fetched_socket(line)) is not None:
            sockets.setdefault(path or default_socket(), []).append(name)
    for path, names in sockets.items():
        yield _socket(path, f"profile {', '.join(names)}")


def _socket(path: str, profiles: str) -> Finding:
    start = "run `systemctl --user enable --now tpmwire.socket`, or `tpmwire serve --process`"
    try:
        found = os.stat(path)
    except OSError as error:
        return Finding.error(f"{profiles}: {path}: {(error.strerror or '').lower()}", start)
    if not stat.S_ISSOCK(found.st_mode):
        return Finding.error(f"{profiles}: {path} is not a socket", start)
    if found.st_uid not in (0, os.geteuid()):
        return Finding.error(
            f"{profiles}: {path} belongs to a different user, whose credentials `tpmwire fetch` refuses",
            "choose a server of your own user or of root",
        )
    if not os.access(path, os.W_OK):
        return Finding.error(f"{profiles}: permission denied for {path}", "ask root to add you to its group")
    return Finding.ok(f"{path} exists ({profiles})")
