"""A key of the null hierarchy: there as long as this boot of the TPM."""

from tpmwire import templates
from tpmwire.channel import create_primary
from tpmwire.signing import HmacKey
from tpmwire.spec.constants import TPM_RH, TPMA_OBJECT
from tpmwire.tpm import Tpm

__all__ = ["BootKey"]


class BootKey(HmacKey):
    """An HMAC key that the TPM makes from the null hierarchy's seed: the same until a reset (Part 1, §14.4).

    It is used as protected as `like` is, by a session that is salted to the same pin.
    """

    def __init__(self, like: HmacKey) -> None:
        super().__init__(protected=like.protected, pin=like.pin)

    def hmac(self, tpm: Tpm, message: bytes) -> bytes:
        """As `HmacKey.hmac`. CreatePrimary of a key for HMACs is quick: nothing has to be searched for."""
        template = templates.hmac_key(with_auth=False)
        template = template.replace(
            object_attributes=template.object_attributes | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN
        )
        made = create_primary(tpm, TPM_RH.NULL, template)
        key = HmacKey(handle=made.handle, name=made.name, protected=self.protected, pin=self.pin)
        result = key.hmac(tpm, message)
        tpm.flush(made.handle)
        return result
