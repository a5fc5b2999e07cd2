"""One boot of the appliance for each kind of TPM, for all tests of what it did."""

import base64
import contextlib
import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.appliance import TOTP_SECRET, Appliance, Report, Switch, SwitchHandler
from tests.device.image import Image
from tests.device.machine import Machine, MachineError
from tests.support.front import Front
from tests.support.lacking import Lacking
from tests.support.roles_anywhere import Authority, VerifyingRolesAnywhere, role_credentials
from tests.support.sts import VerifyingSts
from tpmwire.spec.constants import TPM_CC

ROOT = Path(__file__).parents[2]
BOOTS = 3600
"""Seconds that a test may wait for its boot, or two of them, on a machine with other work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(BOOTS))


@pytest.fixture(scope="package")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    pyz = tmp_path_factory.mktemp("dist") / "tpmwire.pyz"
    subprocess.run([sys.executable, ROOT / "tools" / "zipapp.py", pyz], check=True, stdout=subprocess.DEVNULL)
    image = Image(pyz)
    packed = len(gzip.compress(image.base, 6))
    print(f"\n{image.kernel.name}; initramfs {len(image.base):,} bytes, {packed:,} if compressed")
    return image


def booted(
    image: Image, files: dict[str, bytes], switch: Switch, lacking: Lacking
) -> tuple[list[Report], list[str]]:
    """All reports of one boot, and its console."""
    with Machine(image, files, lacking) as machine:
        switch.valve = machine.valve
        return list(machine.reports()), machine.console


@contextlib.contextmanager
def running(image: Image, steps: str, lacking: Lacking) -> Iterator[Appliance]:
    """The appliance after a boot in which it did these `steps` of the guest's."""
    authority = Authority()
    with (
        VerifyingSts() as sts,
        Front(sts.port) as front,
        VerifyingRolesAnywhere([authority.root], role_credentials(sts)) as server,
        Switch(("127.0.0.1", 0), SwitchHandler) as switch,
    ):
        switch.authority = authority
        threading.Thread(target=switch.serve_forever, daemon=True).start()
        job = {
            "steps": steps,
            "access_key_id": sts.access_key_id,
            "role_arn": sts.role_arn,
            "sts_port": int(front.url.rpartition(":")[2]),
            "switch_port": switch.server_port,
            "roles_anywhere_port": server.port,
        }
        files = {"job.json": json.dumps(job).encode(), "secret": sts.secret_access_key.encode()}
        files["totp"] = base64.b32encode(TOTP_SECRET)
        try:
            reports, console = booted(image, files, switch, lacking)
        except MachineError as error:
            # An emulated machine may stop for good for reasons of its own; twice in a row is our reason.
            print(f"\nbooted once more: {error}")
            reports, console = booted(image, files, switch, lacking)
        yield Appliance(sts, front, server, reports, console)
        switch.shutdown()


@pytest.fixture(scope="package")
def appliance(image: Image) -> Iterator[Appliance]:
    with running(image, "everyday", Lacking()) as found:
        yield found


@pytest.fixture(scope="package")
def without_hmac(image: Image) -> Iterator[Appliance]:
    """One whose TPM lacks TPM2_HMAC."""
    with running(image, "without_hmac", Lacking(commands={TPM_CC.HMAC})) as found:
        yield found
