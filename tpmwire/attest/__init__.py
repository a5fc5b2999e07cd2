"""Verifies attestations of a TPM, on a host that needs no TPM.

>>> from tpmwire import Tpm, attest, calls, templates
>>> nonce = b"random bytes of the verifier"
>>> with Tpm.open() as tpm:
...     key = calls.create_primary(tpm, templates.attestation("ecc"))
...     values = calls.pcr_read(tpm, "sha256:0,7")
...     quote = calls.quote(tpm, key, "sha256:0,7", nonce)
>>> verified = attest.verify(*quote, key.public, nonce=nonce, pcrs="sha256:0,7", values=values)
"""

from ..errors import AttestationError
from .attestation_key import AttestationKey, certified_attestation_key, read_attestation_key
from .certifications import verify_certified, verify_creation, verify_nv, verify_session, verify_time
from .credentials import Credential, make_credential
from .go_attestation import AttestationParameters, CertificationParameters
from .quotes import PcrValues, VerifiedQuote
from .quotes import verify_quote as verify
from .statement import parse_statement, qualified_name

__all__ = [
    "AttestationError",
    "AttestationKey",
    "AttestationParameters",
    "CertificationParameters",
    "Credential",
    "PcrValues",
    "VerifiedQuote",
    "certified_attestation_key",
    "make_credential",
    "parse_statement",
    "qualified_name",
    "read_attestation_key",
    "verify",
    "verify_certified",
    "verify_creation",
    "verify_nv",
    "verify_session",
    "verify_time",
]
