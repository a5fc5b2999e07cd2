"""Guides through the first steps: checks this machine, finds plaintext AWS keys, and moves them into the TPM.

  tpmwire setup
  tpmwire setup --roles-anywhere
  tpmwire setup --dry-run

setup shows each step as a command, and asks before it runs the command. The checks are the same as in
`tpmwire doctor`, and each key is moved by `tpmwire enroll`. If no profile has a plaintext key, setup offers to
import a new key with `tpmwire import`. After an interruption, setup prints the state of the profile, and the
command that continues.

With --roles-anywhere, no access key is needed: setup finds or creates a signing key in the TPM, and writes a
certificate request. Once your CA has issued the certificate, another run of setup writes the profile.

setup needs a terminal.
"""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import NamedTuple

from tpmwire.errors import EncodeError, TpmwireError
from tpmwire.keys.csr import parse_subject
from tpmwire.spec.constants import TPMA_OBJECT
from tpmwire.spec.structures import TPMT_PUBLIC

from ..awsconfig.edit import config_path, section_of
from ..awsconfig.files import read_setting
from ..awsconfig.overrides import kind_of
from ..awsconfig.plaintext import Plaintext, find_plaintext, find_plaintext_keys
from ..awsconfig.profiles import existing_profile, profile_lines, write_profile
from ..credentials.roles_anywhere.request import issue_text
from ..doctor.machine import Machine
from ..doctor.run import TPM_CHECKS, run_checks
from ..keys.place import Place
from ..lifecycle.certificate_profile import (
    certificate_files,
    certificate_line,
    find_certified_key,
    is_suitable,
    read_signing_keys,
)
from ..terminal.messages import Interrupted, UsageError, note
from ..terminal.options import Parser, TpmSettings, add_tpm_options
from ..terminal.prompts import InputEndedError, ask_line, ask_yes
from ..tpm.inventory import describe_public, list_handles
from . import enroll, import_, roles_anywhere_create_key, roles_anywhere_csr
from .doctor import print_result

__all__ = ["Settings", "configure", "run"]

_FIRST_HANDLE = 0x81010020
"""The first handle that setup uses: one that the TCG's profiles reserve for no endorsement key."""

_ARNS = {
    "trust-anchor-arn": "trust anchor of Roles Anywhere",
    "profile-arn": "profile of Roles Anywhere",
    "role-arn": "role",
}

_PATIENCE = 5.0
"""The default of --timeout, in seconds: how long each check waits for the TPM."""


class Settings(TpmSettings):
    """The verb's options."""

    dry_run: bool
    roles_anywhere: bool


class VerbCommand(NamedTuple):
    """A command of tpmwire that sets up a profile.

    `module` and `verb` are the verb's module and name, `words` its arguments. `handle` is the persistent handle
    for the key, or None.
    """

    module: ModuleType
    verb: str
    words: list[str]
    profile: str
    handle: int | None = None

    def __str__(self) -> str:
        return shlex.join(["tpmwire", *self.verb.split(), *self.words])


class TpmFacts(NamedTuple):
    """Facts about the TPM, from which the commands are built.

    `options` are the options that select the TPM, `handles` the free persistent handles. `owner_password` is True
    if the owner hierarchy has a password. `places` maps (profile, access key id) to the location of a key that the
    profile already uses. `signing_keys` are the keys at persistent handles that can sign for Roles Anywhere.
    """

    options: list[str]
    handles: list[int]
    owner_password: bool = False
    places: Mapping[tuple[str, str], Place] = MappingProxyType({})
    signing_keys: Mapping[int, TPMT_PUBLIC] = MappingProxyType({})


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's options."""
    parser.add_argument("--dry-run", action="store_true", help="print the commands only; needs no terminal")
    parser.add_argument(
        "--roles-anywhere",
        action="store_true",
        help="set up a certificate for IAM Roles Anywhere, instead of an access key",
    )
    add_tpm_options(parser, f"{_PATIENCE:g}s")


def run(args: Settings) -> int:
    """Runs the commands that the user agrees to. Raises their errors, and UsageError without a terminal.

    With --dry-run, only prints the commands.
    """
    if args.dry_run:
        return _show(args)
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "setup asks questions, and needs a terminal; in a script, use `tpmwire doctor` and `tpmwire enroll "
            "--profile NAME` (--dry-run prints the commands)"
        )
    started: list[str] = []
    try:
        return _ask(args, started)
    except (Interrupted, InputEndedError):
        if not started:
            note("nothing was changed")
        raise


