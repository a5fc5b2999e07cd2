"""One secret, or one each, wrapped for many hosts' TPMs, on a machine without a TPM.

Each host is on its own: one that is bad is reported and costs the others nothing. What is done is in the manifest,
so a run that was interrupted goes on where it stopped.
"""

import csv
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from .files import write_whole
from .messages import UsageError, note
from .targets import Target

if TYPE_CHECKING:
    from multiprocessing.pool import Pool

    from tpmwire.certificates import Trust
    from tpmwire.keyfile import KeyFile
    from tpmwire.policy import Policy
    from tpmwire.secret import Secret

__all__ = ["Order", "read_fleet", "wrap_fleet", "wrapped_for"]

MANIFEST = "manifest.jsonl"


class Order(NamedTuple):
    """What every worker needs: how the keys are used, whom certificates must come from, where files go."""

    secret: "Secret | None"
    auth: "Secret"
    policy: "Policy | None"
    trust: "Trust | None"
    out: str


class Host(NamedTuple):
    """A line of the fleet: its fields, where they stand for messages, and what is wrong if it cannot be read."""

    fields: dict[str, Any]
    where: str
    problem: str = ""


def read_fleet(path: str) -> list[Host]:
    """The hosts in a CSV file with a header, a JSON Lines file, or a directory of exported *.json files.

    Raises UsageError where the fleet itself cannot be read; a bad host is told later.
    """
    try:
        hosts = list(_directory(path) if os.path.isdir(path) else _lines(path))
    except OSError as error:
        raise UsageError(f"{error.filename or path}: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is neither CSV nor JSON Lines: {error}") from error
    if not hosts:
        raise UsageError(f"{path} names no host")
    return hosts


def _directory(path: str) -> Iterator[Host]:
    for name in sorted(os.listdir(path)):
        if name.endswith(".json"):
            host = name.removesuffix(".json")
            try:
                with open(os.path.join(path, name), encoding="utf-8", errors="replace") as file:
                    text = file.read(1 << 20)
            except OSError as error:
                yield Host({"host": host}, name, f"{name}: {error.strerror}")
            else:
                read = _host(text, name)
                yield read._replace(fields={"host": host, **read.fields})


def _lines(path: str) -> Iterator[Host]:
    # Octets that are no UTF-8 spoil their own line only.
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        if path.endswith(".csv"):
            for number, row in enumerate(csv.DictReader(file), 1):
                yield Host({k: v for k, v in row.items() if k and v}, f"row {number}")
            return
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _host(line, f"line {number}")


def _host(text: str, where: str) -> Host:
    """JSON's object; what is none is told as a bad host."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return Host(value, where)
    return Host({}, where, f"{where}: this is no JSON object as `tpmwire export-public` prints it")


def wrap_fleet(hosts: list[Host], order: Order, processes: int, *, resume: bool = False) -> int:
    """Wraps for every host; with `resume` only for those that the manifest lacks. Returns how many were bad.

    Raises UsageError where there is a manifest and it is not said to resume: the secret may be another one now.
    """
    os.makedirs(order.out, mode=0o700, exist_ok=True)
    path = os.path.join(order.out, MANIFEST)
    if os.path.exists(path) and not resume:
        raise UsageError(f"{path} exists; --resume goes on with it, for the same secret, or name another --out")
    done = dict(_manifest(path))
    names = [str(host.fields.get("host") or "") for host in hosts]
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    waiting = [host for host, name in zip(hosts, names, strict=True) if not _is_done(host, done.get(name), order)]
    if len(waiting) < len(hosts):
        note(f"{len(hosts) - len(waiting)} of {len(hosts)} hosts are done already")
    bad = 0
    cut = os.path.exists(path) and not _ends_whole(path)
    with open(path, "a", encoding="utf-8") as manifest:
        if cut:
            manifest.write("\n")
        for count, entry in enumerate(_results(waiting, order, processes, twice), 1):
            if entry.get("error"):
                bad += 1
                note(f"{entry['host'] or entry['where']}: {entry['error']}")
            manifest.write(json.dumps(entry) + "\n")
            manifest.flush()
            _progress(count, len(waiting))
    return bad


def _results(waiting: list[Host], order: Order, processes: int, twice: set[str]) -> Iterable[dict[str, Any]]:
    global _order, _twice  # the workers inherit it by fork, so no secret is pickled
    _order, _twice = order, twice
    if processes < 2 or len(waiting) < 64:
        yield from map(_wrapped, waiting)
        return
    from multiprocessing import get_context

    pool: Pool
    with get_context("fork").Pool(processes, _ordinary_signals) as pool:
        yield from pool.imap_unordered(_wrapped, waiting, chunksize=16)
        pool.close()
        pool.join()


def _ordinary_signals() -> None:
    """A worker ends when it is told to; what the program does on a signal is the parent's to do."""
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


