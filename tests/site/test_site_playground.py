"""The playground in a real browser: Python explains texts and runs commands, without sending anything."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from cli.lessons import Lesson, load_lessons
from tests.site.conftest import Server
from tests.support.browser import browser
from tests.support.captures import COMMAND, FROM, RESPONSE, TO, frame, recorded
from tests.support.certificates import Authority
from tests.support.programs import ROOT
from tools.site_examples import examples

AXE = ROOT / "tests/js/node_modules/axe-core/axe.min.js"
LOOKS = [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]

TEXTS = {
    "0x98e": ["TPM_RC_AUTH_FAIL", "wrong password", "session 1"],
    "Nov 29 kernel: tpm tpm0: A TPM error (2446) occurred attempting the self test": ["TPM_RC_AUTH_FAIL", "0x98e"],
    "80010000000c0000017b0010": ["TPM2_GetRandom", "bytesRequested", "16"],
}

UNSEAL = (
    "parent = CreatePrimary + child = Create $parent data=text:secret + blob = Load $parent $child + Unseal $blob"
)


class Page:
    """The playground in a browser."""

    def __init__(self, driver: webdriver.Chrome, server: Server) -> None:
        self.driver = driver
        self.width = 1200
        self.server = server

    def open(self, hash: str) -> None:
        """Opens the playground at the fragment of an address, and waits until Python is ready."""
        self.driver.get(f"{self.server.url}/playground/index.html#{hash}")
        self.wait("document.documentElement.dataset.ready")

    def look(self, width: int, scheme: str) -> None:
        """Sets the width in pixels, and light or dark."""
        self.width = width
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def wait(self, script: str) -> Any:
        """Waits until an expression is true, and returns its value."""
        end = time.monotonic() + 120
        while not (value := self.driver.execute_script(f"return {script}")):
            assert time.monotonic() < end, (script, self.driver.get_log("browser"))
            time.sleep(0.02)
        return value

    def text(self, selector: str) -> str:
        """Returns the text of an element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector).text

    def explain(self, text: str) -> str:
        """Types a text, and returns its explanation."""
        self.driver.execute_script("document.getElementById('result').replaceChildren()")
        box = self.driver.find_element(By.ID, "input")
        box.clear()
        box.send_keys(text, Keys.ENTER)
        self.wait("document.querySelector('#result .card') && !document.querySelector('#result.waiting')")
        return self.text("#result")

    def run(self, line: str) -> str:
        """Runs a line, and returns its result."""
        box = self.driver.find_element(By.ID, "line")
        box.clear()
        count = len(self.driver.find_elements(By.CSS_SELECTOR, ".entry"))
        box.send_keys(line, Keys.ENTER)
        self.wait(f"document.querySelectorAll('.entry:not(.waiting)').length === {count + 1}")
        return self.driver.execute_script("return document.querySelector('.entry').textContent")

    def check(self) -> None:
        """Asserts that axe-core finds nothing, and that no text is wider than the screen."""
        self.driver.execute_script(AXE.read_text())
        found = self.driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
        problems = [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]]
        assert problems == []
        assert self.driver.execute_script("return document.documentElement.scrollWidth") <= self.width


@pytest.fixture(scope="module")
def page(server: Server) -> Iterator[Page]:
    """The playground in a browser, ready."""
    with browser() as driver:
        found = Page(driver, server)
        found.open("explain")
        yield found


def test_texts_are_explained(page: Page) -> None:
    page.open("explain")
    page.check()
    for width, scheme in LOOKS:
        page.look(width, scheme)
        for text, words in TEXTS.items():
            explanation = page.explain(text)
            assert [word for word in words if word not in explanation] == []
        page.check()
        back = page.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (back == "rgb(18, 20, 26)") == (scheme == "dark")


def test_an_unknown_text_is_refused_with_advice(page: Page) -> None:
    page.open("explain")
    assert "did you mean TPM2_Create" in page.explain("TPM2_Creat")
    assert "not recognized" in page.explain("hello, TPM")
    page.check()


def lit(page: Page) -> list[str]:
    """Returns the highlighted bytes."""
    return [byte.text for byte in page.driver.find_elements(By.CSS_SELECTOR, ".byte.lit")]


