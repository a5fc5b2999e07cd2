"""IAM operations on the access keys of the user who signs: what a change of keys needs, and no more.

Source: the IAM API reference, version 2010-05-08 (botocore data/iam/2010-05-08/service-2.json).
"""

from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode

from .client import StsClient
from .errors import ResponseError
from .parameters import Text
from .sts import Operation
from .xml import Document

if TYPE_CHECKING:
    from .http import HttpClient, Response
    from .request import Request

__all__ = [
    "AccessKey",
    "CreateAccessKey",
    "DeleteAccessKey",
    "IamClient",
    "ListAccessKeys",
    "NewAccessKey",
    "UpdateAccessKey",
]

VERSION = "2010-05-08"

Result = TypeVar("Result")


class NewAccessKey:
    """A key that IAM has just made, and its secret, which IAM shows this once. The repr hides it."""

    __slots__ = ("access_key_id", "secret_access_key")

    def __init__(self, access_key_id: str, secret_access_key: str) -> None:
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key

    def __repr__(self) -> str:
        return f"<NewAccessKey {self.access_key_id}, secret hidden>"


class AccessKey:
    """A key as IAM lists it. `status` is Active or Inactive, `created` RFC 3339 text."""

    __slots__ = ("access_key_id", "created", "status")

    def __init__(self, access_key_id: str, status: str, created: str) -> None:
        self.access_key_id = access_key_id
        self.status = status
        self.created = created

    def __repr__(self) -> str:
        return f"<AccessKey {self.access_key_id} {self.status}>"


class IamOperation(Operation[Result]):
    """One call of IAM; without a user's name it is about the user who signs."""

    def form(self) -> bytes:
        """The body of the POST."""
        pairs = [("Action", self.action), ("Version", VERSION)]
        for parameter in self.parameters:
            pairs += parameter.pairs()
        return urlencode(pairs).encode("ascii")


class CreateAccessKey(IamOperation[NewAccessKey]):
    """A further key of the user; AWS allows two. Not to be sent twice: each call makes a key."""

    def result(self, document: Document) -> NewAccessKey:
        """The key. Raises ResponseError."""
        path = "CreateAccessKeyResponse/CreateAccessKeyResult/AccessKey/"
        return NewAccessKey(document.one(path + "AccessKeyId"), document.one(path + "SecretAccessKey"))


class _AboutKey(IamOperation[None]):
    def __init__(self, access_key_id: str) -> None:
        self.parameters = (_key_id(access_key_id),)

    def result(self, document: Document) -> None:
        """Nothing; raises ResponseError where the answer is another operation's."""
        if document.root != f"{self.action}Response":
            raise ResponseError(f"the answer is no {self.action}Response; check the endpoint and any proxy")


class UpdateAccessKey(_AboutKey):
    """Makes a key usable or, the default, useless for now. Says the same when it is so already."""

    def __init__(self, access_key_id: str, *, active: bool = False) -> None:
        status = "Active" if active else "Inactive"
        self.parameters = (_key_id(access_key_id), Text("Status", status, 1, None, "Active|Inactive"))


class DeleteAccessKey(_AboutKey):
    """Removes a key for ever. AWS answers NoSuchEntity where it is gone already."""


class ListAccessKeys(IamOperation[None]):
    """The user's keys, two at most; `IamClient.list_access_keys` reads the answer."""

    def result(self, document: Document) -> None:
        """Nothing; raises ResponseError for an answer that goes on, or is another operation's."""
        truncated = document.first("ListAccessKeysResponse/ListAccessKeysResult/IsTruncated")
        if document.root != "ListAccessKeysResponse" or truncated == "true":
            raise ResponseError("the answer is no list of a user's keys; check the endpoint and any proxy")


class IamClient(StsClient):
    """IAM at an endpoint of `endpoints.service("iam", region)`; retries and clock as for STS."""

    def _signed(self, request: "Request") -> "Request":
        moment = self._signer.signing_time(self._clock() + self._offset)
        return self._signer.sign(request, self._endpoint.region, "iam", moment)

    def list_access_keys(self) -> list[AccessKey]:
        """The keys of the user who signs. Raises as `call` does."""
        plain = self._http
        tap = _Tap(plain)
        self._http = tap  # type: ignore[assignment]
        try:
            self.call(ListAccessKeys())
        finally:
            self._http = plain
        return _keys(tap.body)


class _Tap:
    """Keeps the last answer: a Document has one text a path, and a list has several."""

    def __init__(self, http: "HttpClient") -> None:
        self._http = http
        self.body = b""

    def send(self, request: "Request") -> "Response":
        response = self._http.send(request)
        self.body = response.body
        return response


def _keys(body: bytes) -> list[AccessKey]:
    """The members of an answer that xml.parse has found well-formed and within bounds."""
    from xml.parsers import expat

    keys: list[AccessKey] = []
    member: dict[str, str] = {}
    texts: list[str] = []

    def start(name: str, _attributes: dict[str, str]) -> None:
        texts.clear()
        if name.rpartition(" ")[2] == "member":
            member.clear()

    def end(name: str) -> None:
        local = name.rpartition(" ")[2]
        if local != "member":
            member[local] = "".join(texts).strip()
            return
        if not member.get("AccessKeyId") or member.get("Status") not in ("Active", "Inactive"):
            raise ResponseError("the answer lists a key without its id or status; check the endpoint")
        keys.append(AccessKey(member["AccessKeyId"], member["Status"], member.get("CreateDate", "")))

    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = texts.append
    parser.Parse(body, True)
    return keys


def _key_id(access_key_id: str) -> Text:
    return Text("AccessKeyId", access_key_id, 16, 128, r"[\w]+")
