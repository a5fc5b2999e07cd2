"""`tpmwire roles-anywhere renew` with a key in a soft TPM and programs that sign as a CA."""

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509

from tests.support.programs import ROOT
from tests.support.roles_anywhere import Authority, pem
from tests.support.signing_keys import public_key_of_file
from tests.support.verbs import Ran, Tool
from tpmwire.keys.keyfile import parse

TOLD = "the old certificate is unchanged"


class Host(NamedTuple):
    """A host with a key in its TPM and a certificate, and a CA."""

    home: Path
    authority: Authority
    certificate: Path
    old: x509.Certificate

    def issue(self, **changes: Any) -> x509.Certificate:
        """A new certificate for the host's key."""
        return self.authority.issue(self.public_key, **changes)

    @property
    def public_key(self) -> Any:
        return public_key_of_file(parse((self.home / "host.key").read_text()))

    def ca(self, *certificates: x509.Certificate, check: str = "pass") -> str:
        """A command that prints these certificates; `check` sees the request as `text`."""
        (self.home / "issued.pem").write_bytes(pem(*certificates))
        program = self.home / "ca.py"
        program.write_text(
            "import os, pathlib, sys, time\ntext = sys.stdin.read()\n"
            f"{check}\nprint(pathlib.Path({str(self.home / 'issued.pem')!r}).read_text())\n"
        )
        return f"'{sys.executable}' '{program}'"


@pytest.fixture
def host(tool: Tool, tmp_path: Path) -> Host:
    create = ("roles-anywhere", "create-key", "--out", tmp_path / "host.key")
    assert tool(*create, "--tpm-path", f"soft:{tmp_path / 'state'}").code == 0
    authority = Authority()
    old = authority.issue(public_key_of_file(parse((tmp_path / "host.key").read_text())))
    (tmp_path / "host.pem").write_bytes(pem(old, authority.intermediate))
    (tmp_path / "host.pem").chmod(0o640)
    return Host(tmp_path, authority, tmp_path / "host.pem", old)


Renew = Callable[..., Ran]


@pytest.fixture
def renew(host: Host, tool: Tool) -> Renew:
    def run(command: str, *options: str, key: str = "host.key") -> Ran:
        return tool(
            *("roles-anywhere", "renew", "--private-key", host.home / key, "--certificate", host.certificate),
            *("--ca-command", command, "--tpm-path", f"soft:{host.home / 'state'}", *options),
        )

    return run


def found(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def test_the_certificate_is_replaced_with_its_chain(host: Host, renew: Renew) -> None:
    new = host.issue()
    save = f"pathlib.Path({str(host.home / 'csr')!r}).write_text(text)"
    ran = renew(host.ca(host.authority.root, host.authority.intermediate, new, check=save))
    assert (ran.code, ran.out) == (0, "")
    assert f"{host.certificate}: renewed, valid until" in ran.err
    assert found(host.certificate) == [new, host.authority.intermediate]
    assert stat.S_IMODE(host.certificate.stat().st_mode) == 0o640
    request = x509.load_pem_x509_csr((host.home / "csr").read_bytes())
    assert request.is_signature_valid
    assert request.subject == host.old.subject
    assert request.public_key() == host.public_key
    assert [path.name for path in host.home.glob("*.tmp")] == []


def test_the_old_chain_completes_a_single_certificate(host: Host, renew: Renew) -> None:
    new = host.issue()
    assert renew(host.ca(new)).code == 0
    assert found(host.certificate) == [new, host.authority.intermediate]


def test_the_request_has_the_old_alternative_names(host: Host, renew: Renew) -> None:
    names = x509.SubjectAlternativeName(
        [x509.DNSName("a.example"), x509.UniformResourceIdentifier("spiffe://a/b")]
    )
    host.certificate.write_bytes(pem(host.issue(names=names), host.authority.intermediate))
    save = f"pathlib.Path({str(host.home / 'csr')!r}).write_text(text)"
    assert renew(host.ca(host.issue(), check=save)).code == 0
    request = x509.load_pem_x509_csr((host.home / "csr").read_bytes())
    assert request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == names


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("false", "failed with exit code 1; " + TOLD),
        ("true", "expected BEGIN CERTIFICATE"),
        ("/nonexistent", "cannot run /nonexistent"),
        ("sleep 60", "took longer than 0.5 seconds; " + TOLD),
        ("'", "--ca-command: No closing quotation"),
        ("''", "of --ca-command"),
        (" ", "--ca-command: "),
    ],
)
def test_a_failing_program_leaves_the_certificate(host: Host, renew: Renew, command: str, message: str) -> None:
    before = host.certificate.read_bytes()
    ran = renew(command, *(["--ca-timeout=500ms"] if "sleep" in command else []))
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert host.certificate.read_bytes() == before


