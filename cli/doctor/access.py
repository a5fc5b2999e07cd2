"""Checks access to the TPM: the device, its permissions, and other processes that use it."""

import grp
import os
import pwd
import stat
from collections.abc import Iterator

from tpmwire.errors import DeviceBusyError, TpmwireError
from tpmwire.transport import DEFAULT_PATHS

from ..terminal.messages import explain_error
from .finding import Finding
from .machine import Machine
from .registry import register

__all__ = ["check_device", "check_permission", "check_response", "find_holders"]

SYSTEM = "/sys/class/tpm"
"""The kernel's list of TPMs."""


@register
def check_device(machine: Machine) -> Iterator[Finding]:
    """Checks that the TPM of `--tpm-path`, or the default device, exists.

    If not, the check reports whether the kernel found a TPM.
    """
    path, source = _file_of(machine.tpm_path), f"({machine.path_source})"
    if machine.path_error is not None:
        yield Finding.failure(str(machine.path_error), f"correct {machine.path_source}")
    elif machine.tpm_path.startswith("soft:"):
        yield Finding.warning(
            f"{machine.tpm_path} {source} is a soft TPM, which is not secure", "use it for tests"
        )
    elif path is None:
        yield Finding.ok(f"{machine.tpm_path} {source} is a TPM simulator on a network port")
    elif (reason := _obstacle(path)) is not None:
        yield Finding.error(f"cannot reach {path} {source}: {reason}", "check the permissions of its directory")
    elif not os.path.lexists(path):
        yield _report_missing(path, machine.path_source)
    elif not os.path.exists(path):
        yield Finding.error(f"{path} is a link to {os.readlink(path)}, which does not exist", "correct the link")
    elif stat.S_ISCHR(mode := os.stat(path).st_mode):
        if os.path.realpath(path) == DEFAULT_PATHS[1]:
            yield Finding.warning(
                f"{path} allows one program at a time, and does not flush what a killed program leaves in the TPM",
                f"use {DEFAULT_PATHS[0]}, the kernel's resource manager, if it exists (--tpm-path)",
            )
        else:
            yield Finding.ok(f"{path} {source}")
    elif stat.S_ISSOCK(mode):
        yield Finding.ok(f"{path} {source} is the socket of a TPM simulator")
    else:
        yield Finding.error(f"{path} {source} is not a device and not a socket", "choose a TPM with --tpm-path")


def _obstacle(path: str) -> str | None:
    """Returns the error that prevents this user from checking whether the file exists, or None."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error.strerror
    return None


def _file_of(path: str) -> str | None:
    """Returns the path of the device or socket that a --tpm-path names, or None for a network port."""
    for scheme in ("device:", "swtpm:path="):
        if path.startswith(scheme):
            return path.removeprefix(scheme) or None
    if path.startswith(("swtpm:", "mssim:", "soft:")) or (":" in path and "/" not in path):
        return None
    return path


def _report_missing(path: str, source: str) -> Finding:
    known = sorted(os.listdir(SYSTEM)) if os.path.isdir(SYSTEM) else []
    if path not in DEFAULT_PATHS:
        return Finding.error(f"{path} ({source}) does not exist", f"correct {source}, or start the TPM simulator")
    if not known:
        return Finding.error(
            f"the kernel has found no TPM: neither {' nor '.join(DEFAULT_PATHS)} exists",
            "enable the TPM 2.0 in the firmware, or add a virtual TPM to the virtual machine",
        )
    version = _first_line(f"{SYSTEM}/{known[0]}/tpm_version_major")
    if version == "1":
        return Finding.error(
            "the TPM of this machine is a TPM 1.2", "switch it to 2.0 in the firmware, if possible"
        )
    return Finding.error(
        f"the kernel has a TPM ({SYSTEM}/{known[0]}), but {path} does not exist",
        f"in a container, pass the device in (--device {path}); elsewhere, run udevadm trigger",
    )


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readline(100).strip()
    except OSError:
        return ""


@register
def check_permission(machine: Machine) -> Iterator[Finding]:
    """Checks that this user may open the device, usually as a member of its group (tss).

    A new membership takes effect at the next login.
    """
    path = _file_of(machine.tpm_path)
    if not path or not _may_be_tpm(path):
        return
    found = os.stat(path)
    group, mode = _group_name(found.st_gid), stat.filemode(found.st_mode)
    if not os.access(path, os.R_OK | os.W_OK):
        yield Finding.error(
            f"no permission to open {path} ({mode}, group {group})", _permission_step(found, group)
        )
    elif stat.S_ISCHR(found.st_mode) and not os.path.basename(os.path.realpath(path)).startswith("tpm"):
        return  # not a TPM, such as /dev/null, which everybody may open
    elif found.st_mode & 0o006 and stat.S_ISCHR(found.st_mode):
        yield Finding.warning(
            f"every user can open {path} ({mode})", f"run chmod o= {path}, and correct the udev rule that opens it"
        )
    else:
        yield Finding.ok(f"user {_user_name()} can open {path} ({mode}, group {group})")


def _may_be_tpm(path: str) -> bool:
    """Returns whether a character device or a socket exists at the path."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def _permission_step(found: os.stat_result, group: str) -> str:
    user = _user_name()
    if found.st_gid == 0:
        return "install tpm-udev (Fedora: tpm2-tss), which gives the device to the group tss"
    if not found.st_mode & 0o060:
        return "give the group read and write permission (udev rule of tpm-udev)"
    if user in _members(found.st_gid):
        return f"the user {user} was added to the group {group} after this login; log out and in again"
    return f"run `sudo usermod -aG {group} {user}`, then log out and in again"


def _members(group: int) -> list[str]:
    try:
        return grp.getgrgid(group).gr_mem
    except KeyError:
        return []


def _group_name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


@register
def check_response(machine: Machine) -> Iterator[Finding]:
    """Checks that the TPM can be opened and responds within `--timeout`. If it is in use, names the process."""
    path = _file_of(machine.tpm_path)
    if path is not None and not (_may_be_tpm(path) and os.access(path, os.R_OK | os.W_OK)):
        machine.mark_failed()
        return  # an earlier check has reported this
    try:
        machine.connect()
        manufacturer = machine.description["manufacturer"]
    except DeviceBusyError:
        holders = " and ".join(find_holders(path or "")) or "a process of another user (run doctor as root)"
        yield Finding.error(f"{path} is in use by {holders}", "end that process, or use /dev/tpmrm0 (--tpm-path)")
    except TpmwireError as error:
        machine.mark_failed()
        yield Finding.failure(explain_error(error)[1], "check --tpm-path, and that the TPM is running")
    else:
        yield Finding.ok(f"the TPM responds ({manufacturer})")


def find_holders(path: str) -> list[str]:
    """Returns the processes that have the file open, as `NAME (process PID)`.

    Only root sees the processes of other users.
    """
    wanted = os.stat(path)
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        if int(pid) != os.getpid() and _has_open(pid, wanted):
            found.append(f"{_first_line(f'/proc/{pid}/comm') or '?'} (process {pid})")
    return found


def _has_open(pid: str, wanted: os.stat_result) -> bool:
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            return any(os.path.samestat(entry.stat(), wanted) for entry in entries if os.path.exists(entry.path))
    except OSError:
        return False  # the process has ended, or belongs to another user
