"""STS operations: their parameters with AWS's limits, and what their answers hold.

Source: the STS API reference, version 2011-06-15 (botocore data/sts/2011-06-15/service-2.json).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar
from urllib.parse import urlencode

from .credentials import Credentials
from .errors import ResponseError
from .parameters import Integer, Parameter, Several, Text, check_session
from .times import is_rfc3339
from .xml import Document

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
    "Operation",
    "WebIdentityToken",
]

VERSION = "2011-06-15"

# What XML can carry, less the control characters.
_ANY = r"[\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+"
_LATIN = r"[\t\n\r\x20-\xff]+"
_NAME = r"[\w+=,.@-]*"
# The model's [\p{L}\p{Z}\p{N}_.:/=+\-@], where Python's Unicode \w has all letters and numbers.
_TAG = r"(?u:[\w \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000.:/=+\-@])"
# The model's scope-token list of RFC 6749 §3.3.
_SCOPE = r"[!#-+\--\[\]-~]+( [!#-+\--\[\]-~]+)*"
_WHATEVER = r"[^\ud800-\udfff]*"

Result = TypeVar("Result")
Value = TypeVar("Value")


class CallerIdentity:
    """Who signed: `account`, `arn`, `user_id`."""

    __slots__ = ("account", "arn", "user_id")

    def __init__(self, account: str, arn: str, user_id: str) -> None:
        self.account = account
        self.arn = arn
        self.user_id = user_id

    def __repr__(self) -> str:
        return f"<CallerIdentity {self.arn}>"


class WebIdentityToken:
    """A JWT that speaks for the caller outside AWS. `expiration` is RFC 3339 text. The repr hides the token."""

    __slots__ = ("expiration", "token")

    def __init__(self, token: str, expiration: str) -> None:
        self.token = token
        self.expiration = expiration

    def __repr__(self) -> str:
        return f"<WebIdentityToken until {self.expiration}, token hidden>"


class Operation(Generic[Result]):
    """One call of STS. A subclass gives `parameters` and reads the answer; its own name is the Action.

    `regional` is True for what the global endpoint does not offer.
    """

    parameters: tuple[Parameter, ...] = ()
    regional = False

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
    # Where the answer has an ARN of the account that the credentials act in, below the operation's Result.
    _arn = ""

    def result(self, document: Document) -> Credentials:
        start = f"{self.action}Response/{self.action}Result/"
        path = start + "Credentials/"
        key_id = _fit(document, path + "AccessKeyId", r"[A-Za-z0-9_]{16,128}")
        secret = _fit(document, path + "SecretAccessKey", r"[!-~]+")
        token = _fit(document, path + "SessionToken", r"[!-~]+")
        expiration = _expiration(document, path)
        return Credentials(key_id, secret, token, expiration, _account(document.first(start + self._arn)))


def _expiration(document: Document, path: str) -> str:
    expiration = document.one(path + "Expiration")
    if not is_rfc3339(expiration):
        raise ResponseError("the answer's Expiration is no RFC 3339 time; check the endpoint")
    return expiration


def _account(text: str) -> str | None:
    """The account of an ARN, or an account id as it is; None where there is neither."""
    found = re.fullmatch(r"(?:arn:[^:]*:[^:]*:[^:]*:)?([0-9]{12})(?::.*)?", text, re.DOTALL)
    return None if found is None else found[1]


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


def _policy_arns(arns: Iterable[str] | None) -> Several:
    return _members("PolicyArns", arns, lambda name, arn: (Text(f"{name}.arn", arn, 20, 2048, _ANY),), 0, 10)


def _tags(tags: Mapping[str, str] | None) -> Several:
    def fields(name: str, tag: tuple[str, str]) -> tuple[Text, Text]:
        key, value = tag
        return Text(f"{name}.Key", key, 1, 128, _TAG + "+"), Text(f"{name}.Value", value, 0, 256, _TAG + "*")

    return _members("Tags", None if tags is None else tags.items(), fields, 0, 50)


def _token_size(size: int | None) -> Integer:
    return Integer("MinimumSessionTokenSize", size, 0, 4096, "octets")


def _members(
    name: str,
    values: Iterable[Value] | None,
    fields: Callable[[str, Value], Sequence[Text]],
    least: int,
    most: int | None,
) -> Several:
    """A list of structures, or of strings where `fields` names its one field as the member itself."""
    if values is None:
        return Several(name, None, least, most)
    members = [fields(f"{name}.member.{number}", value) for number, value in enumerate(values, 1)]
    return Several(name, members, least, most)


class GetSessionToken(_CredentialsOperation):
    """Temporary credentials of the signing user itself; only a long-term key may sign it."""

    def __init__(
        self,
        duration_seconds: int | None = None,
        *,
        minimum_session_token_size: int | None = None,
        serial_number: str | None = None,
        token_code: str | None = None,
    ) -> None:
        self.parameters = (
            Integer("DurationSeconds", duration_seconds, 900, 129600, "seconds"),
            _token_size(minimum_session_token_size),
            *_mfa(serial_number, token_code),
        )


class AssumeRole(_CredentialsOperation):
    """Temporary credentials of a role.

    `policy` (JSON) and `policy_arns` limit the session; `tags` are its session tags, of which those named in
    `transitive_tag_keys` are kept when the session assumes a further role. `provided_contexts` are pairs of
    provider ARN and signed assertion. A role assumed by a role's session lasts 3600 seconds at most.
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
        def context(name: str, pair: tuple[str, str]) -> tuple[Text, Text]:
            arn, assertion = pair
            return (
                Text(f"{name}.ProviderArn", arn, 20, 2048, _ANY),
                Text(f"{name}.ContextAssertion", assertion, 4, 3072, _WHATEVER, secret=True),
            )

        self.parameters = (
            Text("RoleArn", role_arn, 20, 2048, _ANY),
            Text("RoleSessionName", role_session_name, 2, 64, _NAME),
            Integer("DurationSeconds", duration_seconds, 900, 43200, "seconds"),
            Text("ExternalId", external_id, 2, 1224, r"[\w+=,.@:\/-]*"),
            Text("Policy", policy, 1, None, _LATIN),
            _policy_arns(policy_arns),
            _members("ProvidedContexts", provided_contexts, context, 1, 5),
            Text("SourceIdentity", source_identity, 2, 256, _NAME),
            _tags(tags),
            _members(
                "TransitiveTagKeys",
                transitive_tag_keys,
                lambda name, key: (Text(name, key, 1, 128, _TAG + "+"),),
                0,
                50,
            ),
            _token_size(minimum_session_token_size),
            *_mfa(serial_number, token_code),
        )

    def check(self) -> None:
        super().check()
        check_session(self.parameters)


