"""The meaning of the properties of a TPM (TPM 2.0 Part 2, §6.13)."""

__all__ = ["TEXT"]

TEXT = """
TPM_PT: Numbers of properties, which TPM2_GetCapability(TPM_CAP_TPM_PROPERTIES) returns.
 NONE: not a property.
 FAMILY_INDICATOR: the characters "2.0".
 LEVEL: level of the specification, 0.
 REVISION: revision of the specification, times 100: 138 is 1.38.
 DAY_OF_YEAR: day of the year of the specification's date; since 1.85, the number of the errata (TPM_PT_ERRATA).
 YEAR: year of the specification's date; 0 since 1.85.
 ERRATA: number of the errata that the TPM follows.
 MANUFACTURER: the manufacturer's ID, four characters: IFX, STM, NTC, INTC, AMD, IBM (libtpms).
 VENDOR_STRING_1: first four characters of the manufacturer's name for the model.
 VENDOR_STRING_2: next four characters.
 VENDOR_STRING_3: next four characters.
 VENDOR_STRING_4: last four characters.
 VENDOR_TPM_TYPE: the model's number, defined by the manufacturer.
 FIRMWARE_VERSION_1: the firmware's version, upper half: two numbers of 16 bits.
 FIRMWARE_VERSION_2: the firmware's version, lower half, in a format of the manufacturer.
 INPUT_BUFFER: largest TPM2B_MAX_BUFFER, in bytes: the data of one TPM2_Hash, TPM2_HMAC or TPM2_SequenceUpdate.
 HR_TRANSIENT_MIN: minimum number of transient objects that fit; 3 on most chips.
 HR_PERSISTENT_MIN: minimum number of persistent objects that fit.
 HR_LOADED_MIN: minimum number of sessions that can be loaded; 3 on most chips.
 ACTIVE_SESSIONS_MAX: maximum number of sessions, loaded or saved.
 PCR_COUNT: number of PCRs; 24 on a PC.
 PCR_SELECT_MIN: minimum size of a PCR selection, in bytes; 3 on a PC.
 CONTEXT_GAP_MAX: maximum distance between the newest and the oldest saved session (TPM_RC_CONTEXT_GAP).
 NV_COUNTERS_MAX: maximum number of counters; 0: as many as fit.
 NV_INDEX_MAX: largest NV index, in bytes.
 MEMORY: how objects, sessions and NV share memory (TPMA_MEMORY).
 CLOCK_UPDATE: milliseconds between two writes of the clock to NV: the error of the clock after a power loss.
 CONTEXT_HASH: the hash that protects saved contexts.
 CONTEXT_SYM: the cipher that protects saved contexts.
 CONTEXT_SYM_SIZE: key size of that cipher, in bits.
 ORDERLY_COUNT: number of increments of an orderly counter between two writes to NV, minus one.
 MAX_COMMAND_SIZE: largest command, in bytes.
 MAX_RESPONSE_SIZE: largest response, in bytes.
 MAX_DIGEST: largest digest, in bytes: 32 means no SHA-384.
 MAX_OBJECT_CONTEXT: largest saved context of an object, in bytes.
 MAX_SESSION_CONTEXT: largest saved context of a session, in bytes.
 PS_FAMILY_INDICATOR: the platform specification (TPM_PS), or "2.0".
 PS_LEVEL: level of the platform specification.
 PS_REVISION: revision of the platform specification, times 100.
 PS_DAY_OF_YEAR: day of the year of the platform specification's date.
 PS_YEAR: year of the platform specification's date.
 SPLIT_MAX: maximum number of open split signing operations (TPM2_Commit, TPM2_EC_Ephemeral).
 TOTAL_COMMANDS: number of implemented commands.
 LIBRARY_COMMANDS: number of implemented commands of the standard.
 VENDOR_COMMANDS: number of implemented commands of the manufacturer.
 NV_BUFFER_MAX: maximum number of bytes in one TPM2_NV_Read or TPM2_NV_Write; longer data needs several commands.
 MODES: certified modes (TPMA_MODES).
 MAX_CAP_BUFFER: largest capability data in a response, in bytes.
 FIRMWARE_SVN: the firmware's security version, for hierarchies TPM_RH_SVN_...
 FIRMWARE_MAX_SVN: the highest security version that an object can be bound to.
 ML_PARAMETER_SETS: the parameter sets of ML-KEM and ML-DSA (TPMA_ML_PARAMETER_SET).
 PERMANENT: state that survives resets (TPMA_PERMANENT): passwords that are set, lockout.
 STARTUP_CLEAR: state since the last startup (TPMA_STARTUP_CLEAR): enabled hierarchies.
 HR_NV_INDEX: number of NV indices that are defined.
 HR_LOADED: number of sessions that are loaded.
 HR_LOADED_AVAIL: number of further sessions that can be loaded.
 HR_ACTIVE: number of sessions, loaded or saved.
 HR_ACTIVE_AVAIL: number of further sessions that can be started.
 HR_TRANSIENT_AVAIL: estimated number of further transient objects that fit.
 HR_PERSISTENT: number of persistent objects.
 HR_PERSISTENT_AVAIL: estimated number of further persistent objects that fit.
 NV_COUNTERS: number of counters that are defined.
 NV_COUNTERS_AVAIL: number of further counters that fit.
 ALGORITHM_SET: the set of algorithms that TPM2_SetAlgorithmSet selected.
 LOADED_CURVES: number of implemented curves.
 LOCKOUT_COUNTER: current count of wrong passwords; lockout begins at TPM_PT_MAX_AUTH_FAIL.
 MAX_AUTH_FAIL: number of wrong passwords that causes lockout.
 LOCKOUT_INTERVAL: seconds after which one wrong password is forgiven; 0: lockout is off.
 LOCKOUT_RECOVERY: seconds for which the lockout password is blocked after a wrong one; 0: until a reset.
 NV_WRITE_RECOVERY: milliseconds before the TPM accepts the next write to NV (TPM_RC_NV_RATE).
 AUDIT_COUNTER_0: upper half of the command audit counter.
 AUDIT_COUNTER_1: lower half of the command audit counter.
"""
