"""A signer that reuses a cached signing key while its date, region and service match."""

import hmac
from collections.abc import Callable

from sigv4.signer import Signer
from sigv4.times import timestamp

from .content import SigningKey

__all__ = ["KeptSigner"]

_GRACE = 240  # seconds after midnight UTC in which yesterday's key is used, as in `Signer.signing_time`


class KeptSigner(Signer):
    """A Signer that reuses its last signing key (`kept`) while date, region and service match."""

    def __init__(
        self, access_key_id: str, hmac_secret: Callable[[bytes], bytes], kept: SigningKey | None = None
    ) -> None:
        super().__init__(access_key_id, hmac_secret)
        self.kept = kept

    def prime(self, date: str) -> None:
        """Gets the date key (kDate) from the TPM before it is needed, unless `kept` is for this date."""
        if self.kept is None or self.kept.day != date:
            super().prime(date)

    def signing_time(self, now: float) -> float:
        """Returns the signing time for the current time `now`; both are in POSIX seconds.

        Shortly after midnight UTC, returns the last second of the previous day if the cached key is for that day.
        """
        if self.kept is not None and now >= _GRACE:
            if timestamp(now)[:8] == self.kept.day:
                return now
            if timestamp(now - _GRACE)[:8] == self.kept.day:
                return now // 86400 * 86400 - 1
        return super().signing_time(now)

    def signature(self, text: str, date: str, region: str, service: str) -> str:
        """Returns the hex signature of `text`.

        Uses the TPM only if `kept` is for another date, region or service.
        """
        if self.kept is None or self.kept[:3] != (date, region, service):
            key = self._day_key(date)
            for part in (region, service, "aws4_request"):
                key = hmac.digest(key, part.encode("utf-8"), "sha256")
            self.kept = SigningKey(date, region, service, key)
        return hmac.digest(self.kept.key, text.encode("utf-8"), "sha256").hex()
