"""`make site` builds the site with no broken link, and no page loads anything from another server."""

import json
import re
from pathlib import Path

from tools.site_examples import example_lines, examples
from tools.site_pages import MODULES, find_broken_links
from tools.site_reference import page_addresses
from tpmwire.spec.constants import TPM_CC

WITHOUT_RESPONSE = {
    "PP_Commands",  # the soft TPM has no physical presence
    "FieldUpgradeStart",
    "FieldUpgradeData",
    "FirmwareRead",
    "AC_GetCapability",
    "AC_Send",
    "Policy_AC_SendSelect",
    "ACT_SetTimeout",
    "PolicyCapability",
    "PolicyParameters",
    "NV_DefineSpace2",
    "NV_ReadPublic2",
    "SetCapability",
    "ReadOnlyControl",
    "PolicyTransportSPDM",
    "Vendor_TCG_Test",
}
"""Commands whose page has no response, because the soft TPM does not execute them."""


def test_no_link_is_broken(site: Path) -> None:
    assert [*find_broken_links(site)] == []


def test_pages_load_nothing_from_other_servers(site: Path) -> None:
    for path in site.rglob("*.html"):
        tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", path.read_text())
        assert [tag for tag in tags if re.search(r'\b(?:src|href)="(?:https?:)?//', tag)] == [], path


def test_the_api_reference_has_docstrings_and_fields(site: Path) -> None:
    for module in MODULES:
        assert "doc-object" in (site / "api" / f"{module}.html").read_text(), module
    commands = re.sub("<[^>]+>", "", (site / "api" / "tpmwire.commands.html").read_text())
    assert "bytes_requested: UINT16" in commands
    assert "Returns up to bytes_requested random bytes" in commands
    # Examples of docstrings are code, not quotations.
    assert "<blockquote>" not in "".join(path.read_text() for path in (site / "api").glob("*.html"))


def test_every_name_of_the_standard_has_a_page(site: Path) -> None:
    index = {
        entry["location"]: entry for entry in json.loads((site / "search/search_index.json").read_text())["docs"]
    }
    for name, path in page_addresses().items():
        location = path.removesuffix(".md") + ".html"
        assert (site / location).is_file(), name
        assert index[location]["title"] == name
    page = re.sub("<[^>]+>", "", (site / "reference/commands/TPM2_PCR_Event.html").read_text())
    for words in ("Part 3 §22.3", "TPM_RC_LOCALITY", "00 04 62 6f 6f 74", "TPM_RC_SUCCESS", "role USER"):
        assert words in page
    page = re.sub("<[^>]+>", "", (site / "reference/codes/TPM_RC_AUTH_FAIL.html").read_text())
    for words in ("0x98e", "2446", "session 1", "tpm:session(1):the authorization HMAC check failed"):
        assert words in page


def test_every_command_has_an_example(site: Path) -> None:
    for name, example in examples().items():
        assert f"commandCode: 0x{int(TPM_CC[name.removeprefix('TPM2_')]):08x}, {name}" in example.command
        assert "! " not in example.command + example.response
        if example.line:
            assert "TPM_RC_SUCCESS" in example.response, name
    without = {name.removeprefix("TPM2_") for name, example in examples().items() if not example.response}
    assert without <= WITHOUT_RESPONSE
    assert {*example_lines()} - {example.line for example in examples().values()} == set()
