"""Uses attestation keys in the TPM: creates quotes, certifies objects, and activates credentials."""

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from ..attest.credentials import Credential
from ..channel import protected_sessions
from ..errors import TpmError
from ..primary import Loaded
from ..record import Record
from ..secret import Secret
from ..sessions import Password, Use
from ..spec.command import Answered
from ..spec.commands.attestation import Certify, Quote
from ..spec.commands.nv import NV_Certify, NV_ReadPublic
from ..spec.commands.objects import ActivateCredential
from ..spec.constants import TPM_ALG, TPM_SE, TPMA_OBJECT
from ..spec.storage import TPMS_NV_PUBLIC
from ..spec.structures import TPMS_PCR_SELECTION, TPMT_PUBLIC, TPMT_SIG_SCHEME, TPMT_SIGNATURE
from ..state.nv import most_at_once
from ..tpm import Tpm
from .flush import flush_run
from .key import Key, verify_refused_pin
from .run import Run

__all__ = ["OWN_SCHEME", "Attested", "AttestingKey"]

R = TypeVar("R", bound=Record)

_BY_POLICY = TPMA_OBJECT.USER_WITH_AUTH | TPMA_OBJECT.ADMIN_WITH_POLICY

OWN_SCHEME = TPMT_SIG_SCHEME(TPM_ALG.NULL)
"""The key's own scheme; an attestation key always has one."""


class Attested(NamedTuple):
    """An attestation (a marshaled TPMS_ATTEST) and its signature, for `tpmwire.attest.verify`."""

    message: bytes
    signature: TPMT_SIGNATURE


class AttestingKey(Key):
    """A key in the TPM that signs attestations. See `Key` for the constructor's arguments."""

    def quote(
        self,
        tpm: Tpm,
        pcrs: tuple[TPMS_PCR_SELECTION, ...],
        nonce: bytes,
        scheme: TPMT_SIG_SCHEME = OWN_SCHEME,
    ) -> tuple[Attested, TPMT_PUBLIC]:
        """Returns (quote of the PCRs, the key's public area) (Part 3, §18.4).

        Raises TpmError if the TPM refuses, SessionError if a response is not authentic, TransportError if the TPM
        does not respond, PolicyError if the policy is not satisfied. Flushes all sessions and objects that it
        opened; after errors other than TpmError, `Tpm.close` flushes them.
        """
        response, public = self.execute(tpm, lambda handle: Quote(handle, nonce, scheme, pcrs))
        return Attested(response.quoted, response.signature), public

    def certify(
        self, tpm: Tpm, item: int, nonce: bytes, item_by: Password | Use, scheme: TPMT_SIG_SCHEME = OWN_SCHEME
    ) -> tuple[Attested, TPMT_PUBLIC]:
        """Returns (attestation of the object at the handle `item`, the key's public area) (Part 3, §18.2).

        `item_by` authorizes the object. Raises the errors of `quote`.
        """
        response, public = self.execute(
            tpm, lambda handle: Certify(item, handle, nonce, scheme), before=(item_by,)
        )
        return Attested(response.certify_info, response.signature), public

    def certify_nv(
        self, tpm: Tpm, index: int, nonce: bytes, index_by: Password | Use, scheme: TPMT_SIG_SCHEME = OWN_SCHEME
    ) -> tuple[Attested, TPMT_PUBLIC, TPMS_NV_PUBLIC]:
        """Returns (attestation of an NV index, the key's public area, the index's public area).

        The attestation contains the index's data (Part 3, §31.16). `index_by` authorizes the index. Raises the
        errors of `quote`.
        """
        area = tpm.execute(NV_ReadPublic(index)).nv_public
        size = min(area.data_size, most_at_once(tpm))
        response, public = self.execute(
            tpm,
            lambda handle: NV_Certify(handle, index, index, nonce, scheme, size, 0),
            after=(index_by,),
        )
        return Attested(response.certify_info, response.signature), public, area

    def activate(self, tpm: Tpm, credential: Credential, ek: Loaded, ek_by: Password | Use) -> Secret:
        """Returns the secret in a credential for this key (Part 3, §12.5).

        `ek` is the endorsement key that the credential was encrypted to, `ek_by` its authorization. The secret
        crosses the bus encrypted if the key is `protected`. Raises the errors of `quote`.

        The key's password authorizes the command if the key's file has a policy that is only for the USER role,
        because such a policy does not include TPM2_PolicyCommandCode.
        """
        if self.file is not None and not self.file.public.object_attributes & _BY_POLICY:
            return self._activate_by_password(tpm, credential, ek, ek_by)
        response, _ = self.execute(
            tpm,
            lambda handle: ActivateCredential(handle, ek.handle, credential.blob, credential.seed),
            after=(ek_by,),
        )
        return Secret(response.cert_info)

    def _activate_by_password(self, tpm: Tpm, credential: Credential, ek: Loaded, ek_by: Password | Use) -> Secret:
        with self.loaded(tpm) as handle:
            session = protected_sessions(tpm, [TPM_SE.HMAC], pin=self.pin)[0]
            try:
                command = ActivateCredential(handle, ek.handle, credential.blob, credential.seed)
                by = session.use(self.auth, keep=False, encrypt=True)
                return Secret(tpm.execute(command, by, ek_by).cert_info)
            except TpmError:
                # A caller may try another endorsement key with the same TPM.
                for each in (session.handle, handle):
                    if tpm.is_open(each):
                        tpm.flush(each)
                raise

    @contextlib.contextmanager
    def loaded(self, tpm: Tpm) -> Iterator[int]:
        """Yields the handle of the key, and flushes the key at the end.

        After an error in the context, `Tpm.close` flushes the key.
        """
        run = Run(self, tpm)
        handle = run.reach()
        flush_run(tpm, run, keep=handle)  # a TPM may have only three object slots
        yield handle
        if handle in run.opened:
            tpm.flush(handle)

    def execute(
        self,
        tpm: Tpm,
        command_for: Callable[[int], Answered[R]],
        *,
        before: tuple[Password | Use, ...] = (),
        after: tuple[Password | Use, ...] = (),
    ) -> tuple[R, TPMT_PUBLIC]:
        """Executes a command that uses the key; returns (response, the key's public area).

        `command_for` is called with the key's handle and returns the command. `before` and `after` authorize the
        command's handles before and after the key's handle. Raises the errors of `quote`.
        """
        run = Run(self, tpm)
        try:
            with verify_refused_pin(self, tpm):
                result = self._execute(tpm, run, command_for, before, after)
        except TpmError:
            # A caller may try another key with the same TPM. After other errors, `Tpm.close` flushes.
            flush_run(tpm, run)
            raise
        flush_run(tpm, run)
        return result

    def _execute(
        self,
        tpm: Tpm,
        run: Run,
        command_for: Callable[[int], Answered[R]],
        before: tuple[Password | Use, ...],
        after: tuple[Password | Use, ...],
    ) -> tuple[R, TPMT_PUBLIC]:
        handle = run.reach()
        public = run.read_public(handle)
        run.check_cipher(handle)
        final = run.authorize_key(handle)
        try:
            own, *companions = final(more=False)
            return tpm.execute(command_for(handle), *before, own, *after, *companions), public
        except TpmError as error:
            corrected = run.correct_authorization(final, handle, error)
            if corrected is None:
                raise
        own, *companions = corrected(more=False)
        return tpm.execute(command_for(handle), *before, own, *after, *companions), public
