"""ML-KEM and ML-DSA keys of the soft TPM, with `cryptography` and the client's code as the other side."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem

from tpmwire import attest, calls, commands
from tpmwire.attest.credentials import make_credential
from tpmwire.channel import Pin, protected_sessions
from tpmwire.errors import TpmError
from tpmwire.keys import bridges, templates
from tpmwire.keys.wrapping import to_any
from tpmwire.primary import create_primary
from tpmwire.sessions import Password, SessionStart
from tpmwire.soft import SoftTransport, dhkem, ecc
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_MLKEM, TPM_RH, TPM_SE, TPM_ST, TPMA_OBJECT
from tpmwire.spec.properties import TPM_CAP
from tpmwire.spec.response_codes import TPM_RC
from tpmwire.spec.structures import (
    TPMS_SCHEME_HASH,
    TPMT_KDF_SCHEME,
    TPMT_SIG_SCHEME,
    TPMT_SIGNATURE,
    TPMT_TK_HASHCHECK,
)
from tpmwire.tpm import Tpm

STORAGE = "mlkem768:null:aes128cfb"
NO_SCHEME = TPMT_SIG_SCHEME(TPM_ALG.NULL)


@pytest.fixture
def tpm() -> Iterator[Tpm]:
    with Tpm(SoftTransport()) as opened:
        yield opened


@pytest.mark.parametrize("name", ["mldsa44", "mldsa65", "mldsa87", "hashmldsa44:sha256", "hashmldsa65:sha512"])
def test_signed_message(tpm: Tpm, name: str) -> None:
    key = create_primary(tpm, TPM_RH.OWNER, templates.signing(name))
    message = b"a message" * 300
    signature = calls.sign_sequence(tpm, key, message, context=b"context")
    bridges.verify_signature(key.public, signature, message, context=b"context")
    assert calls.verify_sequence(tpm, key, message, signature, context=b"context")
    assert not calls.verify_sequence(tpm, key, message, signature)
    assert not calls.verify_sequence(tpm, key, b"another", signature, context=b"context")


@pytest.mark.parametrize("name", ["ecc256:ecdsa-sha256", "rsa2048:rsapss-sha256", "hmac"])
def test_message_signed_with_a_classical_key(tpm: Tpm, name: str) -> None:
    key = create_primary(tpm, TPM_RH.OWNER, templates.signing(name))
    signature = calls.sign_sequence(tpm, key, b"message")
    if name == "hmac":
        value: Any = signature.signature
        assert value.digest == calls.hmac(tpm, key, b"message")
    else:
        bridges.verify_signature(key.public, signature, b"message")
    assert calls.verify_sequence(tpm, key, b"message", signature)
    assert not calls.verify_sequence(tpm, key, b"another", signature)


def test_signed_digest(tpm: Tpm) -> None:
    key = create_primary(tpm, TPM_RH.OWNER, templates.signing("hashmldsa87:sha512"))
    digest = hashlib.sha512(b"message").digest()
    signature = calls.sign_digest(tpm, key, digest, context=b"context")
    bridges.verify_signature(key.public, signature, b"message", context=b"context")
    assert calls.verify_digest(tpm, key, digest, signature, context=b"context")
    ticket = tpm.execute(commands.VerifyDigestSignature(key.handle, b"context", digest, signature)).validation
    assert (ticket.tag, ticket.metadata, len(ticket.hmac)) == (TPM_ST.DIGEST_VERIFIED, TPM_ALG.SHA512, 64)
    with pytest.raises(TpmError) as refused:
        calls.sign_digest(tpm, key, bytes(32))
    assert refused.value.code == TPM_RC.SIZE


def test_external_mu(tpm: Tpm) -> None:
    mu = bytes(range(64))
    key = create_primary(tpm, TPM_RH.OWNER, templates.signing("mldsa65:extmu"))
    signature = calls.sign_digest(tpm, key, mu)
    bridges.verify_signature(key.public, signature, digest=mu)
    assert calls.verify_digest(tpm, key, mu, signature)
    ticket = tpm.execute(commands.VerifyDigestSignature(key.handle, b"", mu, signature)).validation
    assert (ticket.hierarchy, ticket.metadata, ticket.hmac) == (TPM_RH.NULL, TPM_ALG.NULL, b"")
    assert not calls.verify_digest(tpm, key, bytes(64), signature)
    for junk in (b"", bytes(3309), b"\xff" * 3309):
        assert not calls.verify_digest(tpm, key, mu, TPMT_SIGNATURE(TPM_ALG.MLDSA, junk))
    usual = create_primary(tpm, TPM_RH.OWNER, templates.signing("mldsa65"))
    with pytest.raises(TpmError) as refused:
        calls.sign_digest(tpm, usual, mu)
    assert refused.value.code == TPM_RC.ATTRIBUTES


def test_refused_signatures(tpm: Tpm) -> None:
    key = create_primary(tpm, TPM_RH.OWNER, templates.attestation("mldsa44"))
    other = create_primary(tpm, TPM_RH.OWNER, templates.signing("mldsa44"))
    started = tpm.execute(commands.SignSequenceStart(key.handle)).sequence_handle
    attested = b"\xffTCG pretends to be an attestation"
    ticket = TPMT_TK_HASHCHECK(TPM_ST.HASHCHECK, TPM_RH.NULL, b"")
    for command, code in (
        (commands.SignSequenceComplete(started, other.handle, b"message"), TPM_RC.SIGN_CONTEXT_KEY),
        (commands.SignSequenceComplete(started, key.handle, attested), TPM_RC.VALUE),
        (commands.SequenceComplete(started, b"message"), TPM_RC.MODE),
        (commands.Sign(other.handle, bytes(32), NO_SCHEME, ticket), TPM_RC.KEY),
        (commands.VerifySequenceStart(key.handle, hint=b"hint"), TPM_RC.VALUE),
        (commands.SignSequenceStart(key.handle, context=bytes(256)), TPM_RC.SIZE),
    ):
        with pytest.raises(TpmError) as refused:
            tpm.execute(command)
        assert refused.value.code == code
    assert tpm.execute(commands.SignSequenceComplete(started, key.handle, b"message")).signature is not None


@pytest.mark.parametrize("name", ["mldsa87", "hashmldsa44:sha384"])
def test_quote(tpm: Tpm, name: str) -> None:
    template = templates.attestation(name)
    if name.startswith("mldsa"):
        template = template.replace(name_alg=TPM_ALG.SHA512)
    key = create_primary(tpm, TPM_RH.ENDORSEMENT, template)
    quoted = calls.quote(tpm, key, "sha256:16", b"nonce")
    values = calls.pcr_read(tpm, "sha256:16")
    checked = attest.verify(
        quoted.message, quoted.signature, key.public, nonce=b"nonce", pcrs="sha256:16", values=values
    )
    assert checked.values == values


@pytest.mark.parametrize(
    ("name", "kind"),
    [("mlkem512", None), ("mlkem768", mlkem.MLKEM768PublicKey), ("mlkem1024", mlkem.MLKEM1024PublicKey)],
)
def test_shared_secret(tpm: Tpm, name: str, kind: Any) -> None:
    key = create_primary(tpm, TPM_RH.OWNER, templates.decryption(name))
    made = calls.encapsulate(tpm, key)
    assert calls.decapsulate(tpm, key, made.ciphertext) == made.secret
    if kind is not None:
        secret, ciphertext = kind.from_public_bytes(key.public.unique).encapsulate()
        assert calls.decapsulate(tpm, key, ciphertext) == secret
    changed = bytes([made.ciphertext[0] ^ 1]) + made.ciphertext[1:]
    assert calls.decapsulate(tpm, key, changed) != made.secret
    with pytest.raises(TpmError) as refused:
        calls.decapsulate(tpm, key, made.ciphertext[:-1])
    assert refused.value.code == TPM_RC.SIZE


def test_shared_secret_of_a_curve(tpm: Tpm) -> None:
    """RFC 9180, Appendix A.3.1, and both commands."""
    curve = ecc.CURVES[3]
    own = 0xF3CE7FDAE57E1A310D87F1EBBDE6F328BE0A99CDBCADF4D6589CF29DE4B8FFD2
    ephemeral = curve.multiply(0x4995788EF4B9D6132B249CE59A77281493EB39AF373D236A1FE415CB0C2D7BEB, curve.g)
    context = dhkem.to_octets(curve, ephemeral) + dhkem.to_octets(curve, curve.multiply(own, curve.g))
    shared = curve.multiply(own, ephemeral)[0].to_bytes(32, "big")
    found = dhkem.derive_shared_secret(TPM_ALG.SHA256, 0x10, shared, context)
    assert found.hex() == "c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8"

    template = templates.decryption("ecc384")
    parameters: Any = template.parameters
    kdf = TPMT_KDF_SCHEME(TPM_ALG.HKDF, TPMS_SCHEME_HASH(TPM_ALG.SHA384))
    key = create_primary(tpm, TPM_RH.OWNER, template.replace(parameters=parameters.replace(kdf=kdf)))
    made = calls.encapsulate(tpm, key)
    assert calls.decapsulate(tpm, key, made.ciphertext) == made.secret
    with pytest.raises(TpmError) as refused:
        calls.decapsulate(tpm, key, b"\x04" + bytes(96))
    assert refused.value.code == TPM_RC.ECC_POINT


@pytest.mark.parametrize("parameter_set", [TPM_MLKEM.MLKEM_512, TPM_MLKEM.MLKEM_768, TPM_MLKEM.MLKEM_1024])
def test_salted_session(tpm: Tpm, parameter_set: TPM_MLKEM) -> None:
    key = create_primary(tpm, TPM_RH.ENDORSEMENT, templates.ek_mlkem(parameter_set))
    pin = Pin(key.name, key.public, key.handle)
    (session,) = protected_sessions(tpm, [TPM_SE.HMAC], pin=pin)
    assert len(calls.random(tpm, 16, session.use(encrypt=True))) == 16


def test_children_of_a_storage_key(tpm: Tpm) -> None:
    parent = create_primary(tpm, TPM_RH.OWNER, templates.storage(STORAGE))
    blob = calls.seal(tpm, parent, b"kept", auth=b"password")
    assert calls.unseal(tpm, parent, blob, by=Password(b"password")) == b"kept"
    key = calls.load(tpm, parent, calls.create(tpm, parent, "mldsa44"))
    saved = tpm.execute(commands.ContextSave(key.handle)).context
    loaded = tpm.execute(commands.ContextLoad(saved)).loaded_handle
    assert tpm.execute(commands.ReadPublic(loaded)).out_public == key.public


def test_credential(tpm: Tpm) -> None:
    key = create_primary(tpm, TPM_RH.OWNER, templates.storage(STORAGE))
    made = make_credential(key.public, key.name, b"secret")
    activate = commands.ActivateCredential(key.handle, key.handle, made.blob, made.seed)
    assert tpm.execute(activate, Password(), Password()).cert_info == b"secret"
    ours = tpm.execute(commands.MakeCredential(key.handle, b"another", key.name))
    activate = commands.ActivateCredential(key.handle, key.handle, ours.credential_blob, ours.secret)
    assert tpm.execute(activate, Password(), Password()).cert_info == b"another"


def test_duplicate(tpm: Tpm) -> None:
    """A key goes from one TPM to another, whose parent is an ML-KEM key; the host wraps one as well."""
    parent = create_primary(tpm, TPM_RH.OWNER, templates.storage(STORAGE))
    policy = to_any(with_auth=False)
    template = templates.parse_template("mldsa44", "sign|userwithauth|sensitivedataorigin", policy=policy)
    key = calls.load(tpm, parent, calls.create(tpm, parent, template))
    with Tpm(SoftTransport()) as other:
        new = create_primary(other, TPM_RH.OWNER, templates.storage("mlkem1024:null:aes256cfb"))
        with calls.satisfy_policy(tpm, policy) as by:
            wrapped = calls.duplicate(tpm, key, new.public, by=by)
        moved = calls.load(other, new, calls.import_wrapped(other, new, wrapped))
        signature = calls.sign_sequence(other, moved, b"message")
        bridges.verify_signature(key.public, signature, b"message")


@pytest.mark.parametrize("name", ["mldsa44", "hashmldsa65:sha256"])
def test_policies_signed_and_authorized(tpm: Tpm, name: str) -> None:
    """TPM2_PolicySigned accepts the key's signature, TPM2_PolicyAuthorize the ticket of its verification."""
    key = create_primary(tpm, TPM_RH.OWNER, templates.signing(name))
    start = SessionStart(TPM_SE.POLICY, TPM_ALG.SHA256)
    session = start.finish(tpm.execute(start.command)).handle
    signature = calls.sign_sequence(tpm, key, bytes(4) + b"ref")
    tpm.execute(commands.PolicySigned(key.handle, session, b"", b"", b"ref", 0, signature))
    with pytest.raises(TpmError, match="SIGNATURE"):
        tpm.execute(commands.PolicySigned(key.handle, session, b"", b"", b"other", 0, signature))
    approved = tpm.execute(commands.PolicyGetDigest(session)).policy_digest
    signature = calls.sign_sequence(tpm, key, approved + b"ref")
    if name == "mldsa44":
        started = tpm.execute(commands.VerifySequenceStart(key.handle)).sequence_handle
        tpm.execute(commands.SequenceUpdate(started, approved + b"ref"))
        ticket = tpm.execute(commands.VerifySequenceComplete(started, key.handle, signature)).validation
    else:
        digest = hashlib.sha256(approved + b"ref").digest()
        ticket = tpm.execute(commands.VerifyDigestSignature(key.handle, b"", digest, signature)).validation
    with pytest.raises(TpmError, match="VALUE"):
        tpm.execute(commands.PolicyAuthorize(session, approved, b"other", key.name, ticket))
    tpm.execute(commands.PolicyAuthorize(session, approved, b"ref", key.name, ticket))


