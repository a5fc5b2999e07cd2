"""Hypothesis strategies for anything that is declared: derived from the wires, so what is new is fuzzed too."""

from typing import Any

from hypothesis import strategies as st

from tpmwire.policy.statement import Statement, statement_classes
from tpmwire.record import Record, Struct
from tpmwire.spec.constants import TPM_ALG
from tpmwire.spec.versioned import Versioned
from tpmwire.wires import Counted, Empty, Fixed, Number, Rest, Select, Sized, SizedRecord, YesNo

__all__ = ["records", "statements", "values"]


def values(wire: Any) -> st.SearchStrategy[Any]:
    """Values of a wire that stands alone; a union's member is drawn with its structure."""
    match wire:
        case Number():
            top = (1 << 8 * wire.size) - 1
            known = [member.value for member in wire.kind] if wire.kind is not int else [0, 1, top]  # type: ignore[attr-defined]
            return st.one_of(st.sampled_from(known), st.integers(0, top)).map(wire.kind)
        case YesNo():
            return st.booleans()
        case Fixed():
            return st.binary(min_size=wire.size, max_size=wire.size)
        case SizedRecord():
            inner = values(wire.inner)
            return st.none() | inner if wire.optional else inner
        case Sized():
            return st.binary(max_size=min(wire.limit, (1 << 8 * wire.size) - 1, 80))
        case Counted():
            return st.lists(values(wire.element), max_size=min(wire.limit, 3)).map(tuple)
        case Struct():
            return records(wire.record)
        case Empty():
            return st.none()
        case Versioned():
            return _versioned(wire)
        case Rest():
            return st.binary(max_size=40)
        case _:
            raise TypeError(f"no strategy for {wire!r}")


def _versioned(wire: Versioned) -> st.SearchStrategy[Any]:
    """Values of the older layout, and of the newer one where the next two bytes always tell them apart."""
    if isinstance(wire.older, Empty):
        return values(wire.newer).filter(lambda value: value not in wire.marks)
    first = wire.older.fields[0][0]
    older = st.tuples(records(wire.older.record), st.sampled_from(sorted(wire.marks)))
    drawn = older.map(lambda pair: pair[0].replace(**{first: TPM_ALG(pair[1])}))
    return drawn | st.binary(min_size=64, max_size=64) if isinstance(wire.newer, Sized) else drawn


@st.composite
def records(draw: st.DrawFn, record: type[Record]) -> Any:
    """Values of a structure, field by field: a selector is drawn among those that have a member."""
    fields = record.wire().fields
    drawn: dict[str, Any] = {}
    for name, wire in fields:
        followers = [other for _, other in fields if isinstance(other, Select) and other.selector == name]
        if isinstance(wire, Select):
            drawn[name] = draw(values(wire.member(drawn)))
        elif followers:
            keys = [key for key in followers[0].members if all(key in f.members for f in followers)]
            selector = st.sampled_from(keys)
            if all(follower.other is not None for follower in followers):
                selector = selector | values(wire)
            drawn[name] = wire.kind(draw(selector))
        else:
            drawn[name] = draw(values(wire))
    return record(**drawn)


def statements() -> st.SearchStrategy[Statement]:
    """Policy statements of every class that is declared."""
    return st.one_of([records(kind) for kind in statement_classes().values()])