def test_a_link_opens_an_explanation_and_a_field_highlights_its_bytes(page: Page) -> None:
    page.open("explain/80010000000c0000017b0010")
    page.wait("document.querySelector('#result .field')")
    field = next(f for f in page.driver.find_elements(By.CSS_SELECTOR, ".field") if "bytesRequested" in f.text)
    webdriver.ActionChains(page.driver, duration=0).move_to_element(field).perform()
    assert lit(page) == ["00", "10"]
    page.driver.find_element(By.CSS_SELECTOR, ".fields").send_keys(Keys.ARROW_UP)
    assert lit(page) == ["00", "00", "01", "7b"]


def test_a_file_is_explained(page: Page, tmp_path: Path) -> None:
    page.open("explain")
    page.driver.execute_script("document.getElementById('result').replaceChildren()")
    log = tmp_path / "boot.log"
    log.write_text("tpm tpm0: A TPM error (2446) occurred\n")
    page.driver.find_element(By.ID, "file").send_keys(str(log))
    page.wait("document.querySelector('#result .card')")
    assert "TPM_RC_AUTH_FAIL" in page.text("#result")


def test_captures_and_certificates_are_explained(page: Page, tmp_path: Path) -> None:
    capture, certificate = tmp_path / "talk.pcap", Authority(tmp_path, "An EK").bundle
    sent = [
        frame(way, 1 + n * len(data), data=data) for n in (0, 1) for way, data in ((TO, COMMAND), (FROM, RESPONSE))
    ]
    capture.write_bytes(recorded(sent))
    page.open("explain")
    for path, words in ((capture, ["TPM2_GetRandom", "bytesRequested"]), (certificate, ["X.509", "An EK"])):
        page.driver.execute_script("document.getElementById('result').replaceChildren()")
        page.driver.find_element(By.ID, "file").send_keys(str(path))
        page.wait("document.querySelector('#result .card') && !document.querySelector('#result.waiting')")
        assert [word for word in words if word not in page.text("#result")] == []
        page.check()
        if path == capture:
            page.driver.execute_cdp_cmd(
                "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
            )
            page.driver.find_element(By.ID, "save-page").click()
            page.wait("document.getElementById('note').textContent.startsWith('Saved')")
    saved = tmp_path / "talk.pcap.html"
    for _ in range(600):
        if saved.exists():
            break
        time.sleep(0.1)
    assert "Step through" in saved.read_text()


def test_commands_run_in_the_page(page: Page) -> None:
    page.open("run")
    for width, scheme in LOOKS:
        page.look(width, scheme)
        page.driver.find_element(By.ID, "reset").click()
        page.wait("document.getElementById('run-note').textContent.includes('new TPM')")
        assert "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" in page.run("Hash text:hello")
        assert "digest" in page.run("parent = CreatePrimary + ReadPublic $parent")
        assert b"secret".hex() in page.run(UNSEAL)
        assert "TPM_RC_HANDLE" in page.run("ReadPublic 0x81000001")
        for summary in page.driver.find_elements(By.CSS_SELECTOR, ".entry:first-child summary"):
            summary.click()
        page.wait("document.querySelectorAll('.entry:first-child .message').length === 2")
        assert "handle 1" in page.text(".entry:first-child .message.refused")
        page.check()
    assert "did you mean GetRandom" in page.run("GetRandm 8")
    assert page.driver.find_element(By.ID, "line").get_attribute("value") == "GetRandm 8"


def test_names_are_completed(page: Page) -> None:
    page.open("run")
    line = page.driver.find_element(By.ID, "line")
    line.clear()
    line.send_keys("PCR_R")
    page.wait("document.querySelectorAll('#run .suggestions button').length === 2")
    page.check()
    line.send_keys(Keys.TAB)
    assert line.get_attribute("value") == "PCR_Read "
    assert page.driver.switch_to.active_element == line


def test_the_examples_of_the_reference_run(page: Page) -> None:
    page.driver.get(f"{page.server.url}/reference/commands/TPM2_GetRandom.html")
    page.driver.find_element(By.LINK_TEXT, "Try it in the playground").click()
    page.wait("document.documentElement.dataset.ready")
    page.driver.find_element(By.ID, "line").send_keys(Keys.ENTER)
    page.wait("document.querySelector('.entry') && !document.querySelector('.entry.waiting')")
    entry = page.text(".entry")
    value = entry.split("randomBytes: ")[1].split()[0]
    assert bytes.fromhex(value)[:6].hex(" ") in examples()["TPM2_GetRandom"].response


