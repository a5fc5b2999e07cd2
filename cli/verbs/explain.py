"""Explains anything about a TPM: a code, a handle, attributes, a name of the standard, bytes, a file, a log.

  tpmwire explain 0x98e                      a response code, in hex or decimal
  tpmwire explain 0x80280921                 an error code of Windows
  tpmwire explain 'tpm:session(1):the authorization HMAC check failed'
  tpmwire explain 'tpm tpm0: A TPM error (2446) occurred'
  tpmwire explain 0x81010001                 a handle
  tpmwire explain 0x40472 'fixedTPM|noDA'    attributes
  tpmwire explain sha256:0,7                 a list of PCRs
  tpmwire explain TPM2_Create                a name of the standard
  tpmwire explain 80010000000c0000017b0010   bytes of a command or response
  tpmwire explain key.pub                    a file
  dmesg | tpmwire explain -                  a log, or any other text
  tpmwire explain --as command 0x143         the meaning that you choose

The output starts with the kind of thing that was recognized. A number can mean several things: the likeliest is
explained, and the others are listed with the option that selects each one. `tpmwire decode` has more options for
recordings, such as salts and passwords; `tpmwire spec` lists the names of the standard.
"""

import argparse
import itertools
import json
from collections.abc import Iterator

from tpmwire.explain import Node, as_json
from tpmwire.explain.readers.numbers import KINDS

from ..inspect.interpretations import interpretation_json, interpretation_text
from ..inspect.things import Explained, explain_thing, group_words
from ..terminal.colors import ColorSettings, add_color_option, printer
from ..terminal.messages import UsageError, note
from ..terminal.progress import activity

__all__ = ["Settings", "configure", "run"]


class Settings(ColorSettings):
    """The verb's options."""

    thing: list[str]
    kind: str | None
    json: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "thing",
        nargs="*",
        metavar="THING",
        help="word, number, bytes, text or file to explain, or - for standard input (default: -)",
    )
    parser.add_argument(
        "--as",
        dest="kind",
        metavar="KIND",
        help=f"kind of THING: {', '.join(KINDS)}, pcrs, or a type of the standard such as TPMT_PUBLIC",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object for each THING")
    add_color_option(parser)


def run(args: Settings) -> int:
    """Explains each argument.

    Returns exit code 2 if one of several arguments is not recognized, else 1 if the bytes of one are not valid.
    """
    found: list[dict[str, object]] = []
    failed = False
    things = group_words(args.thing or ["-"], args.kind)
    refused: list[str] = []
    with activity("explaining the input", prints=not args.json):
        for number, explained in enumerate(_await_each(_explain_each(things, args.kind, refused))):
            if number and not args.json:
                print()
            if args.json:
                trees = list(explained.trees)
                found.append(_plain(explained, trees))
                failed |= any(tree.error for tree in trees)
            else:
                failed |= _print(explained, args.color)
    if args.json:
        print(json.dumps(found, indent=2))
    return 2 if refused else 1 if failed else 0


def _await_each(found: Iterator[Explained]) -> Iterator[Explained]:
    """Yields the explanations; shows the activity until each one is found."""
    while True:
        with activity("recognizing the input"):
            explained = next(found, None)
        if explained is None:
            return
        yield explained


def _explain_each(things: list[str], kind: str | None, refused: list[str]) -> Iterator[Explained]:
    """Yields the explanations. Reports each of several arguments that is not recognized, and adds it to `refused`.

    Raises UsageError if no argument is recognized.
    """
    for thing in things:
        try:
            yield from explain_thing(thing, kind)
        except UsageError as error:
            if len(refused) == len(things) - 1:
                raise
            refused.append(thing)
            note(f"tpmwire: {error}")


def _print(explained: Explained, color: str) -> bool:
    """Prints an explanation. Returns whether the explained bytes are not valid."""
    if explained.words:
        print(interpretation_text(explained.name, explained.words))
        return False
    show = printer(color)
    failed = False
    trees = iter(explained.trees)
    first = list(itertools.islice(trees, 1))
    print(f"{explained.name}, taken as {explained.kind}{':' if first else '.'}")
    for tree in itertools.chain(first, trees):
        print()
        show(tree)
        failed |= bool(tree.error)
    if explained.others:
        print("\nIt can also be:", *explained.others, sep="\n  ")
    return failed


def _plain(explained: Explained, trees: list[Node]) -> dict[str, object]:
    if explained.words:
        return interpretation_json(explained.name, explained.words)
    plain = [as_json(tree) for tree in trees]
    others = [{"kind": kind} for kind in explained.others]
    return {"input": explained.name, "kind": explained.kind, "trees": plain, "others": others}
