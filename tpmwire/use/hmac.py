"""HMACs with a key in the TPM, in one command if the key is persistent."""

from collections.abc import Sequence

from ..errors import KeyFileError, TpmError
from ..sessions import Password
from ..spec.codes import TPM_RC_COMMAND_CODE
from ..spec.commands.symmetric import HMAC
from ..spec.constants import TPM_ALG, TPMA_OBJECT
from ..tpm import Tpm
from .key import Authorizer, Key, explain_missing_key, verify_refused_pin
from .run import Run

__all__ = ["HmacKey", "HmacRun"]


class HmacKey(Key):
    """An HMAC key in the TPM. `Key` describes the constructor's arguments."""

    def hmac(self, tpm: Tpm, message: bytes) -> bytes:
        """Returns the HMAC of `message`, which must fit into the TPM's buffer (1024 bytes on known TPMs).

        Raises TpmError if the TPM refuses, SessionError if a response is not authentic, TransportError if the TPM
        does not respond, PolicyError if the key's policy is not satisfied, and KeyFileError if the file's key is
        not an HMAC key. Flushes the objects and sessions that it opened; after an error, `Tpm.close()` flushes
        them.
        """
        return self.hmacs(tpm, [message])[0]

    def hmacs(self, tpm: Tpm, messages: Sequence[bytes]) -> list[bytes]:
        """Returns the HMAC of each message, with one session and one load of the key.

        Raises the errors of `hmac`.
        """
        self._check_type()
        with explain_missing_key(self), verify_refused_pin(self, tpm):
            return self._compute(tpm, messages)

    def _check_type(self) -> None:
        public = None if self.file is None else self.file.public
        if public is None:
            return
        if public.type != TPM_ALG.KEYEDHASH:
            kind = public.type.name
            raise KeyFileError(
                f"the key file has a key of type {kind}, not HMAC; create an HMAC key with `tpmwire import`"
            )
        if not public.object_attributes & TPMA_OBJECT.SIGN_ENCRYPT:
            raise KeyFileError("the key file has sealed data, not an HMAC key; create a key with `tpmwire import`")

    def _compute(self, tpm: Tpm, messages: Sequence[bytes]) -> list[bytes]:
        return HmacRun(self, tpm).hmacs(messages)


class HmacRun(Run):
    """One use of an HMAC key. Subclasses in `cached_key` extend its steps."""

    def __init__(self, key: Key, tpm: Tpm) -> None:
        super().__init__(key, tpm)
        # Set if the TPM has refused TPM2_HMAC: the next messages then use a sequence at once.
        self._in_sequences = False

    def hmacs(self, messages: Sequence[bytes]) -> list[bytes]:
        """Returns the HMAC of each message, and flushes the objects and sessions of the run."""
        handle = self.reach()
        results = self.compute(handle, messages)
        self.finish(handle)
        return results

    def compute(self, handle: int, messages: Sequence[bytes]) -> list[bytes]:
        """Returns the HMAC of each message with the key at `handle`, as `reach` returned it."""
        self.check_cipher(handle)
        last = len(messages) - 1
        return [self._hmac(handle, message, more=number < last) for number, message in enumerate(messages)]

    def _hmac(self, handle: int, message: bytes, *, more: bool) -> bytes:
        final = self.authorize_key(handle)
        if self._in_sequences:
            return self._hmac_in_sequence(handle, message, final, more=more)
        try:
            return self.tpm.execute(HMAC(handle, message), *final(more=more)).out_hmac
        except TpmError as error:
            if (corrected := self.correct_authorization(final, handle, error)) is not None:
                return self.tpm.execute(HMAC(handle, message), *corrected(more=more)).out_hmac
            if error.code != TPM_RC_COMMAND_CODE:
                raise
        self._in_sequences = True
        return self._hmac_in_sequence(handle, message, final, more=more)

    def _hmac_in_sequence(self, handle: int, message: bytes, final: Authorizer, *, more: bool) -> bytes:
        """Returns the HMAC of a message, computed in an HMAC sequence, for a TPM without TPM2_HMAC.

        The TPM has refused TPM2_HMAC before it checked the sessions, so `final` still authorizes the key.
        """
        from ..spec.commands.sequences import HMAC_Start, SequenceComplete  # late: most TPMs have TPM2_HMAC

        protection = self.companion or self.session
        sequence = self.tpm.execute(HMAC_Start(handle), *final(more=more, starts=True)).sequence_handle
        # A sequence object has no public area, so its Name is empty (Part 1, §16).
        self.tpm.trust_name(sequence, b"")
        companions = (
            [protection.use(keep=more, encrypt=True)] if self.key.protected and protection is not None else []
        )
        return self.tpm.execute(SequenceComplete(sequence, message), Password(), *companions).result
