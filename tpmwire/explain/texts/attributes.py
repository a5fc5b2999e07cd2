"""The meaning of each bit of the attribute words (TPM 2.0 Part 2, §8 and §13.4)."""

__all__ = ["TEXT"]

TEXT = """
TPMA_OBJECT: The permitted uses of a key or sealed object, and its protection. Fixed when the object is created.
 fixedTPM: the object never leaves this TPM: it cannot be duplicated. Requires fixedParent, and a parent with
   fixedTPM; otherwise TPM_RC_ATTRIBUTES. An imported key has it clear.
 stClear: the object's saved context is lost at the next TPM2_Startup(CLEAR), and it cannot be made persistent.
 fixedParent: the object stays under this parent. If clear, TPM2_Duplicate can copy it to another parent, under a
   policy that allows that command.
 sensitiveDataOrigin: the TPM itself generated the secret. Must be clear if the caller supplies the secret
   (inSensitive.data: sealed data, an HMAC key), and set if the TPM is to generate a key; otherwise
   TPM_RC_ATTRIBUTES.
 userWithAuth: the password (authValue) is enough for ordinary use (role USER). If clear, the object requires its
   policy, and a password fails with TPM_RC_AUTH_UNAVAILABLE.
 adminWithPolicy: commands of the role ADMIN (TPM2_ObjectChangeAuth, TPM2_Certify and TPM2_ActivateCredential on
   this object) require the policy; the password is not enough.
 firmwareLimited: the object works only with this version of the TPM's firmware (hierarchies TPM_RH_FW_...).
 svnLimited: the object works only with firmware of this or a higher security version (TPM_RH_SVN_...).
 noDA: wrong passwords for this object do not count toward lockout, and lockout does not block the object. Use
   noDA only with a strong authValue; a short PIN needs the protection against guessing.
 encryptedDuplication: duplication needs an encrypted inner wrapper and a new parent other than TPM_RH_NULL.
 restricted: the key processes only data that the TPM itself produced or checked. With decrypt: a parent (storage
   key). With sign: an attestation key, which refuses a digest without a ticket of TPM2_Hash (TPM_RC_TICKET).
 decrypt: the private key may decrypt (RSA), agree on secrets (ECDH) or, with restricted, protect children. An
   unrestricted symmetric key needs decrypt for decryption.
 signEncrypt: the private key may sign; a symmetric key may encrypt; a keyedhash object may compute HMACs. A
   sealed object has both decrypt and signEncrypt clear.
 x509sign: the key signs only X.509 certificates, with TPM2_CertifyX509; requires signEncrypt.
 fixedFirmware: the object was created under a hierarchy of the firmware, and stays bound to the firmware.
TPMA_SESSION: The use of a session in one command, and the state that the TPM reports in the response.
 continueSession: the session stays open after the command. If clear, the TPM flushes the session when the
   command succeeds, and later uses of its handle fail with TPM_RC_REFERENCE_S0.
 auditExclusive: in a command: run it only if no other command was executed since the last one of this audit
   session, otherwise TPM_RC_EXCLUSIVE. In a response: the session was exclusive. Requires audit.
 auditReset: restart the audit digest of the session. Requires audit.
 decrypt: the session encrypts the command's first parameter, a TPM2B; the TPM decrypts it. At most one session
   may have decrypt (TPM_RC_ATTRIBUTES).
 encrypt: the TPM encrypts the first parameter of the response, a TPM2B, with this session.
 audit: the session's digest includes the hashes of this command and its response (TPM2_GetSessionAuditDigest).
TPMA_LOCALITY: Localities from which a command may come. On a PC, the address of the TPM's registers determines
   the locality.
 zero: locality 0: the operating system and its programs, which usually can use no other locality.
 one: locality 1: for the dynamically launched operating system (DRTM).
 two: locality 2: the runtime environment of a dynamically launched system (DRTM).
 three: locality 3: software that the processor starts with DRTM.
 four: locality 4: the processor itself while it starts a DRTM; it resets PCRs 17 to 22.
TPMA_ALGORITHM: What an algorithm is for, in the list of algorithms that a TPM returns (TPM_CAP_ALGS).
 asymmetric: an asymmetric algorithm with a public and a private part.
 symmetric: a symmetric block cipher.
 hash: a hash algorithm.
 object: an object type: objects can be of this type (TPMT_PUBLIC.type).
 signing: can sign; with asymmetric, a signing scheme.
 encrypting: can encrypt; with asymmetric, an encryption scheme.
 method: a method that another algorithm uses, such as a mask generation or key derivation function.
TPMA_PERMANENT: State that survives resets (TPM_PT_PERMANENT).
 ownerAuthSet: the owner hierarchy has a password: a command for TPM_RH_OWNER without the password fails with
   TPM_RC_BAD_AUTH.
 endorsementAuthSet: the endorsement hierarchy has a password.
 lockoutAuthSet: the lockout hierarchy has a password.
 disableClear: TPM2_Clear is disabled (TPM_RC_DISABLED) until the platform enables it with TPM2_ClearControl.
 inLockout: the TPM is in dictionary-attack lockout: objects without noDA refuse passwords (TPM_RC_LOCKOUT).
 tpmGeneratedEPS: the TPM generated the endorsement seed itself. If clear, the manufacturer installed the seed.
   After TPM2_ChangeEPS, the manufacturer's EK certificates no longer match.
TPMA_STARTUP_CLEAR: State that TPM2_Startup(CLEAR) sets to its defaults (TPM_PT_STARTUP_CLEAR).
 phEnable: the platform hierarchy is enabled. Firmware usually disables it before the system starts.
 shEnable: the owner (storage) hierarchy is enabled; if clear, its keys do not work (TPM_RC_HIERARCHY).
 ehEnable: the endorsement hierarchy is enabled.
 phEnableNV: NV indices of the platform can be read and written.
 readOnly: the TPM is in read-only mode and refuses commands that change its state (TPM_RC_READ_ONLY).
 orderly: the last shutdown was orderly (TPM2_Shutdown). If clear, power was lost, and orderly counters jumped
   ahead.
TPMA_MEMORY: How objects, sessions and NV data share memory (TPM_PT_MEMORY).
 sharedRAM: objects and sessions use the same memory, so objects can use up the space for sessions, and vice
   versa.
 sharedNV: persistent objects and NV indices use the same memory.
 objectCopiedToRam: a persistent object needs a transient slot while a command uses it, so TPM_RC_OBJECT_MEMORY
   is possible without any loaded object.
TPMA_CC: A command's number and properties in the list of commands of a TPM (TPM_CAP_COMMANDS).
 nv: the command may write to NV memory, which is slow and wears out the memory.
 extensive: the command can flush many objects and sessions, such as TPM2_Clear.
 flushed: the command flushes a transient handle of its handle area when it succeeds.
 rHandle: the response has a handle.
 V: the command is the manufacturer's own; bits 15:0 are its number.
TPMA_MODES: Certified modes of the TPM (TPM_PT_MODES).
 FIPS_140_2: the TPM complies with FIPS 140-2 at least at level 1.
 FIPS_140_3: the TPM complies with FIPS 140-3 at least at level 1.
 FIPS_140_3_INDICATOR: whether the last command used approved algorithms only.
TPMA_ACT: State of a countdown timer (Authenticated Countdown Timer).
 signaled: the timer reached zero; the platform then acts, for example by resetting the machine.
 preserveSignaled: signaled survives the next reset.
TPMA_ML_PARAMETER_SET: The parameter sets of ML-KEM and ML-DSA that a TPM supports (TPM_PT_ML_PARAMETER_SETS).
 mlKem512: ML-KEM-512, security of AES-128.
 mlKem768: ML-KEM-768, security of AES-192.
 mlKem1024: ML-KEM-1024, security of AES-256.
 mlDsa44: ML-DSA-44, security of SHA-256 against collisions.
 mlDsa65: ML-DSA-65, security of AES-192.
 mlDsa87: ML-DSA-87, security of AES-256.
 extMu: ML-DSA keys may sign a Mu that the caller computed (external Mu).
TPMA_NV_EXP: Attributes of an NV index outside the TPM: the attributes of TPMA_NV, and the protection of the
   external memory.
 externalNVEncryption: the TPM encrypts the data in the external memory.
 externalNVIntegrity: the TPM detects changes of the data.
 externalNVAntirollback: the TPM detects that old data was restored.
TPMA_NV: Permissions to read, write, lock and delete an NV index. At least one bit for reading and one for
   writing must be set.
 ppwrite: the platform's authorization may write.
 ownerwrite: the owner's authorization may write (-C o in tpm2-tools).
 authwrite: the index's own authValue may write.
 policywrite: the index's policy may write. If clear, a policy session fails with TPM_RC_NV_AUTHORIZATION.
 policyDelete: only TPM2_NV_UndefineSpaceSpecial with the index's policy deletes the index. Without a policy that
   can be satisfied, the index stays permanently.
 writelocked: the index cannot be written now (TPM_RC_NV_LOCKED). The TPM sets it.
 writeall: a write must have the size of the index (TPM_RC_NV_RANGE).
 writedefine: TPM2_NV_WriteLock locks writing permanently, if the index has been written.
 writeStclear: TPM2_NV_WriteLock locks writing until the next TPM2_Startup(CLEAR).
 globallock: TPM2_NV_GlobalWriteLock locks the index too.
 ppread: the platform's authorization may read.
 ownerread: the owner's authorization may read.
 authread: the index's own authValue may read.
 policyread: the index's policy may read.
 noDA: wrong authValues do not count toward lockout.
 orderly: writes stay in RAM until an orderly shutdown: fast and without wear, but lost if power fails. A counter
   then jumps ahead.
 clearStclear: the index counts as not written after TPM2_Startup(CLEAR) (TPM_RC_NV_UNINITIALIZED).
 readlocked: the index cannot be read until the next TPM2_Startup(CLEAR) (TPM_RC_NV_LOCKED). The TPM sets it.
 written: the index has been written. Before the first write, reading fails with TPM_RC_NV_UNINITIALIZED. The
   attribute is part of the Name.
 platformcreate: the platform defined the index; the owner cannot delete it, and TPM2_Clear keeps it.
 readStclear: TPM2_NV_ReadLock locks reading until the next TPM2_Startup(CLEAR).
"""
