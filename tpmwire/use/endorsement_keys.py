"""Prepares an endorsement key of this TPM for use: finds or creates the key, and satisfies its policy."""

import contextlib
from collections.abc import Iterator

from ..channel import authorized_once
from ..errors import TpmError
from ..keys.ek_policies import ek_policies
from ..primary import Loaded, create_primary, read_loaded
from ..secret import EMPTY_AUTH, Secret
from ..sessions import Password, SessionStart, Use
from ..spec.codes import TPM_RC_HANDLE
from ..spec.commands.policies import PolicyOR, PolicySecret
from ..spec.constants import TPM_RH, TPM_SE, TPMA_OBJECT
from ..spec.structures import TPMT_PUBLIC
from ..state import nv
from ..tpm import Tpm
from .endorsement import KINDS, MLKEM_KINDS, EkKind, template_of

__all__ = ["likely_kinds", "use_endorsement_key"]

_SEED_SIZES = {
    256: ("L-1", "H-1"),
    384: ("H-6",),
    512: ("H-7",),
    68: ("L-2", "H-2"),
    100: ("H-3",),
    136: ("H-4",),
    768: ("H-26",),
    1088: ("H-27",),
    1568: ("H-28",),
}
"""Kinds by the size of an encrypted secret: an RSA modulus, a point with two sizes, or an ML-KEM ciphertext."""


def likely_kinds(seed: bytes) -> list[EkKind]:
    """Returns the kinds of endorsement keys to which a seed of this size can be encrypted."""
    # A coordinate that begins with zeros may be shorter.
    size = min((size for size in _SEED_SIZES if size >= len(seed)), default=0)
    return [kind for kind in (*KINDS, *MLKEM_KINDS) if kind.name in _SEED_SIZES.get(size, ())]


@contextlib.contextmanager
def use_endorsement_key(
    tpm: Tpm, key: EkKind | Loaded, auth: Secret = EMPTY_AUTH
) -> Iterator[tuple[Loaded, Password | Use]]:
    """Yields (endorsement key, its authorization for one command). Flushes both at the end.

    If `key` is a kind, the key is read from its reserved handle, or else created from this TPM's template. `auth`
    is the endorsement hierarchy's authValue, which creation and the policy need. Raises TpmError if the TPM
    refuses, SessionError if a response is not authentic.
    """
    found = key if isinstance(key, Loaded) else _find(tpm, key) or _create(tpm, key, auth)
    opened = [] if found is key or found.handle >> 24 == 0x81 else [found.handle]
    try:
        if found.public.object_attributes & TPMA_OBJECT.USER_WITH_AUTH:
            yield found, Password()
            return
        session = tpm.start_session(SessionStart(TPM_SE.POLICY, found.public.name_alg))
        opened.append(session.handle)
        # An empty password needs no session. With a session, an SLB 9670 with firmware 7.40 fails
        # (tpm2-tss#1865).
        by = authorized_once(tpm, auth) if auth else Password()
        tpm.execute(PolicySecret(TPM_RH.ENDORSEMENT, session.handle), by)
        policies = ek_policies(found.public.name_alg)
        if policies is not None and found.public.auth_policy == policies.b:
            tpm.execute(PolicyOR(session.handle, (policies.a, policies.c)))
        yield found, session.use()
    finally:
        for handle in reversed(opened):
            if tpm.is_open(handle):
                tpm.flush(handle)


def _find(tpm: Tpm, kind: EkKind) -> Loaded | None:
    try:
        found = read_loaded(tpm, kind.handle)
    except TpmError as error:
        if error.code != TPM_RC_HANDLE:
            raise
        return None
    return found if _fits(found.public, kind) else None


def _fits(public: TPMT_PUBLIC, kind: EkKind) -> bool:
    template = kind.template()
    return (public.type, public.parameters) == (template.type, template.parameters)


def _create(tpm: Tpm, kind: EkKind, auth: Secret) -> Loaded:
    present = nv.handles(tpm, kind.certificate, kind.template_index)
    template = template_of(tpm, kind, present)
    by = authorized_once(tpm, auth) if auth else Password()
    return create_primary(tpm, TPM_RH.ENDORSEMENT, template, by)
