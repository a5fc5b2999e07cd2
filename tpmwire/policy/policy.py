"""Policies as values: their digest without a TPM, the commands that satisfy them, their octets in key files.

    policy = Policy(PolicyPCR.of_values(TPM_ALG.SHA256, parse_pcrs("23"), values), PolicyAuthValue())
    policy.digest()             # for an object's authPolicy
    policy.commands(session)    # to execute, one after the other, on a policy session
    policy.to_steps()           # for `KeyFile.policy`

A statement's fields are its octets in a key file (Bottomley, "TPM 2.0 Key Files", TPMPolicy): the parameters of
the command as they cross the bus, but for PolicySecret, which the draft gives a form of its own. Other programs
write some of them otherwise (`Statement.spellings`); where octets can be read in two ways, the one that leads to
the key's authPolicy is meant (`Policy.ways`).
"""

from collections.abc import Mapping
from itertools import islice, product
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..crypto.formulas import digest, digest_size
from ..errors import DecodeError, EncodeError, PolicyError
from ..record import Record
from ..spec.command import Command
from ..spec.commands import policies
from ..spec.constants import TPM_ALG, TPM_CC, TPM_HT
from ..spec.structures import (
    TPM2B_DIGEST,
    TPM2B_NAME,
    TPM2B_NONCE,
    TPM_CC_ID,
    TPM_HANDLE,
    TPMI_YES_NO,
    TPML_DIGEST,
    TPML_PCR_SELECTION,
    TPMS_PCR_SELECTION,
    TPMT_PUBLIC,
)

if TYPE_CHECKING:
    from ..sessions import Password, Use
    from ..tpm import Tpm

__all__ = [
    "Policy",
    "PolicyAuthValue",
    "PolicyCommandCode",
    "PolicyDuplicationSelect",
    "PolicyOR",
    "PolicyPCR",
    "PolicyPassword",
    "PolicySecret",
    "Statement",
    "format_pcrs",
    "parse_pcr_values",
    "parse_pcrs",
    "pcrs_in",
]

PCR_COUNT = 24
"""PCRs of a PC's TPM (TCG PC Client Platform TPM Profile, §4.6)."""

_BANKS = {
    "sha1": TPM_ALG.SHA1,
    "sha256": TPM_ALG.SHA256,
    "sha384": TPM_ALG.SHA384,
    "sha512": TPM_ALG.SHA512,
    "sm3_256": TPM_ALG.SM3_256,
    "sha3_256": TPM_ALG.SHA3_256,
    "sha3_384": TPM_ALG.SHA3_384,
    "sha3_512": TPM_ALG.SHA3_512,
}


_DIGEST_SIZES = (32, 48, 64, 20)
"""Octets of a digest, in the order in which hashes are usual."""


def _number(code: int) -> bytes:
    return code.to_bytes(4, "big")


def _sized(octets: bytes) -> bytes:
    return len(octets).to_bytes(2, "big") + octets


class Statement(Record):
    """Base of what a policy is made of. `code` is the command that states it to the TPM."""

    code: ClassVar[TPM_CC]

    def __init_subclass__(cls, *, code: TPM_CC) -> None:
        cls.code = code
        _known[code] = cls

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """policyDigest after this statement (Part 3, §23.2.4). Raises PolicyError where it is not known here."""
        return digest(alg, before, _number(self.code), self.build())

    def command(self, session: int) -> Command:
        """The command that states it on the policy session with this handle. Raises PolicyError."""
        wanted: Any = getattr(policies, type(self).__name__)
        command: Command = wanted(session, *vars(self).values())
        return command

    def state(self, tpm: "Tpm", session: int, authorized: "tuple[Password | Use, ...]" = ()) -> None:
        """States it on the policy session with this handle. Raises PolicyError, TpmError."""
        tpm.execute(self.command(session), *authorized)

    @property
    def wants_authorization(self) -> bool:
        """Whether `state` wants the authorization of another entity than the one that the policy protects."""
        return False

    @classmethod
    def from_octets(cls, octets: bytes) -> Self:
        """The statement in the draft's form of it. Raises DecodeError."""
        return cls.parse(octets)

    @classmethod
    def spellings(cls, octets: bytes) -> tuple[bytes, ...]:
        """What the octets are in the draft's form: as they stand, then from the forms of other programs."""
        return (octets,)

    @classmethod
    def readings(cls, octets: bytes) -> tuple[Self, ...]:
        """Every statement that a key file's octets can mean, the draft's first. Raises DecodeError."""
        found: list[Self] = []
        failed: list[DecodeError] = []
        for spelling in cls.spellings(octets):
            try:
                statement = cls.from_octets(spelling)
            except DecodeError as error:
                failed.append(error)
            else:
                found += [statement] if statement not in found else []
        if not found:
            raise failed[0]
        return tuple(found)


