"""The meaning of commands about sessions, policies, PCRs, NV, hierarchies and the TPM itself (Part 3)."""

__all__ = ["TEXT"]

TEXT = """
TPM2_Startup: The first command after a reset. Firmware sends it on a PC.
 startupType: CLEAR after a reset; STATE after sleep, if TPM2_Shutdown(STATE) was executed before.
 !INITIALIZE: the TPM was already started; harmless
 !VALUE: STATE without a saved state; use CLEAR
TPM2_Shutdown: Saves state before power is lost; without it, the next start is not orderly.
 shutdownType: STATE before sleep, CLEAR before power off.
TPM2_SelfTest: Tests the TPM's algorithms.
 fullTest: YES to test all algorithms, NO to test only those that are not tested yet.
 !TESTING: the tests continue in the background
 !FAILURE: a test failed
TPM2_IncrementalSelfTest: Tests some algorithms.
 toTest: the algorithms to test.
 toDoList: algorithms that are not tested yet.
TPM2_GetTestResult: Returns the result of the self-tests; works in failure mode.
 outData: details in a format of the manufacturer.
 testResult: 0, or the response code of the failed test.
TPM2_StartAuthSession: Starts a session: HMAC, policy or trial. Flush it after use.
 tpmKey: the key to which the salt is encrypted. With a salt, a recording of the session does not help to guess
   passwords. TPM_RH_NULL: no salt.
 bind: an entity whose authValue is included in the derivation of the session key; TPM_RH_NULL for none.
 nonceCaller: at least 16 random bytes.
 encryptedSalt: the salt, encrypted to tpmKey; empty without a salt.
 sessionType: HMAC, POLICY or TRIAL (TPM_SE).
 symmetric: the cipher for parameters: AES-CFB or XOR; TPM_ALG_NULL for none.
 authHash: the hash of the session, which for a policy must be the object's nameAlg.
 sessionHandle: the new session.
 !SESSION_MEMORY: leftover sessions fill all slots; flush sessions
 !SESSION_HANDLES: too many saved sessions; flush sessions
 !SIZE: nonceCaller is shorter than 16 bytes or longer than the hash
 !VALUE: tpmKey cannot decrypt the salt
 !CONTEXT_GAP: a saved session is too old
TPM2_PolicyRestart: Resets the policy digest of a session; the session's nonce stays the same.
 sessionHandle: the policy session.
TPM2_GetRandom: Returns random bytes: at most as many as the longest digest.
 bytesRequested: the number of bytes.
 randomBytes: the bytes, possibly fewer; send the command again for the rest.
TPM2_StirRandom: Adds the caller's data to the state of the random number generator.
 inData: at most 128 bytes.
TPM2_GetCapability: Lists the TPM's algorithms, handles, commands, PCRs or properties.
 propertyCount: the maximum number of elements of the list.
 capabilityData: the list.
 !VALUE: the capability is not implemented
TPM2_TestParms: Returns success if the TPM supports this algorithm with these parameters.
 parameters: the algorithm and its parameters.
 !VALUE: a parameter is not supported
 !PARMS: the parameter set of ML-KEM or ML-DSA is not supported
 !EXT_MU: the TPM does not support an external Mu
TPM2_SetCapability: Changes a setting that a capability shows.
 setCapabilityData: the setting and its value.
TPM2_ReadOnlyControl: Enables or disables the read-only mode, in which the TPM refuses commands that change its
   state.
 authHandle: the platform.
 state: YES to enable it.
TPM2_PCR_Extend: Changes a PCR in each named bank: new value = hash(old value || digest).
 digests: each bank with its digest.
 !LOCALITY: the PCR cannot be extended from this locality
TPM2_PCR_Event: Hashes data and extends a PCR in every bank.
 eventData: at most 1024 bytes.
 !LOCALITY: the PCR cannot be extended from this locality
TPM2_PCR_Read: Returns PCR values, at most 8 in one response; needs no authorization.
 pcrSelectionIn: the PCRs to read.
 pcrUpdateCounter: counts changes of PCRs; if it differs between two reads, read again.
 pcrSelectionOut: the PCRs in this response; read the others next.
 pcrValues: the values, in the order of the selection.
TPM2_PCR_Allocate: Selects the PCR banks, from the next reset on.
 pcrAllocation: the PCRs of each bank.
 allocationSuccess: YES if they fit.
 maxPCR: the maximum number of PCRs in a bank.
 sizeNeeded: the number of bytes needed.
 sizeAvailable: the number of bytes available.
 !PCR: PCRs 0 or 17 are missing
TPM2_PCR_SetAuthPolicy: Sets the policy that controls changes of a group of PCRs.
 authPolicy: the policy's digest.
 pcrNum: a PCR of the group.
TPM2_PCR_SetAuthValue: Sets the authValue that controls changes of a group of PCRs.
TPM2_PCR_Reset: Sets a PCR to 0: on a PC, only PCRs 16 and 23.
 !LOCALITY: the PCR cannot be reset from this locality
TPM2_PolicySigned: Requires a key's signature of the session's nonce: another party must agree, such as a server
   or a smart card.
 authObject: the public key.
 auth: the signature over nonceTPM, expiration, cpHashA and policyRef.
 !SIGNATURE: the signature is not valid, or is for other values
 !EXPIRED: the authorization has expired
TPM2_PolicySecret: Requires the authorization of another entity, such as a hierarchy's password.
 authHandle: the entity whose password is needed.
 !BAD_AUTH: the entity's password is wrong
 !EXPIRED: the authorization has expired
TPM2_PolicyTicket: Repeats TPM2_PolicySigned or TPM2_PolicySecret with its ticket, until the ticket expires.
 timeout: the time of expiry from the ticket's command.
 authName: the Name of the entity in the original command.
 ticket: the ticket.
 !EXPIRED: the ticket has expired
 !TICKET: the values differ from those in the ticket
TPM2_PolicyOR: Requires that one of 2 to 8 branches is satisfied.
 pHashList: digests of the branches; one must be the session's current digest.
 !VALUE: no digest in the list is the session's: run the commands of a branch first
TPM2_PolicyPCR: Requires certain PCR values.
 pcrDigest: digest of the expected values; empty for the current values.
 pcrs: the PCRs, by bank.
 !VALUE: the PCRs do not have the values of pcrDigest
 !PCR_CHANGED: a PCR changed since the session's first PolicyPCR
TPM2_PolicyLocality: Requires that the command comes from one of these localities.
 locality: the localities (TPMA_LOCALITY).
TPM2_PolicyNV: Requires that data of an NV index compares as specified.
 !POLICY: the comparison is false
 !NV_UNINITIALIZED: the index has not been written
TPM2_PolicyCounterTimer: Requires that the TPM's clock or counters compare as specified.
 offset: the position of the first byte in TPMS_TIME_INFO.
 !POLICY: the comparison is false
TPM2_PolicyCommandCode: Restricts the policy to one command; needed for the roles DUP and ADMIN.
 code: the command.
 !VALUE: the policy already names another command
 !POLICY_CC: the TPM does not implement the command
TPM2_PolicyPhysicalPresence: Requires that physical presence is asserted when the session is used.
TPM2_PolicyCpHash: Restricts the policy to one command with exactly these objects and parameters.
 !CPHASH: the policy already has another cpHash, nameHash or templateHash
TPM2_PolicyNameHash: Restricts the policy to commands on certain objects.
 nameHash: digest of the Names of all handles.
 !CPHASH: the policy already has another cpHash, nameHash or templateHash
TPM2_PolicyDuplicationSelect: Restricts the policy to duplication of this object to this new parent.
 newParentName: the Name of the new parent.
 includeObject: YES to bind the policy to the object as well.
 !COMMAND_CODE: the policy already names another command
TPM2_PolicyAuthorize: Requires that a key signed the current digest. A new signature can replace the policy, for
   example for new PCR values.
 approvedPolicy: the digest that was signed, equal to the session's.
 keySign: the Name of the key.
 !VALUE: the session's digest is not approvedPolicy
 !TICKET: the ticket is for another signature or TPM
TPM2_PolicyAuthorizeNV: Requires that the current digest is in an NV index. A write to the index can replace the
   policy.
 !VALUE: the session's digest differs from the one in the index
TPM2_PolicyAuthValue: Also requires the object's password, proven by the session's HMAC.
TPM2_PolicyPassword: Also requires the object's password, sent in cleartext in the session's HMAC field.
TPM2_PolicyGetDigest: Returns the session's digest. With a trial session, it is the authPolicy for a new object.
 policyDigest: the digest; compare it with the object's authPolicy.
TPM2_PolicyNvWritten: Requires that the NV index has been written, or that it has not.
 writtenSet: YES if the index must have been written.
TPM2_PolicyTemplate: Restricts the policy to the creation of objects from one template.
 templateHash: digest of the template.
TPM2_PolicyCapability: Requires that a capability of the TPM compares as specified.
 !POLICY: the comparison is false
TPM2_PolicyParameters: Restricts the policy to a command with these parameters, on any object.
 pHash: digest of the parameters.
 !CPHASH: the policy already has another hash
TPM2_PolicyTransportSPDM: Requires that commands come over a secure channel between these keys.
 reqKeyName: the Name of the caller's key.
 tpmKeyName: the Name of the TPM's key.
 !CHANNEL: the command did not come over a secure channel
TPM2_Policy_AC_SendSelect: Restricts the policy to sending this object to this attached component.
 authHandleName: the Name of the NV index that authorizes it.
 acName: the Name of the component.
 includeObject: YES to bind the policy to the object as well.
TPM2_NV_DefineSpace: Creates an NV index.
 authHandle: owner or platform.
 publicInfo: number, attributes, size, hash and policy. nameAlg is the hash of the Name and of the policy.
 !NV_DEFINED: the index already exists
 !NV_SPACE: not enough NV memory
 !ATTRIBUTES: attributes contradict each other: a bit for reading and one for writing must be set
 !SIZE: a counter or bit field must have 8 bytes
TPM2_NV_DefineSpace2: Creates an NV index, also in memory outside the TPM.
 authHandle: owner or platform.
TPM2_NV_UndefineSpace: Removes an NV index and its data.
 authHandle: owner or platform.
 !ATTRIBUTES: policyDelete is set
 !NV_AUTHORIZATION: the platform defined the index
TPM2_NV_UndefineSpaceSpecial: Removes an index that has policyDelete, under its policy.
 platform: the platform.
 !ATTRIBUTES: policyDelete is clear
TPM2_NV_ReadPublic: Returns an index's attributes, size and Name; needs no authorization.
 !HANDLE: the index does not exist
TPM2_NV_ReadPublic2: Returns the public area of an index, also of an index outside the TPM.
TPM2_NV_Write: Writes data to an ordinary or PIN index, at most TPM_PT_NV_BUFFER_MAX bytes at once.
 !NV_LOCKED: the index is locked for writing
 !NV_RANGE: offset plus size is beyond the index, or writeall requires a write of the whole index
 !NV_AUTHORIZATION: the attributes do not allow this authorization
 !ATTRIBUTES: the index is a counter, bit field or extend index
TPM2_NV_Increment: Adds 1 to a counter.
 !ATTRIBUTES: the index is not a counter
TPM2_NV_Extend: Extends an index of type extend, like a PCR.
 !ATTRIBUTES: the index is not of type extend
TPM2_NV_SetBits: Sets bits of a bit field.
 !ATTRIBUTES: the index is not a bit field
TPM2_NV_WriteLock: Locks an index for writing, until the next reset or permanently.
 !ATTRIBUTES: neither writedefine nor writeStclear is set
TPM2_NV_GlobalWriteLock: Locks all indices with globallock for writing.
TPM2_NV_Read: Reads data, at most TPM_PT_NV_BUFFER_MAX bytes at once.
 !NV_UNINITIALIZED: the index has not been written
 !NV_RANGE: offset plus size is beyond the index
 !NV_AUTHORIZATION: the attributes do not allow this authorization
 !NV_LOCKED: the index is locked for reading
 !VALUE: size is larger than TPM_PT_NV_BUFFER_MAX
TPM2_NV_ReadLock: Locks an index for reading until the next reset.
 !ATTRIBUTES: readStclear is clear
TPM2_NV_ChangeAuth: Changes an index's authValue, under a policy with TPM2_PolicyCommandCode.
 !AUTH_TYPE: role ADMIN needs a policy session
TPM2_NV_Certify: Attests data of an NV index.
 size: the number of bytes; 0 with offset 0 for a digest of the whole contents.
 !NV_UNINITIALIZED: the index has not been written
TPM2_EvictControl: Makes a loaded object persistent, or removes a persistent one.
 auth: owner or platform.
 objectHandle: the loaded object to make persistent, or the persistent one to remove.
 persistentHandle: the persistent handle.
 !NV_DEFINED: the handle is in use
 !RANGE: the handle belongs to the platform, or is not persistent
 !NV_SPACE: not enough NV memory
 !HIERARCHY: the object is in another hierarchy
 !ATTRIBUTES: stClear is set, or the object is external
TPM2_FlushContext: Removes a loaded object or session. The handle is a parameter, so no authorization is needed.
 flushHandle: the object or session.
 !HANDLE: nothing is at the handle
TPM2_ContextSave: Returns an object or session as encrypted data. A saved session frees its slot.
 saveHandle: the object or session.
 context: the data, valid until the next reset.
 !TOO_MANY_CONTEXTS: the counter of saved contexts is at its maximum; reset the TPM
TPM2_ContextLoad: Loads a saved object or session.
 context: the data that TPM2_ContextSave returned.
 loadedHandle: the new handle; a session keeps its own.
 !INTEGRITY: the context is from another TPM, or from before a reset
 !HANDLE: the session was already loaded or flushed
TPM2_HierarchyControl: Enables or disables a hierarchy.
 enable: the hierarchy.
 state: YES to enable the hierarchy, which only the platform may do.
 !AUTH_TYPE: the authorization is not allowed for this hierarchy
TPM2_SetPrimaryPolicy: Sets the policy of a hierarchy.
 authHandle: the hierarchy.
 authPolicy: the policy's digest; empty for none.
TPM2_ChangePPS: Replaces the platform's seed: all its keys are lost.
TPM2_ChangeEPS: Replaces the endorsement seed: EKs no longer match their certificates. Cannot be undone.
TPM2_Clear: Removes the owner's and the endorsement hierarchy's keys, the owner's NV indices, and the passwords
   of owner, endorsement and lockout. All key files under the owner hierarchy then become useless.
 authHandle: lockout or platform.
 !DISABLED: disableClear is set; the firmware's settings can clear the TPM
 !BAD_AUTH: the lockout password is wrong
TPM2_ClearControl: Enables or disables TPM2_Clear.
 auth: lockout may disable it; only the platform may enable it.
 disable: YES to disable TPM2_Clear.
 !AUTH_FAIL: lockout cannot enable it
TPM2_HierarchyChangeAuth: Sets the password of a hierarchy.
 authHandle: the hierarchy.
 !SIZE: the password is longer than the hierarchy's hash
TPM2_DictionaryAttackLockReset: Ends lockout and sets the count of wrong passwords to 0.
 !LOCKOUT: a wrong lockout password blocks the command until TPM_PT_LOCKOUT_RECOVERY has passed
TPM2_DictionaryAttackParameters: Sets the limits of dictionary-attack lockout.
 newMaxTries: the number of wrong passwords that cause lockout.
 newRecoveryTime: seconds until one wrong password is forgiven.
 lockoutRecovery: seconds for which a wrong lockout password blocks the lockout hierarchy; 0: until a reset.
TPM2_PP_Commands: Selects the commands that need physical presence.
 auth: the platform.
 setList: commands that will need physical presence.
 clearList: commands that will not need it.
TPM2_SetAlgorithmSet: Selects one of the manufacturer's sets of algorithms.
 algorithmSet: the number of the set.
TPM2_SetCommandCodeAuditStatus: Selects the commands that the command audit includes.
 auditAlg: the hash of the audit digest.
 setList: commands to add.
 clearList: commands to remove.
TPM2_FieldUpgradeStart: Begins a firmware update.
 authorization: the platform.
 keyHandle: the manufacturer's public key.
 fuDigest: digest of the first part.
 manifestSignature: the manufacturer's signature of fuDigest.
 !SIGNATURE: the signature is not the manufacturer's
TPM2_FieldUpgradeData: Sends the next part of a firmware update.
 nextDigest: digest of the next part; TPM_ALG_NULL at the end.
 firstDigest: digest of the first part.
TPM2_FirmwareRead: Returns a part of the firmware, encrypted by the manufacturer.
 sequenceNumber: the number of the part.
TPM2_ReadClock: Returns time and clock, in milliseconds; needs no authorization.
 currentTime: time since the last start, clock since TPM2_Clear, and counters of resets.
TPM2_ClockSet: Advances the clock; it cannot be set back.
 newTime: milliseconds.
 !VALUE: the time is in the past, or too far ahead
TPM2_ClockRateAdjust: Makes the clock faster or slower.
 rateAdjust: the change of the rate (TPM_CLOCK_ADJUST).
TPM2_ACT_SetTimeout: Sets a countdown timer, or stops it with 0.
 actHandle: the timer.
 startTimeout: seconds.
 !VALUE: the timeout is too long for the timer
TPM2_AC_GetCapability: Lists the capabilities of an attached component.
 ac: the component.
 capability: the first element of the list (TPM_AT).
 count: the maximum number of elements.
 capabilitiesData: the list.
TPM2_AC_Send: Sends an object to an attached component.
 sendObject: the object; role DUP.
 ac: the component.
 acDataIn: further data.
 acDataOut: the component's response.
TPM2_Vendor_TCG_Test: A command for tests of the reference code: returns its input.
 inputData: any data.
 outputData: the same data.
"""
