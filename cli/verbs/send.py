"""Sends any TPM 2.0 command, by the standard's names, and explains the command and its response.

  tpmwire send GetRandom 8
  tpmwire GetRandom 8
  tpmwire send PCR_Read sha256:7,23
  tpmwire send CreatePrimary + Create ecc:ecdsa-sha256 + Load + Sign text:hello
  tpmwire send CreatePrimary ecc --save p + Create '$p' data=@secret.bin \\
      outPublic=@seal.pub outPrivate=@seal.priv
  tpmwire send NV_DefineSpace 1 'OWNERREAD|OWNERWRITE|COUNTER'
  tpmwire send -f lesson.tpm
  tpmwire send --json commands.json

`send` can be omitted before a command with a capital letter. A command has the fields of the standard (`tpmwire
spec TPM2_NAME`), as FIELD=VALUE, with dots for fields of structures. A value without a name is assigned to the
first field that accepts it. Missing fields have the defaults of tpm2-tools; a missing handle defaults to the most
recent object of a suitable type. + separates commands, which share one connection.

Values: a number can be the name of a constant; join attributes with |. A handle can be owner, endorsement,
platform, lockout, null, a context file of tpm2-tools (@key.ctx) or a Name. Bytes are hex, text:WORDS or @FILE. A
public area can be a template's name, as in tpm2-tools (ecc, rsa2048:rsassa-sha256, aes128cfb, hmac), or ek-ecc,
ek-rsa, ek-h1 to ek-h7, srk-ecc, srk-rsa; a structure can also be JSON or bytes.

Results: $N is the result of the Nth command, $NAME that of the command with --save NAME (or NAME=COMMAND):
$1.outPrivate, $key.handle, $key.outPublic.unique.x. Without a field, it stands for the handle, or for the value
with the field's type. Later runs can also use results of --save on the command line. Their objects and sessions
are saved in $XDG_STATE_HOME/tpmwire/results (default: ~/.local/state/tpmwire/results), encrypted by the TPM, and
can be loaded until its next reset. Secret values are not saved. `--forget NAME` removes a result:

  tpmwire send --save key CreatePrimary ecc:ecdsa
  tpmwire send Sign '$key' text:hello

outPublic=@FILE writes a value of the response, in the format of tpm2-tools; context=@FILE
writes the object's saved context.

Options for authorization follow their command: --auth-file FILE is the password of its first handle. --policy
STEP satisfies the policy of the handle that needs one: pcr:sha256:7, auth-value, password, secret:endorsement,
or any policy command with its fields ('PolicyNV 1 00 operation=EQ'). keyHandle.auth=@FILE, keyHandle.policy=STEP
and keyHandle.session='$s' name the handle. The policy of a standard endorsement key is satisfied
automatically. --session opens a session for all commands; session='$s,audit' uses your own session
(StartAuthSession):

  tpmwire send --session salted GetRandom 8
  tpmwire send HMAC 0x81010021 text:20261124 --policy pcr:sha256:23
  tpmwire send --save s StartAuthSession HMAC + GetRandom 8 session='$s,audit'

The output includes the commands that open the sessions, and encrypted parameters in plaintext.

A script (-f) has commands in lines, with the same syntax; # begins a comment. --json reads an object, or a list
of objects: {"command": "GetRandom", "bytesRequested": 8}, with "passwords": ["text:..."] for its handles, in
order, "policy": ["pcr:sha256:7"] and "save": "NAME". At the end, transient objects and sessions that the commands
created are flushed, unless --keep is given. `tpmwire shell` is interactive.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from tpmwire.spec.structures import TPMS_AUTH_COMMAND
from tpmwire.tpm import Tpm
from tpmwire.wire import build_command, split

from ..inspect.command_plans import plans_from_json
from ..inspect.script import Script
from ..inspect.send_output import SendListener, SendWriter, WaitingTransport, send_writer
from ..inspect.shell.authorize import SESSIONS
from ..inspect.shell.lines import parse_plan, split_commands
from ..inspect.shell.positions import Plan, check_result_name
from ..inspect.shell.rehearsal import NoResults, rehearse
from ..inspect.shell.saved import SavedResults
from ..inspect.shell.sources import DiskFiles, parse_password
from ..inspect.shell.steps import STEPS
from ..inspect.shell.values import UNKNOWN
from ..terminal.colors import ColorSettings, add_color_option
from ..terminal.messages import UsageError, note
from ..terminal.options import TpmSettings, add_tpm_options
from ..tpm.path import connect

__all__ = ["Settings", "arrange", "configure", "run"]


class Settings(ColorSettings, TpmSettings):
    """The verb's options."""

    words: list[str]
    json: str | None
    file: str | None
    auth_file: list[str]
    auth_env: list[str]
    session: str
    policy: list[str]
    save: str | None
    forget: list[str]
    keep: bool
    dry_run: bool
    format: str
    secrets: bool
    show_salt: bool


