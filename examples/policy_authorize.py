"""Seals data to PCR values that a signing key approves, including values approved later."""

import os

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

import tpmwire
from tpmwire import Policy, PolicyAuthorize, bridges, calls

approver = ec.generate_private_key(ec.SECP256R1())  # of an administrator, not on this machine
authorize = PolicyAuthorize(bridges.from_cryptography(approver))

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    parent = calls.create_primary(tpm)
    blob = calls.seal(tpm, parent, b"for approved states", policy=Policy(authorize))

    calls.pcr_event(tpm, 16, b"a firmware update")
    pcrs = Policy(calls.pcr_policy(tpm, "sha256:16"))
    message = pcrs.digest() + authorize.policy_ref  # the administrator signs it after a check of the update
    signature = bridges.signature_from_der(approver.sign(message, ec.ECDSA(SHA256())))
    with calls.satisfy_policy(tpm, pcrs, authorize.replace(signature=signature)) as by:
        print(calls.unseal(tpm, parent, blob, by=by).decode())
    calls.pcr_reset(tpm, 16)
