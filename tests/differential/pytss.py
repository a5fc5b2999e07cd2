"""tpm2-pytss's values of structures: run under Debian's own Python, whose package python3-tpm2-pytss is.

Reads a line of JSON for each structure (type, octets, shape), and writes a line: what the C library made of it. A
shape says which parts are wanted: "n" a number, a number for so many octets, "" nothing, a list, or an object of
fields; values come back in its form. A member of a union is the first that the shape fits, as C lays all members
over each other.
With --bench TIMES, reads all lines and writes one number: the seconds for parsing each structure so many times.
"""

import json
import sys
import time
from typing import Any

from tpm2_pytss import types
from tpm2_pytss._libtpm2_pytss import ffi, lib


def fields(data: Any) -> dict[str, Any]:
    """The names of a C structure's fields, in small letters, with the C names; none for a number or an array."""
    if isinstance(data, int):
        return {}
    kind = ffi.typeof(data)
    kind = kind.item if kind.kind == "pointer" else kind
    return {name.lower(): name for name, _ in kind.fields} if kind.kind in ("struct", "union") else {}


def is_union(data: Any) -> bool:
    """Whether C lays the members over each other."""
    return not isinstance(data, int) and ffi.typeof(data).kind == "union"


def fits(data: Any, shape: Any) -> bool:
    """Whether a union's member can have the shape."""
    names = fields(data)
    if isinstance(data, int) or shape == "n":
        return isinstance(data, int) and bool(shape == "n")
    if isinstance(shape, dict):
        return set(shape) <= set(names)
    if not names:
        return bool(ffi.sizeof(data) == shape)
    # A TPM2B: the members differ in how much they hold.
    array = next(name for key, name in names.items() if key != "size")
    return isinstance(shape, int) and "size" in names and bool(ffi.sizeof(getattr(data, array)) >= shape)


def value(data: Any, shape: Any, member: int | None = None) -> Any:
    """The parts of C data that a shape wants; `member` is the number of a union's member where it is known."""
    names = fields(data)
    if shape == "":
        return ""
    if is_union(data):
        every = list(names.values()) if member is None else [list(names.values())[member]]
        chosen = next((name for name in every if member is not None or fits(getattr(data, name), shape)), None)
        return f"no member of {ffi.typeof(data)}" if chosen is None else value(getattr(data, chosen), shape)
    if shape == "n":
        return data if isinstance(data, int) else "a structure"
    if isinstance(shape, int):
        if "size" not in names:
            return bytes(ffi.buffer(data)).hex()[: 2 * shape]
        array = next(name for key, name in names.items() if key != "size")
        return bytes(ffi.buffer(getattr(data, array)))[: data.size].hex()
    if isinstance(shape, list):
        array = next(name for key, name in names.items() if key != "count")
        if data.count != len(shape):
            return f"{data.count} elements"
        return [value(getattr(data, array)[index], part) for index, part in enumerate(shape)]
    inner = [name for key, name in names.items() if key != "size"]
    if "size" in names and len(inner) == 1:
        return value(getattr(data, inner[0]), shape)
    found = {}
    for name, part in shape.items():
        if name not in names:
            return f"no field {name} in {ffi.typeof(data)}"
        # The members of TPMU_CAPABILITIES stand in the order of TPM_CAP.
        number = data.capability if "capability" in names else None
        found[name] = value(getattr(data, names[name]), part, number)
        if "sizeofselect" in names and name == "pcrselect" and data.sizeofSelect != part:
            return f"{data.sizeofSelect} octets of PCRs"
    return found


def parsed(name: str, octets: bytes) -> tuple[Any, int]:
    """A structure from its octets, and how many it took; the library's own call, for types that have no class."""
    data, place = ffi.new(f"{name} *"), ffi.new("size_t *")
    code = getattr(lib, f"Tss2_MU_{name}_Unmarshal")(octets, len(octets), place, data)
    return (None if code else data), place[0]


def bench(jobs: list[dict[str, Any]], times: int) -> float:
    """Returns the CPU seconds for parsing every structure through pytss's Python classes."""
    work = [(getattr(types, job["type"]).unmarshal, bytes.fromhex(job["octets"])) for job in jobs]
    start = time.thread_time()
    for _ in range(times):
        for unmarshal, octets in work:
            unmarshal(octets)
    return time.thread_time() - start


def main() -> None:
    """Answers every line."""
    jobs = [json.loads(line) for line in sys.stdin]
    if sys.argv[1:2] == ["--bench"]:
        print(bench(jobs, int(sys.argv[2])))
        return
    for job in jobs:
        octets = bytes.fromhex(job["octets"])
        if not hasattr(lib, f"Tss2_MU_{job['type']}_Unmarshal"):
            print("null")
            continue
        data, taken = parsed(job["type"], octets)
        if data is None:
            print(json.dumps({"refused": True}))
        else:
            found = value(data[0], job["shape"])
            print(json.dumps({"taken": taken, "class": hasattr(types, job["type"]), "value": found}))


if __name__ == "__main__":
    main()
