"""Calls for the commands of TPM 2.0 Library 1.85: ML-KEM, ML-DSA, and signatures of complete messages."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import TpmError
from ..sessions import Password, Use
from ..spec.codes import TPM_RC_SIGNATURE
from ..spec.commands.asymmetric import Decapsulate, Encapsulate
from ..spec.commands.sequences import SequenceUpdate, SignSequenceStart, VerifySequenceStart
from ..spec.commands.signing import SignDigest, SignSequenceComplete, VerifyDigestSignature, VerifySequenceComplete
from ..spec.constants import TPM_RH, TPM_ST
from ..spec.structures import TPMT_PUBLIC, TPMT_SIGNATURE, TPMT_TK_HASHCHECK
from ..tpm import Tpm
from .arguments import NOBODY, Item, reach
from .data import PIECE
from .objects import load_external

__all__ = [
    "Encapsulated",
    "decapsulate",
    "encapsulate",
    "sign_digest",
    "sign_sequence",
    "verify_digest",
    "verify_sequence",
]

_NO_TICKET = TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")


class Encapsulated(NamedTuple):
    """A shared secret, and its ciphertext, from which the key's owner computes the same secret."""

    secret: bytes
    ciphertext: bytes

    def __repr__(self) -> str:
        return f"Encapsulated(secret=<{len(self.secret)} bytes>, ciphertext={self.ciphertext!r})"


def encapsulate(tpm: Tpm, key: Item, *companions: Use) -> Encapsulated:
    """Returns a new secret that is shared with the owner of an ML-KEM or ECC key (Part 3, §14.10).

    The TPM returns the secret in cleartext unless one of the `companions` encrypts the response.
    """
    with reach(tpm, key) as (handle, _):
        response = tpm.execute(Encapsulate(handle), *companions)
    return Encapsulated(response.shared_secret, response.ciphertext)


def decapsulate(tpm: Tpm, key: Item, ciphertext: bytes, *, by: Password | Use = NOBODY) -> bytes:
    """Returns the shared secret of a ciphertext for an ML-KEM or ECC key in the TPM (Part 3, §14.11).

    An altered ML-KEM ciphertext gives another secret, not an error (FIPS 203, §6.3).
    """
    with reach(tpm, key, by) as (handle, authorization):
        return tpm.execute(Decapsulate(handle, ciphertext), authorization).shared_secret


def sign_digest(
    tpm: Tpm,
    key: Item,
    digest: bytes,
    *,
    context: bytes = b"",
    ticket: TPMT_TK_HASHCHECK | None = None,
    by: Password | Use = NOBODY,
) -> TPMT_SIGNATURE:
    """Signs a digest with the scheme of a key (Part 3, §20.7), such as a HashML-DSA, ECDSA or RSA key.

    For an ML-DSA key with allowExternalMu, `digest` is Mu, 64 bytes (FIPS 204, §6.2). `context` is the context
    string of HashML-DSA. A restricted key needs the `ticket` of `hash_with_ticket`.
    """
    with reach(tpm, key, by) as (handle, authorization):
        return tpm.execute(SignDigest(handle, context, digest, ticket or _NO_TICKET), authorization).signature


def verify_digest(
    tpm: Tpm, key: Item | TPMT_PUBLIC, digest: bytes, signature: TPMT_SIGNATURE, *, context: bytes = b""
) -> bool:
    """Returns whether a signature of a digest is valid for a key (Part 3, §20.4).

    If `key` is a public area, it is loaded for the call, and flushed. See `sign_digest` for `context`.
    """
    with _key_in_tpm(tpm, key) as item, reach(tpm, item) as (handle, _):
        return _is_valid(tpm, VerifyDigestSignature(handle, context, digest, signature))


def sign_sequence(
    tpm: Tpm, key: Item, message: bytes, *, context: bytes = b"", by: Password | Use = NOBODY
) -> TPMT_SIGNATURE:
    """Signs a message of any length with a key's scheme (Part 3, §17.6.3 and §20.6), such as ML-DSA.

    `context` is the context string of ML-DSA and HashML-DSA (FIPS 204, §5.2), at most 255 bytes.
    """
    with reach(tpm, key, by) as (handle, authorization):
        sequence = tpm.execute(SignSequenceStart(handle, b"", context)).sequence_handle
        with _flush_after_error(tpm, sequence):
            last = _add_pieces(tpm, sequence, message)
            command = SignSequenceComplete(sequence, handle, last)
            return tpm.execute(command, NOBODY, authorization).signature


def verify_sequence(
    tpm: Tpm, key: Item | TPMT_PUBLIC, message: bytes, signature: TPMT_SIGNATURE, *, context: bytes = b""
) -> bool:
    """Returns whether a signature of a message of any length is valid for a key (Part 3, §17.6.2 and §20.3).

    If `key` is a public area, it is loaded for the call, and flushed. See `sign_sequence` for `context`.
    """
    with _key_in_tpm(tpm, key) as item, reach(tpm, item) as (handle, _):
        sequence = tpm.execute(VerifySequenceStart(handle, b"", b"", context)).sequence_handle
        valid = False
        with _flush_after_error(tpm, sequence):
            if last := _add_pieces(tpm, sequence, message):
                tpm.execute(SequenceUpdate(sequence, last))
            valid = _is_valid(tpm, VerifySequenceComplete(sequence, handle, signature))
        if not valid:
            _flush_sequence(tpm, sequence)
        return valid


@contextlib.contextmanager
def _key_in_tpm(tpm: Tpm, key: Item | TPMT_PUBLIC) -> Iterator[Item]:
    """Yields a key in the TPM. A public area is loaded, and flushed at the end."""
    if not isinstance(key, TPMT_PUBLIC):
        yield key
        return
    loaded = load_external(tpm, key)
    try:
        yield loaded
    finally:
        tpm.flush(loaded.handle)


@contextlib.contextmanager
def _flush_after_error(tpm: Tpm, sequence: int) -> Iterator[None]:
    """Flushes a sequence if the context raises."""
    tpm.trust_name(sequence, b"")  # a sequence has no public area, and an empty Name (Part 1, §16)
    try:
        yield
    except BaseException:
        _flush_sequence(tpm, sequence)
        raise


def _flush_sequence(tpm: Tpm, sequence: int) -> None:
    # Some TPMs have already flushed the sequence of a failed command.
    with contextlib.suppress(TpmError):
        tpm.flush(sequence)


def _add_pieces(tpm: Tpm, sequence: int, message: bytes) -> bytes:
    """Adds a message to a sequence, except for the last part of the message, which is returned.

    A short message has only a last part, because some TPMs sign only messages of one part.
    """
    last = max(len(message) - 1, 0) // PIECE * PIECE
    for start in range(0, last, PIECE):
        tpm.execute(SequenceUpdate(sequence, message[start : start + PIECE]))
    return message[last:]


def _is_valid(tpm: Tpm, command: VerifyDigestSignature | VerifySequenceComplete) -> bool:
    """Executes a command that verifies a signature, and returns whether the signature is valid."""
    try:
        tpm.execute(command)
    except TpmError as error:
        if error.code == TPM_RC_SIGNATURE:
            return False
        raise
    return True
