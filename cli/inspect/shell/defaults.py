"""Values of the fields that a command leaves out: those of tpm2-tools, and the newest suitable results."""

import re
from collections.abc import Mapping
from typing import Any

from tpmwire.crypto.formulas import digest_size
from tpmwire.keys.template_names import parse_template
from tpmwire.spec.command import role_of
from tpmwire.spec.constants import TPM_ALG, TPM_HT, TPM_RH, TPM_ST, TPMA_NV, TPMA_OBJECT
from tpmwire.spec.names import field_name, type_name
from tpmwire.spec.properties import TPM_CAP, TPM_NT
from tpmwire.spec.structures import (
    TPMS_RSA_PARMS,
    TPMS_SCHEME_HASH,
    TPMT_KDF_SCHEME,
    TPMT_PUBLIC,
    TPMT_RSA_DECRYPT,
    TPMT_SIG_SCHEME,
    TPMT_TK_HASHCHECK,
)
from tpmwire.wires import Number, YesNo, wire_of

from ...terminal.messages import UsageError
from .numbers import plain
from .scope import ScriptScope
from .values import UNKNOWN, Outcome

__all__ = ["CommandDefaults", "default_text", "leaf", "public_base"]

_TEXTS = {
    "CreatePrimary.primaryHandle": "owner",
    "CreatePrimary.inPublic": "ecc",
    "Clear.authHandle": "lockout",
    "ClearControl.auth": "lockout",
    "HierarchyControl.authHandle": "platform",
    "PCR_Allocate.authHandle": "platform",
    "PCR_SetAuthPolicy.authHandle": "platform",
    "ChangePPS.authHandle": "platform",
    "ChangeEPS.authHandle": "platform",
    "PP_Commands.auth": "platform",
    "SelfTest.fullTest": "yes",
    "Startup.startupType": "CLEAR",
    "Shutdown.shutdownType": "CLEAR",
    "Hash.hierarchy": "owner",
    "SequenceComplete.hierarchy": "owner",
    "StartAuthSession.tpmKey": "null",
    "StartAuthSession.bind": "null",
    "StartAuthSession.sessionType": "TRIAL",
    "PCR_Read.pcrSelectionIn": "sha256:all",
    "CertifyX509.reserved": "",
    "GetCapability.capability": "TPM_PROPERTIES",
    "Duplicate.newParentHandle": "null",
    "PolicyDuplicationSelect.includeObject": "no",
    "PolicyNvWritten.writtenSet": "yes",
    "PolicyNV.operation": "EQ",
    "PolicyCounterTimer.operation": "EQ",
    "ECC_Parameters.curveID": "NIST_P256",
    "EC_Ephemeral.curveID": "NIST_P256",
    "authHandle": "owner",
    "auth": "owner",
    "lockHandle": "lockout",
    "privacyAdminHandle": "endorsement",
    "privacyHandle": "endorsement",
    "platform": "platform",
    "symmetricAlg": "null",
    "decrypt": "no",
}
"""Defaults in text, by COMMAND.FIELD, or by the field's name in every command."""

_NEWEST = {
    "TPM2B_PRIVATE",
    "TPM2B_ID_OBJECT",
    "TPM2B_ENCRYPTED_SECRET",
    "TPM2B_TIMEOUT",
    "TPMS_CONTEXT",
    "TPMT_SIGNATURE",
    "TPMT_TK_CREATION",
    "TPMT_TK_VERIFIED",
    "TPMT_TK_AUTH",
}
"""Types of parameters whose default is the newest result of the type."""

_FROM_RESULT = {
    "Load.inPrivate": "outPrivate",
    "Import.duplicate": "duplicate",
    "Import.objectPublic": "public",
    "Import.encryptionKey": "encryptionKeyOut",
    "CertifyCreation.creationHash": "creationHash",
    "RSA_Decrypt.cipherText": "outData",
    "ECDH_ZGen.inPoint": "pubPoint",
    "VerifySignature.digest": "digest",
    "VerifyDigestSignature.digest": "digest",
    "PolicyAuthorize.approvedPolicy": "policyDigest",
}
"""Parameters whose default is the newest result with this name."""

