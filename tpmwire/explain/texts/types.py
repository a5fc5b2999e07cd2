"""The purpose of types without a description of their own: interface types, buffers, lists, unions (Part 2)."""

__all__ = ["TEXT"]

TEXT = """
TPM_ECC_CURVE: The number of an elliptic curve.
TPMI_YES_NO: 0 for no, 1 for yes.
TPMI_DH_OBJECT: The handle of a transient or persistent object.
TPMI_DH_PARENT: The handle of a storage key or hierarchy.
TPMI_DH_PERSISTENT: The handle of a persistent object.
TPMI_DH_ENTITY: The handle of anything with an authValue.
TPMI_DH_PCR: The handle of a PCR.
TPMI_SH_AUTH_SESSION: The handle of a session, or TPM_RS_PW for a password.
TPMI_SH_HMAC: The handle of an HMAC session.
TPMI_SH_POLICY: The handle of a policy session.
TPMI_DH_CONTEXT: The handle of an object or session that TPM2_ContextSave can save.
TPMI_DH_SAVED: The kind of a saved context.
TPMI_RH_HIERARCHY: The handle of a hierarchy.
TPMI_RH_HIERARCHY_AUTH: The handle of a hierarchy with a password, or of lockout.
TPMI_RH_HIERARCHY_POLICY: The handle of a hierarchy with a policy, of lockout, or of a timer.
TPMI_RH_OWNER: The owner hierarchy.
TPMI_RH_PROVISION: The owner or platform hierarchy.
TPMI_RH_CLEAR: Lockout or the platform, which may clear the TPM.
TPMI_RH_LOCKOUT: The lockout hierarchy.
TPMI_RH_PLATFORM: The platform hierarchy.
TPMI_RH_ENDORSEMENT: The endorsement hierarchy.
TPMI_RH_ENABLES: A hierarchy that can be enabled and disabled.
TPMI_RH_NV_AUTH: Owner, platform, or the NV index itself.
TPMI_RH_NV_INDEX: The handle of an NV index.
TPMI_RH_AC: The handle of an attached component.
TPMI_RH_ACT: The handle of a countdown timer.
TPMI_ALG_HASH: A hash algorithm, or TPM_ALG_NULL.
TPMI_ALG_ASYM: An asymmetric algorithm, or TPM_ALG_NULL.
TPMI_ALG_SYM: A symmetric algorithm or XOR, for sessions; or TPM_ALG_NULL.
TPMI_ALG_SYM_OBJECT: A symmetric algorithm for storage keys and symmetric keys, or TPM_ALG_NULL.
TPMI_ALG_SYM_MODE: A mode of a cipher, or TPM_ALG_NULL.
TPMI_ALG_KDF: A key derivation function, or TPM_ALG_NULL.
TPMI_ALG_SIG_SCHEME: A signature scheme, or TPM_ALG_NULL.
TPMI_ALG_MAC_SCHEME: A MAC: HMAC or CMAC, or TPM_ALG_NULL.
TPMI_ALG_CIPHER_MODE: A mode of a cipher for data, or TPM_ALG_NULL.
TPMI_ECC_KEY_EXCHANGE: A key agreement, or TPM_ALG_NULL.
TPMI_ALG_ASYM_SCHEME: A scheme of an asymmetric key, or TPM_ALG_NULL.
TPMI_ALG_RSA_SCHEME: A scheme of an RSA key, or TPM_ALG_NULL.
TPMI_ALG_RSA_DECRYPT: A padding for RSA encryption, or TPM_ALG_NULL.
TPMI_ALG_ECC_SCHEME: A scheme of an ECC key, or TPM_ALG_NULL.
TPMI_ALG_KEYEDHASH_SCHEME: HMAC or XOR, or TPM_ALG_NULL for sealed data.
TPMI_ALG_PUBLIC: The type of an object: RSA, ECC, KEYEDHASH, SYMCIPHER, MLKEM, MLDSA.
TPMI_ECC_CURVE: An elliptic curve.
TPMI_MLKEM_PARMS: A parameter set of ML-KEM.
TPMI_MLDSA_PARMS: A parameter set of ML-DSA.
TPMI_ST_COMMAND_TAG: The tag of a command: with or without authorizations.
TPMI_ST_ATTEST: The tag of an attestation.
TPMI_RSA_KEY_BITS: Bits of an RSA key: 1024, 2048, 3072 or 4096.
TPMI_AES_KEY_BITS: Bits of an AES key: 128, 192 or 256.
TPM2B_DIGEST: A digest, or other data at most as long as the longest hash.
TPM2B_DATA: Data from the caller, at most as long as a Name.
TPM2B_NONCE: A nonce of a session.
TPM2B_AUTH: An authValue (password). Zero bytes at its end do not count.
TPM2B_OPERAND: A value to compare with.
TPM2B_EVENT: Data of an event to hash into PCRs.
TPM2B_MAX_BUFFER: Data of one command or response, at most TPM_PT_INPUT_BUFFER bytes.
TPM2B_MAX_NV_BUFFER: Data of an NV index, at most TPM_PT_NV_BUFFER_MAX bytes.
TPM2B_TIMEOUT: When an authorization ends, in a format of the TPM.
TPM2B_IV: The initial value of a cipher, one block.
TPM2B_NAME: A Name: nameAlg and the digest of a public area; for PCRs, sessions and hierarchies, the handle
   itself.
TPM2B_SHARED_SECRET: The secret that both sides of a key encapsulation share.
TPM2B_KEM_CIPHERTEXT: The ciphertext from which the owner of a KEM key computes the secret.
TPM2B_SYM_KEY: A symmetric key.
TPM2B_LABEL: A label that tells derived keys apart.
TPM2B_DERIVE: Label and context of a derived object.
TPM2B_SENSITIVE_DATA: The secret that the caller supplies: data to seal, or a key.
TPM2B_SENSITIVE_CREATE: The authValue and secret of a new object.
TPM2B_PUBLIC_KEY_RSA: The modulus of an RSA key.
TPM2B_PRIVATE_KEY_RSA: A prime of an RSA key.
TPM2B_ECC_PARAMETER: A coordinate or number of an elliptic curve.
TPM2B_ECC_POINT: A point of an elliptic curve.
TPM2B_PUBLIC_KEY_MLKEM: A public key of ML-KEM.
TPM2B_PRIVATE_KEY_MLKEM: The seed of an ML-KEM key.
TPM2B_PUBLIC_KEY_MLDSA: A public key of ML-DSA.
TPM2B_PRIVATE_KEY_MLDSA: The seed of an ML-DSA key.
TPM2B_SIGNATURE_EDDSA: A signature of EdDSA.
TPM2B_SIGNATURE_MLDSA: A signature of ML-DSA.
TPM2B_SIGNATURE_CTX: The context string of a signature, usually empty.
TPM2B_SIGNATURE_HINT: The part of a signature that verification needs first.
TPM2B_ENCRYPTED_SECRET: A seed or salt, encrypted to a key: RSA ciphertext, ephemeral ECC point or ML-KEM
   ciphertext.
TPM2B_PUBLIC: The public area of an object, with its size.
TPM2B_TEMPLATE: The public area of an object as a template.
TPM2B_SENSITIVE: The sensitive area of an object, not encrypted.
TPM2B_PRIVATE: The private area of an object, encrypted and protected by its parent.
TPM2B_ID_OBJECT: A credential, encrypted and protected by an endorsement key.
TPM2B_ATTEST: What a TPM attested (TPMS_ATTEST): the bytes that are signed.
TPM2B_CONTEXT_DATA: A saved object or session, encrypted by the TPM for itself.
TPM2B_CREATION_DATA: The circumstances of an object's creation: PCRs, parent, outsideInfo.
TPM2B_NV_PUBLIC: The public area of an NV index.
TPM2B_NV_PUBLIC_2: The public area of an NV index, also of one outside the TPM.
TPM2B_SET_CAPABILITY_DATA: A setting for TPM2_SetCapability.
TPML_CC: Command codes.
TPML_CCA: Attributes of commands.
TPML_ALG: Algorithms.
TPML_HANDLE: Handles.
TPML_DIGEST: Digests: PCR values, or branches of a policy.
TPML_DIGEST_VALUES: Digests with their hash: one for each PCR bank.
TPML_PCR_SELECTION: PCRs, by bank.
TPML_ALG_PROPERTY: Algorithms with their attributes.
TPML_TAGGED_TPM_PROPERTY: Properties with their values.
TPML_TAGGED_PCR_PROPERTY: Properties of PCRs with the PCRs that have them.
TPML_ECC_CURVE: Elliptic curves.
TPML_TAGGED_POLICY: Policies of handles.
TPML_ACT_DATA: Countdown timers and their state.
TPML_SPDM_SESSION_INFO: Secure channels.
TPML_VENDOR_PROPERTY: Values that the manufacturer defined.
TPML_PUB_KEY: Public keys of the TPM itself.
TPML_AC_CAPABILITIES: Capabilities of an attached component.
TPMU_HA: A digest of one of the hash algorithms.
TPMU_TK_VERIFIED_META: Data of a ticket about a verified signature.
TPMU_SYM_KEY_BITS: Key size of a symmetric algorithm.
TPMU_SYM_MODE: Mode of a symmetric algorithm.
TPMU_SCHEME_KEYEDHASH: Details of HMAC or XOR.
TPMU_SIG_SCHEME: Details of a signature scheme: usually its hash.
TPMU_ASYM_SCHEME: Details of a scheme: usually its hash.
TPMU_KDF_SCHEME: Details of a key derivation function: its hash.
TPMU_SIGNATURE: A signature of one of the schemes.
TPMU_PUBLIC_ID: The public key itself: modulus, point, or the digest that identifies a symmetric or sealed
   object.
TPMU_PUBLIC_PARMS: Parameters of an object, by its type.
TPMU_SENSITIVE_COMPOSITE: The secret itself: prime, private key, symmetric key or sealed data.
TPMU_CAPABILITIES: A list of one kind (TPM_CAP).
TPMU_NV_PUBLIC_2: The public area of an index, by its kind of handle.
TPMU_ATTEST: What was attested, by its tag.
TPMT_PUBLIC: The public area of an object: its type, attributes, policy, parameters and public key. nameAlg and
   the digest of this area are the Name.
 type: the kind of object (RSA, ECC, KEYEDHASH for HMAC keys and sealed data, SYMCIPHER).
 nameAlg: the hash of the Name and of authPolicy; for a storage key, also for the protection of its children, so
   a primary key needs one too.
 objectAttributes: the permitted uses of the object (TPMA_OBJECT).
 authPolicy: digest of the policy that authorizes uses; empty for none.
 parameters: key size, scheme and, for storage keys, the cipher for children.
 unique: the public key. In a template for TPM2_CreatePrimary, any bytes: different bytes give a different key.
TPMS_RSA_PARMS:
 symmetric: the cipher for children of a storage key; else TPM_ALG_NULL.
 scheme: the scheme that the key is fixed to, or TPM_ALG_NULL.
 keyBits: bits of the modulus.
 exponent: the public exponent; 0 means 65537.
TPMS_ECC_PARMS:
 symmetric: the cipher for children of a storage key; else TPM_ALG_NULL.
 scheme: the scheme that the key is fixed to, or TPM_ALG_NULL.
 curveID: the curve.
 kdf: TPM_ALG_NULL; a TPM ignores it.
TPMS_KEYEDHASH_PARMS:
 scheme: HMAC with a hash for an HMAC key, TPM_ALG_NULL for sealed data.
TPMS_SENSITIVE_CREATE:
 userAuth: the authValue (password) of the new object; empty for none.
 data: the data to seal or the key; empty if the TPM generates the key (sensitiveDataOrigin).
TPMT_SENSITIVE:
 sensitiveType: the type of the object.
 authValue: the authValue (password) of the object.
 seedValue: the seed that protects children of a storage key, or obfuscates the Name of a symmetric object.
 sensitive: the secret itself.
TPMS_NV_PUBLIC:
 nvIndex: the handle of the index.
 nameAlg: the hash of the index's Name and policy, and of an extend index.
 attributes: the permissions to read and write, and the type (TPMA_NV).
 authPolicy: digest of the policy that authorizes uses; empty for none.
 dataSize: size of the data, in bytes.
TPMS_ATTEST:
 magic: TPM_GENERATED_VALUE: a restricted key signs no other data that begins with these bytes.
 type: what was attested (TPM_ST_ATTEST_...).
 qualifiedSigner: digest of the Names from the hierarchy down to the signing key.
 extraData: qualifyingData of the command, usually the verifier's nonce.
 clockInfo: clock and counters of resets; the counters are obfuscated for keys in the owner or null hierarchy.
 firmwareVersion: the TPM's firmware version, obfuscated likewise.
 attested: what was attested, by type.
TPMS_QUOTE_INFO:
 pcrSelect: the PCRs that were quoted.
 pcrDigest: digest of the PCR values, in the order of the selection.
TPMS_CERTIFY_INFO:
 name: the Name of the object.
 qualifiedName: digest of the Names from the hierarchy down to the object.
TPMS_CREATION_DATA:
 pcrSelect: the PCRs whose values were recorded.
 pcrDigest: digest of their values at creation.
 locality: the locality of the command.
 parentNameAlg: nameAlg of the parent.
 parentName: Name of the parent.
 parentQualifiedName: qualified Name of the parent.
 outsideInfo: the caller's data.
TPMS_CONTEXT:
 sequence: a counter, so that a session cannot be loaded twice.
 savedHandle: the kind of object, or the session's handle.
 hierarchy: the hierarchy whose proof protects the context.
 contextBlob: the encrypted state.
TPMS_CLOCK_INFO:
 clock: milliseconds for which the TPM had power since TPM2_Clear.
 resetCount: resets (TPM2_Startup CLEAR) since TPM2_Clear.
 restartCount: restarts and resumes since the last reset.
 safe: NO after a power loss, until the clock passes its last written value.
TPMS_AUTH_COMMAND:
 sessionHandle: the session, or TPM_RS_PW for a password.
 nonce: nonceCaller: new in each command, so that no HMAC can be replayed.
 sessionAttributes: the use of the session in this command (TPMA_SESSION).
 hmac: the HMAC over command, nonces and attributes; for TPM_RS_PW, the password itself.
TPMS_AUTH_RESPONSE:
 nonce: nonceTPM: new in each response.
 sessionAttributes: the state of the session after the command.
 hmac: the HMAC over response, nonces and attributes, which proves that the response comes from the TPM.
"""
