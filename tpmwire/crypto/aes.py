"""AES in CFB mode for parameter encryption: by `cryptography`, which is slow to import, or in Python."""


def cfb(key: bytes, iv: bytes, data: bytes, encrypting: bool) -> bytes:
    """Encrypts or decrypts `data` with AES-CFB128.

    Without the package `cryptography`, Python computes AES, which is slower and does not run in constant time.
    """
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
    except ModuleNotFoundError:
        from .pure.aes import cfb as cfb_in_python

        return cfb_in_python(key, iv, data, encrypting)
    try:
        from cryptography.hazmat.decrepit.ciphers.modes import CFB
    except ImportError:
        from cryptography.hazmat.primitives.ciphers.modes import CFB
    cipher = Cipher(algorithms.AES(key), CFB(iv))
    context = cipher.encryptor() if encrypting else cipher.decryptor()
    return bytes(context.update(data) + context.finalize())
