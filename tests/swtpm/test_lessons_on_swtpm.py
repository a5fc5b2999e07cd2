"""The lessons' solutions on swtpm: the soft TPM teaches nothing that another TPM contradicts."""

from functools import partial

import pytest

from cli.lessons import Lesson, LessonRun, find_lesson, load_lessons
from cli.terminal.messages import UsageError
from tests.support.swtpm import Swtpm
from tpmwire import calls
from tpmwire.state.nv import handles
from tpmwire.tpm import Tpm
from tpmwire.transport import open_transport

ANSWERS = {"answer SOFT": "answer IBM"}
"""Other answers of swtpm."""

NEWER = {"27_post_quantum"}
"""Lessons with commands of version 1.85, which swtpm does not have."""


@pytest.fixture
def clean(shared_swtpm: Swtpm) -> str:
    """The path of the module's TPM, with PCRs as at first."""
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        for pcr in (16, 23):
            calls.pcr_reset(tpm, pcr)
    return shared_swtpm.path


@pytest.mark.parametrize(
    "lesson", [each for each in load_lessons() if each.slug not in NEWER], ids=lambda lesson: lesson.slug
)
def test_the_solution_solves_the_lesson(lesson: Lesson, clean: str) -> None:
    with LessonRun(lesson, partial(open_transport, clean, 60)) as run:
        for line in lesson.solution:
            run.run(line)
            run.run(ANSWERS.get(line, ""))
        assert run.missing() == {}
    with Tpm.open(clean, 20) as tpm:
        assert handles(tpm, 0x01800000, 0x0180FFFF) == []  # the indices of the lesson


def test_a_lesson_needs_algorithms_that_the_tpm_lacks(clean: str) -> None:
    with pytest.raises(UsageError, match=r"needs a TPM with ML-DSA and ML-KEM; .* 'tpmwire\[soft\]'"):
        LessonRun(find_lesson("post_quantum"), partial(open_transport, clean, 60))
