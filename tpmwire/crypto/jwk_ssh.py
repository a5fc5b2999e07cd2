"""Public keys as JSON Web Keys (RFC 7517, RFC 7518 §6) and in OpenSSH's formats (RFC 4253 §6.6, RFC 5656 §3.1)."""

import binascii
import json
import re
from collections.abc import Iterator
from typing import Any

from ..errors import DecodeError, EncodeError, KeyFileError
from ..spec.constants import TPM_ECC
from ..spec.structures import TPMS_ECC_POINT
from .ml_keys import MlKey
from .spki import PublicKey, curve_size

__all__ = ["build_jwk", "build_ssh", "parse_jwk", "parse_ssh", "parse_ssh_blob"]

_JWK_CURVES = {TPM_ECC.NIST_P256: "P-256", TPM_ECC.NIST_P384: "P-384", TPM_ECC.NIST_P521: "P-521"}
_SSH_CURVES = {TPM_ECC.NIST_P256: "nistp256", TPM_ECC.NIST_P384: "nistp384", TPM_ECC.NIST_P521: "nistp521"}
_SSH_LINE = re.compile(r"(?:^|\s)(ssh-rsa|ecdsa-sha2-nistp\d{3})[ \t]+([A-Za-z0-9+/]{40,6000}={0,2})(?=\s|$)")
_SSH2_BLOCK = re.compile(
    r"---- BEGIN SSH2 PUBLIC KEY ----\s(?:[^\n:]{1,64}:[^\n]{0,1024}\n)*([A-Za-z0-9+/=\s]{40,9000})---- END SSH2"
)


def build_jwk(key: PublicKey) -> dict[str, str]:
    """Returns a public key as a JSON Web Key object. Raises EncodeError for a curve that JWK does not support."""
    if isinstance(key, MlKey):
        raise EncodeError(f"JWK does not support {key.kind.name} keys")
    kind, value = key
    if isinstance(value, TPMS_ECC_POINT):
        curve, x, y = _point(kind, value, _JWK_CURVES, "JWK")
        return {"kty": "EC", "crv": _JWK_CURVES[curve], "x": _base64url(x), "y": _base64url(y)}
    assert isinstance(kind, bytes)
    return {"kty": "RSA", "n": _base64url(kind.lstrip(b"\0")), "e": _base64url(_natural(value))}


def parse_jwk(data: bytes) -> PublicKey | None:
    """Returns the public key in a JWK, or in a JWK set with one key. Returns None for other data.

    Raises KeyFileError for a set of several keys, a private key, and a key type that TPMs do not support.
    """
    if not data.lstrip().startswith(b"{") or b'"kty"' not in data:
        return None
    try:
        jwk = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if isinstance(jwk, dict) and isinstance(jwk.get("keys"), list):
        if len(jwk["keys"]) != 1:
            raise KeyFileError(f"the JWK set contains {len(jwk['keys'])} keys; give only one")
        (jwk,) = jwk["keys"]
    if not isinstance(jwk, dict) or "kty" not in jwk:
        return None
    if {"d", "k"} & jwk.keys():
        raise KeyFileError("the JWK contains a private key, which is not needed; keep it secret")
    try:
        if jwk["kty"] == "RSA":
            return _rsa_key(_from_base64url(jwk["n"]), _from_base64url(jwk["e"]))
        curve = next(curve for curve, name in _JWK_CURVES.items() if (jwk["kty"], jwk["crv"]) == ("EC", name))
        x, y = _from_base64url(jwk["x"]), _from_base64url(jwk["y"])
    except (KeyError, StopIteration, ValueError, TypeError, AttributeError) as error:
        raise KeyFileError("unsupported JWK; expected RSA, or EC on P-256, P-384 or P-521") from error
    if len(x) != curve_size(curve) or len(y) != curve_size(curve):
        raise KeyFileError(f"invalid coordinates in the JWK; expected {curve_size(curve)} bytes each")
    return curve, TPMS_ECC_POINT(x, y)


