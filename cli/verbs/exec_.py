"""Runs a program with temporary AWS credentials in its environment.

  tpmwire exec --profile work -- terraform plan
  tpmwire exec --aws-access-key-id=AKIA... --persistentHandle=0x81010020 \\
      -- env
  tpmwire exec --serve --profile work -- ./backup-that-runs-for-days

Sets AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_CREDENTIAL_EXPIRATION, and removes
AWS_PROFILE, which would override them, and the key's passwords (TPM_KEY_AUTH, TPM_PARENT_AUTH). The credentials
are not renewed. The exit code is the exit code of the program or, as in a shell, 126 if it cannot be executed and
127 if it is not found.

With --serve, the program's AWS SDK gets the credentials from a server on 127.0.0.1, as in an ECS container, and
they are renewed until the program ends: AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_AUTHORIZATION_TOKEN
are set instead. SDKs prefer credentials of the profile "default": a config or credentials file in which it has
some is therefore hidden from the program.

AWS_REGION and AWS_DEFAULT_REGION are set to the profile's region, unless the environment has a region.
"""

import argparse
import os
import shutil
import signal

from sigv4.config import (
    config_file,
    configured_region,
    credentials_file,
    parse_config,
    parse_section,
    read_config_file,
)
from sigv4.errors import RequestError

from ..credentials.settings import RunSettings
from ..credentials.sts import obtain
from ..requests.options import UseSettings, add_use_options, lasting_settings, resolve_run
from ..terminal.messages import note
from ..terminal.options import Program
from ..terminal.progress import activity

__all__ = ["Settings", "configure", "run"]

_GONE = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "AWS_ACCOUNT_ID"),
    # The program's credentials expire, but with these passwords it could use the key forever.
    *("TPM_KEY_AUTH", "TPM_PARENT_AUTH"),
)
# SDKs prefer these to the server's credentials.
_EARLIER = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"),
    *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
)
_SOURCES = {
    *("aws_access_key_id", "credential_process", "role_arn", "web_identity_token_file"),
    *("sso_session", "sso_start_url", "login_session"),
}


class Settings(UseSettings):
    """The verb's options."""

    serve: bool
    command: list[str]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument(
        "--serve",
        action="store_true",
        help="serve the credentials on 127.0.0.1 while the program runs, and renew them",
    )
    add_use_options(parser, without=("--format",))
    parser.add_argument(
        "command", nargs="+", action=Program, metavar="CMD", help="the program and its arguments, after --"
    )


def run(args: Settings) -> int:
    """Replaces this process with the given program, which gets temporary credentials in its environment.

    Raises the errors of `obtain`.
    """
    word = args.command[0]
    # Checked before the TPM and AWS are used, which would be in vain.
    if shutil.which(word) is None:
        found = os.path.exists(word) and os.sep in word
        note(f"tpmwire exec: {word}: {'not executable' if found else 'program not found'}")
        return 126 if found else 127
    settings = lasting_settings(args) if args.serve else resolve_run(args)
    environment = {name: value for name, value in os.environ.items() if name not in _GONE}
    if region := _region(settings):
        environment.setdefault("AWS_REGION", region)
        environment.setdefault("AWS_DEFAULT_REGION", region)
    if args.serve:
        return _run_served(args, environment)
    with activity("getting temporary credentials"):
        credentials = obtain(settings)
    environment |= {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_CREDENTIAL_EXPIRATION": credentials.expiration,
    }
    if credentials.account_id:
        environment["AWS_ACCOUNT_ID"] = credentials.account_id
    _restore_signals()
    # Core files stay disabled (messages.guarded), since the program's memory also contains the credentials.
    try:
        os.execvpe(word, args.command, environment)  # noqa: S606
    except OSError as error:
        note(f"tpmwire exec: cannot run {word}: {error.strerror}")
        return 126


def _region(settings: RunSettings) -> str | None:
    """Returns the program's region: the environment's, the profile's, or the region of the STS endpoint."""
    return configured_region(os.environ) or settings.profile_region or settings.aws_region


def _run_served(args: Settings, environment: dict[str, str]) -> int:
    """Runs the program with a credential server until the program ends; returns the program's exit code.

    If a signal ended the program, the same signal ends this process. Raises the errors of `run_with_server`.
    """
    from ..serving.program import run_with_server  # noqa: PLC0415 - with threads and sockets, for --serve only
    from ..serving.store import Store  # noqa: PLC0415 - likewise

    for name in _EARLIER:
        environment.pop(name, None)
    for name, path in (
        ("AWS_CONFIG_FILE", config_file(os.environ)),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials_file(os.environ)),
    ):
        if _has_default_credentials(path):
            environment[name] = os.devnull
    store = Store(lambda: obtain(lasting_settings(args)))
    try:
        code = run_with_server(args.command, environment, store)
    except OSError as error:
        if error.filename != args.command[0]:
            raise
        note(f"tpmwire exec: cannot run {error.filename}: {error.strerror}")
        return 126
    if code >= 0:
        return code
    # A shell ends a script only if Ctrl-C ended this process too.
    if -code not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return 128 - code  # if the signal is blocked or ignored


def _has_default_credentials(path: str) -> bool:
    """Returns whether the file at `path` contains credentials, or a source of them, for the profile "default"."""
    try:
        sections = parse_config(read_config_file(path).decode("utf-8", "replace"))
    except RequestError:  # the program's SDK cannot read the file either
        return False
    return any(
        parse_section(name) == ("profile", "default") and not _SOURCES.isdisjoint(sections[name])
        for name in sections.sections()
    )


def _restore_signals() -> None:
    """Restores the default action of signals that Python ignores, since a program inherits ignored signals.

    Without SIGPIPE, for example, `yes` would never end.
    """
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
