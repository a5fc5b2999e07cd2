"""What enroll and rotate share: a profile's command line taken apart, its key asked to sign, a place for a key.

Nothing here keeps a secret on disk. Each step is put in place whole or not at all, and a later run can tell by
looking whether it was.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from sigv4.client import AwsClient, StsClient
from sigv4.config import configured_region, load_config
from sigv4.endpoints import resolve_service
from sigv4.errors import StsError
from sigv4.http import HttpClient
from sigv4.retry import RetryPolicy, read_retry_policy
from sigv4.signer import Signer, hmac_from_secret
from sigv4.sts import CallerIdentity, GetCallerIdentity
from sigv4.times import timestamp
from tpmwire.channel import authorized_once, read_loaded
from tpmwire.crypto.formulas import name_of
from tpmwire.policy import strict_json
from tpmwire.secret import Secret
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.tpm import Tpm, undisturbed
from tpmwire.use.hmac import HmacKey

from ..awsconfig.edit import config_path, get_setting, profile_of, sections, set_settings
from ..awsconfig.files import change
from ..awsconfig.process_line import join_line
from ..awsconfig.profiles import endpoint_options, existing_profile
from ..credentials.key import ask_tpm, key_from
from ..credentials.options import RunSettings, given_options, parse_run, run_parser
from ..credentials.role_chain import process_words
from ..credentials.sts import endpoint_for, environ_of
from ..keys.create import Made
from ..keys.persist import evict, is_occupied, make_persistent
from ..terminal.files import read_key_file, read_small, write_whole
from ..terminal.messages import UsageError, warn

__all__ = [
    "Checkpoint",
    "Place",
    "ProfileCommand",
    "State",
    "alone",
    "clear",
    "iam_client",
    "identity",
    "no_checkpoint",
    "public_at",
    "put",
    "switch_profiles",
]

PROGRAM = "aws-tpm-process-credential"

Checkpoint = Callable[[str], None]
"""Told the name of each step when it is done."""

_REPLACED = ("aws_access_key_id", "persistentHandle", "credential_file", "key_name")


def no_checkpoint(_step: str) -> None:
    """For whoever need not know."""


class Place(NamedTuple):
    """Where a key is: a persistent handle of the TPM, or a key file."""

    handle: int | None = None
    file: str | None = None

    def __str__(self) -> str:
        return self.file if self.handle is None else f"0x{self.handle:08x}"  # type: ignore[return-value]


class ProfileCommand:
    """A credential_process that runs our program, that of `profile` if named. Raises UsageError for any other.

    `key_id` is its access key id, `place` where its key is. `key` can be given a password that the command line
    does not have.
    """

    def __init__(self, text: str, profile: str | None = None) -> None:
        self.text = text
        self._start, self._options = process_words(text)
        self.args = parse_run(self._options)
        self.profile = profile
        self.key_id: str = self.args.aws_access_key_id or ""
        if not self.key_id:
            # The environment's would be another one tomorrow.
            where = f", but --profile {self.args.profile}: name that profile" if self.args.profile else ": add it"
            raise UsageError(f"the profile's credential_process has no --aws-access-key-id{where}")
        if self.args.profile:
            self.args = _with_profile(self.args, self.args.profile)
        file = self.args.credential_file
        self.place = Place(file=os.path.abspath(file)) if file else Place(handle=self.args.persistentHandle)
        self._key: HmacKey | None = None

    @property
    def key(self) -> "HmacKey":
        """The key as the program will use it. Raises KeyFileError, UsageError."""
        if self._key is None:
            self._key = key_from(self.args)
        return self._key

    def hmac(self, message: bytes) -> bytes:
        """One HMAC with the key; the TPM is closed again. Raises TpmError and what else `HmacKey.hmac` does."""
        return ask_tpm(self.args, self.key, message)

    def signer(self) -> "Signer":
        """Signs through the TPM, which is asked now, and not again while the day lasts."""
        signer = Signer(self.key_id, self.hmac)
        signer.prime(timestamp(time.time())[:8])
        return signer

    def rewritten(self, key_id: str, place: Place, name: bytes) -> str:
        """The same command line for another key of the same TPM; all its other options stay."""
        new = [f"--aws-access-key-id={key_id}"]
        if place.handle is None:
            new.append(f"--credential-file={place.file}")
        else:
            new += [f"--persistentHandle=0x{place.handle:08x}", f"--key-name={name.hex()}"]
        return join_line([*self._start, *new, *self._kept(), *self._missing()])

    def _missing(self) -> list[str]:
        """Options of the profile's endpoints that the line does not have: what is proven is what is written."""
        if self.profile is None or self.args.profile:
            return []
        options = endpoint_options(self.args.aws_region, existing_profile(self.profile))
        present = given_options(self._options)
        return [option for option in options if option[2:].partition("=")[0].replace("-", "_") not in present]

    def _kept(self) -> list[str]:
        parser = run_parser()
        kept: list[str] = []
        rest = iter(self._options)
        for word in rest:
            option, equals, _ = word.lstrip("-").partition("=")
            action = parser.action_of(f"--{option}")
            group = [word]
            if not equals and action is not None and action.nargs is None:
                # A word may follow that is its value.
                group += [following] if (following := next(rest, None)) is not None else []
            if action is None or action.dest not in _REPLACED:
                kept += group
        return kept