def build_ssh(key: PublicKey, comment: str = "") -> str:
    """Returns a public key as a line of authorized_keys.

    Raises EncodeError for a curve that OpenSSH does not support.
    """
    if isinstance(key, MlKey):
        raise EncodeError(f"OpenSSH does not support {key.kind.name} keys")
    kind, value = key
    if isinstance(value, TPMS_ECC_POINT):
        curve, x, y = _point(kind, value, _SSH_CURVES, "SSH")
        name = f"ecdsa-sha2-{_SSH_CURVES[curve]}"
        parts = [name.encode(), _SSH_CURVES[curve].encode(), b"\x04" + x + y]
    else:
        assert isinstance(kind, bytes)
        name = "ssh-rsa"
        numbers = (_natural(value), kind.lstrip(b"\0"))
        parts = [name.encode(), *(b"\0" + part if part[:1] >= b"\x80" else part for part in numbers)]
    if not comment.isprintable():
        raise EncodeError("invalid comment of an SSH public key; use printable characters only")
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    body = binascii.b2a_base64(blob, newline=False).decode()
    return " ".join([name, body, *([comment] if comment else [])]) + "\n"


def parse_ssh(data: bytes) -> PublicKey | None:
    """Returns the public key in a line of authorized_keys or known_hosts, or in an SSH2 PUBLIC KEY block.

    Returns None for other data. Raises KeyFileError for several keys, and for a damaged key.
    """
    text = data.decode("latin-1")
    bodies = [body for _, body in _SSH_LINE.findall(text)] or _SSH2_BLOCK.findall(text)
    if not bodies:
        return None
    if len(set(bodies)) > 1:
        raise KeyFileError(f"the text contains {len(bodies)} SSH public keys; give only one")
    try:
        key = parse_ssh_blob(binascii.a2b_base64("".join(bodies[0].split()), strict_mode=True))
    except ValueError as error:
        raise KeyFileError("the SSH public key is damaged: invalid base64; copy the whole line again") from error
    if key is None:
        raise KeyFileError("the SSH public key is damaged; copy the whole line again")
    return key


def parse_ssh_blob(data: bytes) -> PublicKey | None:
    """Returns the public key in the binary encoding of an SSH public key, or None for other data."""
    try:
        parts = list(_strings(data))
    except DecodeError:
        return None
    if len(parts) != 3:
        return None
    if parts[0] == b"ssh-rsa":
        return _rsa_key(parts[2].lstrip(b"\0"), parts[1].lstrip(b"\0")) if len(parts[1]) <= 4 else None
    for curve, name in _SSH_CURVES.items():
        size = curve_size(curve)
        if parts[:2] == [b"ecdsa-sha2-" + name.encode(), name.encode()]:
            point = parts[2]
            valid = len(point) == 1 + 2 * size and point[0] == 4
            return (curve, TPMS_ECC_POINT(point[1 : 1 + size], point[1 + size :])) if valid else None
    return None


def _strings(data: bytes) -> Iterator[bytes]:
    """Yields the strings in SSH data (RFC 4251, §5). Raises DecodeError for bad data or more than 16 strings."""
    position = 0
    for _ in range(16):
        if position == len(data):
            return
        size = int.from_bytes(data[position : position + 4], "big")
        position += 4 + size
        if position > len(data):
            break
        yield data[position - size : position]
    raise DecodeError("not a sequence of SSH strings")


def _rsa_key(modulus: bytes, exponent: bytes) -> PublicKey:
    if not modulus or not exponent:
        raise KeyFileError(f"invalid RSA key: the {'exponent' if modulus else 'modulus'} is missing")
    if len(exponent) > 4:
        raise KeyFileError("unsupported RSA key: the exponent is longer than 32 bits")
    return modulus, int.from_bytes(exponent, "big")


def _point(
    kind: Any, point: TPMS_ECC_POINT, curves: dict[TPM_ECC, str], form: str
) -> tuple[TPM_ECC, bytes, bytes]:
    curve = TPM_ECC(int(kind))
    if curve not in curves:
        raise EncodeError(f"{form} does not support the curve {curve.name}; expected P-256, P-384 or P-521")
    size = curve_size(curve)
    return curve, point.x.rjust(size, b"\0"), point.y.rjust(size, b"\0")


def _natural(number: int) -> bytes:
    return number.to_bytes(4, "big").lstrip(b"\0")


def _base64url(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(bytes.maketrans(b"+/", b"-_")).decode()


def _from_base64url(text: str) -> bytes:
    body = text.encode().translate(bytes.maketrans(b"-_", b"+/"))
    return binascii.a2b_base64(body + b"=" * (-len(body) % 4), strict_mode=True)
