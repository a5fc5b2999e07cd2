"""TPM 2.0 Library 1.85, as wolfTPM's server speaks it (fixtures/captures/tpm185.jsonl)."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa, mlkem
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dilithium_py.ml_dsa import HASH_ML_DSA_65_WITH_SHA512, HASH_ML_DSA_87_WITH_SHA512

from cli.tpm.inventory import describe_public
from tests.unit.test_wire_recorded import leaves
from tpmwire import Tpm, attest, calls, exchange, sessions
from tpmwire.attest.credentials import make_credential
from tpmwire.channel import Pin, protected_sessions
from tpmwire.crypto import salt
from tpmwire.crypto.aes import cfb
from tpmwire.crypto.formulas import digest_size, hmac_digest, kdfa
from tpmwire.crypto.salt import secret_of_kem
from tpmwire.errors import AttestationError, EncodeError, SignatureError
from tpmwire.explain import Node, as_text, explain_command, explain_response
from tpmwire.explain.recording import explain_recording
from tpmwire.keys import bridges, templates
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.primary import create_primary
from tpmwire.secret import Secret
from tpmwire.spec.attestation import TPMS_ATTEST, TPMS_CLOCK_INFO, TPMS_QUOTE_INFO
from tpmwire.spec.constants import (
    TPM_ALG,
    TPM_CC,
    TPM_GENERATED_VALUE,
    TPM_MLDSA,
    TPM_MLKEM,
    TPM_RH,
    TPM_SE,
    TPM_ST,
)
from tpmwire.spec.structures import TPMS_SIGNATURE_HASH_MLDSA, TPMT_PUBLIC, TPMT_SIGNATURE
from tpmwire.transport import Transport
from tpmwire.wire import parse_command, parse_response

ROOT = Path(__file__).parents[2]
LINES = [json.loads(line) for line in (ROOT / "fixtures/captures/tpm185.jsonl").read_text().splitlines()]
PAIRS = [(bytes.fromhex(line["command"]), bytes.fromhex(line["response"])) for line in LINES]


def of(code: TPM_CC, note: str = "") -> Iterator[tuple[Any, Any, dict[str, bytes]]]:
    """Command, response and facts of each successful exchange with this code, in the lines with this note."""
    for line, (sent, received) in zip(LINES, PAIRS, strict=True):
        if int.from_bytes(sent[6:10], "big") == code and not received[9] and note in line["note"]:
            facts = {k: bytes.fromhex(v) for k, v in line.items() if k not in ("note", "command", "response")}
            command = parse_command(sent)
            yield command.command, parse_response(received, command).response, facts


class Replay(Transport):
    """A TPM that has the recorded response for each recorded command, and no other."""

    def __init__(self) -> None:
        self.timeout = 5.0
        self.path = "replay"
        self.answers: dict[bytes, list[bytes]] = {}
        for command, response in PAIRS:
            self.answers.setdefault(command, []).append(response)

    def transceive(self, command: bytes) -> bytes:
        found = self.answers[command]
        return found.pop(0) if len(found) > 1 else found[0]

    def close(self) -> None:
        pass


@pytest.mark.parametrize("pair", PAIRS, ids=range(len(PAIRS)))
def test_parsed_rebuilt_and_explained(pair: tuple[bytes, bytes]) -> None:
    command, response = pair
    sent = parse_command(command)
    assert not isinstance(sent.command, bytes)
    assert sent.build() == command
    assert parse_response(response, sent).build() == response
    for tree, data in ((explain_command(command), command), (explain_response(response, command), response)):
        assert not tree.error
        assert leaves(tree) == data
        assert "unknown" not in as_text(tree)


def test_every_new_command_was_recorded() -> None:
    seen = {int.from_bytes(command[6:10], "big") for command, _ in PAIRS}
    assert {code for code in TPM_CC if 0x1A3 <= code <= 0x1AA} <= seen


def test_salted_sessions_open() -> None:
    """With the salts, each HMAC is valid, and the shared secrets of TPM2_Encapsulate are decrypted."""
    salts = [Secret(facts["salt"]) for _, _, facts in of(TPM_CC.StartAuthSession)]
    assert [len(salt.reveal()) for salt in salts] == [32, 48, 64]
    trees = explain_recording(PAIRS, salts).trees
    secrets = [facts["secret"] for _, _, facts in of(TPM_CC.Encapsulate)]
    assert len(secrets) == 3
    assert {*secrets} <= decrypted(trees)
    assert not decrypted(explain_recording(PAIRS).trees)
    # Per session: three commands and three responses.
    assert sum("holds with sessionKey" in as_text(tree) for tree in trees) == 18


def decrypted(trees: Iterable[Node]) -> set[bytes]:
    """The contents of all shared secrets that were decrypted."""
    found = set()
    for tree in trees:
        found |= {node.octets[2:] for node in tree.beside if node.name == "sharedSecret"}
        found |= decrypted(tree.children)
    return found


def test_secrets_of_ciphertexts() -> None:
    """The TPM's results of TPM2_Decapsulate in cleartext are the secrets that TPM2_Encapsulate encrypted."""
    secrets = {facts["secret"] for _, _, facts in of(TPM_CC.Encapsulate)}
    clear = {response.shared_secret for _, response, facts in of(TPM_CC.Decapsulate) if not facts}
    assert secrets == clear


