"""One use of a key: opens the session, loads the key, authorizes its use, and cleans up.

Each key is used with as few commands as possible. A persistent key without encryption needs no command before its
use. If the key is `protected`, no secret is sent unencrypted (see `channel`). docs/commands.md lists the commands
for each kind of key. Modules that only key files, policies and errors need are imported late, so that a run with a
persistent handle does not load them.
"""

from collections.abc import Callable

from ..channel import authorized_once, open_channel, open_session
from ..crypto.formulas import name_of
from ..errors import SessionError, TpmError
from ..exchange import CIPHER_CHANGED
from ..primary import Loaded, WellKnown, create_primary, read_loaded
from ..secret import EMPTY_AUTH, Secret
from ..sessions import Password, Session, SessionStart, Use
from ..spec.codes import TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH, TPM_RC_HANDLE, TPM_RC_INTEGRITY, TPM_RC_POLICY_FAIL
from ..spec.constants import TPM_ALG, TPM_HT, TPM_RH, TPM_SE, TPMA_OBJECT, TPMA_SESSION
from ..spec.structures import TPMT_PUBLIC, TPMT_SYM_DEF_OBJECT
from ..tpm import Tpm
from ..typed import TypeVar
from .key import Authorizer, Key, names_endorsement_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..keys.keyfile import KeyFile
    from ..spec.commands.objects import Load
    from .policy import KeyPolicy

__all__ = ["Run"]

R = TypeVar("R")


