"""Certifies that a key is in the TPM: an attestation key signs its Name."""

import os

import tpmwire
from tpmwire import attest, bridges, calls, templates

nonce = os.urandom(20)

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    attestation_key = calls.create_primary(tpm, templates.attestation("ecc"))
    key = calls.create_primary(tpm, templates.signing("ecc384"))
    certified = calls.certify(tpm, key, attestation_key, nonce)

bridges.verify_signature(attestation_key.public, certified.signature, certified.message)
statement = attest.parse_statement(certified.message)
assert statement.extra_data == nonce
assert statement.attested.name == key.name
print(f"a TPM has the key {key.name.hex()}")