def test_endorsement_templates() -> None:
    created = [command.in_public for command, _, _ in of(TPM_CC.CreatePrimary, "endorsement")]
    kinds = [TPM_MLKEM.MLKEM_512, TPM_MLKEM.MLKEM_768, TPM_MLKEM.MLKEM_1024]
    assert created[::2] == [templates.ek_mlkem(kind) for kind in kinds]
    signing = templates.ek_mldsa(TPM_MLDSA.MLDSA_87)
    assert (signing.name_alg, signing.object_attributes) == (TPM_ALG.SHA512, 0x500B2)


def test_calls_send_the_recorded_commands() -> None:
    """A program's calls, replayed: the same bytes, and the values in the recorded responses."""
    with Tpm(Replay()) as tpm:
        for name in ("mldsa44", "mldsa65", "hashmldsa87:sha512"):
            key = create_primary(tpm, TPM_RH.OWNER, templates.signing(name))
            signature = calls.sign_sequence(tpm, key, b"message", context=b"context")
            assert calls.verify_sequence(tpm, key, b"message", signature, context=b"context")
            assert not calls.verify_sequence(tpm, key, b"another message", signature, context=b"context")
            if name.startswith("hash"):
                digest = hashlib.sha512(b"message").digest()
                signed = calls.sign_digest(tpm, key, digest, context=b"context")
                assert calls.verify_digest(tpm, key.public, digest, signed, context=b"context")
            tpm.flush(key.handle)


def test_messages_are_signed_in_a_sequence() -> None:
    """`sign_message` does not send TPM2_Sign for an ML-DSA key, nor `verify_message` TPM2_VerifySignature."""
    sent: list[bytes] = []

    class Watched(Replay):
        def transceive(self, command: bytes) -> bytes:
            sent.append(command)
            return super().transceive(command)

    with Tpm(Watched()) as tpm:
        key = create_primary(tpm, TPM_RH.OWNER, templates.signing("mldsa44"))
        calls.sign_message(tpm, key, b"message")
        codes = [int.from_bytes(command[6:10], "big") for command in sent]
        assert codes[1:3] == [TPM_CC.SignSequenceStart, TPM_CC.SignSequenceComplete]
        with pytest.raises(KeyError):  # of the replay, which has no such command
            calls.verify_message(tpm, key, b"message", TPMT_SIGNATURE(TPM_ALG.MLDSA, bytes(2420)))
        assert int.from_bytes(sent[-1][6:10], "big") == TPM_CC.VerifySequenceStart
        tpm.flush(key.handle)


