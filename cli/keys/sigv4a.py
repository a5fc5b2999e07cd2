"""Derives the P-256 key of SigV4A from an AWS secret, and stores the key in the TPM beside the HMAC key.

The key is derived from access key id and secret (`sigv4.sigv4a`), and is in memory during the import. TPM2_Create
cannot create this key from given bytes, so the key is wrapped for its parent and imported.
"""

import os
import re
from importlib.util import find_spec

from sigv4.sigv4a import derive_private_value
from tpmwire.crypto.formulas import random_bytes
from tpmwire.keys.keyfile import KeyFile
from tpmwire.keys.wrapping import duplicate, ecdsa_key_areas
from tpmwire.secret import Secret
from tpmwire.spec.commands.duplication import Import
from tpmwire.spec.constants import TPM_ALG, TPM_CAP, TPM_CC, TPM_ECC, TPMA_OBJECT
from tpmwire.spec.structures import TPMT_PUBLIC, TPMT_SENSITIVE, TPMT_SYM_DEF_OBJECT
from tpmwire.state.capabilities import capabilities, commands
from tpmwire.tpm import Tpm
from tpmwire.use.ecdsa import EcdsaKey, check_signature

from ..terminal.messages import UsageError
from .create import NewKey, Order, usable_key
from .persist import load_under
from .place import Place, check_path

__all__ = [
    "check_installed",
    "check_places",
    "check_tpm",
    "make_sigv4a_key",
    "private_value",
    "required_key_id",
    "sigv4a_areas",
]


def check_places(sigv4a: Place, hmac: Place, *, force: bool) -> None:
    """Checks the files and handles of both keys before the TPM is opened and the secret is read.

    Raises UsageError if both keys have the same file or handle, or if a file cannot be written.
    """
    if sigv4a.file and hmac.file and _normalize_path(sigv4a.file) == _normalize_path(hmac.file):
        raise UsageError(f"{hmac.file} is given for two keys; choose another file for --sigv4a-out")
    if sigv4a.handle is not None and sigv4a.handle == hmac.handle:
        raise UsageError(f"0x{sigv4a.handle:08x} is given for two keys; choose another handle for --sigv4a-handle")
    if sigv4a.file:
        check_path(sigv4a.file, "--sigv4a-out", force=force)


def _normalize_path(path: str) -> str:
    """Returns the path in canonical form, for comparison; does not follow a symbolic link at its end."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def check_installed() -> None:
    """Raises ModuleNotFoundError if `cryptography` is missing, as is possible for the single-file tpmwire."""
    if find_spec("cryptography") is None:
        raise ModuleNotFoundError("no cryptography", name="cryptography")


def required_key_id(given: str | None) -> str:
    """Returns the access key id from which the SigV4A key is derived: `given`, else AWS_ACCESS_KEY_ID.

    Raises UsageError without a valid id, and the errors of `check_installed`.
    """
    check_installed()
    key_id = given or os.environ.get("AWS_ACCESS_KEY_ID") or ""
    if not re.fullmatch("[A-Za-z0-9_]{1,128}", key_id):
        raise UsageError(
            "the SigV4A key is derived from the secret and the access key id; give --aws-access-key-id "
            "(or AWS_ACCESS_KEY_ID), such as AKIA..."
        )
    return key_id


def check_tpm(tpm: Tpm) -> None:
    """Checks, before the secret is read, that this TPM can hold the key, and raises UsageError otherwise."""
    present = commands(tpm)
    lacking = [code.name for code in (TPM_CC.Import, TPM_CC.Sign) if code not in present]
    if TPM_ECC.NIST_P256 not in capabilities(tpm, TPM_CAP.ECC_CURVES):
        lacking.append("the curve P-256")
    if lacking:
        raise UsageError(
            f"this TPM lacks {' and '.join(lacking)}, so it cannot hold a SigV4A key; remove --sigv4a-..."
        )


def private_value(octets: Secret, key_id: str) -> Secret:
    """Derives the 32-byte private key of SigV4A. `octets` is the HMAC key: "AWS4" and the secret."""
    return Secret(derive_private_value(key_id, octets.reveal().removeprefix(b"AWS4")).to_bytes(32, "big"))


def sigv4a_areas(order: Order, beside: TPMT_PUBLIC, key_id: str) -> tuple[TPMT_PUBLIC, TPMT_SENSITIVE]:
    """Returns (public area, sensitive area) of the SigV4A key.

    `order` is the request for the HMAC key, `beside` the HMAC key's public area.
    """
    private = private_value(order.secret, key_id)
    public, sensitive = ecdsa_key_areas(private, auth=order.auth, auth_policy=beside.auth_policy)
    # An imported key cannot be fixedTPM. It cannot leave the TPM because its policy does not allow TPM2_Duplicate.
    fixed = TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT
    return public.replace(object_attributes=TPMA_OBJECT(beside.object_attributes & ~fixed)), sensitive


def make_sigv4a_key(tpm: Tpm, order: Order, hmac_key: NewKey, key_id: str) -> NewKey:
    """Imports and loads the SigV4A key with the HMAC key's password and policy, and verifies a test signature.

    Call after `make_key`, whose TPM2_Create has proven in the session that the TPM holds the parent. Only that TPM
    can then unwrap the key. Raises TpmError if the TPM refuses, SessionError if the signature is invalid.
    """
    beside, parent = hmac_key.file, hmac_key.parent
    public, sensitive = sigv4a_areas(order, beside.public, key_id)
    wrapped = duplicate(public, sensitive, parent.key.public)
    answer = tpm.execute(
        Import(
            parent.key.handle,
            b"",
            wrapped.public,
            wrapped.private,
            wrapped.seed,
            TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL),
        ),
        parent.session.use(parent.auth),
    )
    file = KeyFile.of(
        wrapped.public,
        answer.out_private,
        order.parent,
        empty_auth=not order.auth,
        rsa_parent=beside.rsa_parent,
        policy=beside.policy,
        auth_policy=beside.auth_policy,
    )
    key = NewKey(file, load_under(tpm, parent, file.public, file.private), parent)
    if not order.ways:
        # The Name is that of the public area computed here, not one that the TPM returned.
        digest = random_bytes(32)
        check_signature(public, digest, usable_key(EcdsaKey, order, key).sign(tpm, digest))
    return key
