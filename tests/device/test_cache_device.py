"""A cache on the kernel's own driver: contexts that are kept from run to run, on /dev/tpm0 and under /dev/tpmrm0.

The resource manager saves and loads contexts by itself around each command, so that there only what is asked of
the chip once can be counted; /dev/tpm0 shows each command as it was sent.
"""

import time
from collections.abc import Iterable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from tests.device.appliance import PATHS, TOTP_SECRET, Appliance, Report, credentials

pytestmark = pytest.mark.device

# Without a storage root key that is persistent, the salt key is the file's own parent, and kept too.
WARM = ["ContextLoad", "StartAuthSession", "FlushContext", "ContextLoad", "HMAC", "FlushContext"]
WARM_IN_CLEAR = ["ContextLoad", "HMAC", "FlushContext"]
DEAR = {"CreatePrimary", "Load", "ReadPublic"}
"""What only a run does that remembers nothing."""


def asked(report: Report) -> list[str]:
    """The commands that reached the TPM, but those of the kernel's random number generator."""
    return [name for name in report["commands"] if name != "GetRandom"]


def holds_in_order(commands: Iterable[str], wanted: list[str]) -> bool:
    """Whether `wanted` are among them, in this order."""
    rest = iter(commands)
    return all(name in rest for name in wanted)


@pytest.mark.parametrize("path", PATHS)
def test_a_warm_run_has_the_cold_ones_credentials_and_asks_no_network(appliance: Appliance, path: str) -> None:
    cold, warm = appliance.the("thawed", path=path, key="pem"), appliance.the("warm", path=path)
    print(f"\n{path}: {cold['seconds']} s cold, {warm['seconds']} s warm, in an emulated machine")
    assert credentials(warm) == credentials(cold)
    # Every run that asks STS, and none other, warns of plain http.
    assert "http" in cold["err"]
    assert warm["err"] == ""


def test_a_warm_run_loads_contexts_and_makes_nothing(appliance: Appliance) -> None:
    assert asked(appliance.the("warm", path="/dev/tpm0")) == WARM


def test_contexts_kept_from_the_resource_manager_are_loaded_through_it(appliance: Appliance) -> None:
    """It gives handles of its own; a context that it is given to load is the chip's, as it is."""
    commands = asked(appliance.the("warm", path="/dev/tpmrm0"))
    assert holds_in_order(commands, WARM)
    assert (commands.count("StartAuthSession"), commands.count("HMAC")) == (1, 1)
    assert not DEAR & set(commands)


def test_in_clear_it_is_three_commands(appliance: Appliance) -> None:
    cold, warm = appliance.the("cold in clear"), appliance.the("warm in clear")
    assert credentials(warm) == credentials(cold)
    assert asked(warm) == WARM_IN_CLEAR
    assert warm["err"] == ""


def test_after_a_reset_the_key_is_loaded_anew_and_nothing_is_said(appliance: Appliance) -> None:
    """The contexts are void then; the credentials, which the key itself opens, are not."""
    assert appliance.the("reset")["answer"] == "80010000000a00000000"
    report = appliance.the("after a reset")
    assert credentials(report) == credentials(appliance.the("warm", path="/dev/tpmrm0"))
    assert report["err"] == ""
    commands = asked(report)
    assert commands[0] == "ContextLoad"
    assert holds_in_order(commands, ["CreatePrimary", "StartAuthSession", "Load", "HMAC", "FlushContext"])


def test_a_service_on_a_socket_takes_its_mfa_code_from_the_tpm(appliance: Appliance) -> None:
    report = appliance.the("serve")
    # 143: ended by SIGTERM, as asked.
    assert report["code"] == 143, report["err"]
    assert report["left"] == []
    head, _, body = report["out"].partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 "), report["err"]
    last = appliance.front.seen[-1]
    assert '"AccessKeyId": "ASIA' in body
    assert body.split('"')[3] in last.answer
    totp = TOTP(TOTP_SECRET, 6, hashes.SHA1(), 30)
    # The guest's clock is QEMU's: the host's, set at the start to a whole second.
    codes = {totp.generate(when).decode() for when in range(int(report["began"]) - 2, int(time.time()) + 2)}
    assert last.form()["TokenCode"] in codes
