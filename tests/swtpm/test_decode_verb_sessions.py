"""Recordings of real sessions, opened with the keys that their reader knows: the plaintexts are what was sent."""

import json
from pathlib import Path

import pytest

from tests.support.recording import AES, DATA, PASSWORD, XOR, Bench, bench, beside, content, hmacs
from tests.support.salt_keys import SALT_KEYS, SEALED
from tests.support.verbs import Tool
from tpmwire.errors import TpmError
from tpmwire.explain import as_text, explain_recording
from tpmwire.policy import statements
from tpmwire.policy.policy import Policy
from tpmwire.secret import Secret
from tpmwire.sessions import Password, SessionStart
from tpmwire.spec.commands.context import ContextLoad, ContextSave, EvictControl
from tpmwire.spec.commands.hierarchy import CreatePrimary, HierarchyChangeAuth
from tpmwire.spec.commands.nv import NV_DefineSpace, NV_Read, NV_Write
from tpmwire.spec.commands.objects import Create, Load, Unseal
from tpmwire.spec.commands.policies import PolicyAuthValue, PolicyCommandCode, PolicyGetDigest, PolicyPassword
from tpmwire.spec.commands.random import GetRandom
from tpmwire.spec.commands.sequences import HashSequenceStart, SequenceUpdate
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPM_SE
from tpmwire.spec.properties import TPMA_NV
from tpmwire.spec.storage import TPMS_NV_PUBLIC
from tpmwire.spec.structures import TPMS_SENSITIVE_CREATE, TPMT_PUBLIC, TPMT_SYM_DEF

__all__ = ["bench"]

AES_256 = TPMT_SYM_DEF(TPM_ALG.AES, 256, TPM_ALG.CFB)
OWNER = b"the owner's"


@pytest.mark.parametrize("alg", [TPM_ALG.SHA1, TPM_ALG.SHA256, TPM_ALG.SHA384], ids=lambda alg: alg.name)
@pytest.mark.parametrize("cipher", ["xor", "aes-128", "aes-256"])
def test_a_salted_session_is_opened_to_the_exact_plaintexts(bench: Bench, cipher: str, alg: TPM_ALG) -> None:
    ciphers = {"xor": TPMT_SYM_DEF(TPM_ALG.XOR, alg), "aes-128": AES, "aes-256": AES_256}
    session = bench.salted(ciphers[cipher], alg=alg)
    sensitive = TPMS_SENSITIVE_CREATE(PASSWORD, DATA)
    created = bench.tpm.execute(Create(bench.parent, sensitive, SEALED), session.use(decrypt=True, encrypt=True))
    loaded = bench.tpm.execute(Load(bench.parent, created.out_private, created.out_public), session.use())
    bench.tpm.execute(Unseal(loaded.object_handle), session.use(PASSWORD, encrypt=True, keep=False))
    assert DATA not in bench.relay.octets
    # The password is learned from the command that sets it, once that is open.
    talk = bench.talk()
    assert [content(node) for node in beside(talk, "userAuth")] == [PASSWORD]
    assert [content(node) for node in beside(talk, "data")] == [DATA]
    assert [content(node) for node in beside(talk, "outPrivate")] == [created.out_private]
    assert [content(node) for node in beside(talk, "outData")] == [DATA]
    assert [node.octets for node in beside(talk, "sessionKey")] == [b"", session.session_key.reveal()]
    said = hmacs(talk)
    assert len(said) >= 6
    assert set(said) == {"holds with sessionKey || authValue"}
    life = talk.histories[0]
    assert [step.code for step in life.steps][:1] == [TPM_CC.StartAuthSession]
    assert (life.ended, life.steps[-1].code, life.steps[-1].verdict) == (True, TPM_CC.Unseal, "HMACs valid")


