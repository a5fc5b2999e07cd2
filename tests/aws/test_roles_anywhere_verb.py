"""`tpmwire roles-anywhere` with keys of a software TPM and a server that verifies each request."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

import cli.credentials.cache.run
from cli.credentials.roles_anywhere.key import text_to_test
from tests.support.interposer import Interposer
from tests.support.roles_anywhere import ANCHOR, PROFILE, ROLE, Authority, VerifyingRolesAnywhere, pem, send_json
from tests.support.signing_keys import PLAIN, make_signing_key, public_key_of_file
from tests.support.swtpm import Swtpm
from tests.support.verbs import Ran, Tool
from tpmwire.keys.keyfile import parse
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyPCR
from tpmwire.secret import EMPTY_AUTH, Secret
from tpmwire.spec.constants import TPM_ALG
from tpmwire.tpm import Tpm

PASSWORD = Secret(b"key password")
HANDLE, RESTRICTED, PSS, LOCKED, OTHER = 0x81010050, 0x81010051, 0x81010052, 0x81010053, 0x81010054
P521 = 0x81010055
_PCR23 = PolicyPCR.of_values(TPM_ALG.SHA256, parse_pcrs("23"), {(TPM_ALG.SHA256, 23): bytes(32)})
_RESTRICTED = PLAIN + "|restricted"


class Bench(NamedTuple):
    """A TPM with keys, files with their certificates, and the CA."""

    swtpm: Swtpm
    home: Path
    authority: Authority


# Name: template, attributes, authValue, policy, handle.
KEYS: dict[str, tuple[str, str, Secret, Policy | None, int | None]] = {
    "p256": ("ecc:ecdsa-sha256", PLAIN, EMPTY_AUTH, None, HANDLE),
    "p256null": ("ecc:null", PLAIN, EMPTY_AUTH, None, OTHER),
    "p384": ("ecc384:null", PLAIN, EMPTY_AUTH, None, None),
    "rsa": ("rsa2048:rsassa-sha256", PLAIN, EMPTY_AUTH, None, None),
    "rsanull": ("rsa2048:null", PLAIN + "|decrypt", EMPTY_AUTH, None, None),
    "password": ("ecc:null", PLAIN, PASSWORD, None, LOCKED),
    "pcr": ("ecc:ecdsa-sha256", PLAIN.replace("userwithauth|", ""), EMPTY_AUTH, Policy(_PCR23), None),
    "both": (
        *("ecc:ecdsa-sha256", PLAIN.replace("userwithauth|", ""), PASSWORD),
        *(Policy(_PCR23, PolicyAuthValue()), None),
    ),
    "restricted": ("ecc:ecdsa-sha256", _RESTRICTED, EMPTY_AUTH, None, RESTRICTED),
    "restrictedrsa": ("rsa2048:rsassa-sha256", _RESTRICTED, EMPTY_AUTH, None, None),
    "pss": ("rsa2048:rsapss-sha256", PLAIN, EMPTY_AUTH, None, PSS),
    "decrypt": ("rsa2048", PLAIN.replace("sign", "decrypt"), EMPTY_AUTH, None, None),
    "sha384": ("ecc384:ecdsa-sha384", PLAIN, EMPTY_AUTH, None, None),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    home, authority = tmp_path_factory.mktemp("home"), Authority()
    with Swtpm() as swtpm:
        with Tpm.open(swtpm.path, 30) as tpm:
            for name, (template, attributes, auth, policy, handle) in KEYS.items():
                file = make_signing_key(
                    tpm, template, attributes, auth=auth, policy=policy, handle=handle, out=home / f"{name}.key"
                )
                certificate = authority.issue(public_key_of_file(file))
                (home / f"{name}.pem").write_bytes(pem(certificate))
        (home / "chain.pem").write_bytes(pem(authority.intermediate))
        (home / "password").write_bytes(PASSWORD.reveal())
        (home / "password").chmod(0o600)
        yield Bench(swtpm, home, authority)


@pytest.fixture
def server(bench: Bench) -> Iterator[VerifyingRolesAnywhere]:
    with VerifyingRolesAnywhere([bench.authority.root]) as running:
        yield running


@pytest.fixture
def bus(bench: Bench) -> Iterator[Interposer]:
    with Interposer(bench.swtpm.path) as made:
        yield made


Run = Callable[..., Ran]


@pytest.fixture
def run(bench: Bench, server: VerifyingRolesAnywhere, bus: Interposer, tool: Tool) -> Run:
    """Runs `roles-anywhere credential-process` for a key's name, with further options."""

    def call(
        name: str, *options: str, key: str | None = None, verb: str = "credential-process", **changes: str
    ) -> Ran:
        settings = {
            "certificate": str(bench.home / f"{name}.pem"),
            "private-key": key or str(bench.home / f"{name}.key"),
            "intermediates": str(bench.home / "chain.pem"),
            "role-arn": ROLE,
            "profile-arn": PROFILE,
            "trust-anchor-arn": ANCHOR,
            "endpoint": server.endpoint,
            **{option.replace("_", "-"): value for option, value in changes.items()},
        }
        words = [word for option, value in settings.items() if value for word in (f"--{option}", value)]
        return tool("roles-anywhere", verb, *words, "--tpm-path", bus.path, *options)

    return call


