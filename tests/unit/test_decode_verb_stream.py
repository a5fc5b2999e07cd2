"""`tpmwire decode` explains a recording of any length while it arrives, in memory that does not grow."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.inspect import writers
from cli.toolbox import main
from tests.support.captures import COMMAND, ERROR, RESPONSE, Capture, recorded
from tests.support.programs import ROOT
from tests.support.verbs import started
from tests.unit.test_recordings import Page
from tpmwire.sessions import SessionStart
from tpmwire.spec.commands.context import ContextSave
from tpmwire.spec.constants import TPM_SE
from tpmwire.spec.structures import TPMS_CONTEXT
from tpmwire.wire import build_command, split

pytestmark = pytest.mark.once

DECODE = [sys.executable, "-m", "cli.toolbox", "decode"]

PEAK = """
import os, resource, subprocess, sys
with open(os.devnull, "wb") as nothing:
    code = subprocess.run(sys.argv[1:], stdout=nothing).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak(*words: str) -> float:
    """The peak memory of a program in MiB; measured from a small process, at whose peak a child's begins."""
    done = subprocess.run([sys.executable, "-c", PEAK, *words], check=True, capture_output=True, timeout=280)
    code, size = map(int, done.stdout.split())
    assert code == 0, done.stderr
    return size / 1024


def plain(number: int) -> tuple[bytes, bytes]:
    return COMMAND, RESPONSE


def sessions(number: int) -> tuple[bytes, bytes]:
    """New sessions without an end, and saved contexts, each different."""
    if number % 2:
        start = SessionStart(TPM_SE.HMAC).command
        response = bytes.fromhex("80010000003000000000") + (0x02000000 + number).to_bytes(4, "big")
        return build_command(start.code, split(start)), response + b"\0\x20" + bytes(32)
    save = ContextSave(0x02000000 + number - 1)
    context = TPMS_CONTEXT(number, 0x02000000, 0x40000001, number.to_bytes(500, "big")).build()
    response = b"\x80\1" + (10 + len(context)).to_bytes(4, "big") + bytes(4) + context
    return build_command(save.code, split(save)), response


