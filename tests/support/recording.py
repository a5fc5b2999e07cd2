"""Recordings of sessions with a real TPM, and what their explanations show beside the octets."""

from collections.abc import Iterator

import pytest

from tests.support.interposer import Interposer
from tests.support.salt_keys import NO_SECRETS, SALT_KEYS
from tests.support.swtpm import Swtpm
from tpmwire.crypto.salt import seal_secret
from tpmwire.explain import Node, Recording, explain_recording
from tpmwire.secret import EMPTY_AUTH, Secret
from tpmwire.sessions import Session, SessionStart
from tpmwire.spec.commands.hierarchy import CreatePrimary
from tpmwire.spec.constants import TPM_ALG, TPM_RH, TPM_SE
from tpmwire.spec.structures import TPMT_SYM_DEF
from tpmwire.tpm import Tpm

__all__ = ["AES", "DATA", "PASSWORD", "XOR", "Bench", "bench", "beside", "content", "hmacs"]

XOR = TPMT_SYM_DEF(TPM_ALG.XOR, TPM_ALG.SHA256)
AES = TPMT_SYM_DEF(TPM_ALG.AES, 128, TPM_ALG.CFB)
PASSWORD, DATA = b"its password", b"what nobody may read on the bus"
WRONG = [Secret(b"wrong"), Secret(bytes(32))]


class Bench:
    """A TPM behind a relay, with a storage key that sessions are salted to."""

    def __init__(self, relay: Interposer, tpm: Tpm) -> None:
        self.relay, self.tpm = relay, tpm
        made = tpm.execute(CreatePrimary(TPM_RH.OWNER, NO_SECRETS, SALT_KEYS["p256-sha256"]))
        self.parent, self.public = made.object_handle, made.out_public
        self.salt = EMPTY_AUTH

    def salted(self, cipher: TPMT_SYM_DEF, kind: TPM_SE = TPM_SE.HMAC, alg: TPM_ALG = TPM_ALG.SHA256) -> Session:
        self.salt, sealed = seal_secret(self.public)
        start = SessionStart(kind, alg, cipher, tpm_key=self.parent, salt=self.salt, encrypted_salt=sealed)
        return self.tpm.start_session(start)

    @property
    def recorded(self) -> list[tuple[bytes, bytes]]:
        return [(pair.command, pair.response) for pair in self.relay.dialogue]

    def talk(self, *auths: bytes, salted: bool = True) -> Recording:
        """The recording explained, with wrong keys before the right ones."""
        salts = [*WRONG, self.salt] if salted else WRONG
        return explain_recording(self.recorded, salts, [*WRONG, *map(Secret, auths)])


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Swtpm() as swtpm, Interposer(swtpm.path) as relay, Tpm.open(f"swtpm:path={relay.path}", 60) as tpm:
        yield Bench(relay, tpm)


def everything(node: Node) -> Iterator[Node]:
    yield node
    for inside in (*node.children, *node.beside):
        yield from everything(inside)


def beside(talk: Recording, name: str) -> list[Node]:
    """Values of that name that no octet shows."""
    return [
        value
        for tree in talk.trees
        for node in everything(tree)
        for outer in node.beside
        for value in everything(outer)
        if value.name == name
    ]


def content(node: Node) -> bytes:
    """A TPM2B's octets without its size."""
    return node.octets[2:]


def hmacs(talk: Recording) -> list[str]:
    """What is said of every HMAC of a session: none is left out, as a recording has no octets for it otherwise."""
    found = [node for tree in talk.trees for node in everything(tree) if node.name == "hmac"]
    return [
        node.text.partition("; ")[2] for node in found if len(node.octets) > 2 and "password of" not in node.text
    ]
