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
 MANUFACTURER: the maker's ID, four characters: IFX, STM, NTC, INTC, AMD, IBM (libtpms).
 VENDOR_STRING_1: first four characters of the maker's name of the model.
 VENDOR_STRING_2: next four characters.
 VENDOR_STRING_3: next four characters.
 VENDOR_STRING_4: last four characters.
 VENDOR_TPM_TYPE: the maker's number of the model.
 FIRMWARE_VERSION_1: the firmware's version, upper half: two numbers of 16 bits.
 FIRMWARE_VERSION_2: the firmware's version, lower half, in a format of the maker.
 INPUT_BUFFER: largest TPM2B_MAX_BUFFER, in bytes: the data of one TPM2_Hash, TPM2_HMAC or TPM2_SequenceUpdate.
 HR_TRANSIENT_MIN: transient objects that fit at least; on most chips 3.
 HR_PERSISTENT_MIN: persistent objects that fit at least.
 HR_LOADED_MIN: sessions that can be loaded at least; on most chips 3.
 ACTIVE_SESSIONS_MAX: sessions that can exist, loaded or saved.
 PCR_COUNT: PCRs; 24 on a PC.
 PCR_SELECT_MIN: bytes of a PCR selection at least; 3 on a PC.
 CONTEXT_GAP_MAX: how far the newest saved session may be ahead of the oldest (TPM_RC_CONTEXT_GAP).
 NV_COUNTERS_MAX: counters that can be defined; 0: as many as fit.
 NV_INDEX_MAX: largest NV index, in bytes.
 MEMORY: how objects, sessions and NV share memory (TPMA_MEMORY).
 CLOCK_UPDATE: milliseconds between two writes of the clock to NV; after a power loss, the clock is so
   imprecise.
 CONTEXT_HASH: the hash that protects saved contexts.
 CONTEXT_SYM: the cipher that protects saved contexts.
 CONTEXT_SYM_SIZE: key size of that cipher, in bits.
 ORDERLY_COUNT: increments of an orderly counter between two writes to NV, minus one.
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
 SPLIT_MAX: split signing operations (TPM2_Commit, TPM2_EC_Ephemeral) that can be open.
 TOTAL_COMMANDS: implemented commands.
 LIBRARY_COMMANDS: implemented commands of the standard.
 VENDOR_COMMANDS: implemented commands of the maker.
 NV_BUFFER_MAX: most bytes that one TPM2_NV_Read or TPM2_NV_Write moves; longer data needs several.
 MODES: certified modes (TPMA_MODES).
 MAX_CAP_BUFFER: largest capability data in a response, in bytes.
 FIRMWARE_SVN: the firmware's security version, for hierarchies TPM_RH_SVN_...
 FIRMWARE_MAX_SVN: the highest security version that an object can be bound to.
 ML_PARAMETER_SETS: the parameter sets of ML-KEM and ML-DSA (TPMA_ML_PARAMETER_SET).
 PERMANENT: state that survives resets (TPMA_PERMANENT): passwords that are set, lockout.
 STARTUP_CLEAR: state since the last startup (TPMA_STARTUP_CLEAR): enabled hierarchies.
 HR_NV_INDEX: NV indices that are defined.
 HR_LOADED: sessions that are loaded.
 HR_LOADED_AVAIL: further sessions that can be loaded.
 HR_ACTIVE: sessions that exist, loaded or saved.
 HR_ACTIVE_AVAIL: further sessions that can exist.
 HR_TRANSIENT_AVAIL: further transient objects that fit, as an estimate.
 HR_PERSISTENT: persistent objects.
 HR_PERSISTENT_AVAIL: further persistent objects that fit, as an estimate.
 NV_COUNTERS: counters that are defined.
 NV_COUNTERS_AVAIL: further counters that fit.
 ALGORITHM_SET: the set of algorithms that TPM2_SetAlgorithmSet selected.
 LOADED_CURVES: curves that are implemented.
 LOCKOUT_COUNTER: wrong passwords that count now; lockout begins at TPM_PT_MAX_AUTH_FAIL.
 MAX_AUTH_FAIL: wrong passwords that lead to lockout.
 LOCKOUT_INTERVAL: seconds after which one wrong password is forgiven; 0: lockout is off.
 LOCKOUT_RECOVERY: seconds that the lockout password is blocked after a wrong one; 0: until a reset.
 NV_WRITE_RECOVERY: milliseconds before the TPM accepts the next write to NV (TPM_RC_NV_RATE).
 AUDIT_COUNTER_0: upper half of the command audit counter.
 AUDIT_COUNTER_1: lower half of the command audit counter.
"""
