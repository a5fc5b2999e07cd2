"""The declaration of policy statements, and their lookup by command code.

    class PolicyCpHash(Statement, code=TPM_CC.PolicyCpHash, says="the command whose cpHash is {cp_hash_a}"):
        cp_hash_a: Annotated[TPM2B_DIGEST, Json("hash")]

Everything else derives from the declaration: the digest, the command, the bytes in key files, and the display
text. So do JSON (`json_form`), the formula of a recorded command (`explain.policies`) and the random values of
tests.

A statement's fields are its bytes in a key file (Bottomley, "TPM 2.0 Key Files", TPMPolicy): the parameters of the
command as sent to the TPM, unless the class says otherwise. Other programs write some statements differently
(`Statement.spellings`).
"""

from collections.abc import Mapping
from enum import IntEnum
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..crypto.formulas import name_of
from ..errors import DecodeError
from ..record import Record
from ..spec.command import Command
from ..spec.commands import policies
from ..spec.constants import TPM_ALG, TPM_CC
from ..spec.numbers import Attributes
from ..spec.structures import TPMT_PUBLIC
from .digest_rule import DigestRule, Part, hashed_bytes

if TYPE_CHECKING:
    from ..sessions import Password, Use
    from ..tpm import Tpm

__all__ = ["Json", "Statement", "statement_class", "statement_classes"]

_MODULES = ("statements", "conditions", "approvals")
"""The modules that declare statements; the usual ones first."""


class Json:
    """An annotation of a statement's field: the field's name in JSON, and its value if JSON omits the field."""

    def __init__(self, name: str = "", default: Any = None) -> None:
        self.name = name
        self.default = default


class Statement(Record):
    """Base class of the statements of a policy. A class without `code` is a base class, too.

    `code` is the command that executes the statement. `says` is the display text, in which {field} is the value of
    a field or property. `hashes` lists the fields that extend policyDigest, by default all. `then`, `restarts` and
    `names` are attributes of the `DigestRule`. `hashed_as` replaces `code` in the hash.
    """

    code: ClassVar[TPM_CC]
    says: ClassVar[str]
    rule: ClassVar[DigestRule]
    short_forms: ClassVar[tuple[str, ...]] = ()
    """Abbreviations in JSON, such as "hierarchy", which `expand_json` replaces by names of fields."""

    def __init_subclass__(
        cls,
        *,
        code: TPM_CC | None = None,
        says: str = "",
        hashes: tuple[Part, ...] | None = None,
        then: str = "",
        restarts: bool = False,
        names: Mapping[str, str] = MappingProxyType({}),
        hashed_as: TPM_CC | None = None,
    ) -> None:
        if code is None:
            return
        if not says:
            raise TypeError(f"{cls.__name__} needs says=, the line that describes the statement")
        cls.code, cls.says = code, says
        parts = tuple(name for name, _ in cls.fields()) if hashes is None else hashes
        cls.rule = DigestRule(hashed_as or code, parts, then, restarts, names)
        _by_code[code] = cls

    @classmethod
    def digest_rule(cls, given: Record) -> DigestRule:
        """Returns the rule by which `given` extends policyDigest.

        `given` is a statement of this class, or a recorded command with the same command code.
        """
        return cls.rule

    def extended(self, alg: TPM_ALG, before: bytes) -> bytes:
        """Returns policyDigest after this statement; `before` is policyDigest before it (Part 3, §23.2).

        Raises PolicyError if only the TPM knows the digest.
        """
        return self.digest_rule(self).extended(alg, before, lambda name: hashed_bytes(self, name))

    def command(self, session: int) -> Command:
        """Returns the command for the policy session with this handle.

        Raises PolicyError if the statement needs several commands or lacks a handle.
        """
        kind: Any = getattr(policies, type(self).__name__)
        command: Command = kind(session, *vars(self).values())
        return command

    def state(self, tpm: "Tpm", session: int, authorized: "tuple[Password | Use, ...]" = ()) -> None:
        """Executes the statement's command in the policy session with the handle `session`.

        `authorized` contains the authorization of another entity, if the statement needs it. Raises TpmError if
        the TPM refuses, and PolicyError if the statement lacks a value.
        """
        tpm.execute(self.command(session), *authorized)

    @property
    def wants_authorization(self) -> bool:
        """Returns whether `state` needs the authorization of an entity other than the protected object."""
        return False

    @property
    def names_objects(self) -> bool:
        """Returns whether the statement includes Names of objects, so that it is valid for one key only."""
        return False

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parses a statement from the bytes in a key file, in the TSS2 draft's encoding.

        Raises DecodeError for invalid bytes.
        """
        return cls.parse(data)

    @classmethod
    def spellings(cls, data: bytes) -> tuple[bytes, ...]:
        """Returns the candidate encodings of a statement in a key file.

        The candidates are `data` unchanged, and `data` converted from each encoding of other programs to the
        encoding of the TSS2 key file draft.
        """
        return (data,)

    @classmethod
    def readings(cls, data: bytes) -> tuple[Self, ...]:
        """Parses the bytes of a statement in a key file in every known encoding.

        Returns a statement for each valid encoding, with the encoding of the TSS2 key file draft first. Raises
        DecodeError if no encoding is valid.
        """
        found: list[Self] = []
        failed: list[DecodeError] = []
        for spelling in cls.spellings(data):
            try:
                statement = cls.from_bytes(spelling)
            except DecodeError as error:
                failed.append(error)
            else:
                found += [statement] if statement not in found else []
        if not found:
            raise failed[0]
        return tuple(found)

    @classmethod
    def expand_json(cls, fields: dict[str, Any], alg: TPM_ALG) -> dict[str, Any]:
        """Returns a statement's JSON fields with each abbreviated value replaced by the full one.

        `alg` is the policy's hash algorithm. Raises PolicyError, TypeError or ValueError for an invalid value.
        """
        return fields

    def __str__(self) -> str:
        return f"{type(self).__name__}: {self.says.format_map(_Shown(self))}"


class _Shown(dict[str, Any]):
    """A mapping from names to readable values, for `says`. Numbers stay numbers, for format specifications."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement

    def __missing__(self, name: str) -> Any:
        value = getattr(self._statement, name)
        match value:
            case bytes():
                return value.hex()
            case IntEnum():
                return value.name
            case Attributes():
                return value.described()
            case TPMT_PUBLIC():
                return name_of(value).hex()
            case Record():
                return value.build().hex()
            case tuple():
                return ", ".join(one.hex() if isinstance(one, bytes) else str(one) for one in value)
        return value


_by_code: dict[int, type[Statement]] = {}


def statement_class(code: int) -> type[Statement] | None:
    """Returns the class of the statement with this command code, or None. Loads as few modules as possible."""
    for module in _MODULES:
        if code in _by_code:
            break
        import_module(f".{module}", __package__)
    return _by_code.get(code)


def statement_classes() -> dict[str, type[Statement]]:
    """Returns every class of statements, by name."""
    for module in _MODULES:
        import_module(f".{module}", __package__)
    return {kind.__name__: kind for kind in _by_code.values()}
