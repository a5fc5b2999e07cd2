"""The kinds of keys that can be the parent of a wrapped key: their names, templates and values in key files.

A key file has a hierarchy as `parent` if the parent is the hierarchy's H-2 (or H-1) storage primary key, otherwise
a persistent handle. For an endorsement key, the file contains the persistent handle that the TCG reserves for it.
Cloud TPMs and Windows store the key at that handle, and openssl_tpm2_engine uses it. If the handle is empty, the
key is created from its template.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ..crypto.spki import PublicKey, into_template
from ..primary import WELL_KNOWN
from ..spec.constants import TPM_ECC, TPM_HT, TPM_RH
from ..spec.structures import TPMS_ECC_PARMS, TPMS_RSA_PARMS, TPMT_PUBLIC
from .endorsement import KINDS as ENDORSEMENT_KINDS
from .endorsement import MLKEM_KINDS, SM2_KIND, EkKind

if TYPE_CHECKING:  # verbs without key files need not load this module
    from ..keys.keyfile import KeyFile

__all__ = [
    "ENDORSEMENT",
    "PARENTS",
    "Parent",
    "candidates",
    "endorsement_kind",
    "fitting",
    "for_endorsement",
    "is_of",
    "of_public",
]


class Parent(NamedTuple):
    """A kind of parent: its name, hierarchy and template, and the fields `parent` and `rsaParent` of key files."""

    name: str
    hierarchy: int
    template: Callable[[], TPMT_PUBLIC]
    parent: int
    rsa_parent: bool | None = None

    @property
    def is_endorsement(self) -> bool:
        """Returns whether the parent is an endorsement key."""
        return self.name.startswith("ek-")


_ENDORSEMENT_NAMES = {
    "L-1": "ek-rsa",
    "L-2": "ek-ecc",
    "H-1": "ek-rsa-h1",
    "H-2": "ek-ecc-h2",
    "H-3": "ek-p384",
    "H-4": "ek-p521",
    "H-6": "ek-rsa3072",
    "H-7": "ek-rsa4096",
    "H-26": "ek-mlkem512",
    "H-27": "ek-mlkem",
    "H-28": "ek-mlkem1024",
}


def _all() -> Iterator[Parent]:
    for kind in ENDORSEMENT_KINDS:
        yield Parent(_ENDORSEMENT_NAMES[kind.name], TPM_RH.ENDORSEMENT, kind.template, kind.handle)
    for name in ("h2", "h1", "srk", "srk-rsa"):
        if place := WELL_KNOWN.get(name):
            rsa = True if name == "h1" else None
            yield Parent(name, place.hierarchy, place.template, place.handle or place.hierarchy, rsa)


PARENTS = {parent.name: parent for parent in _all()}
"""Every kind of parent by its name. Endorsement keys come first, because their public keys are published."""

ENDORSEMENT = {parent.parent: parent for parent in PARENTS.values() if parent.is_endorsement}
"""The kinds of endorsement keys by their reserved handles."""


def endorsement_kind(name: str) -> EkKind | None:
    """Returns the kind of endorsement key with this name; None for another name.

    The name can be that of the profile (`H-3`, `ek-h3`) or of the algorithm (`ek-p384`).
    """
    word = name.lower().removeprefix("ek-").replace("-", "")
    for kind in (*ENDORSEMENT_KINDS, *MLKEM_KINDS, SM2_KIND):
        short = kind.name.lower().replace("-", "")
        # h1 and h2 without ek- or a hyphen are storage primary keys.
        if (word == short and name.lower() != short) or name == _ENDORSEMENT_NAMES.get(kind.name, "ek-sm2"):
            return kind
    return None


def of_public(public: TPMT_PUBLIC) -> list[Parent]:
    """Returns the kinds of parents whose template matches a public area, the most likely kind first."""
    return [one for one in PARENTS.values() if is_of(public, one)]


def is_of(public: TPMT_PUBLIC, parent: Parent) -> bool:
    """Returns whether a public area, except for its `unique`, equals the template of this kind of parent."""
    return _all_but_unique(public) == _all_but_unique(_template(parent.name))


def _all_but_unique(public: TPMT_PUBLIC) -> tuple[Any, ...]:
    # Compares without a copy of the public area, since a fleet has many hosts.
    return tuple(value for name, value in vars(public).items() if name != "unique")


@cache
def _template(name: str) -> TPMT_PUBLIC:
    return PARENTS[name].template()


def fitting(key: PublicKey) -> dict[str, TPMT_PUBLIC]:
    """Returns the public areas that can contain a public key, keyed by the kind's name, the most likely first."""
    made = {name: into_template(key, _template(name)) for name in PARENTS}
    return {name: public for name, public in made.items() if public is not None}


