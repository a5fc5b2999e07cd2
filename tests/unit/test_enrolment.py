"""`tpmwire fleet enrol` with hosts whose TPMs are soft, and what a CA must refuse."""

import base64
import datetime
import hashlib
import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.roles_anywhere import Authority, pem
from tests.support.signing_keys import public_key_of_file
from tests.support.verbs import Ran, Tool
from tpmwire.attest.enrolment import (
    ChallengeResponse,
    EnrolmentRequest,
    PendingEnrolment,
    check_signing_key,
    make_challenge,
)
from tpmwire.crypto.formulas import name_of
from tpmwire.crypto.public_key_formats import to_cryptography
from tpmwire.errors import AttestationError
from tpmwire.keys.keyfile import parse
from tpmwire.spec.constants import TPM_ALG, TPMA_OBJECT
from tpmwire.spec.structures import TPMT_PUBLIC


class Host(NamedTuple):
    """A host with a signing key in its soft TPM."""

    tool: Tool
    home: Path

    def run(self, *words: str | Path) -> Ran:
        return self.tool(*words, "--tpm-path", f"soft:{self.home / 'state'}")

    def request(self, *options: str | Path) -> bytes:
        ran = self.run("fleet", "enrol", "request", self.home / "key", "--csr", self.home / "csr", *options)
        assert ran.code == 0, ran.err
        return ran.out.encode()

    def respond(self, challenges: bytes) -> Ran:
        (self.home / "challenges").write_bytes(challenges)
        return self.run("fleet", "enrol", "response", self.home / "key", self.home / "challenges")

    @property
    def public_key(self) -> Any:
        return public_key_of_file(parse((self.home / "key").read_text()))


MakeHost = Callable[[str], Host]


@pytest.fixture
def make_host(tool: Tool, tmp_path: Path) -> MakeHost:
    def make(name: str) -> Host:
        host = Host(tool, tmp_path / name)
        host.home.mkdir()
        create = ("roles-anywhere", "create-key", "--out", host.home / "key")
        assert host.run(*create).code == 0
        csr = ("roles-anywhere", "csr", "--private-key", host.home / "key", "--subject", f"CN={name}")
        assert host.run(*csr, "--out", host.home / "csr").code == 0
        return host

    return make


class Ca(NamedTuple):
    """The CA's side, without a TPM."""

    tool: Tool
    state: Path

    def challenge(self, requests: bytes, *options: str | Path) -> Ran:
        return self.tool("fleet", "enrol", "challenge", "-", "--state", self.state, *options, stdin=requests)

    def certify(self, responses: bytes, *options: str | Path) -> Ran:
        return self.tool("fleet", "enrol", "certificate", "-", "--state", self.state, *options, stdin=responses)


@pytest.fixture
def ca(tool: Tool, tmp_path: Path) -> Ca:
    return Ca(tool, tmp_path / "pending")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def changed(line: bytes, **values: Any) -> bytes:
    return json.dumps({**json.loads(line), **values}).encode() + b"\n"


def certificate(subject: str, key: Any, signer: ec.EllipticCurvePrivateKey, *, is_ca: bool) -> x509.Certificate:
    """A certificate of the TPM maker "root"."""
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )


def test_two_hosts_get_their_certificates(make_host: MakeHost, ca: Ca, tmp_path: Path) -> None:
    hosts, authority = [make_host("one"), make_host("two")], Authority()
    challenges = ca.challenge(b"".join(host.request() for host in hosts))
    assert challenges.code == 0
    assert [each["subject"] for each in lines(challenges.out)] == ["CN=one", "CN=two"]
    assert "the endorsement keys are not verified" in challenges.err
    assert [stat.S_IMODE(path.stat().st_mode) for path in ca.state.iterdir()] == [0o600, 0o600]
    responses = "".join(host.respond(challenges.out.encode()).out for host in hosts)
    assert not any(each["secret"] in path.read_text() for each in lines(responses) for path in ca.state.iterdir())

    issued = [authority.issue(host.public_key) for host in hosts]
    (tmp_path / "issued").write_bytes(pem(*issued, authority.intermediate))
    program = tmp_path / "ca.py"
    program.write_text(
        "import os, sys; sys.stdin.read(); print(open(sys.argv[1]).read())\n"
        "print(os.environ['TPMWIRE_SUBJECT'], len(os.environ['TPMWIRE_EK_NAME']), file=open(sys.argv[2], 'a'))\n"
    )
    command = f"'{sys.executable}' '{program}' '{tmp_path / 'issued'}' '{tmp_path / 'seen'}'"
    ran = ca.certify(responses.encode(), "--ca-command", command)
    assert ran.code == 0, ran.err
    for result, leaf in zip(lines(ran.out), issued, strict=True):
        assert x509.load_pem_x509_certificates(result["certificate"].encode()) == [leaf, authority.intermediate]
    assert (tmp_path / "seen").read_text() == "CN=one 68\nCN=two 68\n"

    again = ca.certify(responses.encode())
    assert again.code == 1
    assert [each["error"].partition(":")[0] for each in lines(again.out)] == ["replay", "replay"]