def test_without_the_right_salt_nothing_is_opened(bench: Bench) -> None:
    session = bench.salted(AES)
    bench.tpm.execute(GetRandom(8), session.use(encrypt=True))
    wrong = bench.talk(salted=False)
    assert {text.partition(":")[0] for text in hmacs(wrong)} == {"not proven"}
    assert beside(wrong, "randomBytes") == []
    none = explain_recording(bench.recorded)
    assert {text.partition(":")[0] for text in hmacs(none)} == {"not checked"}
    assert "its salt is not known" in as_text(none.trees[-1])
    assert beside(none, "randomBytes") == []


def test_a_changed_answer_is_found_and_the_command_still_opened(bench: Bench) -> None:
    session = bench.salted(XOR)
    sensitive = TPMS_SENSITIVE_CREATE(PASSWORD, DATA)
    bench.tpm.execute(Create(bench.parent, sensitive, SEALED), session.use(decrypt=True))
    pairs = bench.recorded
    command, response = pairs[-1]
    pairs[-1] = command, response[:-1] + bytes([response[-1] ^ 1])
    talk = explain_recording(pairs, [bench.salt])
    assert [text[:6] for text in hmacs(talk)][-2:] == ["holds ", "DOES N"]
    assert [content(node) for node in beside(talk, "data")] == [DATA]


def test_a_recording_with_a_gap(bench: Bench) -> None:
    session = bench.tpm.start_session(SessionStart(symmetric=XOR))
    for _ in range(3):
        bench.tpm.execute(GetRandom(8), session.use(audit=True))
    pairs = bench.recorded
    del pairs[-2]
    said = hmacs(explain_recording(pairs))
    assert [text.partition(",")[0] for text in said[-4:]] == [
        "holds with the empty key",
        "holds with the empty key",
        "not valid",
        "holds with the empty key",
    ]


def test_a_bound_session_and_a_companion_and_a_changed_password(bench: Bench) -> None:
    bench.tpm.execute(HierarchyChangeAuth(TPM_RH.OWNER, OWNER), Password())
    bench.relay.clear()
    start = SessionStart(symmetric=AES, bind=TPM_RH.OWNER, bind_auth=Secret(OWNER))
    session = bench.tpm.start_session(start)
    random = bench.tpm.execute(GetRandom(16), session.use(encrypt=True)).random_bytes
    # The first authorization covers the nonce of the one that encrypts, too.
    other = bench.tpm.start_session(SessionStart(symmetric=XOR, bind=TPM_RH.OWNER, bind_auth=Secret(OWNER)))
    bench.tpm.execute(
        CreatePrimary(TPM_RH.OWNER, TPMS_SENSITIVE_CREATE(PASSWORD, b""), SALT_KEYS["p256-sha256"]),
        session.use(OWNER),
        other.use(decrypt=True),
    )
    bench.tpm.execute(HierarchyChangeAuth(TPM_RH.OWNER, b"new"), session.use(OWNER, decrypt=True))
    bench.tpm.execute(HierarchyChangeAuth(TPM_RH.OWNER, b"newer"), session.use(b"new", decrypt=True))
    talk = bench.talk(OWNER)
    assert {text.partition(" with")[0] for text in hmacs(talk)} == {"holds"}
    assert [content(node) for node in beside(talk, "randomBytes")] == [random]
    assert [content(node) for node in beside(talk, "userAuth")] == [PASSWORD]
    assert [content(node) for node in beside(talk, "newAuth")] == [b"new", b"newer"]
    # Without the password that the session is bound to, not a single HMAC is seen to hold.
    assert {text.partition(":")[0] for text in hmacs(bench.talk())} == {"not proven"}