_order: Order
_twice: set[str]


def _wrapped(host: Host) -> dict[str, Any]:
    """The manifest's entry for a host, its file written."""
    from tpmwire.errors import TpmwireError

    name = str(host.fields.get("host") or "")
    try:
        return {"host": name, **_wrap(host, name, _order)}
    except (UsageError, TpmwireError, OSError, ValueError) as error:
        return {"host": name, "where": host.where, "error": " ".join(str(error).split())}


def _wrap(host: Host, name: str, order: Order) -> dict[str, Any]:
    from tpmwire.crypto import name_of

    from .aws_secret import key_octets

    if host.problem:
        raise UsageError(host.problem)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}", name):
        raise UsageError(f"{host.where}: a host needs a name that can be a file's, not {name!r}")
    if name in _twice:
        raise UsageError(f"{name} is there more than once")
    target = Target.from_fields(host.fields, name)
    own = host.fields.get("secret")
    file = wrapped_for(target, order, key_octets(str(own).encode()) if own else None)
    pem = file.to_pem().encode()
    write_whole(os.path.join(order.out, f"{name}.pem"), pem, force=True)
    return {
        "file": f"{name}.pem",
        "fingerprint": hashlib.sha256(pem).hexdigest(),
        "name": name_of(file.public).hex(),
        "parent_name": name_of(target.public).hex(),
        "target": _fingerprint(host),
    }


def wrapped_for(target: Target, order: Order, own: "Secret | None") -> "KeyFile":
    """The key file for one target, with its own secret or the one for all. Raises UsageError, TpmwireError."""
    from tpmwire.wrapping import wrap_hmac_key

    secret = own or order.secret
    if secret is None:
        raise UsageError(f"{target.host} has no secret of its own, and none was given for all")
    if order.trust is not None:
        _certified(target, order.trust)
    return wrap_hmac_key(secret, target.public, target.parent, auth=order.auth, policy=order.policy)


def _certified(target: Target, trust: "Trust") -> None:
    """Raises CertificateError where no trusted CA vouches for the target's key."""
    from tpmwire.certificates import load_chain, public_key, verified
    from tpmwire.errors import CertificateError, CertificateFormatError
    from tpmwire.spki import into_template

    if target.certificate is None:
        raise CertificateError("there is no EK certificate with it; only an endorsement key can be vouched for")
    try:
        certificate, others = load_chain(target.certificate.encode(), f"the certificate of {target.host}")
        verified(certificate, trust, others)
        key = public_key(certificate)
    except CertificateFormatError as error:
        raise UsageError(str(error)) from error
    if into_template(key, target.public) != target.public:
        raise CertificateError("the certificate is another key's")


def _manifest(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                entry = _host(line, "").fields  # the last line may be cut
                if entry.get("file"):
                    yield str(entry.get("host")), entry


def _ends_whole(path: str) -> bool:
    """Whether the last line was written to its end, or there is none."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        return file.read(1) in (b"", b"\n")


def _is_done(host: Host, entry: dict[str, Any] | None, order: Order) -> bool:
    """Whether the manifest has this host with this parent, and the file is as it was written."""
    if entry is None or entry.get("target") != _fingerprint(host):
        return False
    try:
        with open(os.path.join(order.out, str(entry["file"])), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest() == entry.get("fingerprint")
    except OSError:
        return False


def _fingerprint(host: Host) -> str:
    """Tells whether a host's public key is the one that was wrapped for."""
    return hashlib.sha256(str(host.fields.get("public")).lower().encode()).hexdigest()


def _progress(count: int, total: int) -> None:
    """A line that counts, on a terminal."""
    if sys.stderr.isatty() and (count % 16 == 0 or count == total):
        bar = "#" * (40 * count // total)
        end = "\n" if count == total else ""
        # As octets: in text a carriage return would be shown, not done.
        sys.stderr.buffer.write(f"\r[{bar:40}] {count}/{total}{end}".encode())
        sys.stderr.buffer.flush()
