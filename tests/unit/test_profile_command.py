"""A profile's command line taken apart and written anew for another key."""

import pytest

from cli.credentials.options import run_parser
from cli.keys.place import Place
from cli.lifecycle.profile_command import ProfileCommand
from cli.terminal.messages import UsageError

PROGRAM = "aws-tpm-process-credential"
OLD = ["--aws-access-key-id=AKIAOLD", "--persistentHandle=0x81010002", "--key-name=000b00"]
NEW = ["--aws-access-key-id=AKIANEW", "--persistentHandle=0x81010003", "--key-name=000b01"]


def _rewritten(*words: str) -> str:
    command = ProfileCommand(" ".join((PROGRAM, *words)))
    return command.rewrite("AKIANEW", Place(handle=0x81010003), bytes.fromhex("000b01"))


@pytest.mark.parametrize(
    "lone", [a.option_strings[-1] for a in run_parser()._actions if a.nargs in (0, "?") and a.dest != "help"]
)
def test_an_option_that_stands_alone_does_not_keep_the_old_key(lone: str) -> None:
    assert _rewritten(lone, *OLD) == " ".join((PROGRAM, *NEW, lone))
    assert _rewritten(f"-{lone.lstrip('-')}", *OLD).endswith(f" -{lone.lstrip('-')}")


def test_values_stay_with_their_options() -> None:
    words = ["--cache", "-aws-access-key-id", "AKIAOLD", "--timeout", "3s", "--persistentHandle", "0x81010002"]
    assert _rewritten(*words, "--cache-key", "boot") == " ".join(
        (PROGRAM, *NEW, "--cache --timeout 3s --cache-key boot")
    )


def test_a_program_that_runs_by_another_profile_is_told_which() -> None:
    with pytest.raises(UsageError, match="--profile tpm; give that profile"):
        ProfileCommand(f"{PROGRAM} --profile tpm")
