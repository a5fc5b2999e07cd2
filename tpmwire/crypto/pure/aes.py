"""AES and its modes of operation in Python (FIPS 197; SP 800-38A).

The soft TPM uses it, and `tpmwire.crypto.aes` if the package `cryptography` is not installed.

The code is not constant-time: anyone who can measure its timing may recover the key.
"""

from collections.abc import Callable

from ...spec.constants import TPM_ALG

__all__ = ["cfb", "crypt"]

BLOCK = 16


def _multiply(a: int, b: int) -> int:
    """Returns the product of two bytes in GF(2^8), reduced by the AES polynomial."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def _make_boxes() -> tuple[bytes, bytes]:
    """Returns (S-box, inverse S-box), each with 256 bytes (FIPS 197, §5.1.1 and §5.3.2)."""
    powers = [1]
    while len(powers) < 255:
        powers.append(_multiply(powers[-1], 3))
    logs = {value: index for index, value in enumerate(powers)}
    box = bytearray(256)
    for value in range(256):
        inverse = powers[-logs[value] % 255] if value else 0
        box[value] = 0x63
        for shift in range(5):
            box[value] ^= (inverse << shift | inverse >> 8 - shift) & 0xFF
    inverted = bytearray(256)
    for value, mapped in enumerate(box):
        inverted[mapped] = value
    return bytes(box), bytes(inverted)


SBOX, INVERSE_SBOX = _make_boxes()
DOUBLED = bytes(_multiply(value, 2) for value in range(256))
TRIPLED = bytes(_multiply(value, 3) for value in range(256))
BY_9, BY_11, BY_13, BY_14 = (bytes(_multiply(value, by) for value in range(256)) for by in (9, 11, 13, 14))
SHIFTED = tuple((index + 4 * (index % 4)) % BLOCK for index in range(BLOCK))
UNSHIFTED = tuple((index - 4 * (index % 4)) % BLOCK for index in range(BLOCK))


class Aes:
    """AES (FIPS 197) with a fixed key of 16, 24 or 32 bytes."""

    def __init__(self, key: bytes) -> None:
        words = [key[index : index + 4] for index in range(0, len(key), 4)]
        size, constant = len(words), 1
        while len(words) < 4 * (size + 7):
            word = words[-1]
            if len(words) % size == 0:
                word = bytes(SBOX[byte] for byte in word[1:] + word[:1])
                word = bytes([word[0] ^ constant]) + word[1:]
                constant = _multiply(constant, 2)
            elif size > 6 and len(words) % size == 4:
                word = bytes(SBOX[byte] for byte in word)
            words.append(_xor(words[-size], word))
        self._keys = [b"".join(words[index : index + 4]) for index in range(0, len(words), 4)]

    def encrypt(self, block: bytes) -> bytes:
        """Encrypts one block of 16 bytes."""
        state = _xor(block, self._keys[0])
        for key in self._keys[1:-1]:
            state = bytes(SBOX[state[index]] for index in SHIFTED)
            mixed = bytearray()
            for c in range(0, BLOCK, 4):
                p, q, r, s = state[c : c + 4]
                mixed += bytes(
                    (
                        DOUBLED[p] ^ TRIPLED[q] ^ r ^ s,
                        p ^ DOUBLED[q] ^ TRIPLED[r] ^ s,
                        p ^ q ^ DOUBLED[r] ^ TRIPLED[s],
                        TRIPLED[p] ^ q ^ r ^ DOUBLED[s],
                    )
                )
            state = _xor(mixed, key)
        return _xor(bytes(SBOX[state[index]] for index in SHIFTED), self._keys[-1])

    def decrypt(self, block: bytes) -> bytes:
        """Decrypts one block of 16 bytes."""
        state = _xor(block, self._keys[-1])
        for key in self._keys[-2:0:-1]:
            state = _xor(bytes(INVERSE_SBOX[state[index]] for index in UNSHIFTED), key)
            mixed = bytearray()
            for c in range(0, BLOCK, 4):
                p, q, r, s = state[c : c + 4]
                mixed += bytes(
                    (
                        BY_14[p] ^ BY_11[q] ^ BY_13[r] ^ BY_9[s],
                        BY_9[p] ^ BY_14[q] ^ BY_11[r] ^ BY_13[s],
                        BY_13[p] ^ BY_9[q] ^ BY_14[r] ^ BY_11[s],
                        BY_11[p] ^ BY_13[q] ^ BY_9[r] ^ BY_14[s],
                    )
                )
            state = bytes(mixed)
        return _xor(bytes(INVERSE_SBOX[state[index]] for index in UNSHIFTED), self._keys[0])


def _xor(a: "bytes | bytearray", b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=False))


def cfb(key: bytes, iv: bytes, data: bytes, encrypting: bool) -> bytes:
    """Returns the data encrypted or decrypted with AES-CFB128."""
    return crypt(TPM_ALG.CFB, key, iv, data, encrypting)[0]


def crypt(mode: int, key: bytes, iv: bytes, data: bytes, encrypting: bool) -> tuple[bytes, bytes]:
    """Returns (output data, IV for the next call), encrypted or decrypted in a TPM cipher mode (Part 3, §15.2)."""
    return _MODES[mode](Aes(key), iv, data, encrypting)


def _blocks(data: bytes) -> list[bytes]:
    return [data[index : index + BLOCK] for index in range(0, len(data), BLOCK)]


def _ecb(aes: Aes, iv: bytes, data: bytes, encrypting: bool) -> tuple[bytes, bytes]:
    one = aes.encrypt if encrypting else aes.decrypt
    return b"".join(one(block) for block in _blocks(data)), iv


def _cbc(aes: Aes, iv: bytes, data: bytes, encrypting: bool) -> tuple[bytes, bytes]:
    out = b""
    for block in _blocks(data):
        if encrypting:
            iv = aes.encrypt(_xor(block, iv))
            out += iv
        else:
            out += _xor(aes.decrypt(block), iv)
            iv = block
    return out, iv


def _cfb(aes: Aes, iv: bytes, data: bytes, encrypting: bool) -> tuple[bytes, bytes]:
    out = b""
    for block in _blocks(data):
        piece = _xor(block, aes.encrypt(iv))
        out += piece
        # Part 3 does not define the IV after a partial block; it is padded, and nobody continues with it.
        iv = (piece if encrypting else block).ljust(BLOCK, b"\0")
    return out, iv


def _ofb(aes: Aes, iv: bytes, data: bytes, encrypting: bool) -> tuple[bytes, bytes]:
    out = b""
    for block in _blocks(data):
        iv = aes.encrypt(iv)
        out += _xor(block, iv)
    return out, iv


def _ctr(aes: Aes, iv: bytes, data: bytes, encrypting: bool) -> tuple[bytes, bytes]:
    out = b""
    for block in _blocks(data):
        out += _xor(block, aes.encrypt(iv))
        iv = ((int.from_bytes(iv, "big") + 1) % (1 << 128)).to_bytes(BLOCK, "big")
    return out, iv


_MODES: dict[int, Callable[[Aes, bytes, bytes, bool], tuple[bytes, bytes]]] = {
    TPM_ALG.ECB: _ecb,
    TPM_ALG.CBC: _cbc,
    TPM_ALG.CFB: _cfb,
    TPM_ALG.OFB: _ofb,
    TPM_ALG.CTR: _ctr,
}
