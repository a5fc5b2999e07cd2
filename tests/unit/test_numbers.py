"""tpmwire.spec.numbers: open enumerations behave as those of Python's enum."""

import copy
import pickle
import sys
from enum import EnumType, IntEnum

import pytest

from tpmwire.spec import constants, properties, response_codes
from tpmwire.spec.numbers import _LATEST, OpenEnum

KINDS = [
    kind
    for module in (constants, properties, response_codes)
    for kind in vars(module).values()
    if isinstance(kind, EnumType) and issubclass(kind, OpenEnum) and kind is not OpenEnum
]


def create_by_enum(kind: type[OpenEnum]) -> type[IntEnum]:
    """The same members, created by Python's EnumType."""
    return IntEnum(kind.__name__, {name: int(member) for name, member in kind.__members__.items()})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_enumeration_is_what_enum_creates(kind: type[OpenEnum]) -> None:
    expected = create_by_enum(kind)
    assert [(each.name, each.value) for each in kind] == [(each.name, each.value) for each in expected]
    assert list(map(vars, kind)) == [{**vars(each), "__objclass__": kind} for each in expected]
    assert {name: int(each) for name, each in kind.__members__.items()} == expected.__members__
    assert len(kind) == len(expected)
    assert {*dir(kind)} & {*kind.__members__} == {*dir(expected)} & {*kind.__members__}


def test_a_member_is_itself_however_it_is_reached() -> None:
    kind = constants.TPM_ALG
    for name, member in kind.__members__.items():
        assert kind[name] is kind(int(member)) is getattr(kind, name) is member
        assert pickle.loads(pickle.dumps(member)) is copy.deepcopy(member) is member
        assert isinstance(member, kind)
        assert member in kind


def test_an_alias_is_the_first_member_with_its_value() -> None:
    class Kind(OpenEnum):
        FIRST = 1
        SECOND = 2
        AGAIN = 1

    assert Kind.AGAIN is Kind.FIRST
    assert list(Kind) == [1, 2]
    assert list(Kind.__members__) == ["FIRST", "SECOND", "AGAIN"]


def test_a_name_is_given_once() -> None:
    with pytest.raises(TypeError, match="'FIRST' is already defined as 1"):

        class Kind(OpenEnum):
            FIRST = 1
            FIRST = 2  # type: ignore[misc]


def test_a_call_creates_an_enumeration() -> None:
    kind = OpenEnum("Kind", {"FIRST": 1, "SECOND": 2})  # type: ignore[call-overload, unused-ignore]
    assert [repr(member) for member in kind] == ["Kind.FIRST", "Kind.SECOND"]
    assert [int(member) for member in OpenEnum("Other", "A B")] == [1, 2]  # type: ignore[call-overload, unused-ignore]


def test_members_cannot_be_changed_nor_added() -> None:
    class Kind(OpenEnum):
        FIRST = 1

    with pytest.raises(AttributeError):
        Kind.FIRST = 2  # type: ignore[misc, assignment]
    with pytest.raises(TypeError):
        type("More", (Kind,), {"SECOND": 2})


def test_the_newest_python_is_known() -> None:
    assert sys.version_info[:2] <= _LATEST, "compare its enum with _OpenEnumType, then raise _LATEST"
