"""Creates HMAC keys in the TPM from a secret, and tests the keys."""

import hmac
from typing import NamedTuple, TypeVar

from tpmwire.channel import Loaded, Pin
from tpmwire.crypto.formulas import random_bytes
from tpmwire.errors import SessionError
from tpmwire.keys.keyfile import KeyFile
from tpmwire.keys.templates import hmac_key, rsa_parent_of
from tpmwire.keys.wrapping import either
from tpmwire.policy.policy import Policy
from tpmwire.policy.statement import Statement
from tpmwire.policy.statements import PolicyAuthValue, PolicyPCR
from tpmwire.secret import Secret
from tpmwire.spec.commands.objects import Create
from tpmwire.spec.constants import TPM_ALG, TPM_HT, TPMA_OBJECT
from tpmwire.spec.structures import TPMS_PCR_SELECTION, TPMS_SENSITIVE_CREATE, TPMT_PUBLIC
from tpmwire.state.pcrs import read_pcrs
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey
from tpmwire.use.key import Key

from ..terminal.messages import note
from .persist import ParentKey, load_under, parent_at
from .weak_pcrs import warn_of_pcrs

K = TypeVar("K", bound=Key)

__all__ = ["NewKey", "Order", "create_in", "make_key", "policy_of", "usable_key"]


class Order(NamedTuple):
    """A request for a new key.

    `secret` is the HMAC key, or empty if the TPM generates the key; `auth` is the key's password. `pcrs` binds the
    key to the current values of these PCRs. `parent` is a persistent handle or a hierarchy, `parent_auth` its
    authValue; `pin` is the key that sessions are salted to. `duplication` is the policy that allows duplicating
    the key; without it, the key never leaves its TPM. `hash_name` is the HMAC's hash, a name of TPM_ALG.

    `ways` lists alternative policies (PolicyOR branches) and replaces `pcrs`. The key is then not tested, because
    the current state may satisfy none of these policies. `template` is the public area of an existing key whose
    policy is satisfied now. The new key has the same attributes with a new secret, and is tested.
    """

    secret: Secret
    auth: Secret
    pcrs: tuple[TPMS_PCR_SELECTION, ...] | None
    parent: int
    parent_auth: Secret
    pin: Pin | None = None
    duplication: Policy | None = None
    ways: tuple[Policy, ...] = ()
    hash_name: str = "SHA256"
    template: TPMT_PUBLIC | None = None


class NewKey(NamedTuple):
    """A new key: key file, loaded key, and parent. The key was created in the parent's session."""

    file: KeyFile
    loaded: Loaded
    parent: ParentKey


def make_key(tpm: Tpm, order: Order) -> NewKey:
    """Creates and loads the key, and compares its HMAC of a test message with one computed by the host.

    The key is fixedTPM and fixedParent unless it is duplicable. Its secret crosses the bus encrypted. A key with
    PCRs can be used with its policy only; the policy includes the password, if any. A key with alternative
    policies (`order.ways`) is tested only if it has a template. Raises TpmError if the TPM refuses, PolicyError
    for invalid PCRs, and SessionError if the two HMACs differ.
    """
    parent = parent_at(tpm, order.parent, order.parent_auth, order.pin)
    if parent.key.public.type == TPM_ALG.RSA and parent.key.handle >> 24 == TPM_HT.TRANSIENT:
        note("this TPM lacks ECC: each run creates an RSA key, which takes seconds; --make-srk creates it once")
    policy = policy_of(tpm, order)
    if order.template is not None:
        template = order.template.replace(unique=b"")
    else:
        digest = policy.digest() if policy else b""
        template = hmac_key(digest, with_auth=bool(order.auth), hash_alg=TPM_ALG[order.hash_name])
    if order.duplication is not None:
        template = template.replace(object_attributes=_make_duplicable(template.object_attributes, order))
    key = create_in(tpm, order, parent, template, policy)
    if not order.ways or order.template is not None:
        _check_hmac(tpm, order, key)
    return key


