"""The description of a TPM key: its location, its authorization, and the protection of its use.

`hmac` and `ecdsa` use keys; `load` loads, imports and persists the key of a key file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..channel import Pin
from ..errors import TpmError
from ..keys import templates
from ..primary import WELL_KNOWN, WellKnown, read_loaded
from ..secret import EMPTY_AUTH, Secret
from ..sessions import Password, Use
from ..spec.codes import TPM_RC_HANDLE
from ..spec.constants import TPM_CC, TPM_RH
from ..spec.structures import TPMS_PCR_SELECTION
from ..tpm import Tpm
from ..typed import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:  # late: a run with a persistent handle must not load it
    from typing import Any, Self

    from ..keys.keyfile import KeyFile

__all__ = [
    "Authorizer",
    "Key",
    "endorsement_place",
    "explain_missing_key",
    "names_endorsement_key",
    "verify_refused_pin",
]


class Authorizer(Protocol):
    """A function that returns the authorizations of one command that uses the key.

    `more` is true if another command with the key follows. `starts` is true if the command starts a sequence,
    whose result a later command returns.
    """

    def __call__(self, *, more: bool, starts: bool = False) -> tuple[Password | Use, ...]: ...


class Key:
    """A signing key in a TPM, with its authorization and the protection of its use.

    - `file` or `handle`: the key's location.
    - `auth`: the key's authValue.
    - `parent_auth`: the authValue of its parent or, if the parent is a primary key, of its hierarchy;
      `parent_auth_otherwise` is tried if `parent_auth` fails.
    - `pcrs`: the PCRs in the key's policy.
    - `ek_parent`: the parent is an endorsement key. The parent is the key whose reserved handle is in the file, or
      the key that an importable file's seed is encrypted to. For an older loadable file, the parent is the ECC
      endorsement key if `rsaParent` is false, else the RSA endorsement key. A file with a reserved handle does not
      need `ek_parent`.
    - `ek_place`: the endorsement key's template, if it differs from the template in the EK Credential Profile.
    - `inner_key`: the key of an importable file's inner wrapper.
    - `described`: a key file with the policy of the key at `handle`.
    - `protected`: use a salted session with parameter encryption; `pin` is the key to which it must be salted.
    - `name`: the Name of the key at `handle`, if known, which saves one TPM2_ReadPublic.
    - `checked`: check that the session's cipher was not changed. The check costs one command.
    """

    def __init__(
        self,
        *,
        file: KeyFile | None = None,
        handle: int | None = None,
        auth: Secret = EMPTY_AUTH,
        parent_auth: Secret = EMPTY_AUTH,
        parent_auth_otherwise: Secret | None = None,
        pcrs: tuple[TPMS_PCR_SELECTION, ...] | None = None,
        ek_parent: bool = False,
        ek_place: WellKnown | None = None,
        protected: bool = True,
        pin: Pin | None = None,
        name: bytes | None = None,
        described: KeyFile | None = None,
        inner_key: Secret = EMPTY_AUTH,
        checked: bool = False,
    ) -> None:
        self.file = file
        self.handle = handle
        self.auth = auth
        self.parent_auth = parent_auth
        self.parent_auth_otherwise = parent_auth_otherwise
        self.pcrs = pcrs
        self.ek_parent = ek_parent
        self.ek_place = ek_place
        self.protected = protected
        self.pin = pin
        self.name = name
        self.described = described
        self.inner_key = inner_key
        self.checked = checked

    def of_file(self, file: KeyFile, **changes: Any) -> Self:
        """Returns a copy of this object for another key file, with `changes` to the constructor's arguments."""
        return type(self)(**{**vars(self), "file": file, **changes})

    @property
    def parent_auths(self) -> list[Secret]:
        """Returns the possible authValues of the parent or its hierarchy, in the order of the attempts."""
        otherwise = self.parent_auth_otherwise
        return [self.parent_auth] if otherwise is None else [self.parent_auth, otherwise]

    @property
    def primary_parent(self) -> WellKnown | None:
        """Returns the hierarchy and template of the parent, if the parent must be created.

        Returns None if the parent or the key itself is persistent.
        """
        file = self.file
        if file is None:
            return None
        if self.ek_parent:
            return self.ek_place or endorsement_place(file)
        if file.persistent_parent is not None:
            return None
        # Other values are invalid: every parent is persistent or a hierarchy's primary key.
        assert file.hierarchy is not None
        template = templates.h1_primary if file.rsa_parent else templates.h2_primary
        return WellKnown(TPM_RH(file.hierarchy), template, None)

    def hierarchy_auths(self) -> dict[int, list[Secret]]:
        """Returns the possible authValues of the hierarchies in which the parent or a pinned key is created."""
        place = self.primary_parent
        if place is not None:
            return {place.hierarchy: self.parent_auths}
        if self.file is not None:
            return {}
        # The password may be that of either hierarchy.
        auths = [EMPTY_AUTH, *filter(None, self.parent_auths)]
        return {TPM_RH.OWNER: auths, TPM_RH.ENDORSEMENT: auths}


