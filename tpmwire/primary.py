"""Primary keys, and the objects that are in the TPM now: made from a template or read at a handle."""

from collections.abc import Callable
from typing import NamedTuple

from .crypto.formulas import name_of
from .errors import SessionError, TpmError
from .keys import templates
from .secret import EMPTY_AUTH, Secret
from .sessions import Password, Use
from .spec.codes import NO_ECC
from .spec.constants import TPM_RH
from .spec.structures import TPMS_SENSITIVE_CREATE, TPMT_PUBLIC
from .tpm import Tpm

__all__ = ["WELL_KNOWN", "Loaded", "WellKnown", "create_primary", "lacks_ecc", "read_loaded"]


class Loaded(NamedTuple):
    """An object that is in the TPM now."""

    handle: int
    name: bytes
    public: TPMT_PUBLIC


class WellKnown(NamedTuple):
    """A primary key that the TCG's profiles define: its hierarchy, template and usual persistent handle."""

    hierarchy: TPM_RH
    template: Callable[[], TPMT_PUBLIC]
    handle: int | None

    def fits(self, public: TPMT_PUBLIC) -> bool:
        """Whether `public` is the public area of a key made from this template."""
        template = self.template()
        return public.replace(unique=template.unique) == template


WELL_KNOWN = {
    "ek-rsa": WellKnown(TPM_RH.ENDORSEMENT, templates.ek_rsa, 0x81010001),
    "ek-ecc": WellKnown(TPM_RH.ENDORSEMENT, templates.ek_ecc, 0x81010002),
    "srk": WellKnown(TPM_RH.OWNER, templates.srk_ecc, 0x81000001),
    "h2": WellKnown(TPM_RH.OWNER, templates.h2_primary, None),
    "srk-rsa": WellKnown(TPM_RH.OWNER, templates.srk_rsa, 0x81000001),
    "h1": WellKnown(TPM_RH.OWNER, templates.h1_primary, None),
}
"""In the order in which a pinned Name is looked for: an RSA endorsement key's as a rule, then the quick ones."""


def create_primary(
    tpm: Tpm, hierarchy: int, template: TPMT_PUBLIC, *authorizations: Password | Use, outside: Secret = EMPTY_AUTH
) -> Loaded:
    """Makes a primary key from a template; its Name is computed here, from the public area that came back.

    A TPM without ECC refuses `templates.h2_primary`: it makes `h1_primary` then, its RSA counterpart.
    Raises SessionError where the answer is not a key of that template.
    """
    from .spec.commands.hierarchy import CreatePrimary

    sensitive = TPMS_SENSITIVE_CREATE(outside.reveal(), b"")
    try:
        answer = tpm.execute(CreatePrimary(hierarchy, sensitive, template), *authorizations)
    except TpmError as error:
        if not lacks_ecc(error) or template != templates.h2_primary():
            raise
        template = templates.h1_primary()
        answer = tpm.execute(CreatePrimary(hierarchy, sensitive, template), *authorizations)
    name = name_of(answer.out_public)
    if answer.out_public.replace(unique=template.unique) != template or name != answer.name:
        raise SessionError("the primary key that the TPM made is not the one that was asked for")
    tpm.trust_name(answer.object_handle, name)
    return Loaded(answer.object_handle, name, answer.out_public)


def lacks_ecc(refused: TpmError) -> bool:
    """Whether the refusal of a P-256 template means that the TPM lacks ECC or the curve: try an RSA key."""
    return refused.code in NO_ECC and refused.handle is None and refused.session is None


def read_loaded(tpm: Tpm, handle: int) -> Loaded:
    """The object at a handle, by TPM2_ReadPublic; its Name is computed here. Raises TpmError."""
    from .spec.commands.objects import ReadPublic

    answer = tpm.execute(ReadPublic(handle))
    name = name_of(answer.out_public)
    if name != answer.name:
        raise SessionError(f"the Name of 0x{handle:08x} does not match its public area")
    tpm.trust_name(handle, name)
    return Loaded(handle, name, answer.out_public)
