"""Operations of STS: parameters with AWS's limits, and the results in responses.

Source: the STS API reference, version 2011-06-15 (botocore data/sts/2011-06-15/service-2.json).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from .characters import DIGITS, GRAPHIC, LETTERS, has_only
from .credentials import Credentials
from .errors import ResponseError
from .operation import IntegerParameter, ListParameter, Operation, Result, TextParameter, check_session
from .times import is_rfc3339
from .xml import MAX_SIZE, Document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Value = TypeVar("Value")

__all__ = [
    "AssumeRole",
    "AssumeRoot",
    "CallerIdentity",
    "Credentials",
    "DecodeAuthorizationMessage",
    "GetAccessKeyInfo",
    "GetCallerIdentity",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetSessionToken",
    "GetWebIdentityToken",
    "StsOperation",
    "WebIdentityToken",
]

# The characters of XML, without control characters.
_ANY = r"[\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+"
_LATIN = r"[\t\n\r\x20-\xff]+"
_NAME = r"[\w+=,.@-]*"
# The model's [\p{L}\p{Z}\p{N}_.:/=+\-@]; Python's Unicode \w covers all letters and numbers.
_TAG = r"(?u:[\w \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000.:/=+\-@])"
# The model's scope-token list of RFC 6749 §3.3.
_SCOPE = r"[!#-+\--\[\]-~]+( [!#-+\--\[\]-~]+)*"
_NO_SURROGATES = r"[^\ud800-\udfff]*"


class CallerIdentity:
    """The identity of the caller: `account`, `arn`, `user_id`."""

    __slots__ = ("account", "arn", "user_id")

    def __init__(self, account: str, arn: str, user_id: str) -> None:
        self.account = account
        self.arn = arn
        self.user_id = user_id

    def __repr__(self) -> str:
        return f"<CallerIdentity {self.arn}>"


class WebIdentityToken:
    """A JWT that identifies the caller to services outside AWS. The repr hides the JWT.

    `expiration` is RFC 3339 text.
    """

    __slots__ = ("expiration", "token")

    def __init__(self, token: str, expiration: str) -> None:
        self.token = token
        self.expiration = expiration

    def __repr__(self) -> str:
        return f"<WebIdentityToken until {self.expiration}, token hidden>"


class StsOperation(Operation[Result]):
    """An operation of STS."""

    version = "2011-06-15"


class _CredentialsOperation(StsOperation[Credentials]):
    # The path, below the operation's Result, of an ARN of the account that the credentials belong to.
    _arn = ""

    def result(self, document: Document) -> Credentials:
        start = f"{self.action}Response/{self.action}Result/"
        path = start + "Credentials/"
        key_id = _read_text(document, path + "AccessKeyId", LETTERS + DIGITS + "_", range(16, 129))
        secret = _read_text(document, path + "SecretAccessKey")
        token = _read_text(document, path + "SessionToken")
        expiration = _read_expiration(document, path)
        return Credentials(key_id, secret, token, expiration, _parse_account(document.first(start + self._arn)))


def _read_expiration(document: Document, path: str) -> str:
    expiration = document.one(path + "Expiration")
    if not is_rfc3339(expiration):
        raise ResponseError("the response's Expiration is not a valid RFC 3339 time; check the endpoint")
    return expiration


def _parse_account(text: str) -> str | None:
    """Returns the account id in an ARN, or the account id itself; None for any other text."""
    fields = text.split(":")
    account = fields[0] if fields[0] != "arn" else fields[4] if len(fields) > 4 else ""
    return account if len(account) == 12 and has_only(account, DIGITS) else None


def _read_text(
    document: Document, path: str, characters: str = GRAPHIC, sizes: Container[int] = range(1, MAX_SIZE)
) -> str:
    text = document.one(path)
    if not has_only(text, characters) or len(text) not in sizes:
        raise ResponseError(f"the response's {path.rpartition('/')[2]} has invalid characters; check the endpoint")
    return text


def _mfa(serial_number: str | None, token_code: str | None) -> tuple[TextParameter, TextParameter]:
    return (
        TextParameter("SerialNumber", serial_number, 9, 256, r"[\w+=/:,.@-]*"),
        TextParameter("TokenCode", token_code, 6, 6, r"[\d]*", secret=True),
    )


def _policy_arns(arns: Iterable[str] | None) -> ListParameter:
    return _members(
        "PolicyArns", arns, lambda name, arn: (TextParameter(f"{name}.arn", arn, 20, 2048, _ANY),), 0, 10
    )


def _tags(tags: Mapping[str, str] | None) -> ListParameter:
    def fields(name: str, tag: tuple[str, str]) -> tuple[TextParameter, TextParameter]:
        key, value = tag
        return TextParameter(f"{name}.Key", key, 1, 128, _TAG + "+"), TextParameter(
            f"{name}.Value", value, 0, 256, _TAG + "*"
        )

    return _members("Tags", None if tags is None else tags.items(), fields, 0, 50)


def _token_size(size: int | None) -> IntegerParameter:
    return IntegerParameter("MinimumSessionTokenSize", size, 0, 4096, "bytes")


def _members(
    name: str,
    values: Iterable[Value] | None,
    fields: Callable[[str, Value], Sequence[TextParameter]],
    least: int,
    most: int | None,
) -> ListParameter:
    """Returns the list parameter `name` with a member for each of `values`; it is not sent if `values` is None.

    `fields` returns the form fields of one member from the member's name and value. `least` and `most` limit the
    number of members.
    """
    if values is None:
        return ListParameter(name, None, least, most)
    members = [fields(f"{name}.member.{number}", value) for number, value in enumerate(values, 1)]
    return ListParameter(name, members, least, most)


class GetSessionToken(_CredentialsOperation):
    """Gets temporary credentials for the signing user; AWS accepts long-term keys only."""

    def __init__(
        self,
        duration_seconds: int | None = None,
        *,
        minimum_session_token_size: int | None = None,
        serial_number: str | None = None,
        token_code: str | None = None,
    ) -> None:
        self.parameters = (
            IntegerParameter("DurationSeconds", duration_seconds, 900, 129600, "seconds"),
            _token_size(minimum_session_token_size),
            *_mfa(serial_number, token_code),
        )
        self.single_use = token_code is not None


class AssumeRole(_CredentialsOperation):
    """Gets temporary credentials for a role.

    `policy` (JSON) and `policy_arns` limit the session. `tags` are session tags; the sessions that a role chain
    starts from this session inherit the tags named in `transitive_tag_keys`. `provided_contexts` are pairs of
    provider ARN and signed assertion. A session lasts at most 3600 seconds if a role assumes the role.
    """

    _arn = "AssumedRoleUser/Arn"

    def __init__(
        self,
        role_arn: str,
        role_session_name: str,
        duration_seconds: int | None = None,
        *,
        external_id: str | None = None,
        minimum_session_token_size: int | None = None,
        policy: str | None = None,
        policy_arns: Iterable[str] | None = None,
        provided_contexts: Iterable[tuple[str, str]] | None = None,
        serial_number: str | None = None,
        source_identity: str | None = None,
        tags: Mapping[str, str] | None = None,
        token_code: str | None = None,
        transitive_tag_keys: Iterable[str] | None = None,
    ) -> None:
        def context(name: str, pair: tuple[str, str]) -> tuple[TextParameter, TextParameter]:
            arn, assertion = pair
            return (
                TextParameter(f"{name}.ProviderArn", arn, 20, 2048, _ANY),
                TextParameter(f"{name}.ContextAssertion", assertion, 4, 3072, _NO_SURROGATES, secret=True),
            )

        self.parameters = (
            TextParameter("RoleArn", role_arn, 20, 2048, _ANY),
            TextParameter("RoleSessionName", role_session_name, 2, 64, _NAME),
            IntegerParameter("DurationSeconds", duration_seconds, 900, 43200, "seconds"),
            TextParameter("ExternalId", external_id, 2, 1224, r"[\w+=,.@:\/-]*"),
            TextParameter("Policy", policy, 1, None, _LATIN),
            _policy_arns(policy_arns),
            _members("ProvidedContexts", provided_contexts, context, 1, 5),
            TextParameter("SourceIdentity", source_identity, 2, 256, _NAME),
            _tags(tags),
            _members(
                "TransitiveTagKeys",
                transitive_tag_keys,
                lambda name, key: (TextParameter(name, key, 1, 128, _TAG + "+"),),
                0,
                50,
            ),
            _token_size(minimum_session_token_size),
            *_mfa(serial_number, token_code),
        )
        self.single_use = token_code is not None

    def check(self) -> None:
        super().check()
        check_session(self.parameters)


class GetFederationToken(_CredentialsOperation):
    """Gets temporary credentials for a federated user; AWS accepts long-term keys only.

    Without a policy, the credentials have only the permissions that resource policies grant to the federated user.
    """

    _arn = "FederatedUser/Arn"

    def __init__(
        self,
        name: str,
        duration_seconds: int | None = None,
        *,
        minimum_session_token_size: int | None = None,
        policy: str | None = None,
        policy_arns: Iterable[str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.parameters = (
            TextParameter("Name", name, 2, 32, _NAME),
            IntegerParameter("DurationSeconds", duration_seconds, 900, 129600, "seconds"),
            TextParameter("Policy", policy, 1, 2048, _LATIN),
            _policy_arns(policy_arns),
            _tags(tags),
            _token_size(minimum_session_token_size),
        )

    def check(self) -> None:
        super().check()
        check_session(self.parameters)


class AssumeRoot(_CredentialsOperation):
    """Gets temporary root credentials for one task in a member account.

    `target_principal` is the account's id or ARN, `task_policy_arn` one of AWS's managed root task policies.
    """

    regional = True

    def __init__(
        self,
        target_principal: str,
        task_policy_arn: str,
        duration_seconds: int | None = None,
        *,
        minimum_session_token_size: int | None = None,
    ) -> None:
        self._target = target_principal
        self.parameters = (
            TextParameter("TargetPrincipal", target_principal, 12, 2048, _NO_SURROGATES),
            TextParameter("TaskPolicyArn.arn", task_policy_arn, 20, 2048, _ANY),
            IntegerParameter("DurationSeconds", duration_seconds, 0, 900, "seconds"),
            _token_size(minimum_session_token_size),
        )

    def result(self, document: Document) -> Credentials:
        credentials = super().result(document)
        # The response does not name the account.
        credentials.account_id = _parse_account(self._target)
        return credentials


class GetDelegatedAccessToken(_CredentialsOperation):
    """Exchanges a trade-in token for temporary credentials that another account's principal has delegated."""

    _arn = "AssumedPrincipal"

    def __init__(self, trade_in_token: str) -> None:
        self.parameters = (TextParameter("TradeInToken", trade_in_token, 1, None, _NO_SURROGATES, secret=True),)