class Run:
    """One use of a key, with the objects and sessions in the TPM that this use needs.

    A subclass adds the commands that use the key.

    The protocol has three steps, each of which a subclass may extend:

    1. `reach()` loads a key file's key, or reads what is needed of a persistent key. It calls `open_session`.
    2. `open_session(parent)` opens the session and sets `salt`, if the run needs a session.
    3. `finish(handle)` flushes the objects and sessions of the run, after the last use of the key.

    Between `reach` and `finish`, `authorize_key(handle)` returns the authorizer for the commands, and
    `correct_authorization` returns the authorizer for a second attempt. If a step fails, `Tpm.close` or
    `give_back` cleans up.
    """

    def __init__(self, key: Key, tpm: Tpm) -> None:
        self.key = key
        self.tpm = tpm
        self.session: Session | None = None
        # Protects parameters if the session that authorizes the key must not encrypt.
        self.companion: Session | None = None
        # The key that the sessions are salted to.
        self.salt: Loaded | None = None
        self.opened: list[int] = []
        # The key's public area and Name, and its parent's Name, as soon as they are known.
        described = key.file or key.described
        self.public = None if described is None else described.public
        self.name = key.name
        self.parent_name: bytes | None = None
        # The parent if it was created or has been read, and whether its policy authorizes its use.
        self.parent: Loaded | None = None
        self._parent_by_policy = key.ek_parent
        self._parent_policy: Session | None = None
        # A public area that the pinned key may have, if only its Name is given: it is tried first.
        self.likely: TPMT_PUBLIC | None = None
        # Whether the salt key was created for this run, and the session is known to have the requested cipher.
        self._salt_was_created = self._cipher_checked = False
        self._policy: KeyPolicy | None = None

    def reach(self) -> int:
        """Loads or finds the key, opens the session, and returns the key's handle."""
        if self.key.file is not None:
            return self._load(self.key.file)
        assert self.key.handle is not None
        handle = self.key.handle
        if self.name is not None:
            self.tpm.trust_name(handle, self.name)
        if self.key.ek_parent or self._needs_public_area():
            self.public = read_loaded(self.tpm, handle).public
        elif self.key.protected and self.key.pin is None:
            # The session needs the Name in any case. Read first, because a resource manager would swap an open
            # session.
            self.tpm.name(handle)
        self._open(None)
        return handle

    def open_session(self, parent: Loaded | None) -> None:
        """Opens the session if the run needs one.

        The session is salted to the pinned key, else to `parent`, else to the storage root key.
        """
        kind, key = self._kind(), self.key
        if not key.protected:
            if kind == TPM_SE.POLICY:
                self.session = open_session(self.tpm, kind, None, self._hash(kind))
            return
        # The key of the session's cipher includes the key's authValue, and a policy without PolicyAuthValue does
        # not verify the password. A policy session cannot authorize the parent either. An HMAC session does both.
        also_hmac = kind == TPM_SE.POLICY and (key.auth or any(key.parent_auths))
        place = key.primary_parent
        channel = open_channel(
            self.tpm,
            [kind, TPM_SE.HMAC] if also_hmac else [kind],
            self._hash(kind),
            pin=key.pin if parent is None else None,
            parent=parent,
            passwords=key.hierarchy_auths(),
            also=() if place is None else (place,),
            likely=self.likely,
        )
        self.session, *others = channel.sessions
        self.companion = others[0] if others else None
        self.salt = channel.salt
        if channel.made is not None and channel.made == place:
            self._add_parent(channel.salt)
        elif channel.made is not None:
            self._salt_was_created = True

    def finish(self, handle: int) -> None:
        """Flushes the run's objects and sessions, after the last use of the key at `handle`."""
        self.tpm.flush_last(self.opened)

    def give_back(self) -> None:
        """Flushes the sessions and the objects of a run that has not finished."""
        for session in (self.session, self.companion):
            if session is not None:
                self.tpm.flush(session.handle)
        self._flush_opened()

    def _open(self, parent: Loaded | None) -> None:
        self.open_session(parent)
        if self._salt_was_created and self.salt is not None and not self._next_is_last():
            # A TPM may have only three object slots, and the salt key is no longer needed.
            self.tpm.flush(self.salt.handle)

    def _next_is_last(self) -> bool:
        """Returns whether the next command is the run's last, so that a loaded salt key need not be flushed.

        `Tpm.close` then drops the salt key. A resource manager swaps the salt key once more, which takes 3
        commands at the chip. A flush takes 5.
        """
        handle, session = self.key.handle, self.session
        if not self.tpm.leaves or self._cipher_in_doubt or handle is None or session is None:
            return False
        named = self.name is not None or self.tpm.known_name(handle) is not None
        return named and session.kind == TPM_SE.HMAC

    def _flush_opened(self) -> None:
        for transient in reversed(self.opened):
            self.tpm.flush(transient)

    def _needs_public_area(self) -> bool:
        """Returns whether a policy session needs the key's nameAlg, so that the public area must be read first."""
        key = self.key
        needed = key.protected or bool(key.auth) or key.pcrs is None
        return self._kind() == TPM_SE.POLICY and self.public is None and self.name is None and needed

    def _kind(self) -> TPM_SE:
        """Returns the session's type: a policy session if a policy authorizes the key."""
        by_policy = self.public is not None and not self.public.object_attributes & TPMA_OBJECT.USER_WITH_AUTH
        described = self.key.pcrs is not None or self.key.described is not None
        return TPM_SE.POLICY if described or by_policy else TPM_SE.HMAC

    def _hash(self, kind: TPM_SE) -> TPM_ALG:
        """Returns the hash algorithm for a session of type `kind`.

        For a policy session, the hash is the key's nameAlg, which is known from the key's file or Name.
        """
        if kind == TPM_SE.POLICY and self.public is not None:
            return self.public.name_alg
        if kind == TPM_SE.POLICY and self.name is not None:
            return TPM_ALG(int.from_bytes(self.name[:2], "big"))
        return TPM_ALG.SHA256

    def prepare_parent(self, file: "KeyFile") -> int:
        """Opens the session, creates the parent if it is a primary key, and returns the parent's handle."""
        if file.endorsement_handle is not None:
            self._find_endorsement_key(file, file.endorsement_handle)
        if not self.key.protected or self.key.pin is not None:
            self._open(None)
        parent = self._parent(file)
        if self.key.protected and self.session is None:
            self._open(read_loaded(self.tpm, parent) if self.parent is None else self.parent)
        return parent

    def _find_endorsement_key(self, file: "KeyFile", handle: int) -> None:
        """Selects the parent at `handle`, a handle reserved for an endorsement key.

        If no suitable key is there, the endorsement key is created later in the run. Unless `ek_parent` is set,
        any storage key at the handle is accepted.
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
                self._parent_by_policy = not found.public.object_attributes & TPMA_OBJECT.USER_WITH_AUTH
                return
        kind = next(kind for kind in KINDS if kind.handle == handle)
        # The TPM's vendor may have stored a template or a nonce that is needed to create the same key.
        present = handles(self.tpm, kind.certificate, kind.template_index)
        template = template_of(self.tpm, kind, present)
        place = WellKnown(TPM_RH.ENDORSEMENT, lambda: template, handle)
        self.key = self.key.of_file(file, ek_parent=True, ek_place=place)
        self._parent_by_policy = not template.object_attributes & TPMA_OBJECT.USER_WITH_AUTH

    def _parent(self, file: "KeyFile") -> int:
        """Returns the parent's handle. Creates a parent that is a primary key, unless it is already loaded."""
        place = self.key.primary_parent
        if self.parent is not None:
            return self.parent.handle
        if place is None:
            assert file.persistent_parent is not None
            return file.persistent_parent

        def attempt(auth: Secret) -> Loaded:
            if auth and self.key.protected and self.session is None:
                self._open(None)  # raises an error before a password is used
            return create_primary(self.tpm, place.hierarchy, place.template(), *self.authorize(auth))

        self._add_parent(self.try_parent_auths(place.hierarchy, attempt))
        return self.opened[-1]

    def _add_parent(self, created: Loaded) -> None:
        self.opened.append(created.handle)
        self.parent, self.parent_name = created, created.name

    def _load(self, file: "KeyFile") -> int:
        """Opens the session, loads the key of a key file, and returns the key's handle."""
        parent = self.prepare_parent(file)
        try:
            loaded = self.try_parent_auths(parent, lambda auth: self._load_under(file, parent, auth))
        except TpmError as error:
            if error.code != TPM_RC_INTEGRITY or not self.key.ek_parent or names_endorsement_key(file):
                raise
            loaded = self._load_under_ecc(file.replace(rsa_parent=False))
        self.opened.append(loaded.object_handle)
        # The Name is computed from the file, not taken from the response, so that a substituted key is detected.
        self.tpm.trust_name(loaded.object_handle, name_of(file.public))
        return loaded.object_handle

    def _load_under_ecc(self, file: "KeyFile") -> "Load.Response":
        """Loads the key under the ECC endorsement key, after the RSA endorsement key was not the parent.

        tpmcopy's files do not say which of the two is the parent.
        """
        if self._parent_policy is not None:
            self.tpm.flush(self._parent_policy.handle)
        self._flush_opened()
        self.opened.clear()
        self.parent, self.key = None, self.key.of_file(file)
        parent = self._parent(file)
        return self.try_parent_auths(parent, lambda auth: self._load_under(file, parent, auth))

    def _load_under(self, file: "KeyFile", parent: int, auth: Secret) -> "Load.Response":
        from ..spec.commands.objects import Load

        private = self.import_wrapped(file, parent, auth) if file.is_importable else file.private
        command = Load(parent, private, file.public)
        loaded = self.tpm.execute(command, *self._add_encryption(self._authorize_parent(auth)))
        # The parameter is not secret, but the TPM decrypted it and verified its integrity, so the session's cipher
        # is right.
        self._cipher_checked = True
        return loaded

    def import_wrapped(self, file: "KeyFile", parent: int, auth: Secret) -> bytes:
        """Imports a key that was wrapped outside this TPM, and returns the key's private area.

        `parent` is the parent's handle, `auth` the parent's authValue.
        """
        from ..spec.commands.duplication import Import

        inner = self.key.inner_key
        cipher = TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 128, TPM_ALG.CFB) if inner else TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL)
        command = Import(parent, inner.reveal(), file.public, file.private, file.encrypted_seed, cipher)
        uses = self._authorize_parent(auth)
        if inner:
            uses = self._add_encryption(uses)
        return self.tpm.execute(command, *uses).out_private

    def _add_encryption(self, uses: tuple[Password | Use, ...]) -> tuple[Password | Use, ...]:
        """Returns `uses`; if the key is protected, a session in it encrypts the command's first parameter."""
        session = self.companion or self.session
        if not self.key.protected or session is None:
            return uses
        for use in uses:
            if isinstance(use, Use) and use.session is session:  # a command can contain a session only once
                use.attributes = TPMA_SESSION(use.attributes | TPMA_SESSION.DECRYPT)
                return uses
        return (*uses, session.use(decrypt=True))

    def check_cipher(self, handle: int) -> None:
        """Raises SessionError if the session does not have the requested cipher.

        The check costs one command, and is skipped if it is not needed. No HMAC covers the parameters of
        TPM2_StartAuthSession, and the response HMAC of TPM2_HMAC does not show which cipher was used.
        TPM2_ReadPublic shows the cipher: the decrypted public area has to match the key's Name.
        """
        session = self.companion or self.session
        if not (self._cipher_in_doubt and self.key.protected) or session is None or self._cipher_checked:
            return
        from ..spec.commands.objects import ReadPublic

        response = self.tpm.execute(ReadPublic(handle), session.use(encrypt=True))
        if name_of(response.out_public) != self.tpm.name(handle):
            raise SessionError(f"the response to ReadPublic: {CIPHER_CHANGED}")
        self._cipher_checked = True

    @property
    def _cipher_in_doubt(self) -> bool:
        """Returns whether the cipher must be checked.

        If the Name is not known beforehand, the check proves nothing: the TPM could return a different key's
        public area. Behind a resource manager the check is 3 commands at the chip, and is sent only if `checked`
        requests it.
        """
        named = self.key.pin is None or self.key.name is not None
        return self.key.checked or (self._salt_was_created and named and not self.tpm.transport.swaps)

    def _authorize_parent(self, auth: Secret) -> tuple[Password | Use, ...]:
        if self._parent_by_policy:
            return (self._endorsement_policy().use(keep=False),)
        return self.authorize(auth)

    def _endorsement_policy(self) -> Session:
        """Returns a policy session that satisfies an endorsement key's policy (EK Credential Profile, B.3.3)."""
        from ..spec.commands.policies import PolicySecret

        self._parent_policy = session = self.tpm.start_session(SessionStart(TPM_SE.POLICY))
        command = PolicySecret(TPM_RH.ENDORSEMENT, session.handle)

        def attempt(auth: Secret) -> object:
            # An empty password needs no session. With a session, an SLB 9670 with firmware 7.40 fails
            # (tpm2-tss#1865).
            return self.tpm.execute(command, *(self.authorize(auth) if auth else (Password(),)))

        self.try_parent_auths(TPM_RH.ENDORSEMENT, attempt)
        return session

    def authorize(self, auth: Secret) -> tuple[Password | Use, ...]:
        """Returns the authorizations for an authValue. If the key is protected, no secret is sent unencrypted."""
        session = self.companion or self.session
        if session is not None and session.kind == TPM_SE.HMAC:
            return (session.use(auth),)
        return (authorized_once(self.tpm, auth) if self.key.protected else Password(auth),)

    def try_parent_auths(self, handle: int, attempt: Callable[[Secret], R]) -> R:
        """Calls `attempt` with each possible authValue of the parent or hierarchy at `handle`.

        Returns the result of the first call that the TPM does not refuse because of a wrong authValue.
        """
        auths = self._auths_of(handle)
        for auth in auths[:-1]:
            try:
                return attempt(auth)
            except TpmError as error:
                if error.code not in (TPM_RC_BAD_AUTH, TPM_RC_AUTH_FAIL):
                    raise
        return attempt(auths[-1])

    def _auths_of(self, handle: int) -> list[Secret]:
        """Returns the authValues to try for the parent or hierarchy at `handle`.

        If a wrong authValue would count towards the TPM's lockout, returns only the right one. Returns all of them
        if the TPM does not allow a test that does not count.
        """
        auths = self.key.parent_auths
        if handle >> 24 == TPM_HT.TRANSIENT:
            return [EMPTY_AUTH]  # A primary key has an authValue of its own, not that of its hierarchy.
        if len(auths) == 1 or handle >> 24 != TPM_HT.PERSISTENT:
            return auths
        parent = read_loaded(self.tpm, handle)
        if parent.public.object_attributes & TPMA_OBJECT.NO_DA:
            return auths
        from .authvalue import is_auth

        right = is_auth(self.tpm, parent, auths[0])
        return auths if right is None else auths[:1] if right else auths[1:]

    def authorize_key(self, handle: int) -> Authorizer:
        """Returns the function that returns the key's authorizations for one command.

        If the key has a policy, the policy is satisfied first. Each use ends the policy (Part 1, §19.7).
        """
        session, auth = self.session, self.key.auth
        if session is None:
            return lambda **_: (Password(auth),)
        if session.kind == TPM_SE.POLICY:
            auth = self._key_policy(session).satisfy(handle)
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

    def _key_policy(self, session: Session) -> "KeyPolicy":
        if self._policy is None:
            from .policy import KeyPolicy

            self._policy = KeyPolicy(
                self.tpm, self.key, session, self.read_public, self.authorize, self.parent_name
            )
        return self._policy

    def read_public(self, handle: int) -> TPMT_PUBLIC:
        """Returns the key's public area, which is read only once."""
        if self.public is None:
            self.public = read_loaded(self.tpm, handle).public
        return self.public

    def correct_authorization(self, final: Authorizer, handle: int, refused: TpmError) -> Authorizer | None:
        """Returns the authorizer for a second attempt, after the TPM refused the key's policy.

        Returns None if the key's public area does not show what was missing. `final` is the refused authorizer.
        """
        if refused.code != TPM_RC_POLICY_FAIL or self._policy is None:
            return None
        public = self.read_public(handle)
        session = self._policy.session
        reopened = public.name_alg != session.auth_hash
        if reopened:
            # Only an unprotected run has not read the public area yet; its session has the usual hash.
            self.tpm.flush(session.handle)
            self.session, self._policy = open_session(self.tpm, session.kind, None, public.name_alg), None
            final = self.authorize_key(handle)
        assert self._policy is not None
        return final if self._policy.complete(public) or reopened else None