def _ask(args: Settings, started: list[str]) -> int:
    """Runs the checks, then each command that the user agrees to; returns the exit code.

    Before a command runs, its profile is added to `started`.
    """
    print(f"$ {shlex.join(['tpmwire', 'doctor', *_options(args)])}", flush=True)
    offers = {"profiles": "setup offers to write one"}
    if not args.roles_anywhere:
        offers["plaintext-keys"] = "setup offers to move it into the TPM"
    with Machine(args.tpm_path, args.timeout) as machine:
        failed = False
        for result in run_checks(machine):
            offer = offers.get(result.check) if result.status == "warning" else None
            print_result(result._replace(step=offer) if offer else result)
            failed |= result.status == "error" and result.check in TPM_CHECKS
        if failed:
            again = "tpmwire setup --roles-anywhere" if args.roles_anywhere else "tpmwire setup"
            note(f"correct the errors of the TPM, then run `{again}` again; nothing was changed")
            return 1
        tpm = _read_tpm(args, machine)
    if args.roles_anywhere:
        if not _guide_certificate(args, tpm, started):
            return 0
    else:
        keys = find_plaintext_keys()
        for step in _enrolments(keys, tpm) if keys else _imports(tpm):
            _offer_step(step, args, started)
    for profile in dict.fromkeys(started):
        print(f"\nTo use the key:\n$ aws sts get-caller-identity --profile {shlex.quote(profile)}")
    return 0


def _offer_step(step: VerbCommand, args: Settings, started: list[str]) -> bool:
    """Shows a command, and runs it if the user agrees; returns whether it ran."""
    print(f"\n$ {step}", flush=True)
    if not ask_yes("Run this command?"):
        return False
    started.append(step.profile)
    _run_step(step, args)
    return True


def _guide_certificate(args: Settings, tpm: TpmFacts, started: list[str]) -> bool:
    """Guides to a certificate request, or from the issued certificate to a profile.

    Returns whether the profile was written. Raises UsageError for a reply that is not valid.
    """
    print(flush=True)
    profile = ask_line("Profile to write (empty: default)") or "default"
    if read_setting(config_path(), section_of(profile), "credential_process") is not None:
        raise UsageError(f"the profile {profile} has a credential_process; remove it there or use another profile")
    if kind := kind_of(existing_profile(profile)):
        raise UsageError(
            f"the profile {profile} has {kind}, which AWS programs use before a credential_process; choose "
            "another profile"
        )
    request, extensions, certificate = certificate_files(profile)
    if os.path.exists(certificate):
        return _write_certificate_profile(args, tpm, profile, started)
    if os.path.exists(request):
        print(issue_text(request, extensions, ""))
    elif not _create_request(args, tpm, profile, started):
        return False
    print(
        f"\nGive the certificate request {request} to your CA.\nStore the issued certificate, with its "
        f"intermediate certificates, in {certificate}.\nThen run:\n$ "
        f"{shlex.join(['tpmwire', 'setup', '--roles-anywhere', *tpm.options])}"
    )
    return False


def _create_request(args: Settings, tpm: TpmFacts, profile: str, started: list[str]) -> bool:
    """Offers the commands that create a key and its certificate request; returns whether they ran."""
    subject = ask_line(f"Subject of the certificate (empty: {_default_subject()})") or _default_subject()
    try:
        parse_subject(subject)
    except EncodeError as error:
        raise UsageError(str(error)) from None
    handle = _choose_key(tpm)
    if handle is None:
        handle = tpm.handles[0]
        if not _offer_step(_creation_step(profile, tpm), args, started):
            return False
    step = _request_step(profile, subject, handle, tpm)
    os.makedirs(os.path.dirname(certificate_files(profile)[0]), mode=0o700, exist_ok=True)
    return _offer_step(step, args, started)


def _default_subject() -> str:
    name = re.sub(r"[^A-Za-z0-9.-]", "-", os.uname().nodename)[:64]
    return f"CN={name or 'host'}"


def _choose_key(tpm: TpmFacts) -> int | None:
    """Asks which existing signing key to use; returns its handle, or None for a new key."""
    keys = {handle: public for handle, public in tpm.signing_keys.items() if is_suitable(public)}
    if not keys:
        return None
    print("\nSigning keys that this TPM created:")
    for handle, public in keys.items():
        print(f"  0x{handle:08x}  {describe_public(public)}", flush=True)
    reply = ask_line("Handle of the key to use (empty: create a new key)")
    if not reply:
        return None
    for handle in keys:
        if f"0x{handle:08x}" == reply.lower():
            return handle
    raise UsageError(f"{reply!r} is not the handle of one of these keys")