# A page has at most 500 messages, and the histories of at most 1000 sessions.
@pytest.mark.parametrize(("pair", "counts"), [(plain, (1000, 4000)), (sessions, (2200, 5200))])
@pytest.mark.parametrize("output", [["--format=text"], ["--json"], ["--format=jsonl"], ["--html", "page.html"]])
def test_memory_does_not_grow_with_the_recording(
    pair: Callable[[int], tuple[bytes, bytes]], counts: tuple[int, int], output: list[str], tmp_path: Path
) -> None:
    peaks = []
    for count in counts:
        talk = Capture()
        for number in range(count // 2):
            command, response = pair(number)
            talk.to(command).back(response)
        path = tmp_path / "talk.pcap"
        path.write_bytes(recorded(talk.frames))
        where = [word if word != "page.html" else str(tmp_path / word) for word in output]
        peaks.append(peak(*DECODE, *where, str(path)))
    # If they were kept, each message would need 5 to 15 KiB: 15 to 45 MiB more.
    assert peaks[1] - peaks[0] < 6
    assert peaks[1] < 150


def test_a_pipe_shows_each_message_when_it_arrives() -> None:
    frames = Capture().to(COMMAND).back(RESPONSE).to(COMMAND).back(ERROR).frames
    whole = recorded(frames)
    first = len(recorded(frames[:4]))
    with started([*DECODE, "--format=jsonl", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdin.write(whole[:first])
        run.stdin.flush()
        assert [json.loads(run.stdout.readline())["name"] for _ in range(2)] == ["TPM2_GetRandom", "response"]
        assert run.poll() is None
        rest, _ = run.communicate(whole[first:], timeout=120)
    assert [json.loads(line)["octets"] for line in rest.splitlines()] == [COMMAND.hex(), ERROR.hex()]
    assert run.returncode == 0


def test_json_lines_are_the_elements_of_the_json_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "talk.pcap"
    path.write_bytes(recorded(Capture().to(COMMAND).back(RESPONSE).to(COMMAND).frames))
    outputs = []
    for words in (["--json"], ["--format=json"], ["--format=jsonl"]):
        assert main(["decode", *words, str(path)]) == 0
        outputs.append(capsys.readouterr().out)
    trees = json.loads(outputs[0])
    assert [tree["octets"] for tree in trees] == [COMMAND.hex(), RESPONSE.hex(), COMMAND.hex()]
    assert outputs[1] == outputs[0] == json.dumps(trees, indent=2) + "\n"
    assert [json.loads(line) for line in outputs[2].splitlines()] == trees


@pytest.mark.parametrize(
    ("output", "field"),
    [
        ("--format=text", "{}: "),
        ("--format=jsonl", '"name": "{}"'),
        ("--json", '"name": "{}"'),
        ("--html", "<b>{}</b>"),
    ],
)
def test_a_truncated_capture_is_explained_up_to_its_end(
    output: str, field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, page = tmp_path / "talk.pcap", tmp_path / "page.html"
    path.write_bytes(recorded(Capture().to(COMMAND).back(RESPONSE).to(COMMAND).back(ERROR).frames)[:-3])
    assert main(["decode", *([output, str(page)] if output == "--html" else [output]), str(path)]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"tpmwire: {path}: the capture is truncated: expected ")
    assert err.count("\n") == 1
    shown = page.read_text() if output == "--html" else out
    if output == "--json":
        assert len(json.loads(shown)) == 3
    assert [shown.count(field.format(name)) for name in ("commandCode", "responseCode")] == [2, 1]


def test_a_page_never_replaces_an_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, link = tmp_path / "talk.hex", tmp_path / "page.html"
    path.write_text(COMMAND.hex())
    link.symlink_to(path)
    for page in (path, link):
        assert main(["decode", "--html", str(page), str(path)]) == 2
        assert capsys.readouterr().err == f"tpmwire: {page} is an input; choose another file for --html\n"
    with path.open() as stdin:
        words = [*DECODE, "--html", str(path)]
        ran = subprocess.run(words, stdin=stdin, capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"tpmwire: {path} is an input; choose another file for --html\n"
    assert path.read_text() == COMMAND.hex()


def test_pages_for_many_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(writers, "PAGE", 4)
    talk = Capture()
    for number in range(5):
        command, response = sessions(2 * number + 1)
        talk.to(command).back(response)
    path, page = tmp_path / "talk.pcap", tmp_path / "<i> & #.html"
    path.write_bytes(recorded(talk.frames))
    assert main(["decode", "--html", str(page), str(path)]) == 0
    assert "the messages are on 3 pages" in capsys.readouterr().err
    names = ["<i> & #-1.html", "<i> & #-2.html", "<i> & #-3.html", "<i> & #.html", "talk.pcap"]
    assert sorted(os.listdir(tmp_path)) == names
    texts = [(tmp_path / name).read_text() for name in names[:4]]
    assert [text.count('<section class="m"') for text in texts] == [4, 4, 2, 0]
    assert "messages 9 to 10</a>" in texts[3]
    # The session that the fifth command opens is drawn, and leads to its place on the last page.
    assert 'href="%3Ci%3E%20%26%20%23-3.html#m8"' in texts[3]
    assert 'href="%3Ci%3E%20%26%20%23.html"' in texts[0]
    monkeypatch.undo()
    assert main(["decode", "--html", str(page), str(path)]) == 0
    Page(page.read_text())


def test_500_messages_are_one_page_of_less_than_3_mb(tmp_path: Path) -> None:
    lines = (ROOT / "fixtures/captures/tpm2-tools.jsonl").read_text().splitlines()[:250]
    talk, page = tmp_path / "talk.jsonl", tmp_path / "page.html"
    talk.write_text("\n".join(lines))
    assert main(["decode", "--html", str(page), str(talk)]) == 0
    assert sorted(os.listdir(tmp_path)) == ["page.html", "talk.jsonl"]
    text = page.read_text()
    assert len(text.encode()) < 3_000_000
    summary = re.findall(r'<p class="summary">(.*?)</p>', text)[0]
    assert summary.startswith("500 messages, 250 commands. The TPM refused 4: TPM2_Create (TPM_RC_RETRY), ")
    assert summary.endswith(" No parameter is encrypted. 58 HMACs verified.")
    assert text.count('<section class="m"') == 500
    assert text.count('<article class="x bad"') == text.count('<span class="r no">') == 4
    Page(text)


def test_a_log_is_explained_line_by_line(tmp_path: Path) -> None:
    log = f"starting\n SWTPM_IO_Read: length 12\n {COMMAND.hex(' ')}\n".encode()
    log += f" SWTPM_IO_Write: length 10\n {ERROR.hex(' ')}\n".encode()
    with started([*DECODE, "--format=jsonl", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdin.write(log)
        run.stdin.flush()
        assert [json.loads(run.stdout.readline())["octets"] for _ in range(2)] == [COMMAND.hex(), ERROR.hex()]
        run.stdin.close()
        assert run.wait(120) == 0


def test_a_log_after_much_other_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log"
    noise = b"nothing of a TPM\n" * 30_000
    path.write_bytes(noise + b" SWTPM_IO_Read: length 12\n " + COMMAND.hex(" ").encode() + b"\n")
    assert main(["decode", str(path)]) == 0
    assert "bytesRequested" in capsys.readouterr().out
    path.write_bytes(noise)
    assert main(["decode", str(path)]) == 2
    assert "no TPM 2.0 message found" in capsys.readouterr().err
