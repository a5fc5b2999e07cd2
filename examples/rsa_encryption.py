"""Encrypts data with the public key of an RSA key on the host, and decrypts the data in the TPM."""

import os

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA256

import tpmwire
from tpmwire import RsaPrivateKey, calls, templates

padding = OAEP(MGF1(SHA256()), SHA256(), label=None)

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    loaded = calls.create_primary(tpm, templates.decryption("rsa2048"))
    key = RsaPrivateKey(tpm, loaded)
    encrypted = key.public_key().encrypt(b"a secret", padding)
    assert key.decrypt(encrypted, padding) == b"a secret"
    print(calls.rsa_decrypt(tpm, loaded, encrypted).decode())  # the same without `cryptography`
