"""Sends any TPM 2.0 command, by the standard's names, and explains the command and its response.

  tpmwire send GetRandom bytesRequested=8
  tpmwire send PCR_Read pcrSelectionIn=sha256:7,23
  tpmwire send CreatePrimary primaryHandle=owner inPublic=template:srk-ecc + \\
      ReadPublic objectHandle='$1'
  tpmwire send --auth-file owner.txt NV_DefineSpace authHandle=owner \\
      auth=@index.txt publicInfo.nvIndex=0x01000001 publicInfo.nameAlg=SHA256 \\
      publicInfo.dataSize=8 publicInfo.attributes='OWNERREAD|OWNERWRITE'
  tpmwire send --json commands.json

`tpmwire spec TPM2_NAME` shows a command's fields. A number can be the name of a constant; join attributes with |.
A handle can be owner, endorsement, platform, lockout, null, or $N, the handle that the Nth command returned. Bytes
are hex, text:WORDS or @FILE. A structure is given by its fields, as JSON, or as bytes. A public area can be
template: and one of h2-primary, h1-primary, srk-ecc, srk-rsa, ek-ecc or ek-rsa. Missing fields are empty.

A handle is authorized by its password (--auth-file, --auth-env): unencrypted, in an HMAC session, or in a salted
session, which also encrypts the first parameters (--session). A policy is satisfied step by step (--policy):

  tpmwire send --session salted GetRandom bytesRequested=8
  tpmwire send --policy pcr:sha256:23 HMAC handle=0x81010021 \\
      buffer=text:20261124

The output includes the commands that open the sessions, and encrypted parameters in plaintext.

Several commands, separated by +, share one connection. --json takes an object, or a list of objects: {"command":
"GetRandom", "bytesRequested": 8}, with "passwords": ["text:..."] for its handles, in order, and "policy":
["pcr:sha256:7"] for the first. At the end, transient objects and sessions that the commands created are flushed,
unless --keep is given.
"""

import argparse
import contextlib
import os
from collections.abc import Callable
from typing import Any

from tpmwire.errors import EncodeError, TpmwireError
from tpmwire.explain import Node, explain_command, explain_response
from tpmwire.policy.policy import Policy
from tpmwire.spec.command import role_of
from tpmwire.spec.constants import TPMA_SESSION
from tpmwire.spec.structures import TPMS_AUTH_COMMAND
from tpmwire.tpm import Tpm
from tpmwire.transport import Transport
from tpmwire.wire import CommandMessage, ResponseMessage, build_command, split

from ..inspect.command_auth import SESSIONS, STEPS, CommandAuthorizer, policy_from
from ..inspect.command_fields import command_from, password_from
from ..inspect.command_plans import CommandPlan, plans_from_json, plans_from_words
from ..inspect.writers import JsonLinesWriter, JsonWriter, Writer
from ..terminal.colors import ColorSettings, add_color_option, printer
from ..terminal.messages import UsageError, note
from ..terminal.options import TpmSettings, add_tpm_options, secret_file
from ..terminal.progress import activity
from ..tpm.path import connect

__all__ = ["Settings", "configure", "run"]