def test_session_salted_to_an_mlkem_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library opens the recorded session: it sends the same HMACs, and accepts the TPM's."""
    note = "MLKEM_512 endorsement"
    ((start, _, facts),) = of(TPM_CC.StartAuthSession, note)
    nonces = [start.nonce_caller]
    for line, (sent, _) in zip(LINES, PAIRS, strict=True):
        if note in line["note"]:
            nonces += [auth.nonce for auth in parse_command(sent).authorizations if auth.nonce]
    monkeypatch.setattr(sessions, "random_bytes", lambda count: nonces.pop(0))
    monkeypatch.setattr(exchange, "random_bytes", lambda count: nonces.pop(0))
    sealed = Secret(facts["salt"]), start.encrypted_salt
    monkeypatch.setattr(salt, "seal_secret", lambda public: sealed)
    with Tpm(Replay()) as tpm:
        endorsement = create_primary(tpm, TPM_RH.ENDORSEMENT, templates.ek_mlkem(TPM_MLKEM.MLKEM_512))
        pin = Pin(endorsement.name, endorsement.public, endorsement.handle)
        (session,) = protected_sessions(tpm, [TPM_SE.HMAC], pin=pin)
        key = create_primary(tpm, TPM_RH.OWNER, templates.decryption("mlkem512"), session.use(encrypt=True))
        found = calls.encapsulate(tpm, key, session.use(encrypt=True))
        ((_, _, expected),) = of(TPM_CC.Encapsulate, note)
        assert found.secret == expected["secret"]
        assert calls.decapsulate(tpm, key, found.ciphertext) == found.secret
        for handle in (key.handle, session.handle, endorsement.handle):
            tpm.flush(handle)


def created(name: str) -> TPMT_PUBLIC:
    template = templates.signing(name)
    return next(
        response.out_public for command, response, _ in of(TPM_CC.CreatePrimary) if command.in_public == template
    )


@pytest.mark.parametrize(
    ("name", "kind"), [("mldsa44", mldsa.MLDSA44PublicKey), ("mldsa65", mldsa.MLDSA65PublicKey)]
)
def test_signatures_verified_by_cryptography(name: str, kind: Any) -> None:
    ((_, response, facts),) = of(TPM_CC.SignSequenceComplete, f"signatures of {name}")
    key = kind.from_public_bytes(created(name).unique)
    key.verify(response.signature.signature, facts["message"], facts["context"])


def test_signatures_verified_by_dilithium_py() -> None:
    public = created("hashmldsa87:sha512").unique
    note = "signatures of hashmldsa87"
    signatures = [*of(TPM_CC.SignSequenceComplete, note), *of(TPM_CC.SignDigest, note)]
    assert len(signatures) == 2
    for _, response, facts in signatures:
        value = response.signature.signature
        assert value.hash == TPM_ALG.SHA512
        assert HASH_ML_DSA_87_WITH_SHA512.verify(public, facts["message"], value.signature, ctx=facts["context"])


def test_credential_opened_on_the_host() -> None:
    """MakeCredential for an ML-KEM key: KDFa with IDENTITY, then STORAGE and INTEGRITY as ever (Part 1, §24)."""
    ((command, response, facts),) = of(TPM_CC.MakeCredential)
    key = mlkem.MLKEM768PrivateKey.from_seed_bytes(facts["seed"])
    unique = key.public_key().public_bytes_raw()
    public = templates.storage("mlkem768:null:aes128cfb").replace(unique=unique)
    shared = Secret(key.decapsulate(response.secret))
    seed = secret_of_kem(public, b"IDENTITY", shared, response.secret).reveal()
    blob = response.credential_blob
    size = int.from_bytes(blob[:2], "big")
    integrity, encrypted = blob[2 : 2 + size], blob[2 + size :]
    hmac_key = kdfa(TPM_ALG.SHA256, seed, b"INTEGRITY", b"", b"", 8 * digest_size(TPM_ALG.SHA256))
    assert hmac_digest(TPM_ALG.SHA256, hmac_key, encrypted, command.object_name) == integrity
    cipher_key = kdfa(TPM_ALG.SHA256, seed, b"STORAGE", command.object_name, b"", 128)
    assert cfb(cipher_key, bytes(16), encrypted, False)[2:] == b"the credential"


