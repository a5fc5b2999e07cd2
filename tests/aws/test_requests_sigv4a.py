"""SigV4A from import to answer: the key in the TPM, a server without our code that verifies, an STS behind it."""

import http.client
import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from sigv4.request import Request
from sigv4.sigv4a import Sigv4aSigner, private_key, sign_digest_with
from tests.support.interposer import Interposer
from tests.support.programs import TOOLBOX, Machine
from tests.support.sts import USER, VerifyingSts
from tests.support.v4a import Sigv4aFront
from tests.support.verbs import Ran

HANDLE, LOCKED, BOUND = "0x81010010", "0x81010011", "0x81010012"
PASSWORD = "testpwd"


class Bench:
    """The machine with keys of SigV4A, as files and at handles: free, with a password, and bound to PCR 23."""

    def __init__(self, box: Machine, sts: VerifyingSts, bus: Interposer, front: Sigv4aFront) -> None:
        self.box, self.sts, self.bus, self.front = box, sts, bus, front
        (box.home / "secret").write_text(sts.secret_access_key)
        kinds: list[tuple[str, str, list[str], dict[str, str]]] = [
            ("v4a", HANDLE, [], {}),
            ("locked", LOCKED, [], {"TPM_KEY_AUTH": PASSWORD}),
            ("bound", BOUND, ["--pcrs=23"], {}),
        ]
        for name, handle, words, more in kinds:
            files = [f"--out={box.home}/{name}-hmac.pem", f"--sigv4a-out={box.home}/{name}.pem"]
            place = [f"--sigv4a-handle={handle}", f"--aws-access-key-id={sts.access_key_id}"]
            ran = self.run("import", *files, *place, *words, **more)
            assert ran.code == 0, ran.err

    def run(self, *words: str, **environment: str) -> Ran:
        """`tpmwire` in a process of its own, with the secret on standard input for `import`."""
        self.bus.clear()
        done = subprocess.run(
            [self.box.bin / TOOLBOX, *words, f"--tpm-path={self.bus.path}"],
            env=self.box.environment(**environment),
            check=False,
            input=self.sts.secret_access_key if words[0] == "import" else "",
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def whoami(self, *words: str, **environment: str) -> Ran:
        """GetCallerIdentity at the front."""
        self.front.verified.clear()
        where = [
            f"--aws-access-key-id={self.sts.access_key_id}",
            f"--endpoint-url={self.front.url}",
            "--timeout=20s",
        ]
        return self.run("aws", "whoami", "--json", *where, *words, **environment)


@pytest.fixture(scope="module")
def bench(sts: VerifyingSts, box: Machine) -> Iterator[Bench]:
    secrets = {sts.access_key_id: sts.secret_access_key}
    with Interposer(box.swtpm.path) as bus, Sigv4aFront(sts.port, secrets) as front:
        yield Bench(box, sts, bus, front)


FLUSH = "FlushContext"
Way = tuple[str, list[str], dict[str, str], list[str]]
WAYS: dict[str, Way] = {
    "handle": (HANDLE, [], {}, ["Sign"]),
    "file": ("v4a.pem", [], {}, ["CreatePrimary", "Load", "Sign", FLUSH, FLUSH]),
    "handle, password": (
        LOCKED,
        [],
        {"TPM_KEY_AUTH": PASSWORD},
        ["ReadPublic", "ReadPublic", "StartAuthSession", "Sign"],
    ),
    "file, password": (
        "locked.pem",
        [],
        {"TPM_KEY_AUTH": PASSWORD},
        ["CreatePrimary", "StartAuthSession", "Load", "Sign", FLUSH, FLUSH],
    ),
    "handle, PCR": (BOUND, ["--pcrs=23"], {}, ["StartAuthSession", "PolicyPCR", "Sign"]),
    "file, PCR": (
        "bound.pem",
        [],
        {},
        ["StartAuthSession", "CreatePrimary", "Load", "PolicyPCR", "Sign", FLUSH, FLUSH],
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_whoami_without_a_secret_in_memory(bench: Bench, way: str) -> None:
    key, words, environment, commands = WAYS[way]
    words = [f"--sigv4a={key if key.startswith('0x') else bench.box.home / key}", "--region-set=us-*,eu-*", *words]
    # The first use of a password after a start is asked again.
    assert bench.whoami(*words, **environment).code == 0
    ran = bench.whoami(*words, **environment)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["Arn"].endswith(f":user/{USER}")
    [verified] = bench.front.verified
    assert (verified.key_id, verified.regions) == (bench.sts.access_key_id, "us-*,eu-*")
    # No HMAC among them: not even the day's key has been here.
    assert bench.bus.codes == commands
    assert PASSWORD.encode() not in bench.bus.octets


def test_verbose_tells_the_commands(bench: Bench) -> None:
    ran = bench.whoami(f"--sigv4a={HANDLE}", "--region-set=*", "--verbose=true")
    assert (ran.code, "TPM2_Sign" in ran.err) == (0, True), ran.err


def test_a_set_that_is_elsewhere_is_refused(bench: Bench) -> None:
    ran = bench.whoami(f"--sigv4a={HANDLE}", "--region-set=us-*")
    assert (ran.code, ran.out, bench.front.verified) == (6, "", [])
    assert "SignatureDoesNotMatch" in ran.err


def test_without_a_set_it_is_the_region(bench: Bench) -> None:
    ran = bench.whoami(f"--sigv4a={HANDLE}", "--aws-region=eu-central-1")
    assert ran.code == 0, ran.err
    assert [each.regions for each in bench.front.verified] == ["eu-central-1"]


def test_a_role_signs_by_its_own_key(bench: Bench, sts: VerifyingSts) -> None:
    """Its secret is in memory anyway, and the key is derived from it there; the role is assumed by SigV4."""
    role = ["--assumeRole=true", f"--aws-arn={sts.role_arn}", "--persistentHandle=0x81010002"]
    ran = bench.whoami("--region-set=*", *role)
    assert ran.code == 0, ran.err
    assert ":assumed-role/demo/" in json.loads(ran.out)["Arn"]
    [verified] = bench.front.verified
    assert (verified.key_id[:4], verified.regions) == ("ASIA", "*")
    assert "x-amz-security-token" in verified.signed_headers.split(";")
    assert bench.bus.codes.count("HMAC") == 1
    ran = bench.whoami(f"--sigv4a={HANDLE}", *role)
    assert (ran.code, bench.bus.codes) == (2, [])
    assert "remove --sigv4a or the role options" in ran.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--region-set=*"], 2, "created by `tpmwire import --sigv4a-out FILE`"),
        (["--region-set="], 2, "created by `tpmwire import --sigv4a-out FILE`"),
        (["--sigv4a={}/v4a.pem", "--region-set=us east"], 2, "'us east' is not a valid set of regions"),
        (["--sigv4a={}/none.pem"], 2, "No such file"),
        (["--sigv4a={}/v4a-hmac.pem"], 5, "not an ECC key on P-256"),
        (["--sigv4a=0x40000001"], 2, "not a persistent handle"),
        (["--sigv4a=0x81010099"], 4, "0x81010099"),
        (["--sigv4a=0x81010002"], 4, "TPM2_Sign"),
    ],
)
def test_mistakes_are_one_line(bench: Bench, words: list[str], code: int, told: str) -> None:
    ran = bench.whoami(*[word.format(bench.box.home) for word in words])
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert told in ran.err
    assert ran.err.count("\n") == 1


def test_the_front_tells_right_from_wrong(bench: Bench) -> None:
    """What the tests above rest on: it refuses another key, another body, and what was changed on the way."""
    wrong = Sigv4aSigner(bench.sts.access_key_id, sign_digest_with(private_key(bench.sts.access_key_id, "wrong")))
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    request = Request("POST", bench.front.url + "/", [("Content-Type", "application/x-www-form-urlencoded")], body)
    key = private_key(bench.sts.access_key_id, bench.sts.secret_access_key)
    right = Sigv4aSigner(bench.sts.access_key_id, sign_digest_with(key))
    for signer, sent, status in (
        (right, body, 200),
        (wrong, body, 403),
        (right, body + b"&More=1", 403),
    ):
        signed = signer.sign(request, "*", "sts", time.time())
        assert _send(bench.front.url, signed, sent) == status
    signed = right.sign(request, "us-*", "sts", time.time())
    assert _send(bench.front.url, signed.replace_headers(("X-Amz-Region-Set", "*")), body) == 403


def _send(url: str, signed: Request, body: bytes) -> int:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    try:
        connection.request("POST", "/", body, dict(signed.headers))
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_profile_tells_the_rest(bench: Bench) -> None:
    """What import writes: the HMAC key's file, and the Name of its parent, which is the other key's too."""
    made = [f"--out={bench.box.home}/profile-hmac.pem", f"--sigv4a-out={bench.box.home}/profile.pem"]
    key_id = f"--aws-access-key-id={bench.sts.access_key_id}"
    ran = bench.run("import", *made, key_id, "--write-profile=v4a", TPM_KEY_AUTH=PASSWORD)
    assert ran.code == 0, ran.err
    for password, code in ((PASSWORD, 0), ("wrong", 4)):
        bench.bus.clear()
        ran = bench.run(
            "aws",
            "whoami",
            "--profile=v4a",
            f"--sigv4a={bench.box.home}/profile.pem",
            "--region-set=*",
            f"--endpoint-url={bench.front.url}",
            "--timeout=20s",
            TPM_KEY_AUTH=password,
        )
        assert ran.code == code, ran.err
        assert bench.bus.codes[:4] == ["CreatePrimary", "StartAuthSession", "Load", "Sign"]