_STORAGE = TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT
_SIGNERS = ("Sign.keyHandle", "VerifySignature.keyHandle", "signHandle", "SignDigest.keyHandle", "authObject")
_PARENTS = ("parentHandle", "newParentHandle", "oldParent", "newParent", "ActivateCredential.keyHandle", "tpmKey")
_SESSION_FIELDS = ("policySession", "sessionHandle")
_USUAL_SCHEMES = {TPM_ALG.RSA: TPM_ALG.RSASSA, TPM_ALG.ECC: TPM_ALG.ECDSA, TPM_ALG.KEYEDHASH: TPM_ALG.HMAC}
_HASHES = {digest_size(alg): alg for alg in (TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA384, TPM_ALG.SHA512)}


class CommandDefaults:
    """The defaults of the fields of one command; earlier results are in `scope`, other fields in `given`."""

    def __init__(self, kind: Any, scope: ScriptScope, given: Mapping[str, Any]) -> None:
        self._kind = kind
        self._scope = scope
        self._annotations = dict(kind.fields())
        self.given = given

    def of(self, name: str, values: dict[str, Any]) -> Any:
        """Returns the default of a field: a value, a text for the reader, or None.

        `values` contains the preceding fields.
        """
        field, code = field_name(name), self._kind.code.name
        special = getattr(self, f"default_{name}", None)
        if special is not None and (found := special(values)) is not None:
            return found
        text = _TEXTS.get(f"{code}.{field}")
        if text is not None:
            return text
        if role_of(self._annotations[name]) is not None:
            return self._handle(field, values) or _TEXTS.get(field)
        if (source := _FROM_RESULT.get(f"{code}.{field}")) is not None:
            outcome = self._scope.values.newest(lambda outcome: _has(outcome, source))
            return None if outcome is None else outcome.get(source)
        if type_name(self._annotations[name]) in _NEWEST and code != "StartAuthSession":
            wire = self._annotations[name]
            return self._newest_of_type(wire)
        return _TEXTS.get(field) if field not in ("auth", "platform") else None

    def _newest_of_type(self, annotation: Any) -> Any:
        wanted = type_name(annotation)
        for outcome in reversed(self._scope.values.outcomes):
            for _, known, value in outcome.annotated():
                if type_name(known) == wanted:
                    return value
        return None

    def _handle(self, field: str, values: dict[str, Any]) -> int | None:
        """Returns the newest handle of a type that a field accepts, or None."""
        code = self._kind.code.name

        def named(names: tuple[str, ...]) -> bool:
            return field in names or f"{code}.{field}" in names

        def suits(outcome: Outcome) -> bool:
            if not outcome.has_handle or not self._scope.is_open(outcome.handle):
                return False
            bits = outcome.public.object_attributes if isinstance(outcome.public, TPMT_PUBLIC) else None
            kind = outcome.handle >> 24
            if named(_SESSION_FIELDS):
                return kind in (TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION)
            if kind != TPM_HT.TRANSIENT:
                return field in ("flushHandle", "saveHandle")
            if self._scope.dry and bits is None:
                return True
            if field == "sequenceHandle":
                return "Sequence" in outcome.command.code.name or outcome.command.code.name == "HMAC_Start"
            if named(_PARENTS):
                return bits is not None and bits & _STORAGE == _STORAGE
            if named(_SIGNERS):
                return bits is not None and bool(bits & TPMA_OBJECT.SIGN_ENCRYPT)
            if field == "activateHandle":
                return bits is not None and bits & _STORAGE != _STORAGE
            return bits is not None or field in ("flushHandle", "saveHandle")

        if field in _NO_NEWEST:
            return None
        found = self._scope.values.newest(suits)
        return None if found is None else found.handle

    def default_nv_index(self, values: dict[str, Any]) -> int | None:
        """Returns the index that also authorizes the command, or the newest index that was named."""
        given = values.get("auth_handle", 0)
        if isinstance(given, int) and given >> 24 == TPM_HT.NV_INDEX:
            return given
        return _newest_index(self._scope)

    def default_auth_handle(self, values: dict[str, Any]) -> int | None:
        """Returns the index itself for commands that it can authorize, as in tpm2-tools; else None."""
        if type_name(self._annotations["auth_handle"]) != "TPMI_RH_NV_AUTH":
            return None
        return self.given.get("nvIndex") or _newest_index(self._scope)

    def default_in_public(self, values: dict[str, Any]) -> Any:
        """Returns the template of tpm2_create: for sealed data if the command has data, else for an ECC key.

        For TPM2_Load, returns the public area that belongs to the newest private area.
        """
        if self._kind.code.name == "Load":
            found = self._scope.values.newest(lambda outcome: _has(outcome, "outPrivate"))
            return None if found is None else found.public or UNKNOWN
        if self._kind.code.name not in ("Create", "CreateLoaded"):
            return None
        sealed = bool(getattr(values.get("in_sensitive"), "data", b""))
        public = parse_template("keyedhash" if sealed else "ecc", with_data=sealed)
        return public if self._kind.code.name == "Create" else public.build()

    def default_in_private(self, values: dict[str, Any]) -> Any:
        """Returns the private area of the result that supplies the public area of TPM2_Load."""
        word = str(self.given.get("inPublic", ""))
        if self._kind.code.name != "Load" or not re.fullmatch(r"\$\w+", word):
            return None
        found = self._scope.values.find(word, "inPublic")
        return found.get("outPrivate") if _has(found, "outPrivate") else None

    def default_hierarchy(self, values: dict[str, Any]) -> Any:
        """Returns the owner hierarchy for a public key that is loaded, so that its tickets are of use."""
        if self._kind.code.name != "LoadExternal":
            return None
        return TPM_RH.OWNER if values.get("in_private") is None else TPM_RH.NULL

    def default_in_scheme(self, values: dict[str, Any]) -> Any:
        """Returns TPM_ALG_NULL for a key that has a scheme, and the usual scheme for another key."""
        kind = getattr(self._annotations["in_scheme"], "annotation", self._annotations["in_scheme"])
        public = self._scope.public_of(_key_of(values))
        if type_name(kind) == "TPMI_ECC_KEY_EXCHANGE":
            return "ECDH"
        if kind is TPMT_KDF_SCHEME:
            own = getattr(getattr(public, "parameters", None), "kdf", None)
            return "null" if getattr(own, "scheme", TPM_ALG.NULL) != TPM_ALG.NULL else "kdf2"
        if kind is TPMT_RSA_DECRYPT:
            own = getattr(getattr(public, "parameters", None), "scheme", None)
            return "null" if getattr(own, "scheme", TPM_ALG.NULL) != TPM_ALG.NULL else "oaep"
        if kind is not TPMT_SIG_SCHEME or public is None:
            return "null"
        own = getattr(public.parameters, "scheme", None)
        usual = _USUAL_SCHEMES.get(public.type)
        if getattr(own, "scheme", TPM_ALG.NULL) != TPM_ALG.NULL or usual is None:
            return "null"
        hash_alg = _HASHES.get(len(values.get("digest") or b""), TPM_ALG.SHA256)
        return TPMT_SIG_SCHEME(usual, TPMS_SCHEME_HASH(hash_alg))

    def default_validation(self, values: dict[str, Any]) -> Any:
        """Returns the ticket of TPM2_Hash for the digest, or an empty ticket."""
        wanted = values.get("digest")
        for outcome in reversed(self._scope.values.outcomes):
            for name in ("out_hash", "result"):
                if wanted and getattr(outcome.response, name, None) == wanted:
                    return outcome.get("validation")
        return TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")

    def default_symmetric(self, values: dict[str, Any]) -> str:
        """Returns a cipher for a session that has a key, because it is salted or bound."""
        has_key = {values.get("tpm_key"), values.get("bind")} != {TPM_RH.NULL}
        return "aes128cfb" if has_key else "null"

    def default_iv_in(self, values: dict[str, Any]) -> bytes:
        """Returns 16 zeros, the IV of tpm2_encryptdecrypt."""
        return bytes(16)

    def default_size(self, values: dict[str, Any]) -> Any:
        """Returns the size of the NV index."""
        if self._scope.dry:
            return UNKNOWN
        index = values.get("nv_index", 0)
        public = self._scope.nv_public_of(index)
        if public is None and index >> 24 == TPM_HT.NV_INDEX:
            raise UsageError(f"the TPM has no NV index 0x{index:08x}; NV_DefineSpace creates it")
        return None if public is None else public.data_size - min(public.data_size, values.get("offset") or 0)

    def default_flush_handle(self, values: dict[str, Any]) -> int | None:
        """Returns the newest handle that is open."""
        return self._handle("flushHandle", values)

    def default_object_handle(self, values: dict[str, Any]) -> Any:
        """Returns the persistent object that TPM2_EvictControl names, if no object is loaded that it can store."""
        if self._kind.code.name != "EvictControl" or self._handle("objectHandle", values) is not None:
            return None
        return self.given.get("persistentHandle")

    def default_persistent_handle(self, values: dict[str, Any]) -> int | None:
        """Returns the handle of an object that is persistent, and which TPM2_EvictControl removes."""
        handle = values.get("object_handle", 0)
        return handle if handle >> 24 == TPM_HT.PERSISTENT else None

    def default_property_(self, values: dict[str, Any]) -> int:
        """Returns the first property of a capability."""
        first = {
            TPM_CAP.TPM_PROPERTIES: 0x100,
            TPM_CAP.COMMANDS: 0x11F,
            TPM_CAP.HANDLES: TPM_HT.PERSISTENT << 24,
            TPM_CAP.AUTH_POLICIES: TPM_HT.PERMANENT << 24,
        }
        return first.get(values.get("capability", 0), 0)

    def default_property_count(self, values: dict[str, Any]) -> int:
        """Returns a count that fits into most TPMs' responses."""
        return 127

    def default_key_sign(self, values: dict[str, Any]) -> Any:
        """Returns the Name of the newest key that a signature was verified with."""
        outcome = self._scope.values.newest(lambda outcome: outcome.command.code.name == "VerifySignature")
        return None if outcome is None else self._scope.name_of(outcome.get("keyHandle"))


