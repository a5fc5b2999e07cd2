"""Obtains temporary credentials: checks the options, gets one HMAC from the TPM, closes the TPM, calls STS."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..terminal.messages import UsageError, note, warn
from ..tpm.path import find_missing_device
from .settings import PROGRAM, Aws, Role, RunSettings, aws_of, lifetime, read_policy, read_role

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from sigv4.endpoints import Endpoint
    from sigv4.http import HttpClient
    from sigv4.operation import Operation
    from sigv4.signer import Signer
    from sigv4.sts import AssumeRole, Credentials

    from .roles_anywhere.session import CertificateSession

__all__ = [
    "access_key_id",
    "endpoint_for",
    "obtain",
    "operations",
    "seconds_of",
    "signer_from",
    "tags_of",
    "uses_temporary_credentials",
]

_ROLE = "arn:aws:iam::ACCOUNT:role/NAME"

_NETWORK = {"AWS_CA_BUNDLE", "HTTPS_PROXY", "HTTP_PROXY", "REQUESTS_CA_BUNDLE"}


def obtain(settings: RunSettings) -> Credentials:
    """Returns the credentials that the options request.

    Raises UsageError or RequestError before the TPM is opened, and the errors of `HmacKey.hmac` and
    `StsClient.call`.
    """
    if settings.roles_anywhere is not None:
        return _obtain_by_certificate(settings)
    key_id = access_key_id(settings)
    settings = _complete(settings)
    if settings.cache:
        from .cache.run import cached  # noqa: PLC0415 - for --cache only

        return cached(settings, key_id, lambda signer: _ask(settings, signer))
    return _ask(settings, signer_from(settings, key_id))


def _obtain_by_certificate(settings: RunSettings) -> Credentials:
    """Returns the credentials of a Roles Anywhere session, or of the last role that the session assumes."""
    assert settings.roles_anywhere is not None
    if settings.federation_name or settings.root_of or settings.mfa_serial or settings.mfa_code:
        raise UsageError(
            "a role's session cannot call GetFederationToken or AssumeRoot, and cannot use MFA; remove "
            "--federation-name, --root-of, --mfa-code, and --mfa-serial (mfa_serial)"
        )
    roles = operations(settings, None) if settings.assumeRole else []
    if roles and seconds_of(lifetime(settings)) > 3600:
        raise UsageError("--duration (duration_seconds): a chained role lasts 3600 seconds at most")

    def ask(session: CertificateSession, sign: Callable[[bytes], bytes] | None = None) -> Credentials:
        found = session.request(_http, sign)
        return _assume_roles(settings, found, roles) if roles else found

    if settings.cache:
        from .cache.certificate import cached_session  # noqa: PLC0415 - for --cache only

        known = _complete(settings)
        known.duration = lifetime(settings) if roles else settings.duration or settings.roles_anywhere.duration
        return cached_session(known, ask)
    from .roles_anywhere.session import CertificateSession  # noqa: PLC0415 - a run with an access key needs none of it

    return ask(CertificateSession(settings))


def _assume_roles(
    settings: RunSettings, credentials: Credentials, roles: Sequence[Operation[Credentials]]
) -> Credentials:
    """Returns the credentials of the last role; each role is assumed with the preceding credentials."""
    from sigv4.client import StsClient  # noqa: PLC0415 - a session alone needs no STS
    from sigv4.retry import read_retry_policy  # noqa: PLC0415 - likewise
    from sigv4.signer import Signer, hmac_from_secret  # noqa: PLC0415 - likewise

    aws = aws_of(settings)
    http, retries = _http(settings.timeout, aws), read_retry_policy(aws.environ, aws.profile)
    endpoint = endpoint_for(aws, roles[0])
    found = credentials
    for role in roles:
        signer = Signer(found.access_key_id, hmac_from_secret(found.secret_access_key), found.session_token)
        found = StsClient(signer, endpoint, http, policy=retries, warn=warn).call(role)
    return found


def _complete(settings: RunSettings) -> RunSettings:
    """Returns a copy of the settings with the default lifetime, and the policy's text instead of its file name.

    The cache then depends on the policy's text. Raises UsageError if the policy file cannot be read.
    """
    found = settings.copy()
    found.duration = lifetime(settings)
    found.policy, found.policy_file = read_policy(settings), None
    return found


def _ask(settings: RunSettings, signer: Signer) -> Credentials:
    """Calls STS for each requested operation in order, and returns the credentials of the last one."""
    # All errors that need neither TPM nor network are found before either is used.
    first, *chained = operations(settings, None)
    if settings.aws_arn and not settings.assumeRole:
        # A warning, not an error, so that the Go program's command lines keep working.
        warn("--aws-arn has no effect without --assumeRole: the credentials are not for the role")
    from sigv4.retry import read_retry_policy  # noqa: PLC0415 - a run with cached credentials asks nobody

    aws = aws_of(settings)
    endpoint = endpoint_for(aws, first)
    retries = read_retry_policy(aws.environ, aws.profile)
    http = None
    if _NETWORK & {name.upper() for name in aws.environ}:
        # Loaded only after the TPM succeeded: HTTP costs more to load than all other modules together.
        http = _http(settings.timeout, aws)
        http.check(endpoint.url)
    if settings.mfa_serial:
        from .mfa import code  # noqa: PLC0415 - few runs need a code

        first, *chained = operations(settings, code(settings))
    from sigv4.times import timestamp  # noqa: PLC0415 - a run with cached credentials signs nothing

    # Done before the network is used, so that the TPM is closed when STS is called.
    signer.prime(timestamp(time.time())[:8])

    from sigv4.client import StsClient  # noqa: PLC0415 - a run that the TPM refuses needs no HTTP
    from sigv4.errors import StsError  # noqa: PLC0415 - with the client

    http = http or _http(settings.timeout, aws)
    if settings.verbose:
        note(f"{PROGRAM}: TPM closed; {first.action} at {endpoint.url}, signed for {endpoint.region}")
    client = StsClient(signer, endpoint, http, policy=retries, warn=warn)
    try:
        found = client.call(first)
    except StsError as error:
        if error.code == "SignatureDoesNotMatch":
            from .tampering import check_result  # noqa: PLC0415 - for a refused signature only

            check_result(settings, signer, error)
        raise
    for operation in chained:
        from sigv4.signer import Signer, hmac_from_secret  # noqa: PLC0415 - for chained roles only

        temporary = Signer(found.access_key_id, hmac_from_secret(found.secret_access_key), found.session_token)
        client = client.with_signer(temporary)
        found = client.call(operation)
    return found


def endpoint_for(aws: Aws, operation: Operation[Any]) -> Endpoint:
    """Returns the STS endpoint for the operation.

    Raises RequestError for an invalid region or endpoint, UsageError if the operation needs a region.
    """
    from sigv4.endpoints import resolve  # noqa: PLC0415 - a run with cached credentials asks nobody

    region = aws.region
    if operation.regional and not region:
        # AWS_REGION is the region of other services; without --aws-region, STS's global endpoint is used.
        region = aws.environ.get("AWS_REGION") or aws.environ.get("AWS_DEFAULT_REGION")
    endpoint = resolve(region, aws.endpoint, aws.environ, aws.profile)
    if operation.regional and endpoint.is_global:
        raise UsageError(f"STS's global endpoint does not support {operation.action}; give --aws-region")
    return endpoint


def _http(timeout: float, aws: Aws) -> HttpClient:
    from sigv4.http import HttpClient  # noqa: PLC0415 - a run that the TPM refuses needs no HTTP

    return HttpClient(timeout, aws.environ, user_agent=PROGRAM, warn=warn)


def access_key_id(settings: RunSettings) -> str:
    """Returns the access key id of --aws-access-key-id or AWS_ACCESS_KEY_ID.

    Raises UsageError if the id is missing, looks like a secret, or belongs to temporary credentials.
    """
    if settings.roles_anywhere is not None:
        raise UsageError(
            "the profile uses Roles Anywhere and has no access key; give a profile with an access key"
        )
    found = settings.aws_access_key_id or os.environ.get("AWS_ACCESS_KEY_ID")
    if not found:
        raise UsageError(
            "--aws-access-key-id (or AWS_ACCESS_KEY_ID) is required; give the key's access key id, or a "
            "--profile that has it"
        )
    where = "--aws-access-key-id" if settings.aws_access_key_id else "AWS_ACCESS_KEY_ID"
    if len(found) == 40 and not found.isupper():
        # Each request contains the id, so a secret would be sent.
        raise UsageError(f"{where} looks like a secret access key; give the key's id, such as AKIA...")
    if _is_mistyped(found) and not (settings.endpoint_url or os.environ.get("AWS_ENDPOINT_URL")):
        raise UsageError(
            f"{where} is not an access key id: expected AKIA and 16 more letters and digits, got {found[:4]} and "
            f"{len(found) - 4} more; copy it from the IAM console"
        )
    if str(found).startswith("ASIA"):
        # ASIA is the prefix of temporary keys, which another tool may have exported in this shell.
        raise UsageError(
            f"{where} is the id of temporary credentials; give the long-term key's id with --aws-access-key-id"
        )
    return str(found)


def uses_temporary_credentials(settings: RunSettings) -> bool:
    """Returns whether a run's requests are signed with temporary credentials, not with the TPM's HMAC key."""
    certificate = settings.roles_anywhere is not None
    return bool(
        certificate or settings.assumeRole or settings.federation_name or settings.root_of or settings.mfa_serial
    )


def _is_mistyped(key_id: str) -> bool:
    """Returns whether an access key ID is probably mistyped: too long, too short, or with swapped letters."""
    similar = key_id.startswith("AK") and key_id.isalnum() and key_id.isupper() and 17 <= len(key_id) <= 23
    return similar and not (key_id.startswith("AKIA") and len(key_id) == 20)


def signer_from(settings: RunSettings, key_id: str, *, checked: bool = False) -> Signer:
    """Returns a signer that uses the TPM key of the options, once per signing day.

    Set `checked` for signatures that are printed without being verified: see `tpmwire.use.key.Key`. Raises
    UsageError for invalid options, KeyFileError for an invalid key file. If the TPM is missing, the signer raises
    the error at its first signature.
    """
    from sigv4.signer import Signer  # noqa: PLC0415 - a run with cached credentials signs nothing

    missing = None if _needs_checks(settings) else find_missing_device(settings.tpm_path)
    if missing is not None:

        def refuse(_message: bytes) -> NoReturn:
            raise missing

        return Signer(key_id, refuse)
    from .key import ask_tpm, key_from  # noqa: PLC0415 - a machine without a TPM needs no module of tpmwire

    key = key_from(settings)
    key.checked = checked
    return Signer(key_id, lambda message: ask_tpm(settings, key, message))


def _needs_checks(settings: RunSettings) -> bool:
    """Returns whether the options name files. Errors in these files are reported before a missing TPM."""
    public = settings.tpm_session_encrypt_with_public
    pinned_file = bool(public) and not str(public).startswith("base64:")
    return pinned_file or any((settings.credential_file, settings.keyPass_file, settings.parentPass_file))


def operations(settings: RunSettings, code: str | None) -> list[Operation[Credentials]]:
    """Returns the STS operations of a run, validated. Each is signed with the credentials from the preceding one.

    `code` is the MFA code for --mfa-serial, None if it is not known yet. Raises UsageError for options that
    conflict or that the operation would ignore, RequestError for values that AWS would reject.
    """
    from sigv4.sts import AssumeRoot, GetFederationToken, GetSessionToken  # noqa: PLC0415 - cached credentials need none

    operations = {
        "assumeRole": settings.assumeRole,
        "federation-name": settings.federation_name,
        "root-of": settings.root_of,
    }
    chosen = [name for name, value in operations.items() if value]
    if len(chosen) > 1:
        raise UsageError(f"--{chosen[0]} and --{chosen[1]} select different operations; give one")
    _check_fit(settings, chosen[0] if chosen else "GetSessionToken")
    seconds = seconds_of(lifetime(settings))
    found: list[Operation[Credentials]]
    if settings.assumeRole:
        found = [*_roles(settings, code)]
    elif settings.federation_name:
        policy, arns, tags = read_policy(settings), settings.policy_arn, tags_of(settings.tag)
        found = [GetFederationToken(settings.federation_name, seconds, policy=policy, policy_arns=arns, tags=tags)]
    elif settings.root_of:
        found = [AssumeRoot(settings.root_of, settings.task_policy_arn or "", seconds)]
    else:
        found = [GetSessionToken(seconds, serial_number=settings.mfa_serial, token_code=code)]
    for each in found:
        each.check()
    return found


def _roles(settings: RunSettings, code: str | None) -> Iterator[AssumeRole]:
    from sigv4.sts import AssumeRole  # noqa: PLC0415 - a run with cached credentials asks nobody

    if not settings.aws_arn:
        raise UsageError(f"--assumeRole needs a role; give --aws-arn={_ROLE}")
    name = f"tpmwire-{os.urandom(8).hex()}"
    roles = [single for role in (*settings.earlier, read_role(settings)) for single in _split_role(role)]
    seconds = [seconds_of(role.duration or "3600") for role in roles]
    if any(each > 3600 for each in seconds[1:]):
        raise UsageError(
            "--duration (duration_seconds): a chained role lasts 3600 seconds at most; choose a shorter duration"
        )
    for role in roles:
        if role.arns[0].startswith("arn:aws") and not re.fullmatch(
            "arn:aws[a-z-]*:iam::[0-9]+:role/.+", role.arns[0]
        ):
            raise UsageError(f"{role.arns[0]!r} is not the ARN of a role; expected {_ROLE}")
    _check_transitive_tags(roles)
    # MFA belongs to the first call, which the key itself signs.
    serial, token = settings.mfa_serial, code
    for number, role in enumerate(roles):
        yield AssumeRole(
            role.arns[0],
            role.session_name or name,
            seconds[number],
            external_id=role.external_id,
            policy=role.policy,
            policy_arns=role.policy_arns,
            serial_number=serial,
            source_identity=role.source_identity,
            tags=tags_of(role.tags),
            token_code=token,
            transitive_tag_keys=role.transitive_tag_keys,
        )
        serial = token = None


def _split_role(role: Role) -> list[Role]:
    """Splits a role with several ARNs into one Role per ARN; policies, tags and other limits apply to the last."""
    *before, last = role.arns
    return [Role([arn], role.session_name, role.duration) for arn in before] + [role._replace(arns=[last])]


def _check_transitive_tags(roles: Sequence[Role]) -> None:
    """Raises UsageError for transitive tags that no role of the chain sets, or that a later role sets again."""
    inherited: set[str] = set()
    for role in roles:
        own = {key.lower() for key in tags_of(role.tags) or ()}
        if again := inherited & own:
            raise UsageError(
                f"--tag {min(again)}: an earlier role sets this tag as transitive, so AWS does not let a "
                "later role set it; remove it"
            )
        for key in role.transitive_tag_keys or ():
            if key.lower() not in own | inherited:
                raise UsageError(f"--transitive-tag-key {key}: the role has no such tag; add --tag {key}=VALUE")
        inherited |= {key.lower() for key in role.transitive_tag_keys or ()}


def seconds_of(text: str, option: str = "--duration") -> int:
    """Parses a number of seconds, such as 900, or 900s as in Go.

    For any other text, raises UsageError with the name `option`.
    """
    number = text.removesuffix("s")
    if not (number.isdecimal() and number.isascii()):
        raise UsageError(f"{option} {text!r} is not a number of seconds; use e.g. 3600 or 3600s")
    return int(number)


def _check_fit(settings: RunSettings, operation: str) -> None:
    """Raises UsageError for an option that the operation would ignore, so that no limit is dropped silently."""
    operations_by_option = {
        "mfa-serial": (settings.mfa_serial, ("GetSessionToken", "assumeRole")),
        "policy": (settings.policy or settings.policy_file, ("assumeRole", "federation-name")),
        "policy-arn": (settings.policy_arn, ("assumeRole", "federation-name")),
        "tag": (settings.tag, ("assumeRole", "federation-name")),
        "external-id": (settings.external_id, ("assumeRole",)),
        "source-identity": (settings.source_identity, ("assumeRole",)),
        "transitive-tag-key": (settings.transitive_tag_key, ("assumeRole",)),
        "task-policy-arn": (settings.task_policy_arn, ("root-of",)),
    }
    for option, (value, operations) in operations_by_option.items():
        if value and operation not in operations:
            wanted = " or ".join(f"--{one}" for one in operations if one != "GetSessionToken")
            raise UsageError(f"--{option} needs {wanted}")
    if operation == "root-of" and not settings.task_policy_arn:
        raise UsageError("--root-of needs --task-policy-arn, such as arn:aws:iam::aws:policy/root-task/...")
    for option in ("mfa_code", "mfa_process", "mfa_totp"):
        if getattr(settings, option) and not settings.mfa_serial:
            raise UsageError(f"--{option.replace('_', '-')} needs --mfa-serial, the device that shows the code")
    if settings.mfa_code and not re.fullmatch("[0-9]{6}", settings.mfa_code):
        raise UsageError("--mfa-code is not six digits; give the code that the device shows now")
    if settings.mfa_process and settings.mfa_totp:
        raise UsageError("--mfa-process and --mfa-totp are both given; give one")


def tags_of(words: Iterable[str] | None, option: str = "--tag") -> dict[str, str] | None:
    """Parses tags of the form KEY=VALUE into a dict; returns None for None.

    Raises UsageError, which names `option`, for an invalid or repeated tag.
    """
    if words is None:
        return None
    tags: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key in tags:
            raise UsageError(
                f"{option} {word!r}: "
                + ("given twice; remove one" if equals else "not of the form KEY=VALUE; give e.g. team=a")
            )
        tags[key] = value
    return tags