def credentials_of(ran: Ran) -> dict[str, Any]:
    assert (ran.code, ran.err) == (0, "")
    found: dict[str, Any] = json.loads(ran.out)
    assert (found["Version"], found["AccessKeyId"][:4], found["AccountId"]) == (1, "ASIA", "123456789012")
    return found


FILE = ["CreatePrimary", "Load", "Sign", "FlushContext", "FlushContext"]
IN_CLEAR = {
    "handle": ("p256", f"handle:{HANDLE:#x}", ["Sign"]),
    "handle without 0x": ("p256null", f"handle:{OTHER:x}", ["Sign"]),
    "file": ("p256", None, FILE),
    "P-384": ("p384", None, FILE),
    "RSA": ("rsa", None, FILE),
    "RSA that also decrypts": ("rsanull", None, FILE),
    "restricted file": ("restricted", None, [*FILE[:2], "Hash", *FILE[2:]]),
    "restricted RSA file": ("restrictedrsa", None, [*FILE[:2], "Hash", *FILE[2:]]),
    "restricted handle": ("restricted", f"handle:{RESTRICTED:#x}", ["Sign", "Hash", "Sign"]),
}


@pytest.mark.parametrize("way", IN_CLEAR)
def test_a_session_and_its_tpm_commands(
    run: Run, bus: Interposer, server: VerifyingRolesAnywhere, way: str
) -> None:
    name, key, expected = IN_CLEAR[way]
    credentials_of(run(name, key=key))
    assert bus.codes == expected
    ((certificate, parameters),) = server.seen
    assert certificate.serial_number
    assert (parameters["durationSeconds"], parameters["roleArn"]) == (3600, ROLE)


def test_a_password_and_a_policy(run: Run, bench: Bench, server: VerifyingRolesAnywhere, bus: Interposer) -> None:
    file = f"--keyPass-file={bench.home / 'password'}"
    credentials_of(run("password", file))
    credentials_of(run("password", "--tpm-key-password", "key password", key=f"handle:{LOCKED:#x}"))
    assert PASSWORD.reveal() not in bus.octets
    credentials_of(run("pcr"))
    credentials_of(run("both", file))
    assert len(server.seen) == 4
    assert PASSWORD.reveal() not in bus.octets


def test_a_wrong_password_is_tried_once(run: Run, bus: Interposer, server: VerifyingRolesAnywhere) -> None:
    ran = run("password", "--tpm-key-password=wrong")
    assert ran.code == 4
    assert "password" in ran.err
    assert bus.codes.count("Sign") == 1
    assert not server.seen