def test_a_failed_line_does_not_stop_the_others(make_host: MakeHost, ca: Ca) -> None:
    host = make_host("one")
    good = host.request()
    ran = ca.challenge(b"{}\n" + good + changed(good, csr="") + b"no JSON\n")
    assert ran.code == 1
    results = lines(ran.out)
    assert [each.get("line") for each in results] == [1, None, 3, 4]
    assert results[2]["name"] == results[1]["name"]
    assert len(list(ca.state.iterdir())) == 1
    csr = ca.certify(host.respond(json.dumps(results[1]).encode()).out.encode(), "--pem")
    assert (csr.code, csr.out) == (0, (host.home / "csr").read_text())


def test_only_the_tpm_of_the_endorsement_key_can_respond(make_host: MakeHost, ca: Ca) -> None:
    one, two = make_host("one"), make_host("two")
    request = changed(one.request(), ek=json.loads(two.request())["ek"])
    challenge = ca.challenge(request)
    assert challenge.code == 0
    refused = one.respond(challenge.out.encode())
    assert (refused.code, refused.out) == (4, "")
    other = two.respond(challenge.out.encode())
    assert other.code == 2
    assert "no challenge for the key" in other.err


def test_a_forged_name_does_not_help(make_host: MakeHost, ca: Ca) -> None:
    """The CA computes the Name from the public area; a host that changes it cannot respond."""
    host = make_host("one")
    request = host.request()
    area = parse((host.home / "key").read_text()).public
    forged = area.replace(object_attributes=area.object_attributes ^ TPMA_OBJECT.NO_DA)
    challenge = ca.challenge(changed(request, key=base64.b64encode(forged.build()).decode()))
    assert challenge.code == 0
    assert "no challenge for the key" in host.respond(challenge.out.encode()).err
    renamed = changed(challenge.out.encode(), name=json.loads(request)["name"])
    assert host.respond(renamed).code == 4


def test_a_wrong_response_is_refused_and_ends_the_challenge(make_host: MakeHost, ca: Ca) -> None:
    host = make_host("one")
    challenge = ca.challenge(host.request())
    response = host.respond(challenge.out.encode()).out.encode()
    wrong = ca.certify(changed(response, secret="00" * 32))
    assert (wrong.code, lines(wrong.out)[0]["error"].partition(":")[0]) == (1, "secret")
    assert lines(ca.certify(response).out)[0]["error"].startswith("replay")
    outside = ca.certify(changed(response, id="../" + "0" * 29))
    assert "invalid id" in lines(outside.out)[0]["error"]


def test_an_expired_challenge_is_refused(make_host: MakeHost, ca: Ca) -> None:
    host = make_host("one")
    challenge = ca.challenge(host.request(), "--expires-in", "1ms")
    ran = ca.certify(host.respond(challenge.out.encode()).out.encode())
    assert (ran.code, lines(ran.out)[0]["error"].partition(":")[0]) == (1, "expiry")


def test_the_request_belongs_to_the_key(make_host: MakeHost, ca: Ca) -> None:
    one, two = make_host("one"), make_host("two")
    request = one.request()
    foreign = changed(request, csr=json.loads(two.request())["csr"])
    damaged = bytearray(base64.b64decode(json.loads(request)["csr"]))
    damaged[-1] ^= 1
    unsigned = changed(request, csr=base64.b64encode(damaged).decode())
    ran = ca.challenge(foreign + unsigned)
    assert ran.code == 1
    assert "for a different key" in lines(ran.out)[0]["error"]
    assert lines(ran.out)[1]["error"].startswith("CSR: ")
    assert list(ca.state.iterdir()) == []


def test_the_certificate_of_the_endorsement_key_is_verified(make_host: MakeHost, ca: Ca, tmp_path: Path) -> None:
    one, two = make_host("one"), make_host("two")
    maker = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "root").write_bytes(pem(certificate("root", maker.public_key(), maker, is_ca=True)))
    ek = to_cryptography(EnrolmentRequest.from_json(one.request()).ek)
    (tmp_path / "ek").write_bytes(pem(certificate("ek", ek, maker, is_ca=False)))
    request = one.request("--ek-cert", tmp_path / "ek")
    ran = ca.challenge(request, "--ca", tmp_path / "root")
    assert (ran.code, lines(ran.out)[0]["ek_verified"]) == (0, True)
    assert ca.certify(one.respond(ran.out.encode()).out.encode()).code == 0

    stranger = ec.generate_private_key(ec.SECP256R1())
    forged = certificate("ek", ek, stranger, is_ca=False)
    (tmp_path / "forged").write_bytes(pem(forged))
    other = changed(two.request(), ek_certificates=json.loads(request)["ek_certificates"])
    refused = ca.challenge(
        other + two.request() + one.request("--ek-cert", tmp_path / "forged"), "--ca", tmp_path / "root"
    )
    errors = [each["error"] for each in lines(refused.out)]
    assert "a different public key" in errors[0]
    assert "no EK certificate" in errors[1]
    assert "not trusted" in errors[2]
    mistaken = two.run(
        *("fleet", "enrol", "request", two.home / "key", "--csr", two.home / "csr"), "--ek-cert", tmp_path / "ek"
    )
    assert mistaken.code == 2
    assert "different endorsement key" in mistaken.err


