"""Object creation for TPM2_Create, TPM2_CreatePrimary and TPM2_CreateLoaded (Part 3, §12.1, §12.9, §24.1)."""

from ..crypto.formulas import digest, name_of
from ..spec.constants import TPM_ALG, TPM_RH, TPMA_LOCALITY, TPMA_OBJECT
from ..spec.structures import (
    TPMS_CREATION_DATA,
    TPMS_PCR_SELECTION,
    TPMS_SENSITIVE_CREATE,
    TPMT_PUBLIC,
    TPMT_SENSITIVE,
    TPMT_TK_CREATION,
)
from . import objects
from .entities import KeyedObject
from .observer import derive, note, show_handle
from .random import Generator
from .refusal import Refusal
from .templates_check import check_creation
from .tickets import creation_ticket
from .tpm_state import TpmState

__all__ = ["at_field", "create_child", "create_primary", "creation_data"]


class at_field:
    """Context manager that names the parameter of a Refusal raised in its body: `with at_field("in_public"):`."""

    def __init__(self, field: str) -> None:
        self._field = field

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Refusal) and not error.field:
            raise Refusal(error.code, self._field) from None


def create_primary(
    tpm: TpmState, hierarchy: int, public: TPMT_PUBLIC, given: TPMS_SENSITIVE_CREATE
) -> KeyedObject:
    """Returns a new primary object, derived from the hierarchy's seed, the template and the caller's data.

    `given` is inSensitive of the command. The same seed and input give the same object (Part 1, §14.3).
    Raises Refusal if the template is not valid.
    """
    with at_field("in_public"):
        check_creation(public, given.data, None)
    seed = tpm.hierarchy(hierarchy).seed
    template = digest(public.name_alg, public.build())
    note("template", f"{TPM_ALG(public.name_alg).name}(inPublic) = {template.hex()}")
    source = f"primary seed of {show_handle(hierarchy)}"
    label = b"Primary Object Creation"
    derived = derive("primary key", source, public.name_alg, seed, label, template, given.data, 512)
    objects.check_key_size(public, given.data)
    with at_field("in_sensitive"):
        made, sensitive = objects.create(public, given, Generator(derived).bytes)
    parent_name = hierarchy.to_bytes(4, "big")
    return KeyedObject(
        0,
        sensitive.auth_value,
        made.auth_policy,
        made.name_alg,
        made,
        sensitive,
        hierarchy,
        objects.qualified_name(parent_name, made),
        st_clear=bool(made.object_attributes & TPMA_OBJECT.ST_CLEAR),
        primary=True,
    )


def create_child(
    tpm: TpmState, parent: KeyedObject, public: TPMT_PUBLIC, given: TPMS_SENSITIVE_CREATE
) -> tuple[TPMT_PUBLIC, TPMT_SENSITIVE]:
    """Returns (public area, sensitive area) of a new child. `given` is inSensitive.

    Raises Refusal if the template or inSensitive is not valid.
    """
    with at_field("in_public"):
        check_creation(public, given.data, parent)
    objects.check_key_size(public, given.data)
    note("key", "the secrets of the new object are random bytes, not derived from a seed")
    with at_field("in_sensitive"):
        return objects.create(public, given, tpm.generator.bytes)


def creation_data(
    tpm: TpmState,
    public: TPMT_PUBLIC,
    parent: KeyedObject | None,
    hierarchy: int,
    outside: bytes,
    pcrs: tuple[TPMS_PCR_SELECTION, ...],
) -> tuple[TPMS_CREATION_DATA, bytes, TPMT_TK_CREATION]:
    """Returns (creation data, its hash, creation ticket) of a new object (Part 2, §15.1).

    `parent` is None for a primary object: the hierarchy is the parent. `outside` is outsideInfo.
    """
    handle = hierarchy.to_bytes(4, "big")
    found = TPMS_CREATION_DATA(
        tpm.pcrs.filtered(pcrs),
        tpm.pcrs.digest(public.name_alg, pcrs),
        TPMA_LOCALITY(1 << tpm.locality),
        TPM_ALG(parent.public.name_alg) if parent is not None else TPM_ALG.NULL,
        parent.name if parent is not None else handle,
        parent.qualified_name if parent is not None else handle,
        outside,
    )
    hashed = digest(public.name_alg, found.build())
    owner = hierarchy if parent is None else parent.hierarchy
    return found, hashed, creation_ticket(tpm, TPM_RH(owner), name_of(public), hashed)
