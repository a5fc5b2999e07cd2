"""Signature Version 4 with a key that somebody else holds: one HMAC per UTC day is asked for, no more."""

import hmac
import re
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
from .errors import RequestError
from .request import Request, split_url
from .times import http_date, timestamp

__all__ = ["PRESIGN_MAX", "Signer", "hmac_from_secret"]

PRESIGN_MAX = 604800  # seconds: seven days
# AWS takes a signature for five minutes (STS); one minute is left to the network.
_DAY_GRACE = 240
_FORM = "application/x-www-form-urlencoded; charset=utf-8"


class _Secret:
    """Octets that no repr, log or traceback shows."""

    __slots__ = ("value",)

    def __init__(self, value: bytes) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


class _PlainHmac:
    """HMAC-SHA256 under "AWS4" + secret, where the secret is in our memory anyway."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = _Secret(key)

    def __call__(self, message: bytes) -> bytes:
        return hmac.digest(self._key.value, message, "sha256")

    def __repr__(self) -> str:
        return "<HMAC under a secret>"


def hmac_from_secret(secret: str | bytes) -> Callable[[bytes], bytes]:
    """The HMAC that a Signer needs, from an AWS secret access key as plain text, without "AWS4" before it."""
    return _PlainHmac(b"AWS4" + (secret.encode("utf-8") if isinstance(secret, str) else secret))


class Signer:
    """Signs requests for one access key.

    `hmac_secret(message)` gives the 32 octets of HMAC-SHA256(key="AWS4" + secret access key, message). It
    is called once per UTC day with the day as ASCII (20150830) and gives kDate; all further keys are derived
    here. What it raises passes through. Raises RequestError for an unfit access key id or session token.
    """

    algorithm = ALGORITHM
    session_field = "X-Amz-Security-Token"

    def __init__(
        self, access_key_id: str, hmac_secret: Callable[[bytes], bytes], session_token: str | None = None
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_]{1,128}", access_key_id):
            raise RequestError("the access key id must be 1 to 128 letters and digits, such as AKIA...")
        if session_token is not None and not re.fullmatch(r"[!-~]+", session_token):
            raise RequestError("the session token must be printable ASCII without blanks")
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
        """Asks for the key of `date` (UTC, YYYYMMDD) now, so that its holder can be closed before signing."""
        self._day_key(date)

    def signing_time(self, now: float) -> float:
        """The time to sign with at `now` (POSIX seconds): `now`, or the last second of the day before.

        Just after midnight UTC a signer primed before it would need a key that nobody has asked for; a
        signature a few minutes old is as good.
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
        """A new request with the signature in its Authorization header, valid about `time` (POSIX seconds).

        `unsigned_payload` leaves the body out of it; `sign_token=False` adds the session token after signing
        (None: as the service has it); `rules` are the service's own unless given. Raises RequestError for unfit
        values.
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
        """First step of `sign`: the request with every header that goes under the signature, not yet signed.

        A Date header already there is kept as the time, renewed; else X-Amz-Date is added.
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
            # In place of any given one: a hash left from an earlier signature must not vouch for this body.
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
        """The URL of `request` with the signature in its query, valid for `expires` seconds from `time` on.

        All headers of the request are under the signature: who uses the URL must send them too. Raises
        RequestError for unfit values, `expires` outside 1 to 604800 included.
        """
        if not 1 <= expires <= PRESIGN_MAX:
            raise RequestError(f"a presigned URL holds for 1 to {PRESIGN_MAX} seconds, not {expires}")
        rules = rules or rules_for(service)
        sign_token = rules.sign_token if sign_token is None else sign_token
        stamp = timestamp(time)
        if not request.body and request.header("content-type") == _FORM:
            # A form without fields: the header is only a client's default, which nobody who follows a link sends.
            request = request.replace_headers(drop=("content-type",))
        own = [
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
            + own
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
        """Where a signature of this signer holds; see canonical.credential_scope."""
        return credential_scope(stamp, region, service)

    def string_to_sign(self, canonical: str, stamp: str, region: str, service: str) -> str:
        """What is signed of a canonical request; see canonical.string_to_sign."""
        return string_to_sign(canonical, stamp, region, service)

    def region_fields(self, _region: str) -> list[tuple[str, str]]:
        """Headers, or query fields, by which a signature says its regions: none, the scope does."""
        return []

    def signature(self, text: str, date: str, region: str, service: str) -> str:
        """The signature, in hex, of a string to sign for that day (YYYYMMDD), region and service."""
        key = self._day_key(date)
        for part in (region, service, "aws4_request"):
            key = hmac.digest(key, part.encode("utf-8"), "sha256")
        return hmac.digest(key, text.encode("utf-8"), "sha256").hex()

    def _day_key(self, date: str) -> bytes:
        held = self._day_keys.get(date)
        if held is None:
            if not re.fullmatch(r"[0-9]{8}", date):
                raise RequestError(f"{date!r} is no date; use YYYYMMDD in UTC")
            held = _Secret(self._hmac_secret(date.encode("ascii")))
            if len(held.value) != 32:
                raise RequestError(f"the HMAC has {len(held.value)} octets; HMAC-SHA256 has 32")
            self._day_keys[date] = held
        return held.value


def _encode(query: list[tuple[str, str]]) -> str:
    def encoded(text: str) -> str:
        return quote(text, safe="-._~", errors="surrogateescape")  # octets of no text stay what they are

    return "&".join(f"{encoded(key)}={encoded(value)}" for key, value in query)
