"""The credential_process line of a new key, and notes about the passwords that it does not contain."""

import os
from collections.abc import Sequence

from tpmwire.channel import read_loaded
from tpmwire.primary import Loaded
from tpmwire.secret import Secret
from tpmwire.spec.constants import TPM_ALG, TPM_HT
from tpmwire.state import nv
from tpmwire.tpm import Tpm

from ..keys.location import Place
from ..keys.options import OWNER, SRK, Parentage, ParentageSettings, PinSettings
from ..terminal.messages import note, warn
from ..terminal.options import TpmSettings
from ..tpm.options import KeySettings
from ..tpm.path import absolute_tpm_path, lasting_path
from ..tpm.pins import ENCODED, encode_public
from .process_line import find_program, join_line

__all__ = ["LineSettings", "credential_process", "salt_pin", "tell_passwords"]

PLACEHOLDER = "AKIA..."


class LineSettings(KeySettings, ParentageSettings, PinSettings, TpmSettings):
    """The options of `import` and `enroll` that the new credential_process line repeats."""

    pcrs: str | None


def salt_pin(tpm: Tpm, parent: Loaded, *, persistent: bool, owner: Secret) -> str:
    """Returns the option that pins the key for encrypting the salt of later runs' sessions, or "".

    A persistent `parent` is pinned by its public area, so that runs need not read it. Otherwise, for a persistent
    key (`persistent`), the storage root key is pinned in the same way if the TPM has one. Otherwise the option
    contains the Name of `parent`, a primary key that each run creates. If each run would need the owner's password
    to create the parent of a persistent key, no key is pinned, and the result is "". The public area and Name come
    from this TPM: they are trusted on first use, and required afterwards.
    """
    if parent.handle >> 24 == TPM_HT.PERSISTENT:
        return f"--tpm-session-encrypt-with-public={encode_public(parent.public, parent.handle)}"
    if persistent and nv.handles(tpm, SRK, SRK):
        root = read_loaded(tpm, SRK)
        if root.public.type in (TPM_ALG.ECC, TPM_ALG.RSA, TPM_ALG.MLKEM):
            return f"--tpm-session-encrypt-with-public={encode_public(root.public, SRK)}"
    if persistent and owner:
        return ""
    where = "h1" if parent.public.type == TPM_ALG.RSA else "h2"
    return f"--tpm-session-encrypt-with-name={parent.name.hex()}@{where}"


def tell_passwords(args: LineSettings, place: Place, parent: Parentage, pin: str) -> None:
    """Prints notes about passwords that a new profile needs but that are in no file, and about a missing pin.

    `pin` is the result of `salt_pin`.
    """
    if args.key_auth or args.key_auth_prompt:
        note(
            "the profile needs the key's password; add --keyPass-file=FILE to its credential_process, or set "
            "TPM_KEY_AUTH for its users"
        )
    pinned = args.tpm_session_encrypt_with_name or args.tpm_session_encrypt_with_public
    if (place.handle is None or pinned) and parent.auth and not _parent_file(args, place):
        note(
            "the profile needs the parent's password; add --parentPass-file=FILE to its "
            "credential_process, or set TPM_PARENT_AUTH for its users"
        )
    if not pin and not pinned:
        note(
            "the profile pins no key of this TPM, because each run would need the owner's password to "
            "create the pinned key; --make-srk creates a key that can be pinned"
        )


def credential_process(
    args: LineSettings, key_id: str, place: Place, pin: str, key_name: bytes, more: Sequence[str] = ()
) -> str:
    """Returns the credential_process line for the key at `place`; passwords are given by their files only.

    `key_id` is the access key id, or "" for a placeholder. `pin` is the option from `salt_pin`, used if the user
    pins no key. `key_name` is the key's Name. `more` lists further options. Prints a warning if the program for
    the line cannot be found or executed.
    """
    words = [f"--aws-access-key-id={key_id or PLACEHOLDER}"]
    if place.handle is not None:
        words += [f"--persistentHandle=0x{place.handle:08x}", f"--key-name={key_name.hex()}"]
        # A key file states the key's policy, so PCRs are needed only with a handle.
        words += [f"--pcrs={args.pcrs}"] if args.pcrs else []
    else:
        words.append(f"--credential-file={place.absolute.file or 'key.pem'}")
    words += _file_option("--parentPass-file", _parent_file(args, place))
    words += _file_option("--keyPass-file", args.key_auth_file)
    # The environment variable that names the TPM now may be unset when the line runs.
    if path := lasting_path(args.tpm_path):
        words.append(f"--tpm-path={absolute_tpm_path(path)}")
    if pin.endswith("@h1"):
        # Each run creates the pinned key, which takes some TPMs up to ten seconds.
        words.append("--timeout=30s")
    words += _pin_options(args) or ([pin] if pin else [])
    start, problem = find_program()
    if problem:
        warn(problem)
    return join_line([*start, *words, *more])


def _pin_options(args: LineSettings) -> list[str]:
    """Returns the option with which the user pins a key, in a list; [] if the user pins none."""
    name, public = args.tpm_session_encrypt_with_name, args.tpm_session_encrypt_with_public
    if public and public.startswith(ENCODED):
        return [f"--tpm-session-encrypt-with-public={public}"]
    if public:
        return _file_option("--tpm-session-encrypt-with-public", public)
    return [f"--tpm-session-encrypt-with-name={name}"] if name else []


def _needs_parent(args: LineSettings, place: Place) -> bool:
    """Returns whether a run needs the parent's password: for a key file, or to create a pinned key."""
    if place.handle is None:
        return True
    pin = args.tpm_session_encrypt_with_public or args.tpm_session_encrypt_with_name or ""
    if pin == args.tpm_session_encrypt_with_public and not pin.startswith(ENCODED):
        return True  # the key in the file may have to be created
    return pin.partition("@")[2] in ("h2", "h1", "srk", "srk-rsa")


def _parent_file(args: LineSettings, place: Place) -> str | None:
    """Returns the path of the file with the parent's password; None if runs need no file or have none."""
    if args.make_srk or not _needs_parent(args, place):
        return None
    own = args.parent_auth_file if args.parent != OWNER else args.parent_auth_file or args.owner_auth_file
    return own or None


def _file_option(option: str, path: str | None) -> list[str]:
    """Returns [OPTION=PATH], or [] without a path. PATH is absolute, since SDKs run the line in any directory."""
    return [f"{option}={os.path.abspath(path)}"] if path else []
