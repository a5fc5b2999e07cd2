"""Signature Version 4 signer whose key is outside this process, for example in a TPM.

The key computes one HMAC per UTC day.
"""

import hmac
from collections.abc import Callable
from urllib.parse import parse_qsl, quote

from .canonical import (
    ALGORITHM,
    UNSIGNED_PAYLOAD,
    Rules,
    canonical_request,
    credential_scope,
    payload_hash,
    rules_for,
    signed_headers,
    string_to_sign,
)
from .characters import DIGITS, GRAPHIC, LETTERS, has_only, read_numbers
from .errors import RequestError
from .request import Request, split_url
from .times import http_date, timestamp

__all__ = ["PRESIGN_MAX", "Signer", "hmac_from_secret"]

PRESIGN_MAX = 604800  # seconds (seven days)
# STS accepts a signature for five minutes, one of which is reserved for the network.
_DAY_GRACE = 240
_FORM = "application/x-www-form-urlencoded; charset=utf-8"


class _Secret:
    """Secret bytes that no repr, log or traceback shows."""

    __slots__ = ("value",)

    def __init__(self, value: bytes) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> str:
        raise TypeError("secrets cannot be pickled")


class _PlainHmac:
    """HMAC-SHA256 with the key "AWS4" + secret, for a secret that the process already has in memory."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = _Secret(key)

    def __call__(self, message: bytes) -> bytes:
        return hmac.digest(self._key.value, message, "sha256")

    def __repr__(self) -> str:
        return "<HMAC with a secret key>"


def hmac_from_secret(secret: str | bytes) -> Callable[[bytes], bytes]:
    """Returns the HMAC function for a Signer from a plaintext AWS secret access key (without "AWS4")."""
    return _PlainHmac(b"AWS4" + (secret.encode("utf-8") if isinstance(secret, str) else secret))


class Signer:
    """Signs requests for one access key.

    `hmac_secret(message)` returns HMAC-SHA256(key="AWS4" + secret access key, message), 32 bytes. It is called
    once per UTC day, with the day as ASCII (20150830). The result is kDate, from which the signer derives all
    other keys. Errors of `hmac_secret` pass through. Raises RequestError for an invalid access key id or session
    token.
    """

    algorithm = ALGORITHM
    session_field = "X-Amz-Security-Token"

    def __init__(
        self, access_key_id: str, hmac_secret: Callable[[bytes], bytes], session_token: str | None = None
    ) -> None:
        if not (has_only(access_key_id, LETTERS + DIGITS + "_") and len(access_key_id) <= 128):
            raise RequestError("invalid access key id: expected 1 to 128 letters, digits or _, such as AKIA...")
        if session_token is not None and not has_only(session_token, GRAPHIC):
            raise RequestError("invalid session token: expected printable ASCII without spaces")
        self.access_key_id = access_key_id
        self._hmac_secret = hmac_secret
        self._session_token = None if session_token is None else _Secret(session_token.encode("ascii"))
        self._day_keys: dict[str, _Secret] = {}

    def __repr__(self) -> str:
        return f"<Signer {self.access_key_id}>"

    @property
    def session_token(self) -> str | None:
        """The session token of temporary credentials; None for a long-term key."""
        return None if self._session_token is None else self._session_token.value.decode("ascii")

    def prime(self, date: str) -> None:
        """Computes the key of `date` (UTC, YYYYMMDD) now, so that the TPM can be closed before signing."""
        self._day_key(date)

    def signing_time(self, now: float) -> float:
        """Returns the signing time of a request that is sent at `now` (POSIX seconds); usually `now`.

        Just after midnight UTC, a signer may have only the key of the previous day. The result is then the last
        second of that day, since AWS accepts signatures that are a few minutes old.
        """
        if timestamp(now)[:8] in self._day_keys or now < _DAY_GRACE:
            return now
        if timestamp(now - _DAY_GRACE)[:8] not in self._day_keys:
            return now
        return now // 86400 * 86400 - 1

    def sign(
        self,
        request: Request,
        region: str,
        service: str,
        time: float,
        *,
        unsigned_payload: bool = False,
        sign_token: bool | None = None,
        rules: Rules | None = None,
    ) -> Request:
        """Returns a copy of `request`, signed at `time` (POSIX seconds), with an Authorization header.

        With `unsigned_payload`, the signature does not cover the body. With `sign_token=False`, the signature does
        not cover the session token; None means that the service's rules decide. `rules` replaces the service's
        rules. Raises RequestError for invalid values.
        """
        rules = rules or rules_for(service)
        sign_token = rules.sign_token if sign_token is None else sign_token
        stamp = timestamp(time)
        ready = request.replace_headers(*self.region_fields(region))
        ready = self.prepare(ready, time, rules, unsigned_payload=unsigned_payload, sign_token=sign_token)
        canonical = canonical_request(ready, rules)
        text = self.string_to_sign(canonical, stamp, region, service)
        signature = self.signature(text, stamp[:8], region, service)
        credential = f"{self.access_key_id}/{self.scope(stamp, region, service)}"
        names = signed_headers(ready)
        value = f"{self.algorithm} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        pairs = [("Authorization", value)]
        if not sign_token and (token := self.session_token) is not None:
            pairs.append((self.session_field, token))
        return ready.replace_headers(*pairs)

    def prepare(
        self,
        request: Request,
        time: float,
        rules: Rules,
        *,
        unsigned_payload: bool = False,
        sign_token: bool = True,
    ) -> Request:
        """Returns the request with all headers that the signature covers, as the first step of `sign`.

        An existing Date header is set to `time` (POSIX seconds); otherwise, X-Amz-Date is added.
        """
        pairs: list[tuple[str, str]] = []
        drop = ["Authorization", "X-Amz-Date"]
        if request.header("Date") is None:
            pairs.append(("X-Amz-Date", timestamp(time)))
        else:
            pairs.append(("Date", http_date(time)))
        if (token := self.session_token) is not None:
            drop += ["X-Amz-Security-Token", self.session_field]
            if sign_token:
                pairs.append((self.session_field, token))
        if rules.headers is not None:
            pairs += rules.headers(request)
        if unsigned_payload or rules.never_signed:
            pairs.append(("X-Amz-Content-SHA256", UNSIGNED_PAYLOAD))
        elif rules.hash_header:
            # An existing hash may belong to the body of an earlier signature.
            pairs.append(("X-Amz-Content-SHA256", payload_hash(request)))
        return request.replace_headers(*pairs, drop=drop)

    def presign(
        self,
        request: Request,
        region: str,
        service: str,
        time: float,
        expires: int = 3600,
        *,
        sign_token: bool | None = None,
        rules: Rules | None = None,
    ) -> str:
        """Returns the URL of `request` with the signature in its query, valid for `expires` seconds from `time`.

        The signature covers all headers of the request, so each use of the URL must send these headers. Raises
        RequestError for invalid values, such as `expires` outside 1 to 604800.
        """
        if not 1 <= expires <= PRESIGN_MAX:
            raise RequestError(f"a presigned URL is valid for 1 to {PRESIGN_MAX} seconds, not {expires}")
        rules = rules or rules_for(service)
        sign_token = rules.sign_token if sign_token is None else sign_token
        stamp = timestamp(time)
        if not request.body and request.header("content-type") == _FORM:
            # For a request without form fields, Content-Type is only a client's default, which a browser does not
            # send.
            request = request.replace_headers(drop=("content-type",))
        fields = [
            ("X-Amz-Algorithm", self.algorithm),
            ("X-Amz-Credential", f"{self.access_key_id}/{self.scope(stamp, region, service)}"),
            ("X-Amz-Date", stamp),
            ("X-Amz-Expires", str(expires)),
            *self.region_fields(region),
            ("X-Amz-SignedHeaders", signed_headers(request)),
        ]
        token = [] if (value := self.session_token) is None else [(self.session_field, value)]
        parts = split_url(request.url)
        query = (
            parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape")
            + fields
            + (token if sign_token else [])
        )
        unsigned = Request(
            request.method, parts._replace(query=_encode(query)).geturl(), request.headers, request.body
        )
        canonical = canonical_request(unsigned, rules, unsigned_payload=rules.presign_unsigned)
        text = self.string_to_sign(canonical, stamp, region, service)
        signature = self.signature(text, stamp[:8], region, service)
        after = [] if sign_token else token
        query += [*after, ("X-Amz-Signature", signature)]
        return parts._replace(query=_encode(query)).geturl()

    def scope(self, stamp: str, region: str, service: str) -> str:
        """Returns the credential scope of a signature for the day of the time stamp `stamp`.

        See canonical.credential_scope.
        """
        return credential_scope(stamp, region, service)

    def string_to_sign(self, canonical: str, stamp: str, region: str, service: str) -> str:
        """Returns the string to sign for a canonical request, as canonical.string_to_sign does."""
        return string_to_sign(canonical, stamp, region, service)

    def region_fields(self, _region: str) -> list[tuple[str, str]]:
        """Returns an empty list, because SigV4 states the region in the credential scope.

        SigV4A overrides this method.
        """
        return []

    def signature(self, text: str, date: str, region: str, service: str) -> str:
        """Returns the signature, in hex, of a string to sign for a day (YYYYMMDD), region and service."""
        key = self._day_key(date)
        for part in (region, service, "aws4_request"):
            key = hmac.digest(key, part.encode("utf-8"), "sha256")
        return hmac.digest(key, text.encode("utf-8"), "sha256").hex()

    def _day_key(self, date: str) -> bytes:
        key = self._day_keys.get(date)
        if key is None:
            if read_numbers(date, "00000000") is None:
                raise RequestError(f"{date!r} is not a valid date; use YYYYMMDD in UTC")
            key = _Secret(self._hmac_secret(date.encode("ascii")))
            if len(key.value) != 32:
                raise RequestError(f"invalid HMAC-SHA256: expected 32 bytes, got {len(key.value)}")
            self._day_keys[date] = key
        return key.value


def _encode(query: list[tuple[str, str]]) -> str:
    def encode(text: str) -> str:
        return quote(text, safe="-._~", errors="surrogateescape")  # bytes that are not valid UTF-8 stay unchanged

    return "&".join(f"{encode(key)}={encode(value)}" for key, value in query)
