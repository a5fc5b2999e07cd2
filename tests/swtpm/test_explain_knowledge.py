"""What each side of a recorded session knows: the values open and verify the messages of a real TPM."""

import hashlib
import hmac

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES as BlockCipher

from tests.support.recording import AES, DATA, PASSWORD, XOR, Bench, bench
from tests.support.salt_keys import SEALED
from tpmwire.explain import Node, explain_stream
from tpmwire.explain.facts import ALL, ENDS, Fact
from tpmwire.explain.show import hide_secrets
from tpmwire.secret import Secret
from tpmwire.sessions import SessionStart
from tpmwire.spec.commands.objects import Create, Load, Unseal
from tpmwire.spec.commands.policies import PolicyAuthValue, PolicyCommandCode
from tpmwire.spec.constants import TPM_CC, TPM_SE
from tpmwire.spec.structures import TPMS_SENSITIVE_CREATE, TPMT_SYM_DEF

__all__ = ["bench"]  # a fixture

Facts = dict[str, Fact]


def facts_of(tree: Node) -> Facts:
    """The facts about the only session of a message, by name."""
    (known,) = tree.knowledge
    return {fact.name: fact for fact in known.facts}


def value(facts: Facts, name: str) -> bytes:
    found = facts[name].value
    assert found is not None
    return found


def recorded(bench: Bench, cipher: TPMT_SYM_DEF, *salts: Secret) -> dict[str, tuple[Node, Node]]:
    """The trees of command and response by the command's name: a salted session creates, loads and unseals."""
    session = bench.salted(cipher)
    sensitive = TPMS_SENSITIVE_CREATE(PASSWORD, DATA)
    made = bench.tpm.execute(Create(bench.parent, sensitive, SEALED), session.use(decrypt=True))
    loaded = bench.tpm.execute(Load(bench.parent, made.out_private, made.out_public), session.use())
    unsealed = bench.tpm.execute(Unseal(loaded.object_handle), session.use(PASSWORD, encrypt=True, keep=False))
    assert unsealed.out_data == DATA
    trees = list(explain_stream(bench.recorded, salts or [bench.salt], [Secret(PASSWORD)], knowledge=True))
    # swtpm may respond with TPM_RC_RETRY at first.
    pairs = zip(trees[::2], trees[1::2], strict=True)
    return {asked.name: (asked, answered) for asked, answered in pairs}


def verify_hmac(facts: Facts, key: bytes, parts: tuple[str, ...], attributes: int) -> None:
    message = b"".join(value(facts, part) for part in parts) + bytes([attributes])
    assert value(facts, "hmac") == hmac.digest(key, message, "sha256")
    assert facts["hmac"].text.startswith("valid: ")
    assert not facts["hmac"].wrong


def test_the_facts_open_and_verify_the_messages(bench: Bench) -> None:
    trees = recorded(bench, AES)
    start = facts_of(trees["TPM2_StartAuthSession"][1])
    assert value(start, "salt") == bench.salt.reveal()
    assert {fact.name for fact in start.values() if fact.new} == {"nonceTPM", "sessionKey"}
    key = value(start, "sessionKey")

    asked, answered = map(facts_of, trees["TPM2_Create"])
    assert value(asked, "sessionKey") == key
    assert value(asked, "nonceTPM") == value(start, "nonceTPM")
    command = trees["TPM2_Create"][0].octets
    hashed = hashlib.sha256(command[6:10] + value(asked, "Name of 0x80000000") + command[10 + 4 + 4 + 73 :])
    assert value(asked, "cpHash") == hashed.digest()
    verify_hmac(asked, value(asked, "HMAC key"), ("cpHash", "nonceCaller", "nonceTPM"), 0x21)
    verify_hmac(answered, key, ("rpHash", "nonceTPM", "nonceCaller"), 0x21)

    algorithm = BlockCipher(value(asked, "AES-128-CFB key"))
    decryptor = Cipher(algorithm, CFB(value(asked, "IV"))).decryptor()
    size = 2 + len(PASSWORD) + 2 + len(DATA)
    assert DATA in decryptor.update(command[93 : 93 + size])

    asked, answered = map(facts_of, trees["TPM2_Unseal"])
    assert value(asked, "authValue") == PASSWORD
    assert value(asked, "HMAC key") == key + PASSWORD
    verify_hmac(asked, key + PASSWORD, ("cpHash", "nonceCaller", "nonceTPM"), 0x40)
    for facts in (start, asked, answered):
        secrets = {name for name, fact in facts.items() if fact.secret}
        assert {name for name, fact in facts.items() if fact.sides == ENDS} == secrets
        assert all(fact.sides == ALL for name, fact in facts.items() if name not in secrets)
    assert value(asked, "HMAC key").hex() not in repr(trees["TPM2_Unseal"][0].knowledge)
    hidden = facts_of(hide_secrets(trees["TPM2_Unseal"][0], "not shown"))
    assert {name for name, fact in hidden.items() if fact.value is None} == secrets - {"AES-128-CFB key", "IV"} | {
        *("authValue", "HMAC key")
    }


def test_the_mask_of_xor(bench: Bench) -> None:
    _, answered = recorded(bench, XOR)["TPM2_Unseal"]
    mask = value(facts_of(answered), "mask")
    sealed = answered.octets[16 : 16 + len(DATA)]
    assert bytes(a ^ b for a, b in zip(mask, sealed, strict=True)) == DATA


def test_a_session_whose_salt_is_unknown(bench: Bench) -> None:
    trees = recorded(bench, AES, Secret(b"wrong"))
    for tree in trees["TPM2_Create"]:
        facts = facts_of(tree)
        assert facts["sessionKey"].value is None
        assert not {"HMAC key", "IV"} & facts.keys()
        assert facts["hmac"].text.startswith("not checked: ")
    assert list(explain_stream(bench.recorded))[-1].knowledge == ()


def test_a_policy_step_by_step(bench: Bench) -> None:
    trial = bench.tpm.start_session(SessionStart(TPM_SE.TRIAL))
    bench.tpm.execute(PolicyCommandCode(trial.handle, TPM_CC.Unseal))
    bench.tpm.execute(PolicyAuthValue(trial.handle))
    trees = [tree for tree in explain_stream(bench.recorded, knowledge=True) if tree.knowledge][2:]
    digests = [facts_of(tree)["policyDigest"].value for tree in trees]
    first = hashlib.sha256(bytes(32) + bytes.fromhex("0000016c 0000015e")).digest()
    second = hashlib.sha256(first + bytes.fromhex("0000016b")).digest()
    assert digests == [bytes(32), first, first, second]
