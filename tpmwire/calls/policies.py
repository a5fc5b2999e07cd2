"""Policy sessions that satisfy a policy."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..channel import protected_sessions
from ..crypto.formulas import name_of
from ..errors import PolicyError
from ..policy.approvals import PolicySigned
from ..policy.policy import Policy
from ..policy.sign import sign_policy
from ..policy.signer import is_same_key
from ..policy.statement import Statement
from ..secret import EMPTY_AUTH, Secret
from ..sessions import Password, Session, SessionStart, Use
from ..spec.constants import TPM_ALG, TPM_SE
from ..tpm import Tpm

__all__ = ["satisfy_policy"]


@contextlib.contextmanager
def satisfy_policy(
    tpm: Tpm,
    *policy: Policy | Statement,
    auth: Secret | bytes = EMPTY_AUTH,
    alg: TPM_ALG = TPM_ALG.SHA256,
    authorizations: Mapping[int, Password | Use] = MappingProxyType({}),
    signers: Sequence[Any] = (),
    protected: bool = False,
    encrypt: bool = False,
    decrypt: bool = False,
) -> Iterator[Use]:
    """Yields an authorization for one command: a policy session in which `policy` is satisfied.

    >>> from tpmwire import Policy, PolicyAuthValue, Tpm, calls
    >>> policy = Policy(PolicyAuthValue())
    >>> with Tpm.open() as tpm:
    ...     parent = calls.create_primary(tpm)
    ...     blob = calls.seal(tpm, parent, b"data", auth=b"password", policy=policy)
    ...     with calls.satisfy_policy(tpm, policy, auth=b"password") as by:
    ...         unsealed = calls.unseal(tpm, parent, blob, by=by)

    The session is flushed at the end. `policy` is a Policy, or its statements. `auth` is the object's authValue,
    if the policy requires it. `alg` is the object's nameAlg. `authorizations` maps the handles of entities in
    PolicySecret and PolicyNV to their authorizations. `signers` are private keys of `cryptography`: they sign each
    PolicySigned that has no signature yet, for this session only. `protected` salts the session. `encrypt` and
    `decrypt` salt it too, and encrypt the first parameter of the response and of the command. Raises PolicyError
    for an invalid policy or a missing signature, and TpmError if a statement is not satisfied.
    """
    statements = [one for each in policy for one in (each.statements if isinstance(each, Policy) else (each,))]
    whole = Policy(*statements)
    if protected or encrypt or decrypt:
        (session,) = protected_sessions(tpm, [TPM_SE.POLICY], alg)
    else:
        session = tpm.start_session(SessionStart(TPM_SE.POLICY, alg))
    try:
        for statement in statements:
            if isinstance(statement, PolicySigned) and statement.signature.sig_alg == TPM_ALG.NULL:
                _sign(statement, session, signers).state(tpm, session.handle, nonce_tpm=session.nonce_tpm)
                continue
            statement.state(tpm, session.handle, _authorizations_of(statement, session.handle, authorizations))
        session.wants_auth_value, session.wants_password = whole.wants_auth_value, whole.wants_password
        yield session.use(auth, encrypt=encrypt, decrypt=decrypt)
    finally:
        if tpm.is_open(session.handle):
            tpm.flush(session.handle)


def _sign(statement: PolicySigned, session: Session, signers: Sequence[Any]) -> PolicySigned:
    """Returns the statement with a signature for the session. Raises PolicyError if its signer is missing."""
    signer = next((key for key in signers if is_same_key(statement.key_sign, key)), None)
    if signer is None:
        name = name_of(statement.key_sign).hex()
        raise PolicyError(f"the policy is not signed by key {name}; give the private key in `signers`")
    digest = statement.signed_digest(session.nonce_tpm)
    return statement.replace(signature=sign_policy(signer, digest, statement.key_sign))


def _authorizations_of(
    statement: Statement, session: int, authorizations: Mapping[int, Password | Use]
) -> tuple[Password | Use, ...]:
    """Returns the authorization of the entity that a policy statement names, or () if none was given."""
    if not statement.wants_authorization or not authorizations:
        return ()
    command = statement.command(session)
    entity = getattr(command, command.handle_fields()[0][0])
    return (authorizations[entity],) if entity in authorizations else ()
