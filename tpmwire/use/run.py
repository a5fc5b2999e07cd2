"""A key in the TPM and the way to it: a key file or a handle, by password or policy, in clear or protected.

What is done with it there is said in `signing` (HMAC) and `ecdsa`. The shortest way for each: no command for a
persistent handle, and no secret in clear where a channel is wanted (see `channel`). docs/commands.md lists
the commands of each way.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from ..channel import Pin, authorized_once, open_channel, open_session
from ..crypto.formulas import name_of
from ..errors import SessionError, TpmError
from ..exchange import CIPHER_CHANGED
from ..keys import templates
from ..primary import WELL_KNOWN, Loaded, WellKnown, create_primary, read_loaded
from ..secret import EMPTY_AUTH, Secret
from ..sessions import Password, Session, SessionStart, Use
from ..spec.codes import TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH, TPM_RC_HANDLE, TPM_RC_INTEGRITY, TPM_RC_POLICY_FAIL
from ..spec.constants import TPM_ALG, TPM_HT, TPM_RH, TPM_SE, TPMA_OBJECT, TPMA_SESSION
from ..spec.structures import TPMS_PCR_SELECTION
from ..tpm import Tpm

if TYPE_CHECKING:
    from ..keys.keyfile import KeyFile
    from ..spec.commands.objects import Load
    from ..spec.structures import TPMT_PUBLIC
    from .policy import Satisfying
    from .remembered import Memory

__all__ = ["Authorizer", "Key", "Run", "telling_what_is_gone"]

R = TypeVar("R")


class Authorizer(Protocol):
    """The key's authorizations for a command.

    `more` says that another HMAC follows, `starts` that the command's result comes with a later one.
    """

    def __call__(self, *, more: bool, starts: bool = False) -> tuple[Password | Use, ...]: ...


class Key:
    """A key of a TPM that signs, and what it takes to use it.

    `file` or `handle` says where it is. `auth` is its authValue, `parent_auth` its parent's or, for a parent that
    is made, its hierarchy's; `parent_auth_otherwise` is tried where that fails. `pcrs` are those of its policy.
    With `ek_parent` the parent is an endorsement key: the one whose reserved handle the file has, or that an
    importable file's seed is sealed for; of an older loadable file the ECC one where `rsaParent` is false, else
    the RSA one. A file with that handle needs no `ek_parent`. `ek_place` says how that key is made, where this TPM
    has a template of its own. `inner_key` opens an importable file's
    inner wrap. `described` is a key file that tells the policy of the key at `handle`. `protected` salts and
    encrypts, to `pin` where there is one. `name` is the Name of the key at `handle`, where it is known: that saves
    reading it. `memory` is what earlier runs have left, and takes what this one leaves (see `kept`). `checked` has
    a protected result checked against a cipher that was changed on the way, where that costs a command.
    "As `hmac`" below is HmacKey.hmac.
    """

    def __init__(
        self,
        *,
        file: "KeyFile | None" = None,
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
        described: "KeyFile | None" = None,
        inner_key: Secret = EMPTY_AUTH,
        memory: "Memory | None" = None,
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
        self.memory = memory
        self.checked = checked

    def of_file(self, file: "KeyFile", **changes: Any) -> Self:
        """The same ways of use for another file; `changes` as the constructor takes them."""
        return type(self)(**{**vars(self), "file": file, **changes})

    @property
    def parent_auths(self) -> list[Secret]:
        """The authValues that the parent or its hierarchy may have, in the order in which they are tried."""
        otherwise = self.parent_auth_otherwise
        return [self.parent_auth] if otherwise is None else [self.parent_auth, otherwise]

    @property
    def made_parent(self) -> WellKnown | None:
        """What the parent is made from; None for a persistent one, and for a key at a handle."""
        file = self.file
        if file is None:
            return None
        if self.ek_parent:
            return self.ek_place or _endorsement_place(file)
        if file.persistent_parent is not None:
            return None
        assert file.hierarchy is not None  # every parent is persistent or a hierarchy's primary
        template = templates.h1_primary if file.rsa_parent else templates.h2_primary
        return WellKnown(TPM_RH(file.hierarchy), template, None)

    def passwords(self) -> dict[int, list[Secret]]:
        """Those of hierarchies: the one in which the parent is made; for a key at a handle, the pinned key's."""
        place = self.made_parent
        if place is not None:
            return {place.hierarchy: self.parent_auths}
        if self.file is not None:
            return {}
        # It is not said which of the two has it.
        auths = [EMPTY_AUTH, *filter(None, self.parent_auths)]
        return {TPM_RH.OWNER: auths, TPM_RH.ENDORSEMENT: auths}

    def imported(self, tpm: Tpm) -> "KeyFile":
        """The key file that this TPM can load, of one that was wrapped for it elsewhere. Raises as `hmac`."""
        with telling_what_is_gone(self):
            return Run(self, tpm).imported()

    def load(self, tpm: Tpm) -> None:
        """Loads the key of a file, uses it for nothing and flushes it. Raises as `hmac`."""
        with telling_what_is_gone(self):
            Run(self, tpm).load()

    def persist(self, tpm: Tpm, handle: int, owner_auth: Secret = EMPTY_AUTH) -> None:
        """Makes the key of a file persistent. Raises as `hmac`; TPM_RC_NV_DEFINED where the handle is taken."""
        with telling_what_is_gone(self):
            Run(self, tpm).persist(handle, owner_auth)


