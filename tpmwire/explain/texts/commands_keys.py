"""The meaning of commands about objects, keys and signatures: parameters, and reasons of errors (Part 3)."""

__all__ = ["TEXT"]

TEXT = """
TPM2_Create: Creates a key or sealed object and returns it, encrypted. The TPM stores nothing; TPM2_Load loads
   the object.
 !ATTRIBUTES: attributes contradict the type, the parent, or inSensitive (sensitiveDataOrigin)
 !TYPE: the parent is not a storage key, or the TPM does not support the type
 !SIZE: authPolicy is not a digest of nameAlg, or the sealed data is longer than 128 bytes
 !SCHEME: a restricted signing key has no scheme
 !SYMMETRIC: a storage key needs AES-CFB; other keys need TPM_ALG_NULL
 !KEY_SIZE: the RSA key size is not supported
 !HASH: nameAlg is not supported, or TPM_ALG_NULL
TPM2_CreatePrimary: Derives a key from a hierarchy's seed. The same template gives the same key until the seed
   changes.
 primaryHandle: the hierarchy: owner (storage keys), endorsement (EK), platform, or TPM_RH_NULL until the next
   reset.
 !BAD_AUTH: the hierarchy has a password
 !HIERARCHY: the hierarchy is disabled
 !ATTRIBUTES: attributes contradict each other; fixedTPM and fixedParent must be equal
 !OBJECT_MEMORY: all slots are in use; flush objects
 !TYPE: the TPM does not support the type, such as ECC
TPM2_CreateLoaded: Creates and loads an object, a primary key or a derived key in one command. Many chips do not
   implement it.
 inPublic: the template; for a derived object, with label and context in unique.
 !COMMAND_CODE: the chip does not implement it; use TPM2_Create and TPM2_Load
 !TYPE: the parent is not a storage key
TPM2_Load: Loads an object that TPM2_Create or TPM2_Import returned.
 !INTEGRITY: the parent is another key: another TPM, another primary key, or TPM2_Clear since
 !BINDING: public and private area belong to different keys
 !OBJECT_MEMORY: all slots are in use; flush objects
 !TYPE: the parent is not a storage key
TPM2_LoadExternal: Loads a public key, or an unencrypted key pair that no TPM protects.
 inPrivate: the sensitive area, not encrypted; empty for a public key.
 hierarchy: TPM_RH_NULL for a key pair. For a public key, the hierarchy of the tickets for its signatures.
 !ATTRIBUTES: a key pair has fixedTPM, fixedParent or restricted set
 !HIERARCHY: a key pair needs TPM_RH_NULL
 !BINDING: private and public area do not match
TPM2_ReadPublic: Returns the public area and Name of a loaded object; needs no authorization.
 objectHandle: the object, loaded or persistent.
 qualifiedName: digest of the Names from the hierarchy down to the object.
 !HANDLE: nothing is at the handle
 !SEQUENCE: the handle is a sequence
TPM2_ActivateCredential: Decrypts a credential that TPM2_MakeCredential encrypted for this TPM. This proves that
   the attestation key and the EK are in the same TPM.
 activateHandle: the attestation key that the credential names.
 keyHandle: the EK. The usual EK needs a policy session with TPM2_PolicySecret(endorsement).
 certInfo: the credential, which the caller returns to its issuer as the proof.
 !INTEGRITY: the credential is for another key (Name) or EK
 !POLICY_FAIL: the EK's policy session lacks PolicySecret(endorsement)
 !AUTH_UNAVAILABLE: the EK requires its policy, but a password was used
 !TYPE: keyHandle is not a restricted decryption key
TPM2_MakeCredential: Encrypts a secret that only the TPM with this EK and this attestation key can decrypt. Any
   TPM, or software without a TPM, can do this.
 handle: the loaded public area of the EK.
 credential: the secret, at most as long as the EK's nameAlg.
 objectName: the Name of the attestation key.
 !SIZE: the secret is too long
 !TYPE: handle is not a restricted decryption key
TPM2_Unseal: Returns the data of a sealed object.
 itemHandle: the sealed object.
 outData: the data; visible on the bus unless a session encrypts it (attribute encrypt).
 !TYPE: the object is not sealed data
 !ATTRIBUTES: the object is an HMAC key, or restricted
 !POLICY_FAIL: the policy is not satisfied, for example because PCRs differ
TPM2_ObjectChangeAuth: Returns the private area with a new password. The loaded object and existing files keep
   the old password.
 parentHandle: the object's parent.
 !TYPE: parentHandle is not the parent
 !AUTH_TYPE: adminWithPolicy needs a policy session
TPM2_Duplicate: Encrypts an object for another parent, in this or another TPM.
 newParentHandle: the loaded public area of the new parent; TPM_RH_NULL for no outer wrapper.
 encryptionKeyIn: the key of the inner wrapper; if empty, the TPM generates one.
 encryptionKeyOut: the key that the TPM generated for the inner wrapper.
 !ATTRIBUTES: the object has fixedParent
 !AUTH_TYPE: a password was used, but role DUP needs a policy with TPM2_PolicyCommandCode or
   TPM2_PolicyDuplicationSelect
 !HIERARCHY: encryptedDuplication needs a new parent
TPM2_Rewrap: Replaces the outer wrapper of a duplicate with a wrapper for another parent, without decrypting the
   object.
 oldParent: the current parent; TPM_RH_NULL if the duplicate has no outer wrapper.
 newParent: the new parent; TPM_RH_NULL for no outer wrapper.
 inDuplicate: the duplicate.
 outDuplicate: the duplicate for the new parent.
 !INTEGRITY: the duplicate is not for oldParent, or name is wrong
TPM2_Import: Converts a duplicate, or a key that was wrapped for this parent outside a TPM, to a child of the
   parent. TPM2_Load loads the child.
 objectPublic: the public area; fixedTPM and fixedParent must be clear.
 !ATTRIBUTES: fixedTPM or fixedParent is set
 !INTEGRITY: the duplicate is for another parent, or damaged
 !BINDING: private and public area do not match
 !TYPE: the parent is not a storage key
TPM2_RSA_Encrypt: Encrypts with an RSA public key; needs no authorization.
 message: at most the key's size minus the padding: 190 bytes for OAEP, SHA-256 and RSA-2048.
 label: the label of OAEP, ending with a zero byte; usually empty.
 !SCHEME: the key has another scheme
 !VALUE: the message is too large for the key, or the label has no zero byte
TPM2_RSA_Decrypt: Decrypts with an RSA key.
 cipherText: the ciphertext, as long as the key's modulus.
 label: the label that was used to encrypt.
 message: the plaintext.
 !ATTRIBUTES: the key lacks decrypt, or is restricted
 !VALUE: the padding is wrong: another key, scheme, hash or label
 !SIZE: the ciphertext is not as long as the modulus
TPM2_ECDH_KeyGen: Creates an ephemeral key for a public point: the sender's half of ECDH.
 zPoint: the shared point.
 pubPoint: the ephemeral public point, for the other side.
 !KEY: the key is not an ECC key
TPM2_ECDH_ZGen: Multiplies a point with the private key: the receiver's half of ECDH.
 !ECC_POINT: the point is not on the key's curve
 !ATTRIBUTES: the key lacks decrypt, or is restricted
 !SCHEME: the key's scheme is not ECDH or NULL
TPM2_ECC_Parameters: Returns the parameters of a curve.
 parameters: p, a, b, base point, order and cofactor.
 !CURVE: the TPM does not support the curve
TPM2_ZGen_2Phase: Agrees on a key, with a static and an ephemeral key on each side.
 keyA: the static key of this side.
 inQsB: the other side's static public point.
 inQeB: the other side's ephemeral public point.
 inScheme: ECDH, ECMQV or SM2.
 counter: the number that TPM2_EC_Ephemeral returned.
 outZ1: the first shared point.
 outZ2: the second shared point, for ECDH.
 !RANGE: the counter is too old
TPM2_ECC_Encrypt: Encrypts with an ECC public key.
 plainText: the data.
 c1: the ephemeral public point.
 c2: the ciphertext.
 c3: the integrity value.
TPM2_ECC_Decrypt: Decrypts data that TPM2_ECC_Encrypt encrypted.
 c1: the ephemeral public point.
 c2: the ciphertext.
 c3: the integrity value.
 plainText: the data.
TPM2_Encapsulate: Creates a shared secret and its ciphertext for a KEM public key; needs no authorization.
 sharedSecret: the secret of this side; encrypt it with a session (attribute encrypt).
 ciphertext: the ciphertext, from which the key's owner computes the same secret.
 !KEY: the key is neither an ML-KEM key nor an ECC key for key encapsulation
 !ATTRIBUTES: the key lacks decrypt, or is restricted
TPM2_Decapsulate: Returns the shared secret of a ciphertext.
 ciphertext: the ciphertext of TPM2_Encapsulate.
 sharedSecret: the secret. A modified ciphertext returns a different secret, not an error.
 !SIZE: the ciphertext has the wrong length
 !ATTRIBUTES: the key lacks decrypt, or is restricted
TPM2_EncryptDecrypt: Encrypts or decrypts with a symmetric key. No session can encrypt the data: prefer
   TPM2_EncryptDecrypt2.
 inData: the data; for CBC and ECB, whole blocks.
 !COMMAND_CODE: many chips do not implement it because of export rules
 !MODE: the mode differs from the key's
 !SIZE: ivIn or inData has the wrong length
TPM2_EncryptDecrypt2: Encrypts or decrypts with a symmetric key. The data is the first parameter, which a session
   can encrypt.
 inData: the data; for CBC and ECB, whole blocks.
 !COMMAND_CODE: many chips do not implement it because of export rules
 !MODE: the mode differs from the key's
 !SIZE: ivIn or inData has the wrong length
TPM2_Hash: Hashes data of at most TPM_PT_INPUT_BUFFER bytes, and returns a ticket for restricted signing keys.
 outHash: the digest.
 validation: a ticket that the data does not begin with TPM_GENERATED_VALUE; for TPM2_Sign with a restricted key.
 !HASH: the TPM does not support the hash
TPM2_HMAC: Computes an HMAC with a key that never leaves the TPM. Same command code as TPM2_MAC.
 handle: the HMAC key: keyedhash, sign set, restricted clear.
 outHMAC: the HMAC.
 !TYPE: the object is not a keyedhash key
 !ATTRIBUTES: the key lacks sign, or is restricted
 !VALUE: hashAlg is not the key's own
 !COMMAND_CODE: many chips do not implement it; use TPM2_HMAC_Start and TPM2_SequenceComplete
TPM2_HMAC_Start: Starts a sequence that computes an HMAC over data of any length. Same command code as
   TPM2_MAC_Start.
 handle: the HMAC key.
 !VALUE: hashAlg is not the key's own
 !OBJECT_MEMORY: a sequence needs an object slot
TPM2_HashSequenceStart: Starts a sequence that hashes data of any length.
 hashAlg: the hash; TPM_ALG_NULL for an event sequence, which hashes for all PCR banks.
 !OBJECT_MEMORY: a sequence needs an object slot
TPM2_SequenceUpdate: Adds data to a sequence.
 !MODE: the handle is not a sequence
TPM2_SequenceComplete: Adds the last data, returns the result, and flushes the sequence.
 validation: the ticket for TPM2_Sign, if hierarchy is not TPM_RH_NULL; hash sequences only.
 !MODE: the handle is not a hash or HMAC sequence
TPM2_EventSequenceComplete: Ends an event sequence and extends a PCR in every bank.
 pcrHandle: the PCR; TPM_RH_NULL for none.
 results: the digests, one for each bank.
 !MODE: the sequence is not an event sequence
 !LOCALITY: the PCR cannot be extended from this locality
TPM2_Sign: Signs a digest.
 validation: the ticket of TPM2_Hash; needed by a restricted key, else a null ticket.
 !TICKET: a restricted key needs the ticket of TPM2_Hash
 !SCHEME: neither the key nor inScheme has a scheme, or their schemes differ
 !SIZE: the digest does not have the length of the scheme's hash
 !KEY: the key cannot sign
 !ATTRIBUTES: the key lacks sign, or has x509sign
TPM2_VerifySignature: Verifies a signature with a loaded public key, and returns a ticket for
   TPM2_PolicyAuthorize.
 validation: the ticket, which proves that this TPM has verified the signature.
 !SIGNATURE: the signature is not valid
 !SCHEME: the signature's scheme does not fit the key
 !HANDLE: the key is an HMAC key whose sensitive area is not loaded
TPM2_SignDigest: Signs a digest, also with ML-DSA keys (external Mu).
 !ATTRIBUTES: the key lacks sign, or allowExternalMu
 !SIZE: the digest has another length than the scheme's hash, or the Mu is not 64 bytes long
 !TICKET: a restricted key needs the ticket of TPM2_Hash
 !NO_RESULT: an ML-DSA signature was not found in time, which is rare; repeat the command
TPM2_VerifyDigestSignature: Verifies the signature of a digest.
 !SIGNATURE: the signature is not valid
 !SIZE: the digest has another length than the scheme's hash
TPM2_SignSequenceStart: Starts a sequence that signs a message of any length.
 !SCHEME: the key's scheme cannot sign messages in parts
 !KEY: the key cannot sign
 !SIZE: the context string is longer than 255 bytes
TPM2_SignSequenceComplete: Adds the last part of the message and returns the signature.
 !ONE_SHOT_SIGNATURE: the scheme needs the whole message here
 !SIGN_CONTEXT_KEY: the key is not the one that started the sequence
 !NO_RESULT: an ML-DSA signature was not found in time, which is rare; sign the message again
TPM2_VerifySequenceStart: Starts a sequence that verifies the signature of a message of any length.
 hint: the part of the signature that verification needs first (EdDSA); otherwise empty.
 !VALUE: the scheme needs an empty hint or context string
 !SIZE: the context string is longer than 255 bytes
TPM2_VerifySequenceComplete: Verifies the signature of the sequence's message.
 !SIGNATURE: the signature is not valid
 !SIGN_CONTEXT_KEY: the key is not the one that started the sequence
TPM2_Commit: Performs the first step of an anonymous signature (ECDAA).
 p1: a point; empty for none.
 s2: data from which the x coordinate of the second point is computed.
 y2: the y coordinate of the second point.
 k: the first result, a point.
 l: the second result, a point.
 e: the third result, a point.
 !SCHEME: the key's scheme is not ECDAA
TPM2_EC_Ephemeral: Creates an ephemeral key for TPM2_ZGen_2Phase.
 q: the ephemeral public point.
TPM2_Certify: Attests that an object is loaded in this TPM: signs its Name.
 objectHandle: the object to attest; its authorization is of role ADMIN.
 !KEY: signHandle is not a signing key
 !SCHEME: inScheme does not fit
 !AUTH_TYPE: adminWithPolicy needs a policy session
TPM2_CertifyCreation: Attests that this TPM created the object, with its creationHash.
 objectHandle: the object to attest.
 !TICKET: the creation ticket is for another object or TPM
TPM2_CertifyX509: Signs an X.509 certificate about an object, whose public key the TPM inserts.
 objectHandle: the key that the certificate is about.
 reserved: empty.
 partialCertificate: the fields of the certificate that the caller chooses, in DER.
 addedToCertificate: the fields that the TPM added.
 tbsDigest: the digest that was signed.
 !ATTRIBUTES: the signing key lacks x509sign
 !VALUE: keyUsage does not fit the object's attributes
TPM2_Quote: Attests PCR values: signs their digest.
 pcrSelect: the PCRs, by bank.
 quoted: what was attested (TPMS_ATTEST). It contains a digest of the PCR values (pcrDigest), not the values.
 !KEY: signHandle is not a signing key
 !SCHEME: inScheme does not fit, or none is given
TPM2_GetTime: Attests the TPM's clock.
 timeInfo: what was attested (TPMS_ATTEST).
 !SCHEME: inScheme does not fit
TPM2_GetSessionAuditDigest: Attests an audit session: signs the digest of all its commands and responses.
 sessionHandle: the audit session.
 !TYPE: the session is not an audit session
TPM2_GetCommandAuditDigest: Attests the commands that TPM2_SetCommandCodeAuditStatus selected, and resets the
   audit digest.
 privacyHandle: the endorsement hierarchy, whose authorization the command needs.
 !SCHEME: inScheme does not fit
"""
