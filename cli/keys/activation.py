"""Activates credentials with an endorsement key and another key of the TPM."""

from typing import NamedTuple

from tpmwire.attest.credentials import Credential
from tpmwire.errors import TpmError
from tpmwire.primary import Loaded, read_loaded
from tpmwire.secret import Secret
from tpmwire.spec.codes import TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH
from tpmwire.spec.commands.context import ContextLoad
from tpmwire.tpm import Tpm
from tpmwire.use.attesting import AttestingKey
from tpmwire.use.endorsement import KINDS, EkKind
from tpmwire.use.endorsement_keys import likely_kinds, use_endorsement_key
from tpmwire.use.parents import ENDORSEMENT, endorsement_kind

from ..terminal.messages import UsageError
from ..tpm.key_argument import NamedKey, use_key

__all__ = ["EK_NAMES", "Activation", "parse_ek"]

EK_NAMES = {ENDORSEMENT[kind.handle].name: kind for kind in KINDS}
"""Kinds of endorsement keys by the name that options accept, such as ek-ecc."""


def parse_ek(text: str | None) -> EkKind | NamedKey | None:
    """Returns the endorsement key in the option --ek: a kind, or a key in the TPM; None if `text` is empty.

    Raises UsageError for a key file.
    """
    if not text:
        return None
    if (kind := endorsement_kind(text)) is not None:
        return kind
    named = NamedKey(text)
    if named.file is not None:
        raise UsageError(f"{text} is a key file; expected a kind of EK, a handle or a context file")
    return named


class Activation(NamedTuple):
    """A credential, its key, and the passwords of the key, its parent and the endorsement hierarchy."""

    named: NamedKey
    credential: Credential
    auth: Secret
    parent: Secret
    hierarchy: Secret

    def run(self, tpm: Tpm, ek: EkKind | NamedKey | None) -> Secret:
        """Returns the secret in the credential.

        Without `ek`, the kinds of endorsement keys that fit the credential are tried. Raises UsageError if there
        are none, and the first TpmError if no key decrypts the credential.
        """
        if isinstance(ek, NamedKey):
            return self._use_named(tpm, ek)
        return self._try_kinds(tpm, [ek] if ek else likely_kinds(self.credential.seed))

    def _activate(self, tpm: Tpm, ek: EkKind | Loaded) -> Secret:
        with (
            use_endorsement_key(tpm, ek, self.hierarchy) as (loaded, by),
            use_key(tpm, self.named, AttestingKey, self.auth, self.parent, protected=True) as key,
        ):
            return key.activate(tpm, self.credential, loaded, by)

    def _use_named(self, tpm: Tpm, ek: NamedKey) -> Secret:
        handle = ek.handle if ek.context is None else tpm.execute(ContextLoad(ek.context)).loaded_handle
        assert handle is not None  # the key is not a file
        try:
            return self._activate(tpm, read_loaded(tpm, handle))
        finally:
            if ek.context is not None:
                tpm.flush(handle)

    def _try_kinds(self, tpm: Tpm, kinds: list[EkKind]) -> Secret:
        if not kinds:
            raise UsageError("no endorsement key fits the credential; give the key with --ek")
        first: TpmError | None = None
        for kind in kinds:
            try:
                return self._activate(tpm, kind)
            except TpmError as error:
                if error.code in (TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH):
                    raise
                first = first or error
        assert first is not None  # a kind was tried
        raise first
