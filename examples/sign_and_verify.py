"""Signs a message with a new ECC key, and verifies the signature in the TPM and on the host."""

import hashlib
import os

import tpmwire
from tpmwire import bridges, calls

message = b"a message of any length"

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    parent = calls.create_primary(tpm)
    key = calls.load(tpm, parent, calls.create(tpm, parent, "ecc:ecdsa-sha256:null"))
    signature = calls.sign_message(tpm, key, message)
    assert calls.verify(tpm, key, hashlib.sha256(message).digest(), signature)

bridges.verify_signature(key.public, signature, message)  # raises SignatureError if not valid
print(bridges.to_pem(key.public))
print(bridges.signature_to_der(signature).hex())
