"""The calls that people use daily: a function for a command, with plain values in and out.

with Tpm.open() as tpm:
    parent = calls.create_primary(tpm)
    sealed = calls.seal(tpm, parent, b"to be kept")
    assert calls.unseal(tpm, parent, sealed) == b"to be kept"

Each takes an open `Tpm`, and where a command is authorized, `by`: a `Password` (the empty one by default) or the
use of a session; `companions` are further sessions, to encrypt or audit. What a call leaves in the TPM is flushed
when the `Tpm` is closed. All raise TpmError where the TPM refuses, TransportError where it does not answer, and
SessionError where its answer is not authentic.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .primary import Loaded, read_loaded
from .secret import EMPTY_AUTH, Secret
from .sessions import Password, Use
from .spec.codes import TPM_RC_SIGNATURE
from .spec.constants import TPM_ALG, TPM_RH, TPM_ST
from .state.capabilities import capabilities, commands, properties
from .tpm import Tpm

if TYPE_CHECKING:
    from .spec.constants import TPMA_NV
    from .spec.storage import TPMS_NV_PUBLIC
    from .spec.structures import TPMS_PCR_SELECTION, TPMT_PUBLIC, TPMT_SIG_SCHEME, TPMT_SIGNATURE

__all__ = [
    "Blob",
    "capabilities",
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
    """An object outside the TPM: its public area, and the private one, which only its parent can open."""

    public: "TPMT_PUBLIC"
    private: bytes


def random(tpm: Tpm, count: int, *companions: Use) -> bytes:
    """`count` octets of TPM2_GetRandom, asked for until there are enough (Part 3, §16.1).

    Raises ValueError for a negative count.
    """
    from .errors import DecodeError
    from .spec.commands.random import GetRandom

    if count < 0:
        raise ValueError(f"{count} is no number of octets")
    found = b""
    while len(found) < count:
        # A TPM gives at most its largest digest.
        piece = tpm.execute(GetRandom(min(count - len(found), 0xFFFF)), *companions).random_bytes
        if not piece:
            raise DecodeError("the TPM gave no random octets where some were asked for", 10, 0, ("randomBytes",))
        found += piece
    return found[:count]


def hash(tpm: Tpm, data: bytes, alg: TPM_ALG = TPM_ALG.SHA256) -> bytes:
    """The digest of up to a buffer of data, by TPM2_Hash (Part 3, §15.4)."""
    from .spec.commands.symmetric import Hash

    return tpm.execute(Hash(data, alg)).out_hash


def hmac(
    tpm: Tpm, key: int | Loaded, data: bytes, *, by: Password | Use = NOBODY, companions: Sequence[Use] = ()
) -> bytes:
    """The HMAC of up to a buffer of data with a key, in the key's hash (Part 3, §15.5)."""
    from .spec.commands.symmetric import HMAC

    return tpm.execute(HMAC(_handle(key), data), by, *companions).out_hmac


def pcr_read(tpm: Tpm, pcrs: "str | tuple[TPMS_PCR_SELECTION, ...]") -> dict[tuple[TPM_ALG, int], bytes]:
    """PCR values of one moment by bank and number (Part 3, §22.4); `pcrs` as in `sha256:0,7+sha1:23`.

    Raises PolicyError for a text that names no PCRs, and for PCRs that the TPM does not keep.
    """
    from .policy.pcr_selection import parse_pcrs
    from .state.pcrs import read_pcrs

    return dict(read_pcrs(tpm, parse_pcrs(pcrs) if isinstance(pcrs, str) else pcrs))


def pcr_extend(tpm: Tpm, pcr: int, digest: bytes, bank: TPM_ALG = TPM_ALG.SHA256) -> None:
    """Extends a PCR of one bank with a digest of that bank's size (Part 3, §22.2)."""
    from .spec.commands.pcr import PCR_Extend
    from .spec.structures import TPMT_HA

    tpm.execute(PCR_Extend(pcr, (TPMT_HA(bank, digest),)))


def read_public(tpm: Tpm, handle: int) -> Loaded:
    """The public area of an object and its Name, which is computed from it here (Part 3, §12.4).

    Raises SessionError where the TPM says another Name.
    """
    return read_loaded(tpm, handle)


def create_primary(
    tpm: Tpm,
    template: "TPMT_PUBLIC | None" = None,
    hierarchy: int = TPM_RH.OWNER,
    *,
    auth: Secret | bytes = EMPTY_AUTH,
    by: Password | Use = NOBODY,
) -> Loaded:
    """Makes and loads a hierarchy's primary key (Part 3, §24.1): without a template the P-256 storage root key.

    `auth` is the new key's authValue. Raises SessionError where the key is not of that template.
    """
    from .keys.templates import srk_ecc
    from .primary import create_primary as made

    return made(tpm, hierarchy, template or srk_ecc(), by, outside=_secret(auth))


