"""Response codes taken apart (TPM 2.0 Part 2, §6.6), and what is said of them."""

import ast
import re
import subprocess

import pytest

from tests.support.programs import ROOT
from tpmwire.errors import TpmError
from tpmwire.spec import codes
from tpmwire.spec.constants import TPM_CC
from tpmwire.spec.response_codes import TPM_RC
from tpmwire.spec.response_texts import explain
from tpmwire.spec.tss2_codes import BASE, LAYERS


@pytest.mark.parametrize(
    ("rc", "name", "handle", "parameter", "session", "warning", "vendor"),
    [
        (0x000, "TPM_RC_SUCCESS", None, None, None, False, False),
        (0x01E, "TPM_RC_BAD_TAG", None, None, None, False, False),
        (0x100, "TPM_RC_INITIALIZE", None, None, None, False, False),
        (0x143, "TPM_RC_COMMAND_CODE", None, None, None, False, False),
        (0x922, "TPM_RC_RETRY", None, None, None, True, False),
        (0x910, "TPM_RC_REFERENCE_H0", None, None, None, True, False),
        (0x98E, "TPM_RC_AUTH_FAIL", None, None, 1, False, False),
        (0xA8E, "TPM_RC_AUTH_FAIL", None, None, 2, False, False),
        (0x18B, "TPM_RC_HANDLE", 1, None, None, False, False),
        (0x28B, "TPM_RC_HANDLE", 2, None, None, False, False),
        (0x1C4, "TPM_RC_VALUE", None, 1, None, False, False),
        (0x2D5, "TPM_RC_SIZE", None, 2, None, False, False),
        (0xFDA, "TPM_RC_INSUFFICIENT", None, 15, None, False, False),
        (0x084, "TPM_RC_VALUE", None, None, None, False, False),
        (0x88E, "TPM_RC_AUTH_FAIL", None, None, None, False, False),
        (0x0D5, "TPM_RC_SIZE", None, None, None, False, False),
        (0x500, "0x500", None, None, None, False, True),
        (0x000B0143, "TPM_RC_COMMAND_CODE", None, None, None, False, False),
        (0x000B0922, "TPM_RC_RETRY", None, None, None, True, False),
        (0x000C098E, "TPM_RC_AUTH_FAIL", None, None, 1, False, False),
        (0x000B0005, "TSS2_RESMGR_RC_BAD_REFERENCE", None, None, None, False, False),
        (0x000A0008, "TSS2_TCTI_RC_NO_CONNECTION", None, None, None, False, False),
        (0x000A0143, "TSS2_TCTI_RC_0x0143", None, None, None, False, False),
        (0x000B1143, "TSS2_RESMGR_RC_0x1143", None, None, None, False, False),
        (0x80280400, "0x80280400", None, None, None, False, True),
    ],
)
def test_taken_apart(
    rc: int, name: str, handle: int | None, parameter: int | None, session: int | None, warning: bool, vendor: bool
) -> None:
    meaning = explain(rc)
    assert meaning.name == name
    assert (meaning.handle, meaning.parameter, meaning.session) == (handle, parameter, session)
    assert (meaning.warning, meaning.vendor) == (warning, vendor)
    assert meaning.description


def test_every_number_has_a_meaning() -> None:
    for rc in [*range(0x1000), *range(0xB0000, 0xB1000), 0xFFFFFFFF, 0x8007000E]:
        error = TpmError(rc, TPM_CC.HMAC)
        assert "\n" not in str(error)
        assert (f"[0x{rc:08x} from " if rc >> 16 == 0xB else f"[0x{rc:03x}]") in str(error)


def test_every_code_has_words_of_its_own() -> None:
    for code in TPM_RC:
        assert explain(code).description != "not in this table", code


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            TpmError(0x98E, TPM_CC.HMAC),
            "TPM2_HMAC: TPM_RC_AUTH_FAIL (session 1): wrong password; "
            "this counts toward dictionary-attack lockout [0x98e]",
        ),
        (
            TpmError(0x18B, TPM_CC.ReadPublic, (0x81010009,)),
            "TPM2_ReadPublic: TPM_RC_HANDLE (handle 1, 0x81010009): no object at this handle, "
            "or not of the type that the command needs; `tpmwire list` lists the objects in the TPM [0x18b]",
        ),
        (
            TpmError(0x9A2),
            "TPM_RC_BAD_AUTH (session 1): wrong password; check the key's or hierarchy's password [0x9a2]",
        ),
        (
            TpmError(0xB098E, TPM_CC.HMAC),
            "TPM2_HMAC: TPM_RC_AUTH_FAIL (session 1): wrong password; "
            "this counts toward dictionary-attack lockout "
            "[0x000b098e from a resource manager, such as the kernel's /dev/tpmrm0]",
        ),
    ],
)
def test_what_the_user_reads(error: TpmError, text: str) -> None:
    assert str(error) == text
    assert error.code in (TPM_RC.AUTH_FAIL, TPM_RC.HANDLE, TPM_RC.BAD_AUTH)


