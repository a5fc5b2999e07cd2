"""Wires, records and named types nest in construct's own classes, and read from and write to any stream."""

import copy
import io
import mmap
import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import construct
import pytest
from construct import Byte, Int16ub, this

from tpmwire.errors import DecodeError, EncodeError
from tpmwire.keys import templates
from tpmwire.record import Declared
from tpmwire.spec.attestation import TPMS_CLOCK_INFO
from tpmwire.spec.commands.random import GetRandom
from tpmwire.spec.constants import TPM_ALG
from tpmwire.spec.structures import (
    TPM2B_DIGEST,
    TPM2B_PUBLIC,
    TPMI_ALG_HASH,
    TPML_DIGEST,
    TPMT_HA,
    TPMT_PUBLIC,
    TPMT_SIG_SCHEME,
    TPMU_HA,
    UINT16,
    UINT32,
)
from tpmwire.wires import Rest, Select, Sized, wire_of

VALUE = TPMT_HA(TPM_ALG.SHA256, bytes(range(32)))
RAW = VALUE.build()
N = "n" / Int16ub
FORMS = {"record": TPMT_HA, "wire": TPMT_HA.wire()}

Round = tuple[construct.Construct, Any, bytes]
NESTED: dict[str, Callable[[Any], Round]] = {
    "Struct": lambda w: (construct.Struct(N, "v" / w), {"n": 1, "v": VALUE}, b"\0\1" + RAW),
    "Struct, by keyword": lambda w: (construct.Struct(n=Int16ub, v=w), {"n": 1, "v": VALUE}, b"\0\1" + RAW),
    "Sequence": lambda w: (construct.Sequence(Int16ub, w), [1, VALUE], b"\0\1" + RAW),
    "a >> b": lambda w: (Int16ub >> w, [1, VALUE], b"\0\1" + RAW),
    "a + b": lambda w: ("n" / Int16ub + "v" / w, {"n": 1, "v": VALUE}, b"\0\1" + RAW),
    "FocusedSeq": lambda w: (construct.FocusedSeq("v", construct.Const(b"x"), "v" / w), VALUE, b"x" + RAW),
    "Array": lambda w: (construct.Array(2, w), [VALUE] * 2, RAW * 2),
    "wire[2]": lambda w: (w[2], [VALUE] * 2, RAW * 2),
    "GreedyRange": lambda w: (construct.GreedyRange(w), [VALUE] * 3, RAW * 3),
    "RepeatUntil": lambda w: (construct.RepeatUntil(lambda v, found, _: len(found) == 2, w), [VALUE] * 2, RAW * 2),
    "PrefixedArray": lambda w: (construct.PrefixedArray(Byte, w), [VALUE] * 2, b"\2" + RAW * 2),
    "Prefixed": lambda w: (construct.Prefixed(Int16ub, w), VALUE, len(RAW).to_bytes(2, "big") + RAW),
    "FixedSized": lambda w: (construct.FixedSized(40, w), VALUE, RAW.ljust(40, b"\0")),
    "Padded": lambda w: (construct.Padded(40, w), VALUE, RAW.ljust(40, b"\0")),
    "Aligned": lambda w: (construct.Aligned(8, w), VALUE, RAW.ljust(40, b"\0")),
    "NullTerminated": lambda w: (construct.NullTerminated(w, term=b"\xff"), VALUE, RAW + b"\xff"),
    "NullStripped": lambda w: (construct.NullStripped(w, pad=b"\xff"), VALUE, RAW),
    "Pointer": lambda w: (construct.Pointer(0, w), VALUE, RAW),
    "Optional": lambda w: (construct.Optional(w), VALUE, RAW),
    "Select": lambda w: (construct.Select(construct.Const(b"no"), w), VALUE, RAW),
    "If": lambda w: (construct.If(True, w), VALUE, RAW),
    "IfThenElse": lambda w: (construct.IfThenElse(this._root is None, Byte, w), VALUE, RAW),
    "Switch": lambda w: (construct.Switch(1, {1: w}), VALUE, RAW),
    "Default": lambda w: (construct.Default(w, VALUE), VALUE, RAW),
    "Const": lambda w: (construct.Const(VALUE, w), VALUE, RAW),
    "Rebuild": lambda w: (construct.Rebuild(w, VALUE), VALUE, RAW),
    "Mapping": lambda w: (construct.Mapping(w, {"it": VALUE}), "it", RAW),
    "ExprAdapter": lambda w: (construct.ExprAdapter(w, lambda v, _: v.digest, lambda *_: VALUE), VALUE.digest, RAW),  # noqa: E501
    "ExprValidator": lambda w: (construct.ExprValidator(w, lambda v, _: v == VALUE), VALUE, RAW),
    "Hex": lambda w: (construct.Hex(w), VALUE, RAW),
    "HexDump": lambda w: (construct.HexDump(w), VALUE, RAW),
    "Transformed": lambda w: (
        construct.Transformed(w, lambda b: b[::-1], len(RAW), lambda b: b[::-1], len(RAW)), VALUE, RAW[::-1]
    ),
    "Restreamed": lambda w: (
        construct.Restreamed(w, lambda b: b[::-1], 1, lambda b: b[::-1], 1, lambda n: n), VALUE, RAW
    ),
    "ProcessXor": lambda w: (construct.ProcessXor(1, w), VALUE, bytes(b ^ 1 for b in RAW)),
    "Compressed": lambda w: (construct.Prefixed(Int16ub, construct.Compressed(w, "zlib")), VALUE, b""),
    "LazyBound": lambda w: (construct.LazyBound(lambda: w), VALUE, RAW),
    "Debugger": lambda w: (construct.Debugger(w), VALUE, RAW),
    "Bitwise": lambda w: (construct.Bitwise(construct.Bytewise(w)), VALUE, RAW),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NESTED)
