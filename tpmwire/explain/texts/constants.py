"""The meanings of constants: algorithms, curves, handles, tags, session types (TPM 2.0 Part 2, §6 and §7)."""

__all__ = ["TEXT"]

TEXT = """
TPM_ALG: Numbers of algorithms, object types, schemes and modes.
 ERROR: not an algorithm; never valid.
 RSA: RSA keys: signing, encryption, storage keys. Usually 2048 bits; some TPMs also have 3072 and 4096.
 TDES: triple DES; obsolete, and not for new keys.
 SHA1: SHA-1, 20 bytes. Broken for signatures; still the bank of old event logs.
 HMAC: the signing scheme of a keyedhash key (TPM2_HMAC), with a hash.
 AES: AES, 128 to 256 bits: protects objects under a parent, encrypts parameters of sessions.
 MGF1: mask generation of OAEP and RSAPSS; not a choice of the caller.
 KEYEDHASH: the object type of HMAC keys and sealed data.
 XOR: hides a parameter of a session, or data of a keyedhash object, with a one-time mask; needs no cipher.
 SHA256: SHA-256, 32 bytes: the usual hash of Names, policies, sessions and PCR banks.
 SHA384: SHA-384, 48 bytes.
 SHA512: SHA-512, 64 bytes.
 SHA256_192: SHA-256, the first 24 bytes, for hash-based signatures.
 NULL: nothing: no scheme, no symmetric algorithm, no hash. For a key with the scheme NULL, each use names the
   scheme.
 SM3_256: SM3, the Chinese standard hash, 32 bytes.
 SM4: SM4, the Chinese standard block cipher.
 RSASSA: RSA signatures by PKCS #1 v1.5.
 RSAES: RSA encryption by PKCS #1 v1.5; vulnerable to padding attacks, so prefer OAEP.
 RSAPSS: RSA signatures with a random salt (PSS).
 OAEP: RSA encryption with OAEP. A label must end with a zero byte (TPM_RC_VALUE).
 ECDSA: signatures with an elliptic curve.
 ECDH: key agreement with an elliptic curve.
 ECDAA: anonymous attestation; uses TPM2_Commit.
 SM2: Chinese standard signatures and key agreement on an elliptic curve.
 ECSCHNORR: Schnorr signatures, different from those of Bitcoin and Ed25519.
 ECMQV: key agreement with two keys on each side; rarely implemented.
 KDF1_SP800_56A: KDFe: derives keys from an ECDH secret (SP 800-56A).
 KDF2: a derivation function of IEEE 1363; rarely implemented.
 KDF1_SP800_108: KDFa: derives keys from a secret by HMAC in counter mode.
 HKDF: the derivation function of RFC 5869, for ECC keys that encapsulate.
 ECC: elliptic curve keys: fast, small; P-256 is the usual curve.
 SYMCIPHER: the object type of symmetric keys, and of symmetric storage keys.
 CAMELLIA: the block cipher Camellia; rarely implemented.
 SHA3_256: SHA-3, 32 bytes.
 SHA3_384: SHA-3, 48 bytes.
 SHA3_512: SHA-3, 64 bytes.
 SHAKE128: an extendable output function of SHA-3.
 SHAKE256: an extendable output function of SHA-3.
 SHAKE256_192: SHAKE256 with 24 bytes, for hash-based signatures.
 SHAKE256_256: SHAKE256 with 32 bytes.
 SHAKE256_512: SHAKE256 with 64 bytes.
 CMAC: a MAC with a block cipher (TPM2_MAC).
 CTR: counter mode; a nonce must not be used twice.
 OFB: output feedback mode.
 CBC: cipher block chaining; data must fill whole blocks.
 CFB: cipher feedback mode: the only mode for storage keys and sessions.
 ECB: encrypts each block alone, so equal blocks remain visible.
 CCM: authenticated encryption by counter mode and CBC-MAC.
 GCM: authenticated encryption by Galois counter mode.
 KW: AES key wrap.
 KWP: AES key wrap with padding.
 EAX: authenticated encryption by counter mode and CMAC.
 EDDSA: signatures by Ed25519 or Ed448, of the message.
 HASH_EDDSA: signatures by Ed25519 or Ed448, of a hash.
 LMS: hash-based signatures that a TPM verifies (firmware).
 XMSS: hash-based signatures that a TPM verifies (firmware).
 MLKEM: ML-KEM (FIPS 203): key encapsulation that resists quantum computers.
 MLDSA: ML-DSA (FIPS 204): signatures of messages that resist quantum computers.
 HASH_MLDSA: HashML-DSA: ML-DSA signatures of a hash.
 KEYEDXOF: an object with a key for extendable output functions.
 KMACXOF128: KMAC with SHAKE128 and any output size.
 KMACXOF256: KMAC with SHAKE256 and any output size.
 KMAC128: KMAC with SHAKE128.
 KMAC256: KMAC with SHAKE256.
TPM_ECC: Numbers of elliptic curves. A curve that the TPM does not support causes TPM_RC_CURVE.
 NONE: no curve.
 NIST_P192: P-192; too weak for new keys.
 NIST_P224: P-224; rarely implemented.
 NIST_P256: P-256 (secp256r1, prime256v1): every TPM with ECC has it.
 NIST_P384: P-384 (secp384r1): most TPMs since 2020 have it.
 NIST_P521: P-521 (secp521r1); few TPMs have it.
 BN_P256: a Barreto-Naehrig curve for ECDAA.
 BN_P638: a Barreto-Naehrig curve for ECDAA.
 SM2_P256: the curve of the Chinese standard SM2.
 BP_P256_R1: brainpoolP256r1.
 BP_P384_R1: brainpoolP384r1.
 BP_P512_R1: brainpoolP512r1.
 CURVE_25519: Curve25519, for Ed25519 and X25519.
 CURVE_448: Curve448, for Ed448 and X448.
TPM_MLKEM: Parameter sets of ML-KEM: the larger, the stronger and the longer its keys.
 NONE: no parameter set.
 MLKEM_512: public key 800 bytes, ciphertext 768 bytes.
 MLKEM_768: public key 1184 bytes, ciphertext 1088 bytes; the usual choice.
 MLKEM_1024: public key 1568 bytes, ciphertext 1568 bytes.
TPM_MLDSA: Parameter sets of ML-DSA: the larger, the stronger and the longer its signatures.
 NONE: no parameter set.
 MLDSA_44: public key 1312 bytes, signature 2420 bytes.
 MLDSA_65: public key 1952 bytes, signature 3309 bytes.
 MLDSA_87: public key 2592 bytes, signature 4627 bytes.
TPM_CC: Command codes: the third field of each command. TPM_RC_COMMAND_CODE means that the TPM does not implement
   the command.
TPM_RC: Response codes: the third field of each response. 0 is success.
TPM_PT: Numbers of properties, which TPM2_GetCapability(TPM_CAP_TPM_PROPERTIES) returns.
TPM_ST: Tags: the first field of commands, responses, attestations and tickets.
 RSP_COMMAND: the tag of a response from a TPM 1.2, or from a TPM 2.0 to a TPM 1.2 command (TPM_RC_BAD_TAG).
 NULL: no structure.
 NO_SESSIONS: a command or response without authorizations. An error response always has this tag.
 SESSIONS: a command or response with authorizations.
 ATTEST_NV: an attestation of NV data (TPM2_NV_Certify).
 ATTEST_COMMAND_AUDIT: an attestation of the command audit digest.
 ATTEST_SESSION_AUDIT: an attestation of a session's audit digest.
 ATTEST_CERTIFY: an attestation that an object is in this TPM (TPM2_Certify).
 ATTEST_QUOTE: an attestation of PCR values (TPM2_Quote).
 ATTEST_TIME: an attestation of the TPM's clock (TPM2_GetTime).
 ATTEST_CREATION: an attestation that this TPM created an object (TPM2_CertifyCreation).
 ATTEST_NV_DIGEST: an attestation of a digest of NV data.
 CREATION: a ticket of TPM2_Create, for TPM2_CertifyCreation.
 VERIFIED: a ticket of TPM2_VerifySignature, for TPM2_PolicyAuthorize.
 AUTH_SECRET: a ticket of TPM2_PolicySecret, for TPM2_PolicyTicket.
 HASHCHECK: a ticket of TPM2_Hash: the data did not begin with TPM_GENERATED_VALUE, so a restricted key may sign
   it.
 AUTH_SIGNED: a ticket of TPM2_PolicySigned, for TPM2_PolicyTicket.
 MESSAGE_VERIFIED: a ticket of TPM2_VerifySequenceComplete.
 DIGEST_VERIFIED: a ticket of TPM2_VerifyDigestSignature.
 FU_MANIFEST: the manifest of a firmware update.
TPM_SU: The state that a startup or shutdown preserves.
 CLEAR: a reset: sessions, transient objects and most PCRs are cleared.
 STATE: a resume: restores the state that TPM2_Shutdown(STATE) saved, as after sleep.
TPM_SE: Kinds of sessions that TPM2_StartAuthSession starts.
 HMAC: proves a password by an HMAC without sending it; can also encrypt parameters and audit.
 POLICY: satisfies a policy step by step, then authorizes a command.
 TRIAL: computes a policy digest only; its conditions are not checked, and it authorizes nothing.
TPM_HT: The kind of entity that a handle refers to: the handle's first byte.
 PCR: a PCR: the handle is its number.
 NV_INDEX: an NV index, created by TPM2_NV_DefineSpace. 0x01c00000 to 0x01c0ffff are reserved for the TCG (EK
   certificates).
 HMAC_SESSION: an HMAC session that is loaded; TPM_HT_LOADED_SESSION in lists of handles.
 POLICY_SESSION: a policy session; TPM_HT_SAVED_SESSION in lists of handles.
 EXTERNAL_NV: an NV index in memory outside the TPM.
 PERMANENT_NV: an NV index that cannot be removed.
 PERMANENT: a hierarchy or another entity that always exists.
 TRANSIENT: a loaded object. It is removed by a flush, by a reset and, behind /dev/tpmrm0, when the program
   closes the device.
 PERSISTENT: an object that TPM2_EvictControl made persistent. 0x81000000 to 0x8100ffff are for storage keys,
   0x81010000 to 0x8101ffff for endorsement keys, 0x81800000 and up for the platform.
 AC: an attached component.
TPM_RH: Permanent handles: hierarchies, and pseudo handles of authorizations.
 SRK: from TPM 1.2; not used.
 OWNER: the owner (storage) hierarchy: primary keys of the machine's owner. TPM2_Clear changes its seed.
 REVOKE: from TPM 1.2; not used.
 TRANSPORT: from TPM 1.2; not used.
 OPERATOR: from TPM 1.2; not used.
 ADMIN: from TPM 1.2; not used.
 EK: from TPM 1.2; not used.
 NULL: no hierarchy: its primary keys change at the next reset. As a handle, "none": no parent, no bind, no key.
 UNASSIGNED: not used.
 PW: in the authorization area in place of a session: the HMAC field is the password itself.
 LOCKOUT: authorizes TPM2_Clear and the end of lockout. A wrong password blocks it for TPM_PT_LOCKOUT_RECOVERY.
 ENDORSEMENT: the endorsement hierarchy: primary keys that the manufacturer certified (EK). TPM2_Clear keeps its
   seed.
 PLATFORM: the platform hierarchy of the firmware; usually disabled before the system starts.
 PLATFORM_NV: enables and disables the platform's NV indices (TPM2_HierarchyControl).
 AUTH_00: the first of 256 authorizations that a manufacturer may use.
 AUTH_FF: the last of 256 authorizations that a manufacturer may use.
 ACT_0: a countdown timer; the handles 0x40000110 to 0x4000011f are timers 0 to F.
 FW_OWNER: the owner hierarchy, bound to this version of the firmware.
 FW_ENDORSEMENT: the endorsement hierarchy, bound to this version of the firmware.
 FW_PLATFORM: the platform hierarchy, bound to this version of the firmware.
 FW_NULL: the null hierarchy, bound to this version of the firmware.
 SVN_OWNER_BASE: the owner hierarchy, bound to the firmware's security version in bits 15:0 or a later one.
 SVN_ENDORSEMENT_BASE: the endorsement hierarchy, bound to a firmware security version.
 SVN_PLATFORM_BASE: the platform hierarchy, bound to a firmware security version.
 SVN_NULL_BASE: the null hierarchy, bound to a firmware security version.
TPM_HANDLE: The number of an entity: its first byte is the kind (TPM_HT).
 81000001: the storage root key (SRK): the usual parent of the owner's keys.
 81010001: the RSA endorsement key (EK).
 81010002: the ECC endorsement key (EK), if it is persistent.
 01c00002: certificate of the RSA-2048 EK.
 01c00003: nonce for the template of the RSA-2048 EK; usually absent.
 01c00004: template of the RSA-2048 EK, if it is not the standard one.
 01c0000a: certificate of the ECC P-256 EK.
 01c0000b: nonce for the template of the ECC P-256 EK; usually absent.
 01c0000c: template of the ECC P-256 EK, if it is not the standard one.
 01c00012: certificate of the RSA-2048 EK with an SHA-256 policy for users (H-1).
 01c00014: certificate of the ECC P-256 EK (H-2).
 01c00016: certificate of the ECC P-384 EK (H-3).
 01c00018: certificate of the ECC P-521 EK (H-4).
 01c0001a: certificate of the SM2 EK (H-5).
 01c0001c: certificate of the RSA-3072 EK (H-6).
 01c0001e: certificate of the RSA-4096 EK (H-7).
 01c00100: the first certificate of the EK certificates' chain.
TPM_CLOCK_ADJUST: Changes of the clock's rate (TPM2_ClockRateAdjust).
 COARSE_SLOWER: slower by the largest step.
 MEDIUM_SLOWER: slower by the medium step.
 FINE_SLOWER: slower by the smallest step.
 NO_CHANGE: the current rate.
 FINE_FASTER: faster by the smallest step.
 MEDIUM_FASTER: faster by the medium step.
 COARSE_FASTER: faster by the largest step.
TPM_EO: Comparisons of a policy with NV data, the clock or a capability. A is the TPM's value, B the operand.
 EQ: A equals B.
 NEQ: A differs from B.
 SIGNED_GT: A is greater than B, both signed.
 UNSIGNED_GT: A is greater than B, both unsigned.
 SIGNED_LT: A is less than B, both signed.
 UNSIGNED_LT: A is less than B, both unsigned.
 SIGNED_GE: A is at least B, both signed.
 UNSIGNED_GE: A is at least B, both unsigned.
 SIGNED_LE: A is at most B, both signed.
 UNSIGNED_LE: A is at most B, both unsigned.
 BITSET: all bits that are set in B are set in A.
 BITCLEAR: all bits that are set in B are clear in A.
TPM_CAP: The kinds of lists that TPM2_GetCapability returns.
 ALGS: algorithms, with their attributes.
 HANDLES: existing handles of one kind, from a given handle on.
 COMMANDS: implemented commands (TPMA_CC).
 PP_COMMANDS: commands that need physical presence.
 AUDIT_COMMANDS: commands that the command audit includes.
 PCRS: PCR banks, and the PCRs of each bank.
 TPM_PROPERTIES: properties (TPM_PT): manufacturer, versions, limits, lockout.
 PCR_PROPERTIES: for each property of PCRs, the PCRs that have the property.
 ECC_CURVES: implemented curves.
 AUTH_POLICIES: policies of the hierarchies.
 ACT: countdown timers and their state.
 PUB_KEYS: public keys of the TPM itself, such as for a secure channel.
 SPDM_SESSION_INFO: the secure channel over which this command came.
 VENDOR_PROPERTY: values that the manufacturer defined.
TPM_NT: Types of NV indices, in bits 7:4 of TPMA_NV.
 ORDINARY: any bytes, of a fixed size.
 COUNTER: 8 bytes that only TPM2_NV_Increment changes, by 1. A new counter starts above all earlier counters.
 BITS: 64 bits that TPM2_NV_SetBits sets; only removal of the index clears them.
 EXTEND: a digest that TPM2_NV_Extend extends, like a PCR.
 PIN_FAIL: a count of wrong PINs, and its limit.
 PIN_PASS: a count of uses with the right PIN, and its limit.
TPM_PT_PCR: Properties of PCRs. Each is a bit map of the PCRs that have it.
 SAVE: TPM2_Shutdown(STATE) saves the value.
 EXTEND_L0: locality 0 may extend it.
 RESET_L0: locality 0 may reset it.
 EXTEND_L1: locality 1 may extend it.
 RESET_L1: locality 1 may reset it.
 EXTEND_L2: locality 2 may extend it.
 RESET_L2: locality 2 may reset it.
 EXTEND_L3: locality 3 may extend it.
 RESET_L3: locality 3 may reset it.
 EXTEND_L4: locality 4 may extend it.
 RESET_L4: locality 4 may reset it.
 NO_INCREMENT: changes of the PCR do not increment pcrUpdateCounter, and do not invalidate policies
   (TPM_RC_PCR_CHANGED).
 DRTM_RESET: a dynamic launch (DRTM) resets it.
 POLICY: a policy may control its changes.
 AUTH: an authValue may control its changes.
TPM_PUB_KEY: Public keys that a TPM returns without a handle (TPM_CAP_PUB_KEYS).
 TPM_SPDM_00: the key that identifies the TPM in SPDM sessions.
TPM_PS: The kind of platform for which a TPM's platform specification was written.
 MAIN: no platform specification.
 PC: PC Client: PCs, laptops and most servers.
 PDA: personal digital assistants.
 CELL_PHONE: mobile phones.
 SERVER: servers.
 PERIPHERAL: peripheral devices.
 TSS: not used.
 STORAGE: storage devices.
 AUTHENTICATION: authentication devices.
 EMBEDDED: embedded devices.
 HARDCOPY: printers and copiers.
 INFRASTRUCTURE: infrastructure devices.
 VIRTUALIZATION: virtual machines.
 TNC: network access control.
 MULTI_TENANT: machines shared by several owners.
 TC: not used.
TPM_AT: Tags of an attached component's output.
 ANY: any tag.
 ERROR: an error (TPM_AE).
 PV1: a value of the component.
 VEND: a tag defined by the manufacturer.
TPM_AE: Errors of an attached component.
 NONE: no error.
"""
