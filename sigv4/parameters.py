"""Parameters of the AWS query protocol: a value with the limits that AWS sets to it."""

import re
from collections.abc import Iterable, Sequence

from .errors import RequestError

__all__ = ["Integer", "Parameter", "Several", "Text", "check_session"]

_MOST_OF_POLICIES = 2048  # characters of a session's policies, inline and managed


class Text:
    """A string parameter: its name, value (None: not sent), least and most characters, allowed characters.

    A `secret` value is not shown in errors.
    """

    __slots__ = ("_secret", "_value", "least", "most", "name", "pattern")

    def __init__(
        self,
        name: str,
        value: str | None,
        least: int,
        most: int | None,
        pattern: str,
        *,
        secret: bool = False,
    ) -> None:
        self.name = name
        self.least = least
        self.most = most
        self._value = value
        self.pattern = pattern
        self._secret = secret

    def pairs(self) -> list[tuple[str, str]]:
        """The form fields of this parameter."""
        return [] if self._value is None else [(self.name, self._value)]

    def check(self) -> None:
        """Raises RequestError where AWS would refuse the value."""
        if self._value is None:
            return
        size = len(self._value)
        if size < self.least or (self.most is not None and size > self.most):
            if self.most is None:
                allowed = f"at least {self.least}"
            elif self.least == self.most:
                allowed = f"exactly {self.least}"
            else:
                allowed = f"{self.least} to {self.most}"
            raise RequestError(f"{self.name} has {size} characters; AWS wants {allowed}")
        if not re.fullmatch(self.pattern, self._value, re.ASCII | re.DOTALL):
            shown = "" if self._secret else f" {self._value!r}"
            raise RequestError(
                f"{self.name}{shown} has characters that AWS does not allow; it wants {self.pattern}"
            )


class Integer:
    """A whole-number parameter: its name, value (None: not sent), least and greatest value, unit."""

    __slots__ = ("_unit", "_value", "least", "most", "name")

    def __init__(self, name: str, value: int | None, least: int, most: int, unit: str) -> None:
        self.name = name
        self.least = least
        self.most = most
        self._value = value
        self._unit = unit

    def pairs(self) -> list[tuple[str, str]]:
        """The form fields of this parameter."""
        return [] if self._value is None else [(self.name, str(self._value))]

    def check(self) -> None:
        """Raises RequestError where AWS would refuse the value."""
        if self._value is not None and not self.least <= self._value <= self.most:
            allowed = f"{self.least} to {self.most} {self._unit}"
            raise RequestError(f"{self.name} is {self._value} {self._unit}; AWS allows {allowed}")


class Several:
    """A list parameter: its name, its members' fields in order, least and most members.

    `members` holds the fields of each member, already named as the form wants them (Tags.member.1.Key);
    None: not sent. An empty list is not sent either, and is refused where `least` is above 0.
    """

    __slots__ = ("_members", "least", "most", "name")

    def __init__(self, name: str, members: Sequence[Sequence[Text]] | None, least: int, most: int | None) -> None:
        self.name = name
        self.least = least
        self.most = most
        self._members = members

    @property
    def fields(self) -> list[Text]:
        """The fields of all members, in order."""
        return [field for member in self._members or () for field in member]

    def pairs(self) -> list[tuple[str, str]]:
        """The form fields of this parameter."""
        return [pair for field in self.fields for pair in field.pairs()]

    def check(self) -> None:
        """Raises RequestError where AWS would refuse the number of members or a field of one."""
        if self._members is None:
            return
        count = len(self._members)
        if count < self.least or (self.most is not None and count > self.most):
            raise RequestError(f"{self.name} has {count} entries; AWS wants {self.least} to {self.most}")
        for field in self.fields:
            field.check()


Parameter = Text | Integer | Several


def check_session(parameters: Iterable[Parameter]) -> None:
    """Raises RequestError where AWS would refuse a session's policies or tags as a whole.

    Source: the text of the API reference for AssumeRole; its model does not have these limits.
    """
    values = dict(pair for parameter in parameters for pair in parameter.pairs())
    size = sum(len(value) for name, value in values.items() if re.match(r"Policy(Arns\.|$)", name))
    if size > _MOST_OF_POLICIES:
        raise RequestError(
            f"Policy and PolicyArns have {size} characters; AWS allows {_MOST_OF_POLICIES} together"
        )
    seen: dict[str, str] = {}
    for key in (value for name, value in values.items() if re.fullmatch(r"Tags\.member\.\d+\.Key", name)):
        if key.lower().startswith("aws:"):
            raise RequestError(f"the tag {key!r} begins with aws:, which AWS keeps for itself: name it otherwise")
        if (other := seen.setdefault(key.lower(), key)) is not key:
            raise RequestError(
                f"the tags {other!r} and {key!r} are one to AWS, which ignores their case: give one"
            )
