"""Derives secrets from the null hierarchy, whose seed changes when the TPM is reset."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from tpmwire.channel import protected_sessions
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import TpmError
from tpmwire.keys import templates
from tpmwire.primary import Loaded, create_primary
from tpmwire.spec.constants import TPM_RH, TPM_SE, TPMA_OBJECT
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tpmwire.use.cached_key import Memory  # a run without session encryption must not load this module

__all__ = ["BootKey"]


class BootKey(HmacKey):
    """A key in the null hierarchy that derives 32 bytes from a message; the bytes change when the TPM is reset.

    For each message, creates a primary key whose template has the message's digest as `unique`. The result is the
    created key's `unique`: a hash of the key and its seedValue, which never leave the TPM (Part 1, §14.4 and §27).
    Only someone who has used this TPM since its reset can know the result. Using `unique` takes one command less
    than an HMAC with the key.
    """

    def __init__(self, like: HmacKey, memory: Memory | None) -> None:
        """Copies session encryption, pin and hierarchy passwords of the AWS key `like`.

        `memory` contains the cached public area of the key to which sessions are salted.
        """
        super().__init__(protected=like.protected, pin=like.pin)
        self.memory = memory
        self._of_pin = like.hierarchy_auths()

    def hmacs(self, tpm: Tpm, messages: Sequence[bytes]) -> list[bytes]:
        """Returns 32 bytes for each message.

        Raises TpmError if the TPM refuses, SessionError if a response is not authentic, and TransportError if the
        TPM does not respond.
        """
        salt = self._find_cached_salt()
        if salt is not None:
            try:
                return [self._derive(tpm, message, salt) for message in messages]
            except TpmError:
                pass  # The cached handle is empty, or holds a different key: search again.
        return [self._derive(tpm, message, None) for message in messages]

    def _find_cached_salt(self) -> Loaded | None:
        """Returns the cached persistent key to which the AWS key's sessions are salted, or None."""
        kept = None if self.memory is None else self.memory.data
        if not self.protected or kept is None or kept.salt_public is None or kept.salt is not None:
            return None
        name = name_of(kept.salt_public)
        fits = self.pin is None or self.pin.name == name
        return Loaded(kept.salt_handle, name, kept.salt_public) if fits else None

    def _derive(self, tpm: Tpm, message: bytes, salt: Loaded | None) -> bytes:
        template = templates.hmac_key(with_auth=False)
        template = template.replace(
            object_attributes=template.object_attributes | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN,
            unique=sha256(message).digest(),
        )
        uses = []
        if self.protected:
            pin = self.pin if salt is None else None
            (session,) = protected_sessions(tpm, [TPM_SE.HMAC], pin=pin, parent=salt, passwords=self._of_pin)
            # Sessions encrypt the response's first parameter, which is the public area.
            uses = [session.use(keep=False, encrypt=True)]
        made = create_primary(tpm, TPM_RH.NULL, template, *uses)
        tpm.flush(made.handle)
        assert isinstance(made.public.unique, bytes)
        return made.public.unique
