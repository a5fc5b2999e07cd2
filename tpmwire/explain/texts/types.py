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
TPMT_HA:
 hashAlg: the hash algorithm.
 digest: the digest, without a size field.
TPMS_PCR_SELECT:
 pcrSelect: one bit per PCR; PCR n is bit n % 8 of byte n // 8.
TPMS_PCR_SELECTION:
 hash: the bank.
 pcrSelect: one bit per PCR; PCR n is bit n % 8 of byte n // 8.
TPMT_TK_CREATION:
 tag: TPM_ST_CREATION.
 hierarchy: the hierarchy of the object; TPM_RH_NULL for an empty ticket.
 digest: HMAC over the Name and the digest of the creation data, by the hierarchy's proof.
TPMT_TK_VERIFIED:
 tag: TPM_ST_VERIFIED for TPM2_VerifySignature; MESSAGE_VERIFIED and DIGEST_VERIFIED for the commands of 1.85.
 hierarchy: the hierarchy of the key; TPM_RH_NULL for an empty ticket.
 metadata: the hash algorithm of the digest, only with TPM_ST_DIGEST_VERIFIED.
 hmac: HMAC over the digest or message and the key's Name, by the hierarchy's proof.
TPMT_TK_AUTH:
 tag: TPM_ST_AUTH_SIGNED or TPM_ST_AUTH_SECRET, by the command that created the ticket.
 hierarchy: the hierarchy of the authorizing object; TPM_RH_NULL for an empty ticket.
 digest: HMAC over timeout, cpHashA, policyRef and the object's Name, by the hierarchy's proof.
TPMT_TK_HASHCHECK:
 tag: TPM_ST_HASHCHECK.
 hierarchy: the hierarchy that the caller chose; TPM_RH_NULL for an empty ticket.
 digest: HMAC over the digest, by the hierarchy's proof.
TPMT_SYM_DEF:
 algorithm: a block cipher, TPM_ALG_XOR, or TPM_ALG_NULL for no encryption.
 keyBits: size of the cipher's key; for XOR, the hash.
 mode: mode of the cipher; TPM_ALG_CFB for sessions.
TPMT_SYM_DEF_OBJECT:
 algorithm: a block cipher, or TPM_ALG_NULL for a key that is not a storage key.
 keyBits: size of the cipher's key.
 mode: mode of the cipher; TPM_ALG_CFB for a storage key.
TPMS_SYMCIPHER_PARMS:
 sym: the cipher.
TPMS_DERIVE:
 label: names the purpose of the derived object.
 context: distinguishes objects with the same label.
TPMS_SCHEME_HASH:
 hashAlg: the hash.
TPMS_SCHEME_ECDAA:
 hashAlg: the hash.
 count: the counter that TPM2_Commit returned.
TPMS_SCHEME_XOR:
 hashAlg: the hash of the key derivation.
 kdf: the key derivation function.
TPMS_ECC_POINT:
 x: the x coordinate.
 y: the y coordinate.
TPMS_ALGORITHM_DETAIL_ECC:
 curveID: the curve.
 keySize: size of a key in bits.
 kdf: the key derivation function of the curve, if any.
 sign: the signing scheme of the curve, if any.
 p: the prime of the field.
 a: coefficient of x in the curve's equation.
 b: constant in the curve's equation.
 gX: x coordinate of the base point.
 gY: y coordinate of the base point.
 n: order of the base point.
 h: cofactor.
TPMS_SIGNATURE_RSA:
 hash: the hash of the message.
 sig: the signature, as long as the modulus.
TPMS_SIGNATURE_ECC:
 hash: the hash of the message.
 signatureR: the first number of the signature.
 signatureS: the second number of the signature.
TPMS_SIGNATURE_HASH_MLDSA:
 hash: the hash of the message.
 signature: the signature, as in FIPS 204.
TPMT_SIGNATURE:
 sigAlg: the scheme; TPM_ALG_NULL for no signature.
 signature: the signature, by the scheme.
TPMS_MLDSA_PARMS:
 parameterSet: ML-DSA-44, 65 or 87.
 allowExternalMu: YES if TPM2_SignDigest may sign a Mu that was computed outside the TPM.
TPMS_HASH_MLDSA_PARMS:
 parameterSet: ML-DSA-44, 65 or 87.
 hashAlg: the hash of the message.
TPMS_MLKEM_PARMS:
 symmetric: the cipher for children of a storage key; else TPM_ALG_NULL.
 parameterSet: ML-KEM-512, 768 or 1024.
