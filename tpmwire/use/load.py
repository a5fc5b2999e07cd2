"""Loads, imports and persists the key of a key file. No signature or HMAC is computed."""

from ..keys.keyfile import LOADABLE, SEALED, KeyFile
from ..secret import EMPTY_AUTH, Secret
from ..spec.commands.context import EvictControl
from ..spec.constants import TPM_RH
from ..tpm import Tpm
from .key import Key, endorsement_place, explain_missing_key
from .run import Run

__all__ = ["import_key", "load_key", "persist_key"]


def import_key(key: Key, tpm: Tpm) -> KeyFile:
    """Imports a key that was wrapped outside this TPM, and returns a key file that this TPM can load.

    Raises TpmError if the TPM refuses, such as for a key wrapped for a different TPM; SessionError if a response
    is not authentic; TransportError if the TPM does not respond.
    """
    file = key.file
    assert file is not None
    run = Run(key, tpm)
    with explain_missing_key(key):
        parent = run.prepare_parent(file)
        private = run.try_parent_auths(parent, lambda auth: run.import_wrapped(file, parent, auth))
        run.give_back()
    kind = SEALED if file.type == SEALED else LOADABLE
    loadable = file.replace(type=kind, secret=None, privkey=len(private).to_bytes(2, "big") + private)
    if not run.key.ek_parent:
        return loadable
    # A loadable file has no seed; its reserved handle identifies the endorsement key that is the parent.
    return loadable.replace(parent=endorsement_place(file).handle, rsa_parent=None)


def load_key(key: Key, tpm: Tpm) -> None:
    """Loads the key of a key file and flushes it, to test that the TPM accepts the file.

    Raises the errors of `import_key`.
    """
    run = Run(key, tpm)
    with explain_missing_key(key):
        run.reach()
        run.give_back()


def persist_key(key: Key, tpm: Tpm, handle: int, owner_auth: Secret = EMPTY_AUTH) -> None:
    """Makes the key of a key file persistent at `handle`. `owner_auth` is the owner hierarchy's authValue.

    Raises TpmError with TPM_RC_NV_DEFINED if the handle is occupied.
    """
    run = Run(key, tpm)
    with explain_missing_key(key):
        loaded = run.reach()
        tpm.execute(EvictControl(TPM_RH.OWNER, loaded, handle), *run.authorize(owner_auth))
        run.give_back()
