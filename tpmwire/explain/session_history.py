"""The history of a session in a recording: start, uses, policy step by step, end."""

from typing import Any

from ..spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPM_SE, TPMA_SESSION
from ..spec.structures import TPMT_SYM_DEF
from .bounds import STEPS
from .meanings import command_name, handle_words
from .tree import Node

__all__ = ["SessionHistory", "Step", "cipher_name"]


def cipher_name(symmetric: TPMT_SYM_DEF) -> str:
    """Returns the name of a session's cipher: `AES-128-CFB`, `XOR`, or `no cipher`."""
    if symmetric.algorithm in (TPM_ALG.XOR, TPM_ALG.NULL):
        return "XOR" if symmetric.algorithm == TPM_ALG.XOR else "no cipher"
    return f"{symmetric.algorithm.name}-{symmetric.key_bits}-CFB"


class Step:
    """A command in the history of a session.

    `place` is the index of the command's tree in the recording. `text` describes the event. `ok` is true if the
    TPM executed the command (None without a response). `ends` is true if the command closes the session. The
    step of a policy command has `inputs` (the command's parameters in words), `digest` (policyDigest after the
    command, None if unknown) and `formula` (how the digest is computed).
    """

    def __init__(self, place: int, code: int, text: str, *, ok: bool | None, ends: bool = False) -> None:
        self.place = place
        self.code = code
        self.text = text
        self.ok = ok
        self.ends = ends
        self.verdict = ""
        self.digest: bytes | None = None
        self.formula = ""
        self.inputs: str | None = None

    @property
    def name(self) -> str:
        """The command's name."""
        return command_name(self.code)

    @classmethod
    def use(
        cls, place: int, code: TPM_CC, entity: int | None, attributes: int, answered: Node | None, verdict: Any
    ) -> "Step":
        """Returns the step for a command that the session authorizes or encrypts.

        `entity` is the handle that the session authorizes, or None. `answered` is the tree of the response.
        """
        words = [] if entity is None else [f"authorizes 0x{entity:08x} ({handle_words(entity)})"]
        both = [("decrypt", TPMA_SESSION.DECRYPT, "encrypts the command's first parameter")]
        both += [("encrypt", TPMA_SESSION.ENCRYPT, "encrypts the response's first parameter")]
        both += [("audit", TPMA_SESSION.AUDIT, "audits")]
        words += [text for _, bit, text in both if attributes & bit]
        ok = None if answered is None else not any(answered.octets[6:10])
        step = cls(place, code, ", ".join(words) or "no use in this command", ok=ok)
        if verdict is not None:
            found = [held for held in (verdict.command, verdict.response) if held is not None]
            step.verdict = "" if not found else "HMACs valid" if all(found) else "an HMAC is not valid"
        return step

    @classmethod
    def policy(cls, place: int, code: TPM_CC, asked: Node, digest: bytes | None, formula: str) -> "Step":
        """Returns the step for a policy command, whose tree is `asked`."""
        step = cls(place, code, "", ok=True)
        values = [node for node in asked.children[3:] if node.text and "ession" not in node.name]
        step.inputs = "; ".join(f"{node.name} {_shorten(node)}" for node in values)
        step.digest, step.formula = digest, formula
        return step


def _shorten(node: Node) -> str:
    """Returns a parameter's meaning in a few words. For a list of one element, returns the element's meaning."""
    elements = [child.text for child in node.children if child.name.startswith("[")]
    return ", ".join(elements) if len(elements) == 1 else node.text


class SessionHistory:
    """A session: its handle, the command that opened it (None if before the recording), and its steps in order.

    `omitted` counts the steps after the first `STEPS`. `ended` is true if the recording shows the end of the
    session.
    """

    def __init__(self, handle: int, start: Any) -> None:
        self.handle = handle
        self.start = start
        self.steps: list[Step] = []
        self.omitted = 0
        self.ended = False

    def add(self, step: Step) -> None:
        """Adds a step. Steps after the first `STEPS` are only counted."""
        self.ended = step.ends
        if len(self.steps) < STEPS:
            self.steps.append(step)
        else:
            self.omitted += 1

    @property
    def title(self) -> str:
        """The session's kind and handle: `HMAC session 0x02000000, salted, not bound, SHA256, AES-128-CFB`."""
        words = f"{handle_words(self.handle)} 0x{self.handle:08x}"
        if self.start is None:
            return f"{words}, opened before the recording"
        if self.start.session_type == TPM_SE.TRIAL:
            words = f"trial session 0x{self.handle:08x}"
        salted = "salted" if self.start.encrypted_salt else "not salted"
        bound = "not bound" if self.start.bind == TPM_RH.NULL else f"bound to 0x{self.start.bind:08x}"
        return f"{words}, {salted}, {bound}, {self.start.auth_hash.name}, {cipher_name(self.start.symmetric)}"

    @property
    def policy(self) -> list[Step]:
        """The steps of the policy, in order."""
        return [step for step in self.steps if step.inputs is not None]