def test_a_tpm_that_was_started_already_is_not_told_to_be_started() -> None:
    started = TpmError(0x100, TPM_CC.Startup)
    assert str(started) == (
        "TPM2_Startup: TPM_RC_INITIALIZE: the TPM has already executed TPM2_Startup; nothing to do [0x100]"
    )
    assert "has not executed TPM2_Startup" in str(TpmError(0x100, TPM_CC.GetRandom))


def test_the_codes_that_are_compared_are_those_of_the_table() -> None:
    compared = {name: value for name, value in vars(codes).items() if name.startswith("TPM_RC_")}
    assert len(compared) > 10
    for name, value in compared.items():
        assert TPM_RC[name.removeprefix("TPM_RC_")] == value
    assert codes.AGAIN == (TPM_RC.YIELDED, TPM_RC.TESTING, TPM_RC.RETRY)


def compared_with_numbers(source: str) -> list[int]:
    """Lines that compare `….code` with a number, or look for it among numbers."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and any(isinstance(part, ast.Attribute) and part.attr == "code" for part in (node.left, *node.comparators))
        and any(type(getattr(part, "value", None)) is int for one in node.comparators for part in ast.walk(one))
    ]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("error.code == 0x8e", [1]),
        ("error.code != 142", [1]),
        ("\nerror.code in (TPM_RC_HANDLE, 0x8b)", [2]),
        ("error.code == TPM_RC_HANDLE", []),
        ("error.code == 'AccessDenied'", []),
        ("error.parameter == 4", []),
    ],
)
def test_a_comparison_with_a_number_is_found(source: str, lines: list[int]) -> None:
    assert compared_with_numbers(source) == lines


def test_no_module_compares_a_code_with_a_number() -> None:
    """`spec.codes` has the names, and costs a run nothing."""
    modules = [path for package in ("tpmwire", "cli", "sigv4") for path in (ROOT / package).rglob("*.py")]
    found = {str(path): lines for path in modules if (lines := compared_with_numbers(path.read_text()))}
    assert found == {}


@pytest.mark.parametrize("rc", [0x143, 0x98E, 0x2CA, 0x922, 0x080, 0xFFF])
def test_a_resource_managers_code_compares_as_the_tpms(rc: int) -> None:
    for layer in codes.RESOURCE_MANAGERS:
        assert codes.tpm_code(layer << 16 | rc) == codes.tpm_code(rc) == rc
        ours, theirs = TpmError(layer << 16 | rc), TpmError(rc)
        assert (ours.code, ours.name, ours.hint) == (theirs.code, theirs.name, theirs.hint)
        assert (ours.handle, ours.parameter, ours.session) == (theirs.handle, theirs.parameter, theirs.session)
        assert (ours.rc, ours.layer, theirs.layer) == (layer << 16 | rc, layer, 0)


@pytest.mark.parametrize("rc", [0xA0143, 0x70143, 0x0001000B, 0xB0005, 0xB1143, 0x10B0143, 0x80280143])
def test_no_other_code_compares_as_the_tpms(rc: int) -> None:
    assert codes.tpm_code(rc) == rc
    assert not TpmError(rc).code.known


def test_layers_are_named_as_tpm2_tools_name_them() -> None:
    """tpm2_rc_decode writes "tcti:IO failure"; its words are its own, the layers and the TPM's part are not."""
    theirs = {"fapi": "FAPI", "esapi": "ESYS", "sys": "SYS", "mu": "MU", "tcti": "TCTI", "rmt": "RESMGR"}
    for layer in (6, 7, 8, 9, 10):
        for base in (1, 10, 27):
            said = _decoded(layer << 16 | base)
            assert theirs[said.partition(":")[0]] == LAYERS[layer].name
            assert explain(layer << 16 | base).name == f"TSS2_{LAYERS[layer].name}_RC_{BASE[base][0]}"
    assert _decoded(0xA000A).lower() == "tcti:io failure"
    assert re.sub("^rmt:", "tpm:", _decoded(0xB0143)) == _decoded(0x143)


def _decoded(rc: int) -> str:
    return subprocess.run(
        ["tpm2_rc_decode", f"{rc:#x}"], check=True, capture_output=True, text=True
    ).stdout.strip()
