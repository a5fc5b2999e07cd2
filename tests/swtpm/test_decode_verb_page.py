"""The page of `tpmwire decode --html` in a real browser: hovered fields light octets, sessions have pictures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from cli.toolbox import main
from tests.support.browser import browser
from tests.support.recording import AES, DATA, PASSWORD, Bench, bench
from tests.support.salt_keys import SEALED
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.sessions import SessionStart
from tpmwire.spec.commands.objects import Create
from tpmwire.spec.commands.policies import PolicyCommandCode, PolicyOR, PolicyPCR
from tpmwire.spec.constants import TPM_CC, TPM_SE
from tpmwire.spec.structures import TPMS_SENSITIVE_CREATE

__all__ = ["bench"]  # a fixture


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


def lit(section: WebElement) -> list[str]:
    return [octets.text for octets in section.find_elements(By.CSS_SELECTOR, ".octets span.lit")]


def field(section: WebElement, name: str) -> WebElement:
    return next(f for f in section.find_elements(By.CSS_SELECTOR, ".f") if f.text.startswith(name))


def test_the_page_in_a_browser(page: webdriver.Chrome, bench: Bench) -> None:
    sections = page.find_elements(By.CSS_SELECTOR, "section[id]")
    assert len(sections) == 2 * len(bench.recorded)
    place, (command, _) = next((n, p) for n, p in enumerate(bench.recorded) if p[0][6:10] == b"\0\0\1\x53")
    section = sections[2 * place]
    mouse = ActionChains(page, duration=0)
    assert lit(section) == []
    for name, octets in (("tag", command[:2]), ("commandSize", command[2:6]), ("parentHandle", command[10:14])):
        mouse.move_to_element(field(section, name)).perform()
        assert lit(section) == [octets.hex(" ")]
    # A structure lights all that is in it, and octets light their field.
    public = field(section, "objectAttributes")
    mouse.move_to_element(public).perform()
    assert len(lit(section)) == 1
    mouse.move_to_element(field(section, "inPublic")).perform()
    assert len(lit(section)) > 5
    mouse.move_to_element(section.find_element(By.CSS_SELECTOR, ".octets span")).perform()
    assert field(section, "tag").get_attribute("class") == "f lit"
    # What was opened shows its value, and lights the octets that hid it.
    opened = field(section, "data")
    assert repr(DATA.decode()) in opened.text
    assert any(DATA.hex(" ") in known.text for known in section.find_elements(By.CSS_SELECTOR, ".k"))
    mouse.move_to_element(opened).perform()
    sealed = "".join(lit(section)).replace(" ", "")
    assert len(bytes.fromhex(sealed)) == 2 + 2 + len(PASSWORD) + 2 + len(DATA)
    assert sealed in command.hex()

    pictures = page.find_elements(By.CSS_SELECTOR, "svg.life")
    assert len(pictures) == 2
    assert all(picture.size["height"] > 50 for picture in pictures)
    salted, policy = (picture.text for picture in pictures)
    for words in ("program", "TPM2_StartAuthSession", "TPM2_Create: authorizes 0x80000000", "HMACs hold"):
        assert words in salted
    assert "TPM2_FlushContext: closes it" in policy
    rows = page.find_elements(By.CSS_SELECTOR, ".policy tr")[1:]
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
    assert page.execute_script("return document.querySelector(':target h2').textContent").startswith(
        "TPM2_PolicyCommandCode"
    )
    assert [entry["message"] for entry in page.get_log("browser")] == []
