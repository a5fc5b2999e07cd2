"""The page of `tpmwire decode --html` in a real browser: fields light bytes, the filter and the keyboard work."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from cli.toolbox import main
from tests.support.browser import browser
from tests.support.programs import ROOT
from tests.support.recording import AES, DATA, PASSWORD, Bench, bench
from tests.support.salt_keys import SEALED
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.sessions import SessionStart
from tpmwire.spec.commands.objects import Create
from tpmwire.spec.commands.policies import PolicyCommandCode, PolicyOR, PolicyPCR
from tpmwire.spec.constants import TPM_CC, TPM_SE
from tpmwire.spec.structures import TPMS_SENSITIVE_CREATE

__all__ = ["bench"]  # a fixture


AXE = ROOT / "tests/js/node_modules/axe-core/axe.min.js"


@pytest.fixture
def page(bench: Bench, tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """The page of a salted session, and of a policy session, in a browser."""
    session = bench.salted(AES)
    sensitive = TPMS_SENSITIVE_CREATE(PASSWORD, DATA)
    bench.tpm.execute(Create(bench.parent, sensitive, SEALED), session.use(decrypt=True, keep=False))
    trial = bench.tpm.start_session(SessionStart(TPM_SE.TRIAL))
    bench.tpm.execute(PolicyCommandCode(trial.handle, TPM_CC.Unseal))
    bench.tpm.execute(PolicyOR(trial.handle, (bytes(32), b"\1" * 32)))
    bench.tpm.execute(PolicyPCR(trial.handle, b"", parse_pcrs("7,23")))
    bench.tpm.flush(trial.handle)
    talk, out = tmp_path / "talk.hex", tmp_path / "talk.html"
    talk.write_text("".join(f"{c.hex()}\n{r.hex()}\n" for c, r in bench.recorded))
    assert main(["decode", "--salt", bench.salt.reveal().hex(), "--html", str(out), str(talk)]) == 0
    with browser() as driver:
        driver.get(out.as_uri())
        yield driver


def lit(section: WebElement) -> str:
    """The bytes that are highlighted in a message, in hex."""
    return " ".join(octets.text for octets in section.find_elements(By.CSS_SELECTOR, ".d b.lit"))


def field(section: WebElement, name: str) -> WebElement:
    return next(f for f in section.find_elements(By.CSS_SELECTOR, ".f") if f.text.startswith(name))


def test_the_page_in_a_browser(page: webdriver.Chrome, bench: Bench) -> None:
    cards = page.find_elements(By.CSS_SELECTOR, "article")
    rail = page.find_elements(By.CSS_SELECTOR, ".rail a")
    assert len(cards) == len(rail) == len(bench.recorded)
    summary = page.find_element(By.CSS_SELECTOR, ".summary").text
    assert f"{2 * len(cards)} messages, {len(cards)} commands." in summary
    assert "2 sessions: 1 salted HMAC, 1 trial." in summary
    assert "A session encrypts inSensitive of TPM2_Create. 2 HMACs verified." in summary
    place, (command, _) = next((n, p) for n, p in enumerate(bench.recorded) if p[0][6:10] == b"\0\0\1\x53")
    section = page.find_element(By.ID, f"m{2 * place}")
    mouse = ActionChains(page, duration=0)
    assert lit(section) == ""
    for name, octets in (("tag", command[:2]), ("commandSize", command[2:6]), ("parentHandle", command[10:14])):
        mouse.move_to_element(field(section, name)).perform()
        assert lit(section) == octets.hex(" ")
    # A structure lights all that is in it, with its size; bytes light their field.
    mouse.move_to_element(field(section, "inPublic")).perform()
    public = SEALED.build()
    assert bytes.fromhex(lit(section)) == len(public).to_bytes(2, "big") + public
    mouse.move_to_element(section.find_element(By.CSS_SELECTOR, ".d b")).perform()
    assert field(section, "tag").get_attribute("class") == "f lit"
    # A decrypted parameter shows its value, and lights the bytes that hid it.
    opened = field(section, "data")
    assert repr(DATA.decode()) in opened.text
    mouse.move_to_element(opened).perform()
    sealed = bytes.fromhex(lit(section))
    assert len(sealed) == 2 + 2 + len(PASSWORD) + 2 + len(DATA)
    assert sealed in command
    assert {b.get_attribute("class") for b in section.find_elements(By.CSS_SELECTOR, ".d b")} == {
        *("h", "n", "a", "p", "p lit", "e lit")
    }

    lives = [life.text for life in page.find_elements(By.CSS_SELECTOR, ".life")]
    for words in ("TPM2_StartAuthSession", "TPM2_Create: authorizes 0x80000000", "HMACs valid"):
        assert words in lives[0]
    assert "TPM2_FlushContext: flushes the session" in lives[1]
    rows = page.find_elements(By.CSS_SELECTOR, ".policy tbody tr")
    assert [row.text.split()[1] for row in rows] == [
        "TPM2_PolicyCommandCode",
        "TPM2_PolicyOR",
        "TPM2_PolicyPCR",
    ]
    assert "pcrs sha256:7,23" in rows[2].text
    assert "not in this recording" in rows[2].text
    assert "H(zeros || TPM_CC_PolicyOR || pHashList)" in rows[1].text
    # A step leads to its message.
    rows[0].find_element(By.CSS_SELECTOR, "a").click()
    assert page.execute_script(
        "return document.querySelector(':target').closest('article').querySelector('h2').textContent"
    ).endswith("TPM2_PolicyCommandCode ✔ success")

    shown = "return [...document.querySelectorAll('article:not([hidden]) h2')].map(h => h.textContent).join()"
    page.find_element(By.ID, "find").send_keys("policyor")
    assert "TPM2_PolicyOR" in page.execute_script(shown)
    assert "TPM2_Create" not in page.execute_script(shown)
    page.find_element(By.ID, "find").clear()
    # Arrows move in the fields of a message, and the address names the field.
    page.find_element(By.CSS_SELECTOR, "#m0 .t li .f").click()
    ActionChains(page).send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN).perform()
    assert lit(page.find_element(By.ID, "m0")) == bench.recorded[0][0][6:10].hex(" ")
    assert page.current_url.endswith("#m0:6")
    page.refresh()
    assert lit(page.find_element(By.ID, "m0")) == bench.recorded[0][0][6:10].hex(" ")
    assert [entry["message"] for entry in page.get_log("browser")] == []


def test_stepping_through_a_session(page: webdriver.Chrome, bench: Bench) -> None:
    def shown() -> list[str]:
        found = page.find_elements(By.CSS_SELECTOR, ".m")
        return [str(message.get_attribute("id")) for message in found if message.is_displayed()]

    keys = ActionChains(page)
    codes = [command[6:10] for command, _ in bench.recorded]
    start, create = codes.index(bytes.fromhex("00000176")), codes.index(bytes.fromhex("00000153"))
    page.find_element(By.CSS_SELECTOR, ".life .go").click()
    assert shown() == [f"m{2 * start}"]
    assert page.find_element(By.ID, "step").text == "message 1 of 4"
    keys.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT).perform()
    assert shown() == [f"m{2 * create}"]
    known = page.find_element(By.CSS_SELECTOR, ".now .w").text
    for words in (
        "known only to the program and the TPM",
        "HMAC key",
        "AES-128-CFB key",
        "known to anyone who reads the bus",
    ):
        assert words in known
    assert page.find_element(By.CSS_SELECTOR, ".now .w .no, .now .w .new b").text == "HMAC key"
    keys.send_keys(Keys.ARROW_LEFT).perform()
    assert shown() == [f"m{2 * start + 1}"]
    page.find_element(By.CSS_SELECTOR, ".rail a").click()
    assert shown() == ["m0"]
    assert "no session protects it" in page.find_element(By.ID, "step").text
    assert page.current_url.endswith("#step0")
    page.refresh()
    assert shown() == ["m0"]
    keys.send_keys(Keys.ESCAPE).perform()
    assert len(shown()) == 2 * len(bench.recorded)
    assert [entry["message"] for entry in page.get_log("browser")] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: webdriver.Chrome, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed; run make setup")
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.set_script_timeout(120)
    for address in ("#m0", "#step4"):
        page.get(page.current_url.partition("#")[0] + address)
        page.refresh()
        # The page's policy refuses scripts of a test, but not those of the browser's debugger.
        page.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text()})
        found = page.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
        assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]] == []


def test_nothing_is_wider_than_the_page(page: webdriver.Chrome) -> None:
    script = """return [...document.querySelectorAll('body *')].filter(e => e.clientWidth && (
      e.getBoundingClientRect().right > innerWidth + 1 ||
      getComputedStyle(e).overflowX != 'visible' && e.scrollWidth > e.clientWidth + 1)).map(e => e.outerHTML)"""
    for width in (320, 390, 700, 1440):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": True}
        page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        assert page.execute_script(script) == [], width
