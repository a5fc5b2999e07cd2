"""Sends any command of TPM 2.0, by the names of the standard, and explains it and its response.

  tpmwire send GetRandom bytesRequested=8
  tpmwire send PCR_Read pcrSelectionIn=sha256:7,23
  tpmwire send CreatePrimary primaryHandle=owner inPublic=template:srk-ecc + ReadPublic objectHandle='$1'
  tpmwire send NV_DefineSpace --auth-file owner.txt authHandle=owner auth=@index.txt \\
      publicInfo.nvIndex=0x01000001 publicInfo.nameAlg=SHA256 publicInfo.dataSize=8 \\
      publicInfo.attributes='OWNERREAD|OWNERWRITE'
  tpmwire send --json commands.json

`tpmwire spec TPM2_NAME` shows a command's fields. A number may be a constant's name, attributes are joined by |; a
handle may be owner, endorsement, platform, lockout, null, or $N: what the Nth command's response gave. Octets are
hex, text:WORDS or @FILE; a structure is its fields by name, JSON, or its octets; a public area may be template:
with h2-primary, h1-primary, srk-ecc, srk-rsa, ek-ecc or ek-rsa behind it. What is not given is empty.

Several commands, with + between them, go over one connection. --json takes an object, or a list of them:
{"command": "GetRandom", "bytesRequested": 8}, with "passwords": ["text:..."] for its handles, in their order.
At the end transient objects and sessions that the commands made are flushed, unless --keep is given.
"""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from ..messages import UsageError, note
from ..options import add_tpm_options

if TYPE_CHECKING:
    from tpmwire.spec.command import Command
    from tpmwire.tpm import Tpm
    from tpmwire.transport import Transport

__all__ = ["HELP", "configure", "run"]

HELP = "send any command, and explain it and its response"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_tpm_options(parser, patience="60s")
    parser.add_argument("words", nargs="*", metavar="NAME FIELD=VALUE", help="a command and its fields")
    parser.add_argument("--json", metavar="FILE", help="the commands as JSON; - is standard input")
    parser.add_argument(
        "--auth-file",
        action="append",
        default=[],
        metavar="FILE",
        help="file with a handle's password; once for each handle that wants one, in their order (default: empty)",
    )
    parser.add_argument("--keep", action="store_true", help="leave what the commands made in the TPM")
    parser.add_argument("--dry-run", action="store_true", help="explain the commands, and send nothing")
    parser.add_argument("--secrets", action="store_true", help="show passwords and other secret fields too")


def run(args: argparse.Namespace) -> int:
    """Sends the commands one after the other; ends at the first refusal."""
    if bool(args.words) == bool(args.json):
        raise UsageError("give a command and its fields, or --json FILE (tpmwire spec lists the commands)")
    given = _from_json(args.json) if args.json else _from_words(args.words)
    if args.auth_file and len(given) > 1:
        raise UsageError("--auth-file goes with one command; for several give --json, with passwords")
    commands = [(_kind(name), values, passwords) for name, values, passwords in given]
    # What is wrong with any of them is said before the first is sent; handles are not known yet.
    handles = [0x80000000] * len(commands)
    built = [_built(kind, values, handles[:n], args) for n, (kind, values, _) in enumerate(commands)]
    secrets = [_passwords(kind, passwords, args) for kind, _, passwords in commands]
    if args.dry_run:
        return _dry_run(built, secrets, args)
    from tpmwire.tpm import Tpm
    from tpmwire.transport import open_transport

    transport: Any = Overheard(open_transport(args.tpm_path, args.timeout), args.secrets)
    tpm = Tpm(transport)
    try:
        answers: list[int] = []
        for (kind, values, _), passwords in zip(commands, secrets, strict=True):
            answers.append(_sent(tpm, _built(kind, values, answers, args), passwords))
    finally:
        transport.ending = True
        if args.keep:
            transport.close()
        else:
            tpm.close()
    return 0


class Overheard:
    """A transport that prints what goes over it, explained."""

    def __init__(self, transport: "Transport", secrets: bool) -> None:
        self._transport = transport
        self._secrets = secrets
        self.ending = False

    def transceive(self, command: bytes) -> bytes:
        """As `Transport.transceive`; both octets are shown, the command before the TPM has it."""
        from tpmwire.explain import explain_command, explain_response

        if self.ending:
            note("tpmwire: flushing what the commands made (--keep leaves it)")
            return self._transport.transceive(command)
        _show(explain_command(command), self._secrets)
        response = self._transport.transceive(command)
        _show(explain_response(response, command), self._secrets)
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _show(tree: Any, secrets: bool) -> None:
    from tpmwire.explain import as_text

    print(as_text(tree, secrets=secrets), end="\n\n", flush=True)


