"""docs/tour, "With your own TPM": the lines of each page work in a lesson, and its Python agrees with them."""

import re
import shlex
from pathlib import Path

import pytest

from cli.inspect.script import LineResult, Script
from cli.lessons import LessonRun, find_lesson
from tests.support.verbs import shell
from tools import tour
from tpmwire import Tpm
from tpmwire.keys.keyfile import parse
from tpmwire.spec.structures import TPM2B_PUBLIC

IMPORTS = "```python\nimport hashlib\nimport hmac\n\n"


def own_lines(page: str) -> list[str]:
    return page.partition("## With your own TPM")[2].split("```text\n")[1].split("```")[0].splitlines()


def run_lines(lesson: str, lines: list[str]) -> list[tuple[str, dict[str, str]]]:
    """The text of each line, and the bytes of its last command, and of its first response."""
    with LessonRun(find_lesson(lesson)) as run:
        found = []
        for line in lines:
            step = run.run(line)
            assert not step.failed, (line, step.text)
            shown = dict(re.findall(r'(\w+) = bytes\.fromhex\("(\w+)"\)', run.run("python").text))
            *_, command, response = shown.values()
            found.append((step.text, {"first": shown["response_1"], "command": command, "response": response}))
        return found


def page_of(name: str) -> str:
    return (tour.TOUR / name).read_text()


KEY = find_lesson("aws_run").solution[:3]


def test_own_hmac() -> None:
    page = page_of("1-hmac.md")
    *_, (_, sent) = run_lines("aws_run", [*KEY, *own_lines(page)])
    values = {"hmac_command": sent["command"], "hmac_response": sent["response"]}
    with pytest.raises(tour.TourError, match="AssertionError"):
        tour.Page(values).filled(page)  # the handle is another one
    tour.Page(values).filled(page.replace("0x81010002", "0x80000001"))


def test_own_policy() -> None:
    page = page_of("2-policy.md")
    sent = [found for _, found in run_lines("policies_in_use", [*own_lines(page), "PCR_Event 23 text:x"])]
    values = {"policy_digest_response": sent[2]["response"], "policy_public": sent[6]["response"][24:]}
    python = re.findall(r"```python\n.*?```\n", page.partition("values policy_public")[2], re.DOTALL)
    tour.Page(values).filled("<!-- tour: values policy_public policy_digest_response -->\n" + "".join(python[:2]))
    with LessonRun(find_lesson("policies_in_use")) as run:
        for line in own_lines(page)[:-1]:
            run.run(line)
        run.run("PCR_Event 23 text:x")
        assert "TPM_RC_POLICY_FAIL" in run.run(own_lines(page)[-1]).text


def test_own_salted_session() -> None:
    page = page_of("3-salted-session.md")
    found = run_lines("aws_run", [*KEY, *own_lines(page)])[3:]
    salt = re.findall(r"salt: (\w+)", found[0][0])[0]
    values = {
        f"salted_{name}_{kind}": found[n][1][kind]
        for n, name in enumerate(("start", "hmac"))
        for kind in ("command", "response")
    }
    values |= {"salted_key_response": found[1][1]["first"], "salted_key_command": ""}
    start = f'{IMPORTS}salt = bytes.fromhex("{salt}")\n```\n'
    marker = "<!-- tour: values salted_start_command salted_start_response -->\n```python\n```\n"
    rest = page.partition("## The session's key")[2].replace("0x81010002", "0x80000001")
    tour.Page(values).filled(start + marker + rest)


def test_own_bound_session() -> None:
    page = page_of("6-other-sessions.md")
    lines = own_lines(page)
    key = KEY[1].partition("inSensitive.data=")[2].split()[0]
    lines[1] += f" inSensitive.data={key}"  # with another key, the last line of the page does not hold
    found = run_lines("bound_sessions", lines)
    salt = re.findall(r"salt: (\w+)", found[3][0])[0]
    name = re.findall(r"name: (\w+)", found[2][0])[0]
    values = {
        f"bound_{name}_{kind}": found[n][1][kind]
        for n, name in ((3, "start"), (4, "hmac"))
        for kind in ("command", "response")
    }
    start = f'{IMPORTS}bound_salt = bytes.fromhex("{salt}")\nbound_name = bytes.fromhex("{name}")\n```\n'
    marker = "<!-- tour: values bound_start_command bound_start_response -->\n```python\n```\n"
    tour.Page(values).filled(start + marker + page.partition("## The session's key")[2])


def own_command(page: str, folder: Path) -> str:
    """The shell command under "With your own TPM", with its files in a folder."""
    own = page.partition("## With your own TPM")[2].split("```sh\n")[1].split("```")[0]
    return own.replace("\\\n", "").replace("/tmp/tour", f"{folder}/tour")


@pytest.fixture(scope="module")
def own_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the key file and the TPM that page 4 makes."""
    folder = tmp_path_factory.mktemp("tour")
    words, _, command = own_command(page_of("4-key-file.md"), folder).partition(" | ")
    ran = shell(*shlex.split(command)[1:], stdin=words.removeprefix("echo ").encode() + b"\n")
    assert (ran.code, (folder / "tour.pem").exists()) == (0, True), ran.err
    return folder


def use_own_key(folder: Path, lines: list[str]) -> list[LineResult]:
    with Tpm.open(f"soft:{folder}/tour.tpm") as tpm, Script(tpm, secrets=True) as script:
        return [script.run(line.replace("/tmp/tour", f"{folder}/tour")) for line in lines]


def test_own_key_file(own_key: Path) -> None:
    page = page_of("4-key-file.md")
    found = use_own_key(own_key, own_lines(page))
    assert [result.code for result in found] == [0] * 5
    load, hmac = (dict(re.findall(r'(\w+)_1 = bytes\.fromhex\("(\w+)"\)', found[n].text)) for n in (2, 4))
    values = {"file_load_command": load["command"], "file_load_response": load["response"]}
    values |= {"file_hmac_response": hmac["response"], "file_hmac_command": hmac["command"]}
    pem = (own_key / "tour.pem").read_text()
    file = parse(pem.encode())
    values["public"] = TPM2B_PUBLIC.build(file.public).hex()
    values["private"] = f"{len(file.private):04x}{file.private.hex()}"
    own = f'```python\npem = """{pem}"""\n```\n'
    tour.Page(values).filled(re.sub(r"<!-- tour: file .*?```python.*?```\n", lambda _: own, page, flags=re.DOTALL))


def test_own_request(own_key: Path) -> None:
    page = page_of("5-request.md")
    command = own_command(page, own_key)
    ran = shell(*shlex.split(command)[1:])
    assert ran.code == 0, ran.err
    body = command.split("'")[1]
    values = {"request_headers": ran.out.strip().encode().hex(), "request_body": body.encode().hex()}
    day = re.findall(r"X-Amz-Date: (\d{8})T", ran.out)[0]
    lines = ["CreatePrimary h2-primary", "Load @/tmp/tour.pem", f"HMAC text:{day}"]
    k_date = use_own_key(own_key, lines)[2].values["outHMAC"].hex()
    ours = re.sub(r'k_date = bytes.fromhex\("\w+"\)', f'k_date = bytes.fromhex("{k_date}")', page)
    with pytest.raises(tour.TourError, match="AssertionError"):
        tour.Page(values).filled(page)
    tour.Page(values).filled(ours.replace("20261124", day))


def test_every_page_says_how_to_repeat_it() -> None:
    pages: list[Path] = [path for path in tour.pages() if path.name != "README.md"]
    assert len(pages) == 6
    assert all("## With your own TPM" in path.read_text() for path in pages)
