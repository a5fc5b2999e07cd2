"""The lessons: each is solved by its own solution on the soft TPM, and each check can fail."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from cli.lessons import Lesson, LessonRun, Progress, find_lesson, load_lessons
from cli.lessons.page import lesson_page, plain_text
from cli.terminal.messages import UsageError
from tests.support.programs import ROOT
from tools.glossary import list_of_lessons
from tpmwire.explain.readers.words import read_as

LESSONS = load_lessons()
WITHOUT_PACKAGES = pytest.mark.skipif(not find_spec("dilithium_py"), reason="needs the extra tpmwire[soft]")
EACH_LESSON = pytest.mark.parametrize(
    "lesson",
    [
        pytest.param(lesson, id=lesson.slug, marks=[WITHOUT_PACKAGES] if "post_quantum" in lesson.slug else [])
        for lesson in LESSONS
    ],
)

PARENT = "CreatePrimary primaryHandle=owner inPublic=template:srk-ecc"
SEAL = "Create parentHandle=$1 inPublic=keyedhash inSensitive.data='text:{}' inSensitive.userAuth=text:{}"
LOAD = "Load parentHandle=$1 inPrivate=$2.outPrivate inPublic=$2.outPublic"
INDEX = "NV_DefineSpace authHandle=owner publicInfo.nvIndex={} publicInfo.dataSize={} publicInfo.attributes='{}'"
NEAR_MISSES = {
    "what_is_a_tpm": [
        "GetCapability TPM_PROPERTIES 0x106 1",
        "answer IBM",
        "ReadPublic 0x81012345",
        "answer 0x101",
    ],
    "handles_and_hierarchies": ["CreatePrimary primaryHandle=null inPublic=template:srk-ecc"] * 3 + ["swap on"],
    "random": ["GetRandom 21", "GetRandom 100", "answer 100", "StirRandom text:tea"],
    "hashing": [
        "Hash data=text:Hello hashAlg=SHA256 hierarchy=owner",
        "Hash data=ff54434800 hashAlg=SHA256 hierarchy=owner",
        "answer 0",
        "HashSequenceStart hashAlg=SHA256",
        "SequenceComplete sequenceHandle=$3 buffer='text:hello, world' hierarchy=null",
    ],
    "hmac_keys": ["Load parentHandle=0x80000000 inPrivate=00 inPublic=hmac", "Hash text:hello"],
    "signatures": [
        PARENT,
        "Create parentHandle=$1 inPublic=hmac",
        LOAD,
        "VerifySignature keyHandle=$3 digest=00 signature=null",
        "answer 0x2db",
    ],
    "names": [PARENT, PARENT, "answer $1.name", "answer $2.name"],
    "templates": [PARENT, "CreatePrimary primaryHandle=null inPublic=template:ek-ecc"],
    "sealed_data": [
        PARENT,
        SEAL.format("open sesame", "pw2"),
        LOAD,
        "Unseal itemHandle=$3 auth=text:wrong",
        "answer 0x9a2",
    ],
    "pcrs": ["PCR_Event pcrHandle=16 eventData=text:Kernel", "answer $1.digests", "PCR_Reset pcrHandle=16"],
    "policies_by_hand": [
        "StartAuthSession sessionType=POLICY authHash=SHA256",
        "PolicyAuthValue policySession=$1",
        "PolicyGetDigest policySession=$1",
        "PolicyCommandCode policySession=$1 code=Unseal",
        "PolicyGetDigest policySession=$1",
        "answer $5.policyDigest",
    ],
    "policies_in_use": [
        PARENT,
        SEAL.format("disk key", "pw"),
        LOAD,
        "Unseal itemHandle=$3 auth=text:pw",
        "Unseal itemHandle=$3 auth=text:no",
        "answer 0x99d",
    ],
    "passwords_and_lockout": [
        PARENT,
        SEAL.format("any", "other"),
        LOAD,
        *["Unseal itemHandle=$3 auth=text:no"] * 2,
        "answer 0x921",
        "DictionaryAttackLockReset lockHandle=lockout",
    ],
    "sessions": [
        PARENT,
        SEAL.format("data", "swordfish"),
        LOAD,
        "Unseal itemHandle=$3 auth=text:swordfish",
        "answer 0x1a",
        "StartAuthSession HMAC",
        "GetRandom 8 session=$5,audit",
        "GetRandom 8 session=$5,audit",
    ],
    "salted_sessions": ["StartAuthSession HMAC", "GetRandom 8 session=$1,audit", "answer $1.nonceTPM"],
    "bound_sessions": [
        PARENT,
        SEAL.format("first", "one"),
        LOAD,
        "StartAuthSession HMAC",
        "Unseal itemHandle=$3 itemHandle.session=$4 auth=text:one",
    ],
    "parameter_encryption": [
        "GetRandom 16 session=hmac,audit",
        PARENT,
        "Create parentHandle=$2 inPublic=keyedhash inSensitive.data='text:top secret'",
        "GetRandom 16",
    ],
    "duplication": [
        PARENT,
        PARENT,
        "Create parentHandle=$1 inPublic=hmac",
        "Load parentHandle=$1 inPrivate=$3.outPrivate inPublic=$3.outPublic",
        "Duplicate objectHandle=$4 newParentHandle=$2",
        "HMAC handle=$4 buffer=text:hello",
    ],
    "import": [
        PARENT,
        "Create parentHandle=$1 inPublic=hmac inSensitive.data='text:my keys'",
        LOAD,
        "HMAC handle=$3 buffer=text:hello",
    ],
    "nv": [
        INDEX.format("0x01800001", 9, "AUTHREAD|AUTHWRITE"),
        "NV_Write authHandle=0x01800001 nvIndex=0x01800001 data=text:tpm_wire offset=0",
        "NV_Read authHandle=0x01800001 nvIndex=0x01800001 size=8 offset=0",
        "answer 0x14a",
        INDEX.format("0x01800002", 8, "AUTHREAD|AUTHWRITE"),
        "NV_UndefineSpace authHandle=owner nvIndex=0x01800002",
    ],
    "counters": [
        INDEX.format("0x01800002", 8, "AUTHREAD|AUTHWRITE|COUNTER"),
        "NV_Increment authHandle=0x01800002 nvIndex=0x01800002",
        "NV_Read authHandle=0x01800002 nvIndex=0x01800002 size=8 offset=0",
        "answer 1",
        INDEX.format("0x01800003", 8, "AUTHREAD|AUTHWRITE|BITS"),
        "NV_SetBits authHandle=0x01800003 nvIndex=0x01800003 bits=5",
        "NV_Read authHandle=0x01800003 nvIndex=0x01800003 size=8 offset=0",
    ],
    "quotes": [
        "CreatePrimary primaryHandle=endorsement inPublic=ecc:ecdsa-sha256",
        "Quote signHandle=$1 pcrSelect=sha256:16 qualifyingData='text:from a verifier'",
        "PCR_Event 16 text:anything",
        "Quote signHandle=$1 pcrSelect=sha256:16 qualifyingData='text:from a verifier'",
        "Sign keyHandle=$1 digest=00",
        "answer 0x3e0",
    ],
    "credential_activation": [
        "CreatePrimary primaryHandle=endorsement inPublic=template:ek-ecc",
        "MakeCredential handle=$1 credential=text:riddles objectName=$1",
        "answer 0x1df",
    ],
    "event_logs": [
        "PCR_Read pcrSelectionIn=sha256:23",
        "PCR_Event pcrHandle=23 eventData='text:loader 7'",
        "PCR_Event pcrHandle=23 eventData='text:firmware 1.2'",
        "PCR_Event pcrHandle=23 eventData='text:kernel 6.12'",
        "answer debug shell",
    ],
    "aws_run": [
        PARENT,
        "Create parentHandle=$1 inPublic=hmac inSensitive.data=text:AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        LOAD,
        "HMAC handle=$3 buffer=text:20261124",
        "answer $4.outHMAC",
    ],
    "interposer": [
        "GetRandom 8",
        "flip command GetRandom 4000",
        "GetRandom 8",
        "GetRandom 8 session=salted",
        "answer 0x9a2",
    ],
    "post_quantum": [
        "CreatePrimary primaryHandle=owner inPublic=mldsa65",
        "answer 3309",
        "SignSequenceStart keyHandle=$1",
        "SignSequenceComplete sequenceHandle=$2 keyHandle=$1 buffer=text:Hello",
        "VerifySequenceStart keyHandle=$1",
        "VerifySequenceComplete sequenceHandle=$4 keyHandle=$1 signature=$3.signature",
        "FlushContext $1",
        PARENT,
        "Create parentHandle=$6 inPublic=mlkem768",
        "Load parentHandle=$6 inPrivate=$7.outPrivate inPublic=$7.outPublic",
        "Encapsulate keyHandle=$8",
        "Decapsulate keyHandle=$8 ciphertext=" + "00" * 1088,
    ],
}
"""Lines that nearly solve a lesson: none of its tasks is solved."""


def solve(lesson: Lesson, lines: list[str]) -> set[int]:
    """The tasks that the lines solve."""
    with LessonRun(lesson) as run:
        for line in lines:
            run.run(line)
        return set(run.solved)


@EACH_LESSON
def test_the_solution_solves_the_lesson(lesson: Lesson) -> None:
    with LessonRun(lesson) as run:
        assert run.run("").tasks == ()
        solved = [task for line in lesson.solution for task in run.run(line).tasks]
        assert run.missing() == {}
        assert solved == sorted(solved) == list(range(len(lesson.tasks)))
        assert run.done


def solved_by(lesson: Lesson, lines: list[str]) -> dict[int, int]:
    """The tasks that the lines solve, each with the number of the line that solves it."""
    with LessonRun(lesson) as run:
        return {task: number for number, line in enumerate(lines) for task in run.run(line).tasks}


@EACH_LESSON
def test_no_task_is_solved_without_its_line(lesson: Lesson) -> None:
    """A later line of the solution may solve the task as well; it is then left out, too."""
    for task in range(len(lesson.tasks)):
        lines = list(lesson.solution)
        for _ in range(5):
            number = solved_by(lesson, lines).get(task)
            if number is not None:
                del lines[number]
        assert task not in solve(lesson, lines)


@EACH_LESSON
def test_a_wrong_answer_does_not_solve_a_task(lesson: Lesson) -> None:
    needed = {t for t, n in solved_by(lesson, lesson.solution).items() if lesson.solution[n].startswith("answer ")}
    wrong = ["answer 0x1234" if line.startswith("answer ") else line for line in lesson.solution]
    assert not needed & solve(lesson, wrong)


@EACH_LESSON
def test_nearly_right_lines_do_not_solve_a_task(lesson: Lesson) -> None:
    assert solve(lesson, NEAR_MISSES[lesson.slug[3:]]) == set()


@EACH_LESSON
def test_response_codes_of_a_lesson(lesson: Lesson) -> None:
    """Each code in the table has the name beside it."""
    for code, name in re.findall(r"(0x[0-9a-f]{3}) (TPM_RC_\w+)", lesson.page):
        assert name in str(read_as("rc", code)), (code, name)


@EACH_LESSON
def test_page_of_a_lesson(lesson: Lesson) -> None:
    text = lesson_page(lesson.page, 80)
    assert lesson.title in text
    assert "mermaid" not in text
    assert all(task.text.split()[0] in text for task in lesson.tasks)
    assert "## " not in text
    assert not re.search(r"\*\*|\]\(", text)
    code = "\n".join(re.findall(r"```.*?```", lesson.page, re.DOTALL))
    wide = [line for line in text.splitlines() if len(line) > 80 and line.strip() not in code]
    assert wide == []
    assert not re.search(r"\boctets?\b", lesson.page)


def test_lessons_are_numbered() -> None:
    assert [lesson.slug[:2] for lesson in LESSONS] == [f"{n:02}" for n in range(1, len(LESSONS) + 1)]
    assert len({lesson.title for lesson in LESSONS}) == len(LESSONS)
    assert find_lesson("3") is find_lesson("03") is find_lesson("random") is find_lesson("03_random")
    assert all(find_lesson(lesson.title.lower()) is lesson for lesson in load_lessons())
    with pytest.raises(UsageError, match="no lesson '99'; use 1 to"):
        find_lesson("99")


@EACH_LESSON
def test_references_to_lessons(lesson: Lesson) -> None:
    """A number of another lesson in a text exists."""
    for number in re.findall(r"lessons? (\d+)", lesson.page):
        assert 0 < int(number) <= len(LESSONS)


def test_words_of_a_lesson() -> None:
    with LessonRun(find_lesson("random")) as run:
        assert "no command was sent" in run.run("wire").text
        assert run.run("hint").text.startswith("Task 1: ")
        assert run.run("GetRandom 20").tasks == (0,)
        assert run.run("hint").text.startswith("Task 2: ")
        assert "TPM2_GetRandom" in run.run("wire").text
        assert "GetRandom" in run.run("solution").text
        assert run.run("answer").failed
        assert run.run("answer $9").failed
        assert run.run("flip command GetRandom x").failed
        assert run.run("flip command Nonsense 1").failed
        assert run.run("NoSuchCommand").failed
        assert run.run("# a comment").text == ""
        assert "✔ 1." in run.run("tasks").text
        assert "bytesRequested" in run.run("help GetRandom").text
        assert "answer VALUE" in run.run("help").text
        assert "randomBytes" in run.run("show $1").text
        assert run.run("python").text.startswith('command_1 = bytes.fromhex("80010000000c0000017b0014")')


def test_a_wrong_answer_shows_what_is_missing() -> None:
    with LessonRun(find_lesson("1")) as run:
        text = run.run("answer nonsense").text
        assert text.startswith("This answer solves no task. What is missing:\nTask 1: No response with")
        assert "\nTask 2: " in text
        run.run(run.lesson.solution[0])
        right = next(line for line in run.lesson.solution if line.startswith("answer "))
        assert run.run(right) == ("", (0,), False, False)


def test_progress() -> None:
    progress = Progress()
    first, second = LESSONS[:2]
    assert progress.next_lesson() is first
    progress.skip(first)
    assert (progress.state(first), progress.state(second)) == ("skipped", "next")
    progress.solve(first)
    progress.skip(first)
    assert Progress.parse(progress.to_json()) == progress
    assert progress.state(first) == "solved"
    progress.reset(first)
    assert progress.next_lesson() is first
    for lesson in LESSONS:
        progress.solve(lesson)
    assert progress.next_lesson() is None
    progress.reset(None)
    assert progress == Progress()
    for text in ("{", "[]", '{"solved": 1}'):
        with pytest.raises(ValueError, match="not the progress"):
            Progress.parse(text)


def test_plain_text() -> None:
    table = "| a | b |\n|---|---|\n| **x** | `y` |"
    assert plain_text(table, 40) == "a  b\n  x  `y`"
    assert plain_text(table.replace("`y`", "long " * 12), 40).count("\n") == 2
    assert plain_text("- one\n- [two](x.md)\n", 40) == "- one\n  - two"


def test_add_a_lesson(tmp_path: Path) -> None:
    """The example of docs/learn.md, in a copy of the sources."""
    page = (ROOT / "docs" / "learn.md").read_text().partition("## Add a lesson")[2]
    lesson, check = (
        re.search(rf"^({fence})\w+\n(.*?)^\1$", page, re.M | re.S) for fence in ("````", "```(?=python)")
    )
    assert lesson is not None
    assert check is not None
    shutil.copytree(ROOT / "cli", tmp_path / "cli", ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path / "cli" / "lessons" / "99_clock"
    folder.mkdir()
    (folder / "lesson.md").write_text(lesson[2])
    (folder / "check.py").write_text(check[2])
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        "from cli.lessons import LessonRun, find_lesson\n"
        "with LessonRun(find_lesson('clock')) as run:\n"
        "    steps = [run.run(line) for line in run.lesson.solution]\n"
        "assert not steps[0].solved and steps[-1].solved, run.missing()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_the_glossary_and_the_list_of_lessons_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "tools" / "glossary.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert list_of_lessons("## The lessons\n\n| 1 | an old title |\n\n## Next\n").count("\n| ") == len(LESSONS) + 1
