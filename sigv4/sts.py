"""STS operations: their parameters with AWS's limits, and what their answers hold.

Source: the STS API reference, version 2011-06-15 (botocore data/sts/2011-06-15/service-2.json).
"""

import re
from typing import Generic, TypeVar
from urllib.parse import urlencode

from .errors import ResponseError
from .parameters import Integer, Text
from .times import is_rfc3339
from .xml import Document

__all__ = [
    "AssumeRole",
    "CallerIdentity",
    "Credentials",
    "GetCallerIdentity",
    "GetSessionToken",
    "Operation",
]

VERSION = "2011-06-15"

# What XML can carry, less the control characters.
_ANY = r"[\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+"

Result = TypeVar("Result")


class Credentials:
    """Temporary credentials. `expiration` is RFC 3339 text as STS wrote it. The repr shows no secret."""

    __slots__ = ("access_key_id", "expiration", "secret_access_key", "session_token")

    def __init__(self, access_key_id: str, secret_access_key: str, session_token: str, expiration: str) -> None:
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.session_token = session_token
        self.expiration = expiration

    def __repr__(self) -> str:
        return f"<Credentials {self.access_key_id} until {self.expiration}, secrets hidden>"


class CallerIdentity:
    """Who signed: `account`, `arn`, `user_id`."""

    __slots__ = ("account", "arn", "user_id")

    def __init__(self, account: str, arn: str, user_id: str) -> None:
        self.account = account
        self.arn = arn
        self.user_id = user_id

    def __repr__(self) -> str:
        return f"<CallerIdentity {self.arn}>"


class Operation(Generic[Result]):
    """One call of STS. A subclass gives `parameters` and reads the answer; its own name is the Action."""

    parameters: tuple[Text | Integer, ...] = ()

    @property
    def action(self) -> str:
        """The Action parameter."""
        return type(self).__name__

    def check(self) -> None:
        """Raises RequestError for the first parameter that AWS would refuse; nothing need be signed for that."""
        for parameter in self.parameters:
            parameter.check()

    def form(self) -> bytes:
        """The body of the POST."""
        pairs = [("Action", self.action), ("Version", VERSION)]
        for parameter in self.parameters:
            pairs += parameter.pairs()
        return urlencode(pairs).encode("ascii")

    def result(self, document: Document) -> Result:
        """The answer's value. Raises ResponseError where the document lacks a part of it."""
        raise NotImplementedError


class _CredentialsOperation(Operation[Credentials]):
    def result(self, document: Document) -> Credentials:
        path = f"{self.action}Response/{self.action}Result/Credentials/"
        key_id = _fit(document, path + "AccessKeyId", r"[A-Za-z0-9_]{16,128}")
        secret = _fit(document, path + "SecretAccessKey", r"[!-~]+")
        token = _fit(document, path + "SessionToken", r"[!-~]+")
        expiration = document.one(path + "Expiration")
        if not is_rfc3339(expiration):
            raise ResponseError("the answer's Expiration is no RFC 3339 time; check the endpoint")
        return Credentials(key_id, secret, token, expiration)


def _fit(document: Document, path: str, pattern: str) -> str:
    text = document.one(path)
    if not re.fullmatch(pattern, text):
        raise ResponseError(f"the answer's {path.rpartition('/')[2]} has unfit characters; check the endpoint")
    return text


def _mfa(serial_number: str | None, token_code: str | None) -> tuple[Text, Text]:
    return (
        Text("SerialNumber", serial_number, 9, 256, r"[\w+=/:,.@-]*"),
        Text("TokenCode", token_code, 6, 6, r"[\d]*", secret=True),
    )


class GetSessionToken(_CredentialsOperation):
    """Temporary credentials of the signing user itself; only a long-term key may sign it."""

    def __init__(
        self,
        duration_seconds: int | None = None,
        *,
        serial_number: str | None = None,
        token_code: str | None = None,
    ) -> None:
        self.parameters = (
            Integer("DurationSeconds", duration_seconds, 900, 129600, "seconds"),
            *_mfa(serial_number, token_code),
        )


class AssumeRole(_CredentialsOperation):
    """Temporary credentials of a role."""

    def __init__(
        self,
        role_arn: str,
        role_session_name: str,
        duration_seconds: int | None = None,
        *,
        external_id: str | None = None,
        policy: str | None = None,
        serial_number: str | None = None,
        source_identity: str | None = None,
        token_code: str | None = None,
    ) -> None:
        self.parameters = (
            Text("RoleArn", role_arn, 20, 2048, _ANY),
            Text("RoleSessionName", role_session_name, 2, 64, r"[\w+=,.@-]*"),
            Integer("DurationSeconds", duration_seconds, 900, 43200, "seconds"),
            Text("ExternalId", external_id, 2, 1224, r"[\w+=,.@:\/-]*"),
            Text("Policy", policy, 1, None, _ANY),
            Text("SourceIdentity", source_identity, 2, 64, r"[\w+=,.@-]*"),
            *_mfa(serial_number, token_code),
        )


class GetCallerIdentity(Operation[CallerIdentity]):
    """Who signs; needs no permission, and so proves a key."""

    def result(self, document: Document) -> CallerIdentity:
        path = "GetCallerIdentityResponse/GetCallerIdentityResult/"
        return CallerIdentity(*(document.one(path + name) for name in ("Account", "Arn", "UserId")))
