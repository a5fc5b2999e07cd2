"""Recognizes TPM structures by trial: each entry of `_FORMS` parses the bytes and checks the values.

The function of an entry returns a description of the structure, or "" if the values are not plausible.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from ...crypto.formulas import name_of
from ...crypto.ml_keys import describe_ml_parameters, ml_key_of
from ...errors import DecodeError, EncodeError
from ...keys.tools_files import (
    IESYS_RESOURCE,
    MAGIC,
    CredentialFile,
    ObjectContextFile,
    OtherContextFile,
    PcrValuesFile,
    SessionContextFile,
)
from ...spec.attestation import TPMS_ATTEST
from ...spec.constants import TPM_ALG, TPM_GENERATED_VALUE, TPM_HT, TPM_RH, TPM_SE, TPM_ST, TPMA_OBJECT
from ...spec.storage import TPM2B_NV_PUBLIC, TPMS_NV_PUBLIC
from ...spec.structures import (
    TPM2B_ATTEST,
    TPM2B_CREATION_DATA,
    TPM2B_DIGEST,
    TPM2B_ECC_POINT,
    TPM2B_ENCRYPTED_SECRET,
    TPM2B_ID_OBJECT,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE,
    TPML_DIGEST,
    TPML_PCR_SELECTION,
    TPMS_ALGORITHM_DETAIL_ECC,
    TPMS_CONTEXT,
    TPMS_CREATION_DATA,
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_RSA_PARMS,
    TPMS_SIGNATURE_ECC,
    TPMS_SIGNATURE_RSA,
    TPMT_HA,
    TPMT_PUBLIC,
    TPMT_SIGNATURE,
    TPMT_TK_AUTH,
    TPMT_TK_CREATION,
    TPMT_TK_HASHCHECK,
    TPMT_TK_VERIFIED,
)
from ..reading import Reading
from ..tree import Node
from ..walk import Walk

__all__ = ["HASH_SIZES", "object_kind", "read_structure", "tree_of"]

HASH_SIZES = {
    TPM_ALG.SHA1: 20,
    TPM_ALG.SHA256: 32,
    TPM_ALG.SHA384: 48,
    TPM_ALG.SHA512: 64,
    TPM_ALG.SM3_256: 32,
    TPM_ALG.SHA3_256: 32,
    TPM_ALG.SHA3_384: 48,
    TPM_ALG.SHA3_512: 64,
}
_SIZES = set(HASH_SIZES.values())
_COORDINATES = {24, 28, 32, 48, 64, 66}
_MODULI = {128, 256, 384, 512}
_HIERARCHIES = {TPM_RH.OWNER, TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM, TPM_RH.NULL}
_ATTRIBUTES = sum(TPMA_OBJECT)
_SENSITIVE: Any = TPM2B_SENSITIVE
_SAVED_OBJECTS = {0x80000000, 0x80000001, 0x80000002}
"""`savedHandle` of an object: normal, with the attribute stClear, or a sequence (Part 2, §14.6.2)."""

_ATTESTED = {
    TPM_ST.ATTEST_QUOTE: ("quote", "tpm2_quote -m"),
    TPM_ST.ATTEST_CERTIFY: ("certification of an object", "tpm2_certify -o"),
    TPM_ST.ATTEST_CREATION: ("certification of a creation", "tpm2_certifycreation --attestation"),
    TPM_ST.ATTEST_TIME: ("attestation of the clock", "tpm2_gettime --attestation"),
    TPM_ST.ATTEST_NV: ("certification of NV data", "tpm2_nvcertify --attestation"),
    TPM_ST.ATTEST_NV_DIGEST: ("certification of NV data", "tpm2_nvcertify --attestation"),
    TPM_ST.ATTEST_SESSION_AUDIT: ("audit digest of a session", "tpm2_getsessionauditdigest -m"),
    TPM_ST.ATTEST_COMMAND_AUDIT: ("audit digest of commands", "tpm2_getcommandauditdigest -m"),
}
_TICKETS = {
    TPM_ST.CREATION: (TPMT_TK_CREATION, "tpm2_create -t writes it; tpm2_certifycreation needs it"),
    TPM_ST.VERIFIED: (TPMT_TK_VERIFIED, "tpm2_verifysignature -t writes it; tpm2_policyauthorize needs it"),
    TPM_ST.AUTH_SECRET: (TPMT_TK_AUTH, "tpm2_policysecret --ticket writes it; tpm2_policyticket needs it"),
    TPM_ST.AUTH_SIGNED: (TPMT_TK_AUTH, "tpm2_policysigned --ticket writes it; tpm2_policyticket needs it"),
    TPM_ST.HASHCHECK: (TPMT_TK_HASHCHECK, "tpm2_hash -t writes it; tpm2_sign with a restricted key needs it"),
}


class _Form(NamedTuple):
    """A TPM structure: `name` with an article, its declaration, and a function that describes a value."""

    name: str
    declared: Any
    describe: Callable[[Any], str]


def tree_of(name: str, declared: Any, data: bytes, text: str = "") -> Node:
    """Returns the tree of `data`, which must be exactly one value of the type `declared`.

    `text` is the meaning of the root node, or "" for the default meaning. Raises DecodeError if `data` is not
    valid.
    """
    walk = Walk(data)
    with walk.area(len(data)):
        value = walk.value(name, declared, {})
    (root,) = walk.nodes
    root.text = text or root.text
    if isinstance(value, TPMT_PUBLIC):
        _add_name(root, value)
    return root


def _add_name(node: Node, public: TPMT_PUBLIC) -> None:
    try:
        name = name_of(public)
    except EncodeError:
        return
    node.beside.append(Node("Name", 0, name, "TPM2B_NAME", "identifies the object: nameAlg and the area's hash"))


def read_structure(data: bytes) -> Iterator[Reading]:
    """Yields the TPM structures that `data` can be, the most likely first."""
    found: set[str] = set()
    for name, declared, describe in _FORMS:
        if name in found or (declared in _WEAK and not found <= _WEAK_NAMES):
            continue
        try:
            text = describe(declared.parse(data))
            if text:
                found.add(name)
                yield Reading(name, [tree_of(name.split(" ", 1)[1], declared, data, text)])
        except (DecodeError, EncodeError):
            continue


def object_kind(public: TPMT_PUBLIC) -> str:
    """Returns the type of an object, such as "ECC signing key", or "" if its public area is not plausible."""
    bits = public.object_attributes
    if int(bits) & ~_ATTRIBUTES or public.name_alg not in (*HASH_SIZES, TPM_ALG.NULL):
        return ""
    sign, decrypt, restricted = (
        bool(bits & bit) for bit in (TPMA_OBJECT.SIGN_ENCRYPT, TPMA_OBJECT.DECRYPT, TPMA_OBJECT.RESTRICTED)
    )
    if public.type == TPM_ALG.KEYEDHASH:
        if not sign and not decrypt:
            return "sealed data"
        return "HMAC key" if sign else "derivation parent" if restricted else "key for XOR obfuscation"
    kind = "AES" if public.type == TPM_ALG.SYMCIPHER else public.type.name
    if isinstance(public.parameters, TPMS_RSA_PARMS):
        kind = f"RSA {public.parameters.key_bits}"
    if isinstance(public.parameters, TPMS_ECC_PARMS):
        kind = f"ECC {public.parameters.curve_id.name.replace('_', ' ')}"
    if ml_key_of(public) is not None:
        kind = describe_ml_parameters(public.parameters)
    if restricted:
        return f"{kind} {'storage key' if decrypt else 'attestation key' if sign else 'key'}"
    use = {(True, True): "signing and decryption", (True, False): "signing", (False, True): "decryption"}
    return f"{kind} {use.get((sign, decrypt), '')} key".replace("  ", " ")


def _public(public: TPMT_PUBLIC) -> str:
    kind = object_kind(public)
    unique = public.unique
    empty = not any(unique.x + unique.y if isinstance(unique, TPMS_ECC_POINT) else unique)
    used = "template, without a key" if empty else "tpm2_create -u writes it, tpm2_load reads it"
    return kind and f"public area: {kind}; {used}"


def _private(data: bytes) -> str:
    with suppress(DecodeError):
        if _sensitive(_SENSITIVE.parse(data)):
            return "duplicate that is not encrypted: keep it secret; tpm2_duplicate -G null writes it"
    size = int.from_bytes(data[:2], "big")
    if size not in _SIZES or len(data) < 2 + size + 8:
        return ""
    if data[2 + size : 4 + size] == b"\0\x10":
        return "private area, encrypted by its parent; tpm2_create -r writes it, tpm2_load reads it with the .pub"
    return "duplicate with an outer wrapper; tpm2_duplicate -r writes it, tpm2_import reads it with the seed"


def _identity(data: bytes) -> str:
    size = int.from_bytes(data[:2], "big")
    fits = size in _SIZES and 2 + size < len(data) <= 2 + size + 66
    return "encrypted credential of TPM2_MakeCredential; TPM2_ActivateCredential opens it" if fits else ""


def _signature(signature: TPMT_SIGNATURE) -> str:
    value = signature.signature
    if isinstance(value, TPMS_SIGNATURE_RSA):
        fits = value.hash in HASH_SIZES and len(value.sig) in _MODULI
    elif isinstance(value, TPMS_SIGNATURE_ECC):
        sizes = len(value.signature_r), len(value.signature_s)
        fits = value.hash in HASH_SIZES and all(16 <= size <= 66 for size in sizes)
    elif isinstance(value, TPMT_HA):
        fits = value.hash_alg in HASH_SIZES
    else:
        fits = value is not None and signature.sig_alg.known
    what = f"{signature.sig_alg.name} signature"
    return f"{what}; tpm2_sign and tpm2_quote -s write it, tpm2_verifysignature checks it" if fits else ""


def _attest(attest: TPMS_ATTEST) -> str:
    if attest.magic != TPM_GENERATED_VALUE or attest.type not in _ATTESTED:
        return ""
    what, program = _ATTESTED[attest.type]
    check = "tpm2_checkquote verifies it" if attest.type == TPM_ST.ATTEST_QUOTE else "an attestation key signs it"
    return f"{what}; {program} writes it, {check}"


def _attest_buffer(data: bytes) -> str:
    return _attest(TPMS_ATTEST.parse(data))


def _ticket(tags: tuple[TPM_ST, ...]) -> Callable[[Any], str]:
    def describe(ticket: Any) -> str:
        fits = ticket.tag in tags and ticket.hierarchy in _HIERARCHIES and len(ticket.digest) in {0, *_SIZES}
        return f"ticket; {_TICKETS[ticket.tag][1]}" if fits else ""

    return describe


def _creation(data: TPMS_CREATION_DATA) -> str:
    fits = data.parent_name_alg in (*HASH_SIZES, TPM_ALG.NULL) and len(data.pcr_digest) in {0, *_SIZES}
    return "the TPM's state when it created an object; tpm2_create --creation-data writes it" if fits else ""


def _nv_public(public: TPMS_NV_PUBLIC) -> str:
    fits = public.nv_index >> 24 == TPM_HT.NV_INDEX and public.name_alg in HASH_SIZES
    return f"public area of the NV index 0x{public.nv_index:08x}" if fits else ""


def _sensitive(sensitive: Any) -> str:
    fits = sensitive is not None and sensitive.sensitive_type in (
        TPM_ALG.RSA,
        TPM_ALG.ECC,
        TPM_ALG.KEYEDHASH,
        TPM_ALG.SYMCIPHER,
    )
    return (
        "private area, not encrypted: keep it secret; tpm2_duplicate without encryption writes it" if fits else ""
    )


def _context(context: Any) -> str:
    handle, hierarchy = context.saved_handle, context.hierarchy
    if getattr(context, "magic", MAGIC) != MAGIC or hierarchy not in _HIERARCHIES:
        return ""
    if handle >> 24 in (TPM_HT.HMAC_SESSION, TPM_HT.POLICY_SESSION):
        return "saved context of a session"
    if handle not in _SAVED_OBJECTS:
        return ""
    return "saved context of an object: tools load it with -c FILE, until the next reset of the TPM"


def _session(session: SessionContextFile) -> str:
    if session.magic != MAGIC or session.session_type not in (TPM_SE.HMAC, TPM_SE.POLICY, TPM_SE.TRIAL):
        return ""
    kind = {TPM_SE.HMAC: "HMAC", TPM_SE.POLICY: "policy", TPM_SE.TRIAL: "trial policy"}[session.session_type]
    return f"{kind} session with its keys; tpm2_startauthsession -S writes it, tools use it with session:FILE"


def _credential(credential: CredentialFile) -> str:
    fits = credential.magic == MAGIC and len(credential.credential_blob.integrity_hmac) in _SIZES
    return (
        "encrypted credential; tpm2_makecredential -o writes it, tpm2_activatecredential opens it" if fits else ""
    )


def _resource(resource: IESYS_RESOURCE) -> str:
    kinds = {TPM_HT.PERSISTENT: 1, TPM_HT.TRANSIENT: 1, TPM_HT.NV_INDEX: 2}
    fits = kinds.get(TPM_HT(resource.handle >> 24)) == resource.rsrc_type
    return "handle with its public area; tpm2_evictcontrol -o writes it, tools use it with -c FILE" if fits else ""


def _pcr_values(file: PcrValuesFile) -> str:
    count = sum(map(len, file.values))
    fits = count and all(selection.hash in HASH_SIZES for selection in file.selection)
    return f"{count} PCR values; tpm2_quote -F marshaled writes them" if fits else ""


def _is_point(point: TPMS_ECC_POINT | None) -> bool:
    return point is not None and len(point.x) in _COORDINATES and len(point.y) in _COORDINATES


def _ecc_point(point: TPMS_ECC_POINT | None) -> str:
    return "point on a curve; tpm2_ecdhkeygen and tpm2_ecdhzgen write it" if _is_point(point) else ""


def _seed(data: bytes) -> str:
    try:
        fits = _is_point(TPMS_ECC_POINT.parse(data))
    except DecodeError:
        fits = len(data) in _MODULI
    return "encrypted seed of a duplicate; tpm2_duplicate -s writes it, tpm2_import reads it" if fits else ""


def _digest(data: bytes) -> str:
    size = f"digest of {8 * len(data)} bits"
    return f"{size}; tools write it with --cphash, --rphash or tpm2_create -d" if len(data) in _SIZES else ""


def _curve(details: TPMS_ALGORITHM_DETAIL_ECC) -> str:
    known = details.curve_id.known
    return f"parameters of the curve {details.curve_id.name}; tpm2_geteccparameters writes them" if known else ""


def _selection(selection: Any) -> str:
    return "selected PCRs" if selection and all(each.hash in HASH_SIZES for each in selection) else ""


def _digests(digests: Any) -> str:
    return f"{len(digests)} digests" if digests and all(len(each) in _SIZES for each in digests) else ""


_FORMS = (
    _Form("a session context of tpm2-tools", SessionContextFile, _session),
    _Form("a context file of tpm2-tools (TPMS_CONTEXT)", ObjectContextFile, _context),
    _Form("a context file of tpm2-tools (TPMS_CONTEXT)", OtherContextFile, _context),
    _Form("a credential file of tpm2-tools", CredentialFile, _credential),
    _Form("a TPMS_ATTEST", TPMS_ATTEST, _attest),
    _Form("a TPM2B_ATTEST", TPM2B_ATTEST, _attest_buffer),
    *(
        _Form(f"a {kind.__name__}", kind, _ticket(tuple(tag for tag, (of, _) in _TICKETS.items() if of is kind)))
        for kind in (TPMT_TK_CREATION, TPMT_TK_VERIFIED, TPMT_TK_AUTH, TPMT_TK_HASHCHECK)
    ),
    _Form("a TPM2B_PUBLIC", TPM2B_PUBLIC, _public),
    _Form("a TPMT_PUBLIC", TPMT_PUBLIC, _public),
    _Form("a TPMT_SIGNATURE", TPMT_SIGNATURE, _signature),
    _Form("a TPM2B_CREATION_DATA", TPM2B_CREATION_DATA, _creation),
    _Form("a TPMS_CREATION_DATA", TPMS_CREATION_DATA, _creation),
    _Form("a TPM2B_NV_PUBLIC", TPM2B_NV_PUBLIC, _nv_public),
    _Form("a TPMS_NV_PUBLIC", TPMS_NV_PUBLIC, _nv_public),
    _Form("a TPM2B_SENSITIVE", TPM2B_SENSITIVE, _sensitive),
    _Form("a TPMS_CONTEXT", TPMS_CONTEXT, _context),
    _Form("a handle file of libtss2-esys (ESYS_TR)", IESYS_RESOURCE, _resource),
    _Form("a file of PCR values of tpm2-tools (marshaled)", PcrValuesFile, _pcr_values),
    _Form("a TPMS_ALGORITHM_DETAIL_ECC", TPMS_ALGORITHM_DETAIL_ECC, _curve),
    _Form("a TPM2B_ECC_POINT", TPM2B_ECC_POINT, _ecc_point),
    _Form("a TPM2B_ENCRYPTED_SECRET", TPM2B_ENCRYPTED_SECRET, _seed),
    _Form("a TPM2B_PRIVATE", TPM2B_PRIVATE, _private),
    _Form("a TPM2B_ID_OBJECT", TPM2B_ID_OBJECT, _identity),
    _Form("a TPM2B_DIGEST", TPM2B_DIGEST, _digest),
    _Form("a TPML_PCR_SELECTION", TPML_PCR_SELECTION, _selection),
    _Form("a TPML_DIGEST", TPML_DIGEST, _digests),
)
"""The structures, the most specific ones first."""

_WEAK = (TPM2B_PRIVATE, TPM2B_ID_OBJECT, TPM2B_DIGEST, TPML_DIGEST)
"""Structures with few constraints, tried only if the bytes are not another structure."""

_WEAK_NAMES = {form.name for form in _FORMS if form.declared in _WEAK}
