"""AES in CFB mode for parameter encryption, by `cryptography` (imported only when a session uses AES)."""

from .errors import SessionError


def cfb(key: bytes, iv: bytes, data: bytes, encrypting: bool) -> bytes:
    """AES-CFB128 of `data`. Raises SessionError where `cryptography` is not installed."""
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

        try:
            from cryptography.hazmat.decrepit.ciphers.modes import CFB
        except ImportError:
            from cryptography.hazmat.primitives.ciphers.modes import CFB
    except ImportError as error:
        raise SessionError(
            "AES parameter encryption needs the Python package `cryptography`; XOR does without"
        ) from error
    cipher = Cipher(algorithms.AES(key), CFB(iv))
    context = cipher.encryptor() if encrypting else cipher.decryptor()
    return bytes(context.update(data) + context.finalize())
