"""From options to temporary credentials: check all, ask the TPM for one HMAC, close it, ask STS."""

import os
from typing import TYPE_CHECKING, Any

from ..terminal.messages import UsageError, note, warn
from ..terminal.options import Untyped
from .options import PROGRAM, read_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sigv4.endpoints import Endpoint
    from sigv4.http import HttpClient
    from sigv4.operation import Operation
    from sigv4.signer import Signer
    from sigv4.sts import AssumeRole, Credentials

__all__ = [
    "access_key_id",
    "endpoint_for",
    "environ_of",
    "obtain",
    "operations",
    "seconds_of",
    "signer_from",
    "tags_of",
]

_NETWORK = {"AWS_CA_BUNDLE", "HTTPS_PROXY", "HTTP_PROXY", "REQUESTS_CA_BUNDLE"}


def environ_of(args: Untyped) -> "Mapping[str, str]":
    """The environment, with the options that win over its variables; the profile's ca_bundle where it has none."""
    bundle = args.settings and args.settings.get("ca_bundle")
    given = {"AWS_CA_BUNDLE": args.ca_bundle} if args.ca_bundle else {}
    for kind in ("fips", "dualstack"):
        if getattr(args, f"use_{kind}_endpoint"):
            given[f"AWS_USE_{kind.upper()}_ENDPOINT"] = "true"
    if not (bundle or given):
        return os.environ
    return {**({"AWS_CA_BUNDLE": bundle} if bundle else {}), **os.environ, **given}


def obtain(args: Untyped) -> "Credentials":
    """The credentials that the options ask for.

    Raises UsageError and RequestError before the TPM is asked; what `HmacKey.hmac` and `StsClient.call` raise.
    """
    key_id = access_key_id(args)
    # The cache has to know it as well.
    args.duration = args.duration or ("900" if args.root_of else "3600")
    if args.policy_file:
        read_policy(args)
    if args.cache:
        from .cache.run import cached

        return cached(args, key_id, lambda signer: _ask(args, signer))
    return _ask(args, signer_from(args, key_id))


def _ask(args: Untyped, signer: "Signer") -> "Credentials":
    """The credentials from STS."""
    # All that can be wrong without the TPM and the network is found before either is asked.
    first, *chained = operations(args, None)
    if args.aws_arn and not args.assumeRole:
        # The Go program's lines go on working.
        warn("--aws-arn has no effect without --assumeRole: the credentials are not the role's")
    from sigv4.retry import read_retry_policy

    endpoint = endpoint_for(args, first)
    retries = read_retry_policy(os.environ, args.settings)
    http = None
    if _NETWORK & {name.upper() for name in environ_of(args)}:
        # Only then: a run that the TPM refuses needs no HTTP, which costs more to load than all else.
        http = _http(args)
        http.check(endpoint.url)
    if args.mfa_serial:
        from .mfa import code

        first, *chained = operations(args, code(args))
    import time

    from sigv4.times import timestamp

    # Before the network: the TPM is closed again by the time STS is asked.
    signer.prime(timestamp(time.time())[:8])

    from sigv4.client import StsClient
    from sigv4.errors import StsError

    http = http or _http(args)
    if args.verbose:
        note(f"{PROGRAM}: TPM closed; {first.action} at {endpoint.url}, signed for {endpoint.region}")
    client = StsClient(signer, endpoint, http, policy=retries, warn=warn)
    try:
        found = client.call(first)
    except StsError as error:
        if error.code == "SignatureDoesNotMatch":
            from .tampering import check_result

            check_result(args, signer, error)
        raise
    for operation in chained:
        from sigv4.signer import Signer, hmac_from_secret

        temporary = Signer(found.access_key_id, hmac_from_secret(found.secret_access_key), found.session_token)
        client = client.with_signer(temporary)
        found = client.call(operation)
    return found


