"""Checks this machine's clock; with --network, compares it with the time of AWS's servers."""

import time
from collections.abc import Iterable, Iterator, Mapping

from sigv4.endpoints import Endpoint
from sigv4.errors import NetworkError, RequestError, ResponseError
from sigv4.http import HttpClient
from sigv4.request import Request
from sigv4.sts import GetCallerIdentity
from sigv4.times import parse_http_date

from ..credentials.options import parse_run
from ..credentials.settings import aws_of
from ..credentials.sts import endpoint_for
from .finding import Finding
from .machine import Machine
from .registry import register

__all__ = ["check_clock"]

_RELEASED = 1_767_225_600
"""2026-01-01 UTC in POSIX seconds: no correct clock is earlier."""

_TOLERATED, _REFUSED = 30, 300
"""Clock differences in seconds that cause a warning, and from which AWS refuses signatures."""

_SET = "set the clock (timedatectl set-ntp true)"


@register
def check_clock(machine: Machine) -> Iterator[Finding]:
    """Checks that the clock is plausible, and with `--network`, that it agrees with each STS endpoint in use."""
    now = time.time()
    if now < _RELEASED:
        yield Finding.error(f"the clock shows {time.strftime('%Y-%m-%d', time.gmtime(now))}", _SET)
    elif not machine.network:
        yield Finding.ok(
            f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime(now))} UTC; --network compares it with AWS's"
        )
    if machine.network:
        for endpoint, environ in _endpoints(machine):
            yield _compare(endpoint.url, environ, machine.timeout)


def _endpoints(machine: Machine) -> Iterable[tuple[Endpoint, Mapping[str, str]]]:
    """Returns (STS endpoint, environment for requests) for each profile, or for the default settings."""
    runs = [each.settings for each in machine.profile_keys if each.settings is not None] or [parse_run([])]
    found = {}
    for settings in runs:
        aws = aws_of(settings)
        endpoint = endpoint_for(aws, GetCallerIdentity())
        found[endpoint.url, aws.environ.get("AWS_CA_BUNDLE")] = endpoint, aws.environ
    return found.values()


def _compare(url: str, environ: Mapping[str, str], timeout: float) -> Finding:
    try:
        # The request is not signed, because even an error response states the time.
        response = HttpClient(timeout, environ).send(Request("GET", url))
    except (NetworkError, RequestError, ResponseError) as error:
        return Finding.failure(str(error), "check the network")
    date = parse_http_date(response.header("Date") or "")
    if date is None:
        return Finding.warning(
            f"the response of {url} has no Date header", "check the endpoint and any proxy in between"
        )
    skew = round(time.time() - date)
    text = f"this clock is {abs(skew)} seconds {'ahead of' if skew > 0 else 'behind'} {url}"
    if abs(skew) > _REFUSED:
        return Finding.error(f"{text}, which refuses signatures after {_REFUSED}", _SET)
    if abs(skew) > _TOLERATED:
        return Finding.warning(text, _SET)
    return Finding.ok(f"this clock agrees with {url}")
