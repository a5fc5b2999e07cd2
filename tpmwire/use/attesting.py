"""Uses attestation keys in the TPM: quotes, certified objects, and activated credentials."""

from collections.abc import Callable
from typing import TypeVar

from ..calls import Attested
from ..errors import TpmError
from ..record import Record
from ..sessions import Password, Use
from ..spec.command import Answered
from ..spec.commands.attestation import Quote
from ..spec.constants import TPM_ALG
from ..spec.structures import TPMS_PCR_SELECTION, TPMT_PUBLIC, TPMT_SIG_SCHEME
from ..tpm import Tpm
from .key import Key, explain_missing_key, verify_refused_pin
from .run import Run

__all__ = ["AttestingKey"]

R = TypeVar("R", bound=Record)

OWN_SCHEME = TPMT_SIG_SCHEME(TPM_ALG.NULL)
"""The key's own scheme; an attestation key always has one."""


class AttestingKey(Key):
    """A key in the TPM that signs statements of the TPM. `Key` describes the constructor's arguments."""

    def quote(
        self,
        tpm: Tpm,
        pcrs: tuple[TPMS_PCR_SELECTION, ...],
        nonce: bytes,
        scheme: TPMT_SIG_SCHEME = OWN_SCHEME,
    ) -> tuple[Attested, TPMT_PUBLIC]:
        """Returns a quote of the PCRs (Part 3, §18.4) and the key's public area.

        Raises TpmError, SessionError, TransportError, PolicyError. Flushes what it opened.
        """
        response, public = self.execute(tpm, lambda handle: Quote(handle, nonce, scheme, pcrs))
        return Attested(response.quoted, response.signature), public

    def execute(
        self,
        tpm: Tpm,
        command_for: Callable[[int], Answered[R]],
        *,
        before: tuple[Password | Use, ...] = (),
        after: tuple[Password | Use, ...] = (),
    ) -> tuple[R, TPMT_PUBLIC]:
        """Executes a command that uses the key; returns (response, the key's public area).

        `command_for` gets the key's handle. `before` and `after` authorize the handles that the command has before
        and after the key's handle. Raises the errors of `quote`.
        """
        with explain_missing_key(self), verify_refused_pin(self, tpm):
            run = Run(self, tpm)
            handle = run.reach()
            public = run.read_public(handle)
            run.check_cipher(handle)
            final = run.authorize_key(handle)
            for attempt in (1, 2):
                own, *companions = final(more=False)
                try:
                    response = tpm.execute(command_for(handle), *before, own, *after, *companions)
                    break
                except TpmError as error:
                    corrected = run.correct_authorization(final, handle, error) if attempt == 1 else None
                    if corrected is None:
                        raise
                    final = corrected
            run.finish(handle)
        return response, public
