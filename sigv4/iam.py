"""IAM operations on the signing user's access keys, as needed for a key rotation.

Source: the IAM API reference, version 2010-05-08 (botocore data/iam/2010-05-08/service-2.json).
"""

from typing import TypeVar
from xml.parsers import expat

from .errors import ResponseError
from .operation import Operation, TextParameter
from .xml import Document, parse_xml

__all__ = [
    "AccessKey",
    "CreateAccessKey",
    "DeleteAccessKey",
    "ListAccessKeys",
    "NewAccessKey",
    "UpdateAccessKey",
]

Result = TypeVar("Result")


class NewAccessKey:
    """A new access key with its secret, which IAM returns only once. The repr hides the secret."""

    __slots__ = ("access_key_id", "secret_access_key")

    def __init__(self, access_key_id: str, secret_access_key: str) -> None:
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key

    def __repr__(self) -> str:
        return f"<NewAccessKey {self.access_key_id}, secret hidden>"


class AccessKey:
    """An access key without its secret. `status` is Active or Inactive, `created` is RFC 3339 text."""

    __slots__ = ("access_key_id", "created", "status")

    def __init__(self, access_key_id: str, status: str, created: str) -> None:
        self.access_key_id = access_key_id
        self.status = status
        self.created = created

    def __repr__(self) -> str:
        return f"<AccessKey {self.access_key_id} {self.status}>"


class IamOperation(Operation[Result]):
    """An IAM operation on the user whose key signs the request."""

    version = "2010-05-08"


class CreateAccessKey(IamOperation[NewAccessKey]):
    """Creates an additional access key for the user; AWS allows two. Do not retry: each call creates a key."""

    def result(self, document: Document) -> NewAccessKey:
        """Returns the new access key. Raises ResponseError if the response lacks its id or secret."""
        path = "CreateAccessKeyResponse/CreateAccessKeyResult/AccessKey/"
        return NewAccessKey(document.one(path + "AccessKeyId"), document.one(path + "SecretAccessKey"))


class _KeyOperation(IamOperation[None]):
    def __init__(self, access_key_id: str) -> None:
        self.parameters = (_key_id(access_key_id),)

    def result(self, document: Document) -> None:
        """Returns None, since the response has no value.

        Raises ResponseError if the body is not a response of this operation.
        """
        if document.root != f"{self.action}Response":
            raise ResponseError(
                f"the response is not a valid {self.action}Response; check the endpoint and any proxy in between"
            )


class UpdateAccessKey(_KeyOperation):
    """Activates or deactivates a key. The operation has no effect if the key already has the status."""

    def __init__(self, access_key_id: str, *, active: bool = False) -> None:
        status = "Active" if active else "Inactive"
        self.parameters = (_key_id(access_key_id), TextParameter("Status", status, 1, None, "Active|Inactive"))


class DeleteAccessKey(_KeyOperation):
    """Deletes a key permanently. AWS responds with NoSuchEntity if the key does not exist."""


class ListAccessKeys(IamOperation[list[AccessKey]]):
    """Lists the access keys of the user, two at most."""

    def read(self, body: bytes) -> list[AccessKey]:
        """Returns the user's access keys.

        Raises ResponseError for a truncated list, or if the body is not a response of this operation.
        """
        document = parse_xml(body)
        truncated = document.first("ListAccessKeysResponse/ListAccessKeysResult/IsTruncated")
        if document.root != "ListAccessKeysResponse" or truncated == "true":
            raise ResponseError(
                "the response is not a complete list of a user's keys; check the endpoint and any proxy in between"
            )
        return _read_keys(body)


def _read_keys(body: bytes) -> list[AccessKey]:
    """Returns the access keys in the XML body of a ListAccessKeys response."""
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
            raise ResponseError("the response lists a key without a valid id or status; check the endpoint")
        keys.append(AccessKey(member["AccessKeyId"], member["Status"], member.get("CreateDate", "")))

    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = texts.append
    parser.Parse(body, True)
    return keys


def _key_id(access_key_id: str) -> TextParameter:
    return TextParameter("AccessKeyId", access_key_id, 16, 128, r"[\w]+")
