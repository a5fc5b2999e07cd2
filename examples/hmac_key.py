"""Creates an HMAC key that the TPM never releases, and computes an HMAC with it."""

import os

import tpmwire
from tpmwire import Password, calls

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    parent = calls.create_primary(tpm)
    blob = calls.create(tpm, parent, "hmac:sha256", auth=b"a password")
    key = calls.load(tpm, parent, blob)
    print(calls.hmac(tpm, key, b"data of any length" * 1000, by=Password(b"a password")).hex())
