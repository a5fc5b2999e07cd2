"""AES in CFB mode for parameter encryption, with the package `cryptography`, which is slow to import."""


def cfb(key: bytes, iv: bytes, data: bytes, encrypting: bool) -> bytes:
    """Encrypts or decrypts `data` with AES-CFB128. Raises ImportError if `cryptography` is not installed."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    try:
        from cryptography.hazmat.decrepit.ciphers.modes import CFB
    except ImportError:
        from cryptography.hazmat.primitives.ciphers.modes import CFB
    cipher = Cipher(algorithms.AES(key), CFB(iv))
    context = cipher.encryptor() if encrypting else cipher.decryptor()
    return bytes(context.update(data) + context.finalize())
