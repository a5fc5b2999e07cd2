"""Agrees on a secret with a peer: ECDH with a key in the TPM and a key of `cryptography`."""

import os

from cryptography.hazmat.primitives.asymmetric import ec

import tpmwire
from tpmwire import EccPrivateKey, calls, templates

peer = ec.generate_private_key(ec.SECP256R1())

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    key = EccPrivateKey(tpm, calls.create_primary(tpm, templates.decryption("ecc")))
    secret = key.exchange(ec.ECDH(), peer.public_key())

assert secret == peer.exchange(ec.ECDH(), key.public_key())
print(f"both have the same {len(secret)} bytes")
