"""Prints a certificate request (CSR) that a persistent key of the TPM has signed."""

import os

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

import tpmwire
from tpmwire import calls, templates

name = x509.Name.from_rfc4514_string("CN=machine.example.com,O=Example")

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    try:
        key = calls.read_public(tpm, 0x81000100)  # created by an earlier run
    except tpmwire.TpmError:
        key = calls.persist(tpm, calls.create_primary(tpm, templates.signing("ecc")), 0x81000100)
    private = calls.private_key(tpm, key)
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(private, SHA256())

print(request.public_bytes(Encoding.PEM).decode())