def test_nv_indices_contexts_and_handles_that_come_back(bench: Bench) -> None:
    session = bench.salted(XOR)
    attributes = TPMA_NV.AUTHREAD | TPMA_NV.AUTHWRITE | TPMA_NV.NO_DA
    public = TPMS_NV_PUBLIC(0x01800001, TPM_ALG.SHA256, attributes, b"", 8)
    bench.tpm.execute(NV_DefineSpace(TPM_RH.OWNER, b"index", public), session.use(decrypt=True))
    bench.tpm.execute(NV_Write(0x01800001, 0x01800001, b"8 octets", 0), session.use(b"index", decrypt=True))
    bench.tpm.execute(NV_Read(0x01800001, 0x01800001, 8, 0), session.use(b"index", encrypt=True))
    sensitive = TPMS_SENSITIVE_CREATE(PASSWORD, b"")
    made = bench.tpm.execute(
        CreatePrimary(TPM_RH.NULL, sensitive, SALT_KEYS["p256-sha256"]), session.use(decrypt=True)
    )
    saved = bench.tpm.execute(ContextSave(made.object_handle)).context
    bench.tpm.flush(made.object_handle)
    again = bench.tpm.execute(ContextLoad(saved)).loaded_handle
    inner = TPMS_SENSITIVE_CREATE(b"", DATA)
    bench.tpm.execute(Create(again, inner, SEALED), session.use(PASSWORD, decrypt=True, keep=False))
    talk = bench.talk()
    assert set(hmacs(talk)) == {"holds with sessionKey || authValue"}
    assert [content(node) for node in beside(talk, "auth")] == [b"index"]
    assert [content(node) for node in beside(talk, "data")] == [b"8 octets", b"8 octets", b"", DATA]


def test_a_policy_session_that_wants_the_password(bench: Bench) -> None:
    bench.relay.clear()
    # Its digest first, in a trial session, to seal to it.
    trial = bench.tpm.start_session(SessionStart(TPM_SE.TRIAL))
    steps = [PolicyCommandCode(trial.handle, TPM_CC.Unseal), PolicyAuthValue(trial.handle)]
    for step in steps:
        bench.tpm.execute(step)
    digest: bytes = bench.tpm.execute(PolicyGetDigest(trial.handle)).policy_digest
    bench.tpm.flush(trial.handle)
    public = with_policy(digest)
    session = bench.salted(XOR)
    made = bench.tpm.execute(
        Create(bench.parent, TPMS_SENSITIVE_CREATE(PASSWORD, DATA), public), session.use(decrypt=True)
    )
    item = bench.tpm.execute(Load(bench.parent, made.out_private, made.out_public)).object_handle
    opened = bench.tpm.start_session(SessionStart(TPM_SE.POLICY, symmetric=XOR))
    bench.tpm.execute(PolicyCommandCode(opened.handle, TPM_CC.Unseal))
    bench.tpm.execute(PolicyAuthValue(opened.handle))
    opened.wants_auth_value = True
    bench.tpm.execute(Unseal(item), opened.use(PASSWORD, encrypt=True, keep=False))
    talk = bench.talk()
    assert [content(node) for node in beside(talk, "outData")] == [DATA]
    assert hmacs(talk)[-2:] == ["holds with authValue"] * 2
    life = talk.histories[-1]
    assert [step.name for step in life.policy] == ["TPM2_PolicyCommandCode", "TPM2_PolicyAuthValue"]
    assert life.policy[-1].digest == digest
    assert (life.ended, talk.histories[0].ended) == (True, True)


def with_policy(digest: bytes) -> TPMT_PUBLIC:
    return TPMT_PUBLIC(**{**vars(SEALED), "auth_policy": digest})


