"""What belongs into ~/.aws/config for a key that is in the TPM."""

import os

from sigv4.config import Profile, configured_region, load_config
from sigv4.endpoints import configured_url, is_enabled
from tpmwire.channel import read_loaded
from tpmwire.secret import Secret
from tpmwire.spec.constants import TPM_ALG, TPM_HT
from tpmwire.state import nv
from tpmwire.tpm import Tpm

from ..keys.create import Made
from ..keys.options import OWNER, Parentage
from ..terminal.messages import UsageError, note, warn
from ..terminal.options import Untyped
from .edit import config_path, section_of, set_settings
from .files import change, check_writable, read_setting
from .overrides import check_overrides, warn_of_environment
from .process_line import absolute_tpm_path, find_program, join_line

__all__ = [
    "check_profile",
    "credential_process",
    "endpoint_options",
    "existing_profile",
    "profile_lines",
    "salt_pin",
    "tell_passwords",
    "write_profile",
]

PLACEHOLDER = "AKIA..."

SRK_HANDLE = 0x81000001


def salt_pin(tpm: "Tpm", made: "Made", *, persistent: bool, owner: "Secret") -> str:
    """Returns NAME@WHERE of the key that runs salt their sessions with, the one with the lowest cost.

    For a key file that is its parent, which a run has anyway; for a persistent key the storage root key, if the
    TPM has one. What is pinned is what this TPM has now: trusted on first use, and held to afterwards. Empty where
    a run with a persistent key would need the owner's password to make the pinned key.
    """
    parent = made.parent.key
    if parent.handle >> 24 == TPM_HT.PERSISTENT:
        return f"{parent.name.hex()}@0x{parent.handle:08x}"
    if persistent and nv.handles(tpm, SRK_HANDLE, SRK_HANDLE):
        root = read_loaded(tpm, SRK_HANDLE)
        if root.public.type in (TPM_ALG.ECC, TPM_ALG.RSA):
            return f"{root.name.hex()}@0x{SRK_HANDLE:08x}"
    if persistent and owner:
        return ""
    return f"{parent.name.hex()}@{'h1' if parent.public.type == TPM_ALG.RSA else 'h2'}"


def tell_passwords(args: Untyped, parent: "Parentage", pin: str) -> None:
    """Tells the user what runs with a new profile still need: passwords that are in no file, and a pin."""
    if args.key_auth or args.key_auth_prompt:
        note(
            "the profile needs the key's password; add --keyPass-file=FILE to its credential_process, or set "
            "TPM_KEY_AUTH for its users"
        )
    pinned = args.tpm_session_encrypt_with_name or args.tpm_session_encrypt_with_public
    if (args.persistent_handle is None or pinned) and parent.auth and not _parent_file(args):
        note(
            "the profile needs the parent's password; add --parentPass-file=FILE to its "
            "credential_process, or set TPM_PARENT_AUTH for its users"
        )
    if not pin and not pinned:
        note(
            "the profile pins no key of this TPM, because each run would need the owner's password to "
            "create it; --make-srk creates a key that can be pinned"
        )


def credential_process(args: Untyped, pin: str, key_name: bytes, *more: str) -> str:
    """The command line that uses the key that `tpmwire import` made with these options. It holds no secret.

    `more` are further options. Warns where the program will not be found.
    """
    key_id = args.aws_access_key_id or os.environ.get("AWS_ACCESS_KEY_ID") or PLACEHOLDER
    words = [f"--aws-access-key-id={key_id}"]
    if args.persistent_handle is not None:
        words += [f"--persistentHandle=0x{args.persistent_handle:08x}", f"--key-name={key_name.hex()}"]
        # A key file carries its policy; a handle does not.
        words += [f"--pcrs={args.pcrs}"] if args.pcrs else []
    else:
        file = "key.pem" if args.out == "-" else os.path.abspath(args.out)
        words.append(f"--credential-file={file}")
    words += _file_option("--parentPass-file", _parent_file(args))
    words += _file_option("--keyPass-file", args.key_auth_file)
    if args.tpm_path:
        words.append(f"--tpm-path={absolute_tpm_path(args.tpm_path)}")
    if pin.endswith("@h1"):
        # Each run makes that key, which takes a chip up to ten seconds.
        words.append("--timeout=30s")
    if args.tpm_session_encrypt_with_public:
        words += _file_option("--tpm-session-encrypt-with-public", args.tpm_session_encrypt_with_public)
    elif name := args.tpm_session_encrypt_with_name or pin:
        words.append(f"--tpm-session-encrypt-with-name={name}")
    start, problem = find_program()
    if problem:
        warn(problem)
    return join_line([*start, *words, *more])