def _with_profile(settings: RunSettings, name: str) -> RunSettings:
    """Returns the settings with those of the profile that the line names, as each run reads them."""
    found = settings.copy()
    found.aws_profile = load_config(os.environ).profile(name)
    found.aws_region = settings.aws_region or configured_region(os.environ, found.aws_profile)
    return found


def identity(command: ProfileCommand) -> "CallerIdentity":
    """The caller as AWS knows it: GetCallerIdentity, signed through the TPM, as the command line will ask STS.

    Raises StsError, NetworkError.
    """
    return ask_identity(command.signer(), command.args)


def plaintext_identity(key_id: str, secret: "Secret", options: Sequence[str]) -> "CallerIdentity":
    """The caller as AWS knows it, signed here with a secret (after "AWS4"), and asked by options of a run."""
    plain = secret.reveal().removeprefix(b"AWS4").decode("ascii")
    return ask_identity(Signer(key_id, hmac_from_secret(plain)), parse_run(options))


def ask_identity(signer: "Signer", args: RunSettings) -> "CallerIdentity":
    """GetCallerIdentity by the options of a run. Raises StsError, NetworkError."""
    operation = GetCallerIdentity()
    endpoint = endpoint_for(args, operation)
    attempts = read_retry_policy(os.environ, args.aws_profile)
    http = HttpClient(_patience(args), environ_of(args), user_agent="tpmwire", warn=warn)
    try:
        return StsClient(signer, endpoint, http, policy=attempts, warn=warn).call(operation)
    except StsError as error:
        if error.code == "InvalidClientTokenId":
            error.hint += (
                f"; the request went to {endpoint.url}: for a key of another partition (GovCloud, China) give "
                "--aws-region, or set the region of the profile"
            )
        raise


def iam_client(command: ProfileCommand, *, once: bool = False) -> "AwsClient":
    """IAM, asked as the user of the profile's key. `once`: no call is sent a second time."""
    run = command.args.copy()
    if command.profile is not None:
        # IAM's endpoint and the CAs may be in the profile only: the line is about STS.
        run.aws_profile = existing_profile(command.profile)
    where = run.aws_region or configured_region(os.environ, run.aws_profile) or "us-east-1"
    endpoint = resolve_service("iam", where, None, environ_of(run), run.aws_profile)
    attempts = RetryPolicy(max_attempts=1) if once else read_retry_policy(os.environ, run.aws_profile)
    signer = command.signer()
    http = HttpClient(_patience(run), environ_of(run), user_agent="tpmwire", warn=warn)
    return AwsClient(signer, endpoint, http, policy=attempts, warn=warn)


def _patience(args: RunSettings) -> float:
    # A profile's time-out is for a program that waits for credentials; here a person does.
    return max(args.timeout, 30.0)


def public_at(tpm: "Tpm", place: Place) -> "TPMT_PUBLIC | None":
    """The public area of the key at a place; None where there is nothing. Raises KeyFileError, TpmError."""
    if place.handle is not None:
        return read_loaded(tpm, place.handle).public if is_occupied(tpm, place.handle) else None
    assert place.file is not None
    if not os.path.lexists(place.file):
        return None

    return read_key_file(place.file).public


