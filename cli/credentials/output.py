"""Prints credentials as JSON for credential_process or as assignments for a shell, or writes them to a file."""

from __future__ import annotations

from ..terminal.messages import UsageError, note
from .settings import OutputSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sigv4.sts import Credentials

__all__ = ["FORMATS", "put_out", "text"]

FORMATS = ("process", "env", "export", "fish", "powershell", "json")


def put_out(settings: OutputSettings, obtain: Callable[[], Credentials], region: str | None = None) -> None:
    """Obtains the credentials, and prints them or writes them to the credentials file, depending on --format.

    Assignments for a shell and env files also set `region`, if given.

    Raises UsageError for options that conflict or a profile that must not be overwritten, OSError if the file
    cannot be written, and the errors of `obtain`.
    """
    profile, overwrite = settings.credentials_profile, settings.credentials_overwrite
    if settings.format != "credentials-file":
        if profile or overwrite:
            raise UsageError("--credentials-profile and --credentials-overwrite need --format credentials-file")
        print(text(obtain(), settings.format, region))
        return
    if not profile:
        raise UsageError("--format credentials-file needs --credentials-profile, the profile to write")
    from ..awsconfig.credentials_file import check, write_credentials  # noqa: PLC0415 - most runs print

    check(profile, overwrite=overwrite)
    credentials = obtain()
    path = write_credentials(profile, credentials, overwrite=overwrite)
    if settings.verbose:
        note(f"wrote the profile {profile} to {path}, valid until {credentials.expiration}")


def text(credentials: Credentials, form: str, region: str | None = None) -> str:
    """Returns the credentials as text in the format `form`, one of FORMATS, without the final line end.

    The format `env` is NAME=VALUE, as in env files: unquoted, since STS's values contain neither spaces nor
    quotes. Raises UsageError for values with line breaks or other unprintable characters, which an env file cannot
    hold. `region` is not in JSON.
    """
    values = {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": credentials.expiration,
    }
    if credentials.account_id:
        values["AccountId"] = credentials.account_id
    if form == "process":
        return _process_document(values)
    if form == "json":
        import json  # noqa: PLC0415 - its import takes 1.5 ms, and most runs do not need it

        return json.dumps(values, indent=2)
    names = {
        "AccessKeyId": "AWS_ACCESS_KEY_ID",
        "SecretAccessKey": "AWS_SECRET_ACCESS_KEY",
        "SessionToken": "AWS_SESSION_TOKEN",
        "Expiration": "AWS_CREDENTIAL_EXPIRATION",
        "AccountId": "AWS_ACCOUNT_ID",
    }
    variables = {names[name]: value for name, value in values.items()}
    if region:
        variables |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    return "\n".join(_assignment(name, value, form) for name, value in variables.items())


def _process_document(values: dict[str, str]) -> str:
    """Returns the JSON object of a credential_process."""
    if any(
        not (value.isascii() and value.isprintable()) or '"' in value or "\\" in value for value in values.values()
    ):
        import json  # noqa: PLC0415 - its import takes 1.5 ms, and STS's values need no escapes

        return json.dumps({"Version": 1, **values})
    members = ['"Version": 1', *(f'"{name}": "{value}"' for name, value in values.items())]
    return f"{{{', '.join(members)}}}"


def _assignment(name: str, value: str, form: str) -> str:
    if form == "env":
        if not value.isprintable():
            raise UsageError(f"{name} contains characters that an env file cannot hold; use --format export")
        return f"{name}={value}"
    if form == "export":
        import shlex  # noqa: PLC0415 - for a shell's assignments only

        return f"export {name}={shlex.quote(value)}"
    if form == "fish":
        # Within fish's single quotes, only a backslash and a single quote are special.
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"set -gx {name} '{quoted}'"
    # Within PowerShell's single quotes, only quotes are special, and are doubled; it accepts all these as quotes.
    doubled = "".join(
        character * 2 if character in "'\u2018\u2019\u201a\u201b" else character for character in value
    )
    return f"$Env:{name} = '{doubled}'"
