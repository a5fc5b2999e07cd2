"""HMAC with a key in the TPM: one command for a persistent handle (`reaching` has the way to the others)."""

from collections.abc import Sequence

from ..errors import KeyFileError, TpmError
from ..sessions import Password
from ..spec.codes import TPM_RC_COMMAND_CODE
from ..spec.commands.symmetric import HMAC
from ..spec.constants import TPM_ALG, TPMA_OBJECT
from ..tpm import Tpm
from .run import Authorizer, Key, Run, telling_what_is_gone

__all__ = ["HmacKey", "HmacRun"]


class HmacKey(Key):
    """A key that gives HMACs; see `Key`."""

    def hmac(self, tpm: Tpm, message: bytes) -> bytes:
        """HMAC of `message`, whose size is at most the TPM's buffer (1024 octets on known TPMs).

        Raises TpmError, SessionError, TransportError, PolicyError, and KeyFileError for a file that holds no HMAC
        key. What it opened is flushed at the end, or by `Tpm.close()` where it fails.
        """
        return self.hmacs(tpm, [message])[0]

    def hmacs(self, tpm: Tpm, messages: Sequence[bytes]) -> list[bytes]:
        """The HMAC of each message, by one session and one loading of the key. Raises as `hmac`."""
        public = None if self.file is None else self.file.public
        if public is not None and public.type != TPM_ALG.KEYEDHASH:
            kind = public.type.name
            raise KeyFileError(f"the key file holds a key of type {kind}, no HMAC key; `tpmwire import` makes one")
        if public is not None and not public.object_attributes & TPMA_OBJECT.SIGN_ENCRYPT:
            raise KeyFileError("the key file holds sealed data, not an HMAC key; `tpmwire import` makes one")
        # In clear a handle leaves nothing to remember, and with an endorsement parent its policy is read anyway.
        if self.memory is None or (self.file is None and (self.ek_parent or not self.protected)):
            with telling_what_is_gone(self):
                return HmacRun(self, tpm).hmacs(messages)
        from .remembered import hmacs

        with telling_what_is_gone(self):
            return hmacs(self, tpm, self.memory, messages)


class HmacRun(Run):
    """One use of an HMAC key. For `kept` to build on; others use keys."""

    def __init__(self, key: Key, tpm: Tpm) -> None:
        super().__init__(key, tpm)
        # That there is no TPM2_HMAC, as a first one has taught.
        self.in_sequences = False

    def hmacs(self, messages: Sequence[bytes]) -> list[bytes]:
        handle = self._reached()
        results = self._all_computed(handle, messages)
        self.tpm.flush_last(self.opened)
        return results

    def _all_computed(self, handle: int, messages: Sequence[bytes]) -> list[bytes]:
        if self._cipher_in_doubt:
            self._show_cipher(handle)
        last = len(messages) - 1
        return [self._computed(handle, message, more=number < last) for number, message in enumerate(messages)]

    def _computed(self, handle: int, message: bytes, *, more: bool) -> bytes:
        final = self._key_authorization(handle)
        if self.in_sequences:
            return self._computed_in_sequence(handle, message, final, more=more)
        try:
            return self.tpm.execute(HMAC(handle, message), *final(more=more)).out_hmac
        except TpmError as error:
            if (corrected := self._corrected(final, handle, error)) is not None:
                return self.tpm.execute(HMAC(handle, message), *corrected(more=more)).out_hmac
            if error.code != TPM_RC_COMMAND_CODE:
                raise
        self.in_sequences = True
        return self._computed_in_sequence(handle, message, final, more=more)

    def _computed_in_sequence(self, handle: int, message: bytes, final: Authorizer, *, more: bool) -> bytes:
        """For a TPM that lacks TPM2_HMAC. It refused that before it looked at the sessions."""
        from ..spec.commands.sequences import HMAC_Start, SequenceComplete

        protection = self.companion or self.session
        sequence = self.tpm.execute(HMAC_Start(handle), *final(more=more, starts=True)).sequence_handle
        # A sequence object has no public area, and so an empty Name (Part 1, §16).
        self.tpm.trust_name(sequence, b"")
        companions = (
            [protection.use(keep=more, encrypt=True)] if self.key.protected and protection is not None else []
        )
        return self.tpm.execute(SequenceComplete(sequence, message), Password(), *companions).result
