"""Common TPM commands as functions that take and return plain Python values.

with Tpm.open() as tpm:
    parent = calls.create_primary(tpm)
    sealed = calls.seal(tpm, parent, b"to be kept")
    assert calls.unseal(tpm, parent, sealed) == b"to be kept"

Each function needs an open `Tpm`. `by` is the authorization of a command that needs one: a `Password` (empty by
default) or the use of a session. `companions` are further sessions, for encryption or audit. Closing the `Tpm`
flushes the objects that a call has loaded. All functions raise TpmError if the TPM refuses, TransportError if it
does not respond, and SessionError if the response is not authentic.
"""

from collections.abc import Sequence
from typing import NamedTuple

from .crypto.formulas import name_of
from .errors import DecodeError, SessionError, TpmError
from .keys.templates import sealed, srk_ecc
from .policy.pcr_selection import parse_pcrs
from .primary import Loaded, read_loaded
from .primary import create_primary as _create_primary
from .secret import EMPTY_AUTH, Secret
from .sessions import Password, Use
from .spec.codes import TPM_RC_SIGNATURE
from .spec.commands.attestation import Certify, Quote
from .spec.commands.nv import NV_DefineSpace, NV_Read, NV_ReadPublic, NV_UndefineSpace, NV_Write
from .spec.commands.objects import Create, Load, Unseal
from .spec.commands.pcr import PCR_Extend
from .spec.commands.random import GetRandom
from .spec.commands.signing import Sign, VerifySignature
from .spec.commands.symmetric import HMAC, Hash
from .spec.constants import TPM_ALG, TPM_RH, TPM_ST, TPMA_NV
from .spec.storage import TPMS_NV_PUBLIC
from .spec.structures import (
    TPMS_PCR_SELECTION,
    TPMS_SENSITIVE_CREATE,
    TPMT_HA,
    TPMT_PUBLIC,
    TPMT_SIG_SCHEME,
    TPMT_SIGNATURE,
    TPMT_TK_HASHCHECK,
)
from .state.capabilities import capabilities, commands, properties
from .state.nv import most_at_once
from .state.pcrs import read_pcrs
from .tpm import Tpm

__all__ = [
    "Attested",
    "Blob",
    "capabilities",
    "certify",
    "commands",
    "create",
    "create_primary",
    "hash",
    "hmac",
    "load",
    "nv_define",
    "nv_read",
    "nv_undefine",
    "nv_write",
    "pcr_extend",
    "pcr_read",
    "properties",
    "quote",
    "random",
    "read_public",
    "seal",
    "sign",
    "unseal",
    "verify",
]


NOBODY = Password()
"""The empty password."""


class Blob(NamedTuple):
    """An object outside the TPM: its public area, and its private area, which only the parent can decrypt."""

    public: TPMT_PUBLIC
    private: bytes


class Attested(NamedTuple):
    """A statement of the TPM (a TPMS_ATTEST in its wire form) and its signature, for `tpmwire.attest.verify`."""

    message: bytes
    signature: TPMT_SIGNATURE


def random(tpm: Tpm, count: int, *companions: Use) -> bytes:
    """Returns `count` random bytes from the TPM (TPM2_GetRandom; Part 3, §16.1).

    Raises ValueError for a negative count.
    """
    if count < 0:
        raise ValueError(f"{count} is not a valid number of bytes")
    found = b""
    while len(found) < count:
        # A TPM returns at most the size of its largest digest.
        piece = tpm.execute(GetRandom(min(count - len(found), 0xFFFF)), *companions).random_bytes
        if not piece:
            raise DecodeError("the TPM returned no random bytes", 10, 0, ("randomBytes",))
        found += piece
    return found[:count]


def hash(tpm: Tpm, data: bytes, alg: TPM_ALG = TPM_ALG.SHA256) -> bytes:
    """Returns the digest of `data`, which must fit into the TPM's buffer (TPM2_Hash; Part 3, §15.4)."""
    return tpm.execute(Hash(data, alg)).out_hash


def hmac(
    tpm: Tpm, key: int | Loaded, data: bytes, *, by: Password | Use = NOBODY, companions: Sequence[Use] = ()
) -> bytes:
    """Returns the HMAC of `data`, which must fit into the TPM's buffer (TPM2_HMAC; Part 3, §15.5).

    The hash algorithm is the key's.
    """
    return tpm.execute(HMAC(_handle(key), data), by, *companions).out_hmac


def pcr_read(tpm: Tpm, pcrs: str | tuple[TPMS_PCR_SELECTION, ...]) -> dict[tuple[TPM_ALG, int], bytes]:
    """Returns PCR values, keyed by (bank, PCR number), all read at the same moment (Part 3, §22.4).

    `pcrs` is a list such as `sha256:0,7+sha1:23`. Raises PolicyError for an invalid list of PCRs, and for PCRs
    that the TPM does not implement.
    """
    return dict(read_pcrs(tpm, parse_pcrs(pcrs) if isinstance(pcrs, str) else pcrs))