def test_options_of_a_session(run: Run, server: VerifyingRolesAnywhere) -> None:
    found = credentials_of(
        run(
            "p256",
            "--session-duration=900",
            "--session-duration",
            "1200",
            "--role-session-name=me",
            "--with-proxy",
        )
    )
    assert found["Expiration"].endswith("Z")
    assert server.seen[0][1]["durationSeconds"] == 1200
    assert server.seen[0][1]["roleSessionName"] == "me"


@pytest.mark.parametrize(
    ("name", "key", "text"),
    [
        ("pss", None, "signs by RSAPSS only"),
        ("pss", f"handle:{PSS:#x}", "signs by RSAPSS only"),
        ("decrypt", None, "for decryption only"),
        ("sha384", None, "signs with SHA384 only"),
    ],
)
def test_a_key_of_the_wrong_kind_is_named(
    run: Run, bus: Interposer, server: VerifyingRolesAnywhere, name: str, key: str | None, text: str
) -> None:
    ran = run(name, key=key)
    assert (ran.code, ran.out) == (4 if key else 5, "")
    assert text in ran.err
    assert key or not bus.codes
    assert not server.seen


def test_a_key_of_another_certificate(
    run: Run, bench: Bench, bus: Interposer, server: VerifyingRolesAnywhere
) -> None:
    ran = run("p256", key=str(bench.home / "p256null.key"))
    assert ran.code == 2
    assert "the key does not belong to the certificate" in ran.err
    assert not bus.codes
    with Tpm.open(bench.swtpm.path, 30) as tpm:
        make_signing_key(tpm, "ecc521:null", handle=P521)
    for name, handle in (("p256", OTHER), ("rsa", OTHER), ("p384", OTHER), ("p256", P521), ("rsa", P521)):
        ran = run(name, key=f"handle:{handle:#x}")
        assert (ran.code, ran.out) == (2, "")
        assert f"{handle:#010x}: the key does not belong to the certificate" in ran.err
    assert not server.seen
    assert not server.refusals


CERTIFICATES: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"days": -1, "start": 30}, "the certificate expired at "),
    "future": ({"start": -1}, "is not valid before "),
    "usage": ({"usage": False}, "keyUsage lacks digitalSignature"),
    "CA": ({"ca": 0}, "is a CA certificate"),
    "subject": ({"subject": ""}, "subject is empty"),
}


@pytest.mark.parametrize("fault", CERTIFICATES)
def test_a_certificate_that_aws_would_refuse(
    run: Run, bench: Bench, bus: Interposer, tmp_path: Path, fault: str
) -> None:
    changes, text = CERTIFICATES[fault]
    path = _issue(bench, tmp_path, **changes)
    ran = run("p256", certificate=str(path))
    assert (ran.code, ran.out) == (2, "")
    assert text in ran.err
    assert not bus.codes


def _issue(bench: Bench, directory: Path, **changes: Any) -> Path:
    key = public_key_of_file(parse((bench.home / "p256.key").read_text()))
    path = directory / "certificate.pem"
    path.write_bytes(pem(bench.authority.issue(key, **changes)))
    return path


def test_warnings_of_a_certificate(run: Run, tool: Tool, bench: Bench, tmp_path: Path) -> None:
    ran = run("p256", certificate=str(_issue(bench, tmp_path, days=9, start=21)))
    assert ran.code == 0
    assert "the certificate expires in 9 days" in ran.err
    ran = run("p256", certificate=str(_issue(bench, tmp_path, eku=ExtendedKeyUsageOID.SERVER_AUTH)))
    assert (ran.code, "lacks clientAuth" in ran.err) == (0, True)
    assert run("p256", certificate=str(_issue(bench, tmp_path, days=11, start=19))).err == ""
    path = _issue(bench, tmp_path, days=-1, start=30)
    words = ["--certificate", str(path), "--private-key", str(bench.home / "p256.key")]
    ran = tool("roles-anywhere", "sign-string", *words, "--tpm-path", bench.swtpm.path)
    assert (ran.code, "warning: " in ran.err, "the certificate expired at " in ran.err) == (0, True, True)


