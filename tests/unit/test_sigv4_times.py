"""Times as AWS writes them, beside the standard library's reading of them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigv4.errors import RequestError
from sigv4.times import http_date, is_rfc3339, parse_http_date, parse_rfc3339

ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=ZONES))
def test_a_time_in_any_zone_is_that_moment(moment: datetime) -> None:
    seconds = (moment.replace(microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    assert parse_rfc3339(moment.isoformat()) == seconds


def test_as_sts_writes_it() -> None:
    assert parse_rfc3339("2026-11-24T12:00:00Z") == 1795521600


@pytest.mark.parametrize("text", ["", "2026-11-24", "2026-11-24T12:00:00", "2026-13-24T12:00:00Z"])
def test_no_time(text: str) -> None:
    with pytest.raises(RequestError, match="is not a valid RFC 3339 time"):
        parse_rfc3339(text)


def test_http_dates() -> None:
    assert parse_http_date("Tue, 24 Nov 2026 12:00:00 GMT") == 1795521600
    assert parse_http_date(http_date(951782400)) == 951782400  # 29 February 2000
    for text in (
        "",
        "Tue, 24 Nov 2026 12:00:00",
        "Tue, 31 Feb 2026 12:00:00 GMT",
        "Tue, 24 Foo 2026 12:00:00 GMT",
    ):
        assert parse_http_date(text) is None
    for text in (
        "Tue, 24 Nov 2026 24:00:00 GMT",
        "Tue, 24 Nov 1969 12:00:00 GMT",
        "Tuesday, 24-Nov-26 12:00:00 GMT",
    ):
        assert parse_http_date(text) is None


@pytest.mark.parametrize(
    "text",
    ["2026-11-24T12:00:00Z", "2026-11-24t12:00:00z", "2026-11-24T12:00:00.036479Z", "2024-02-29T23:59:60+05:30"],
)
def test_rfc3339(text: str) -> None:
    assert is_rfc3339(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0000-01-01T00:00:00Z",
        "2026-11-24",
        "2026-11-24 12:00:00Z",
        "2026-11-24T12:00:00",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T12:60:00Z",
        "2026-11-24T12:00:00.Z",
        "2026-11-24T12:00:00+24:00",
        "2026-11-24T12:00:00Z\n",
        "٢٠٢٦-11-24T12:00:00Z",
    ],
)
def test_not_rfc3339(text: str) -> None:
    assert not is_rfc3339(text)
