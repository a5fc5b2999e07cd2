"""Recorded dialogues, read by others: tpmstream and tpm2-pytss find the values that we find."""

import collections

import pytest
from tpmstream.common.error import ConstraintViolatedError

from tests.differential.jobs import Job, answers, jobs, pairs
from tests.differential.ours import Leaf, command_leaves, response_leaves
from tests.differential.theirs import dialogue_leaves
from tpmwire.wire import parse_command, parse_response

PAIRS = pairs()


def is_called(ours: Leaf, theirs: Leaf) -> bool:
    """Whether our path is theirs without what C puts between: areas, a union's member, a list's elements."""
    names = iter(name.lower() for name in theirs.path)
    size = {"size": ("size", "sizeofselect"), "hmac": ("hmac", "digest")}  # a ticket's digest, before 1.85
    return all(
        any(found in size.get(name.lower(), (name.lower(),)) for found in names) for name in short(ours.path)
    )


def short(path: tuple[str, ...]) -> tuple[str, ...]:
    """The path as far as C has it: there, a PCR selection's octets and their size are fields side by side."""
    return path[:-2] + path[-1:] if path[-2:] == ("pcrSelect", "size") and path[-3:-2] != ("pcrSelect",) else path


def test_tpmstream_reads_the_same_values_under_the_same_names() -> None:
    count = 0
    for command, response in PAIRS:
        sent = parse_command(command)
        ours = (list(command_leaves(sent)), list(response_leaves(parse_response(response, command))))
        for mine, theirs in zip(ours, dialogue_leaves(command, response), strict=True):
            assert [leaf.value for leaf in mine] == [leaf.value for leaf in theirs], sent.code
            for one, other in zip(mine, theirs, strict=True):
                assert is_called(one, other), (one, other)
            count += len(mine)
    assert count > 4000


@pytest.fixture(scope="module")
def asked() -> list[Job]:
    return list(jobs(PAIRS))


def test_tpm2_pytss_reads_the_same_values(asked: list[Job]) -> None:
    read: collections.Counter[str] = collections.Counter()
    for job, answer in zip(asked, answers(asked), strict=True):
        if answer is not None:
            assert answer.get("value") == job.value, job
            assert answer["taken"] == len(job.octets), job
            read[job.type] += 1
    assert len(read) > 50
    assert read.total() > 500


def test_a_wrong_value_is_seen(asked: list[Job]) -> None:
    """What holds the others: were our value another, tpm2-pytss's would differ."""
    job = next(job for job in asked if job.type == "TPMT_PUBLIC")
    changed = job._replace(octets=job.octets[:2] + b"\0\x0c" + job.octets[4:])
    (answer,) = answers([changed])
    assert answer["value"] == {**job.value, "namealg": 12}
    assert answer["value"] != job.value


def test_what_tpmstream_does_not_know() -> None:
    """docs/differential.md: TPM2_Vendor_TCG_Test has the vendor bit (Part 2, §6.5.1)."""
    command = bytes.fromhex("80010000000e2000000000021234")
    assert list(command_leaves(parse_command(command)))[3:] == [
        Leaf(("inputData", "size"), 2),
        Leaf(("inputData",), b"\x12\x34"),
    ]
    with pytest.raises(ConstraintViolatedError, match="TPM_CC"):
        dialogue_leaves(command, bytes.fromhex("80010000000a00000143"))
