"""Imports a private key of openssl (PEM) into the TPM, and writes the result as a key file."""

import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import tpmwire
from tpmwire import TPM_RH, KeyFile, calls, templates

pem, out = sys.argv[1:3] if len(sys.argv) > 2 else sys.exit("usage: import_openssl_key.py PEM-FILE KEY-FILE")

private = load_pem_private_key(Path(pem).read_bytes(), password=None)
assert isinstance(private, EllipticCurvePrivateKey | RSAPrivateKey)

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    parent = calls.create_primary(tpm, templates.h2_primary())  # the parent that key files name by 0x40000001
    blob = calls.import_private(tpm, parent, private)

file = KeyFile.of(blob.public, blob.private, TPM_RH.OWNER)
Path(out).write_text(file.to_pem())
