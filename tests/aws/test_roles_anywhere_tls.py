"""Roles Anywhere behind TLS: the certificate of the endpoint is always verified."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.certificates import Authority as TlsAuthority
from tests.support.relay import TlsRelay
from tests.support.roles_anywhere import ANCHOR, PROFILE, ROLE, Authority, VerifyingRolesAnywhere, pem
from tests.support.signing_keys import make_signing_key, public_key_of_file
from tests.support.swtpm import Swtpm
from tests.support.verbs import Tool
from tpmwire.tpm import Tpm

HANDLE = 0x81010050


class Site(NamedTuple):
    """The arguments of a run, the server behind TLS, and the endpoint's CA and another one."""

    words: list[str | Path]
    server: VerifyingRolesAnywhere
    right: Path
    wrong: Path


@pytest.fixture
def site(swtpm: Swtpm, tmp_path: Path) -> Iterator[Site]:
    authority, tls = Authority(), TlsAuthority(tmp_path, "right")
    with Tpm.open(swtpm.path, 30) as tpm:
        key = public_key_of_file(make_signing_key(tpm, handle=HANDLE))
    (tmp_path / "host.pem").write_bytes(pem(authority.issue(key), authority.intermediate))
    with (
        VerifyingRolesAnywhere([authority.root]) as server,
        TlsRelay(("127.0.0.1", server.port), tls.server_certificate("127.0.0.1")) as relay,
    ):
        words: list[str | Path] = [
            *("roles-anywhere", "credential-process", "--certificate", tmp_path / "host.pem"),
            *("--private-key", f"handle:{HANDLE:#x}", "--endpoint", f"https://127.0.0.1:{relay.port}"),
            *("--trust-anchor-arn", ANCHOR, "--profile-arn", PROFILE, "--role-arn", ROLE),
            *("--tpm-path", swtpm.path, "--timeout=30s"),
        ]
        yield Site(words, server, tls.bundle, TlsAuthority(tmp_path, "wrong").bundle)


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_trusted_endpoint(site: Site, tool: Tool, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    if by == "variable":
        monkeypatch.setenv("AWS_CA_BUNDLE", str(site.right))
    ran = tool(*site.words, *([f"--ca-bundle={site.right}"] if by == "option" else []))
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["AccessKeyId"].startswith("ASIA")
    assert len(site.server.seen) == 1


@pytest.mark.parametrize("trusted", ["wrong", "system"])
def test_an_untrusted_endpoint_gets_no_request(
    site: Site, tool: Tool, monkeypatch: pytest.MonkeyPatch, trusted: str
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    ran = tool(*site.words, *([f"--ca-bundle={site.wrong}"] if trusted == "wrong" else []))
    assert (ran.code, ran.out, "certificate" in ran.err) == (7, "", True)
    assert (site.server.seen, site.server.refusals) == ([], [])
