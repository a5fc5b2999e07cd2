"""A secret of the null hierarchy: there as long as this boot of the TPM."""

from collections.abc import Sequence
from hashlib import sha256

from tpmwire import templates
from tpmwire.channel import create_primary, protected_sessions
from tpmwire.signing import HmacKey
from tpmwire.spec.constants import TPM_RH, TPM_SE, TPMA_OBJECT
from tpmwire.tpm import Tpm

__all__ = ["BootKey"]


class BootKey(HmacKey):
    """Octets that the TPM makes of the null hierarchy's seed and a message: the same until a reset.

    A key is made of a template that has the message's digest as its `unique`. The made key's `unique` is a hash
    of the key and its seedValue, which never leave the TPM (Part 1, §14.4 and §27): nobody can tell it who has not
    asked this TPM in this boot. That takes one command less than an HMAC with a key that is made.
    """

    def __init__(self, like: HmacKey) -> None:
        """It is used as protected as `like` is, by a session that is salted to the same pin."""
        super().__init__(protected=like.protected, pin=like.pin)

    def hmacs(self, tpm: Tpm, messages: Sequence[bytes]) -> list[bytes]:
        """32 octets for each message. Raises TpmError, SessionError, TransportError."""
        return [self._told(tpm, message) for message in messages]

    def _told(self, tpm: Tpm, message: bytes) -> bytes:
        template = templates.hmac_key(with_auth=False)
        template = template.replace(
            object_attributes=template.object_attributes | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN,
            unique=sha256(message).digest(),
        )
        uses = []
        if self.protected:
            (session,) = protected_sessions(tpm, [TPM_SE.HMAC], pin=self.pin)
            # The public area is the response's first parameter, which is the one that a session hides.
            uses = [session.use(keep=False, encrypt=True)]
        made = create_primary(tpm, TPM_RH.NULL, template, *uses)
        tpm.flush(made.handle)
        assert isinstance(made.public.unique, bytes)
        return made.public.unique