def test_external_keys(tpm: Tpm) -> None:
    key = create_primary(tpm, TPM_RH.OWNER, templates.signing("mldsa65"))
    signature = calls.sign_sequence(tpm, key, b"message")
    public = key.public.replace(object_attributes=TPMA_OBJECT.SIGN_ENCRYPT)
    loaded = tpm.execute(commands.LoadExternal(None, public, TPM_RH.OWNER))
    found = tpm.execute(commands.VerifySequenceStart(loaded.object_handle)).sequence_handle
    tpm.execute(commands.SequenceUpdate(found, b"message"))
    ticket = tpm.execute(commands.VerifySequenceComplete(found, loaded.object_handle, signature)).validation
    assert (ticket.tag, ticket.hierarchy) == (TPM_ST.MESSAGE_VERIFIED, TPM_RH.OWNER)
    for name in ("mldsa65", "mlkem512"):
        template = templates.signing(name) if "dsa" in name else templates.decryption(name)
        with pytest.raises(TpmError) as refused:
            tpm.execute(commands.LoadExternal(None, template.replace(unique=bytes(99)), TPM_RH.OWNER))
        assert refused.value.rc == 0x2DC


def test_the_seed_repeats_keys() -> None:
    found = []
    for _ in range(2):
        with Tpm(SoftTransport(b"word")) as tpm:
            key = create_primary(tpm, TPM_RH.OWNER, templates.decryption("mlkem768"))
            found.append((key.name, calls.encapsulate(tpm, key)))
    assert found[0] == found[1]


