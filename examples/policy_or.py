"""Seals data that can be unsealed with PCR values or with a password."""

import os

import tpmwire
from tpmwire import TPM_ALG, Policy, PolicyAuthValue, PolicyOR, calls

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    by_pcrs = Policy(calls.pcr_policy(tpm, "sha256:16"))
    by_password = Policy(PolicyAuthValue())
    either = PolicyOR.of(TPM_ALG.SHA256, by_pcrs, by_password)
    parent = calls.create_primary(tpm)
    blob = calls.seal(tpm, parent, b"to be kept", auth=b"a password", policy=Policy(either))

    with calls.satisfy_policy(tpm, by_pcrs, either) as by:
        print("with PCRs:", calls.unseal(tpm, parent, blob, by=by).decode())
    with calls.satisfy_policy(tpm, by_password, either, auth=b"a password") as by:
        print("with the password:", calls.unseal(tpm, parent, blob, by=by).decode())
