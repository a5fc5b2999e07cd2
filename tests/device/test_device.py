"""The single file in an appliance: Debian's kernel, its TPM driver and both device files, nothing else there."""

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.device.image import Image
from tests.device.machine import Machine, MachineError
from tests.device.valve import Valve
from tests.support.sts import VerifyingSts

ROOT = Path(__file__).parents[2]
PATHS = ("/dev/tpm0", "/dev/tpmrm0")
KEYS = ("handle", "pem")
Report = dict[str, Any]

pytestmark = pytest.mark.device


class Switch(ThreadingHTTPServer):
    """The guest's hand on the host: POST /pause and /resume its TPM's answers."""

    valve: Valve


class SwitchHandler(BaseHTTPRequestHandler):
    server: Switch

    def do_POST(self) -> None:
        {"/pause": self.server.valve.pause, "/resume": self.server.valve.resume}[self.path]()
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """The console is for reports."""


class Appliance:
    """What one boot of it reported."""

    def __init__(self, sts: VerifyingSts, reports: list[Report], console: list[str]) -> None:
        self.sts = sts
        self.reports = reports
        self.console = console

    def the(self, step: str, **fields: str) -> Report:
        """The one report of that step."""
        wanted = {"report": step, **fields}.items()
        (found,) = [report for report in self.reports if wanted <= report.items()]
        return found


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    pyz = tmp_path_factory.mktemp("dist") / "tpmwire.pyz"
    subprocess.run([sys.executable, ROOT / "tools" / "zipapp.py", pyz], check=True, stdout=subprocess.DEVNULL)
    image = Image(pyz)
    packed = len(gzip.compress(image.base, 6))
    print(f"\n{image.kernel.name}; initramfs {len(image.base):,} bytes, {packed:,} if compressed")
    return image


def booted(image: Image, files: dict[str, bytes], switch: Switch) -> tuple[list[Report], list[str]]:
    """All reports of one boot, and its console."""
    with Machine(image, files) as machine:
        switch.valve = machine.valve
        return list(machine.reports()), machine.console


@pytest.fixture(scope="module")
def appliance(image: Image) -> Iterator[Appliance]:
    with VerifyingSts() as sts, Switch(("127.0.0.1", 0), SwitchHandler) as switch:
        threading.Thread(target=switch.serve_forever, daemon=True).start()
        job = {
            "access_key_id": sts.access_key_id,
            "role_arn": sts.role_arn,
            "sts_port": sts.port,
            "switch_port": switch.server_port,
        }
        files = {"job.json": json.dumps(job).encode(), "secret": sts.secret_access_key.encode()}
        try:
            reports, console = booted(image, files, switch)
        except MachineError as error:
            # An emulated machine may stop for good for reasons of its own; twice in a row is our reason.
            print(f"\nbooted once more: {error}")
            reports, console = booted(image, files, switch)
        yield Appliance(sts, reports, console)
        switch.shutdown()


def credentials(report: Report) -> dict[str, Any]:
    assert report["code"] == 0, report["err"]
    document: dict[str, Any] = json.loads(report["out"])
    return document


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", KEYS)
def test_sts_knows_the_credentials_as_the_role(appliance: Appliance, path: str, key: str) -> None:
    report = appliance.the("credentials", path=path, key=key)
    document = credentials(report)
    print(f"\n{path}, key in its {key}: {report['seconds']} s from start to JSON")
    caller = boto3.client(
        "sts",
        region_name="eu-central-1",
        endpoint_url=appliance.sts.endpoint,
        aws_access_key_id=document["AccessKeyId"],
        aws_secret_access_key=document["SecretAccessKey"],
        aws_session_token=document["SessionToken"],
    ).get_caller_identity()
    assert ":assumed-role/demo/" in caller["Arn"]
    assert datetime.fromisoformat(document["Expiration"]) > datetime.now(UTC)


@pytest.mark.parametrize("path", PATHS)
def test_the_secret_went_in_and_is_not_repeated(appliance: Appliance, path: str) -> None:
    report = appliance.the("import", path=path)
    assert report["code"] == 0, report["err"]
    assert appliance.sts.secret_access_key not in "\n".join(appliance.console)


@pytest.mark.parametrize("path", PATHS)
def test_http_to_another_machine_is_warned_of_in_one_line(appliance: Appliance, path: str) -> None:
    (line,) = appliance.the("credentials", path=path, key="handle")["err"].splitlines()
    assert "warning" in line
    assert "http" in line


def test_a_device_in_use_is_named_with_the_way_out_within_the_timeout(appliance: Appliance) -> None:
    report = appliance.the("busy")
    assert report["code"] == 3
    assert report["out"] == ""
    (line,) = report["err"].splitlines()
    assert "/dev/tpm0 is in use by another process" in line
    assert "/dev/tpmrm0" in line
    start = appliance.the("credentials", path="/dev/tpm0", key="handle")["seconds"]
    # Emulated, on a machine with other work: the same start may take a multiple of the time it took before.
    assert 1 <= report["seconds"] < 1 + 4 * start


def test_the_resource_manager_serves_beside_it(appliance: Appliance) -> None:
    assert credentials(appliance.the("beside"))["Version"] == 1


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", KEYS)
def test_a_tpm_that_hangs_ends_the_run_within_the_timeout(appliance: Appliance, path: str, key: str) -> None:
    report = appliance.the("frozen", path=path, key=key)
    assert report["code"] == 3
    assert report["out"] == ""
    (line,) = report["err"].splitlines()
    assert f"the TPM at {path} did not answer in time" in line
    start = appliance.the("credentials", path=path, key=key)["seconds"]
    assert 2 <= report["seconds"] < 2 + 4 * start


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", KEYS)
def test_back_again_it_serves_the_next_run(appliance: Appliance, path: str, key: str) -> None:
    assert credentials(appliance.the("thawed", path=path, key=key))["Version"] == 1


def test_nothing_is_left_in_the_tpm(appliance: Appliance) -> None:
    left = appliance.the("left behind")
    assert left == {"report": "left behind", "transient": [], "loaded session": [], "saved session": []}