class GetWebIdentityToken(StsOperation[WebIdentityToken]):
    """Gets a JWT that identifies the caller to services outside AWS. These services trust the account's issuer.

    `audience` lists the recipients, `scope` OAuth scope tokens separated by spaces. `signing_algorithm` is RS256
    or ES384, `subject_mode` is AWSIdentity or OriginIdentity.
    """

    regional = True

    def __init__(
        self,
        audience: Iterable[str],
        signing_algorithm: str,
        duration_seconds: int | None = None,
        *,
        scope: str | None = None,
        subject_mode: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.parameters = (
            _members(
                "Audience", audience, lambda name, one: (TextParameter(name, one, 1, 1000, _NO_SURROGATES),), 1, 10
            ),
            IntegerParameter("DurationSeconds", duration_seconds, 60, 3600, "seconds"),
            TextParameter("Scope", scope, 1, 256, _SCOPE),
            TextParameter("SigningAlgorithm", signing_algorithm, 5, 5, "RS256|ES384"),
            TextParameter("SubjectMode", subject_mode, 1, None, "AWSIdentity|OriginIdentity"),
            _tags(tags),
        )

    def result(self, document: Document) -> WebIdentityToken:
        path = f"{self.action}Response/{self.action}Result/"
        return WebIdentityToken(_read_text(document, path + "WebIdentityToken"), _read_expiration(document, path))


class GetCallerIdentity(StsOperation[CallerIdentity]):
    """Gets the identity of the caller. The operation needs no permission, so it can verify a key."""

    def result(self, document: Document) -> CallerIdentity:
        path = "GetCallerIdentityResponse/GetCallerIdentityResult/"
        return CallerIdentity(*(document.one(path + name) for name in ("Account", "Arn", "UserId")))


class GetAccessKeyInfo(StsOperation[str]):
    """Gets the account (12 digits) that an access key id belongs to. Any caller is allowed."""

    def __init__(self, access_key_id: str) -> None:
        self.parameters = (TextParameter("AccessKeyId", access_key_id, 16, 128, r"[\w]*"),)

    def result(self, document: Document) -> str:
        return _read_text(document, "GetAccessKeyInfoResponse/GetAccessKeyInfoResult/Account", DIGITS, (12,))


class DecodeAuthorizationMessage(StsOperation[str]):
    """Decodes the message of an UnauthorizedOperation error.

    The result is JSON, which names the policy that denied the request.
    """

    def __init__(self, encoded_message: str) -> None:
        self.parameters = (TextParameter("EncodedMessage", encoded_message, 1, 10240, _NO_SURROGATES),)

    def result(self, document: Document) -> str:
        return document.one("DecodeAuthorizationMessageResponse/DecodeAuthorizationMessageResult/DecodedMessage")