def _sent(tpm: "Tpm", command: Any, passwords: list[Any]) -> int:
    """Sends a command; the handle that its response gave, or 0."""
    from tpmwire.sessions import Password

    answer: Any = tpm.execute(command, *map(Password, passwords))
    return _handle_of(answer)


def _handle_of(answer: Any) -> int:
    from tpmwire.spec.command import role_of

    return next((getattr(answer, name) for name, annotation in answer.fields() if role_of(annotation)), 0)


def _built(kind: Any, values: dict[str, Any], answers: list[int], args: argparse.Namespace) -> Any:
    from tpmwire.errors import EncodeError

    from ..fields import command_from

    try:
        command = command_from(kind, values, answers, public=not args.json)
        command.build()
        return command
    except EncodeError as error:
        raise UsageError(f"TPM2_{kind.code.name}: {error}") from error


def _passwords(kind: Any, given: list[Any], args: argparse.Namespace) -> list[Any]:
    from ..fields import password_from
    from ..options import secret_file

    secrets = [secret_file(path) for path in args.auth_file] or [password_from(value) for value in given]
    wanted = sum(role.authorized for _, role in kind.handle_fields())
    if len(secrets) > wanted:
        raise UsageError(f"TPM2_{kind.code.name} has {wanted} handles that want a password, not {len(secrets)}")
    return secrets


def _dry_run(commands: list[Any], passwords: list[Any], args: argparse.Namespace) -> int:
    from tpmwire.explain import explain_command
    from tpmwire.spec.structures import TPMS_AUTH_COMMAND
    from tpmwire.wire import build_command, split

    for command, given in zip(commands, passwords, strict=True):
        wanted = sum(role.authorized for _, role in command.handle_fields())
        secrets = [*given, *([b""] * (wanted - len(given)))]
        auths = [TPMS_AUTH_COMMAND(hmac=secret) for secret in secrets]
        _show(explain_command(build_command(command.code, split(command), auths)), args.secrets)
    return 0


def _from_words(words: list[str]) -> list[tuple[str, dict[str, Any], list[Any]]]:
    from ..fields import nested

    commands: list[list[str]] = [[]]
    for word in words:
        if word == "+":
            commands.append([])
        else:
            commands[-1].append(word)
    if not all(commands):
        raise UsageError("there is no command beside a +")
    return [(name, nested(fields), []) for name, *fields in commands]


def _from_json(path: str) -> list[tuple[str, dict[str, Any], list[Any]]]:
    import json

    from ..files import read_small

    data = sys.stdin.buffer.read(1 << 20) if path == "-" else read_small(path)
    try:
        given = json.loads(data)
    except (ValueError, RecursionError) as error:
        # Without a piece of the text, which may be a secret.
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(f"{path} is no JSON{where}") from None
    commands = []
    for entry in given if isinstance(given, list) else [given]:
        if not isinstance(entry, dict) or not isinstance(entry.get("command"), str):
            raise UsageError(f'{path}: each command is an object such as {{"command": "GetRandom", ...}}')
        values = dict(entry)
        passwords = values.pop("passwords", [])
        if not isinstance(passwords, list):
            raise UsageError(f"{path}: passwords is a list, one for each handle that wants one")
        commands.append((values.pop("command"), values, passwords))
    if not commands:
        raise UsageError(f"{path} has no command")
    return commands


def _kind(name: str) -> "type[Command]":
    from tpmwire.spec.command import command_class
    from tpmwire.spec.constants import TPM_CC

    wanted = name.lower().removeprefix("tpm2_").removeprefix("tpm_cc_")
    names = {code.name.lower(): code for code in TPM_CC}
    found = command_class(names[wanted]) if wanted in names else None
    if found is None:
        from difflib import get_close_matches

        close = " or ".join(names[key].name for key in get_close_matches(wanted, names, 2))
        raise UsageError(f"there is no command {name!r}" + (f"; did you mean {close}?" if close else ""))
    return found
