"""Runs inside the image, after init: does what an appliance does, and reports on the console what came of it.

/job/job.json says where the host's STS and the test's switch for the TPM are; /job/secret is the key's secret.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MARK = "@@ "
HOST = "10.0.2.2"
PROGRAM = "aws-tpm-process-credential"
HANDLES = {"/dev/tpm0": "0x81010002", "/dev/tpmrm0": "0x81010003"}
SIGNING = "0x81010004"
ROLES_ANYWHERE = ["tpmwire", "roles-anywhere"]
_ANYWHERE = "arn:aws:rolesanywhere:eu-central-1:123456789012"
ARNS = [
    *("--trust-anchor-arn", f"{_ANYWHERE}:trust-anchor/66666666-7777-4888-8999-000000000000"),
    *("--profile-arn", f"{_ANYWHERE}:profile/11111111-2222-4333-8444-555555555555"),
    *("--role-arn", "arn:aws:iam::123456789012:role/reader"),
]
USER, TSS = 1000, 110
"""A user's number, and that of the group whose the TPM is."""
MFA = ["--mfa-serial", "arn:aws:iam::123456789012:mfa/tpm", "--mfa-totp", "/root/mfa.pem"]
STARTUP_CLEAR = b"\x80\x01\x00\x00\x00\x0c\x00\x00\x01\x44\x00\x00"  # Part 3 §9.3
HMAC_OF_NOTHING = bytes.fromhex("8002 0000001f 00000155 81010002 00000009 40000009 0000 00 0000 0000 0010")
"""TPM2_HMAC with an empty password (Part 3 §15.5)."""
KINDS_OF_HANDLE = {"transient": 0x80000000, "loaded session": 0x02000000, "saved session": 0x03000000}


