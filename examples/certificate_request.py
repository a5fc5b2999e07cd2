"""Prints a certificate request (CSR) that a persistent key of the TPM has signed."""

import os

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

import tpmwire
from tpmwire import calls, templates

name = x509.Name.from_rfc4514_string("CN=machine.example.com,O=Example")

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    created = calls.create_primary(tpm, templates.signing("ecc"))
    key = calls.private_key(tpm, calls.persist(tpm, created, 0x81000100))
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())

print(request.public_bytes(Encoding.PEM).decode())
