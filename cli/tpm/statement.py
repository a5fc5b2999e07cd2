"""Statements of the TPM about an object, as JSON that `tpmwire checkcertify` verifies."""

from collections.abc import Mapping

from tpmwire.attest.attestation_key import read_attestation_key
from tpmwire.calls import Attested
from tpmwire.spec.structures import TPMT_PUBLIC

__all__ = ["build_statement"]


def build_statement(made: Attested, public: TPMT_PUBLIC, about: Mapping[str, str]) -> dict[str, str]:
    """Returns the attestation as a JSON object, with the fields `about` of the certified object.

    `public` is the public area of the attestation key. Raises AttestationError if verifiers would reject the key.
    """
    key = read_attestation_key(public)
    key.check_attributes()
    key.check_signature(made.message, made.signature)
    return {
        "message": made.message.hex(),
        "signature": made.signature.build().hex(),
        "public": public.build().hex(),
        **about,
    }