def _creation_step(profile: str, tpm: TpmFacts) -> VerbCommand:
    words = [f"--persistent-handle=0x{tpm.handles[0]:08x}", *tpm.options]
    words += ["--owner-auth-prompt"] if tpm.owner_password else []
    verb = "roles-anywhere create-key"
    return VerbCommand(roles_anywhere_create_key, verb, words, profile, tpm.handles[0])


def _request_step(profile: str, subject: str, handle: int, tpm: TpmFacts) -> VerbCommand:
    request, extensions, _ = certificate_files(profile)
    words = [f"--private-key=handle:0x{handle:08x}", f"--subject={subject}", f"--out={request}"]
    words += [f"--extfile={extensions}", *tpm.options]
    return VerbCommand(roles_anywhere_csr, "roles-anywhere csr", words, profile, handle)


def _write_certificate_profile(args: Settings, tpm: TpmFacts, profile: str, started: list[str]) -> bool:
    """Asks for the ARNs and writes the profile; returns whether the user agreed."""
    certificate = certificate_files(profile)[2]
    handle = find_certified_key(certificate, tpm.signing_keys)
    print(f"\nThe certificate {certificate} belongs to the key at 0x{handle:08x}.", flush=True)
    arns = {option: ask_line(f"ARN of the {text}") for option, text in _ARNS.items()}
    if missing := [text for option, text in _ARNS.items() if not arns[option]]:
        raise UsageError(f"no ARN of the {missing[0]}; create it in AWS, then run the command again")
    line = certificate_line(certificate, handle, arns, args.tpm_path)
    print(f"\n{profile_lines(line, profile)}", flush=True)
    if not ask_yes(f"Write this profile to {config_path()}?"):
        return False
    started.append(profile)
    write_profile(profile, line)
    if not tpm.signing_keys[handle].object_attributes & TPMA_OBJECT.USER_WITH_AUTH:
        note("the key requires its policy; if that names PCRs, add them to the profile's credential_process")
    return True


def _options(args: Settings) -> list[str]:
    found = [f"--tpm-path={args.tpm_path}"] if args.tpm_path else []
    return found + ([f"--timeout={args.timeout:g}s"] if args.timeout != _PATIENCE else [])


def _show(args: Settings) -> int:
    """Prints the commands of all steps, without opening the TPM or asking questions."""
    options = _options(args)
    if args.roles_anywhere:
        return _show_certificate(args, TpmFacts(options, [_FIRST_HANDLE]))
    keys = find_plaintext_keys()
    steps = [VerbCommand(enroll, "enroll", [f"--profile={name}", *options], name) for name in keys]
    print(shlex.join(["tpmwire", "doctor", *options]))
    for step in steps or [_import_step("AKIA...", "default", TpmFacts(options, [_FIRST_HANDLE]))]:
        print(step)
        print(shlex.join(["aws", "sts", "get-caller-identity", "--profile", step.profile]))
    return 0


def _show_certificate(args: Settings, tpm: TpmFacts) -> int:
    """Prints the commands for a certificate of Roles Anywhere, and the profile's lines."""
    profile, handle = "default", tpm.handles[0]
    words = [f"--certificate={certificate_files(profile)[2]}", f"--private-key=handle:0x{handle:08x}"]
    words += [f"--{option}=ARN" for option in _ARNS]
    words += [f"--tpm-path={args.tpm_path}"] if args.tpm_path else []
    line = shlex.join(["tpmwire", "roles-anywhere", "credential-process", *words])
    print(shlex.join(["tpmwire", "doctor", *tpm.options]))
    print(_creation_step(profile, tpm))
    print(_request_step(profile, _default_subject(), handle, tpm))
    print(f"# Issue the certificate. Then, in {config_path()}:\n{profile_lines(line, profile)}")
    print(shlex.join(["aws", "sts", "get-caller-identity", "--profile", profile]))
    return 0


def _read_tpm(args: Settings, machine: Machine) -> TpmFacts:
    with machine.tpm() as tpm:
        used = list_handles(tpm, "persistent")
        signing_keys = read_signing_keys(tpm, used) if args.roles_anywhere else {}
    handles = [handle for handle in range(_FIRST_HANDLE, _FIRST_HANDLE + 256) if handle not in used]
    places = {
        (each.profile.name, each.settings.aws_access_key_id or ""): each.place
        for each in machine.profile_keys
        if each.settings is not None and each.place is not None
    }
    owner_password = "ownerAuthSet" in machine.description["permanent"]
    return TpmFacts(_options(args), handles, owner_password, places, signing_keys)