@pytest.mark.parametrize(
    ("parameter_set", "kind"),
    [(TPM_MLKEM.MLKEM_768, mlkem.MLKEM768PrivateKey), (TPM_MLKEM.MLKEM_1024, mlkem.MLKEM1024PrivateKey)],
)
def test_credential_made_on_the_host(parameter_set: TPM_MLKEM, kind: Any) -> None:
    """`make_credential` for an ML-KEM endorsement key, opened as a TPM would open it."""
    key = kind.from_seed_bytes(bytes(range(64)))
    ek = templates.ek_mlkem(parameter_set).replace(unique=key.public_key().public_bytes_raw())
    name = b"\0\x0b" + bytes(32)
    made = make_credential(ek, name, b"secret")
    seed = secret_of_kem(ek, b"IDENTITY", Secret(key.decapsulate(made.seed)), made.seed).reveal()
    size = digest_size(ek.name_alg)
    integrity, encrypted = made.blob[2 : 2 + size], made.blob[2 + size :]
    hmac_key = kdfa(ek.name_alg, seed, b"INTEGRITY", b"", b"", 8 * size)
    assert hmac_digest(ek.name_alg, hmac_key, encrypted, name) == integrity
    assert cfb(kdfa(ek.name_alg, seed, b"STORAGE", name, b"", 256), bytes(16), encrypted, False) == b"\0\x06secret"


@pytest.mark.parametrize(
    ("name", "kind"), [("mldsa44", mldsa.MLDSA44PrivateKey), ("hashmldsa65:sha512", mldsa.MLDSA65PrivateKey)]
)
def test_verify_signature(name: str, kind: Any) -> None:
    """Signatures of `cryptography` and dilithium-py, and the refusal of all that differs."""
    private = kind.from_seed_bytes(bytes(32))
    unique = private.public_key().public_bytes_raw()
    public = bridges.from_cryptography(private, templates.signing(name))
    assert public == templates.signing(name).replace(unique=unique)
    if name.startswith("hash"):
        _, secret = HASH_ML_DSA_65_WITH_SHA512.key_derive(bytes(32))
        value = HASH_ML_DSA_65_WITH_SHA512.sign(secret, b"message", ctx=b"context")
        signature = TPMT_SIGNATURE(TPM_ALG.HASH_MLDSA, TPMS_SIGNATURE_HASH_MLDSA(TPM_ALG.SHA512, value))
        digest = hashlib.sha512(b"message").digest()
    else:
        signature = TPMT_SIGNATURE(TPM_ALG.MLDSA, private.sign(b"message", b"context"))
        digest = hashlib.shake_256(hashlib.shake_256(unique).digest(64) + b"\0\x07contextmessage").digest(64)
    bridges.verify_signature(public, signature, b"message", context=b"context")
    bridges.verify_signature(public, signature, digest=digest, context=b"context")
    for data, context in ((b"Message", b"context"), (b"message", b""), (b"message", b"contex")):
        with pytest.raises(SignatureError, match="not valid"):
            bridges.verify_signature(public, signature, data, context=context)
    with pytest.raises(SignatureError, match="expected a"):
        bridges.verify_signature(public, signature, digest=bytes(20), context=b"context")
    other = templates.signing("hashmldsa65:sha512" if name == "mldsa44" else "mldsa44").replace(unique=unique)
    with pytest.raises(SignatureError, match="expected a key of type"):
        bridges.verify_signature(other, signature, b"message", context=b"context")


@pytest.mark.parametrize("name", ["mldsa44", "mldsa65", "hashmldsa87:sha512"])
def test_recorded_signatures_are_valid(name: str) -> None:
    signed = [*of(TPM_CC.SignSequenceComplete, name[:9]), *of(TPM_CC.SignDigest, name[:9])]
    assert signed
    for _, response, facts in signed:
        bridges.verify_signature(created(name), response.signature, facts["message"], context=facts["context"])


