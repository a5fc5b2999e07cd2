"""An appliance that has been booted and did its steps: what it reported of them, and what AWS saw."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
from cryptography import x509

from tests.device.valve import Valve
from tests.support.front import Front
from tests.support.roles_anywhere import Authority, VerifyingRolesAnywhere, pem
from tests.support.sts import VerifyingSts

PATHS = ("/dev/tpm0", "/dev/tpmrm0")
KEYS = ("handle", "pem")
TOTP_SECRET = bytes(range(20))
"""Of the MFA device that the guest keeps in its TPM."""

Report = dict[str, Any]


class Switch(ThreadingHTTPServer):
    """The guest's hand on the host: POST /pause and /resume its TPM's answers, /reset it, ask for /commands.

    POST /certificate has a certificate issued for a request in PEM.
    """

    valve: Valve
    authority: Authority

    def issue(self, csr: bytes) -> str:
        request = x509.load_pem_x509_csr(csr)
        assert request.is_signature_valid
        return pem(self.authority.issue(request.public_key()), self.authority.intermediate).decode()


class SwitchHandler(BaseHTTPRequestHandler):
    server: Switch

    def do_POST(self) -> None:
        valve = self.server.valve
        actions = {"pause": valve.pause, "resume": valve.resume, "reset": valve.reset, "commands": valve.commands}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        actions["certificate"] = lambda: self.server.issue(body)
        told = json.dumps(actions[self.path.removeprefix("/")]()).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: object) -> None:
        """The console is for reports."""


class Appliance:
    """What one boot of it reported, and what went through `front` to `sts` and to Roles Anywhere meanwhile."""

    def __init__(
        self,
        sts: VerifyingSts,
        front: Front,
        roles_anywhere: VerifyingRolesAnywhere,
        reports: list[Report],
        console: list[str],
    ) -> None:
        self.sts = sts
        self.front = front
        self.roles_anywhere = roles_anywhere
        self.reports = reports
        self.console = console

    def the(self, step: str, **fields: str) -> Report:
        """The one report of that step."""
        wanted = {"report": step, **fields}.items()
        (found,) = [report for report in self.reports if wanted <= report.items()]
        return found

    def caller(self, document: dict[str, Any]) -> dict[str, Any]:
        """Whom the STS knows by the credentials of a document."""
        client = boto3.client(
            "sts",
            region_name="eu-central-1",
            endpoint_url=self.sts.endpoint,
            aws_access_key_id=document["AccessKeyId"],
            aws_secret_access_key=document["SecretAccessKey"],
            aws_session_token=document["SessionToken"],
        )
        return dict(client.get_caller_identity())


def credentials(report: Report) -> dict[str, Any]:
    assert report["code"] == 0, report["err"]
    document: dict[str, Any] = json.loads(report["out"])
    return document