def pcr_extend(tpm: Tpm, pcr: int, digest: bytes, bank: TPM_ALG = TPM_ALG.SHA256) -> None:
    """Extends a PCR of one bank with a digest of the bank's hash (Part 3, §22.2)."""
    tpm.execute(PCR_Extend(pcr, (TPMT_HA(bank, digest),)))


def read_public(tpm: Tpm, handle: int) -> Loaded:
    """Returns the handle, the Name and the public area of an object (Part 3, §12.4).

    The Name is computed on the host. Raises SessionError if the TPM returns a different Name.
    """
    return read_loaded(tpm, handle)


def create_primary(
    tpm: Tpm,
    template: TPMT_PUBLIC | None = None,
    hierarchy: int = TPM_RH.OWNER,
    *,
    auth: Secret | bytes = EMPTY_AUTH,
    by: Password | Use = NOBODY,
) -> Loaded:
    """Creates a primary key (Part 3, §24.1), by default from the template of the P-256 storage root key.

    `auth` is the new key's authValue. Raises SessionError if the key does not match the template.
    """
    return _create_primary(tpm, hierarchy, template or srk_ecc(), by, outside=_secret(auth))


def create(
    tpm: Tpm,
    parent: int | Loaded,
    template: TPMT_PUBLIC,
    *,
    auth: Secret | bytes = EMPTY_AUTH,
    data: Secret | bytes = EMPTY_AUTH,
    by: Password | Use = NOBODY,
) -> Blob:
    """Creates an object under a parent, without loading it (Part 3, §12.1).

    `data` is the data to seal, or the bytes of an existing symmetric key. `data` and `auth` cross the bus in
    cleartext unless `by` encrypts them (`Session.use(decrypt=True)`).
    """
    sensitive = TPMS_SENSITIVE_CREATE(_secret(auth).reveal(), _secret(data).reveal())
    answer = tpm.execute(Create(_handle(parent), sensitive, template), by)
    return Blob(answer.out_public, answer.out_private)


def load(tpm: Tpm, parent: int | Loaded, blob: Blob, *, by: Password | Use = NOBODY) -> Loaded:
    """Loads an object under its parent (Part 3, §12.2).

    Raises SessionError if the TPM returns a different Name.
    """
    answer = tpm.execute(Load(_handle(parent), blob.private, blob.public), by)
    name = name_of(blob.public)
    if name != answer.name:
        raise SessionError(
            "the TPM loaded an object whose Name does not match its public area: "
            "modified in transit, or a faulty TPM"
        )
    tpm.trust_name(answer.object_handle, name)
    return Loaded(answer.object_handle, name, blob.public)


def seal(
    tpm: Tpm,
    parent: int | Loaded,
    data: Secret | bytes,
    *,
    auth: Secret | bytes = EMPTY_AUTH,
    policy: bytes = b"",
    by: Password | Use = NOBODY,
) -> Blob:
    """Seals up to 128 bytes under a parent (Part 1, §27.6).

    `policy` is a SHA-256 policy digest. With a policy, only the policy can unseal the data. `data` and `auth`
    cross the bus in cleartext unless `by` encrypts them (`Session.use(decrypt=True)`).
    """
    return create(tpm, parent, sealed(policy), auth=auth, data=data, by=by)


def unseal(
    tpm: Tpm,
    parent: int | Loaded,
    blob: Blob,
    *,
    by: Password | Use = NOBODY,
    parent_by: Password | Use = NOBODY,
    companions: Sequence[Use] = (),
) -> bytes:
    """Loads a sealed object, returns its data, and flushes the object (Part 3, §12.7).

    `by` authorizes the object, `parent_by` the parent.
    """
    item = load(tpm, parent, blob, by=parent_by)
    try:
        return tpm.execute(Unseal(item.handle), by, *companions).out_data
    finally:
        tpm.flush(item.handle)


def sign(
    tpm: Tpm,
    key: int | Loaded,
    digest: bytes,
    scheme: TPMT_SIG_SCHEME | None = None,
    *,
    by: Password | Use = NOBODY,
) -> TPMT_SIGNATURE:
    """Signs a digest that was computed outside the TPM (Part 3, §20.2), by default with the key's scheme.

    A restricted key signs only digests that the TPM has computed. For such a key, execute the command `Sign` with
    the ticket of `Hash`.
    """
    ticket = TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")
    chosen = scheme or TPMT_SIG_SCHEME(TPM_ALG.NULL)
    return tpm.execute(Sign(_handle(key), digest, chosen, ticket), by).signature