class Settings(ColorSettings, TpmSettings):
    """The verb's options."""

    words: list[str]
    json: str | None
    auth_file: list[str]
    auth_env: list[str]
    session: str
    policy: list[str]
    keep: bool
    dry_run: bool
    format: str
    secrets: bool


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_tpm_options(parser, patience="60s")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="NAME FIELD=VALUE",
        help="command and its fields (FIELD=VALUE); + separates commands",
    )
    parser.add_argument("--json", metavar="FILE", help="file with the commands as JSON; - is standard input")
    parser.add_argument(
        "--auth-file",
        action="append",
        default=[],
        metavar="FILE",
        help="file with a handle's password; repeat once per handle that needs authorization, in order "
        "(default: empty)",
    )
    parser.add_argument(
        "--auth-env",
        action="append",
        default=[],
        metavar="NAME",
        help="environment variable with a handle's password; repeatable; passwords from files come first",
    )
    parser.add_argument(
        "--session",
        choices=list(SESSIONS),
        default="none",
        help="; ".join(f"{name}: {meaning}" for name, meaning in SESSIONS.items()),
    )
    parser.add_argument(
        "--policy",
        action="append",
        default=[],
        metavar="STEP",
        help=f"policy step that authorizes the first handle, one of {STEPS}; repeatable, "
        "executed in the given order",
    )
    parser.add_argument(
        "--keep", action="store_true", help="do not flush the objects and sessions that the commands create"
    )
    parser.add_argument("--dry-run", action="store_true", help="explain the commands without sending them")
    parser.add_argument(
        "--format",
        choices=("text", "json", "jsonl"),
        default="text",
        help="output: text, a JSON list, or JSON Lines with one tree per line (default: text)",
    )
    parser.add_argument("--secrets", action="store_true", help="show passwords and other secret fields")
    add_color_option(parser)


def run(args: Settings) -> int:
    """Sends the commands in order; stops at the first error response."""
    if bool(args.words) == bool(args.json):
        raise UsageError(
            "no command; give a command and its fields, or --json FILE (`tpmwire spec` lists the commands)"
        )
    plans = plans_from_json(args.json) if args.json else plans_from_words(args.words)
    if (args.auth_file or args.auth_env or args.policy) and len(plans) > 1:
        raise UsageError(
            "--auth-file, --auth-env and --policy are for one command; for several, use --json, in which each "
            "command has its passwords and policy"
        )
    # Builds all commands once before the first is sent, to report errors; handles are not known yet.
    handles = [0x80000000] * len(plans)
    built = [_build(plan, handles[:n], args) for n, plan in enumerate(plans)]
    secrets = [_passwords(plan, args) for plan in plans]
    policies = [policy_from(args.policy or plan.policy, plan.kind) for plan in plans]
    if args.dry_run:
        if args.session != "none" or any(policies):
            raise UsageError(
                "--dry-run cannot show sessions, which need nonces from a TPM; remove one of the options"
            )
        with _writer(args) as writer:
            return _dry_run(built, secrets, writer)
    if args.session != "none" and not any(plan.kind.sessions for plan in plans):
        raise UsageError(f"TPM2_{plans[0].kind.code.name} does not allow sessions; remove --session")

    with _writer(args) as writer:
        _send_all(list(zip(plans, secrets, policies, strict=True)), args, writer)
    return 0


def _send_all(
    orders: "list[tuple[CommandPlan, list[bytes], Policy | None]]", args: Settings, writer: Writer
) -> None:
    """Sends commands with their passwords and policies in order, and explains commands and responses."""
    transport: Any = ExplainingTransport(connect(args.tpm_path, args.timeout), writer)
    tpm = Tpm(transport)
    authorizer = CommandAuthorizer(tpm, args.session)
    try:
        answers: list[int] = []
        for plan, passwords, policy in orders:
            command = _build(plan, answers, args)
            answers.append(_send(tpm, command, authorizer.of(plan.kind, passwords, policy), writer))
    finally:
        transport.end(
            ""
            if args.keep
            else "tpmwire: flushing the objects and sessions that the commands created (--keep prevents this)"
        )
        _close(tpm, authorizer, keep=args.keep)


def _close(tpm: "Tpm", authorizer: CommandAuthorizer, *, keep: bool) -> None:
    """Flushes all objects and sessions that the commands created, and closes the TPM. Ignores TPM errors.

    With `keep`, flushes only the sessions that the verb opened for authorization.
    """
    if not keep:
        tpm.close()
        return
    try:
        with contextlib.suppress(TpmwireError):
            authorizer.close()
    finally:
        tpm.transport.close()


