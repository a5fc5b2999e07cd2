"""Runs a program with temporary AWS credentials in its environment.

  tpmwire exec --profile work -- terraform plan
  tpmwire exec --aws-access-key-id=AKIA... --persistentHandle=0x81010020 \\
      -- env

Sets AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_CREDENTIAL_EXPIRATION, and removes
AWS_PROFILE, which would override them, and the key's passwords (TPM_KEY_AUTH, TPM_PARENT_AUTH). The credentials
are not renewed: for a program that runs longer than they are valid, use `tpmwire serve`. The exit code is the exit
code of the program or, as in a shell, 126 if it cannot be executed and 127 if it is not found.
"""

import argparse
import os
import shutil
import signal

from ..credentials.sts import obtain
from ..requests.options import UseSettings, add_use_options, resolve_run
from ..terminal.messages import note
from ..terminal.options import Program
from ..terminal.progress import activity

__all__ = ["Settings", "configure", "run"]

_GONE = (
    *("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "AWS_ACCOUNT_ID"),
    # The program's credentials expire, but with these passwords it could use the key forever.
    *("TPM_KEY_AUTH", "TPM_PARENT_AUTH"),
)


class Settings(UseSettings):
    """The verb's options."""

    command: list[str]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
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
    settings = resolve_run(args)
    with activity("getting temporary credentials"):
        credentials = obtain(settings)
    environment = {name: value for name, value in os.environ.items() if name not in _GONE}
    environment |= {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_CREDENTIAL_EXPIRATION": credentials.expiration,
    }
    if credentials.account_id:
        environment["AWS_ACCOUNT_ID"] = credentials.account_id
    if region := settings.aws_region:
        environment.setdefault("AWS_REGION", region)
        environment.setdefault("AWS_DEFAULT_REGION", region)
    _restore_signals()
    # Core files stay disabled (messages.guarded), since the program's memory also contains the credentials.
    try:
        os.execvpe(word, args.command, environment)  # noqa: S606
    except OSError as error:
        note(f"tpmwire exec: {word}: {error.strerror}")
        return 126


def _restore_signals() -> None:
    """Restores the default action of signals that Python ignores, since a program inherits ignored signals.

    Without SIGPIPE, for example, `yes` would never end.
    """
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