_OF_COMMANDS = ("--save", "--auth-file", "--auth-env", "--policy")
_FLAGS = ("--keep", "--dry-run", "--secrets", "--show-salt", "-h", "--help")


def arrange(words: Sequence[str]) -> list[str]:
    """Returns the verb's arguments with the options of one command attached to that command.

    `A --save x + B --policy pcr:7` becomes `A save=x + B policy=pcr:7`, because argparse drops the order. Options
    before the first command belong to it.
    """
    given = list(words)
    if "+" not in given:
        return given
    found: list[str] = []
    first: list[str] | None = []  # options before the first command
    rest = iter(given)
    for word in rest:
        name, equals, value = word.partition("=")
        if name in _OF_COMMANDS:
            option = f"{name}={value if equals else next(rest, '')}".replace("--", "\0", 1)
            (found if first is None else first).append(option)
            continue
        found.append(word)
        if not word.startswith("-"):
            found += first or []
            first = None
        elif not equals and name not in _FLAGS:
            found += [value for value in [next(rest, None)] if value is not None]
    return found


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    add_tpm_options(parser, patience="60s")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="NAME FIELD=VALUE",
        help="command and its fields (FIELD=VALUE, or VALUE); + separates commands",
    )
    parser.add_argument("-f", "--file", metavar="FILE", help="script with commands in lines; - is standard input")
    parser.add_argument("--json", metavar="FILE", help="file with the commands as JSON; - is standard input")
    parser.add_argument(
        "--save",
        metavar="NAME",
        help="name of the command's result, for $NAME, also in later runs of `tpmwire send`",
    )
    parser.add_argument(
        "--forget",
        action="append",
        default=[],
        metavar="NAME",
        help="remove a result that --save saved; repeatable; its session stays in the TPM until `tpmwire flush`",
    )
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
        help=f"policy step for the handle that needs a policy, such as {STEPS}, or a policy command; "
        "repeatable, executed in the given order",
    )
    parser.add_argument(
        "--keep", action="store_true", help="do not flush the objects and sessions that the commands create"
    )
    parser.add_argument("--dry-run", action="store_true", help="explain the commands without sending them")
    parser.add_argument(
        "--format",
        choices=("text", "json", "jsonl", "values", "values-json"),
        default="text",
        help="output format: text, json for a list, or jsonl for one tree per line; values or values-json for "
        "only the values of the responses, as text or as a JSON list (default: text)",
    )
    parser.add_argument("--secrets", action="store_true", help="show passwords and other secret fields")
    parser.add_argument(
        "--show-salt", action="store_true", help="print the salts of sessions, for `tpmwire decode --salt`"
    )
    add_color_option(parser)


def run(args: Settings) -> int:
    """Sends the commands in order; stops at the first error response."""
    saved = SavedResults()
    _forget(saved, args.forget)
    given = [bool(args.words), bool(args.json), bool(args.file)].count(True)
    if given > 1:
        raise UsageError("a command, --json FILE and -f FILE cannot be combined; give one of them")
    if not given and args.forget:
        return 0
    if not given:
        raise UsageError(
            "no command; give a command and its fields, --json FILE or -f FILE (`tpmwire spec` lists the commands)"
        )
    files = DiskFiles()
    if args.file:
        if args.auth_file or args.auth_env or args.policy or args.save or args.dry_run:
            raise UsageError(
                "-f cannot be combined with options of a command; write auth, policy and save into the script"
            )
        return _run_file(args, files.read(args.file))
    plans = plans_from_json(files, args.json) if args.json else _plans_from_words(args)
    if (args.auth_file or args.auth_env or args.policy or args.save) and len(plans) > 1:
        raise UsageError(
            "--auth-file, --auth-env, --policy and --save are for one command; write them into the JSON"
        )
    if len(plans) == 1:
        plans = [_with_options(plans[0], args)]
    # All commands are built once before the first is sent, to report errors; results are not known yet.
    built = rehearse(plans, NoResults(files, public=not args.json, saved=saved))
    if args.dry_run:
        with send_writer(args) as writer:
            return _dry_run(args, list(zip(plans, built, strict=True)), writer)
    if args.session != "none" and not any(plan.kind.sessions for plan in plans):
        raise UsageError(f"{plans[0].label} does not allow sessions; remove --session")
    with send_writer(args) as writer:
        _send_all(plans, args, writer)
    return 0