@contextlib.contextmanager
def telling_what_is_gone(key: Key) -> Iterator[None]:
    """Adds to a refusal that the key, its parent or the pinned key is gone from its persistent handle."""
    try:
        yield
    except TpmError as error:
        parent = None if key.file is None else key.file.persistent_parent
        pinned = None if key.pin is None else key.pin.where
        at = error.refused_handle
        if error.code == TPM_RC_HANDLE and at is not None and at in (key.handle, parent, pinned):
            error.say_gone()
        raise


class Run:
    """One use of a key: what is in the TPM for it. What it is used for is its subclasses'."""

    def __init__(self, key: Key, tpm: Tpm) -> None:
        self.key = key
        self.tpm = tpm
        self.session: Session | None = None
        # A second session, where the one that authorizes must not encrypt.
        self.companion: Session | None = None
        self.opened: list[int] = []
        # The key's public area and its parent's Name, once they are known.
        told = key.file or key.described
        self.public = None if told is None else told.public
        self.parent_name: bytes | None = None
        # The parent, where it was made, or read before anything else; and whether its policy authorizes its use.
        self.parent: Loaded | None = None
        self.parent_by_policy = key.ek_parent
        self.parent_policy: Session | None = None
        self.name = key.name
        self.pin = key.pin
        # What the pinned key may look like, where its Name alone is given and an earlier run has found it.
        self.likely: TPMT_PUBLIC | None = None
        # The key that the session was salted to.
        self.salt: Loaded | None = None
        # Whether that was made for this run, and whether the session is known to have the cipher asked for.
        self.salt_was_made = self.cipher_shown = False
        # The key's policy, once it is asked for.
        self.satisfying: Satisfying | None = None

    def _salted(self, salt: Loaded) -> None:
        """Told which key the run's sessions are salted to, while it is in the TPM."""
        self.salt = salt

    def _reached(self) -> int:
        """The key's handle, with the run's session open."""
        if self.key.file is not None:
            return self._load(self.key.file)
        assert self.key.handle is not None
        handle = self.key.handle
        if self.name is not None:
            self.tpm.trust_name(handle, self.name)
        if self.key.ek_parent or self._needs_public_area():
            self.public = read_loaded(self.tpm, handle).public
        elif self.key.protected and self.pin is None:
            # What the session needs anyway. A resource manager saves and loads a session around later commands.
            self.tpm.name(handle)
        self._open_session(None)
        return handle

    def _needs_public_area(self) -> bool:
        """Whether the run would read it later anyway. Read first, it says which hash a policy session needs."""
        key = self.key
        needed = key.protected or bool(key.auth) or key.pcrs is None
        return self._kind() == TPM_SE.POLICY and self.public is None and self.name is None and needed

    def imported(self) -> "KeyFile":
        from ..keys.keyfile import LOADABLE, SEALED

        file = self.key.file
        assert file is not None
        parent = self._ready(file)
        private = self._with_parent_auth(parent, lambda auth: self._imported(file, parent, auth))
        self._close_sessions()
        self._flush_opened()
        kind = SEALED if file.type == SEALED else LOADABLE
        loadable = file.replace(type=kind, secret=None, privkey=len(private).to_bytes(2, "big") + private)
        if not self.key.ek_parent:
            return loadable
        # Without the seed it could not be told which endorsement key it is.
        return loadable.replace(parent=_endorsement_place(file).handle, rsa_parent=None)

    def load(self) -> None:
        assert self.key.file is not None
        self._load(self.key.file)
        self._close_sessions()
        self._flush_opened()

    def persist(self, handle: int, owner_auth: Secret) -> None:
        from ..spec.commands.context import EvictControl

        assert self.key.file is not None
        loaded = self._load(self.key.file)
        self.tpm.execute(EvictControl(TPM_RH.OWNER, loaded, handle), *self.authorized(owner_auth))
        self._close_sessions()
        self._flush_opened()

    def _close_sessions(self) -> None:
        for session in (self.session, self.companion):
            if session is not None:
                self.tpm.flush(session.handle)

    def _flush_opened(self) -> None:
        for transient in reversed(self.opened):
            self.tpm.flush(transient)

    def _kind(self) -> TPM_SE:
        """A policy session where the key is used by its policy."""
        by_policy = self.public is not None and not self.public.object_attributes & TPMA_OBJECT.USER_WITH_AUTH
        wanted = self.key.pcrs is not None or self.key.described is not None
        return TPM_SE.POLICY if wanted or by_policy else TPM_SE.HMAC

    def _open_session(self, parent: Loaded | None) -> None:
        """The session of this run, where it needs one: salted to the pin, else the parent, else the SRK."""
        kind, key = self._kind(), self.key
        if not key.protected:
            if kind == TPM_SE.POLICY:
                self.session = open_session(self.tpm, kind, None, self._hash(kind))
            return
        # The cipher's key takes in the key's authValue, and a policy without PolicyAuthValue does not tell whether
        # the password at hand is it; nor does a policy session authorize the parent. A second one does both.
        also_hmac = kind == TPM_SE.POLICY and (key.auth or any(key.parent_auths))
        made_parent = key.made_parent
        channel = open_channel(
            self.tpm,
            [kind, TPM_SE.HMAC] if also_hmac else [kind],
            self._hash(kind),
            pin=self.pin if parent is None else None,
            parent=parent,
            passwords=key.passwords(),
            also=() if made_parent is None else (made_parent,),
            likely=self.likely,
        )
        self.session, *others = channel.sessions
        self.companion = others[0] if others else None
        self._salted(channel.salt)
        if channel.made is not None and channel.made == made_parent:
            self._opened_parent(channel.salt)
        elif channel.made is not None:
            self.salt_was_made = True
            # A TPM may have three object slots, and the salt key has done its work.
            self.tpm.flush(channel.salt.handle)

    def _hash(self, kind: TPM_SE) -> TPM_ALG:
        """A policy session computes in the hash of the policy's owner; that is known from file or Name."""
        if kind == TPM_SE.POLICY and self.public is not None:
            return self.public.name_alg
        if kind == TPM_SE.POLICY and self.name is not None:
            return TPM_ALG(int.from_bytes(self.name[:2], "big"))
        return TPM_ALG.SHA256

    def _ready(self, file: "KeyFile") -> int:
        """Opens the run's session and makes the parent; gives its handle."""
        if file.endorsement_handle is not None:
            self._find_endorsement_key(file, file.endorsement_handle)
        if not self.key.protected or self.pin is not None:
            self._open_session(None)
        parent = self._parent(file)
        if self.key.protected and self.session is None:
            self._open_session(read_loaded(self.tpm, parent) if self.parent is None else self.parent)
        return parent

    def _find_endorsement_key(self, file: "KeyFile", handle: int) -> None:
        """Takes what is at the handle of an endorsement key; where that is no parent, the key will be made.

        A storage key of somebody's own there is the parent that the file means, unless the user says otherwise.
        """
        from ..state.nv import handles
        from .endorsement import KINDS, template_of
        from .parents import ENDORSEMENT, is_of

        parent = TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT
        try:
            found = read_loaded(self.tpm, handle)
        except TpmError as error:
            if error.code != TPM_RC_HANDLE:
                raise
        else:
            own = not self.key.ek_parent and found.public.object_attributes & parent == parent
            if own or is_of(found.public, ENDORSEMENT[handle]):
                self.parent, self.parent_name = found, found.name
                self.parent_by_policy = not found.public.object_attributes & TPMA_OBJECT.USER_WITH_AUTH
                return
        kind = next(kind for kind in KINDS if kind.handle == handle)
        # This TPM's maker may have stored a template or a nonce, without which another key comes of it.
        present = handles(self.tpm, kind.certificate, kind.template_index)
        template = template_of(self.tpm, kind, present)
        place = WellKnown(TPM_RH.ENDORSEMENT, lambda: template, handle)
        self.key = self.key.of_file(file, ek_parent=True, ek_place=place)
        self.parent_by_policy = not template.object_attributes & TPMA_OBJECT.USER_WITH_AUTH

    def _load(self, file: "KeyFile") -> int:
        """Brings the key file's key into the TPM, and opens the run's session on the way."""
        parent = self._ready(file)
        try:
            loaded = self._with_parent_auth(parent, lambda auth: self._load_under(file, parent, auth))
        except TpmError as error:
            if error.code != TPM_RC_INTEGRITY or not self.key.ek_parent or _tells_endorsement_key(file):
                raise
            loaded = self._load_under_ecc(file.replace(rsa_parent=False))
        self.opened.append(loaded.object_handle)
        # From the file, not from the answer: the key that is used is the key that was meant.
        self.tpm.trust_name(loaded.object_handle, name_of(file.public))
        return loaded.object_handle

    def _load_under_ecc(self, file: "KeyFile") -> "Load.Response":
        """As `_load_under`, where it was not the RSA endorsement key: tpmcopy's files do not say which it is."""
        if self.parent_policy is not None:
            self.tpm.flush(self.parent_policy.handle)
        self._flush_opened()
        self.opened.clear()
        self.parent, self.key = None, self.key.of_file(file)
        parent = self._parent(file)
        return self._with_parent_auth(parent, lambda auth: self._load_under(file, parent, auth))

    def _load_under(self, file: "KeyFile", parent: int, auth: Secret) -> "Load.Response":
        from ..spec.commands.objects import Load

        private = self._imported(file, parent, auth) if file.is_importable else file.private
        command = Load(parent, private, file.public)
        loaded = self.tpm.execute(command, *self._enciphered(self._authorized_parent(parent, auth)))
        # No secret, but the TPM has decrypted it and verified its integrity: the session has the right cipher.
        self.cipher_shown = True
        return loaded

    def _enciphered(self, uses: tuple[Password | Use, ...]) -> tuple[Password | Use, ...]:
        """The same authorizations, with the command's first parameter encrypted where the run is protected."""
        session = self.companion or self.session
        if not self.key.protected or session is None:
            return uses
        for use in uses:
            if isinstance(use, Use) and use.session is session:  # which is not used twice in one command
                use.attributes = TPMA_SESSION(use.attributes | TPMA_SESSION.DECRYPT)
                return uses
        return (*uses, session.use(decrypt=True))

    def _show_cipher(self, handle: int) -> None:
        """Raises SessionError where the session has another cipher than was asked for.

        No HMAC covers the parameters of TPM2_StartAuthSession, nor tells which cipher made an HMAC's result of
        its response. So the TPM is asked for what is known here: the public area, by the key's Name.
        """
        from ..spec.commands.objects import ReadPublic

        session = self.companion or self.session
        if not self.key.protected or session is None or self.cipher_shown:
            return
        answer = self.tpm.execute(ReadPublic(handle), session.use(encrypt=True))
        if name_of(answer.out_public) != self.tpm.name(handle):
            raise SessionError(f"the response to ReadPublic: {CIPHER_CHANGED}")
        self.cipher_shown = True

    @property
    def _cipher_in_doubt(self) -> bool:
        """Whether it is to be shown. Without a Name that is known beforehand another key could be read as well."""
        named = self.pin is None or self.key.name is not None
        return self.key.checked or (self.salt_was_made and named)

    def _imported(self, file: "KeyFile", parent: int, auth: Secret) -> bytes:
        """The private area of a key that was wrapped for this parent elsewhere."""
        from ..spec.commands.duplication import Import
        from ..spec.structures import TPMT_SYM_DEF_OBJECT

        inner = self.key.inner_key
        cipher = TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 128, TPM_ALG.CFB) if inner else TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL)
        command = Import(parent, inner.reveal(), file.public, file.private, file.encrypted_seed, cipher)
        uses = self._authorized_parent(parent, auth)
        if inner:
            uses = self._enciphered(uses)
        return self.tpm.execute(command, *uses).out_private

    def _authorized_parent(self, parent: int, auth: Secret) -> tuple[Password | Use, ...]:
        if self.parent_by_policy:
            return (self._endorsement_policy().use(keep=False),)
        return self.authorized(auth)

    def _endorsement_policy(self) -> Session:
        """A policy session that satisfies an endorsement key's policy (TCG EK Credential Profile, B.3.3)."""
        from ..spec.commands.policies import PolicySecret

        self.parent_policy = session = self.tpm.start_session(SessionStart(TPM_SE.POLICY))
        command = PolicySecret(TPM_RH.ENDORSEMENT, session.handle)

        def attempt(auth: Secret) -> object:
            # An empty password needs no session, in which an SLB 9670 with firmware 7.40 fails (tpm2-tss#1865).
            return self.tpm.execute(command, *(self.authorized(auth) if auth else (Password(),)))

        self._with_parent_auth(TPM_RH.ENDORSEMENT, attempt)
        return session

    def _parent(self, file: "KeyFile") -> int:
        """The parent's handle."""
        place = self.key.made_parent
        if self.parent is not None:
            return self.parent.handle
        if place is None:
            assert file.persistent_parent is not None
            return file.persistent_parent

        def attempt(auth: Secret) -> Loaded:
            if auth and self.key.protected and self.session is None:
                self._open_session(None)  # before a password is used
            return create_primary(self.tpm, place.hierarchy, place.template(), *self.authorized(auth))

        self._opened_parent(self._with_parent_auth(place.hierarchy, attempt))
        return self.opened[-1]

    def _opened_parent(self, made: Loaded) -> None:
        self.opened.append(made.handle)
        self.parent, self.parent_name = made, made.name

    def authorized(self, auth: Secret) -> tuple[Password | Use, ...]:
        """Authorization by an authValue: nothing secret in clear where the run is protected."""
        session = self.companion or self.session
        if session is not None and session.kind == TPM_SE.HMAC:
            return (session.use(auth),)
        return (authorized_once(self.tpm, auth) if self.key.protected else Password(auth),)

    def _with_parent_auth(self, handle: int, attempt: Callable[[Secret], R]) -> R:
        """What `attempt` gives with the authValue of the parent or hierarchy at `handle`."""
        auths = self._auths_of(handle)
        for auth in auths[:-1]:
            try:
                return attempt(auth)
            except TpmError as error:
                if error.code not in (TPM_RC_BAD_AUTH, TPM_RC_AUTH_FAIL):
                    raise
        return attempt(auths[-1])

    def _auths_of(self, handle: int) -> list[Secret]:
        """The authValues to try there: one, where a wrong one would count towards the TPM's lockout."""
        auths = self.key.parent_auths
        if handle >> 24 == TPM_HT.TRANSIENT:
            return [EMPTY_AUTH]  # The hierarchy's authValue is not its primary key's.
        if len(auths) == 1 or handle >> 24 != TPM_HT.PERSISTENT:
            return auths
        parent = read_loaded(self.tpm, handle)
        if parent.public.object_attributes & TPMA_OBJECT.NO_DA:
            return auths
        from .authvalue import is_auth

        right = is_auth(self.tpm, parent, auths[0])
        return auths if right is None else auths[:1] if right else auths[1:]

    def _corrected(self, final: Authorizer, handle: int, refused: TpmError) -> Authorizer | None:
        """The authorization for a second attempt, where the key's public area says what the first one lacked."""
        if refused.code != TPM_RC_POLICY_FAIL or self.satisfying is None:
            return None
        if self.public is None:
            self.public = read_loaded(self.tpm, handle).public
        session = self.satisfying.session
        reopened = self.public.name_alg != session.auth_hash
        if reopened:
            # Only a run in clear comes here without having read it: its session had the usual hash.
            self.tpm.flush(session.handle)
            self.session, self.satisfying = open_session(self.tpm, session.kind, None, self.public.name_alg), None
            final = self._key_authorization(handle)
        assert self.satisfying is not None
        return final if self.satisfying.completes(self.public) or reopened else None

    def _key_authorization(self, handle: int) -> Authorizer:
        """How the key is authorized; a policy is stated anew for each HMAC, which ends it (Part 1, §19.7)."""
        session, auth = self.session, self.key.auth
        if session is None:
            return lambda **_: (Password(auth),)
        if session.kind == TPM_SE.POLICY:
            if self.satisfying is None:
                from .policy import Satisfying

                self.satisfying = Satisfying(self, session)
            auth = self.satisfying.satisfy(handle)
        protected, companion = self.key.protected, self.companion

        def uses(*, more: bool, starts: bool = False) -> tuple[Password | Use, ...]:
            protecting = more or (protected and starts)
            sealed = protected and not starts
            if companion is None:
                return (session.use(auth, keep=protecting, decrypt=protected, encrypt=sealed),)
            return (
                session.use(auth, keep=more),
                companion.use(keep=protecting, decrypt=protected, encrypt=sealed),
            )

        return uses


def _endorsement_kind(file: "KeyFile") -> str:
    """Which endorsement key a file's key was wrapped for, as a key of WELL_KNOWN or of `parents.PARENTS`."""
    if file.endorsement_handle is not None:
        from .parents import ENDORSEMENT

        return ENDORSEMENT[file.endorsement_handle].name
    # An RSA key's seed has the size of its modulus, 256 octets; two coordinates on P-256 have 68 at most.
    ecc = len(file.encrypted_seed) < 128 if file.secret is not None else file.rsa_parent is False
    return "ek-ecc" if ecc else "ek-rsa"


def _tells_endorsement_key(file: "KeyFile") -> bool:
    """Whether a file says which endorsement key its parent is: by the handle, by its seed, or by rsaParent."""
    return file.endorsement_handle is not None or file.secret is not None or file.rsa_parent is not None


def _endorsement_place(file: "KeyFile") -> WellKnown:
    """How the endorsement key is made that a file's key was wrapped for."""
    kind = _endorsement_kind(file)
    if kind in WELL_KNOWN:
        return WELL_KNOWN[kind]
    from .parents import PARENTS

    return WellKnown(TPM_RH.ENDORSEMENT, PARENTS[kind].template, PARENTS[kind].parent)
