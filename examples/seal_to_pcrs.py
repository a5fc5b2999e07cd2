"""Seals data to the values of PCRs: the TPM releases them only while the PCRs have these values."""

import os

import tpmwire
from tpmwire import Policy, TpmError, calls

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    policy = Policy(calls.pcr_policy(tpm, "sha256:7,16"))
    parent = calls.create_primary(tpm)
    blob = calls.seal(tpm, parent, b"for this state only", policy=policy)
    with calls.satisfy_policy(tpm, policy) as by:
        print(calls.unseal(tpm, parent, blob, by=by).decode())

    calls.pcr_event(tpm, 16, b"something happened")
    try:
        with calls.satisfy_policy(tpm, policy) as by:
            calls.unseal(tpm, parent, blob, by=by)
    except TpmError as error:
        print(f"refused: {error}")
    calls.pcr_reset(tpm, 16)
