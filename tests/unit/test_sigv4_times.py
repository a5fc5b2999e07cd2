"""Times as AWS writes them, beside the standard library's reading of them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigv4.errors import RequestError
from sigv4.times import parse_rfc3339

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
