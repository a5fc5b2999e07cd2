"""An STS that verifies signatures: moto's server with authentication on, a user with a key, and a role.

moto checks every signature against the secret it has issued; it answers GetSessionToken with AWS's sample
keys, which it does not know afterwards, so use AssumeRole where the credentials must work.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import urlencode

from tests.support.certificates import Authority
from tests.support.relay import TlsRelay

USER = "device"
ROLE = "demo"
_SERVER = Path(__file__).with_name("sts_server.py")
_START_TIMEOUT = 60  # seconds; moto imports all of boto3
_SETUP_ACTIONS = 4


class VerifyingSts:
    """A running server. A context manager, or `start()` and `close()`.

    host            address to listen on; "0.0.0.0" for guests of a virtual machine
    port            TCP port; 0 picks a free one
    actions         what the user's policy allows
    role_actions    what the role's policy allows; GetCallerIdentity needs none
    region          one of the partition that user and role are of

    After the start: `endpoint` (http URL on loopback), `port`, `access_key_id`, `secret_access_key`,
    `role_arn`, `log` (what the server printed).
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        actions: tuple[str, ...] = ("sts:*",),
        role_actions: tuple[str, ...] = (),
        region: str = "us-east-1",
    ) -> None:
        self._host = host
        self.port = port
        self._actions = actions
        self._role_actions = role_actions
        self._region = region
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = tempfile.TemporaryDirectory(prefix="verifying-sts-")
        self._log = Path(self._directory.name, "log")
        self._relays: list[TlsRelay] = []
        self._authorities: dict[str, Authority] = {}
        self.access_key_id = ""
        self.secret_access_key = ""
        self.role_arn = ""

    def __enter__(self) -> "VerifyingSts":
        return self.start()

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        """The plain http URL, as seen from this machine."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the server has printed so far."""
        return self._log.read_text(errors="replace")

    def start(self) -> "VerifyingSts":
        """Starts the server and makes user, key and role. Raises RuntimeError with the log if that fails."""
        if self.port == 0:
            with socket.create_server((self._host, 0)) as probe:
                self.port = probe.getsockname()[1]
        environment = os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": str(_SETUP_ACTIONS + bool(self._role_actions))}
        command = [sys.executable, str(_SERVER), "-H", self._host, "-p", str(self.port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            self._await()
            self._make_user()
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Ends the server and all that belongs to it."""
        for relay in self._relays:
            relay.close()
        self._relays.clear()
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._directory.cleanup()

    def authority(self, name: str = "right") -> Authority:
        """The private CA of that name. `authority("wrong")` has issued none of the certificates in use."""
        if name not in self._authorities:
            self._authorities[name] = Authority(Path(self._directory.name), name)
        return self._authorities[name]

    def tls_endpoint(self, *certified: str) -> str:
        """The https URL of a new TLS entrance to this server, at 127.0.0.1.

        Its certificate is from `authority()`, for 127.0.0.1 and localhost, or for the hosts given.
        """
        certificate = self.authority().server_certificate(*(certified or ("127.0.0.1", "localhost")))
        relay = TlsRelay(("127.0.0.1", self.port), certificate, self._host)
        self._relays.append(relay)
        return f"https://127.0.0.1:{relay.port}"

    def _await(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"moto did not start: {self.log}") from error
                time.sleep(0.05)
            else:
                return

    def _iam(self, action: str, **parameters: str) -> str:
        """One of the first calls, whose signature moto does not look at."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        credential = f"setup/20260101/{self._region}/iam/aws4_request"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urlencode({"Action": action, "Version": "2010-05-08", **parameters})
        try:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{action}: {answer.status} {text}")
        return text

    def _make_user(self) -> None:
        allow = {"Effect": "Allow", "Action": list(self._actions), "Resource": "*"}
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
        self._iam("CreateUser", UserName=USER)
        self._iam("PutUserPolicy", UserName=USER, PolicyName="sts", PolicyDocument=_policy(allow))
        role = self._iam("CreateRole", RoleName=ROLE, AssumeRolePolicyDocument=_policy(trust))
        if self._role_actions:
            own = {"Effect": "Allow", "Action": list(self._role_actions), "Resource": "*"}
            self._iam("PutRolePolicy", RoleName=ROLE, PolicyName="own", PolicyDocument=_policy(own))
        key = self._iam("CreateAccessKey", UserName=USER)
        self.role_arn = _text(role, "Arn")
        self.access_key_id = _text(key, "AccessKeyId")
        self.secret_access_key = _text(key, "SecretAccessKey")


def _policy(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _text(xml: str, name: str) -> str:
    found = re.search(f"<{name}>([^<]+)</{name}>", xml)
    if found is None:
        raise RuntimeError(f"no {name} in {xml}")
    return found[1]