def candidates(file: "KeyFile") -> "list[KeyFile]":
    """Returns copies of an importable file, one for each possible parent. The parent in the file comes first.

    Some files have a wrong parent. Files of go-tpm's programs always have 0x40000140. Files of early versions of
    tpmwire have the endorsement hierarchy for an endorsement key. Other files have the owner hierarchy for a
    storage root key, or for an endorsement key that was given as a PEM public key. The seed shows the parent's
    algorithm. Only the TPM can tell which of the possible keys is the parent.
    """
    if file.persistent_parent is not None and file.persistent_parent not in ENDORSEMENT:
        return [file]
    sealed_for = _find_seed_kind(file.encrypted_seed)
    possible = [one for one in PARENTS.values() if _algorithm(one) == sealed_for]
    if file.persistent_parent is not None:
        return [file, *(_set_parent(file, one) for one in possible if not one.is_endorsement)]
    stated = [one for one in possible if (one.parent, one.rsa_parent) == (file.hierarchy, file.rsa_parent or None)]
    if file.hierarchy != file.parent and file.parent >> 24 == TPM_HT.PERMANENT:
        order = possible  # go-tpm's files do not identify the parent
    elif file.hierarchy == TPM_RH.ENDORSEMENT:
        order = [one for one in possible if one.is_endorsement]
    else:
        order = stated + [one for one in possible if not one.is_endorsement and one not in stated]
    found = [_set_parent(file, one) for one in order]
    # PARENTS lacks the standard primary keys of hierarchies other than the owner's.
    if order is not possible and not stated and (sealed_for in _CURVES.values()) != bool(file.rsa_parent):
        found.insert(0, file)
    return found or [file]


def for_endorsement(file: "KeyFile") -> "list[KeyFile]":
    """Returns copies of an importable file, one for each endorsement key with the algorithm of the file's seed.

    If no endorsement key has this algorithm, returns the file unchanged.
    """
    sealed_for = _find_seed_kind(file.encrypted_seed)
    return [_set_parent(file, one) for one in ENDORSEMENT.values() if _algorithm(one) == sealed_for] or [file]


def _set_parent(file: "KeyFile", parent: Parent) -> "KeyFile":
    return file.replace(parent=parent.parent, rsa_parent=parent.rsa_parent)


_CURVES = {32: TPM_ECC.NIST_P256, 48: TPM_ECC.NIST_P384, 66: TPM_ECC.NIST_P521}
"""Curves by the size of a coordinate in bytes."""


def _find_seed_kind(seed: bytes) -> int:
    """Returns the curve, or the RSA key size in bits, of the key that a seed is encrypted to."""
    x = int.from_bytes(seed[:2], "big")
    y = int.from_bytes(seed[2 + x : 4 + x], "big")
    if 4 + x + y == len(seed) and max(x, y) <= 66:
        # go-tpm writes coordinates without leading zeros.
        return next(curve for size, curve in _CURVES.items() if max(x, y) <= size)
    return 8 * len(seed)


def _algorithm(parent: Parent) -> int:
    parameters = parent.template().parameters
    if isinstance(parameters, TPMS_RSA_PARMS):
        return parameters.key_bits
    assert isinstance(parameters, TPMS_ECC_PARMS)
    return int(parameters.curve_id)