def create(
    tpm: Tpm,
    parent: int | Loaded,
    template: "TPMT_PUBLIC",
    *,
    auth: Secret | bytes = EMPTY_AUTH,
    data: Secret | bytes = EMPTY_AUTH,
    by: Password | Use = NOBODY,
) -> Blob:
    """Makes an object under a parent (Part 3, §12.1); `load` brings it into the TPM.

    `data` are octets to seal, or a symmetric key of one's own; they and `auth` cross the bus in clear where `by`
    does not encrypt (`Session.use(decrypt=True)`).
    """
    from .spec.commands.objects import Create
    from .spec.structures import TPMS_SENSITIVE_CREATE

    sensitive = TPMS_SENSITIVE_CREATE(_secret(auth).reveal(), _secret(data).reveal())
    answer = tpm.execute(Create(_handle(parent), sensitive, template), by)
    return Blob(answer.out_public, answer.out_private)


def load(tpm: Tpm, parent: int | Loaded, blob: Blob, *, by: Password | Use = NOBODY) -> Loaded:
    """Loads an object under its parent (Part 3, §12.2). Raises SessionError where the TPM says another Name."""
    from .crypto.formulas import name_of
    from .errors import SessionError
    from .spec.commands.objects import Load

    answer = tpm.execute(Load(_handle(parent), blob.private, blob.public), by)
    name = name_of(blob.public)
    if name != answer.name:
        raise SessionError("the object that the TPM loaded has another Name than the one that was given")
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
    """Seals up to 128 octets under a parent (Part 1, §27.6); `policy` is a SHA-256 digest that opens it.

    A sealed object with a policy is opened by the policy only. Data and `auth` cross the bus as `create` says.
    """
    from .keys.templates import sealed

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
    """Loads a sealed object, opens it (Part 3, §12.7) and flushes it; `by` authorizes the object."""
    from .spec.commands.objects import Unseal

    item = load(tpm, parent, blob, by=parent_by)
    try:
        return tpm.execute(Unseal(item.handle), by, *companions).out_data
    finally:
        tpm.flush(item.handle)


def sign(
    tpm: Tpm,
    key: int | Loaded,
    digest: bytes,
    scheme: "TPMT_SIG_SCHEME | None" = None,
    *,
    by: Password | Use = NOBODY,
) -> "TPMT_SIGNATURE":
    """Signs a digest that was made outside the TPM (Part 3, §20.2), with the key's scheme where none is given.

    A restricted key signs what the TPM itself has hashed only: for it, execute `Sign` with the ticket of `Hash`.
    """
    from .spec.commands.signing import Sign
    from .spec.structures import TPMT_SIG_SCHEME, TPMT_TK_HASHCHECK

    ticket = TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")
    chosen = scheme or TPMT_SIG_SCHEME(TPM_ALG.NULL)
    return tpm.execute(Sign(_handle(key), digest, chosen, ticket), by).signature


def verify(tpm: Tpm, key: int | Loaded, digest: bytes, signature: "TPMT_SIGNATURE") -> bool:
    """Whether a signature on a digest is that of the key (Part 3, §20.1). TPM_RC_SIGNATURE is False."""
    from .errors import TpmError
    from .spec.commands.signing import VerifySignature

    try:
        tpm.execute(VerifySignature(_handle(key), digest, signature))
    except TpmError as error:
        if error.code == TPM_RC_SIGNATURE:
            return False
        raise
    return True


def nv_define(
    tpm: Tpm,
    index: int,
    size: int,
    attributes: "TPMA_NV | None" = None,
    *,
    auth: Secret | bytes = EMPTY_AUTH,
    hierarchy: int = TPM_RH.OWNER,
    by: Password | Use = NOBODY,
) -> "TPMS_NV_PUBLIC":
    """Makes an NV index of `size` octets (Part 3, §31.3), used by its own authValue and by the owner."""
    from .spec.commands.nv import NV_DefineSpace
    from .spec.constants import TPMA_NV
    from .spec.storage import TPMS_NV_PUBLIC

    usual = TPMA_NV.AUTHREAD | TPMA_NV.AUTHWRITE | TPMA_NV.OWNERREAD | TPMA_NV.OWNERWRITE
    public = TPMS_NV_PUBLIC(index, TPM_ALG.SHA256, usual if attributes is None else attributes, b"", size)
    tpm.execute(NV_DefineSpace(hierarchy, _secret(auth).reveal(), public), by)
    return public


def nv_undefine(tpm: Tpm, index: int, *, hierarchy: int = TPM_RH.OWNER, by: Password | Use = NOBODY) -> None:
    """Removes an NV index (Part 3, §31.4)."""
    from .spec.commands.nv import NV_UndefineSpace

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
    """Writes octets, in pieces (Part 3, §31.7); `authority` is the index itself, or the owner or platform."""
    from .spec.commands.nv import NV_Write
    from .state.nv import most_at_once

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
    """Reads octets, in pieces (Part 3, §31.13): all of the index where no size is given."""
    from .spec.commands.nv import NV_Read, NV_ReadPublic
    from .state.nv import most_at_once

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