def verify(tpm: Tpm, key: int | Loaded, digest: bytes, signature: TPMT_SIGNATURE) -> bool:
    """Returns whether a signature of a digest is valid for a key (Part 3, §20.1)."""
    try:
        tpm.execute(VerifySignature(_handle(key), digest, signature))
    except TpmError as error:
        if error.code == TPM_RC_SIGNATURE:
            return False
        raise
    return True


def quote(
    tpm: Tpm,
    key: int | Loaded,
    pcrs: str | tuple[TPMS_PCR_SELECTION, ...],
    nonce: bytes,
    scheme: TPMT_SIG_SCHEME | None = None,
    *,
    by: Password | Use = NOBODY,
    companions: Sequence[Use] = (),
) -> Attested:
    """Returns a signed statement of PCR values (Part 3, §18.4), by default with the key's scheme.

    `pcrs` is a list such as `sha256:0,7+sha1:23`. `nonce` is the verifier's random number, at most as long as the
    TPM's largest digest. Raises PolicyError for an invalid list of PCRs.
    """
    selection = parse_pcrs(pcrs) if isinstance(pcrs, str) else pcrs
    chosen = scheme or TPMT_SIG_SCHEME(TPM_ALG.NULL)
    response = tpm.execute(Quote(_handle(key), nonce, chosen, selection), by, *companions)
    return Attested(response.quoted, response.signature)


def certify(
    tpm: Tpm,
    item: int | Loaded,
    key: int | Loaded,
    nonce: bytes,
    scheme: TPMT_SIG_SCHEME | None = None,
    *,
    item_by: Password | Use = NOBODY,
    by: Password | Use = NOBODY,
    companions: Sequence[Use] = (),
) -> Attested:
    """Returns a statement, signed by `key`, that the object `item` is loaded in the TPM (Part 3, §18.2).

    `item_by` authorizes the object, `by` the signing key. `nonce` is the verifier's random number.
    """
    chosen = scheme or TPMT_SIG_SCHEME(TPM_ALG.NULL)
    command = Certify(_handle(item), _handle(key), nonce, chosen)
    response = tpm.execute(command, item_by, by, *companions)
    return Attested(response.certify_info, response.signature)


def nv_define(
    tpm: Tpm,
    index: int,
    size: int,
    attributes: TPMA_NV | None = None,
    *,
    auth: Secret | bytes = EMPTY_AUTH,
    hierarchy: int = TPM_RH.OWNER,
    by: Password | Use = NOBODY,
) -> TPMS_NV_PUBLIC:
    """Creates an NV index of `size` bytes (Part 3, §31.3), and returns the public area of the index.

    By default, the authValue of the index or of the owner authorizes reads and writes. `auth` is the authValue of
    the index.
    """
    usual = TPMA_NV.AUTHREAD | TPMA_NV.AUTHWRITE | TPMA_NV.OWNERREAD | TPMA_NV.OWNERWRITE
    public = TPMS_NV_PUBLIC(index, TPM_ALG.SHA256, usual if attributes is None else attributes, b"", size)
    tpm.execute(NV_DefineSpace(hierarchy, _secret(auth).reveal(), public), by)
    return public


def nv_undefine(tpm: Tpm, index: int, *, hierarchy: int = TPM_RH.OWNER, by: Password | Use = NOBODY) -> None:
    """Removes an NV index (Part 3, §31.4)."""
    tpm.execute(NV_UndefineSpace(hierarchy, index), by)


def nv_write(
    tpm: Tpm,
    index: int,
    data: bytes,
    offset: int = 0,
    *,
    authority: int | None = None,
    by: Password | Use = NOBODY,
) -> None:
    """Writes bytes to an NV index, in pieces (Part 3, §31.7).

    `authority` is the handle that authorizes the write: the index itself (by default), the owner or the platform.
    """
    who, piece = index if authority is None else authority, most_at_once(tpm)
    for start in range(0, len(data), piece):
        tpm.execute(NV_Write(who, index, data[start : start + piece], offset + start), by)


def nv_read(
    tpm: Tpm,
    index: int,
    size: int | None = None,
    offset: int = 0,
    *,
    authority: int | None = None,
    by: Password | Use = NOBODY,
) -> bytes:
    """Reads bytes from an NV index, in pieces (Part 3, §31.13); by default the whole index."""
    if size is None:
        size = max(tpm.execute(NV_ReadPublic(index)).nv_public.data_size - offset, 0)
    who, piece = index if authority is None else authority, most_at_once(tpm)
    found = b""
    for start in range(0, size, piece):
        found += tpm.execute(NV_Read(who, index, min(piece, size - start), offset + start), by).data
    return found


def _secret(value: Secret | bytes) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


def _handle(of: int | Loaded) -> int:
    return of.handle if isinstance(of, Loaded) else of
