"""A key of the null hierarchy: there as long as this boot of the TPM."""

from collections.abc import Sequence

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

    def hmacs(self, tpm: Tpm, messages: Sequence[bytes]) -> list[bytes]:
        """As `HmacKey.hmacs`. CreatePrimary of a key for HMACs is quick: nothing has to be searched for."""
        template = templates.hmac_key(with_auth=False)
        template = template.replace(
            object_attributes=template.object_attributes | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN
        )
        made = create_primary(tpm, TPM_RH.NULL, template)
        key = HmacKey(handle=made.handle, name=made.name, protected=self.protected, pin=self.pin)
        results = key.hmacs(tpm, messages)
        tpm.flush(made.handle)
        return results
