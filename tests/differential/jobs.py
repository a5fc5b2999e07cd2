"""What is asked of tpm2-pytss: every structure inside a recorded dialogue, with the values that we see in it."""

import io
import json
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.differential.ours import structures
from tpmwire.explain.table import declarations
from tpmwire.record import Record
from tpmwire.spec.names import field_name
from tpmwire.spec.structures import TPMT_TK_VERIFIED
from tpmwire.wire import parse_command, parse_response
from tpmwire.wires import wire_of

__all__ = ["CAPTURES", "DEBIAN", "Job", "answers", "jobs", "pairs", "parser"]

DEBIAN = "/usr/bin/python3"
CAPTURES = Path(__file__).parents[2] / "fixtures" / "captures" / "tpm2-tools.jsonl"


class Job(NamedTuple):
    """A structure: its name in the standard, its octets, our value in JSON's types, and that value's shape."""

    type: str
    octets: bytes
    value: Any
    shape: Any


def pairs(path: Path = CAPTURES) -> list[tuple[bytes, bytes]]:
    """Commands with their responses, from a file with a JSON object a line."""
    lines = map(json.loads, path.read_text().splitlines())
    return [(bytes.fromhex(line["command"]), bytes.fromhex(line["response"])) for line in lines]


def _plain(value: Any) -> tuple[Any, Any]:
    """A value in JSON's types, and its shape."""
    if value is None:
        return "", ""
    if isinstance(value, bytes):
        return value.hex(), len(value)
    if isinstance(value, int):
        return int(value), "n"
    if isinstance(value, tuple):
        both = [_plain(element) for element in value]
        return [v for v, _ in both], [s for _, s in both]
    named = {field_name(name).lower(): _plain(field) for name, field in vars(value).items()}
    if isinstance(value, TPMT_TK_VERIFIED):  # the fields before version 1.85
        named = {"tag": named["tag"], "hierarchy": named["hierarchy"], "digest": named["hmac"]}
    return {n: v for n, (v, _) in named.items()}, {n: s for n, (_, s) in named.items()}


def jobs(dialogue: Iterable[tuple[bytes, bytes]]) -> Iterator[Job]:
    """Each different structure of a dialogue once."""
    seen = set()
    for command, response in dialogue:
        for message in (parse_command(command).command, parse_response(response, command)):
            record = message if isinstance(message, Record) else getattr(message, "response", None)
            if not isinstance(record, Record):
                continue
            for name, wire, value in structures(record):
                stream = io.BytesIO()
                wire._build(value, stream, {}, "")
                job = Job(name, stream.getvalue(), *_plain(value))
                if job[:2] not in seen and name:
                    seen.add(job[:2])
                    yield job


def answers(asked: list[Job], *options: str) -> list[Any]:
    """tpm2-pytss's answers, one for each job; with options, the lines that they make it write."""
    lines = (json.dumps({"type": job.type, "octets": job.octets.hex(), "shape": job.shape}) for job in asked)
    done = subprocess.run(
        [DEBIAN, str(Path(__file__).with_name("pytss.py")), *options],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def parser(name: str) -> Callable[[bytes], Any]:
    """Our way from a structure's octets to its value, by its name in the standard."""
    wire = wire_of(declarations()[name]) if name in declarations() else wire_of(declarations()[f"{name}_OPTIONAL"])
    return lambda octets: wire._parse(io.BytesIO(octets), {}, "")