class Guest:
    """The steps, each ending in one report."""

    def __init__(self, job: dict[str, str]) -> None:
        self._job = job
        self.groups: list[int] | None = None
        """Those of a user who is not root, as whom the next runs are; None for root's."""
        endpoint = f"http://{HOST}:{job['sts_port']}"
        self._sts = ["--endpoint-url", endpoint, "--aws-access-key-id", job["access_key_id"]]
        self._sts += ["--aws-region", "eu-central-1", "--assumeRole", "--aws-arn", job["role_arn"]]

    def run(self, step: str, command: list[str], secret: bytes | None = None, **fields: object) -> None:
        """Run a program as `groups` say, and report how it went."""
        self.host("/commands")
        started = time.monotonic()
        done = subprocess.run(
            command, check=False, input=secret or b"", capture_output=True, timeout=60, **self._user()
        )
        seconds = time.monotonic() - started
        fields["since_boot"] = round(time.monotonic(), 2)
        fields["commands"] = self.host("/commands")
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        report(step, code=done.returncode, out=out, err=err, seconds=round(seconds, 2), **fields)

    def _user(self) -> dict[str, Any]:
        if self.groups is None:
            return {}
        return {"user": USER, "group": USER, "extra_groups": self.groups}

    def install(self, path: str) -> None:
        """The secret goes into the TPM, by way of one device file."""
        command = ["tpmwire", "import", "--tpm-path", path, "--timeout", "20s"]
        command += ["--out", pem(path), "--persistent-handle", HANDLES[path]]
        self.run("import", command, Path("/job/secret").read_bytes(), path=path)

    def credentials(self, step: str, path: str, key: str, *options: str) -> None:
        """One run of the program, with the key at its handle or in its file."""
        chosen = ["--persistentHandle", HANDLES[path]] if key == "handle" else ["--credential-file", pem(path)]
        command = [PROGRAM, "--tpm-path", path, *chosen, *self._sts, *options]
        self.run(step, command, path=path, key=key)

    def cached(self, step: str, path: str, *options: str) -> None:
        """One run with a cache, with the key in its file."""
        self.credentials(step, path, "pem", "--timeout", "20s", "--cache", *options)

    def busy(self) -> None:
        """Somebody holds /dev/tpm0: it is refused to the next. /dev/tpmrm0 is not, to a user of its group."""
        # As udev does on Debian.
        os.chown("/dev/tpmrm0", -1, TSS)
        os.chmod("/dev/tpmrm0", 0o660)
        holder = os.open("/dev/tpm0", os.O_RDWR)
        try:
            self.credentials("busy", "/dev/tpm0", "handle", "--timeout", "1s")
            self.doctor("doctor, busy", "/dev/tpm0")
            self.groups = [TSS]
            self.credentials("beside", "/dev/tpmrm0", "handle", "--timeout", "20s")
            self.groups = []
            self.credentials("not in the group", "/dev/tpmrm0", "handle", "--timeout", "20s")
            self.doctor("doctor, not in the group", "/dev/tpmrm0")
        finally:
            self.groups = None
            os.close(holder)

    def doctor(self, step: str, path: str) -> None:
        """The checks of the machine, with profiles of both keys."""
        config = Path("/job/config")
        line = f"{PROGRAM} --aws-access-key-id {self._job['access_key_id']} --tpm-path {path}"
        keys = {"handle": f"--persistentHandle {HANDLES[path]}", "pem": f"--credential-file {pem(path)}"}
        config.write_text(
            "".join(f"[profile {name}]\ncredential_process = {line} {keys[name]}\n" for name in keys)
        )
        command = ["env", f"AWS_CONFIG_FILE={config}", "tpmwire", "doctor", "--json", "--tpm-path", path]
        self.run(step, command, path=path, pid=os.getpid())

    def frozen(self, path: str, key: str) -> None:
        """The TPM stops answering, and comes back when the program has long given up."""
        self.host("/pause")
        self.credentials("frozen", path, key, "--timeout", "2s")
        self.host("/resume")

    def reset(self) -> None:
        """The TPM loses its power, and starts anew under a kernel that goes on: as after a sleep gone wrong."""
        self.host("/reset")
        with open(opened("/dev/tpm0"), "r+b", buffering=0) as device:
            device.write(STARTUP_CLEAR)
            report("reset", answer=device.read(4096).hex())

    def host(self, action: str, body: bytes = b"") -> object:
        """Have the host freeze the TPM, thaw it, reset it, or tell which commands it got since the last time.

        Its CA issues a certificate for the request `body`.
        """
        connection = http.client.HTTPConnection(HOST, int(self._job["switch_port"]), timeout=30)
        connection.request("POST", action, body)
        answer = connection.getresponse()
        assert answer.status == 200
        told: object = json.loads(answer.read())
        connection.close()
        return told

    def roles_anywhere(self, path: str) -> None:
        """A signing key made in the TPM, a certificate of the host's CA for it, and credentials for that."""
        tpm = ["--tpm-path", path, "--timeout", "60s"]
        made = ["--persistent-handle", SIGNING, "--out", "/root/host.key"]
        self.run("create-key", [*ROLES_ANYWHERE, "create-key", *made, *tpm])
        csr = [*ROLES_ANYWHERE, "csr", "--private-key", f"handle:{SIGNING}", "--subject", "CN=host-1", *tpm]
        request = subprocess.run(csr, check=True, capture_output=True, timeout=60).stdout
        Path("/root/host.pem").write_text(str(self.host("/certificate", request)))
        endpoint = f"http://{HOST}:{self._job['roles_anywhere_port']}"
        common = ["--certificate", "/root/host.pem", "--endpoint", endpoint, *ARNS, *tpm]
        for key, where in (("handle", f"handle:{SIGNING}"), ("pem", "/root/host.key")):
            command = [*ROLES_ANYWHERE, "credential-process", "--private-key", where, *common]
            self.run("roles anywhere", command, path=path, key=key)

    def serve(self) -> None:
        """The service on a socket of its own, whose role wants a code that comes from the TPM too."""
        secret = Path("/job/totp").read_bytes()
        options = ["--tpm-path", "/dev/tpmrm0", "--out", "/root/mfa.pem", "--timeout", "20s"]
        self.run("totp import", ["tpmwire", "totp", "import", *options], secret)
        chosen = ["--tpm-path", "/dev/tpmrm0", "--timeout", "20s", "--credential-file", pem("/dev/tpmrm0"), *MFA]
        command = ["tpmwire", "serve", "--token-file", "/root/token", "--socket", "/root/socket"]
        began = time.time()
        answer, log = "", []
        with subprocess.Popen([*command, *chosen, *self._sts], stderr=subprocess.PIPE, text=True) as serving:
            assert serving.stderr is not None
            for line in serving.stderr:
                log.append(line)
                if line.endswith(" /credentials\n"):
                    answer = asked("/root/socket")
                    serving.terminate()
        left = [name for name in ("/root/token", "/root/socket") if Path(name).exists()]
        report("serve", code=serving.returncode, out=answer, err="".join(log), left=left, began=began)


