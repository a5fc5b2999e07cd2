"""Copies a key to a different TPM: the policy that allows it, and TPM2_Duplicate (Part 1, §23).

Only a duplicable key can be copied. It has neither fixedTPM nor fixedParent, and its policy authorizes
duplication.
"""

from typing import NamedTuple

from ..channel import open_session
from ..crypto.formulas import name_of
from ..errors import PolicyError
from ..keys.keyfile import KeyFile
from ..keys.wrapping import to_any
from ..policy.policy import Policy
from ..policy.statements import PolicyAuthValue, PolicyCommandCode, PolicyDuplicationSelect, PolicyOR
from ..primary import Loaded
from ..secret import EMPTY_AUTH, Secret
from ..sessions import Session
from ..spec.commands.duplication import Duplicate
from ..spec.commands.objects import LoadExternal
from ..spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPM_SE, TPMA_OBJECT
from ..spec.structures import TPMT_PUBLIC, TPMT_SYM_DEF_OBJECT
from ..tpm import Tpm

__all__ = ["INNER_CIPHER", "Duplicated", "duplicate_out", "duplication_policy"]

INNER_CIPHER = TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 128, TPM_ALG.CFB)
"""The cipher of an inner wrapper, with a key of 16 bytes."""


class Duplicated(NamedTuple):
    """The duplicate and the encrypted seed of its outer wrapper: parameters of TPM2_Import on the target TPM."""

    private: bytes
    seed: bytes


def duplication_policy(file: KeyFile, parent: TPMT_PUBLIC) -> Policy:
    """Returns the policy that authorizes a key's duplication to `parent`. No TPM is needed.

    Supports the policies of `wrapping.to_any` and `wrapping.to_parent`, with or without the object's Name, alone
    or as a branch of a PolicyOR in the key file. Raises PolicyError if the key cannot be duplicated to `parent`.
    """
    public = file.public
    if public.object_attributes & (TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT):
        raise PolicyError(
            "the key is bound to its TPM (fixedTPM or fixedParent) and cannot be duplicated; "
            "`tpmwire import --duplicable-to` creates duplicable keys"
        )
    name, new = name_of(public), name_of(parent)
    choices = _choices(file)
    for leave in (
        # The object's Name is not part of this policy, but the TPM compares the Name with the key (§23.15).
        Policy(PolicyDuplicationSelect(name, new, False)),
        Policy(PolicyDuplicationSelect(name, new, True)),
        to_any(with_auth=False),
        to_any(with_auth=True),
        Policy(PolicyCommandCode(TPM_CC.Duplicate), PolicyAuthValue()),
    ):
        digest = leave.digest(public.name_alg)
        if digest == public.auth_policy:
            return leave
        for choice in choices:
            if digest in choice.p_hash_list:
                return Policy(*leave.statements, choice)
    raise PolicyError(
        f"the key's policy does not allow its duplication to the parent with the Name {new.hex()}; "
        "`tpmwire show` explains the policy"
    )


def _choices(file: KeyFile) -> list[PolicyOR]:
    """Returns the PolicyOR at the end of the key file's policy, if it determines the key's policy digest.

    Otherwise returns an empty list.
    """
    last = Policy.ways(file.policy or (), file.public)[0].statements[-1:]
    alg = file.public.name_alg
    return [one for one in last if isinstance(one, PolicyOR) and one.extended(alg, b"") == file.public.auth_policy]


def duplicate_out(
    tpm: Tpm,
    key: Loaded,
    parent: TPMT_PUBLIC,
    policy: Policy,
    protection: Session,
    *,
    salt: Loaded | None = None,
    auth: Secret = EMPTY_AUTH,
    inner_key: Secret | None = None,
) -> Duplicated:
    """Duplicates a loaded key to the new parent with the public area `parent`.

    The parent is a storage or endorsement key of a different TPM. `policy` comes from `duplication_policy`; `auth`
    is the key's authValue if the policy requires it. The session `protection` encrypts `inner_key` (16 bytes,
    AES-128-CFB). The policy session is salted to `salt`, if given. Flushes everything that it loads; after an
    error, `Tpm.close` does. Raises TpmError if the TPM refuses, SessionError if a response is not authentic, and
    PolicyError if a statement of the policy lacks a value.
    """
    session = open_session(tpm, TPM_SE.POLICY, salt, key.public.name_alg)
    for statement in policy.statements:
        tpm.execute(statement.command(session.handle))
    session.wants_auth_value = policy.wants_auth_value
    new = tpm.execute(LoadExternal(None, parent, TPM_RH.NULL)).object_handle
    tpm.trust_name(new, name_of(parent))
    command = Duplicate(
        key.handle,
        new,
        b"" if inner_key is None else inner_key.reveal(),
        TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL) if inner_key is None else INNER_CIPHER,
    )
    companions = [] if inner_key is None else [protection.use(decrypt=True)]
    response = tpm.execute(command, session.use(auth, keep=False), *companions)
    tpm.flush(new)
    return Duplicated(response.duplicate, response.out_sym_seed)
