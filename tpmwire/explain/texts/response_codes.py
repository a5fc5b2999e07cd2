"""Usual causes of each response code, and the next step (TPM 2.0 Part 2, §6.6, and practice)."""

__all__ = ["TEXT"]

TEXT = """
TPM_RC: Response codes: the third field of each response. 0 is success.
 SUCCESS: the command was executed.
 BAD_TAG: the command's tag is not a TPM 2.0 tag; a TPM 1.2 command may have been sent. Check the first two
   bytes: 8001 or 8002.
 INITIALIZE: a command was sent before TPM2_Startup, or TPM2_Startup a second time. Firmware sends TPM2_Startup
   on a PC; for swtpm, use --flags startup-clear or tpm2_startup -c.
 FAILURE: a self-test failed, or the TPM detected an internal error. TPM2_GetTestResult has the manufacturer's
   details. Reset the machine, then update the firmware.
 SEQUENCE: a sequence handle was used for another kind of sequence, or after its end. Start a new sequence.
 PRIVATE: not used by the standard.
 HMAC: not used by the standard.
 DISABLED: TPM2_Clear or a hierarchy is disabled (disableClear, shEnable). Enable it in the firmware's settings.
 EXCLUSIVE: auditExclusive was set, and another command was executed in between. Repeat from the start of the
   session.
 AUTH_TYPE: the kind of authorization is not allowed for the handle: a password where role DUP or ADMIN needs a
   policy. Use a policy session.
 AUTH_MISSING: a handle needs an authorization, and the command has the tag NO_SESSIONS or too few sessions.
   Even an empty password needs one (TPM_RS_PW).
 POLICY: a comparison in TPM2_PolicyNV, TPM2_PolicyCounterTimer or TPM2_PolicyCapability is false, or a policy
   digest is malformed.
 PCR: a PCR selection or value is not valid for the PCRs of this TPM.
 PCR_CHANGED: a PCR changed after TPM2_PolicyPCR and before the use of the session. Start the policy session
   again.
 UPGRADE: the TPM is in the middle of a firmware update. Finish or abandon it.
 TOO_MANY_CONTEXTS: the counter of saved contexts has reached its maximum. Reset the TPM (TPM2_Startup CLEAR).
 AUTH_UNAVAILABLE: a password was used for an object without userWithAuth, or a policy session for an object
   without a policy. Use the other type of authorization; `explain TPMA_OBJECT`.
 REBOOT: a firmware update or TPM2_SetAlgorithmSet needs a reset first.
 UNBALANCED: the hash of a key is too weak for its symmetric algorithm: AES-256 needs SHA-384 or longer in some
   TPMs.
 COMMAND_SIZE: commandSize differs from the bytes sent, or the command is longer than TPM_PT_MAX_COMMAND_SIZE.
 COMMAND_CODE: the TPM does not implement the command (TPM2_HMAC, TPM2_EncryptDecrypt2 and TPM2_CreateLoaded are
   often missing), or firmware disabled it. `tpmwire info` lists the missing commands.
 AUTHSIZE: authorizationSize is not the size of the authorizations: too many sessions, or a wrong length.
 AUTH_CONTEXT: the command allows no session at all, such as TPM2_ContextSave, TPM2_FlushContext and
   TPM2_Startup.
 NV_RANGE: offset plus size is beyond the index, or a write is shorter than an index with writeall.
 NV_SIZE: the index is larger than TPM_PT_NV_INDEX_MAX, or a counter or bit field is not 8 bytes.
 NV_LOCKED: writing or reading is locked (TPM2_NV_WriteLock, TPM2_NV_ReadLock) until the next reset, or
   permanently.
 NV_AUTHORIZATION: the index's attributes do not allow this authorization. The owner's password needs ownerread
   or ownerwrite, the index's own password authread or authwrite, a policy policyread or policywrite.
 NV_UNINITIALIZED: the index has not been written, or clearStclear cleared it. Write it first; a counter needs
   one TPM2_NV_Increment.
 NV_SPACE: not enough NV memory. Remove indices or persistent objects (TPM2_NV_UndefineSpace, `tpmwire evict`).
 NV_DEFINED: the handle is in use. Choose another handle, or remove the existing index or object.
 BAD_CONTEXT: the saved context is damaged, or is from another TPM or from before the last reset.
 CPHASH: the command or its parameters differ from those that the policy fixed (TPM2_PolicyCpHash,
   PolicyNameHash, PolicyTemplate), or two steps fix different ones.
 PARENT: the handle is not a storage key (restricted and decrypt), or its hierarchy does not fit.
 NEEDS_TEST: an algorithm was not tested yet. Send TPM2_SelfTest, then repeat.
 NO_RESULT: an internal operation failed for these inputs. Repeat the command. If the error persists, check keys
   and values.
 SENSITIVE: the sensitive area is malformed after decryption, usually in TPM2_Load, TPM2_Import or
   TPM2_LoadExternal.
 READ_ONLY: the TPM is in read-only mode (TPM2_ReadOnlyControl).
 ASYMMETRIC: the TPM does not support this kind of key, or the key does not fit the command, such as RSA where
   ECC is needed.
 ATTRIBUTES: attributes contradict each other, the command, or the parent. A signing command needs sign, a parent
   needs restricted and decrypt, and a session's decrypt needs a parameter that can be encrypted. `explain
   TPMA_OBJECT`.
 HASH: the TPM does not support the hash (often SHA-1, SHA-512 or SHA-3), or the hash does not fit the key's
   scheme.
 VALUE: a parameter has a value that is not allowed, or the command does not accept this type of handle. The
   number identifies the handle or parameter.
 HIERARCHY: the hierarchy is disabled, or wrong for the object: the owner cannot make a platform key persistent.
 KEY_SIZE: the key's size is not supported: RSA-4096 is often missing.
 MGF: the mask generation function is not supported.
 MODE: the cipher's mode is not supported or not allowed: parents and sessions need CFB.
 TYPE: the object does not have the type that the command needs, or the TPM does not support the type. Some TPMs
   have no ECC.
 HANDLE: nothing is at the handle, or an entity of the wrong kind, such as a session in place of an object.
   `tpmwire list` lists the objects.
 KDF: the key derivation function is not supported or does not fit; use TPM_ALG_NULL.
 RANGE: a number is outside its range, such as a persistent handle that belongs to the platform.
 AUTH_FAIL: the password or HMAC is wrong, and the failure counts toward lockout. Check the password (text, not
   hex, without a newline at its end), then the session's nonces and keys.
 NONCE: a nonce is too short (16 bytes at least), too long, or not the TPM's latest.
 PP: the command needs physical presence: a person at the machine.
 SCHEME: the key's scheme differs from the command's, or both are TPM_ALG_NULL. A restricted key needs a scheme
   when it is created; an unrestricted key without a scheme needs a scheme at each use.
 SIZE: a TPM2B or list is too long, too short or must be empty: a digest with another hash's length, or data
   longer than the key allows.
 SYMMETRIC: the cipher, key size or mode is not supported, or does not fit a parent or session.
 TAG: a ticket or attestation has a wrong tag. Use the ticket of the right command.
 SELECTOR: a union's selector has no member, such as an unknown scheme.
 INSUFFICIENT: the command ends before the value is complete: a size field is too large, or a parameter is
   missing.
 SIGNATURE: the signature is not valid for this key and digest.
 KEY: the key does not fit its public area or the command, such as a point for an RSA key.
 POLICY_FAIL: the session's policy digest differs from the object's authPolicy, a step failed (PCRs changed, NV
   value, password missing), or the session is used for another command. Compare digests with
   TPM2_PolicyGetDigest.
 INTEGRITY: an encrypted private area, duplicate or credential does not belong to this parent: it is from another
   TPM, another primary key, or from before TPM2_Clear.
 TICKET: the ticket is from another TPM or from before a reset, or is missing. A restricted signing key needs
   the ticket of TPM2_Hash.
 RESERVED_BITS: a bit that must be 0 is set in an attribute word.
 BAD_AUTH: the password or HMAC is wrong, for an entity without dictionary-attack protection (noDA,
   hierarchies). The failure does not count. Check whether the owner or lockout password is set.
 EXPIRED: the authorization of PolicySigned or PolicySecret has expired. Start the policy session again.
 POLICY_CC: the policy is for another command (TPM2_PolicyCommandCode), or for a command that the TPM does not
   implement.
 BINDING: public and private area do not belong together: files of two keys are mixed, or one is damaged.
 CURVE: the TPM does not implement the curve, or the point is on another curve. Every TPM with ECC implements
   P-256.
 ECC_POINT: the point is not on the curve: damaged, or from another curve.
 FW_LIMITED: the object was created under another firmware version, and this version cannot use it.
 SVN_LIMITED: the object was created under a higher security version of the firmware.
 CHANNEL: the command must come over a secure channel (SPDM).
 CHANNEL_KEY: the secure channel was opened with a key other than the one in the policy.
 PARMS: a parameter set of ML-KEM or ML-DSA is not supported.
 EXT_MU: the key cannot sign an external Mu: allowExternalMu is not supported.
 ONE_SHOT_SIGNATURE: the scheme needs the whole message in TPM2_SignSequenceComplete, without updates before.
 SIGN_CONTEXT_KEY: the key is not the one that started the sequence.
 CONTEXT_GAP: a saved session is too old. Load or flush the oldest saved session, then save it again.
 OBJECT_MEMORY: all object slots are in use, on most chips 3: leftover transient objects. Flush them (`tpmwire
   flush`, tpm2_flushcontext -t), or use /dev/tpmrm0.
 SESSION_MEMORY: all slots for loaded sessions are in use. Flush leftover sessions, or use /dev/tpmrm0.
 MEMORY: not enough memory for the command. Flush objects and sessions.
 SESSION_HANDLES: the number of saved and loaded sessions is at its limit (TPM_PT_ACTIVE_SESSIONS_MAX). Flush
   sessions.
 OBJECT_HANDLES: no free handle for another object. Flush objects.
 LOCALITY: the command or policy needs a locality other than this driver's.
 YIELDED: the TPM suspended the command after some progress. Send the same command again.
 CANCELED: the command was cancelled, by the driver's timeout or a program.
 TESTING: a self-test runs. Wait a moment and repeat.
 REFERENCE_H: the command names a transient object that is not loaded: it was flushed, is from before a reset, or
   belongs to another connection to /dev/tpmrm0. Load it again.
 REFERENCE_S: the command names a session that is not loaded: its last use without continueSession flushed it, it
   was saved, or it belongs to another connection. Start a new session.
 NV_RATE: NV memory is written too often. Repeat after a pause.
 LOCKOUT: too many wrong passwords: objects without noDA refuse all passwords. Wait (TPM_PT_LOCKOUT_INTERVAL), or
   end lockout with the lockout password (tpm2_dictionarylockout -c). Keys with noDA and the owner hierarchy
   still work.
 RETRY: the TPM could not start the command. Send the command again.
 NV_UNAVAILABLE: NV cannot be written now, such as during a power transition. Repeat.
 NOT_USED: reserved; a TPM never returns it.
"""