def test_nested(name: str, form: str) -> None:
    outer, value, data = NESTED[name](FORMS[form])
    built = outer.build(value)
    if data:
        assert built == data
    assert _same(outer.parse(built), value)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", sorted(NESTED.keys() - {"Pointer"}))
def test_nested_behind_other_fields(name: str, form: str) -> None:
    """Some of construct's classes parse a stream of their own, whose positions are those of the outer stream."""
    inner, value, _ = NESTED[name](FORMS[form])
    outer = construct.Struct("before" / construct.Bytes(5), "v" / inner)
    data = outer.build({"before": b"12345", "v": value})
    assert _same(outer.parse(data).v, value)


LIST: tuple[bytes, ...] = (b"one", b"")
OUTER: dict[str, Callable[[Any], Any]] = {
    "Prefixed": lambda w: construct.Prefixed(Byte, w),
    "FixedSized": lambda w: construct.FixedSized(100, w),
    "NullTerminated": lambda w: construct.NullTerminated(w, term=b"\xff"),
    "ProcessXor": lambda w: construct.ProcessXor(this.before[0], w),
    "LazyBound": lambda w: construct.LazyBound(lambda: w),
}


@pytest.mark.parametrize("name", OUTER)
@pytest.mark.parametrize(
    ("wire", "value"), [(TPM2B_PUBLIC, templates.srk_ecc()), (TPML_DIGEST, LIST), (TPM2B_DIGEST, b"digest")]
)
def test_sizes_are_checked_behind_other_fields(name: str, wire: Any, value: object) -> None:
    outer = construct.Struct("before" / construct.Bytes(5), "v" / OUTER[name](wire))
    data = outer.build({"before": b"12345", "v": value})
    assert outer.parse(data).v == value
    with pytest.raises(construct.ConstructError):
        outer.parse(data[: 5 + (len(data) - 5) // 2])


def _same(found: Any, value: Any) -> bool:
    if isinstance(value, dict):
        return {key: found[key] for key in value} == value
    return (list(found) if isinstance(value, list) else found) == value


@pytest.mark.parametrize("form", FORMS)
def test_those_that_only_look(form: str) -> None:
    w = FORMS[form]
    assert construct.Peek(w).parse(RAW) == VALUE
    assert construct.Peek(w).parse(RAW[:5]) is None
    assert construct.Optional(w).parse(RAW[:5]) is None
    found = construct.Struct(N, "v" / construct.RawCopy(w)).parse(b"\0\1" + RAW).v
    assert (found.value, found.offset1, found.length) == (VALUE, 2, len(RAW))
    # It reads on until there is enough, and builds nothing, whatever is inside.
    assert construct.Rebuffered(w).parse_stream(io.BytesIO(RAW)) == VALUE
    if construct.version >= (2, 10, 70):  # until then, Lazy passed itself to its subcon as the stream
        assert construct.Lazy(w).parse(RAW)() == VALUE
    assert construct.LazyArray(2, w).parse(RAW * 2)[1] == VALUE
    assert construct.LazyStruct(N, "v" / w).parse(b"\0\1" + RAW).v == VALUE
    union = construct.Union(None, "v" / w, "alg" / Int16ub).parse(RAW)
    assert (union.v, union.alg) == (VALUE, TPM_ALG.SHA256)
    assert construct.Struct("v" / w, construct.StopIf(True), N).parse(RAW).v == VALUE
    assert ("v" / w * "a comment").docs == "a comment"


@pytest.mark.parametrize("form", FORMS)
def test_compiled(form: str) -> None:
    assert construct.Struct(N, "v" / FORMS[form]).compile().parse(b"\0\1" + RAW).v == VALUE


def test_fields_in_constructs_expressions() -> None:
    header = construct.Struct("ha" / TPMT_HA, "public" / TPM2B_PUBLIC)
    outer = construct.Struct(
        "header" / header,
        "sha" / construct.If(this.header.ha.hash_alg == TPM_ALG.SHA256, construct.Bytes(2)),
        "x" / construct.Computed(this.header.public.unique.x),
    )
    found = outer.parse(RAW + TPM2B_PUBLIC.build(templates.srk_ecc()) + b"ab")
    assert (found.sha, found.x) == (b"ab", templates.srk_ecc().unique.x)
    assert VALUE["digest"] == VALUE.digest
    with pytest.raises(KeyError):
        VALUE["digset"]
    with pytest.raises(TypeError, match="not iterable"):
        list(VALUE)  # type: ignore[call-overload]


def test_copies() -> None:
    outer = construct.Struct("v" / TPMT_HA.wire(), "p" / TPM2B_PUBLIC, "n" / UINT32)
    data = RAW + TPM2B_PUBLIC.build(templates.srk_ecc()) + bytes(4)
    for again in (copy.copy(outer), copy.deepcopy(outer), pickle.loads(pickle.dumps(outer))):
        assert again.parse(data) == outer.parse(data)


def test_a_selector_that_is_a_neighbour_in_constructs_struct() -> None:
    ha = construct.Struct("hash_alg" / TPMI_ALG_HASH, "digest" / Select("hash_alg", TPMU_HA))
    assert ha.parse(RAW).digest == VALUE.digest
    assert ha.build({"hash_alg": TPM_ALG.SHA256, "digest": VALUE.digest}) == RAW
    with pytest.raises(DecodeError, match="unsupported hash_alg None: the union has no such member"):
        Select("hash_alg", TPMU_HA).parse(RAW)


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_file(tmp_path: Path, buffering: int) -> None:
    public = templates.srk_ecc()
    (tmp_path / "file").write_bytes(TPM2B_PUBLIC.build(public) + RAW + b"behind")
    with open(tmp_path / "file", "rb", buffering=buffering) as file:
        assert TPM2B_PUBLIC.parse_stream(file) == public
        assert TPMT_HA.parse_stream(file) == VALUE
        assert Rest().parse_stream(file) == b"behind"
        file.seek(0)
        assert Sized().parse_stream(file) == public.build()
    assert TPM2B_PUBLIC.parse_file(tmp_path / "file") == public
    TPMT_HA.build_file(VALUE, tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == RAW
    (tmp_path / "file").write_bytes(b"\0\4\0\1")
    with (
        open(tmp_path / "file", "rb") as file,
        pytest.raises(DecodeError, match="a size of 4 exceeds the remaining bytes"),
    ):
        TPM2B_DIGEST.parse_stream(file)


def test_a_memory_map(tmp_path: Path) -> None:
    """Before Python 3.13, its method `seek` returns None."""
    (tmp_path / "file").write_bytes(TPM2B_PUBLIC.build(templates.srk_ecc()) + RAW)
    with open(tmp_path / "file", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        assert TPM2B_PUBLIC.parse_stream(stream) == templates.srk_ecc()  # type: ignore[arg-type]
        assert TPMT_HA.parse_stream(stream) == VALUE  # type: ignore[arg-type]


def test_two_layouts_need_a_position() -> None:
    scheme = b"\0\x60\0\0"  # EDDSA, with a hash before version 1.85
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as stream, open(writing, "wb") as file:
        file.write(scheme)
        file.flush()
        with pytest.raises(DecodeError, match="the next 2 bytes decide on the layout; use a stream that can seek"):
            TPMT_SIG_SCHEME.parse_stream(stream)


def test_a_socket() -> None:
    """A stream that has no position, and whose end is not known."""
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rwb", buffering=0) as stream, theirs.makefile("rwb") as peer:
        TPM2B_DIGEST.build_stream(b"d" * 32, stream)
        TPML_DIGEST.build_stream((b"a", b"b"), stream)
        assert TPM2B_DIGEST.parse_stream(peer) == b"d" * 32
        assert TPML_DIGEST.parse_stream(peer) == (b"a", b"b")
        stream.write(b"\0\5ab")
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(DecodeError, match="the value needs 5 bytes"):
            TPM2B_DIGEST.parse_stream(peer)


def test_a_pipe_that_gives_bytes_in_pieces() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as stream:
        if os.fork() == 0:  # pragma: no cover
            for byte in RAW:
                os.write(writing, bytes([byte]))
            os._exit(0)
        os.close(writing)
        assert TPMT_HA.parse_stream(stream) == VALUE
        os.wait()


def test_sizes() -> None:
    assert [wire.sizeof() for wire in (UINT16, UINT32, wire_of(UINT32), TPMS_CLOCK_INFO, GetRandom)] == [
        2,
        4,
        4,
        17,
        2,
    ]
    for wire in (TPM2B_DIGEST, TPML_DIGEST, TPMT_HA, TPMT_PUBLIC.wire(), Rest()):
        with pytest.raises(construct.SizeofError):
            wire.sizeof()


def test_errors_are_constructs_too() -> None:
    with pytest.raises(construct.ConstructError) as caught:
        construct.Struct("v" / TPMT_HA).parse(RAW[:5])
    assert isinstance(caught.value, DecodeError)
    assert (caught.value.path, caught.value.offset) == (("v", "digest"), 2)
    nested = construct.Struct("list" / construct.Array(1, construct.Struct("size" / TPM2B_DIGEST)))
    with pytest.raises(DecodeError, match=r"^list.size: a size of 5 exceeds the remaining bytes \(at byte 0"):
        nested.parse(b"\0\5ab")
    with pytest.raises(construct.ConstructError, match="expected TPMT_HA, got dict") as refused:
        construct.Struct("v" / TPMT_HA).build({"v": {"hash_alg": 11, "digest": bytes(32)}})
    assert isinstance(refused.value, EncodeError)
    assert (refused.value.path, str(refused.value)) == (("v",), "v: expected TPMT_HA, got dict")
    for error in (caught.value, refused.value):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_named_types_read_what_their_names_say() -> None:
    public = templates.srk_ecc()
    octets = public.build()
    sized = len(octets).to_bytes(2, "big") + octets
    assert TPM2B_PUBLIC.parse(sized) == public
    assert TPM2B_PUBLIC.build(public) == sized
    assert TPM2B_DIGEST.parse(b"\0\1x") == b"x"
    assert TPML_DIGEST.parse(b"\0\0\0\1\0\1x") == (b"x",)
    assert TPMI_ALG_HASH.parse(b"\0\x0b") is TPM_ALG.SHA256
    for wrong in (octets, sized + b"\0", sized[:-1]):
        with pytest.raises(DecodeError):
            TPM2B_PUBLIC.parse(wrong)
    assert repr(TPM2B_PUBLIC) == "TPM2B_PUBLIC"
    assert isinstance(TPM2B_PUBLIC, Declared)