@pytest.fixture
def area(make_host: MakeHost) -> TPMT_PUBLIC:
    return parse((make_host("one").home / "key").read_text()).public


@pytest.mark.parametrize(
    ("bits", "reason"),
    [
        (TPMA_OBJECT.FIXED_TPM, "lacks fixedTPM"),
        (TPMA_OBJECT.FIXED_PARENT, "lacks fixedParent"),
        (TPMA_OBJECT.SENSITIVE_DATA_ORIGIN, "lacks sensitiveDataOrigin"),
        (TPMA_OBJECT.SIGN_ENCRYPT, "not a signing key"),
        (TPMA_OBJECT.DECRYPT, "not a signing key"),
    ],
)
def test_the_attributes_are_required(area: TPMT_PUBLIC, bits: TPMA_OBJECT, reason: str) -> None:
    assert check_signing_key(area)
    with pytest.raises(AttestationError, match=reason):
        check_signing_key(area.replace(object_attributes=area.object_attributes ^ bits))


def test_a_weak_name_is_refused(area: TPMT_PUBLIC) -> None:
    with pytest.raises(AttestationError, match="nameAlg is SHA1"):
        check_signing_key(area.replace(name_alg=TPM_ALG.SHA1))


def test_an_endorsement_key_is_a_storage_key(make_host: MakeHost) -> None:
    request = EnrolmentRequest.from_json(make_host("one").request())
    assert request.check() == "CN=one"
    with pytest.raises(AttestationError, match="not an endorsement key: it lacks restricted, decrypt"):
        request._replace(ek=request.key).check()


def test_a_response_needs_the_secret_and_the_id_of_its_challenge() -> None:
    digest = hashlib.sha256(b"secret").digest()
    state = PendingEnrolment("id", b"", b"", True, "CN=one", b"", digest, 1000)
    state.check(ChallengeResponse("id", b"secret"), 999)
    for response, now, reason in (
        (ChallengeResponse("other", b"secret"), 999, "does not contain the secret"),
        (ChallengeResponse("id", b"other"), 999, "does not contain the secret"),
        (ChallengeResponse("id", b"secret"), 1000, "has expired"),
    ):
        with pytest.raises(AttestationError, match=reason):
            state.check(response, now)


def test_the_state_survives_its_file(make_host: MakeHost) -> None:
    request = EnrolmentRequest.from_json(make_host("one").request())
    challenge, state = make_challenge(request, "CN=one", 2e9, ek_verified=True)
    assert PendingEnrolment.from_json(state.to_json()) == state
    assert (state.name, state.id) == (challenge.name, challenge.id)


def test_only_listed_endorsement_keys_may_enrol(make_host: MakeHost, ca: Ca, tmp_path: Path) -> None:
    first, second, third = (make_host(name).request() for name in ("one", "two", "three"))
    names = [name_of(EnrolmentRequest.from_json(line).ek).hex() for line in (first, second, third)]
    allow = tmp_path / "allow"
    allow.write_text(f"# hosts\n\n{names[0]}  CN=one\n{names[1]} CN=other\n{names[1].upper()} CN=more\n")
    ran = ca.challenge(first + second + third, "--allow", allow)
    good, wrong, unknown = lines(ran.out)
    assert (ran.code, good["subject"]) == (1, "CN=one")
    assert "not allowed to have the subject 'CN=two'" in wrong["error"]
    assert f"the endorsement key with the Name {names[2]} is not allowed to enrol" in unknown["error"]
    assert "are not verified" not in ran.err
    assert len(list(ca.state.iterdir())) == 1
    allow.write_text(f"{names[1]} CN=other\n{names[1]}\n")
    assert ca.challenge(second, "--allow", allow).code == 0
    allow.write_text(f"{names[1]}\tCN=two  \n")
    assert ca.challenge(second, "--allow", allow).code == 0
    for text in ("one", names[0][:-2], "0" + names[0], "000b"):
        allow.write_text(f"{text} CN=one\n")
        ran = ca.challenge(first, "--allow", allow)
        assert (ran.code, f"line 1: {text!r} is not a valid Name" in ran.err) == (2, True)


def test_expired_challenges_are_removed(make_host: MakeHost, ca: Ca) -> None:
    request = make_host("one").request()
    for _ in range(3):
        assert ca.challenge(request).code == 0
    (ca.state / "README").write_text("other files stay")
    first, second, third = ca.state.glob("*.json")
    for path in (first, second):
        path.write_bytes(changed(path.read_bytes(), expires=1))
    ran = ca.challenge(request)
    assert (ran.code, "expired challenges removed from" in ran.err, ran.err.rstrip()[-2:]) == (0, True, " 2")
    assert (first.exists(), second.exists(), third.exists()) == (False, False, True)
    assert len(list(ca.state.iterdir())) == 3