def put(tpm: "Tpm", made: "Made", place: Place, owner: "Secret", *, force: bool = False) -> None:
    """Puts a key that is made in its place; a signal waits until it is done. Raises TpmError, UsageError."""
    with undisturbed():
        if place.handle is not None:
            make_persistent(tpm, made.key, place.handle, owner, made.parent.session)
            return
        assert place.file is not None
        os.makedirs(os.path.dirname(place.file), mode=0o700, exist_ok=True)
        write_whole(place.file, made.file.to_pem().encode(), force=force)


class State:
    """What a rotation has done so far, in a file beside the config that holds no secret.

    `stage` is the last step that is done; `old` and `new` are access key ids with the places of their keys.
    """

    def __init__(self, path: str, values: dict[str, Any]) -> None:
        self.path = path
        self.values = values

    @classmethod
    def load(cls, profile: str) -> "State | None":
        """The state of a profile's rotation; None where none is under way. Raises UsageError."""
        path = _state_path(profile)
        if not os.path.lexists(path):
            return None
        try:
            values = strict_json.loads(read_small(path))
            return cls(path, {"stage": values["stage"], "old": values["old"]} | values)
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path} is no state of a rotation: look at the user's keys, and remove it"
            ) from error

    @classmethod
    def begin(cls, profile: str, **values: Any) -> "State":
        """A new file, at the stage `begun`. Raises UsageError where there is one."""
        state = cls(_state_path(profile), {"profile": profile, "stage": "begun", **values})
        state._write(force=False)
        return state

    @property
    def stage(self) -> str:
        """The last step that is done."""
        return str(self.values["stage"])

    def reach(self, stage: str, **values: Any) -> None:
        """Writes that a step is done."""
        self.values |= {"stage": stage, **values}
        self._write(force=True)

    def remove(self) -> None:
        """The end: nothing is under way any more."""
        os.unlink(self.path)

    def _write(self, *, force: bool) -> None:
        write_whole(self.path, json.dumps(self.values, indent=1).encode() + b"\n", force=force)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One rotation at a time; the kernel gives the lock back however the run ends. Raises UsageError."""
    directory = os.path.dirname(_state_path("default"))
    os.makedirs(directory, mode=0o700, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError("another `tpmwire rotate` is at work: wait for its end") from error
        yield
    finally:
        os.close(descriptor)


def _state_path(profile: str) -> str:
    name = quote(profile, safe="")
    return os.path.join(os.path.dirname(os.path.realpath(config_path())), "tpmwire", f"rotate-{name}.json")


def clear(tpm: "Tpm", place: Place, name: bytes, owner: "Secret") -> None:
    """Removes the key of this Name from its place; leaves what is another's. Raises TpmError, OSError."""
    public = public_at(tpm, place)
    if public is None or name_of(public) != name:
        return
    if place.handle is not None:
        evict(tpm, place.handle, authorized_once(tpm, owner))
    else:
        assert place.file is not None
        os.unlink(place.file)


def switch_profiles(
    old_id: str, rewrite: Callable[[ProfileCommand], str], profile: str | None = None
) -> list[str]:
    """Rewrites all profiles of ~/.aws/config that use the key, in one step; returns their sections.

    `profile` is the one whose settings the new line was proven with.
    """
    path = os.path.realpath(config_path())
    switched: list[str] = []

    def edited(text: str) -> str | None:
        text, sections = _switched(text, path, old_id, rewrite, profile)
        switched.extend(sections)
        return text if sections else None

    change(path, edited)
    return switched


def _switched(
    text: str, path: str, old_id: str, rewrite: Callable[[ProfileCommand], str], profile: str | None
) -> tuple[str, list[str]]:
    switched: list[str] = []
    for section in sections(text):
        value = get_setting(text, section, "credential_process")
        # Other programs' command lines, and other keys', may be as they like.
        if value is None or PROGRAM not in value or old_id not in value:
            continue
        try:
            command = ProfileCommand(value, profile if profile_of(section) == profile else None)
        except UsageError as error:
            raise UsageError(f"[{section}] in {path}: {error}") from error
        if command.key_id == old_id:
            text = set_settings(text, section, {"credential_process": rewrite(command)})
            switched.append(section)
    return text, switched
