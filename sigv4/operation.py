"""Operations of AWS APIs: parameters with AWS's limits, the request, and the result in the response."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

from .errors import RequestError
from .request import Request
from .xml import Document, parse_xml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generic, TypeVar

    Result = TypeVar("Result")
else:  # typing takes 4 ms to import
    Result = "Result"

    class Generic:
        def __class_getitem__(cls, _):
            return cls


__all__ = [
    "IntegerParameter",
    "ListParameter",
    "Operation",
    "Parameter",
    "Result",
    "TextParameter",
    "check_session",
]

_MAX_POLICIES = 2048  # characters of a session's inline and managed policies together
_FORM = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")


class TextParameter:
    """A string parameter with limits on its length and a pattern for its value. The value None is not sent.

    Errors do not show the value if the parameter is `secret`.
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
        """Returns the form fields of this parameter."""
        return [] if self._value is None else [(self.name, self._value)]

    def check(self) -> None:
        """Raises RequestError if AWS would reject the value."""
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
            raise RequestError(f"{self.name} has {size} characters; AWS requires {allowed}")
        if not re.fullmatch(self.pattern, self._value, re.ASCII | re.DOTALL):
            shown = "" if self._secret else f" {self._value!r}"
            raise RequestError(
                f"{self.name}{shown} has characters that AWS does not allow; it must match {self.pattern}"
            )


class IntegerParameter:
    """An integer parameter with its minimum, maximum and unit. The value None is not sent."""

    __slots__ = ("_unit", "_value", "least", "most", "name")

    def __init__(self, name: str, value: int | None, least: int, most: int, unit: str) -> None:
        self.name = name
        self.least = least
        self.most = most
        self._value = value
        self._unit = unit

    def pairs(self) -> list[tuple[str, str]]:
        """Returns the form fields of this parameter."""
        return [] if self._value is None else [(self.name, str(self._value))]

    def check(self) -> None:
        """Raises RequestError if AWS would reject the value."""
        if self._value is not None and not self.least <= self._value <= self.most:
            allowed = f"{self.least} to {self.most} {self._unit}"
            raise RequestError(f"{self.name} is {self._value} {self._unit}; AWS allows {allowed}")


class ListParameter:
    """A list parameter with the form fields of each member, and limits on the number of members.

    The fields of `members` already have their names in the form, such as Tags.member.1.Key. None and an empty list
    are not sent. An empty list is an error if `least` is above 0.
    """

    __slots__ = ("_members", "least", "most", "name")

    def __init__(
        self, name: str, members: Sequence[Sequence[TextParameter]] | None, least: int, most: int | None
    ) -> None:
        self.name = name
        self.least = least
        self.most = most
        self._members = members

    @property
    def fields(self) -> list[TextParameter]:
        """The form fields of all members, in order."""
        return [field for member in self._members or () for field in member]

    def pairs(self) -> list[tuple[str, str]]:
        """Returns the form fields of this parameter."""
        return [pair for field in self.fields for pair in field.pairs()]

    def check(self) -> None:
        """Raises RequestError if AWS would reject the number of members, or a field of any member."""
        if self._members is None:
            return
        count = len(self._members)
        if count < self.least or (self.most is not None and count > self.most):
            raise RequestError(f"{self.name} has {count} entries; AWS requires {self.least} to {self.most}")
        for field in self.fields:
            field.check()


Parameter = TextParameter | IntegerParameter | ListParameter


class Operation(Generic[Result]):
    """A call of an AWS API that uses the query protocol.

    The name of a subclass is the Action parameter. A subclass sets `version` (of the API) and `parameters`, and
    defines `result`, which reads the response. `regional` is True if STS's global endpoint does not support the
    operation. `single_use` is True if a parameter is a code that AWS accepts once.
    """

    version = ""
    parameters: tuple[Parameter, ...] = ()
    regional = False
    single_use = False

    @property
    def action(self) -> str:
        """The value of the Action parameter."""
        return type(self).__name__

    def check(self) -> None:
        """Raises RequestError for the first parameter that AWS would reject."""
        for parameter in self.parameters:
            parameter.check()

    def form(self) -> bytes:
        """Returns the body of the POST request."""
        pairs = [("Action", self.action), ("Version", self.version)]
        for parameter in self.parameters:
            pairs += parameter.pairs()
        return urlencode(pairs).encode("ascii")

    def request(self, url: str) -> Request:
        """Returns the unsigned request to the endpoint at `url`."""
        return Request("POST", url, (_FORM,), self.form())

    def read(self, body: bytes) -> Result:
        """Returns the operation's result from a response body. Raises ResponseError for an unusable body."""
        return self.result(parse_xml(body))

    def result(self, document: Document) -> Result:
        """Returns the operation's result from a parsed response. Raises ResponseError if a value is missing."""
        raise NotImplementedError


def check_session(parameters: Iterable[Parameter]) -> None:
    """Raises RequestError if the policies or tags of a session together violate AWS's rules.

    Source: the text of the API reference for AssumeRole. The API's model does not contain these rules.
    """
    values = dict(pair for parameter in parameters for pair in parameter.pairs())
    size = sum(len(value) for name, value in values.items() if name == "Policy" or name.startswith("PolicyArns."))
    if size > _MAX_POLICIES:
        raise RequestError(f"Policy and PolicyArns have {size} characters; AWS allows {_MAX_POLICIES} together")
    seen: dict[str, str] = {}
    for key in (value for name, value in values.items() if re.fullmatch(r"Tags\.member\.\d+\.Key", name)):
        if key.lower().startswith("aws:"):
            raise RequestError(f"tag {key!r} begins with aws:, a prefix that AWS reserves; choose another name")
        if (other := seen.setdefault(key.lower(), key)) is not key:
            raise RequestError(
                f"tags {other!r} and {key!r} differ only in case, which AWS ignores; give only one of them"
            )