_known: dict[int, type[Statement]] = {}


class PolicyPCR(Statement, code=TPM_CC.PolicyPCR):
    """The selected PCRs have values whose hash, in the policy's algorithm, is `pcr_digest` (Part 3, §23.7).

    An empty `pcr_digest` takes the values as they are when the command is executed.
    """

    pcr_digest: TPM2B_DIGEST
    pcrs: TPML_PCR_SELECTION

    @classmethod
    def of_values(
        cls,
        alg: TPM_ALG,
        pcrs: tuple[TPMS_PCR_SELECTION, ...],
        values: Mapping[tuple[TPM_ALG, int], bytes],
    ) -> Self:
        """From PCR values by bank and number, for a policy in the algorithm `alg`. Raises PolicyError."""
        parts = []
        for bank, number in pcrs_in(pcrs):
            value = values.get((bank, number))
            if value is None:
                raise PolicyError(
                    f"the value of PCR {number} in bank {_bank_name(bank)} is not given: read it first"
                )
            if len(value) != digest_size(bank):
                raise PolicyError(f"PCR {number} in bank {_bank_name(bank)} has {digest_size(bank)} octets")
            parts.append(value)
        return cls(digest(alg, *parts), pcrs)

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """policyDigest after this statement. Raises PolicyError where the PCR values are left to the TPM."""
        if not self.pcr_digest:
            raise PolicyError("the policy takes the PCRs as they are: give their values to know its digest")
        # The selection comes before the digest here, the other way round than in the command.
        selection = self.build()[2 + len(self.pcr_digest) :]
        return digest(alg, before, _number(self.code), selection, self.pcr_digest)

    @classmethod
    def spellings(cls, octets: bytes) -> tuple[bytes, ...]:
        """openssl_tpm2_engine: the selection, then the digest without its size."""
        turned = [_sized(octets[-size:]) + octets[:-size] for size in _DIGEST_SIZES if size < len(octets)]
        return (octets, *turned)


class PolicyAuthValue(Statement, code=TPM_CC.PolicyAuthValue):
    """The object's authValue is known, proven by the session's HMAC (Part 3, §23.17)."""


class PolicyPassword(Statement, code=TPM_CC.PolicyPassword):
    """The object's authValue is given, in clear (Part 3, §23.18). Its digest is that of PolicyAuthValue."""

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """policyDigest after this statement."""
        return digest(alg, before, _number(TPM_CC.PolicyAuthValue))


class PolicyCommandCode(Statement, code=TPM_CC.PolicyCommandCode):
    """Only this command is authorized (Part 3, §23.11)."""

    code_: TPM_CC_ID