TPMT_PUBLIC_PARMS:
 type: the type of the object.
 parameters: its parameters, by the type.
TPMS_ID_OBJECT:
 integrityHMAC: HMAC over encIdentity and the object's Name.
 encIdentity: the encrypted credential.
TPMS_ALGORITHM_DESCRIPTION:
 alg: the algorithm.
 attributes: its purposes.
TPMS_ALG_PROPERTY:
 alg: the algorithm.
 algProperties: its purposes.
TPMS_TAGGED_PROPERTY:
 property: the property (TPM_PT).
 value: its value.
TPMS_TAGGED_PCR_SELECT:
 tag: the property (TPM_PT_PCR).
 pcrSelect: the PCRs that have it.
TPMS_TAGGED_POLICY:
 handle: a permanent handle.
 policyHash: digest of its policy.
TPMS_ACT_DATA:
 handle: the timer.
 timeout: seconds until it expires.
 attributes: its state.
TPMS_SPDM_SESSION_INFO:
 reqKeyName: Name of the key that the requester authenticated with.
 tpmKeyName: Name of the key that the TPM authenticated with.
TPMS_CAPABILITY_DATA:
 capability: the kind of data.
 data: the list.
TPMS_SET_CAPABILITY_DATA:
 setCapability: the capability to change.
 data: its new value.
TPMS_NV_PUBLIC_EXP_ATTR:
 nvIndex: the handle of the index.
 nameAlg: the hash of the index's Name and policy.
 attributes: the permissions to read and write, the type, and the protection of external memory (TPMA_NV_EXP).
 authPolicy: digest of the policy that authorizes uses; empty for none.
 dataSize: size of the data, in bytes.
TPMT_NV_PUBLIC_2:
 handleType: the first byte of the index's handle.
 public: the public area, by the handle type.
TPMS_NV_PIN_COUNTER_PARAMETERS:
 pinCount: number of successful authorizations (TPM_NT_PIN_PASS) or of failed ones (TPM_NT_PIN_FAIL).
 pinLimit: the limit at which the index no longer authorizes.
TPMS_TIME_INFO:
 time: milliseconds since the TPM had power.
 clockInfo: clock and counters of resets.
TPMS_TIME_ATTEST_INFO:
 time: time, clock and counters of resets.
 firmwareVersion: the TPM's firmware version.
TPMS_COMMAND_AUDIT_INFO:
 auditCounter: counts the audit digests that were started.
 digestAlg: the hash of the digests.
 auditDigest: digest of the audited commands.
 commandDigest: digest of the list of audited command codes.
TPMS_SESSION_AUDIT_INFO:
 exclusiveSession: YES if no command ran outside the session since it started to audit.
 sessionDigest: digest of the commands in the session.
TPMS_CREATION_INFO:
 objectName: the Name of the object.
 creationHash: digest of its creation data.
TPMS_NV_CERTIFY_INFO:
 indexName: the Name of the index.
 offset: offset of the contents in the index.
 nvContents: the certified contents.
TPMS_NV_DIGEST_CERTIFY_INFO:
 indexName: the Name of the index.
 nvDigest: digest of all contents.
TPMS_AC_OUTPUT:
 tag: the kind of data (TPM_AT).
 data: its value.
TPMT_KEYEDHASH_SCHEME:
 scheme: HMAC, XOR or TPM_ALG_NULL.
 details: the hash and other choices, by the scheme.
TPMT_SIG_SCHEME:
 scheme: the scheme; TPM_ALG_NULL for the key's own.
 details: the hash and other choices, by the scheme.
TPMT_KDF_SCHEME:
 scheme: the key derivation function, or TPM_ALG_NULL.
 details: the hash and other choices, by the scheme.
TPMT_ASYM_SCHEME:
 scheme: the scheme, or TPM_ALG_NULL.
 details: the hash and other choices, by the scheme.
TPMT_RSA_SCHEME:
 scheme: a signing scheme or a padding, or TPM_ALG_NULL.
 details: the hash and other choices, by the scheme.
TPMT_RSA_DECRYPT:
 scheme: the padding; TPM_ALG_NULL for the key's own or none.
 details: the hash and other choices, by the scheme.
TPMT_ECC_SCHEME:
 scheme: a signing scheme, a key exchange, or TPM_ALG_NULL.
 details: the hash and other choices, by the scheme.
"""
