"""Audits commands: the TPM signs a digest of the commands and responses of a session."""

import os

import tpmwire
from tpmwire import TPM_ALG, TPM_RH, Password, SessionStart, attest, bridges, calls, commands, templates
from tpmwire.spec.structures import TPMT_SIG_SCHEME

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    key = calls.create_primary(tpm, templates.attestation("ecc"))
    session = tpm.start_session(SessionStart())
    for _ in range(3):
        calls.random(tpm, 8, session.use(audit=True))
    scheme = TPMT_SIG_SCHEME(TPM_ALG.NULL)
    command = commands.GetSessionAuditDigest(TPM_RH.ENDORSEMENT, key.handle, session.handle, b"nonce", scheme)
    response = tpm.execute(command, Password(), Password())

bridges.verify_signature(key.public, response.signature, response.audit_info)
statement = attest.parse_statement(response.audit_info)
print("audited:", statement.attested.session_digest.hex())
