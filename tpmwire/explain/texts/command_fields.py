"""The meaning of handles and parameters that several commands have (TPM 2.0 Part 3)."""

__all__ = ["TEXT"]

TEXT = """
TPM2: Handles and parameters that several commands have.
 auth: the authValue (password) of the new object, index or sequence; empty for none. In other commands, the
   hierarchy whose authorization the command needs.
 authHandle: the hierarchy, or for NV commands the index itself, whose authorization the command needs.
 bits: the bits to set.
 buffer: the data, at most TPM_PT_INPUT_BUFFER bytes; longer data needs a sequence.
 capability: the kind of list (TPM_CAP).
 certifyInfo: what was attested (TPMS_ATTEST); its bytes, without the size, are signed.
 cpHashA: if not empty, the authorization is valid only for the command with this cpHash.
 checkTicket: the ticket of TPM2_VerifySignature for the signature of the policy.
 context: a context string of the signature scheme, usually empty; signer and verifier must use the same.
 counter: the number that identifies the ephemeral key for the second step.
 creationData: how the object was created: PCRs, parent, outsideInfo.
 creationHash: digest of creationData, with the object's nameAlg.
 creationPCR: PCRs whose values creationData records. They do not bind the object; a policy does.
 creationTicket: proof for TPM2_CertifyCreation that this TPM created the object.
 credentialBlob: the encrypted credential.
 curveID: the elliptic curve (TPM_ECC).
 data: the data.
 decrypt: YES to decrypt, NO to encrypt.
 digest: the digest to sign or verify, of the length of the scheme's hash.
 digests: digests, one for each bank.
 duplicate: the private area, encrypted for the new parent.
 encryptionKey: key of the inner wrapper; empty if there is none.
 expiration: seconds until the authorization ends; 0: never. If negative, the TPM also returns a ticket.
 fuData: a part of the firmware update.
 hashAlg: the hash; TPM_ALG_NULL for the key's own.
 hierarchy: the hierarchy whose secret proof value authenticates the ticket; TPM_RH_NULL for no ticket.
 inPoint: the other side's public point.
 inPrivate: the private area, encrypted by the parent.
 inPublic: the public area: type, attributes, policy and parameters (TPMT_PUBLIC), as a template or of an
   existing key.
 inScheme: the scheme, if the key has none (TPM_ALG_NULL); else TPM_ALG_NULL or the key's own.
 inSensitive: the authValue of the new object, and the secret itself if the caller supplies it: data to seal, an
   HMAC key.
 inSymSeed: the seed of the outer wrapper, encrypted to the new parent.
 ivIn: the initial value; empty for ECB. Use a new one for each message.
 ivOut: the initial value for the next part of the message.
 keyHandle: the loaded key.
 lockHandle: TPM_RH_LOCKOUT.
 mode: the mode of the cipher; TPM_ALG_NULL: the key's own.
 moreData: YES if the list continues; send the command again for the rest, from the next element on.
 name: the object's Name: nameAlg and the digest of its public area.
 newAuth: the new authValue; encrypt it with a session (attribute decrypt).
 nonceTPM: the session's nonceTPM, or empty for any session.
 nvIndex: the NV index.
 nvName: the index's Name, with its current attributes.
 nvPublic: the index's public area: attributes, size, policy.
 objectHandle: the loaded object; in a response, the handle of the new object, to be flushed after use.
 objectName: the Name of the object that the policy or credential is for.
 offset: the position of the first byte.
 operandB: the value to compare with.
 operation: the comparison (TPM_EO).
 outData: the result.
 outPoint: the shared point; derive a key from its x coordinate.
 outPrivate: the private area, encrypted by the parent: store it, because TPM2_Load needs it.
 outPublic: the public area, completed by the TPM: store it, because TPM2_Load needs it.
 outSymSeed: the seed of the outer wrapper, encrypted to the new parent.
 outsideInfo: any data from the caller, recorded in creationData.
 parentHandle: the storage key (restricted, decrypt) that protects the object.
 pcrHandle: the PCR.
 policyRef: data chosen by the signer or by the author of the policy, to tell authorizations apart; often empty.
 policySession: the policy or trial session whose digest the command extends.
 policyTicket: a ticket with which TPM2_PolicyTicket repeats the step, if expiration is negative; else empty.
 privacyAdminHandle: the endorsement hierarchy, whose authorization the command needs.
 property: the first element of the list: a number whose meaning depends on capability.
 publicInfo: the index's number, attributes, size, hash and policy.
 qualifyingData: any data, usually a nonce from the verifier. The attestation contains it, which proves that the
   attestation is new.
 result: the digest or HMAC.
 secret: the seed of the credential, encrypted to the endorsement key.
 sequenceHandle: the sequence, which holds the state of a hash, HMAC or signature.
 sessionHandle: the session.
 signHandle: the key that signs; TPM_RH_NULL for no signature.
 signature: the signature.
 size: the number of bytes.
 symmetricAlg: the cipher of the inner wrapper; TPM_ALG_NULL for none.
 timeout: when the authorization ends, for the ticket.
 validation: a ticket that proves to this TPM that it checked the data or signature before.
 auditInfo: what was attested (TPMS_ATTEST).
"""