def test_chains(run: Run, bench: Bench, server: VerifyingRolesAnywhere, bus: Interposer, tmp_path: Path) -> None:
    authority, other = bench.authority, Authority("Other")
    leaf = (bench.home / "p256.pem").read_bytes()
    whole = tmp_path / "fullchain.pem"
    # The leaf again and the root are not sent, in whatever order they are.
    whole.write_bytes(leaf + pem(authority.root) + leaf + pem(authority.intermediate))
    credentials_of(run("p256", certificate=str(whole), intermediates=""))
    whole.write_bytes(leaf + pem(other.intermediate))
    bus.clear()
    ran = run("p256", certificate=str(whole), intermediates="")
    assert (ran.code, bus.codes) == (2, [])
    assert "no certificate of the issuer 'CN=Example Issuing CA'" in ran.err
    ran = run("p256", intermediates="")
    assert ran.code == 6
    assert "Untrusted signing certificate" in ran.err
    assert "--intermediates" in ran.err


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--no-verify-ssl"], "always verified"),
        (["--pkcs8-password", "x"], "must be in the TPM"),
        (["--pkcs11-lib=x.so"], "PKCS #11 tokens are not supported"),
        (["--reuse-pin"], "PKCS #11 tokens are not supported"),
        (["--cert-selector", "Key=x509Subject"], "give the file with --certificate"),
        (["--system-store-name", "MY"], "stores of Windows are not supported"),
        (["--use-latest-expiring-certificate"], "not supported"),
        (["--session-duration=60"], "900 to 43200"),
        (["--private-key=pkcs11:object=x"], "PKCS #11"),
        (["--private-key=handle:0x40000001"], "not a persistent handle"),
        (["--private-key=handle:xyz"], "'xyz' is not a hex number"),
    ],
)
def test_options_that_are_refused(run: Run, bus: Interposer, options: list[str], text: str) -> None:
    ran = run("p256", *options)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert text in ran.err
    assert not bus.codes


def csr_of(key: str) -> list[str]:
    return ["roles-anywhere", "csr", "--private-key", key, "--subject", "CN=a"]