SOLVE = """
    const [lines, done] = arguments;
    const line = document.getElementById("lesson-line");
    const entries = () => document.querySelectorAll("#learn .entry:not(.waiting)").length;
    (async () => {
        for (const each of lines) {
            const before = entries();
            line.value = each;
            line.form.requestSubmit();
            while (entries() === before) await new Promise((resolve) => setTimeout(resolve, 5));
        }
        done(document.querySelectorAll("#learn .task.done").length);
    })();
"""
"""Sends lines in the open lesson. Returns the number of solved tasks."""


def open_lesson(page: Page, lesson: Lesson) -> None:
    page.open(f"learn/{lesson.slug}")
    page.wait(
        f"[...document.querySelectorAll('#learn h1')].some((h) => h.textContent === {json.dumps(lesson.title)})"
    )


def test_two_lessons_are_solved_by_typing(page: Page) -> None:
    for (width, scheme), lesson in zip(LOOKS, [*load_lessons()[2:4]] * 2, strict=True):
        page.look(width, scheme)
        page.open("learn")
        page.wait("document.querySelector('.lessons')")
        page.check()
        open_lesson(page, lesson)
        page.check()
        for line in lesson.solution:
            assert not page.driver.find_element(By.CSS_SELECTOR, ".finished").is_displayed()
            count = len(page.driver.find_elements(By.CSS_SELECTOR, "#learn .entry"))
            page.driver.find_element(By.ID, "lesson-line").send_keys(line, Keys.ENTER)
            page.wait(f"document.querySelectorAll('#learn .entry:not(.waiting)').length === {count + 1}")
        assert page.driver.find_element(By.CSS_SELECTOR, ".finished").is_displayed()
        page.check()
    page.open("learn")
    page.wait("document.querySelectorAll('.lessons .solved').length === 2")


def test_each_lesson_can_be_solved_in_the_page(page: Page) -> None:
    for lesson in load_lessons():
        open_lesson(page, lesson)
        assert page.driver.execute_async_script(SOLVE, lesson.solution[:1]) < len(lesson.tasks)
        assert page.driver.execute_async_script(SOLVE, lesson.solution[1:]) == len(lesson.tasks), lesson
        drawn = page.driver.find_elements(By.CSS_SELECTOR, "#learn svg.sequence")
        assert len(drawn) == ("sequenceDiagram" in lesson.picture)


def test_pages_of_the_reference_have_no_barriers(page: Page) -> None:
    for width, scheme in LOOKS[::3]:
        page.look(width, scheme)
        for path in ("commands/TPM2_PCR_Event", "types/TPMT_PUBLIC", "codes/TPM_RC_AUTH_FAIL", "response-codes"):
            page.driver.execute_script("localStorage.clear()")  # the theme stores its first choice
            page.driver.get(f"{page.server.url}/reference/{path}.html")
            page.wait("document.querySelector('.md-search[aria-label]')")
            page.check()


def test_the_keyboard_selects_tabs(page: Page) -> None:
    page.open("explain")
    page.driver.find_element(By.ID, "tab-explain").send_keys(Keys.ARROW_RIGHT)
    assert page.driver.switch_to.active_element.get_attribute("id") == "tab-run"
    assert page.driver.find_element(By.ID, "run").is_displayed()


def test_nothing_is_sent_anywhere(page: Page) -> None:
    page.open("explain")
    page.server.requests.clear()
    page.explain("fixedTPM|noDA")
    assert page.server.requests == []
    # A worker as the page's own, and the page, can connect to the site's server only.
    with Server(ROOT / "docs") as other:
        script = """
            const [url, done] = arguments;
            const get = `fetch(${JSON.stringify(url)})`;
            const code = `${get}.then(() => postMessage("sent"), () => postMessage("refused"))`;
            const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
            worker.onmessage = async ({ data }) =>
                done([data, await fetch(url).then(() => "sent", () => "refused")]);
        """
        assert page.driver.execute_async_script(script, other.url) == ["refused", "refused"]
        assert page.driver.execute_async_script(script, page.server.url) == ["sent", "sent"]
    page.driver.get_log("browser")
