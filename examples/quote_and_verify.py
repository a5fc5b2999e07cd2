"""Quotes PCRs with an attestation key, and verifies the quote as a server does, without a TPM."""

import os

import tpmwire
from tpmwire import attest, calls, templates

nonce = os.urandom(20)  # of the server, new for each quote
with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    key = calls.create_primary(tpm, templates.attestation("ecc"))
    quote = calls.quote(tpm, key, "sha256:0,7", nonce)
    values = calls.pcr_read(tpm, "sha256:0,7")

verified = attest.verify(*quote, key.public, nonce=nonce, pcrs="sha256:0,7", values=values)
for (bank, pcr), value in verified.values.items():
    print(bank.name, pcr, value.hex())
