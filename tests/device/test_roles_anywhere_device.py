"""A certificate's key that was made through the kernel's /dev/tpmrm0 signs for IAM Roles Anywhere."""

import pytest

from tests.device.appliance import KEYS, Appliance, credentials

pytestmark = pytest.mark.device


def test_the_key_is_made_in_the_tpm(appliance: Appliance) -> None:
    report = appliance.the("create-key")
    assert report["code"] == 0, report["err"]
    assert report["commands"].count("Create") == 1


@pytest.mark.parametrize("key", KEYS)
def test_sts_knows_the_credentials_for_the_certificate(appliance: Appliance, key: str) -> None:
    document = credentials(appliance.the("roles anywhere", key=key))
    caller = appliance.caller(document)
    assert caller["Arn"].endswith(":assumed-role/demo/7b07")
    assert appliance.roles_anywhere.refusals == []


_SAVE = ["ContextSave", "FlushContext"]
COMMANDS = {
    "handle": ["Sign"],
    # The kernel saves each object after a command, and loads it before the next.
    "pem": [
        *("CreatePrimary", *_SAVE, "ContextLoad", "Load", *_SAVE, *_SAVE),
        *("ContextLoad", "ContextLoad", "Sign", *_SAVE, *_SAVE),
    ],
}
"""At the chip, behind the kernel's resource manager."""


@pytest.mark.parametrize("key", KEYS)
def test_the_tpm_commands_of_a_run(appliance: Appliance, key: str) -> None:
    commands = appliance.the("roles anywhere", key=key)["commands"]
    asked = [name for name in commands if name != "GetRandom"]
    print(f"\n/dev/tpmrm0, Roles Anywhere, key in its {key}: {len(asked)} commands at the chip: {' '.join(asked)}")
    assert asked == COMMANDS[key]
