"""A chip without TPM2_HMAC, behind the kernel, whose resource manager refuses the command by a code of its own."""

import pytest

from tests.device.appliance import KEYS, PATHS, Appliance, credentials

pytestmark = pytest.mark.device


def test_the_kernel_answers_for_itself(without_hmac: Appliance) -> None:
    """/dev/tpm0 passes on the chip's response; what /dev/tpmrm0 answers has its layer in front."""
    assert without_hmac.the("refused", path="/dev/tpm0")["answer"] == "80010000000a00000143"
    assert without_hmac.the("refused", path="/dev/tpmrm0")["answer"] == "80010000000a000b0143"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("step", ["encrypted", "in clear"])
def test_the_key_is_used_all_the_same(without_hmac: Appliance, path: str, key: str, step: str) -> None:
    report = without_hmac.the(step, path=path, key=key)
    assert credentials(report)["Version"] == 1
    sent = [name for name in report["commands"] if name in ("HMAC", "HMAC_Start", "SequenceComplete")]
    asked = [] if path == "/dev/tpmrm0" else ["HMAC"]
    assert sent == [*asked, "HMAC_Start", "SequenceComplete"]


@pytest.mark.parametrize("path", PATHS)
def test_a_secret_is_imported_and_proven(without_hmac: Appliance, path: str) -> None:
    report = without_hmac.the("import", path=path)
    assert report["code"] == 0, report["err"]


@pytest.mark.parametrize("path", PATHS)
def test_a_cache_is_opened_by_the_key(without_hmac: Appliance, path: str) -> None:
    warm = without_hmac.the("warm", path=path)
    assert credentials(warm) == credentials(without_hmac.the("cold", path=path))
    assert warm["err"] == ""


def test_nothing_is_left_in_it(without_hmac: Appliance) -> None:
    left = without_hmac.the("left behind")
    assert left == {"report": "left behind", "transient": [], "loaded session": [], "saved session": []}