def endpoint_for(args: Untyped, operation: "Operation[Any]") -> "Endpoint":
    """Where the operation is asked for. Raises RequestError; UsageError where it needs a region."""
    from sigv4.endpoints import resolve

    region = args.aws_region or None
    if operation.regional and not region:
        # Otherwise AWS_REGION says where services are, and STS without --aws-region is the global one.
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    endpoint = resolve(region, args.endpoint_url, environ_of(args), args.settings)
    if operation.regional and endpoint.is_global:
        raise UsageError(f"{operation.action} is not offered by STS's global endpoint: give --aws-region")
    return endpoint


def _http(args: Untyped) -> "HttpClient":
    from sigv4.http import HttpClient

    return HttpClient(args.timeout, environ_of(args), user_agent=PROGRAM, warn=warn)


def access_key_id(args: Untyped) -> str:
    """The access key id that belongs to the key. Raises UsageError."""
    found = args.aws_access_key_id or os.environ.get("AWS_ACCESS_KEY_ID")
    if not found:
        raise UsageError(
            "--aws-access-key-id (or AWS_ACCESS_KEY_ID) is required: the id that belongs to the key; or give "
            "a --profile that has it"
        )
    where = "--aws-access-key-id" if args.aws_access_key_id else "AWS_ACCESS_KEY_ID"
    if len(found) == 40 and not found.isupper():
        # It would be sent, as the id is in each request.
        raise UsageError(f"{where} looks like a secret access key: give the key's id, such as AKIA...")
    if str(found).startswith("ASIA"):
        # As AWS numbers them: so does a shell have it that another tool gave credentials to.
        raise UsageError(
            f"{where} is the id of temporary credentials: give --aws-access-key-id with the key's own"
        )
    return str(found)


def signer_from(args: Untyped, key_id: str, *, checked: bool = False) -> "Signer":
    """Signs with the key of the options; the TPM is asked once for each day that is signed for.

    `checked` is for signatures that nobody checks before they are printed: see `tpmwire.use.run.Key`.
    Raises UsageError, KeyFileError.
    """
    from sigv4.signer import Signer

    from .key import ask_tpm, key_from

    key = key_from(args)
    key.checked = checked
    return Signer(key_id, lambda message: ask_tpm(args, key, message))


def operations(args: Untyped, code: str | None) -> "list[Operation[Credentials]]":
    """The calls, each signed with what the one before it gave; checked, so that AWS refuses none for its form.

    `code` is that of --mfa-serial, None while it is not known. Raises UsageError, RequestError.
    """
    from sigv4.sts import AssumeRole, GetFederationToken, GetSessionToken

    chosen = ("assumeRole", args.assumeRole), ("federation-name", args.federation_name), ("root-of", args.root_of)
    given = [name for name, value in chosen if value]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} are two operations: give one")
    operation = given[0] if given else "GetSessionToken"
    _fitting(args, operation)
    seconds = seconds_of(args.duration)
    operations: list[Operation[Credentials]]
    if args.assumeRole:
        operations = _roles(args, seconds, code, AssumeRole)
    elif args.federation_name:
        operations = [
            GetFederationToken(
                args.federation_name,
                seconds,
                policy=args.policy,
                policy_arns=args.policy_arn,
                tags=tags_of(args.tag),
            )
        ]
    elif args.root_of:
        from sigv4.sts import AssumeRoot

        operations = [AssumeRoot(args.root_of, args.task_policy_arn, seconds)]
    else:
        operations = [GetSessionToken(seconds, serial_number=args.mfa_serial, token_code=code)]
    for each in operations:
        each.check()
    return operations


def _roles(
    args: Untyped, seconds: int, code: str | None, assume: "type[AssumeRole]"
) -> "list[Operation[Credentials]]":
    if not args.aws_arn:
        raise UsageError("--assumeRole needs the role: --aws-arn=arn:aws:iam::ACCOUNT:role/NAME")
    last = {option: getattr(args, option) for option in _ROLE} | {"duration": str(seconds)}
    name = f"tpmwire-{os.urandom(8).hex()}"
    steps = [step for options in (*args.earlier, last) for step in _steps(options, name)]
    if any(step["duration_seconds"] > 3600 for step in steps[1:]):
        raise UsageError(
            "--duration (duration_seconds): a role assumed by a role lasts 3600 seconds at most; AWS refuses more"
        )
    _inherited(steps)
    # The key signs the first call, so that is where its MFA belongs.
    mfa = {"serial_number": args.mfa_serial, "token_code": code}
    return [assume(**step, **({} if number else mfa)) for number, step in enumerate(steps)]


