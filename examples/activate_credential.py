"""Proves to a server that an attestation key and a known endorsement key are in the same TPM."""

import os

import tpmwire
from tpmwire import TPM_RH, Policy, PolicySecret, attest, calls, templates

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    ek = calls.create_primary(tpm, templates.ek_ecc(), TPM_RH.ENDORSEMENT)
    key = calls.create_primary(tpm, templates.attestation("ecc"), TPM_RH.ENDORSEMENT)

    # The server, which needs no TPM, knows the endorsement key by its certificate.
    secret = b"a secret of the server"
    credential = attest.make_credential(ek.public, key.name, secret)

    # Only this TPM returns the secret, and only if it has the key.
    with calls.satisfy_policy(tpm, Policy(PolicySecret.of(TPM_RH.ENDORSEMENT))) as by:
        returned = calls.activate_credential(tpm, key, ek, credential, ek_by=by)

assert returned == secret
print("the key is in the TPM")