@contextlib.contextmanager
def explain_missing_key(key: Key) -> Iterator[None]:
    """Catches a TpmError about the key, its parent or the pinned key if the TPM does not have that key.

    Raises the error again, with a message that says that the handle is empty.
    """
    try:
        yield
    except TpmError as error:
        parent = None if key.file is None else key.file.persistent_parent
        pinned = None if key.pin is None else key.pin.where
        at = error.refused_handle
        if error.code == TPM_RC_HANDLE and at is not None and at in (key.handle, parent, pinned):
            error.say_gone()
        raise


@contextlib.contextmanager
def verify_refused_pin(key: Key, tpm: Tpm) -> Iterator[None]:
    """After an error, reads and verifies a pinned key that was used without being read.

    Raises SessionError if another key is at the pinned key's handle. In a session that is salted to another key,
    the secrets of host and TPM differ, so the TPM refuses the first HMAC as if the password were wrong. If the
    other key has another type, the TPM already refuses TPM2_StartAuthSession.
    """
    try:
        yield
    except TpmError as error:
        pin = key.pin
        if pin is None or pin.public is None or not isinstance(pin.where, int):
            raise
        if error.session is not None or error.command == TPM_CC.StartAuthSession:
            with contextlib.suppress(TpmError):
                pin.check(read_loaded(tpm, pin.where))
        raise


def _endorsement_kind(file: KeyFile) -> str:
    """Returns the name of the endorsement key that is a file's parent, as in WELL_KNOWN and `parents.PARENTS`."""
    if file.endorsement_handle is not None:
        from .parents import ENDORSEMENT  # rare: a credential run must not load it

        return ENDORSEMENT[file.endorsement_handle].name
    # The seed for an RSA key has the size of the modulus (256 bytes); the seed for a P-256 key has at most 68
    # bytes.
    ecc = len(file.encrypted_seed) < 128 if file.secret is not None else file.rsa_parent is False
    return "ek-ecc" if ecc else "ek-rsa"


def names_endorsement_key(file: KeyFile) -> bool:
    """Returns whether a file says which endorsement key is the parent: by the handle, the seed, or rsaParent."""
    return file.endorsement_handle is not None or file.secret is not None or file.rsa_parent is not None


def endorsement_place(file: KeyFile) -> WellKnown:
    """Returns the hierarchy, template and handle of the endorsement key that is a file's parent."""
    kind = _endorsement_kind(file)
    if kind in WELL_KNOWN:
        return WELL_KNOWN[kind]
    from .parents import PARENTS  # rare: a credential run must not load it

    return WellKnown(TPM_RH.ENDORSEMENT, PARENTS[kind].template, PARENTS[kind].parent)
