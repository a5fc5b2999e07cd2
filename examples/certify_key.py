"""Certifies that a key is in the TPM: an attestation key signs its Name."""

import os

import tpmwire
from tpmwire import attest, calls, templates

nonce = os.urandom(20)

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    attestation_key = calls.create_primary(tpm, templates.attestation("ecc"))
    key = calls.create_primary(tpm, templates.signing("ecc384"))
    certified = calls.certify(tpm, key, attestation_key, nonce)

# The verifier needs no TPM: it knows the attestation key, and the public area of the key.
attest.verify_certified(*certified, attestation_key.public, nonce=nonce, item=key.public)
print(f"a TPM has the key {key.name.hex()}")