class GetFederationToken(_CredentialsOperation):
    """Temporary credentials of a federated user; only a long-term key may sign it.

    Without a policy the credentials may do nothing, save what resource policies grant the user by name.
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
            Text("Name", name, 2, 32, _NAME),
            Integer("DurationSeconds", duration_seconds, 900, 129600, "seconds"),
            Text("Policy", policy, 1, 2048, _LATIN),
            _policy_arns(policy_arns),
            _tags(tags),
            _token_size(minimum_session_token_size),
        )

    def check(self) -> None:
        super().check()
        check_session(self.parameters)


class AssumeRoot(_CredentialsOperation):
    """Temporary root credentials of a member account, for one task.

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
            Text("TargetPrincipal", target_principal, 12, 2048, _WHATEVER),
            Text("TaskPolicyArn.arn", task_policy_arn, 20, 2048, _ANY),
            Integer("DurationSeconds", duration_seconds, 0, 900, "seconds"),
            _token_size(minimum_session_token_size),
        )

    def result(self, document: Document) -> Credentials:
        credentials = super().result(document)
        # The answer does not repeat whose root it is.
        credentials.account_id = _account(self._target)
        return credentials


class GetDelegatedAccessToken(_CredentialsOperation):
    """Temporary credentials that another account's principal has delegated, for a trade-in token."""

    _arn = "AssumedPrincipal"

    def __init__(self, trade_in_token: str) -> None:
        self.parameters = (Text("TradeInToken", trade_in_token, 1, None, _WHATEVER, secret=True),)


class GetWebIdentityToken(Operation[WebIdentityToken]):
    """A JWT about the caller, signed by AWS, for services outside AWS that trust the account's issuer.

    `audience` are those it is for; `signing_algorithm` is RS256 or ES384; `scope` are OAuth scope tokens
    separated by blanks; `subject_mode` is AWSIdentity or OriginIdentity.
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
            _members("Audience", audience, lambda name, one: (Text(name, one, 1, 1000, _WHATEVER),), 1, 10),
            Integer("DurationSeconds", duration_seconds, 60, 3600, "seconds"),
            Text("Scope", scope, 1, 256, _SCOPE),
            Text("SigningAlgorithm", signing_algorithm, 5, 5, "RS256|ES384"),
            Text("SubjectMode", subject_mode, 1, None, "AWSIdentity|OriginIdentity"),
            _tags(tags),
        )

    def result(self, document: Document) -> WebIdentityToken:
        path = f"{self.action}Response/{self.action}Result/"
        return WebIdentityToken(_fit(document, path + "WebIdentityToken", r"[!-~]+"), _expiration(document, path))


class GetCallerIdentity(Operation[CallerIdentity]):
    """Who signs; needs no permission, and so proves a key."""

    def result(self, document: Document) -> CallerIdentity:
        path = "GetCallerIdentityResponse/GetCallerIdentityResult/"
        return CallerIdentity(*(document.one(path + name) for name in ("Account", "Arn", "UserId")))


class GetAccessKeyInfo(Operation[str]):
    """The account, 12 digits, that an access key id belongs to, whoever asks."""

    def __init__(self, access_key_id: str) -> None:
        self.parameters = (Text("AccessKeyId", access_key_id, 16, 128, r"[\w]*"),)

    def result(self, document: Document) -> str:
        return _fit(document, "GetAccessKeyInfoResponse/GetAccessKeyInfoResult/Account", r"[0-9]{12}")


class DecodeAuthorizationMessage(Operation[str]):
    """The JSON behind the encoded message of a refusal (UnauthorizedOperation): which policy said no."""

    def __init__(self, encoded_message: str) -> None:
        self.parameters = (Text("EncodedMessage", encoded_message, 1, 10240, _WHATEVER),)

    def result(self, document: Document) -> str:
        return document.one("DecodeAuthorizationMessageResponse/DecodeAuthorizationMessageResult/DecodedMessage")