def test_a_private_key_outside_the_tpm(run: Run, tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n")
    ran = run("p256", key=str(path))
    assert ran.code == 2
    assert "the private key is not in the TPM" in ran.err
    ran = run("p256", certificate=str(path))
    assert ran.code == 2
    assert "expected BEGIN CERTIFICATE, got only PRIVATE KEY" in ran.err
    path.write_text("root:x:0:0:root:/root:/bin/sh\n")
    for ran in (run("p256", key=str(path)), tool(*csr_of(str(path)))):
        assert ran.code == 5
        assert "create a TPM key with `tpmwire roles-anywhere create-key`" in ran.err


def test_a_handle_without_a_key(run: Run, tool: Tool, bus: Interposer) -> None:
    ran = run("p256", key="handle:0x81010099")
    assert ran.code == 4
    assert "a clear erases the key: create a new one with `tpmwire roles-anywhere create-key`" in ran.err
    assert "access key" not in ran.err
    ran = tool(*csr_of("handle:0x81010099"), "--tpm-path", bus.path)
    assert (ran.code, "create a new one" in ran.err, "access key" in ran.err) == (4, True, False)


def test_a_truncated_certificate(run: Run, bench: Bench, bus: Interposer, tmp_path: Path) -> None:
    whole = (bench.home / "p256.pem").read_bytes()
    path = tmp_path / "fullchain.pem"
    for content in (whole[:300], whole + whole[:300], whole[:300] + whole):
        path.write_bytes(content)
        ran = run("p256", certificate=str(path))
        assert (ran.code, ran.out, bus.codes) == (2, "", [])
        assert "a certificate is truncated: BEGIN CERTIFICATE without END CERTIFICATE" in ran.err


def test_verbose_says_what_is_sent_and_no_secret(run: Run) -> None:
    ran = run("p256", "--debug")
    assert ran.code == 0
    assert "CreateSession at http://127.0.0.1" in ran.err
    assert "wJalrXUtnFEMI" not in ran.err


@pytest.mark.parametrize("name", ["rsanull", "p256null", "p384"])
@pytest.mark.parametrize("digest", ["SHA256", "SHA384", "SHA512"])
def test_sign_string(bench: Bench, tool: Tool, name: str, digest: str) -> None:
    words = ["--certificate", bench.home / f"{name}.pem", "--private-key", bench.home / f"{name}.key"]
    words += ["--digest", digest, "--tpm-path", bench.swtpm.path]
    text = tool("roles-anywhere", "sign-string", *words, "--format=text")
    as_json = tool("roles-anywhere", "sign-string", *words)
    assert (text.code, text.err, as_json.code) == (0, "", 0)
    certificate = x509.load_pem_x509_certificate((bench.home / f"{name}.pem").read_bytes())
    key, algorithm = certificate.public_key(), getattr(hashes, digest)()
    message = text_to_test(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    for signature in (text.out, json.loads(as_json.out)):
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(bytes.fromhex(signature), message, padding.PKCS1v15(), algorithm)
        else:
            assert isinstance(key, ec.EllipticCurvePublicKey)
            key.verify(bytes.fromhex(signature), message, ec.ECDSA(algorithm))


def test_sign_string_of_a_key_with_a_hash_of_its_own(bench: Bench, tool: Tool) -> None:
    words = ["--certificate", bench.home / "p256.pem", "--private-key", f"handle:{HANDLE:#x}"]
    ran = tool("roles-anywhere", "sign-string", *words, "--digest=SHA384", "--tpm-path", bench.swtpm.path)
    assert (ran.code, ran.out) == (4, "")
    assert "signs with SHA256 only" in ran.err


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the cache's directory."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_the_cache(run: Run, bench: Bench, server: VerifyingRolesAnywhere, bus: Interposer, runtime: Path) -> None:
    key = f"handle:{HANDLE:#x}"
    first = credentials_of(run("p256", "--cache", key=key))
    seal = ["StartAuthSession", "CreatePrimary", "FlushContext"]
    assert bus.codes[0] == "Sign"
    assert [code for code in bus.codes if code in seal][-2:] == seal[1:]
    bus.clear()
    assert credentials_of(run("p256", "--cache", key=key)) == first
    assert len(server.seen) == 1
    assert "Sign" not in bus.codes
    assert first["SecretAccessKey"].encode() not in bus.octets
    (name,) = (path for path in (runtime / "tpmwire").iterdir() if "." not in path.name)
    assert first["SecretAccessKey"].encode() not in name.read_bytes()
    # A renewed certificate, another duration, another role: other credentials.
    renewed = _issue(bench, runtime)
    credentials_of(run("p256", "--cache", key=key, certificate=str(renewed)))
    credentials_of(run("p256", "--cache", "--session-duration=900", key=key))
    assert len(server.seen) == 3


def test_the_cache_while_aws_is_out_of_reach(
    run: Run, server: VerifyingRolesAnywhere, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runtime.is_dir()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    first = credentials_of(run("p256", "--cache"))
    monkeypatch.setattr(cli.credentials.cache.run, "_is_fresh", lambda _clear: False)

    def fail(handler: Any) -> bool:
        send_json(handler, 503, {"message": "later"}, "ServiceUnavailableException")
        return True

    server.before = fail
    ran = run("p256", "--cache")
    assert (ran.code, json.loads(ran.out)) == (0, first)
    assert "could not renew: " in ran.err
    assert "; the cached credentials are valid for 59 more minutes" in ran.err
    assert run("p256").code == 6


def test_a_retry_is_signed_again(run: Run, server: VerifyingRolesAnywhere, bus: Interposer) -> None:
    tries = []

    def fail(handler: Any) -> bool:
        tries.append(handler.headers["Authorization"])
        if len(tries) < 3:
            send_json(handler, 500, {"message": "again"})
        return len(tries) < 3

    server.before = fail
    credentials_of(run("p256", key=f"handle:{HANDLE:#x}"))
    assert bus.codes == ["Sign"] * 3
    assert len(set(tries)) == 3
