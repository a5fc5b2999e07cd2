"""Signing keys made in a software TPM, for certificates."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tpmwire.calls.objects import create
from tpmwire.crypto.public_key_formats import to_cryptography
from tpmwire.keys.keyfile import KeyFile
from tpmwire.keys.template_names import parse_template
from tpmwire.keys.templates import h2_primary
from tpmwire.policy.policy import Policy
from tpmwire.primary import create_primary
from tpmwire.secret import EMPTY_AUTH, Secret
from tpmwire.spec.constants import TPM_RH
from tpmwire.tpm import Tpm
from tpmwire.use.key import Key
from tpmwire.use.load import persist_key

__all__ = ["make_signing_key", "public_key_of_file"]

PLAIN = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign"


def make_signing_key(
    tpm: Tpm,
    name: str = "ecc:ecdsa-sha256",
    attributes: str = PLAIN,
    *,
    auth: Secret = EMPTY_AUTH,
    policy: Policy | None = None,
    handle: int | None = None,
    out: Path | None = None,
) -> KeyFile:
    """A key under the owner hierarchy's primary key; also persistent at `handle`, and in the file `out`."""
    parent = create_primary(tpm, TPM_RH.OWNER, h2_primary())
    template = parse_template(name, attributes, policy=policy or b"")
    blob = create(tpm, parent.handle, template, auth=auth)
    tpm.flush(parent.handle)
    steps: dict[str, Any] = {} if policy is None else {"policy": policy.to_steps()}
    file = KeyFile.of(blob.public, blob.private, TPM_RH.OWNER, empty_auth=not auth, **steps)
    if handle is not None:
        persist_key(Key(file=file, protected=False), tpm, handle)
    if out is not None:
        out.write_text(file.to_pem())
    return file


def public_key_of_file(file: KeyFile) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    """The public key of a key file, for `cryptography`."""
    found = to_cryptography(file.public)
    assert isinstance(found, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    return found