def _has(outcome: Outcome, name: str) -> bool:
    try:
        outcome.get(name)
    except KeyError:
        return False
    return True


def _key_of(values: dict[str, Any]) -> int:
    found = values.get("key_handle", values.get("sign_handle", 0))
    return found if isinstance(found, int) else 0


def _newest_index(scope: ScriptScope) -> int | None:
    for outcome in reversed(scope.values.outcomes):
        info = getattr(outcome.command, "public_info", None)
        index = getattr(outcome.command, "nv_index", None) or getattr(info, "nv_index", None)
        if isinstance(index, int):
            return index
    return None


def default_text(kind: Any, name: str) -> str:
    """Returns the default of a command's field in words, for help; "" if the field must be given."""
    field, code = field_name(name), kind.code.name
    annotation = dict(kind.fields())[name]
    is_handle = role_of(annotation) is not None
    if f"{code}.{field}" in _TEXTS:
        return _TEXTS[f"{code}.{field}"]
    if hasattr(CommandDefaults, f"default_{name}") and not (
        (field == "hierarchy" and code != "LoadExternal") or (field == "inPrivate" and code != "Load")
    ):
        return _WORDS.get(name, "")
    if is_handle:
        return _TEXTS.get(field) or ("" if field in _NO_NEWEST else "the newest suitable one")
    if f"{code}.{field}" in _FROM_RESULT or (type_name(annotation) in _NEWEST and code != "StartAuthSession"):
        return "the newest result of the type"
    if field in _TEXTS and field not in ("auth", "platform"):
        return _TEXTS[field]
    value = leaf(name, kind, {}) if isinstance(wire_of(annotation), Number) else None
    if value is not None and not hasattr(kind, name):
        return str(value)
    return "" if isinstance(wire_of(annotation), Number | YesNo) and not hasattr(kind, name) else "empty"