WRONG: dict[str, Callable[[Host], list[x509.Certificate]]] = {
    "the CA returned no certificate with the public key": lambda host: [host.authority.intermediate],
    "the CA returned the old certificate again": lambda host: [host.old],
    "expired at": lambda host: [host.issue(start=9, days=-8)],
    "not valid before": lambda host: [host.issue(start=-9)],
    "keyUsage lacks digitalSignature": lambda host: [host.issue(usage=False)],
    "no certificate of the issuer": lambda host: [host.issue(), Authority("Other").intermediate],
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_certificate_leaves_the_old_one(host: Host, renew: Renew, message: str) -> None:
    before = host.certificate.read_bytes()
    ran = renew(host.ca(*WRONG[message](host)))
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert host.certificate.read_bytes() == before


def test_another_subject_is_a_warning(host: Host, renew: Renew) -> None:
    new = host.issue(subject="other")
    ran = renew(host.ca(new))
    assert ran.code == 0
    assert "the new certificate's subject is 'CN=other', not 'CN=host-1.example.com'" in ran.err
    assert found(host.certificate)[0] == new


def test_if_due(host: Host, renew: Renew) -> None:
    early = renew("false", "--if-due")
    assert early.code == 0
    assert "not due for renewal before" in early.err
    host.certificate.write_bytes(pem(host.issue(start=21, days=11)))
    assert "not due" in renew("false", "--if-due").err
    host.certificate.write_bytes(pem(host.issue(start=21, days=10)))
    new = host.issue()
    assert renew(host.ca(new), "--if-due").code == 0
    assert found(host.certificate)[0] == new


def test_key_and_certificate_belong_together(host: Host, renew: Renew, tool: Tool) -> None:
    create = ("roles-anywhere", "create-key", "--out", host.home / "other.key")
    assert tool(*create, "--tpm-path", f"soft:{host.home / 'state'}").code == 0
    ran = renew("false", key="other.key")
    assert ran.code == 2
    assert f"{host.certificate} does not belong to the key" in ran.err


def test_a_symbolic_link_stays(host: Host, renew: Renew) -> None:
    target = host.home / "versions" / "1.pem"
    target.parent.mkdir()
    host.certificate.rename(target)
    host.certificate.symlink_to(target)
    new = host.issue()
    assert renew(host.ca(new)).code == 0
    assert host.certificate.is_symlink()
    assert found(target)[0] == new


def test_passwords_do_not_reach_the_program(host: Host, renew: Renew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPM_KEY_AUTH", "")
    monkeypatch.setenv("TPM_OWNER_AUTH", "secret")
    check = "assert not [name for name in os.environ if name.startswith('TPM_')], 'a password'"
    assert renew(host.ca(host.issue(), check=check)).code == 0


def test_of_two_runs_at_once_one_asks_the_ca(host: Host) -> None:
    host.certificate.write_bytes(pem(host.issue(start=21, days=5)))
    log = host.home / "log"
    command = host.ca(host.issue(), check=f"open({str(log)!r}, 'a').write('asked\\n'); time.sleep(1)")
    words = [
        *(sys.executable, "-m", "cli.toolbox", "roles-anywhere", "renew", "--if-due", "--ca-command", command),
        *("--private-key", str(host.home / "host.key"), "--certificate", str(host.certificate)),
        *("--tpm-path", f"soft:{host.home / 'state'}"),
    ]
    runs = [subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(2)]
    said = [run.communicate(timeout=120)[1].decode() for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert log.read_text() == "asked\n"
    assert sorted("not due" in text for text in said) == [False, True]
