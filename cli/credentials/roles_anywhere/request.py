"""Certificate requests for a key in the TPM."""

import re
import shlex
from collections.abc import Sequence
from hashlib import sha256
from textwrap import indent

from tpmwire.channel import authorized_once
from tpmwire.crypto.formulas import name_of
from tpmwire.crypto.spki import PublicKey, build_public_key_der, public_key_of
from tpmwire.errors import AttestationError, KeyFileError, TpmError
from tpmwire.keys.csr import build_request, build_request_info
from tpmwire.primary import read_loaded
from tpmwire.secret import Secret
from tpmwire.spec.codes import TPM_RC_SCHEME
from tpmwire.spec.constants import TPM_ALG, TPMA_OBJECT
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.use.asymmetric import explain_unfit_key
from tpmwire.use.attesting import AttestingKey
from tpmwire.use.key import explain_missing_key

from ...terminal.files import read_key_file
from ...terminal.messages import UsageError
from ...tpm.key_argument import NamedKey, use_key
from ...tpm.statement import build_statement
from ..key import key_from, opened_tpm
from ..settings import RunSettings
from .key import advise_create_key, certificate_key, refuse_plaintext, sign_in

__all__ = ["certify_key", "extension_text", "issue_text", "read_public_area", "sign_request"]

_SPECIAL, _ESCAPED = r"([\\$#;'\"`])", r"\\\1"
"""Characters that have a meaning in OpenSSL's configuration files, and their replacement."""

_LONGEST_HASHED = 1024
"""Bytes that TPM2_Hash accepts."""


def read_public_area(settings: RunSettings) -> TPMT_PUBLIC:
    """Returns the public area of the key that the options describe.

    Raises UsageError or KeyFileError for a key that cannot sign a request, and TpmError for an empty handle.
    """
    if settings.credential_file is not None:
        refuse_plaintext(settings.credential_file)
        with advise_create_key():
            public, name = read_key_file(settings.credential_file).public, settings.credential_file
    else:
        handle = settings.persistentHandle or 0
        with opened_tpm(settings) as tpm, advise_create_key(), explain_missing_key(key_from(settings)):
            public, name = read_loaded(tpm, handle).public, f"0x{handle:08x}"
    if (unfit := explain_unfit_key(public)) is not None:
        raise KeyFileError(f"{name}: {unfit}")
    return public


def sign_request(settings: RunSettings, public: TPMT_PUBLIC, subject: bytes, names: bytes) -> bytes:
    """Returns a certificate request in DER, signed by the key with this public area.

    `subject` is a Name in DER, `names` the value of subjectAltName in DER or b"". Raises UsageError for a request
    that the key cannot sign, and the errors of `AsymmetricKey.sign_message`.
    """
    expected: PublicKey = public_key_of(public)
    info = build_request_info(subject, build_public_key_der(expected), names)
    if public.object_attributes & TPMA_OBJECT.RESTRICTED and len(info) > _LONGEST_HASHED:
        raise UsageError(
            f"the request is {len(info)} bytes long, but a restricted key signs at most {_LONGEST_HASHED}; remove "
            "alternative names, or create a key with `tpmwire roles-anywhere create-key`"
        )
    key = certificate_key(settings, expected)
    with opened_tpm(settings) as tpm:
        return build_request(info, sign_in(tpm, key, expected, info), rsa=public.type == TPM_ALG.RSA)


def certify_key(
    settings: RunSettings, request: bytes, public: TPMT_PUBLIC, by: NamedKey, by_auth: Secret
) -> dict[str, str]:
    """Returns a JSON object with a statement, signed by the key `by`, that the TPM has the key of a request.

    `request` is in DER; its SHA-256 digest is the nonce. `public` is the key's public area, `by_auth` the password
    of the key `by`. Raises AttestationError if verifiers would reject the key `by`, and the errors of
    `AttestingKey.certify`.
    """
    item, nonce = AttestingKey(**vars(certificate_key(settings, public_key_of(public)))), sha256(request).digest()
    try:
        with (
            opened_tpm(settings) as tpm,
            item.loaded(tpm) as handle,
            use_key(tpm, by, AttestingKey, by_auth, item.parent_auth) as key,
        ):
            made, signer = key.certify(tpm, handle, nonce, authorized_once(tpm, item.auth))
        return build_statement(made, signer, {"item": public.build().hex(), "name": name_of(public).hex()})
    except (AttestationError, TpmError) as error:
        if isinstance(error, AttestationError) or error.code == TPM_RC_SCHEME:
            error.add_note("--certify-by needs an attestation key, as `tpmwire ak` creates it")
        raise


def extension_text(dns: Sequence[str], uris: Sequence[str]) -> str:
    """Returns the extensions that Roles Anywhere requires, with the alternative names, for openssl's -extfile."""
    lines = [
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature",
        "extendedKeyUsage=clientAuth",
    ]
    names = [*(("DNS", name) for name in dns), *(("URI", uri) for uri in uris)]
    if names:
        lines += ["subjectAltName=@names", "[names]"]
        lines += [f"{kind}.{at}={re.sub(_SPECIAL, _ESCAPED, name)}" for at, (kind, name) in enumerate(names, 1)]
    return "\n".join(lines) + "\n"


def issue_text(request: str, extfile: str | None, extensions: str) -> str:
    """Returns instructions for issuing a certificate from the request in the file `request`.

    `extensions` is the text of the file `extfile`. If `extfile` is None, the user is told to write the file.
    """
    quoted, certificate = shlex.quote(request), shlex.quote(request.removesuffix(".csr") + ".pem")
    lines = f"Write these lines to the file ext:\n\n{indent(extensions, '  ')}\n" if extfile is None else ""
    return f"""
{lines}Issue the certificate with OpenSSL:

  openssl x509 -req -in {quoted} -CA ca.pem -CAkey ca.key -days 30 -sha256 \\
      -extfile {shlex.quote(extfile or "ext")} -out {certificate}

or with AWS Private CA (SHA256WITHRSA if the CA's key is RSA):

  aws acm-pca issue-certificate --certificate-authority-arn ARN \\
      --csr fileb://{quoted} --signing-algorithm SHA256WITHECDSA \\
      --template-arn arn:aws:acm-pca:::template/EndEntityClientAuthCertificate/V1 \\
      --validity Value=30,Type=DAYS"""