def _inherited(steps: "list[dict[str, Any]]") -> None:
    """Raises UsageError for transitive tags that no role of the chain has, and for others in their place."""
    kept: set[str] = set()
    for step in steps:
        own = {key.lower() for key in step.get("tags") or ()}
        if again := kept & own:
            raise UsageError(
                f"--tag {min(again)}: a role before it has this tag as a transitive one, and AWS lets no later "
                "role set it: leave it out"
            )
        for key in step.get("transitive_tag_keys") or ():
            if key.lower() not in own | kept:
                raise UsageError(f"--transitive-tag-key {key}: the role has no such tag: give --tag {key}=VALUE")
        kept |= {key.lower() for key in step.get("transitive_tag_keys") or ()}


_ROLE = (
    *("aws_arn", "aws_session_name", "external_id", "policy", "policy_arn"),
    *("source_identity", "tag", "transitive_tag_key"),
)


def _steps(options: "Mapping[str, Any]", name: str) -> "list[dict[str, Any]]":
    """What AssumeRole takes, for each role of one set of options; its limits are for the last of them."""
    common = {
        "role_session_name": options["aws_session_name"] or name,
        "duration_seconds": seconds_of(options["duration"] or "3600"),
    }
    limits = {
        "external_id": options["external_id"],
        "policy": options["policy"],
        "policy_arns": options["policy_arn"],
        "source_identity": options["source_identity"],
        "tags": tags_of(options["tag"]),
        "transitive_tag_keys": options["transitive_tag_key"],
    }
    *before, last = options["aws_arn"] or [""]
    return [{"role_arn": arn, **common} for arn in before] + [{"role_arn": last, **common, **limits}]


def seconds_of(text: str, option: str = "--duration") -> int:
    """A number of seconds, as Go's flag may have it too: 900 or 900s. Raises UsageError."""
    number = text.removesuffix("s")
    if not (number.isdecimal() and number.isascii()):
        raise UsageError(f"{option} {text!r} is no number of seconds")
    return int(number)


_WHERE = {
    "mfa_serial": ("GetSessionToken", "assumeRole"),
    "policy": ("assumeRole", "federation-name"),
    "policy_arn": ("assumeRole", "federation-name"),
    "tag": ("assumeRole", "federation-name"),
    "external_id": ("assumeRole",),
    "source_identity": ("assumeRole",),
    "transitive_tag_key": ("assumeRole",),
    "task_policy_arn": ("root-of",),
}


def _fitting(args: Untyped, operation: str) -> None:
    """Raises UsageError for an option that the operation would pass over: a limit that does not limit."""
    for name, where in _WHERE.items():
        if getattr(args, name) and operation not in where:
            wanted = " or ".join(f"--{one}" for one in where if one != "GetSessionToken")
            raise UsageError(f"--{name.replace('_', '-')} does not go with this operation; it is for {wanted}")
    if operation == "root-of" and not args.task_policy_arn:
        raise UsageError("--root-of needs --task-policy-arn, one of AWS's arn:aws:iam::aws:policy/root-task/...")
    for name in ("mfa_process", "mfa_totp"):
        if getattr(args, name) and not args.mfa_serial:
            raise UsageError(f"--{name.replace('_', '-')} needs --mfa-serial, the device that the code is of")
    if args.mfa_process and args.mfa_totp:
        raise UsageError("--mfa-process and --mfa-totp both give the code: give one")


def tags_of(words: list[str] | None, option: str = "--tag") -> dict[str, str] | None:
    """Tags from words KEY=VALUE. Raises UsageError."""
    if words is None:
        return None
    tags: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key in tags:
            raise UsageError(f"{option} {word!r}: " + ("given twice" if equals else "write it as KEY=VALUE"))
        tags[key] = value
    return tags
