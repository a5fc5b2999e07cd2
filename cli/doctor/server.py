"""Checks of profiles that get their credentials from a running server, by `tpmwire fetch` or curl."""

import os
import shlex
import stat
from collections.abc import Iterator
from typing import NamedTuple

from sigv4.config import Profile
from sigv4.errors import RequestError

from ..credentials.role_chain import fetch_arguments
from ..serving.client import default_socket
from ..serving.options import FetchSettings, add_fetch_options
from ..terminal.messages import UsageError
from ..terminal.options import Parser
from .finding import Finding
from .machine import Machine
from .registry import register

__all__ = ["ServedProfile", "check_server", "served_profiles"]


class ServedProfile(NamedTuple):
    """A profile that gets credentials from `tpmwire serve`: the profile's program, and the server's socket path.

    `problem` is the error message if the options of `tpmwire fetch` are invalid, else None.
    """

    profile: Profile
    program: str
    path: str
    problem: str | None = None


@register
def check_server(machine: Machine) -> Iterator[Finding]:
    """Checks that the socket of each profile that runs `tpmwire fetch` exists and is this user's or root's."""
    sockets: dict[str, list[str]] = {}
    for each in served_profiles(machine):
        if each.problem is None:
            sockets.setdefault(os.path.abspath(each.path), []).append(each.profile.name)
    for path, names in sockets.items():
        yield _socket(path, f"profile {', '.join(names)}")


def served_profiles(machine: Machine) -> list[ServedProfile]:
    """Returns the profiles that get credentials from a server; none if AWS's files cannot be read."""
    try:
        profiles = [machine.config.profile(name) for name in machine.config]
    except RequestError:
        return []
    return [each for profile in profiles if (each := _read_line(profile)) is not None]


def _read_line(profile: Profile) -> ServedProfile | None:
    line = profile.get("credential_process") or ""
    arguments = fetch_arguments(line)
    if arguments is None:
        path = _curl_socket(line)
        return None if path is None else ServedProfile(profile, shlex.split(line)[0], path)
    parser = Parser(prog="tpmwire fetch", add_help=False)
    add_fetch_options(parser)
    program = shlex.split(line)[0]
    try:
        settings = parser.parse_args(arguments, FetchSettings())
    except UsageError as error:
        return ServedProfile(profile, program, "", str(error))
    return ServedProfile(profile, program, default_socket() if settings.path is None else settings.path)


def _curl_socket(line: str) -> str | None:
    """Returns the socket path (--unix-socket) in a credential_process that runs curl, or None."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    if not words or os.path.basename(words[0]) != "curl" or "--unix-socket" not in words[:-1]:
        return None
    return words[words.index("--unix-socket") + 1]


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
