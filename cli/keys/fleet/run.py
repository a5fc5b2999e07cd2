"""Wraps a whole fleet, host by host, in several processes.

A bad host is reported and does not affect other hosts. The manifest lists the hosts that are done, so an
interrupted run resumes where it stopped. Memory does not grow with the fleet, except for hashes of the hosts'
names.
"""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import get_context, parent_process
from threading import Thread, main_thread
from typing import IO, Any, NamedTuple

from ...terminal.messages import UsageError, note, warn
from ...terminal.progress import activity
from .hosts import Fleet, Host, Survey, name_hash
from .manifest import FinishedHosts, append_to, manifest_name
from .wrap import WrapOrder, inputs_of, save_key_file, target_hash, wrap_host

__all__ = ["STDOUT", "FleetPlan", "Summary", "wrap_fleet"]

STDOUT = "-"

FEW = 64
"""Fewer hosts than this are wrapped in the main process."""

BATCH = 16
"""Number of hosts that a worker gets at once."""

NAMED = 100
"""Maximum number of bad hosts that a summary names."""


class FleetPlan(NamedTuple):
    """The input of a run: hosts, wrap order, output directory (`-`: JSON Lines on stdout), number of processes."""

    fleet: Fleet
    order: WrapOrder
    out: str
    shard: tuple[int, int] = (1, 1)
    processes: int = 1


class Summary:
    """The numbers of hosts in a run: all hosts, hosts wrapped in this run, and hosts wrapped in an earlier run."""

    def __init__(self) -> None:
        self.hosts = self.wrapped = self.done_before = 0
        self.failed_hosts: list[str] = []
        self._started = time.monotonic()

    @property
    def failed(self) -> int:
        return self.hosts - self.wrapped - self.done_before

    def fail(self, host: str) -> None:
        """Counts a failed host, and stores its name (at most `NAMED` names)."""
        if len(self.failed_hosts) < NAMED:
            self.failed_hosts.append(host)

    def to_json(self, plan: FleetPlan) -> str:
        """Returns the summary as a line of JSON.

        The line has the CPU seconds of all processes, and the peak memory of the largest process in KiB.
        """
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return json.dumps(
            {
                "hosts": self.hosts,
                "wrapped": self.wrapped,
                "done_before": self.done_before,
                "failed": self.failed,
                "failed_hosts": self.failed_hosts,
                "shard": "/".join(map(str, plan.shard)),
                "out": plan.out,
                "seconds": round(time.monotonic() - self._started, 3),
                "cpu_seconds": round(sum(one.ru_utime + one.ru_stime for one in usage), 3),
                "peak_memory_kib": max(one.ru_maxrss for one in usage),
            }
        )


def wrap_fleet(plan: FleetPlan, found: Survey | None, *, resume: bool = False) -> Summary:
    """Wraps a key for every host or, with `resume`, for the hosts that the manifest does not list.

    `found` is the fleet's survey, or None if the hosts can be read only once; then only the first host of a
    repeated name gets a key. Raises UsageError if a manifest exists and `resume` is False, or if the manifest has
    other inputs.
    """
    summary = Summary()
    if plan.out == STDOUT:
        _work(plan, _mark_repeated(plan.fleet, found), None, summary, found)
        return summary
    os.makedirs(plan.out, mode=0o700, exist_ok=True)
    path = os.path.join(plan.out, manifest_name(plan.shard))
    if os.path.exists(path) and not resume:
        raise UsageError(f"{path} exists; continue it with --resume, or choose another --out")
    with append_to(path) as manifest:
        done = _find_finished(plan, path, summary) if resume else None
        hosts: Iterable[Host] = plan.fleet
        if done is not None:
            hosts = (host for host in plan.fleet if not done.is_finished(host.name))
        _work(plan, _mark_repeated(hosts, found), manifest, summary, found)
        os.fsync(manifest.fileno())
    if found is not None and summary.hosts != found.hosts:
        warn(f"{plan.fleet.path} changed during the run; repeat it with --resume")
    # Files are synced together at the end: one by one is a hundred times slower. After a crash, --resume checks
    # them.
    os.sync()
    return summary


def _find_finished(plan: FleetPlan, path: str, summary: Summary) -> FinishedHosts:
    done = FinishedHosts(path)
    hosts = 0
    for host in plan.fleet:
        hosts += 1
        if host.problem or host.name not in done:
            continue
        try:
            inputs = inputs_of(host.fields, plan.order).fingerprint
        except (UsageError, ValueError):
            continue  # the result of this host reports the error
        target = target_hash(host.fields)
        if done.differs(host.name, target, inputs):
            raise UsageError(
                f"{path}: {host.name} was wrapped with a different secret, password, policy or --ca; "
                "repeat the earlier values, or choose another --out"
            )
        summary.done_before += done.mark_finished(
            host.name, target, inputs, os.path.join(plan.out, f"{host.name}.pem")
        )
    summary.hosts = summary.done_before
    if summary.done_before:
        note(f"{summary.done_before} of {hosts} hosts are done already")
    return done


