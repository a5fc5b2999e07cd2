"""Attestations of time and audit sessions, signed policies, key files as arguments, reprs without secrets."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import tpmwire
from tests.support.swtpm import Swtpm
from tpmwire import (
    KeyFile,
    Password,
    Policy,
    PolicyCommandCode,
    PolicySigned,
    SessionStart,
    attest,
    bridges,
    calls,
    commands,
    templates,
)
from tpmwire.calls.version_185 import Encapsulated
from tpmwire.errors import PolicyError, TpmError
from tpmwire.policy.sign import assert_signed
from tpmwire.spec.constants import TPM_CC, TPM_RH

NONCE = b"a nonce of the verifier"


@pytest.fixture
def tpm(swtpm: Swtpm) -> Iterator[tpmwire.Tpm]:
    with tpmwire.Tpm.open(swtpm.path, timeout=30) as opened:
        yield opened


def test_an_audit_session_is_certified(tpm: tpmwire.Tpm) -> None:
    key = calls.create_primary(tpm, templates.attestation("ecc"))
    session = tpm.start_session(SessionStart())
    data = tpm.execute(commands.GetRandom(8), session.use(audit=True)).random_bytes
    made = calls.certify_session(tpm, session, key, NONCE)
    code = TPM_CC.GetRandom.to_bytes(4, "big")
    cp_hash = hashlib.sha256(code + b"\0\x08").digest()
    rp_hash = hashlib.sha256(bytes(4) + code + b"\0\x08" + data).digest()
    expected = hashlib.sha256(bytes(32) + cp_hash + rp_hash).digest()
    info = attest.verify_session(*made, key.public, nonce=NONCE, session_digest=expected)
    assert info.exclusive_session == 1
    for changes, check in (
        ({"nonce": b"x"}, "nonce"),
        ({"session_digest": bytes(32)}, "session digest"),
        ({"signer": bytes(34)}, "signer"),
    ):
        with pytest.raises(attest.AttestationError) as refused:
            attest.verify_session(*made, key.public, **{"nonce": NONCE, **changes})
        assert refused.value.check == check
    with pytest.raises(attest.AttestationError, match="GetSessionAuditDigest"):
        attest.verify_time(*made, key.public, nonce=NONCE)


def test_the_time_is_certified_with_a_named_scheme(tpm: tpmwire.Tpm) -> None:
    key = calls.create_primary(tpm, templates.attestation("ecc"))
    made = calls.certify_time(tpm, key, NONCE, "ecdsa-sha256")
    found = attest.verify_time(*made, key.public, nonce=NONCE)
    assert found.time.clock_info.clock > 0
    quote = calls.quote(tpm, key, "sha256:0-7", NONCE, "ecdsa")
    assert attest.verify(*quote, key.public, nonce=NONCE, pcrs="sha256:0-7").digest
    with pytest.raises(TpmError):
        calls.quote(tpm, key, "sha256:0-7", NONCE, "ecdsa-sha384")


@pytest.mark.parametrize("kind", ["ecc", "rsa", "tpm"])
def test_a_signer_signs_the_nonce_of_a_policy_session(tpm: tpmwire.Tpm, kind: str) -> None:
    signer: Any = {
        "ecc": lambda: ec.generate_private_key(ec.SECP384R1()),
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "tpm": lambda: calls.private_key(tpm, calls.create_primary(tpm, templates.signing("ecc"))),
    }[kind]()
    policy = Policy(PolicySigned(bridges.from_cryptography(signer), b"a reference"))
    parent = calls.create_primary(tpm)
    blob = calls.seal(tpm, parent, b"data", policy=policy)
    with calls.satisfy_policy(tpm, policy, signers=[ec.generate_private_key(ec.SECP256R1()), signer]) as by:
        assert calls.unseal(tpm, parent, blob, by=by) == b"data"
    with pytest.raises(PolicyError, match="give the private key in `signers`"), calls.satisfy_policy(tpm, policy):
        pass
    if kind == "ecc":  # a signature without a nonce is for another session too
        lasting = assert_signed(signer, b"a reference")
        blob = calls.seal(tpm, parent, b"data", policy=Policy(lasting))
        with calls.satisfy_policy(tpm, lasting) as by:
            assert calls.unseal(tpm, parent, blob, by=by) == b"data"


def test_reprs_do_not_show_shared_secrets(tpm: tpmwire.Tpm) -> None:
    made = calls.ecdh_ephemeral(tpm, calls.create_primary(tpm, templates.decryption("ecc")))
    assert repr(made.secret) not in repr(made)
    assert "secret=<32 bytes>" in repr(made)
    secret = b"a shared secret, never shown...."
    assert "never" not in repr(Encapsulated(secret, b"c"))


def test_key_files_are_accepted_wherever_an_object_is(tpm: tpmwire.Tpm) -> None:
    parent = calls.create_primary(tpm, templates.h2_primary())
    blob = calls.create(tpm, parent, templates.signing(), auth=b"old")
    key = KeyFile.of(blob.public, blob.private, TPM_RH.OWNER)
    changed = calls.change_auth(tpm, key, parent, b"new", by=Password(b"old"))
    key = KeyFile.of(changed.public, changed.private, TPM_RH.OWNER)
    for save in (
        lambda: calls.load_context(tpm, calls.save_context(tpm, key)),
        lambda: calls.load_context_file(tpm, calls.save_context_file(tpm, key)),
    ):
        copy = save()
        assert calls.sign_message(tpm, copy, b"data", by=Password(b"new"))
        tpm.flush(copy.handle)
    storage = calls.create(tpm, parent, templates.storage())
    target = KeyFile.of(storage.public, storage.private, TPM_RH.OWNER)
    policy = Policy(PolicyCommandCode(TPM_CC.Duplicate))
    template = templates.parse_template("ecc:ecdsa", "sensitivedataorigin|userwithauth|sign", policy=policy)
    source = calls.load(tpm, parent, calls.create(tpm, parent, template))
    tpm.flush(parent.handle)
    with calls.satisfy_policy(tpm, policy) as by:
        wrapped = calls.duplicate(tpm, source, target, by=by)
    tpm.flush(source.handle)  # a TPM may have three object slots only
    moved = calls.load(tpm, target, calls.import_wrapped(tpm, target, wrapped))
    assert moved.name == source.name