def test_imported_key_has_signed() -> None:
    """The key that the host wrapped for an ML-KEM parent is the key with which the TPM signed."""
    ((command, _, _),) = of(TPM_CC.Import)
    ((_, response, facts),) = of(TPM_CC.SignDigest, "key wrapped")
    bridges.verify_signature(command.object_public, response.signature, facts["message"])


KEYS = [
    ("mldsa44", mldsa.MLDSA44PrivateKey),
    ("mldsa65", mldsa.MLDSA65PrivateKey),
    ("mldsa87", mldsa.MLDSA87PrivateKey),
    ("mlkem768", mlkem.MLKEM768PrivateKey),
    ("mlkem1024", mlkem.MLKEM1024PrivateKey),
]


@pytest.mark.parametrize(("name", "kind"), KEYS)
def test_keys_in_other_formats(name: str, kind: Any) -> None:
    key = kind.generate().public_key()
    public = bridges.from_cryptography(key)
    assert bridges.to_cryptography(public) == key
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert bridges.to_pem(public).encode() == pem
    assert bridges.parse_public(pem) == public
    template = templates.storage(name) if "kem" in name else templates.attestation(name)
    assert bridges.parse_public(pem, template) == template.replace(unique=key.public_bytes_raw())
    with pytest.raises(EncodeError, match="template type ECC"):
        bridges.parse_public(pem, templates.srk_ecc())
    for convert in (bridges.to_jwk, bridges.to_ssh):
        with pytest.raises(EncodeError, match="does not support"):
            convert(public)


def test_unsupported_parameter_set() -> None:
    public = templates.storage("mlkem512").replace(unique=bytes(800))
    assert bridges.parse_public(bridges.to_pem(public), templates.storage("mlkem512")) == public
    with pytest.raises(EncodeError, match="installed cryptography"):
        bridges.to_cryptography(public)


def test_quote_of_an_mldsa_key() -> None:
    """The digest of a quote by ML-DSA is computed with nameAlg."""
    private = mldsa.MLDSA65PrivateKey.from_seed_bytes(bytes(32))
    public = bridges.from_cryptography(private, templates.attestation("mldsa65")).replace(name_alg=TPM_ALG.SHA384)
    values = {(TPM_ALG.SHA256, 7): bytes(32)}
    info = TPMS_QUOTE_INFO(parse_pcrs("sha256:7"), hashlib.sha384(bytes(32)).digest())
    message = TPMS_ATTEST(
        TPM_GENERATED_VALUE,
        TPM_ST.ATTEST_QUOTE,
        b"",
        b"nonce",
        TPMS_CLOCK_INFO(0, 0, 0, True),
        0,
        info,
    ).build()
    signature = TPMT_SIGNATURE(TPM_ALG.MLDSA, private.sign(message))
    quote = attest.verify(message, signature, public, nonce=b"nonce", pcrs="sha256:7", values=values)
    assert quote.values == values
    with pytest.raises(AttestationError):
        attest.verify(message + b"\0", signature, public, nonce=b"nonce", pcrs="sha256:7", values=values)
    forged = TPMT_SIGNATURE(TPM_ALG.MLDSA, bytes(3309))
    with pytest.raises(AttestationError):
        attest.verify(message, forged, public, nonce=b"nonce", pcrs="sha256:7", values=values)


@pytest.mark.parametrize(
    ("public", "text"),
    [
        (templates.storage("mlkem768"), "ML-KEM-768 storage key"),
        (templates.decryption("mlkem1024"), "ML-KEM-1024 key"),
        (templates.signing("mldsa44"), "ML-DSA-44 key"),
        (templates.signing("hashmldsa87:sha512"), "HashML-DSA-87 with SHA512 key"),
    ],
)
def test_described_in_lists(public: TPMT_PUBLIC, text: str) -> None:
    assert describe_public(public) == text