def _mark_repeated(hosts: Iterable[Host], found: Survey | None) -> Iterator[Host]:
    """Yields the hosts; a host with a repeated name gets a `problem`."""
    seen: set[int] = set()
    for host in hosts:
        repeated = False
        if host.name:
            key = name_hash(host.name)
            repeated = key in (seen if found is None else found.repeated)
            if found is None:
                seen.add(key)
        if repeated and not host.problem:
            yield host._replace(problem=f"{host.where}: {host.name} is named more than once")
        else:
            yield host


def _work(
    plan: FleetPlan, hosts: Iterator[Host], manifest: IO[bytes] | None, summary: Summary, found: Survey | None
) -> None:
    total = found.hosts - summary.done_before if found is not None else 0
    with activity("wrapping keys", total, prints=manifest is None) as shown:
        for count, entry in enumerate(_results(plan, hosts), 1):
            summary.hosts += 1
            if "error" in entry:
                summary.fail(entry["host"] or entry["where"])
                note(f"{entry['host'] or entry['where']}: {entry['error']}")
            else:
                summary.wrapped += 1
            line = json.dumps(entry) + "\n"
            if manifest is None:
                sys.stdout.write(line)
                if found is None:
                    sys.stdout.flush()  # a reader may need this line before it sends the next host
            else:
                manifest.write(line.encode())
                manifest.flush()
            shown.done = count


def _results(plan: FleetPlan, hosts: Iterator[Host]) -> Iterator[dict[str, Any]]:
    _plans[:] = [plan]  # workers inherit the plan by fork, so no secret is pickled
    if plan.processes > 1:
        first = list(islice(hosts, FEW))
        hosts = chain(first, hosts)
        if len(first) == FEW:
            yield from _results_of_workers(plan, hosts)
            return
    yield from map(_wrap_one, hosts)


def _results_of_workers(plan: FleetPlan, hosts: Iterator[Host]) -> Iterator[dict[str, Any]]:
    """Yields the results in the order in which the workers finish. Raises OSError if a worker is killed."""
    workers = ProcessPoolExecutor(plan.processes, get_context("fork"), _set_up_worker)
    running: set[Future[list[dict[str, Any]]]] = set()
    try:
        for batch in iter(lambda: list(islice(hosts, BATCH)), []):
            running.add(workers.submit(_wrap_batch, batch))
            if len(running) >= 4 * plan.processes:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from chain.from_iterable(future.result() for future in done)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from chain.from_iterable(future.result() for future in done)
    except BrokenProcessPool:
        # multiprocessing.Pool would wait for the worker's results for ever.
        resume = "" if plan.out == STDOUT else "; repeat the command with --resume"
        raise OSError(f"a worker process was killed (out of memory?){resume}") from None
    finally:
        workers.shutdown(cancel_futures=True)


def _set_up_worker() -> None:
    """Sets a worker's signal handlers: SIGTERM and SIGHUP end the worker, and SIGINT is ignored.

    Only the parent process cleans up. If it is killed, the worker ends.
    """
    signal.signal(signal.SIGTERM, _end_worker)
    signal.signal(signal.SIGHUP, _end_worker)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_worker(_number: int, _frame: object) -> None:
    # Not in the middle of a file, which would leave a temporary one. Elsewhere at once: an exception would be lost
    # in the executor, where the worker may wait for a lock of one that was killed.
    _worker.ends = True
    if not _worker.works:
        os._exit(1)


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
    signal.pthread_kill(main_thread().ident or 0, signal.SIGTERM)  # only a signal to this thread ends its read


class _Worker:
    """Whether a worker wraps keys, and whether it was told to end."""

    works = ends = False


_worker = _Worker()
_plans: list[FleetPlan] = []


def _wrap_batch(hosts: list[Host]) -> list[dict[str, Any]]:
    _worker.works = True
    results = []
    for host in hosts:
        results.append(_wrap_one(host))
        if _worker.ends:
            break
    _worker.works = False
    if _worker.ends:
        os._exit(1)
    return results


def _wrap_one(host: Host) -> dict[str, Any]:
    """Wraps a key for a host, and returns its manifest entry. Writes the key file unless output goes to stdout."""
    if host.problem:
        return {"host": host.name, "where": host.where, "error": host.problem}
    (plan,) = _plans
    entry = wrap_host(host.fields, plan.order)
    if plan.out != STDOUT:
        entry = save_key_file(entry, plan.out)
    return {"host": entry.pop("host"), "where": host.where, **entry} if "error" in entry else entry