def _forget(saved: SavedResults, names: Sequence[str]) -> None:
    """Removes saved results. Raises UsageError for an unknown name."""
    for name in names:
        if not saved.forget(name.removeprefix("$")):
            known = ", ".join(saved.names())
            raise UsageError(
                f"--forget {name}: no such saved result; {f'saved: {known}' if known else 'none is saved'}"
            )


def _plans_from_words(args: Settings) -> list[Plan]:
    return [
        parse_plan([word.replace("\0", "--", 1) if word.startswith("\0") else word for word in words])
        for words in split_commands(args.words)
    ]


def _with_options(plan: Plan, args: Settings) -> Plan:
    """Returns the plan of the only command with the options of the command line.

    Raises UsageError if --save is not a valid name.
    """
    handles = {name: dict(options) for name, options in plan.handles.items()}
    auths = [f"@{path}" for path in args.auth_file] + [f"env:{name}" for name in args.auth_env]
    for name, given in (("auth", auths), ("policy", args.policy)):
        if given:
            handles.setdefault("", {})[name] = [*given]
    if args.save is None:
        return plan._replace(handles=handles)
    check_result_name(args.save)
    return plan._replace(handles=handles, save=args.save, lasting=True)


def _send_all(plans: Sequence[Plan], args: Settings, writer: SendWriter) -> None:
    """Sends commands in order, and explains commands and responses."""
    with _open(args, writer, public=not args.json) as script:
        for plan in plans:
            outcome = script.send(plan)
            writer.add_outcome(outcome, len(script.values.outcomes), plan.save)
            if plan.lasting and (words := script.save_result(plan.save, outcome)):
                note(f"tpmwire: note: {words}")


def _run_file(args: Settings, data: bytes) -> int:
    """Runs the lines of a script; stops at the first error. Raises UsageError with the line's number."""
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"{args.file} is not text in UTF-8; expected a script with commands in lines") from None
    with send_writer(args) as writer, _open(args, writer, public=False) as script:
        for number, line in enumerate(lines, 1):
            try:
                plans = script.plans(line)
                if plans is None:
                    writer.add_text(script.run(line).text)
                if plans:
                    script.start_line()
                for plan in plans or []:
                    outcome = script.send(plan)
                    writer.add_outcome(outcome, len(script.values.outcomes), plan.save)
            except UsageError as error:
                raise UsageError(f"{args.file}, line {number}: {error}") from error
    return 0


class _open:
    """Opens the TPM, and a script on it; flushes what the commands created, and closes the TPM."""

    def __init__(self, args: Settings, writer: SendWriter, *, public: bool) -> None:
        self._args = args
        transport: Any = WaitingTransport(connect(args.tpm_path, args.timeout))
        self._listener = SendListener(writer, show_salt=args.show_salt or args.secrets)
        self._tpm = Tpm(transport)
        self.script = Script(
            self._tpm,
            public=public,
            session=args.session,
            secrets=args.secrets,
            keep=args.keep,
            listener=self._listener,
            saved=SavedResults(),
        )

    def __enter__(self) -> Script:
        return self.script

    def __exit__(self, *_error: object) -> None:
        kept = self._args.keep
        text = "flushing the objects and sessions that the commands created (--keep prevents this)"
        self._listener.end("" if kept else f"tpmwire: {text}")
        try:
            self.script.close()
        finally:
            self._tpm.transport.close() if kept else self._tpm.close()


def _dry_run(args: Settings, commands: list[tuple[Plan, Any]], writer: SendWriter) -> int:
    if args.session != "none" or any("policy" in one for plan, _ in commands for one in plan.handles.values()):
        raise UsageError("--dry-run cannot show sessions, which need nonces from a TPM; remove one of the options")
    for plan, command in commands:
        unknown = [name for name, value in vars(command).items() if value is UNKNOWN]
        if unknown:
            raise UsageError(
                f"--dry-run cannot show {plan.label}: it uses a value from the response to an earlier command; "
                "remove --dry-run"
            )
        given = plan.handles.get("", {}).get("auth", [])
        secrets = [parse_password(DiskFiles(), str(word), public=not args.json) for word in given]
        wanted = sum(role.authorized for _, role in command.handle_fields())
        auths = [TPMS_AUTH_COMMAND(hmac=secret) for secret in [*secrets, *([b""] * (wanted - len(secrets)))]]
        writer.add_command(build_command(command.code, split(command), auths))
    return 0