def test_the_verb(bench: Bench, tool: Tool, tmp_path: Path) -> None:
    session = bench.salted(AES)
    bench.tpm.execute(
        Create(bench.parent, TPMS_SENSITIVE_CREATE(PASSWORD, DATA), SEALED), session.use(decrypt=True)
    )
    talk = tmp_path / "talk.hex"
    talk.write_text("".join(f"{c.hex()}\n{r.hex()}\n" for c, r in bench.recorded))
    for name, octets in (("hex", bench.salt.reveal().hex().encode() + b"\n"), ("binary", bench.salt.reveal())):
        (tmp_path / name).write_bytes(octets)
        (tmp_path / name).chmod(0o600)
    ways = [
        ("--salt", bench.salt.reveal().hex()),
        *(("--salt-file", tmp_path / name) for name in ("hex", "binary")),
    ]
    for way in ways:
        ran = tool("decode", *way, talk)
        assert (ran.code, ran.err) == (0, "")
        assert f"data: {len(DATA)} bytes, {DATA.decode()!r}" in ran.out
    trees = json.loads(tool("decode", "--json", *ways[0], talk).out)
    created = next(tree for tree in trees if tree["name"] == "TPM2_Create")
    parameter = next(node for node in created["children"] if node["name"] == "inSensitive")
    assert parameter["beside"][0]["children"][-1]["octets"] == (len(DATA).to_bytes(2, "big") + DATA).hex()
    assert DATA.hex(" ")[:23] not in tool("decode", talk).out
    for words in (("--salt", "zz"), ("--auth", "secret")):
        ran = tool("decode", *words, talk)
        assert (ran.code, ran.err.count("\n")) == (2, 1)
        assert words[1] not in ran.err
    assert tool("decode", "--auth", "text:word", "--auth-file", tmp_path / "none", talk).code == 2


def test_a_refused_command_leaves_the_nonces(bench: Bench) -> None:
    session = bench.salted(XOR)
    with pytest.raises(TpmError):
        bench.tpm.execute(HierarchyChangeAuth(TPM_RH.OWNER, b"n"), session.use(b"wrong here", decrypt=True))
    bench.tpm.execute(GetRandom(8), session.use(encrypt=True))
    said = hmacs(bench.talk())
    assert said[0].startswith("not proven")
    assert said[1:] == ["holds with sessionKey"] * 2


def test_a_policy_begins_anew_after_each_use_and_a_password_in_clear_is_learned(bench: Bench) -> None:
    alone = Policy(statements.PolicyPassword())
    public = with_policy(alone.digest())
    made = bench.tpm.execute(Create(bench.parent, TPMS_SENSITIVE_CREATE(PASSWORD, DATA), public), Password())
    item = bench.tpm.execute(Load(bench.parent, made.out_private, made.out_public), Password()).object_handle
    bench.relay.clear()
    session = bench.tpm.start_session(SessionStart(TPM_SE.POLICY, symmetric=XOR))
    for _ in range(2):
        bench.tpm.execute(PolicyPassword(session.handle))
        session.wants_password = True
        bench.tpm.execute(Unseal(item), session.use(PASSWORD, encrypt=True))
    other = bench.salted(XOR)
    bench.tpm.execute(Unseal(item), other.use(PASSWORD, encrypt=True))
    # Nobody gave the password: it crossed in clear, as this policy has it.
    talk = bench.talk()
    assert [step.digest for step in talk.histories[0].policy] == [alone.digest()] * 2
    assert [content(node) for node in beside(talk, "outData")] == [DATA] * 3
    said = hmacs(talk)
    assert set(said[:-2]) == {"the password, in cleartext"}
    assert said[-2:] == ["holds with sessionKey || authValue"] * 2