class PolicySecret(Statement, code=TPM_CC.PolicySecret):
    """The authValue of another entity, of this Name, is known (Part 3, §23.4).

    `object_hint` is where the entity is, or 0: not part of the policy.
    """

    object_hint: TPM_HANDLE
    object_name: TPM2B_NAME
    policy_ref: TPM2B_NONCE = b""

    @property
    def wants_authorization(self) -> bool:
        """The entity's."""
        return True

    @classmethod
    def of(cls, handle: int, policy_ref: bytes = b"") -> Self:
        """For an entity whose Name is its handle: a hierarchy, lockout, a PCR. Raises PolicyError."""
        if handle >> 24 not in (TPM_HT.PERMANENT, TPM_HT.PCR):
            raise PolicyError(
                f"the Name of 0x{handle:08x} is not its handle: read its public area and give the Name"
            )
        return cls(handle, _number(handle), policy_ref)

    @classmethod
    def spellings(cls, octets: bytes) -> tuple[bytes, ...]:
        """Before the draft's revision of 2023: without the hint. tpm2genkey: policyRef without its size."""
        # A Name is never empty and its size below 0x43: no octets have a hint and have none.
        if int.from_bytes(octets[:2], "big") in range(1, 0x43):
            octets = bytes(4) + octets
        end = 6 + int.from_bytes(octets[4:6], "big")
        return (octets, octets[:end] + _sized(octets[end:]))

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """policyDigest after this statement (PolicyUpdate, Part 3, §23.2.3)."""
        return digest(alg, digest(alg, before, _number(self.code), self.object_name), self.policy_ref)

    def command(self, session: int) -> Command:
        """The command; its first handle wants the entity's authorization. Raises PolicyError."""
        handle = self.object_hint
        if not handle:
            if len(self.object_name) != 4:
                raise PolicyError("the policy wants the authorization of an object, and does not say where it is")
            handle = int.from_bytes(self.object_name, "big")
        return policies.PolicySecret(handle, session, policy_ref=self.policy_ref)


class PolicyOR(Statement, code=TPM_CC.PolicyOR):
    """The policy so far is one of 2 to 8 digests (Part 3, §23.6)."""

    p_hash_list: TPML_DIGEST

    @classmethod
    def of(cls, alg: TPM_ALG, *branches: "Policy | bytes") -> Self:
        """From policies, or digests, in the algorithm `alg`. Raises PolicyError."""
        if not 2 <= len(branches) <= 8:
            raise PolicyError(f"PolicyOR has 2 to 8 branches, not {len(branches)}: nest it for more")
        return cls(tuple(b if isinstance(b, bytes) else b.digest(alg) for b in branches))

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """policyDigest after this statement: whichever branch led here, it is the same."""
        return digest(alg, bytes(digest_size(alg)), _number(self.code), *self.p_hash_list)


class PolicyDuplicationSelect(Statement, code=TPM_CC.PolicyDuplicationSelect):
    """Only duplication to this new parent is authorized (Part 3, §23.15).

    `include_object` makes the object's Name part of the policy too.
    """

    object_name: TPM2B_NAME
    new_parent_name: TPM2B_NAME
    include_object: TPMI_YES_NO

    @classmethod
    def from_octets(cls, octets: bytes) -> Self:
        """The statement in a key file's octets. Raises DecodeError."""
        statement = cls.parse(octets)
        if not isinstance(statement.include_object, bool):
            raise DecodeError(f"TPMI_YES_NO is 0 or 1, not {statement.include_object}", len(octets) - 1, 1)
        return statement

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """policyDigest after this statement."""
        names = (self.object_name if self.include_object else b"") + self.new_parent_name
        return digest(alg, before, _number(self.code), names, bytes([self.include_object]))