_NO_NEWEST = (
    "privacyAdminHandle",
    "privacyHandle",
    "nvIndex",
    "authHandle",
    "auth",
    "lockHandle",
    "primaryHandle",
    "pcrHandle",
    "platform",
)
_WORDS = {
    "in_private": "the newest, or that of the result for inPublic",
    "nv_index": "the newest index",
    "auth_handle": "the index",
    "in_public": "an ECC key, or sealed data",
    "hierarchy": "owner",
    "in_scheme": "that of the key, or the usual one",
    "validation": "the ticket of the digest, or an empty one",
    "symmetric": "aes128cfb if salted or bound, else null",
    "iv_in": "16 zeros",
    "size": "the rest of the index",
    "flush_handle": "the newest",
    "persistent_handle": "the object's, if it is persistent",
    "property_": "the first",
    "property_count": "127",
    "key_sign": "the key of the newest VerifySignature",
}


def public_base(given: dict[str, Any], *, primary: bool, with_data: bool) -> TPMT_PUBLIC | None:
    """Returns the public area that supplies missing fields to the fields `given`, by their `type`; or None."""
    word = next((str(value) for name, value in given.items() if plain(name) == "type"), "ecc")
    kind = plain(word).removeprefix("tpmalg")
    names = {"rsa": "rsa2048", "symcipher": "aes128cfb", "ecc": "ecc", "keyedhash": "keyedhash"}
    if kind not in names:
        return None
    return parse_template(names[kind], primary=primary, with_data=with_data)


