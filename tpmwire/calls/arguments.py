"""Conversion of the arguments of `tpmwire.calls`: objects, authorizations, secrets, PCR selections."""

import contextlib
from collections.abc import Iterator, Sequence

from ..keys.keyfile import KeyFile
from ..policy.pcr_selection import parse_pcrs
from ..policy.policy import Policy
from ..primary import Loaded, read_loaded
from ..secret import EMPTY_AUTH, Secret
from ..sessions import Password, Use
from ..spec.constants import TPM_ALG
from ..spec.structures import TPMS_PCR_SELECTION, TPMT_PUBLIC
from ..tpm import Tpm
from ..use.flush import flush_run
from ..use.key import Key
from ..use.run import Run

__all__ = [
    "NOBODY",
    "Item",
    "Pcrs",
    "digest_of",
    "handle_of",
    "pcrs_of",
    "public_of",
    "reach",
    "secret_of",
]

Item = int | Loaded | KeyFile
"""An object: its handle, its `Loaded`, or its key file, which a call loads and flushes."""

Pcrs = str | Sequence[TPMS_PCR_SELECTION]
"""PCRs, such as `sha256:0,7+sha1:23`, or the standard's structures."""

NOBODY = Password()
"""The empty password."""


def secret_of(value: Secret | bytes) -> Secret:
    """Returns an authValue or data as a Secret. A Secret is returned unchanged."""
    return value if isinstance(value, Secret) else Secret(value)


def digest_of(policy: Policy | bytes, alg: TPM_ALG = TPM_ALG.SHA256) -> bytes:
    """Returns a policy's digest, computed with the hash `alg`. A digest is returned unchanged."""
    return policy if isinstance(policy, bytes) else policy.digest(alg)


def pcrs_of(pcrs: Pcrs) -> tuple[TPMS_PCR_SELECTION, ...]:
    """Returns TPMS_PCR_SELECTIONs for a selection such as `sha256:0,7`. Raises PolicyError if it is not valid."""
    return parse_pcrs(pcrs) if isinstance(pcrs, str) else tuple(pcrs)


def handle_of(item: int | Loaded) -> int:
    """Returns the handle of an object in the TPM."""
    return item.handle if isinstance(item, Loaded) else item


def public_of(tpm: Tpm, item: Item) -> TPMT_PUBLIC:
    """Returns the public area of an object, read from the TPM if only the handle is known."""
    return read_loaded(tpm, item).public if isinstance(item, int) else item.public


@contextlib.contextmanager
def reach(tpm: Tpm, item: Item, by: Password | Use = NOBODY) -> Iterator[tuple[int, Password | Use]]:
    """Yields (handle, authorization) of an object for one command.

    The key of a key file is loaded, and flushed at the end. If the key has a policy and `by` is a password, the
    policy in the file is satisfied.
    """
    if not isinstance(item, KeyFile):
        yield handle_of(item), by
        return
    auth = by.auth if isinstance(by, Password) else EMPTY_AUTH
    run = Run(Key(file=item, auth=auth, protected=False), tpm)
    try:
        handle = run.reach()
        yield handle, by if isinstance(by, Use) else run.authorize_key(handle)(more=False)[0]
    finally:
        flush_run(tpm, run)