def create_in(tpm: Tpm, order: Order, parent: ParentKey, template: TPMT_PUBLIC, policy: Policy | None) -> NewKey:
    """Creates and loads a key with this template under `parent`, and returns the key with its key file.

    Raises TpmError if the TPM refuses, SessionError if the key differs from the template.
    """
    sensitive = TPMS_SENSITIVE_CREATE(order.auth.reveal(), order.secret.reveal())
    answer = tpm.execute(
        Create(parent.key.handle, sensitive, template), parent.session.use(parent.auth, decrypt=True)
    )
    if answer.out_public.replace(unique=template.unique) != template:
        raise SessionError("the TPM created a key that differs from the requested one; do not trust this TPM")
    file = KeyFile.of(
        answer.out_public,
        answer.out_private,
        order.parent,
        empty_auth=not order.auth,
        rsa_parent=rsa_parent_of(order.parent, parent.key.public),
        policy=policy.to_steps() if policy else None,
        auth_policy=tuple((None, way.to_steps()) for way in order.ways[1:]) or None,
    )
    return NewKey(file, load_under(tpm, parent, file.public, file.private), parent)


def policy_of(tpm: Tpm, order: Order) -> Policy | None:
    """Returns the policy of the key that `order` requests, with the current PCR values, or None.

    Raises TpmError if the TPM refuses, PolicyError for an invalid PCR selection.
    """
    if order.ways:
        return order.ways[0]
    if order.pcrs is None and order.duplication is None:
        return None

    use: list[Statement] = []
    if order.pcrs is not None:
        values = read_pcrs(tpm, order.pcrs)
        warn_of_pcrs(order.pcrs, values)
        use.append(PolicyPCR.of_values(TPM_ALG.SHA256, order.pcrs, values))
    if order.auth or not use:
        use.append(PolicyAuthValue())
    if order.duplication is None:
        return Policy(*use)

    return either(Policy(*use), order.duplication)


def _make_duplicable(attributes: TPMA_OBJECT, order: Order) -> TPMA_OBJECT:
    """Returns the attributes of a duplicable key. The password can authorize its use unless it has PCRs."""
    attributes = TPMA_OBJECT(attributes & ~(TPMA_OBJECT.FIXED_TPM | TPMA_OBJECT.FIXED_PARENT))
    return attributes if order.pcrs is not None else attributes | TPMA_OBJECT.USER_WITH_AUTH


def usable_key(kind: type[K], order: Order, key: NewKey) -> K:
    """Returns the loaded key as a `kind`, with the password and policy that later runs use.

    A test with the returned key therefore covers password and policy.
    """
    pin, parent = order.pin, key.parent.key
    if pin is None or parent.public.type in (TPM_ALG.ECC, TPM_ALG.RSA, TPM_ALG.MLKEM):
        # No pin: the session with the loaded parent was already salted to the pinned key. Creating that key again
        # would need one more slot.
        pin = Pin(parent.name, parent.public, parent.handle)
    # For a duplicable key or one from a template, PCRs are not the whole policy, which the key file states.
    by_file = (order.duplication is not None and order.pcrs is not None) or order.template is not None
    pcrs, described = (None, key.file) if by_file else (order.pcrs, None)
    return kind(
        handle=key.loaded.handle, name=key.loaded.name, auth=order.auth, pcrs=pcrs, described=described, pin=pin
    )


def _check_hmac(tpm: Tpm, order: Order, key: NewKey) -> None:
    # The message is never a date, whose HMAC could sign that day's requests.
    message = random_bytes(32)
    found = usable_key(HmacKey, order, key).hmac(tpm, message)
    if not hmac.compare_digest(found, hmac.digest(order.secret.reveal(), message, order.hash_name)):
        raise SessionError(
            "the TPM's HMAC differs from the expected HMAC: this TPM, or the connection to it, is faulty"
        )
