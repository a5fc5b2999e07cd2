"""The private key of a certificate in the TPM, and signatures by it."""

import contextlib
from collections.abc import Iterator
from hashlib import sha256

from tpmwire.crypto.spki import PublicKey, public_key_of
from tpmwire.errors import CREATE_ONE, LOST, KeyFileError, SessionError, TpmError
from tpmwire.keys.x509 import read_subject_public_key
from tpmwire.primary import read_loaded
from tpmwire.secret import EMPTY_AUTH
from tpmwire.spec.codes import TPM_RC_SCHEME
from tpmwire.spec.constants import TPM_ALG
from tpmwire.tpm import Tpm
from tpmwire.use.asymmetric import AsymmetricKey, explain_unfit_key, signature_octets

from ...terminal.files import read_small
from ...terminal.messages import UsageError
from ..key import key_from, opened_tpm
from ..settings import RunSettings

__all__ = ["advise_create_key", "certificate_key", "refuse_plaintext", "sign_in", "sign_with", "text_to_test"]

_TEST = b"AWS Roles Anywhere Credential Helper Signing Test1"

_PLAINTEXT = (b"PRIVATE KEY-----", b"ENCRYPTED PRIVATE KEY-----", b"RSA PRIVATE KEY-----", b"EC PRIVATE KEY-----")

_CREATE_KEY = "create a TPM key with `tpmwire roles-anywhere create-key`"
_LOST_KEY = (
    "a clear erases the key: create a new one with `tpmwire roles-anywhere create-key`, and have a certificate "
    "issued for it"
)

_OTHER_KEY = (
    "{}: the key does not belong to the certificate: their public keys differ; give the certificate that was "
    "issued for this key"
)


@contextlib.contextmanager
def advise_create_key() -> Iterator[None]:
    """Context manager that replaces advice for access keys in errors: a lost key needs a new certificate."""
    try:
        yield
    except TpmError as error:
        error.hint = error.hint.replace(LOST, _LOST_KEY)
        raise
    except (KeyFileError, SessionError) as error:
        error.args = (str(error).replace(LOST, _LOST_KEY).replace(CREATE_ONE, _CREATE_KEY), *error.args[1:])
        raise


def certificate_key(
    settings: RunSettings,
    expected: PublicKey,
    *,
    no_password: bool = False,
    hash_alg: TPM_ALG = TPM_ALG.SHA256,
) -> AsymmetricKey:
    """Returns the private key that the options describe, which belongs to the public key `expected`.

    With `no_password`, neither options nor environment give a password. Raises UsageError for a key file with
    another key, or with a key outside the TPM.
    """
    path = settings.credential_file
    if path is not None:
        refuse_plaintext(path)
    with advise_create_key():
        like = key_from(settings)
    if like.file is not None:
        if (unfit := explain_unfit_key(like.file.public, hash_alg)) is not None:
            raise KeyFileError(f"{path}: {unfit}")
        if public_key_of(like.file.public) != expected:
            raise UsageError(_OTHER_KEY.format(path))
    auth = EMPTY_AUTH if no_password else like.auth
    return AsymmetricKey(
        file=like.file,
        handle=like.handle,
        auth=auth,
        parent_auth=like.parent_auth,
        parent_auth_otherwise=like.parent_auth_otherwise,
        pcrs=like.pcrs,
        ek_parent=like.ek_parent,
        # A digest and its signature are not secret: a session protects only the passwords of key and parent.
        protected=like.protected and bool(auth or like.parent_auth or like.pin),
        pin=like.pin,
        name=like.name,
    )


def refuse_plaintext(path: str) -> None:
    """Raises UsageError if a file contains a private key in plaintext."""
    data = read_small(path)
    if b"-----BEGIN TSS2 PRIVATE KEY-----" not in data and any(label in data for label in _PLAINTEXT):
        raise UsageError(
            f"{path}: the private key is not in the TPM; create one there with `tpmwire roles-anywhere "
            "create-key`, and have a certificate issued for it (docs/roles-anywhere.md)"
        )


def sign_with(
    settings: RunSettings,
    key: AsymmetricKey,
    expected: PublicKey,
    text: bytes,
    hash_alg: TPM_ALG = TPM_ALG.SHA256,
) -> bytes:
    """Opens the TPM, signs `text`, and closes the TPM. Returns the signature: DER for ECDSA, PKCS #1 v1.5 for RSA.

    Raises the errors of `AsymmetricKey.sign_message`.
    """
    with opened_tpm(settings) as tpm:
        return sign_in(tpm, key, expected, text, hash_alg)


def sign_in(
    tpm: Tpm, key: AsymmetricKey, expected: PublicKey, text: bytes, hash_alg: TPM_ALG = TPM_ALG.SHA256
) -> bytes:
    """Returns the signature of `text` by a key in an open TPM.

    Raises UsageError if the key at a handle is not `expected`, and the errors of `sign_message`.
    """
    try:
        with advise_create_key():
            return signature_octets(key.sign_message(tpm, text, expected, hash_alg))
    except (SessionError, TpmError) as error:
        # Compared after the failure, because a valid signature already proves that the key is the expected one.
        wrong = error.code == TPM_RC_SCHEME if isinstance(error, TpmError) else "expected public key" in str(error)
        if key.handle is not None and wrong:
            _check_public_key(tpm, key.handle, expected)
        raise


def _check_public_key(tpm: Tpm, handle: int, expected: PublicKey) -> None:
    """Raises UsageError if the key at a handle can sign, but is not the key `expected`."""
    public = read_loaded(tpm, handle).public
    if explain_unfit_key(public) is None and public_key_of(public) != expected:
        raise UsageError(_OTHER_KEY.format(f"0x{handle:08x}"))


def text_to_test(public_key_der: bytes) -> bytes:
    """Returns the text that AWS's helper signs to test a key, for a SubjectPublicKeyInfo in DER."""
    return _TEST + sha256(b"IAM RA" + read_subject_public_key(public_key_der)).digest()
