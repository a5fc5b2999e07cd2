"""Recognizes the arguments of `tpmwire explain`: a word, a number, bytes, a text, a file, standard input."""

import codecs
import io
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tpmwire.errors import DecodeError, InputError
from tpmwire.explain import Node, explain_stream
from tpmwire.explain.lookup import find_name, has_octets, similar_names
from tpmwire.explain.message import find_commands
from tpmwire.explain.readers.data import read_data
from tpmwire.explain.readers.lines import is_text, read_lines
from tpmwire.explain.readers.numbers import KINDS, Interpretation, parse_numbers
from tpmwire.explain.readers.recordings import UnknownInputError, detect_recording
from tpmwire.explain.readers.tool_outputs import read_tool_output
from tpmwire.explain.readers.words import read_as, read_words
from tpmwire.explain.value import explain_octets
from tpmwire.spec.constants import TPM_CC

from ..terminal.messages import UsageError, warn
from .file_inputs import describe_commands, split_lone
from .source import Source, open_sources
from .watched_input import WatchedInput

__all__ = ["Explained", "explain_thing", "group_words"]

ACCEPTED = (
    "expected a code, a handle, attributes, a name of the standard, PCRs such as sha256:0,7, a line with an error "
    "code, bytes, or a file"
)


class Explained(NamedTuple):
    """An input and its explanation.

    `words` contains the interpretations of a word or number. If `words` is empty, the input is bytes: `trees`
    explains them, `kind` names their type, and `others` contains the alternative types.
    """

    name: str
    words: list[Interpretation]
    kind: str = ""
    trees: Iterable[Node] = ()
    others: Sequence[str] = ()


def group_words(words: list[str], kind: str | None) -> list[str]:
    """Returns the inputs in the arguments: one per argument, or one for the words of bytes or of a log line."""
    if len(words) == 1 or kind is not None or any(word == "-" or os.path.lexists(word) for word in words):
        return words
    joined = " ".join(words)
    if _is_message(joined) and _is_hex(words) and not all(map(_is_message, words)):
        return [joined]
    known = [_is_message(word) or bool(read_words(word)) for word in words]
    if not all(known) and (not any(known) or _is_hex(words) or _is_log_line(words, known)):
        return [joined]
    return words


def _is_hex(words: list[str]) -> bool:
    return all(re.fullmatch(r"([0-9a-fA-F]{2})*", re.sub(r"0x|[\s:,]", "", word)) for word in words)


def _is_log_line(words: list[str], known: list[bool]) -> bool:
    """Returns whether the arguments are the words of a text with codes, not a list of separate inputs.

    `known` states for each word whether it is recognized alone.
    """
    # In a log line, small words such as "error" are prose, although they are also names of the standard.
    strong = [each and not re.fullmatch("[a-z]+", word) for word, each in zip(words, known, strict=True)]
    count = sum(strong)
    marks = any(re.search(r"[:;)\]]$|^[(\[]|^=$|: ", word) for word in words)
    prose = marks or len(words) > 3 * count or (count == 1 and not strong[0])
    return prose and bool(read_words(" ".join(words)))


def explain_thing(thing: str, kind: str | None) -> Iterator[Explained]:
    """Yields the explanation of an argument: a path, "-", or text. Raises UsageError if it is not recognized.

    `kind` is the value of --as, or None. A file stays open until the next element is requested.
    """
    if kind is not None:
        yield _explain_as(thing, kind)
    elif thing == "-" or os.path.lexists(thing):
        _check_readable(thing)
        yield from map(_explain_source, open_sources([thing]))
    elif not _is_message(thing) and not _is_output(thing) and (found := read_words(thing)):
        yield Explained(thing, found)
    else:
        yield _explain_source(Source(_shorten(thing), io.BytesIO(thing.encode(errors="replace"))))


def _check_readable(path: str) -> None:
    """Raises UsageError for a directory, and for a device, which may have endless data."""
    if path == "-" or not os.path.exists(path):
        return
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise UsageError(f"{path} is a directory; give a file in it")
    terminal = os.path.realpath(path).startswith(("/dev/pts/", "/dev/tty", "/dev/null"))
    if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not terminal):
        raise UsageError(f"{path} is a device; give a file, or look inside a TPM with `tpmwire info`")