def test_passwords_sequences_and_persistent_objects(bench: Bench) -> None:
    persistent = 0x81000010
    attributes = TPMA_NV.AUTHREAD | TPMA_NV.AUTHWRITE | TPMA_NV.NO_DA
    public = TPMS_NV_PUBLIC(0x01800001, TPM_ALG.SHA256, attributes, b"", 8)
    bench.tpm.execute(NV_DefineSpace(TPM_RH.OWNER, b"index", public), Password())
    bench.tpm.execute(NV_Write(0x01800001, 0x01800001, b"8 octets", 0), Password(b"index"))
    session = bench.salted(XOR)
    bench.tpm.execute(NV_Read(0x01800001, 0x01800001, 8, 0), session.use(b"index", encrypt=True))
    # A recording without the command that defined the index still has its password, in clear.
    without = [pair for pair in bench.recorded if pair[0][6:10] != TPM_CC.NV_DefineSpace.to_bytes(4, "big")]
    assert len(without) == len(bench.recorded) - 1
    talk = explain_recording(without, [bench.salt])
    assert [content(node) for node in beside(talk, "data")] == [b"8 octets"]
    sequence = bench.tpm.execute(
        HashSequenceStart(b"seq", TPM_ALG.SHA256), session.use(decrypt=True)
    ).sequence_handle
    # A sequence has the empty Name (Part 1, §16), which no command tells.
    bench.tpm.trust_name(sequence, b"")
    bench.tpm.execute(SequenceUpdate(sequence, b"hashed"), session.use(b"seq", decrypt=True))
    bench.tpm.flush(sequence)
    bench.tpm.execute(EvictControl(TPM_RH.OWNER, bench.parent, persistent), session.use())
    sensitive = TPMS_SENSITIVE_CREATE(b"", DATA)
    bench.tpm.execute(Create(persistent, sensitive, SEALED), session.use(decrypt=True))
    # Of the persistent one only the command that made it tells the Name.
    read = TPM_CC.ReadPublic.to_bytes(4, "big") + persistent.to_bytes(4, "big")
    told = [pair for pair in bench.recorded if pair[0][6:14] != read]
    assert len(told) < len(bench.recorded)
    talk = explain_recording(told, [bench.salt])
    assert set(hmacs(talk)) - {"holds with sessionKey"} == {"holds with sessionKey || authValue"}
    assert [content(node) for node in beside(talk, "buffer") if b"hashed" in node.octets] != []
    assert content(beside(talk, "data")[-1]) == DATA


def test_secrets_are_left_out_of_what_stands_beside_too(bench: Bench) -> None:
    session = bench.salted(XOR)
    sensitive = TPMS_SENSITIVE_CREATE(PASSWORD, DATA)
    bench.tpm.execute(Create(bench.parent, sensitive, SEALED), session.use(decrypt=True))
    talk = bench.talk()
    for secrets in (True, False):
        text = "\n".join(as_text(tree, secrets=secrets) for tree in talk.trees)
        for secret in (PASSWORD.decode(), DATA.decode(), session.session_key.reveal()[:8].hex(" ")):
            assert (secret in text) is secrets


def test_a_cipher_whose_password_no_hmac_tells(bench: Bench) -> None:
    only = Policy(statements.PolicyCommandCode(TPM_CC.Unseal))
    sensitive, public = TPMS_SENSITIVE_CREATE(PASSWORD, DATA), with_policy(only.digest())
    made = bench.tpm.execute(Create(bench.parent, sensitive, public), Password())
    item = bench.tpm.execute(Load(bench.parent, made.out_private, made.out_public), Password()).object_handle
    start = len(bench.recorded)
    session = bench.salted(XOR, TPM_SE.POLICY)
    bench.tpm.execute(PolicyCommandCode(session.handle, TPM_CC.Unseal))
    bench.tpm.execute(Unseal(item), session.use(PASSWORD, encrypt=True))
    # Where the recording shows how the object came about, its password is known,
    whole = beside(bench.talk(), "outData")
    assert [content(node) for node in whole] == [DATA]
    assert "authValue" not in whole[0].text
    # else any might be the one, and that is said.
    part = beside(explain_recording(bench.recorded[start:], [bench.salt], [Secret(PASSWORD)]), "outData")
    assert "if the right one of 2 authValues was used" in part[0].text
    alone = explain_recording(bench.recorded[start:], [bench.salt])
    assert {text.partition(";")[0] for text in hmacs(alone)} == {"holds with sessionKey"}
    assert "if the authValue is empty" in beside(alone, "outData")[0].text