_LEAVES = {
    "hash_alg": "sha256",
    "name_alg": "sha256",
    "auth_hash": "sha256",
    "hash": "sha256",
    "scheme": "null",
    "algorithm": "null",
    "mode": "cfb",
    "curve_id": "NIST_P256",
    "kdf": "KDF1_SP800_108",
    "type": "ECC",
    "hierarchy": "null",
    "locality": "zero",
    "offset": 0,
    "expiration": 0,
    "exponent": 0,
    "count": 0,
}
_TAGS = {"CREATION": TPM_ST.CREATION, "VERIFIED": TPM_ST.VERIFIED, "HASHCHECK": TPM_ST.HASHCHECK}
_TAGS |= {"AUTH": TPM_ST.AUTH_SIGNED}
_NV_DEFAULT = TPMA_NV.OWNERWRITE | TPMA_NV.OWNERREAD | TPMA_NV.AUTHWRITE | TPMA_NV.AUTHREAD


def leaf(name: str, kind: Any, values: dict[str, Any]) -> Any:
    """Returns the default of a number in a structure of class `kind`, as a text or number; None if it has none.

    `values` contains the preceding fields of the structure.
    """
    if name == "tag":
        return _TAGS.get(kind.__name__.removeprefix("TPMT_TK_"))
    if name == "key_bits":
        if kind is TPMS_RSA_PARMS:
            return 2048
        return "sha256" if values.get("algorithm") == TPM_ALG.XOR else 128
    if name == "attributes" and "nv_index" in values:
        return int(_NV_DEFAULT)
    if name == "data_size":
        return _nv_size(values)
    if name == "hash_alg" and kind.__name__ in ("HMAC", "HMAC_Start"):
        return "null"
    return _LEAVES.get(name)


def _nv_size(values: dict[str, Any]) -> int:
    """Returns the usual number of bytes of an NV index, by its type."""
    nt = int(values.get("attributes", 0)) >> 4 & 0xF
    if nt == TPM_NT.EXTEND:
        return digest_size(values["name_alg"])
    return 32 if nt == TPM_NT.ORDINARY else 8