def _explain_as(thing: str, kind: str) -> Explained:
    try:
        known = find_name(kind)
        if kind.lower() not in KINDS and known is not None and known[1] is None and has_octets(known[0]):
            tree = explain_octets(known[0], _bytes_of(thing))
            return Explained(_shorten(thing), [], f"a {known[0]}, as you chose", [tree])
        return Explained(thing, read_as(kind, thing))
    except KeyError:
        names = ", ".join([*KINDS, "pcrs"])
        raise UsageError(f"unknown kind {kind!r}; use one of {names}, or a type such as TPMT_PUBLIC") from None
    except DecodeError as error:
        raise UsageError(error.reason) from error


def _bytes_of(thing: str) -> bytes:
    """Returns the bytes of `thing`: a path, "-" for standard input, or hex."""
    file = thing == "-" or os.path.exists(thing)
    _check_readable(thing)
    data = b"".join(source.file.read() for source in open_sources([thing])) if file else thing.encode()
    try:
        return bytes.fromhex(re.sub(r"0x|[\s:,]", "", data.decode("ascii")))
    except ValueError:
        if file:
            return data
        raise UsageError(f"{_shorten(thing)} is not valid; expected bytes in hex, or a file") from None


def _explain_source(source: Source) -> Explained:
    """Returns the explanation of an input with bytes or text."""
    watched = WatchedInput(source.file)
    try:
        recording = detect_recording(io.BufferedReader(watched), source.name, warn)
    except InputError as error:
        if found := read_words(watched.text):
            return Explained(source.name, found)
        if isinstance(error, UnknownInputError):
            raise UsageError(_refusal(source.name, "")) from None
        raise
    watched.watching = False
    if not isinstance(recording, bytes):
        lone, exchanges = split_lone(recording)
        names = find_commands(lone) if lone else []
        code = TPM_CC[names[0]] if len(names) == 1 else None
        kind = f"a response to {names[0]}" if code is not None else "a recording of TPM commands"
        fits = [f"a response to {describe_commands(names)}: tpmwire decode --command NAME"] if names[1:] else []
        return Explained(source.name, [], kind, explain_stream(exchanges, code=code), fits)
    if not recording.strip():
        raise UsageError(f"{source.name} is empty; {ACCEPTED}")
    plain = _to_utf8(recording)
    if readings := read_data(recording) or read_data(plain):
        best, *others = readings
        return Explained(source.name, [], best.kind, best.trees, [each.kind for each in others])
    text = plain.decode("latin-1")
    if is_text(plain) and (found := read_words(text)):
        return Explained(source.name, found)
    raise UsageError(_refusal(source.name, text))


def _to_utf8(data: bytes) -> bytes:
    """Returns text in UTF-8 without byte order mark, if `data` is text in UTF-16 or UTF-8; else `data`."""
    return b"".join(read_lines(io.BytesIO(data), data[:16])).removeprefix(codecs.BOM_UTF8)


def _is_message(text: str) -> bool:
    """Returns whether a text is hex of a command, of a response, or of any 16 or more bytes."""
    plain = re.sub(r"0x|[\s:,]", "", text.lower())
    return bool(re.fullmatch(r"(80 ?01|80 ?02|00 ?c4)[0-9a-f]{16,}|[0-9a-f]{32,}", plain))


def _is_output(text: str) -> bool:
    """Returns whether a text of several lines is the output of a program of tpm2-tools."""
    return "\n" in text.strip() and any(read_tool_output(text.encode(errors="replace")))


def _refusal(name: str, text: str) -> str:
    """Returns the error message for an input that is not recognized. `text` is the input if it is short."""
    word = text.strip()
    if numbers := parse_numbers(word):
        return (
            f"{name} is a number, but not a response code, handle, attribute word or constant; "
            f"choose a type, as in --as TPMA_OBJECT 0x{numbers[0]:x}"
        )
    if re.search(r"/|\.\w{1,5}$", word) and name.startswith(("'", '"')):
        return f"{name} is not an existing file; {ACCEPTED}"
    near = similar_names(word) if re.fullmatch(r"[A-Za-z][\w|]{3,40}", word) else []
    if near:
        return f"{name} is not recognized; did you mean {' or '.join(near)}?"
    return f"{name} is not recognized; {ACCEPTED}"


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
