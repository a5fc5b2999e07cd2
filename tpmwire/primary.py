"""Primary keys created from a template, and public areas read from the TPM."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from .crypto.formulas import name_of
from .errors import SessionError, TpmError
from .keys import templates
from .secret import EMPTY_AUTH, Secret
from .sessions import Password, Use
from .spec.codes import NO_ECC
from .spec.constants import TPM_MLKEM, TPM_RH
from .spec.structures import TPMS_SENSITIVE_CREATE, TPMT_PUBLIC
from .tpm import Tpm
from .typed import NamedTuple

__all__ = ["WELL_KNOWN", "Loaded", "WellKnown", "create_primary", "lacks_ecc", "read_loaded"]


class Loaded(NamedTuple):
    """An object in the TPM: handle, Name and public area."""

    handle: int
    name: bytes
    public: TPMT_PUBLIC


class WellKnown(NamedTuple):
    """A primary key of a TCG profile: its hierarchy, template and usual persistent handle."""

    hierarchy: TPM_RH
    template: Callable[[], TPMT_PUBLIC]
    handle: int | None

    def fits(self, public: TPMT_PUBLIC) -> bool:
        """Returns whether a key with the public area `public` was created from this template."""
        template = self.template()
        return public.replace(unique=template.unique) == template


WELL_KNOWN = {
    "ek-rsa": WellKnown(TPM_RH.ENDORSEMENT, templates.ek_rsa, 0x81010001),
    "ek-ecc": WellKnown(TPM_RH.ENDORSEMENT, templates.ek_ecc, 0x81010002),
    "srk": WellKnown(TPM_RH.OWNER, templates.srk_ecc, 0x81000001),
    "h2": WellKnown(TPM_RH.OWNER, templates.h2_primary, None),
    "srk-rsa": WellKnown(TPM_RH.OWNER, templates.srk_rsa, 0x81000001),
    "h1": WellKnown(TPM_RH.OWNER, templates.h1_primary, None),
    "ek-mlkem": WellKnown(TPM_RH.ENDORSEMENT, templates.ek_mlkem, None),
    "ek-mlkem1024": WellKnown(TPM_RH.ENDORSEMENT, partial(templates.ek_mlkem, TPM_MLKEM.MLKEM_1024), None),
}
"""In the order of the search for a pinned Name: the RSA endorsement key is the usual one, then the fast ones."""


def create_primary(
    tpm: Tpm, hierarchy: int, template: TPMT_PUBLIC, *authorizations: Password | Use, outside: Secret = EMPTY_AUTH
) -> Loaded:
    """Creates a primary key from a template. Its Name is computed on the host from the returned public area.

    `outside` is the new key's authValue. If the TPM refuses `templates.h2_primary` because it lacks ECC, the RSA
    counterpart `h1_primary` is created. Raises TpmError if the TPM refuses the template or the authorization, and
    SessionError if the returned key does not match the template.
    """
    from .spec.commands.hierarchy import CreatePrimary  # late: most credential runs create no primary key

    sensitive = TPMS_SENSITIVE_CREATE(outside.reveal(), b"")
    try:
        response = tpm.execute(CreatePrimary(hierarchy, sensitive, template), *authorizations)
    except TpmError as error:
        if not lacks_ecc(error) or template != templates.h2_primary():
            raise
        template = templates.h1_primary()
        response = tpm.execute(CreatePrimary(hierarchy, sensitive, template), *authorizations)
    name = name_of(response.out_public)
    if response.out_public.replace(unique=template.unique) != template or name != response.name:
        raise SessionError(
            "the TPM returned a primary key that does not match the template: modified in transit, or a faulty TPM"
        )
    tpm.trust_name(response.object_handle, name)
    return Loaded(response.object_handle, name, response.out_public)


def lacks_ecc(refused: TpmError) -> bool:
    """Returns whether the TPM refused a P-256 template because it lacks ECC or the curve."""
    return refused.code in NO_ECC and refused.handle is None and refused.session is None


def read_loaded(tpm: Tpm, handle: int) -> Loaded:
    """Returns the object at a handle, read by TPM2_ReadPublic. Its Name is computed on the host.

    Raises TpmError if there is no such object, SessionError if the TPM returns a different Name.
    """
    from .spec.commands.objects import ReadPublic  # late: a run without session encryption must not load it

    response = tpm.execute(ReadPublic(handle))
    name = name_of(response.out_public)
    if name != response.name:
        raise SessionError(
            f"the Name of 0x{handle:08x} does not match its public area: modified in transit, or a faulty TPM"
        )
    tpm.trust_name(handle, name)
    return Loaded(handle, name, response.out_public)
