"""Audits commands: the TPM signs a digest of the commands and responses of a session."""

import os

import tpmwire
from tpmwire import SessionStart, attest, calls, templates

nonce = os.urandom(16)  # of the verifier
with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    key = calls.create_primary(tpm, templates.attestation("ecc"))
    session = tpm.start_session(SessionStart())
    for _ in range(3):
        calls.random(tpm, 8, session.use(audit=True))
    attested = calls.certify_session(tpm, session, key, nonce)

info = attest.verify_session(*attested, key.public, nonce=nonce)
print("audited:", info.session_digest.hex())