class Policy:
    """Statements that must all hold, in order. Immutable, compared by value.

    A `PolicyOR` among them is preceded by the statements of the branch that is to be taken.
    """

    __slots__ = ("statements",)

    statements: tuple[Statement, ...]

    def __init__(self, *statements: Statement) -> None:
        object.__setattr__(self, "statements", statements)

    @classmethod
    def from_steps(cls, steps: "tuple[tuple[int, bytes], ...]") -> Self:
        """The policy in a key file, each step in its first reading (see `ways`).

        Raises PolicyError for a command that is not known here, or wrong octets.
        """
        return cls(*(_readings(code, octets)[0] for code, octets in steps))

    @classmethod
    def ways(cls, steps: "tuple[tuple[int, bytes], ...]", public: TPMT_PUBLIC) -> "tuple[Self, ...]":
        """The policy in the file of a key with this public area: one, or one for each branch.

        Where steps can be read in several ways, the key's authPolicy decides. tpmcopy and go-tpm's examples write
        the branches of a PolicyOR behind each other, and then the PolicyOR: each is a way of its own.
        Raises PolicyError for a command that is not known here, or wrong octets.
        """
        undecided = None
        # A file of many steps that could each be read in several ways is not worth more.
        for chosen in islice(product(*(_readings(code, octets) for code, octets in steps)), 256):
            ways = cls(*chosen)._branches(public.name_alg)
            fits = {way._leads_to(public.auth_policy, public.name_alg) for way in ways}
            if fits == {True}:
                return ways
            if undecided is None and False not in fits:
                undecided = ways
        return undecided or (cls.from_steps(steps),)

    def _branches(self, alg: TPM_ALG) -> "tuple[Self, ...]":
        """This policy, or the branches of its first PolicyOR where they stand in a row, each with what follows."""
        place = next((n for n, one in enumerate(self.statements) if isinstance(one, PolicyOR)), 0)
        choice, rest = self.statements[place : place + 1], self.statements[place:]
        if not choice or not isinstance(choice[0], PolicyOR):
            return (self,)
        found, start = [], 0
        try:
            for end in range(1, place + 1):
                if Policy(*self.statements[start:end]).digest(alg) in choice[0].p_hash_list:
                    found.append(type(self)(*self.statements[start:end], *rest))
                    start = end
        except PolicyError:
            return (self,)
        return tuple(found) if start == place and len(found) > 1 else (self,)

    def _leads_to(self, wanted: bytes, alg: TPM_ALG) -> bool | None:
        """Whether a session in which all this was stated has this policyDigest; None where the TPM decides."""
        reached = bytes(digest_size(alg))
        try:
            for statement in self.statements:
                if isinstance(statement, PolicyOR) and reached not in statement.p_hash_list:
                    return False
                reached = statement.extended(alg, reached)
        except PolicyError:
            return None
        return reached == wanted

    def to_steps(self) -> "tuple[tuple[int, bytes], ...]":
        """The policy for a key file: command codes and octets. Raises PolicyError."""
        try:
            return tuple((int(statement.code), statement.build()) for statement in self.statements)
        except EncodeError as error:
            raise PolicyError(f"the policy has no form in a key file: {error}") from error

    def digest(self, alg: TPM_ALG = TPM_ALG.SHA256) -> bytes:
        """policyDigest in the algorithm `alg`, the authPolicy of what it is to protect. Raises PolicyError."""
        value = bytes(digest_size(alg))
        for statement in self.statements:
            value = statement.extended(alg, value)
        return value

    def commands(self, session: int) -> tuple[Command, ...]:
        """The commands that state it on the policy session with this handle, in order. Raises PolicyError."""
        return tuple(statement.command(session) for statement in self.statements)

    def tree(self) -> str:
        """The policy for people: a line for each statement."""
        from .text import tree

        return "\n".join(tree(self))

    def __str__(self) -> str:
        return self.tree()

    @property
    def wants_auth_value(self) -> bool:
        """Whether the object's authValue is to be proven by the session's HMAC."""
        return self._last_auth() is PolicyAuthValue

    @property
    def wants_password(self) -> bool:
        """Whether the object's authValue is to be given in clear."""
        return self._last_auth() is PolicyPassword

    def _last_auth(self) -> type[Statement] | None:
        """Of PolicyAuthValue and PolicyPassword the later one counts (Part 3, §23.17, §23.18)."""
        kinds = [type(s) for s in self.statements if isinstance(s, (PolicyAuthValue, PolicyPassword))]
        return kinds[-1] if kinds else None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Policy is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a Policy is immutable")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self.statements == other.statements

    def __hash__(self) -> int:
        return hash(self.statements)

    def __repr__(self) -> str:
        return f"Policy({', '.join(map(repr, self.statements))})"