def _needs_parent(args: Untyped) -> bool:
    """Whether a run needs the parent: for a key file or, beside a handle, for a pinned key of the owner's."""
    if args.persistent_handle is None:
        return True
    _, _, where = (args.tpm_session_encrypt_with_name or "@").partition("@")
    return bool(args.tpm_session_encrypt_with_public or where in ("h2", "h1", "srk", "srk-rsa"))


def _parent_file(args: Untyped) -> str | None:
    """The file with the password that a run needs for the parent."""
    if args.make_srk or not _needs_parent(args):
        return None
    own = args.parent_auth_file if args.parent != OWNER else args.parent_auth_file or args.owner_auth_file
    return own or None


def endpoint_options(region: str | None, profile: "Profile | None") -> list[str]:
    """The options by which a run asks the STS that is the profile's now: region, endpoint, FIPS, dual-stack, CAs.

    The region and FIPS may be the environment's, which may be gone when the line runs. An endpoint URL and CAs of
    the environment are of this environment only. Raises RequestError, UsageError.
    """
    found = []
    if region := region or configured_region(os.environ, profile):
        found.append(f"--aws-region={region}")
    ignoring = {name: value for name, value in os.environ.items() if name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}
    if url := configured_url("sts", None, ignoring, profile):
        found.append(f"--endpoint-url={url}")
    for kind in ("fips", "dualstack"):
        if is_enabled(f"AWS_USE_{kind.upper()}_ENDPOINT", os.environ, profile):
            found.append(f"--use-{kind}-endpoint")
    if bundle := profile and profile.get("ca_bundle"):
        path = os.path.expanduser(bundle)
        if path.startswith("~"):
            raise UsageError(f"ca_bundle of {profile}: cannot resolve {path}: no such home directory; set HOME")
        found.append(f"--ca-bundle={os.path.abspath(path)}")
    return found


def existing_profile(name: str) -> "Profile":
    """The profile with its settings; without any where it is not there yet. Raises RequestError."""
    config = load_config(os.environ)
    return config.profile(name) if name in config else Profile(name, {}, {})


def profile_lines(command: str, name: str) -> str:
    """A profile of ~/.aws/config."""
    return f"[{section_of(name)}]\ncredential_process = {command}"


def check_profile(name: str, *, force: bool) -> None:
    """Finds out what would fail when the key is made. Raises UsageError.

    That is also where the profile has a credential_process already, and `force` is not given.
    """
    check_writable(config_path())
    present = read_setting(config_path(), section_of(name), "credential_process")
    if present is not None and not force:
        raise UsageError(f"the profile {name} in {config_path()} has a credential_process; --force replaces it")
    check_overrides(existing_profile(name), force=force)
    warn_of_environment(name)


def write_profile(name: str, command: str) -> str:
    """Puts the profile into ~/.aws/config and leaves everything else there as it is; returns the file's path."""
    path = os.path.realpath(config_path())
    change(path, lambda text: set_settings(text, section_of(name), {"credential_process": command}))
    return path


def _file_option(option: str, path: str | None) -> list[str]:
    """Programs that read the profile run anywhere: the path has to be absolute."""
    return [f"{option}={os.path.abspath(path)}"] if path else []
