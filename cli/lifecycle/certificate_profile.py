"""Profiles of IAM Roles Anywhere: their files, keys at persistent handles, and credential_process lines."""

import os
from collections.abc import Mapping
from urllib.parse import quote

from tpmwire.crypto.spki import public_key_of
from tpmwire.errors import EncodeError, TpmError, WireError
from tpmwire.primary import read_loaded
from tpmwire.spec.constants import TPMA_OBJECT
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.tpm import Tpm
from tpmwire.use.asymmetric import explain_unfit_key

from ..awsconfig.edit import config_path
from ..credentials.roles_anywhere.certificate import read_pair
from ..credentials.roles_anywhere.options import parse_helper_line
from ..credentials.roles_anywhere.session import CertificateSession
from ..terminal.messages import UsageError
from ..tpm.path import absolute_tpm_path, lasting_path
from .process_line import find_program, join_line

__all__ = ["certificate_files", "certificate_line", "find_certified_key", "is_suitable", "read_signing_keys"]

_TOOLBOX = "tpmwire"
_WANTED = TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN | TPMA_OBJECT.USER_WITH_AUTH


def certificate_files(profile: str) -> tuple[str, str, str]:
    """Returns the paths of a profile's certificate request, its extensions for OpenSSL, and its certificate.

    The files are beside ~/.aws/config.
    """
    base = os.path.join(os.path.dirname(os.path.realpath(config_path())), f"tpmwire-{quote(profile, safe='')}")
    return f"{base}.csr", f"{base}.ext", f"{base}.pem"


def read_signing_keys(tpm: Tpm, handles: list[int]) -> dict[int, TPMT_PUBLIC]:
    """Returns the keys at these handles that can sign for Roles Anywhere."""
    found = {}
    for handle in handles:
        try:
            public = read_loaded(tpm, handle).public
        except (TpmError, WireError):  # the object does not exist any more, or is of an unknown type
            continue
        if explain_unfit_key(public) is None:
            found[handle] = public
    return found


def is_suitable(public: TPMT_PUBLIC) -> bool:
    """Returns whether the TPM created the key, and the key signs any data without a policy."""
    return public.object_attributes & (_WANTED | TPMA_OBJECT.RESTRICTED) == _WANTED


def find_certified_key(certificate: str, keys: Mapping[int, TPMT_PUBLIC]) -> int:
    """Returns the handle of the key to which the certificate in a file belongs.

    Raises UsageError if there is none, or if Roles Anywhere would refuse the certificate.
    """
    expected = read_pair(certificate, None).public_key
    for handle, public in keys.items():
        try:
            if public_key_of(public) == expected:
                return handle
        except EncodeError:
            continue
    raise UsageError(
        f"{certificate}: no persistent key of this TPM belongs to the certificate; give the certificate that was "
        "issued for the key, or use `tpmwire persist` for a key file"
    )


def certificate_line(certificate: str, handle: int, arns: Mapping[str, str], tpm_path: str | None) -> str:
    """Returns the credential_process line of a profile.

    `arns` maps options, such as "role-arn", to ARNs. Raises UsageError or RequestError for a certificate or ARNs
    that Roles Anywhere would refuse.
    """
    words = [f"--certificate={certificate}", f"--private-key=handle:0x{handle:08x}"]
    words += [f"--{option}={arn}" for option, arn in arns.items()]
    # The environment variable that names the TPM now may be unset when the line runs.
    words += [f"--tpm-path={absolute_tpm_path(path)}"] if (path := lasting_path(tpm_path)) else []
    CertificateSession(parse_helper_line(words))
    start, _ = find_program(_TOOLBOX)
    return join_line([*start, "roles-anywhere", "credential-process", *words])