def _readings(code: int, octets: bytes) -> tuple[Statement, ...]:
    name = f"TPM2_{TPM_CC(code).name}" if TPM_CC(code).known else f"command 0x{code:x}"
    kind = _known.get(code)
    if kind is None:
        # The rest register themselves; a run with the usual policies does not load them.
        from . import approvals, conditions  # noqa: F401

        kind = _known.get(code)
    if kind is None:
        raise PolicyError(f"the policy contains {name}, which is not supported here")
    try:
        return kind.readings(octets)
    except DecodeError as error:
        raise PolicyError(f"the policy's {name} cannot be read in any known form: {error}") from error


def parse_pcrs(text: str) -> tuple[TPMS_PCR_SELECTION, ...]:
    """PCRs as people write them: `23`, `7,23`, `sha256:7,23`, `sha1:0+sha256:1`. Raises PolicyError."""
    selections: list[TPMS_PCR_SELECTION] = []
    for part in text.split("+"):
        bank_name, colon, listed = part.rpartition(":")
        bank = _BANKS.get(bank_name.strip().lower() if colon else "sha256")
        if bank is None:
            raise PolicyError(f"{_quoted(bank_name)} is no PCR bank; the banks are {', '.join(_BANKS)}")
        if any(selection.hash == bank for selection in selections):
            raise PolicyError(f"bank {_bank_name(bank)} is named twice: list its PCRs together, such as 7,23")
        bits = 0
        for number in listed.split(","):
            bits |= 1 << _pcr_number(number.strip())
        selections.append(TPMS_PCR_SELECTION(bank, bits.to_bytes(PCR_COUNT // 8, "little")))
    return tuple(selections)


def parse_pcr_values(
    text: str,
) -> tuple[tuple[TPMS_PCR_SELECTION, ...], dict[tuple[TPM_ALG, int], bytes]]:
    """PCRs, some with values: `sha256:7=HEX,23`. Gives the selection and the values that stand there.

    Raises PolicyError.
    """
    selection = parse_pcrs("+".join(_without_values(part) for part in text.split("+")))
    values: dict[tuple[TPM_ALG, int], bytes] = {}
    for chosen, part in zip(selection, text.split("+"), strict=True):
        for item in part.rpartition(":")[2].split(","):
            number, equals, digits = item.partition("=")
            if not equals:
                continue
            try:
                value = bytes.fromhex(digits.strip())
            except ValueError:
                raise PolicyError(f"{_quoted(digits)} is no PCR value; write it in hex") from None
            if len(value) != digest_size(chosen.hash):
                raise PolicyError(
                    f"PCR {number.strip()} in {_bank_name(chosen.hash)} has {digest_size(chosen.hash)} octets, "
                    f"not {len(value)}"
                )
            values[chosen.hash, _pcr_number(number.strip())] = value
    return selection, values


def _without_values(part: str) -> str:
    bank, colon, listed = part.rpartition(":")
    return bank + colon + ",".join(item.partition("=")[0] for item in listed.split(","))


def _pcr_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 4):
        raise PolicyError(f"{_quoted(text)} is no PCR; write numbers and commas, such as 7,23 or sha256:7,23")
    number = int(text)
    if number >= PCR_COUNT:
        raise PolicyError(f"there is no PCR {number}; they are 0 to {PCR_COUNT - 1}")
    return number


def _quoted(text: str) -> str:
    """Somebody's text in one short line."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _bank_name(bank: int) -> str:
    return next((name for name, alg in _BANKS.items() if alg == bank), f"0x{bank:x}")


def pcrs_in(pcrs: tuple[TPMS_PCR_SELECTION, ...]) -> tuple[tuple[TPM_ALG, int], ...]:
    """Bank and number of every selected PCR, in the order in which the TPM hashes their values (Part 1, §17.5)."""
    return tuple(
        (selection.hash, number)
        for selection in pcrs
        for number in range(8 * len(selection.pcr_select))
        if selection.pcr_select[number // 8] >> number % 8 & 1
    )


def format_pcrs(pcrs: tuple[TPMS_PCR_SELECTION, ...]) -> str:
    """The selection as `parse_pcrs` reads it: `sha256:7,23`."""
    return "+".join(
        f"{_bank_name(selection.hash)}:{','.join(str(number) for _, number in pcrs_in((selection,)))}"
        for selection in pcrs
    )
