"""Findings of checks, with the next step."""

from typing import NamedTuple

__all__ = ["Finding", "NoTpmError"]


class Finding(NamedTuple):
    """A result of a check. `status` is ok, warning or error; `step` is the next step, "" for ok."""

    status: str
    text: str
    step: str = ""

    @classmethod
    def ok(cls, text: str) -> "Finding":
        """Returns a finding about something that works."""
        return cls("ok", text)

    @classmethod
    def warning(cls, text: str, step: str) -> "Finding":
        """Returns a finding about something that works badly, or that may fail later."""
        return cls("warning", text, step)

    @classmethod
    def error(cls, text: str, step: str) -> "Finding":
        """Returns a finding about something that does not work."""
        return cls("error", text, step)

    @classmethod
    def failure(cls, message: str, step: str) -> "Finding":
        """Returns an error finding from a message `what: why; what to do next`.

        `step` is the next step if the message has none.
        """
        text, _, own = message.partition("; ")
        return cls("error", text, own or step)


class NoTpmError(Exception):
    """Raised by a check whose TPM cannot be used; an earlier finding states the reason."""
