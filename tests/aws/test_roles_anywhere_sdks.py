"""Profiles that use Roles Anywhere, as AWS's programs and our verbs use them: processes of their own."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any, NamedTuple

import pytest

from tests.support.programs import ROOT, TOOLBOX, Machine, left_behind, machine
from tests.support.roles_anywhere import (
    ANCHOR,
    PROFILE,
    ROLE,
    Authority,
    VerifyingRolesAnywhere,
    pem,
    role_credentials,
    send_json,
)
from tests.support.serving import await_
from tests.support.signing_keys import make_signing_key, public_key_of_file
from tests.support.sts import VerifyingSts
from tpmwire.tpm import Tpm

HELPER = "aws_signing_helper"
HANDLE = 0x81010060
CRT_WHO = """
import http.client, io, os, sys, urllib.parse
from awscrt import auth, http as crt

kind = auth.AwsCredentialsProvider
provider = kind.new_process() if sys.argv[1] == "process" else kind.new_default_chain()
url = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
body = b"Action=GetCallerIdentity&Version=2011-06-15"
form, size = "application/x-www-form-urlencoded", str(len(body))
fields = crt.HttpHeaders([("Host", url.netloc), ("Content-Type", form), ("Content-Length", size)])
request = crt.HttpRequest("POST", "/", fields, io.BytesIO(body))
config = auth.AwsSigningConfig(credentials_provider=provider, region=os.environ["AWS_REGION"], service="sts")
auth.aws_sign_request(request, config).result(60)
connection = http.client.HTTPConnection(url.netloc, timeout=60)
connection.request("POST", "/", body, dict(request.headers))
print(connection.getresponse().read().decode().partition("<Arn>")[2].partition("</Arn>")[0])
"""
"""A program that has AWS's CRT (awscrt) get credentials and sign a request."""

WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
SDKS = {
    "aws": ["aws", "sts", "get-caller-identity", "--query=Arn", "--output=text"],
    "boto3": [sys.executable, "-c", WHO],
    "javascript": ["node", "--no-warnings", str(ROOT / "tests" / "js" / "whoami.js")],
}