def _enrolments(keys: dict[str, Plaintext], tpm: TpmFacts) -> list[VerbCommand]:
    """Lists the plaintext keys by id, asks where to store them, and returns the commands that enroll them.

    Profiles with the same key get the same handle.
    """
    print("\nPlaintext keys:", flush=True)
    for name, key in keys.items():
        print(f"  {key.key_id} of profile {name}, in {key.path}", flush=True)
    persistent = ask_yes("Store keys at persistent handles of the TPM (fewer TPM commands), not in key files?")
    handles = dict(zip(dict.fromkeys(key.key_id for key in keys.values()), tpm.handles, strict=False))
    steps = []
    for name, key in keys.items():
        # An earlier run may have stored the key.
        default = Place(handles.get(key.key_id) if persistent else None)
        place = tpm.places.get((name, key.key_id), default)
        words = [f"--profile={name}", *tpm.options]
        words += [f"--out={place.file}"] if place.file else []
        words += [] if place.handle is None else [f"--persistent-handle=0x{place.handle:08x}"]
        words += ["--owner-auth-prompt"] if tpm.owner_password else []
        steps.append(VerbCommand(enroll, "enroll", words, name, place.handle))
    return steps


def _imports(tpm: TpmFacts) -> list[VerbCommand]:
    """Asks for a new access key id; returns a list with the command that imports the key, or [] without an id."""
    print(
        "\nNo profile has a plaintext key. To import a new access key, create one in IAM first.\n"
        "To use a certificate instead of an access key, run `tpmwire setup --roles-anywhere`.",
        flush=True,
    )
    key_id = _ask_key_id()
    if not key_id:
        return []
    return [_import_step(key_id, ask_line("Profile to write (empty: default)") or "default", tpm)]


def _ask_key_id() -> str:
    """Asks up to three times for a valid access key ID; returns "" if the reply is empty.

    Raises UsageError after three invalid replies.
    """
    for tries_left in (2, 1, 0):
        key_id = ask_line("Access key ID (empty: none)")
        if not key_id or re.fullmatch(r"AKIA[A-Z0-9]{16}", key_id):
            break
        problem = "an access key ID of a user has 20 letters and digits, and begins with AKIA"
        if not tries_left:
            raise UsageError(f"{problem}; copy it from the IAM console")
        note(problem)
    return key_id


def _import_step(key_id: str, profile: str, tpm: TpmFacts) -> VerbCommand:
    words = [
        f"--persistent-handle=0x{tpm.handles[0]:08x}",
        f"--aws-access-key-id={key_id}",
        f"--write-profile={profile}",
        "--verify",
        *tpm.options,
        *(["--owner-auth-prompt"] if tpm.owner_password else []),
    ]
    return VerbCommand(import_, "import", words, profile, tpm.handles[0])


def _run_step(step: VerbCommand, args: Settings) -> None:
    """Runs a command of tpmwire in this process.

    If the command fails, adds the state of the profile and of the key to the error.
    """
    parser = Parser(prog=f"tpmwire {step.verb}")
    step.module.configure(parser)
    try:
        settings = parser.parse_args(step.words, step.module.Settings())
        if step.module is roles_anywhere_create_key:
            roles_anywhere_create_key.run(settings, next_steps=False)
        else:
            step.module.run(settings)
    except Interrupted:
        note(f"{_state_of(step, args)}; to continue, run `{step}`")
        raise
    except Exception as error:
        error.add_note(_state_of(step, args))
        raise


def _state_of(step: VerbCommand, args: Settings) -> str:
    """Returns a text about the profile's credentials, and about the key at the command's handle, if any."""
    profile = f"profile {step.profile}"
    try:
        process = read_setting(config_path(), section_of(step.profile), "credential_process") is not None
        plain = find_plaintext(step.profile) is not None
    except UsageError as error:
        return f"{profile} cannot be read: {error}{_state_of_handle(step, args)}"
    if plain:
        text = f"{profile} still uses its plaintext key{', and has a credential_process' if process else ''}"
    else:
        text = f"{profile} {'uses' if process else 'does not use'} the TPM"
    return text + _state_of_handle(step, args)


def _state_of_handle(step: VerbCommand, args: Settings) -> str:
    if step.handle is None:
        return ""
    shown = f"0x{step.handle:08x}"
    try:
        with Machine(args.tpm_path, args.timeout) as machine, machine.tpm() as tpm:
            occupied = step.handle in list_handles(tpm, "persistent")
    except TpmwireError:
        return f"; the TPM does not respond, so {shown} may have the key"
    return f"; the key is at {shown} (`tpmwire evict {shown}` removes it)" if occupied else ""