def pem(path: str) -> str:
    """The key file made by way of a device file."""
    return f"/root/{Path(path).name}.pem"


def asked(path: str) -> str:
    """What the service at a socket answers to one with its token; the whole of it."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(path)
        token = Path("/root/token").read_text()
        head = f"GET /credentials HTTP/1.0\r\nHost: localhost\r\nAuthorization: {token}\r\n\r\n"
        client.sendall(head.encode())
        with client.makefile("rb") as answer:
            return answer.read().decode()


def report(step: str, **fields: object) -> None:
    """One line for the test to read."""
    print(MARK + json.dumps({"report": step, **fields}), flush=True)


def opened(path: str, seconds: float = 20) -> int:
    """The device file, as soon as whoever cleans up in the background has closed it."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return os.open(path, os.O_RDWR)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def left_behind() -> None:
    """What is still in the TPM, asked in plain octets: TPM2_GetCapability(TPM_CAP_HANDLES), Part 3 §30.2."""
    found = {}
    with open(opened("/dev/tpm0"), "r+b", buffering=0) as device:
        for kind, first in KINDS_OF_HANDLE.items():
            words = [0x0000017A, 1, first, 64]
            device.write(b"\x80\x01\x00\x00\x00\x16" + b"".join(word.to_bytes(4, "big") for word in words))
            answer = device.read(4096)
            assert answer[6:10] == bytes(4), answer.hex()
            handles = [answer[at : at + 4].hex() for at in range(19, len(answer), 4)]
            found[kind] = [handle for handle in handles if handle[:2] == f"{first >> 24:02x}"]
    report("left behind", **found)


def everyday(guest: Guest) -> None:
    report("python", version=sys.version)
    started = time.monotonic()
    subprocess.run(["python3", "-c", "pass"], check=True)
    report("bare python", seconds=round(time.monotonic() - started, 2))
    for path in HANDLES:
        guest.install(path)
        for key in ("handle", "pem"):
            guest.credentials("credentials", path, key, "--timeout", "20s")
    guest.credentials("in clear", "/dev/tpmrm0", "pem", "--timeout", "20s", "--no-session-encryption")
    guest.roles_anywhere("/dev/tpmrm0")
    guest.busy()
    for path in HANDLES:
        guest.doctor("doctor", path)
        guest.frozen(path, "handle")
        guest.credentials("thawed", path, "handle", "--timeout", "20s")
        guest.frozen(path, "pem")
        guest.cached("thawed", path)
        guest.cached("warm", path)
    for step in ("cold in clear", "warm in clear"):
        guest.cached(step, "/dev/tpm0", "--no-session-encryption")
    guest.reset()
    guest.cached("after a reset", "/dev/tpmrm0")
    guest.serve()


def without_hmac(guest: Guest) -> None:
    """The same key, used where the TPM lacks the command that a run asks for first."""
    for path in HANDLES:
        with open(opened(path), "r+b", buffering=0) as device:
            device.write(HMAC_OF_NOTHING)
            report("refused", path=path, answer=device.read(4096).hex())
        guest.install(path)
        for key in ("handle", "pem"):
            guest.credentials("encrypted", path, key, "--timeout", "20s")
            guest.credentials("in clear", path, key, "--timeout", "20s", "--no-session-encryption")
        guest.cached("cold", path)
        guest.cached("warm", path)


def main() -> None:
    job = json.loads(Path("/job/job.json").read_text())
    {"everyday": everyday, "without_hmac": without_hmac}[job["steps"]](Guest(job))
    left_behind()
    report("end")


if __name__ == "__main__":
    main()