class Site(NamedTuple):
    """A machine with a certificate, Roles Anywhere, and the STS whose credentials it issues."""

    at: Machine
    authority: Authority
    key: Any
    server: VerifyingRolesAnywhere
    sts: VerifyingSts
    words: list[str]

    def environment(self, **more: str) -> dict[str, str]:
        region = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
        given = {"AWS_ENDPOINT_URL": self.sts.endpoint, "AWS_CONFIG_FILE": self.config, **region, **more}
        return self.at.environment(**given)

    @property
    def config(self) -> str:
        return str(self.at.home / "config")

    def run(self, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        environment = self.environment(**more)
        return subprocess.run(words, check=False, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def site(sts: VerifyingSts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home, authority = tmp_path_factory.mktemp("home"), Authority()
    with machine(home) as at, VerifyingRolesAnywhere([authority.root], role_credentials(sts)) as server:
        with Tpm.open(at.swtpm.path, 30) as tpm:
            key = public_key_of_file(make_signing_key(tpm, handle=HANDLE))
        (home / "host.pem").write_bytes(pem(authority.issue(key), authority.intermediate))
        (at.bin / HELPER).symlink_to(at.bin / TOOLBOX)
        words = [
            *("--certificate", str(home / "host.pem"), "--private-key", f"handle:{HANDLE:x}"),
            *("--trust-anchor-arn", ANCHOR, "--profile-arn", PROFILE, "--role-arn", ROLE),
            *("--endpoint", server.endpoint, "--timeout=20s"),
        ]
        line = " ".join(words)
        (home / "config").write_text(
            f"[profile work]\ncredential_process = {at.bin / TOOLBOX} roles-anywhere credential-process {line} "
            f"--tpm-path {at.swtpm.path}\n"
            f"[profile helper]\ncredential_process = {at.bin / HELPER} credential-process {line}\n"
            f"[profile further]\nrole_arn = {sts.role_arn}\nsource_profile = work\nrole_session_name = further\n"
        )
        yield Site(at, authority, key, server, sts, words)


@pytest.mark.parametrize("profile", ["work", "helper"])
@pytest.mark.parametrize("sdk", [*SDKS, "crt"])
def test_the_sdk_runs_the_line(site: Site, sdk: str, profile: str) -> None:
    words = SDKS.get(sdk, [sys.executable, "-c", CRT_WHO, "process"])
    done = site.run(*words, AWS_PROFILE=profile, TPM_DEVICE=site.at.swtpm.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().endswith(":assumed-role/demo/7b07")
    assert left_behind(site.at.swtpm.path) == []


@pytest.fixture(scope="module")
def served(site: Site) -> Iterator[dict[str, str]]:
    with site_serving(site, "serve", "--port", "0") as (_, text):
        port = text.rpartition("127.0.0.1:")[2].split("/")[0]
        yield {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{port}/",
            "AWS_EC2_METADATA_DISABLED": "false",
        }


class site_serving:
    """A running `aws_signing_helper`, until the block ends. Yields the process, and what it said when ready."""

    def __init__(self, site: Site, *words: str, **more: str) -> None:
        self._log = site.at.home / f"{words[0]}-{os.urandom(4).hex()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(site.at.bin / HELPER), *words, *site.words, "--tpm-path", site.at.swtpm.path],
                env=site.environment(**more),
                stdin=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self._log.read_text()

    def __enter__(self) -> "tuple[site_serving, str]":
        await_(lambda: "\n" in self.text or self.process.poll() is not None, lambda: self.text)
        return self, self.text

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.mark.parametrize("sdk", SDKS)
def test_the_sdk_asks_the_server(site: Site, served: dict[str, str], sdk: str) -> None:
    done = site.run(*SDKS[sdk], **served)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().endswith(":assumed-role/demo/7b07")


@pytest.mark.parametrize("profile", ["work", "further"])
def test_the_crt_asks_the_server_of_exec(site: Site, profile: str) -> None:
    program = [sys.executable, "-c", CRT_WHO, "server"]
    done = site.run(str(site.at.bin / TOOLBOX), "exec", "--serve", f"--profile={profile}", "--", *program)
    assert done.returncode == 0, done.stderr
    name = {"work": "7b07", "further": "further"}[profile]
    assert done.stdout.strip().endswith(f":assumed-role/demo/{name}"), done.stderr
    assert left_behind(site.at.swtpm.path) == []


def test_a_further_role(site: Site) -> None:
    done = site.run(str(site.at.bin / TOOLBOX), "exec", "--profile=further", "--", *SDKS["boto3"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().endswith(":assumed-role/demo/further")


@pytest.mark.parametrize("profile", ["work", "helper"])
def test_exec_curl_sign_and_presign(site: Site, profile: str) -> None:
    tool, named = str(site.at.bin / TOOLBOX), [f"--profile={profile}", f"--tpm-path={site.at.swtpm.path}"]
    done = site.run(tool, "exec", *named, "--", *SDKS["boto3"])
    assert (done.returncode, done.stdout.strip().rpartition("/")[2]) == (0, "7b07")
    url, body = f"{site.sts.endpoint}/", "Action=GetCallerIdentity&Version=2011-06-15"
    done = site.run(tool, "curl", *named, "--service=sts", "--region=us-east-1", "-d", body, url)
    assert (done.returncode, "assumed-role/demo/7b07" in done.stdout) == (0, True)
    done = site.run(tool, "sign", *named, "https://sqs.eu-central-1.amazonaws.com/")
    assert (done.returncode, "X-Amz-Security-Token" in done.stdout) == (0, True)
    done = site.run(tool, "presign", *named, "https://sqs.eu-central-1.amazonaws.com/")
    assert (done.returncode, "X-Amz-Security-Token=" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    "words",
    [
        ["rotate", "--profile=work"],
        ["sign", "--profile=work", "--mfa-serial=x", "https://sqs.eu-central-1.amazonaws.com/"],
    ],
)
def test_verbs_of_access_keys_say_so(site: Site, words: list[str]) -> None:
    done = site.run(str(site.at.bin / TOOLBOX), *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_the_duration_of_the_command_line(site: Site) -> None:
    before = len(site.server.seen)
    done = site.run(str(site.at.bin / TOOLBOX), "exec", "--profile=work", "--duration=900", "--", "true")
    assert done.returncode == 0, done.stderr
    assert [parameters["durationSeconds"] for _, parameters in site.server.seen[before:]] == [900]


def _metadata(port: int, method: str, path: str, **fields: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in fields.items()})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


LIST = "/latest/meta-data/iam/security-credentials/"
TTL = {"X_aws_ec2_metadata_token_ttl_seconds": "600"}


def test_serve_reads_a_renewed_certificate_and_keeps_credentials(site: Site) -> None:
    path = site.at.home / "host.pem"
    before = path.read_bytes()
    try:
        with site_serving(site, "serve", "--port=0", "--hop-limit=1") as (running, text):
            port = int(text.rpartition("127.0.0.1:")[2].split("/")[0])
            token = _metadata(port, "PUT", "/latest/api/token", **TTL)[1]
            fields = {"X_aws_ec2_metadata_token": token}
            assert _metadata(port, "GET", LIST, **fields) == (200, "reader")
            first = json.loads(_metadata(port, "GET", LIST + "reader", **fields)[1])
            assert first["Code"] == "Success"
            renewed = site.authority.issue(site.key, serial=4711)
            path.write_bytes(pem(renewed, site.authority.intermediate))
            number = len(site.server.seen)
            running.process.send_signal(1)
            await_(lambda: len(site.server.seen) > number, lambda: running.text)
            assert site.server.seen[-1][0].serial_number == 4711

            def fail(handler: Any) -> bool:
                send_json(handler, 403, {"message": "no"}, "AccessDeniedException")
                return True

            site.server.before = fail
            running.process.send_signal(1)
            await_(lambda: "AccessDeniedException" in running.text, lambda: running.text)
            status, kept = _metadata(port, "GET", LIST + "reader", **fields)
            assert (status, json.loads(kept)["Code"]) == (200, "Success")
            assert json.loads(kept)["AccessKeyId"]
            assert "the old credentials are valid until" in running.text
    finally:
        site.server.before = lambda _handler: False
        path.write_bytes(before)


def test_update_writes_a_profile(site: Site) -> None:
    file = site.at.home / "credentials"
    file.write_text("[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = x\n")
    file.chmod(0o644)
    done = site.run(
        *(str(site.at.bin / HELPER), "update", "--once", "--profile", "made", *site.words),
        *("--tpm-path", site.at.swtpm.path),
        AWS_SHARED_CREDENTIALS_FILE=str(file),
    )
    assert done.returncode == 0, done.stderr
    text = file.read_text()
    assert "[other]\naws_access_key_id = AKIAOTHER\n" in text
    assert "[made]" in text
    assert file.stat().st_mode & 0o777 == 0o600
    done = site.run(*SDKS["boto3"], AWS_PROFILE="made", AWS_SHARED_CREDENTIALS_FILE=str(file))
    assert done.stdout.strip().endswith("/7b07"), done.stderr
    done = site.run(
        *(str(site.at.bin / HELPER), "update", "--once", "--profile=other", *site.words),
        AWS_SHARED_CREDENTIALS_FILE=str(file),
    )
    assert (done.returncode, "has a long-term key" in done.stderr) == (2, True)


def test_update_goes_on_after_an_error(site: Site) -> None:
    file, tries = site.at.home / "updated", []

    def fail(handler: Any) -> bool:
        tries.append(time.time())
        if len(tries) <= 3:
            send_json(handler, 503, {"message": "later"}, "ServiceUnavailableException")
        return len(tries) <= 3

    site.server.before = fail
    try:
        with site_serving(site, "update", AWS_SHARED_CREDENTIALS_FILE=str(file)) as (running, text):
            assert re.search(r"ServiceUnavailableException.*\. Trying again in \d+ seconds", text)
            running.process.send_signal(1)
            await_(lambda: "wrote the profile default" in running.text, lambda: running.text)
        assert "[default]" in file.read_text()
        assert running.process.returncode == 128 + 15
    finally:
        site.server.before = lambda _handler: False


def _doctor(site: Site, **more: str) -> list[dict[str, str]]:
    done = site.run(str(site.at.bin / TOOLBOX), "doctor", "--json", f"--tpm-path={site.at.swtpm.path}", **more)
    checks: list[dict[str, str]] = json.loads(done.stdout)["checks"]
    return [each for each in checks if each["check"] == "certificates"]


def test_doctor_examines_certificates(site: Site) -> None:
    assert [each["status"] for each in _doctor(site)] == ["ok", "ok"]
    other = site.at.home / "other-config"
    line = f"[profile p]\ncredential_process = tpmwire roles-anywhere credential-process {' '.join(site.words)}\n"
    for change, status, text in (
        ((f"{HANDLE:x}", "81010002"), "error", "does not belong to the certificate"),
        ((f"{HANDLE:x}", "81010077"), "error", "no key at 0x81010077"),
        (("host.pem", "missing.pem"), "error", "missing.pem"),
        (("--role-arn", "--role-session-name"), "error", "--role-arn is required"),
    ):
        other.write_text(line.replace(*change))
        (found,) = _doctor(site, AWS_CONFIG_FILE=str(other))
        assert (found["status"], text in found["text"]) == (status, True), found
    soon = site.at.home / "soon.pem"
    soon.write_bytes(pem(site.authority.issue(site.key, days=2, start=28), site.authority.intermediate))
    other.write_text(line.replace("host.pem", "soon.pem"))
    found, good = _doctor(site, AWS_CONFIG_FILE=str(other))
    assert (found["status"], found["step"]) == ("warning", "renew it")
    assert "expires in 2 days" in found["text"]
    assert good["status"] == "ok"


def test_without_credentials_the_server_says_503(site: Site) -> None:
    """Credentials that have expired are never served, and no empty ones either."""
    site.server.credentials = lambda seconds: (
        role_credentials(site.sts)(900)
        | {"expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))}
    )
    try:
        with site_serving(site, "serve", "--port=0", AWS_MAX_ATTEMPTS="1") as (running, text):
            port = int(text.rpartition("127.0.0.1:")[2].split("/")[0])
            token = _metadata(port, "PUT", "/latest/api/token", **TTL)[1]

            def fail(handler: Any) -> bool:
                send_json(handler, 503, {"message": "later"}, "ServiceUnavailableException")
                return True

            site.server.before = fail
            fields = {"X_aws_ec2_metadata_token": token}
            await_(lambda: _metadata(port, "GET", LIST + "reader", **fields)[0] == 503, lambda: running.text)
            assert "AccessKeyId" not in _metadata(port, "GET", LIST + "reader", **fields)[1]
    finally:
        site.server.before = lambda _handler: False
        site.server.credentials = role_credentials(site.sts)
