"""Certificates that do not hold, CA files that are none, and clocks that make a certificate seem out of date."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.faults import Bench, Fault
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say
from tests.support.sts import VerifyingSts

OK = say(http("200 OK", STS_ANSWER))
HERE = ("127.0.0.1",)
NOW, YEARS = timedelta(), timedelta(days=3000)


NO_PEM = "has no CA certificates that can be read (not PEM); give a PEM file"
CLOCK = "if this machine's clock ("

CERTIFICATES = {
    "another CA": (
        HERE, NOW, "wrong",
        Fault(7, "; if a proxy inspects TLS, add the proxy's CA certificate", 0),
    ),
    "a private CA that is not given": (
        HERE, NOW, "", Fault(7, "if the CA is private, set AWS_CA_BUNDLE to its PEM file", 0)
    ),
    "another host's certificate": (
        ("sts.example",), NOW, "right", Fault(7, "check the endpoint's host name", 0)
    ),
    "another address's certificate": (("127.0.0.2",), NOW, "right", Fault(7, "check the endpoint's host name", 0)),
    "an expired certificate, or a clock years ahead": (
        HERE, -YEARS, "right", Fault(7, f"(certificate has expired); {CLOCK}", 0)
    ),
    "a certificate that is not yet valid, or a clock years behind": (
        HERE, YEARS, "right", Fault(7, f"(certificate is not yet valid); {CLOCK}", 0)
    ),
}  # fmt: skip


BUNDLES = {
    "a CA file that is missing": (None, Fault(2, "has no CA certificates that can be read (No such file", 0, 0)),
    "a CA file that is empty": (b"", Fault(2, NO_PEM, 0, 0)),
    "a CA file that is not PEM": (b"\x30\x82\x01", Fault(2, NO_PEM, 0, 0)),
    "a CA file that is truncated": (
        b"-----BEGIN CERTIFICATE-----\nMIIB", Fault(2, NO_PEM, 0, 0)
    ),
}  # fmt: skip

FAULTS = {name: case[-1] for name, case in (*CERTIFICATES.items(), *BUNDLES.items())}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificate(runs: Bench, tmp_path: Path, name: str) -> None:
    hosts, shifted, named, fault = CERTIFICATES[name]
    certificate = Authority(tmp_path, "right").server_certificate(*hosts, shifted=shifted)
    environ = {"AWS_CA_BUNDLE": str(tmp_path / f"{named}-ca.pem")} if named else {}
    if named == "wrong":
        Authority(tmp_path, "wrong")
    with ScriptedServer(OK, certificate=certificate) as sts:
        runs.holds(fault, runs.run(sts.endpoint, "--timeout=5s", **environ), len(sts.requests))


@pytest.mark.parametrize("name", BUNDLES)
def test_bundle(runs: Bench, tmp_path: Path, name: str) -> None:
    content, fault = BUNDLES[name]
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    certificate = Authority(tmp_path, "right").server_certificate(*HERE)
    with ScriptedServer(OK, certificate=certificate) as sts:
        seen = runs.run(sts.endpoint, "--timeout=5s", AWS_CA_BUNDLE=str(bundle))
        runs.holds(fault, seen, len(sts.requests))
    assert f"AWS_CA_BUNDLE: {bundle} has" in seen.err


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_a_private_ca(runs: Bench, tmp_path: Path, name: str) -> None:
    authority = Authority(tmp_path, "right")
    with ScriptedServer(OK, certificate=authority.server_certificate(*HERE)) as sts:
        seen = runs.run(sts.endpoint, "--timeout=5s", **{name: str(authority.bundle)})
    assert (seen.code, seen.err, len(sts.requests)) == (0, "", 1)
    assert json.loads(seen.out)["AccessKeyId"] == "ASIAMADEUPMADEUP0000"


@pytest.mark.parametrize(
    ("years", "reason"), [("-9y", "certificate is not yet valid"), ("+9y", "certificate has expired")]
)
def test_a_clock_that_is_years_wrong(runs: Bench, tmp_path: Path, years: str, reason: str) -> None:
    """For Python and OpenSSL alike: the certificate is right, and the clock that is named is the wrong one."""
    authority = Authority(tmp_path, "right")
    program = runs.by_shell(f'exec faketime --exclude-monotonic -f {years} "$PROGRAM" "$@"')
    with ScriptedServer(OK, certificate=authority.server_certificate(*HERE)) as sts:
        seen = runs.run(sts.endpoint, "--timeout=5s", program=program, AWS_CA_BUNDLE=str(authority.bundle))
        year = datetime.now(UTC).year + int(years[:2])
        runs.holds(Fault(7, f"({reason}); {CLOCK}{year}-", 0), seen, len(sts.requests))


def test_the_verifying_sts_under_a_private_ca(runs: Bench) -> None:
    """Its own word on the signature: this machine's key is none that it knows."""
    with VerifyingSts() as sts:
        url = sts.tls_endpoint()
        asked = sts.log.count('"POST / HTTP')
        seen = runs.run(url, "--timeout=20s", AWS_CA_BUNDLE=str(sts.authority().bundle))
        runs.holds(Fault(6, "InvalidClientTokenId: ", 1), seen, sts.log.count('"POST / HTTP') - asked)
