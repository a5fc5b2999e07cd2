"""Time-based one-time passwords (RFC 6238): parses a token's secret, and computes a code from the TPM's HMAC."""

import hashlib
from typing import NamedTuple

from tpmwire.secret import Secret

from ..terminal.messages import UsageError

__all__ = ["AWS_DIGITS", "AWS_PERIOD", "Token", "code_of", "parse_token", "step_at"]

AWS_DIGITS, AWS_PERIOD = 6, 30
"""The settings of AWS's virtual MFA devices, with SHA-1 (IAM User Guide, "virtual MFA device"); the defaults."""

PERIODS = range(1, 3601)  # seconds

_HASHES = {"SHA1": 20, "SHA256": 32, "SHA512": 64}
_BLOCKS = {"SHA1": 64, "SHA256": 64, "SHA512": 128}
_SHORTEST = 10  # bytes; RFC 4226 requires 16, AWS issues 40, and some old services only 10


class Token(NamedTuple):
    """A one-time password token.

    `secret` is the HMAC key, and `hash_name` the HMAC's hash, a name of TPM_ALG. `digits` is the length of a code;
    `period` is in seconds.
    """

    secret: Secret
    hash_name: str = "SHA1"
    digits: int = AWS_DIGITS
    period: int = AWS_PERIOD

    @property
    def is_of_aws(self) -> bool:
        """Returns whether AWS accepts the codes of this token."""
        return self[1:] == ("SHA1", AWS_DIGITS, AWS_PERIOD)


def step_at(when: float, period: int = AWS_PERIOD) -> bytes:
    """Returns the TOTP time step at the time `when` (POSIX seconds), as 8 bytes (RFC 6238, §4.2).

    The time step is the number of periods since 1970.
    """
    return (int(when) // period).to_bytes(8, "big")


def code_of(mac: bytes, digits: int = AWS_DIGITS) -> str:
    """Returns the decimal code of an HMAC (RFC 4226, §5.3). Raises UsageError if the HMAC's length is invalid."""
    if len(mac) not in _HASHES.values():
        raise UsageError(
            "the key's hash is not valid for one-time passwords (SHA-1, SHA-256 or SHA-512); choose an MFA key"
        )
    start = mac[-1] & 0x0F
    number = int.from_bytes(mac[start : start + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def parse_token(given: bytes) -> Token:
    """Parses a base32 secret, or an otpauth:// URI as in QR codes. Raises UsageError for any other text.

    The URI has Google Authenticator's "Key Uri Format". Messages do not quote the input.
    """
    try:
        # A URI's label may contain any character, and editors may write a byte order mark before the first one.
        text = given.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UsageError("the secret is not valid; expected base32 or an otpauth:// URI") from None
    if len(text.splitlines()) > 1:
        # Two secrets would be joined into one wrong secret, and only AWS would notice.
        raise UsageError("the secret has more than one line; give only the secret, or its otpauth:// URI")
    if text.lower().startswith("otpauth:"):
        return _parse_uri(text)
    return _build_token(text, "SHA1", str(AWS_DIGITS), str(AWS_PERIOD))


def _parse_uri(text: str) -> Token:
    from urllib.parse import parse_qs, urlsplit  # noqa: PLC0415 - a code needs no URI

    try:
        parts = urlsplit(text)
        fields = parse_qs(parts.query.strip("&"), keep_blank_values=True, strict_parsing=True, max_num_fields=20)
    except ValueError:
        raise UsageError("the otpauth URI is not valid; copy all of it from the QR code") from None
    if parts.netloc.lower() != "totp":
        raise UsageError("the otpauth URI is not for time-based codes; only otpauth://totp/ is supported")
    if any(len(values) > 1 for values in fields.values()) or "secret" not in fields:
        raise UsageError("the otpauth URI has no secret, or repeats a parameter; copy all of it from the QR code")
    given = {name: values[0] for name, values in fields.items()}
    return _build_token(
        given["secret"],
        given.get("algorithm", "SHA1").upper(),
        given.get("digits", str(AWS_DIGITS)),
        given.get("period", str(AWS_PERIOD)),
    )


def _build_token(secret: str, hash_name: str, digits: str, period: str) -> Token:
    if hash_name not in _HASHES:
        raise UsageError("the otpauth URI's algorithm is not supported; expected SHA1, SHA256 or SHA512")
    if digits not in ("6", "7", "8"):
        raise UsageError("the otpauth URI's number of digits is not supported; expected 6, 7 or 8")
    if not (period.isascii() and period.isdecimal() and len(period) <= 4 and int(period) in PERIODS):
        raise UsageError(
            f"the otpauth URI's period is not a number of seconds from 1 to {PERIODS[-1]}; copy the URI again"
        )
    key = _base32(secret)
    if len(key) > _BLOCKS[hash_name]:
        # HMAC hashes a key that is longer than a block (RFC 2104, §2). It is done here, since a TPM refuses such a
        # key.
        key = hashlib.new(hash_name, key).digest()
    return Token(Secret(key), hash_name, int(digits), int(period))


def _base32(text: str) -> bytes:
    """Decodes base32 as users type it: in either case, in groups, with or without padding."""
    import base64  # noqa: PLC0415 - a code needs no base32
    import binascii  # noqa: PLC0415 - likewise

    letters = "".join(text.split()).replace("-", "").rstrip("=").upper()
    if not letters:
        raise UsageError("the secret is empty; give the token's base32 secret, or its otpauth:// URI")
    if not text.isascii():
        # Some foreign letters become A to Z in upper case.
        raise UsageError(
            "the secret is not valid base32: expected letters A to Z and digits 2 to 7; copy it again"
        )
    try:
        key = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except binascii.Error:
        # The cause's traceback would contain the secret.
        raise UsageError(
            "the secret is not valid base32: expected letters A to Z and digits 2 to 7; copy all of it"
        ) from None
    if len(key) < _SHORTEST:
        raise UsageError(
            f"the secret is {len(key)} bytes long, fewer than {_SHORTEST}: part of it is missing; copy all of it"
        )
    if len(key) > 1024:
        raise UsageError(
            "the secret has more than 1024 bytes, too many for a token; give the token's base32 secret only"
        )
    return key