class ExplainingTransport:
    """A transport that prints and explains each command and response."""

    def __init__(self, transport: "Transport", writer: Writer) -> None:
        self._transport = transport
        self._writer = writer
        self._ending = False
        self._last_words = ""

    def end(self, words: str) -> None:
        """Stops explaining commands. `words` is a line to print before the next command, if one follows, or ""."""
        self._ending, self._last_words = True, words

    def transceive(self, command: bytes) -> bytes:
        """Prints and sends a command; prints and returns the response."""
        if self._ending:
            if self._last_words:
                note(self._last_words)
                self._last_words = ""
            return self._transport.transceive(command)
        self._writer.add(explain_command(command))
        with activity("waiting for the TPM"):
            response = self._transport.transceive(command)
        self._writer.add(explain_response(response, command))
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _TextWriter(Writer):
    """A writer that prints each explanation (Node) as text, followed by an empty line."""

    def __init__(self, show: Callable[[Node], None]) -> None:
        super().__init__()
        self._show = show

    def write(self, tree: Node) -> None:
        """Prints an explanation and an empty line."""
        self._show(tree)
        print(flush=True)


def _writer(args: Settings) -> Writer:
    if args.format == "text":
        return _TextWriter(printer(args.color, secrets=args.secrets))
    return (JsonWriter if args.format == "json" else JsonLinesWriter)(secrets=args.secrets)


def _send(tpm: "Tpm", command: Any, authorizations: list[Any], writer: Writer) -> int:
    """Sends a command; returns the handle in its response, or 0.

    If a session encrypts parameters, also prints the command or response with the plaintext.
    """
    does = [use.attributes for use in authorizations if hasattr(use, "attributes")]
    if any(attributes & TPMA_SESSION.DECRYPT for attributes in does):
        _explain_plain(
            writer,
            explain_command(CommandMessage(command.code, command).build()),
            f"TPM2_{command.code.name} without its sessions, before its first parameter is encrypted",
        )
    answer: Any = tpm.execute(command, *authorizations)
    if any(attributes & TPMA_SESSION.ENCRYPT for attributes in does):
        clear = ResponseMessage(0, command.code, answer).build()
        _explain_plain(
            writer,
            explain_response(clear, command),
            "That response without its sessions, after its first parameter is decrypted",
        )
    return _handle_of(answer)


def _explain_plain(writer: Writer, tree: Node, comment: str) -> None:
    """Writes the explanation of a message before encryption or after decryption, with a comment."""
    if isinstance(writer, _TextWriter):
        print(f"# {comment}:")
    else:
        tree.type = f"{tree.type} without sessions"
    writer.add(tree)


def _handle_of(answer: Any) -> int:
    return next((getattr(answer, name) for name, annotation in answer.fields() if role_of(annotation)), 0)


def _build(plan: CommandPlan, answers: list[int], args: Settings) -> Any:
    try:
        command = command_from(plan.kind, plan.values, answers, public=not args.json)
        command.build()
        return command
    except EncodeError as error:
        raise UsageError(f"TPM2_{plan.kind.code.name}: {error}") from error


def _passwords(plan: CommandPlan, args: Settings) -> list[bytes]:
    secrets = [secret_file(path) for path in args.auth_file] + [_variable(name) for name in args.auth_env]
    secrets = secrets or [password_from(value) for value in plan.passwords]
    wanted = sum(role.authorized for _, role in plan.kind.handle_fields())
    if len(secrets) > wanted:
        raise UsageError(
            f"TPM2_{plan.kind.code.name} has {wanted} handles that need a password; got {len(secrets)} passwords"
        )
    return secrets


def _variable(name: str) -> bytes:
    if name not in os.environ:
        raise UsageError(f"the environment variable {name} of --auth-env is not set")
    return os.environb[name.encode()]


def _dry_run(commands: list[Any], passwords: list[Any], writer: Writer) -> int:
    for command, given in zip(commands, passwords, strict=True):
        wanted = sum(role.authorized for _, role in command.handle_fields())
        secrets = [*given, *([b""] * (wanted - len(given)))]
        auths = [TPMS_AUTH_COMMAND(hmac=secret) for secret in secrets]
        writer.add(explain_command(build_command(command.code, split(command), auths)))
    return 0
