"""What belongs into ~/.aws/config for a key that is in the TPM."""

import os
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

__all__ = ["profile_lines"]

PLACEHOLDER = "AKIA..."


def profile_lines(args: "argparse.Namespace") -> str:
    """A profile that uses the key that `tpmwire import` made with these options. It holds no secret."""
    words = [f"--aws-access-key-id={os.environ.get('AWS_ACCESS_KEY_ID') or PLACEHOLDER}"]
    if args.persistent_handle is not None:
        words.append(f"--persistentHandle=0x{args.persistent_handle:08x}")
        # A key file carries its policy; a handle does not.
        words += [f"--pcrs={args.pcrs}"] if args.pcrs else []
    else:
        file = "key.pem" if args.out == "-" else os.path.abspath(args.out)
        words.append(f"--credential-file={file}")
        words += _file_option("--parentPass-file", args.parent_auth_file or args.owner_auth_file)
    words += _file_option("--keyPass-file", args.key_auth_file)
    for option in ("tpm_path", "tpm_session_encrypt_with_name"):
        value = getattr(args, option)
        words += [f"--{option.replace('_', '-')}={value}"] if value else []
    words += _file_option("--tpm-session-encrypt-with-public", args.tpm_session_encrypt_with_public)
    command = " ".join(shlex.quote(word) for word in ["aws-tpm-process-credential", *words])
    return f"[profile tpm]\ncredential_process = {command}"


def _file_option(option: str, path: str | None) -> list[str]:
    """Programs that read the profile run anywhere: the path has to be absolute."""
    return [f"{option}={os.path.abspath(path)}"] if path else []