def test_reported(tpm: Tpm) -> None:
    answer: Any = tpm.execute(commands.GetCapability(TPM_CAP.ALGS, TPM_ALG.MLKEM, 9)).capability_data.data
    assert [one.alg for one in answer] == [TPM_ALG.MLKEM, TPM_ALG.MLDSA, TPM_ALG.HASH_MLDSA]
    listed: Any = tpm.execute(commands.GetCapability(TPM_CAP.COMMANDS, 0x1A3, 9)).capability_data.data
    assert [TPM_CC(value & 0xFFFF) for value in listed] == list(range(0x1A3, 0x1AB))


def test_without_the_packages() -> None:
    """The TPM does not report the algorithms, and its observer names the extra."""
    script = """
import sys
sys.modules["kyber_py"] = None
from tpmwire import Tpm, commands
from tpmwire.errors import TpmError
from tpmwire.keys import templates
from tpmwire.primary import create_primary
from tpmwire.soft import SoftTransport
from tpmwire.spec.properties import TPM_CAP
with Tpm(SoftTransport(observe=print)) as tpm:
    print(tpm.execute(commands.GetCapability(TPM_CAP.ALGS, 0xA0, 9)).capability_data.data)
    try:
        create_primary(tpm, 0x40000001, templates.signing("mldsa44"))
    except TpmError as error:
        print(error.name, error.parameter)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert "\n()\n" in done.stdout
    assert "pip install 'tpmwire[soft]'" in done.stdout
    assert done.stdout.endswith("TPM_RC_TYPE 2\n")
