"""Refuses a commit message whose subject is too long, or is not followed by an empty line.

python3 tools/commit_subject.py FILE    FILE has the message, as git gives it to the hook commit-msg
"""

import sys
from pathlib import Path

LONGEST = 72
"""Characters of a subject that `git log --oneline` shows whole in a terminal of 80 columns."""

COMBINED = ("fixup! ", "squash! ", "amend! ")
"""Marks of commits whose subject `git rebase --autosquash` drops."""


def problem(message: str) -> str | None:
    """Returns what is wrong with a commit message, or None."""
    subject, *rest = [line for line in message.splitlines() if not line.startswith("#")] or [""]
    if not subject.strip():
        return "the commit message has no subject; write one in the imperative"
    if subject.startswith(COMBINED):
        return None
    if len(subject) > LONGEST:
        return f"the subject has {len(subject)} characters, more than {LONGEST}; put the reason in the body"
    if rest and rest[0].strip():
        return "the second line of the commit message is not empty; put an empty line below the subject"
    return None


def main() -> int:
    """Checks the commit message in the file that the first argument names; returns the exit code."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = problem(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if found is not None:
        print(found, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
