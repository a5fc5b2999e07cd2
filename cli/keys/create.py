"""An HMAC key made in the TPM from a secret, and proven there before anything relies on it."""

import hmac
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tpmwire.channel import Pin
from tpmwire.crypto.formulas import random_bytes
from tpmwire.errors import SessionError
from tpmwire.keys.keyfile import KeyFile
from tpmwire.keys.templates import hmac_key, rsa_parent_of
from tpmwire.keys.wrapping import either
from tpmwire.policy.policy import Policy
from tpmwire.policy.statement import Statement
from tpmwire.policy.statements import PolicyAuthValue, PolicyPCR
from tpmwire.spec.commands.objects import Create
from tpmwire.spec.constants import TPM_ALG, TPM_HT, TPMA_OBJECT
from tpmwire.spec.structures import TPMS_SENSITIVE_CREATE
from tpmwire.state.pcrs import read_pcrs
from tpmwire.use.hmac import HmacKey

from ..terminal.messages import note
from .persist import Parent, load, parent_at
from .weak_pcrs import warn_of_pcrs

if TYPE_CHECKING:
    from tpmwire.channel import Loaded, Pin
    from tpmwire.keys.keyfile import KeyFile
    from tpmwire.policy.policy import Policy
    from tpmwire.secret import Secret
    from tpmwire.spec.constants import TPMA_OBJECT
    from tpmwire.spec.structures import TPMS_PCR_SELECTION, TPMT_PUBLIC
    from tpmwire.tpm import Tpm
    from tpmwire.use.key import Key

    K = TypeVar("K", bound=Key)

__all__ = ["Made", "Order", "as_used", "make_key", "policy_of"]


class Order(NamedTuple):
    """What key is wanted.

    `secret` are the HMAC key's octets, `auth` its password. `pcrs` bind it to their values of now. `parent` is a
    persistent handle or a hierarchy, `parent_auth` its authValue; `pin` is the key that sessions are salted to.
    `leave` is the policy by which the key can be duplicated; without one it stays in its TPM.
    `given` are the ways of a policy that was described instead: they need not hold now, so the key is not tried.
    `hash_name` is the HMAC's hash, as TPM_ALG has it.
    `like` is the public area of a key that has the policy `given`, which holds now: the new key differs from it in
    its secret only, and is tried.
    """

    secret: "Secret"
    auth: "Secret"
    pcrs: "tuple[TPMS_PCR_SELECTION, ...] | None"
    parent: int
    parent_auth: "Secret"
    pin: "Pin | None" = None
    leave: "Policy | None" = None
    given: "tuple[Policy, ...]" = ()
    hash_name: str = "SHA256"
    like: "TPMT_PUBLIC | None" = None


class Made(NamedTuple):
    """The key: as a file, loaded, and with the parent and session that it came by."""

    file: "KeyFile"
    key: "Loaded"
    parent: Parent


def make_key(tpm: "Tpm", order: Order) -> Made:
    """TPM2_Create, TPM2_Load, and an HMAC that is compared with the host's own.

    The key is fixedTPM and fixedParent where it was not ordered to leave. Its secret crosses the bus encrypted.
    With PCRs it is used by its policy only, which takes in the password where there is one.
    Raises TpmError, PolicyError; SessionError where the TPM's HMAC is not that of the secret.
    """
    parent = parent_at(tpm, order.parent, order.parent_auth, order.pin)
    if parent.key.public.type == TPM_ALG.RSA and parent.key.handle >> 24 == TPM_HT.TRANSIENT:
        note("this TPM lacks ECC: each run creates an RSA key, which takes seconds; --make-srk creates it once")
    policy = policy_of(tpm, order)
    if order.like is not None:
        template = order.like.replace(unique=b"")
    else:
        digest = policy.digest() if policy else b""
        template = hmac_key(digest, with_auth=bool(order.auth), hash_alg=TPM_ALG[order.hash_name])
    if order.leave is not None:
        template = template.replace(object_attributes=_leaving(template.object_attributes, order))
    sensitive = TPMS_SENSITIVE_CREATE(order.auth.reveal(), order.secret.reveal())
    answer = tpm.execute(
        Create(parent.key.handle, sensitive, template), parent.session.use(parent.auth, decrypt=True)
    )
    if answer.out_public.replace(unique=template.unique) != template:
        raise SessionError("the key that the TPM made is not the one that was asked for")
    file = KeyFile.of(
        answer.out_public,
        answer.out_private,
        order.parent,
        empty_auth=not order.auth,
        rsa_parent=rsa_parent_of(order.parent, parent.key.public),
        policy=policy.to_steps() if policy else None,
        auth_policy=tuple((None, way.to_steps()) for way in order.given[1:]) or None,
    )
    key = load(tpm, parent, file.public, file.private)
    if not order.given or order.like is not None:
        _prove(tpm, order, file, key, parent)
    return Made(file, key, parent)


def policy_of(tpm: "Tpm", order: Order) -> "Policy | None":
    """The policy that the ordered key has, with the PCR values of now. Raises TpmError, PolicyError."""
    if order.given:
        return order.given[0]
    if order.pcrs is None and order.leave is None:
        return None

    use: list[Statement] = []
    if order.pcrs is not None:
        values = read_pcrs(tpm, order.pcrs)
        warn_of_pcrs(order.pcrs, values)
        use.append(PolicyPCR.of_values(TPM_ALG.SHA256, order.pcrs, values))
    if order.auth or not use:
        use.append(PolicyAuthValue())
    if order.leave is None:
        return Policy(*use)

    return either(Policy(*use), order.leave)


def _leaving(attributes: "TPMA_OBJECT", order: Order) -> "TPMA_OBJECT":
    """The attributes of a key that can be duplicated. Without PCRs it is also used without its policy."""
    attributes = TPMA_OBJECT(attributes & ~(TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT))
    return attributes if order.pcrs is not None else attributes | TPMA_OBJECT.USER_WITH_AUTH


def as_used(kind: "type[K]", order: Order, file: "KeyFile", key: "Loaded", parent: Parent) -> "K":
    """The loaded key as it will be used, with its password and policy: a proof wants nothing less."""
    pin = order.pin
    if pin is None or parent.key.public.type in (TPM_ALG.ECC, TPM_ALG.RSA):
        # The key that is pinned has vouched for the parent, which is there; to make it again takes a slot more.
        pin = Pin(parent.key.name, parent.key.public, parent.key.handle)
    # PCRs alone do not tell the policy of a key that can leave, nor anything another key's; the file does.
    by_file = (order.leave is not None and order.pcrs is not None) or order.like is not None
    pcrs, described = (None, file) if by_file else (order.pcrs, None)
    return kind(handle=key.handle, name=key.name, auth=order.auth, pcrs=pcrs, described=described, pin=pin)


def _prove(tpm: "Tpm", order: Order, file: "KeyFile", key: "Loaded", parent: Parent) -> None:
    # No date: the HMAC of a date is what signs a day's requests, and there is no need for it here.
    message = random_bytes(32)
    use = as_used(HmacKey, order, file, key, parent)
    if not hmac.compare_digest(
        use.hmac(tpm, message), hmac.digest(order.secret.reveal(), message, order.hash_name)
    ):
        raise SessionError("the TPM's HMAC is not that of the secret: this TPM, or the way to it, is broken")
