"""Credentials kept between runs: how often the TPM and STS are asked, and what a spoilt cache costs."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import keys
from tests.support.interposer import Interposer
from tests.support.programs import CREDENTIAL_PROCESS, Machine, left_behind, write_program
from tests.support.sts import VerifyingSts
from tests.support.swtpm import tpm2
from tpmwire.channel import read_loaded
from tpmwire.tpm import Tpm


class Runs:
    """Our program with a cache of its own, and what its runs cost."""

    def __init__(self, box: Machine, sts: VerifyingSts, bus: Interposer, directory: Path) -> None:
        self.box, self.sts, self.bus = box, sts, bus
        self.directory = directory

    @property
    def common(self) -> list[str]:
        role = ["--assumeRole", f"--aws-arn={self.sts.role_arn}", "--duration=3600"]
        return [
            f"--tpm-path={self.bus.path}",
            f"--aws-access-key-id={self.sts.access_key_id}",
            f"--endpoint-url={self.sts.endpoint}",
            "--timeout=20s",
            "--cache",
            *role,
        ]

    def run(self, *words: str, program: Path | None = None) -> "subprocess.CompletedProcess[str]":
        self.bus.clear()
        return self.box.run(*self.common, *words, program=program, XDG_RUNTIME_DIR=str(self.directory))

    def key_of(self, *words: str, says: str = "") -> str:
        """The access key id that a run prints: another one whenever STS was asked."""
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, says)
        return str(json.loads(done.stdout)["AccessKeyId"])

    @property
    def asked(self) -> int:
        """How often STS was asked so far."""
        return self.sts.log.count('"POST / HTTP')

    @property
    def file(self) -> Path:
        found = [path for path in (self.directory / "tpmwire").iterdir() if path.suffix == ""]
        assert len(found) == 1
        return found[0]


@pytest.fixture
def runs(box: Machine, sts: VerifyingSts, tmp_path: Path) -> Iterator[Runs]:
    with Interposer(box.swtpm.path) as bus:
        yield Runs(box, sts, bus, tmp_path)
    assert left_behind(box.swtpm.path) == []


HANDLE = f"--persistentHandle={keys.PLAIN_HANDLE:#x}"
CLEAR = "--no-session-encryption"
BOOT = "--cache-key=boot"

WARM = {
    "handle, in clear": ([HANDLE, CLEAR], ["HMAC"]),
    "handle": ([HANDLE], ["StartAuthSession", "HMAC"]),
    "password": (
        [f"--persistentHandle={keys.PASSWORD_HANDLE:#x}", f"--keyPass={keys.PASSWORD}"],
        ["StartAuthSession", "HMAC"],
    ),
    "PCR, in clear": (
        [f"--persistentHandle={keys.PCR_HANDLE:#x}", "--pcrs=23", CLEAR],
        ["StartAuthSession", "PolicyPCR", "HMAC"],
    ),
    "PCR": ([f"--persistentHandle={keys.PCR_HANDLE:#x}", "--pcrs=23"], ["StartAuthSession", "PolicyPCR", "HMAC"]),
    "file, in clear": (["{pem}", CLEAR], ["ContextLoad", "HMAC", "FlushContext"]),
    "file": (["{pem}"], ["StartAuthSession", "ContextLoad", "HMAC", "FlushContext"]),
    "boot, in clear": ([HANDLE, CLEAR, BOOT], ["CreatePrimary", "FlushContext"]),
    "boot": ([HANDLE, BOOT], ["StartAuthSession", "CreatePrimary", "FlushContext"]),
}


@pytest.mark.parametrize("way", WARM)
def test_a_warm_run_asks_the_tpm_that_much_and_no_network(runs: Runs, way: str) -> None:
    words, commands = WARM[way]
    words = [word.format(pem=f"--credential-file={runs.box.home}/plain.pem") for word in words]
    first = runs.key_of(*words)
    asked = runs.asked
    assert runs.key_of(*words) == first
    assert runs.bus.codes == commands
    assert runs.asked == asked


def test_a_pinned_warm_run_takes_two_commands(runs: Runs) -> None:
    with Tpm.open(runs.box.swtpm.path, 20) as tpm:
        key, root = read_loaded(tpm, keys.PLAIN_HANDLE), read_loaded(tpm, keys.SRK_HANDLE)
    pin = f"--tpm-session-encrypt-with-name={root.name.hex()}@{keys.SRK_HANDLE:#x}"
    words = (HANDLE, pin, f"--key-name={key.name.hex()}")
    assert runs.key_of(*words) == runs.key_of(*words)
    assert runs.bus.codes == ["StartAuthSession", "HMAC"]


FIRST = {
    "handle, in clear": ([HANDLE, CLEAR], ["HMAC", "HMAC"]),
    "handle": ([HANDLE], ["ReadPublic", "ReadPublic", "StartAuthSession", "HMAC", "HMAC"]),
    "PCR, in clear": (
        [f"--persistentHandle={keys.PCR_HANDLE:#x}", "--pcrs=23", CLEAR],
        ["StartAuthSession", "PolicyPCR", "HMAC", "PolicyPCR", "HMAC"],
    ),
    "file, in clear": (
        ["{pem}", CLEAR],
        [*("CreatePrimary", "Load", "HMAC", "HMAC", "ContextSave"), "FlushContext", "FlushContext"],
    ),
    "file": (
        ["{pem}"],
        [
            *("CreatePrimary", "StartAuthSession", "ReadPublic", "Load", "HMAC", "HMAC", "ContextSave"),
            *("FlushContext", "FlushContext"),
        ],
    ),
    "boot, in clear": ([HANDLE, CLEAR, BOOT], ["HMAC", "CreatePrimary", "FlushContext"]),
}


@pytest.mark.parametrize("way", FIRST)
def test_the_first_run_opens_the_tpm_once_for_both_hmacs(runs: Runs, way: str) -> None:
    words, commands = FIRST[way]
    words = [word.format(pem=f"--credential-file={runs.box.home}/plain.pem") for word in words]
    runs.key_of(*words)
    assert runs.bus.codes == commands


def test_limits_are_checked_before_the_tpm_is_asked(runs: Runs) -> None:
    done = runs.run(HANDLE, "--external-id=x")
    assert (done.returncode, done.stdout, runs.bus.codes) == (2, "", [])
    assert "1224" in done.stderr


def test_a_renewal_on_the_same_day_asks_for_one_hmac(runs: Runs) -> None:
    # Both days are over at any hour: ahead of AWS's clock, credentials would be told to have ended.
    noon = time.time() // 86400 * 86400 - 86400 - 43200
    found, commands = [], []
    for minutes in (0, 30, 50, 60, 24 * 60):
        program = write_program(
            runs.directory, CREDENTIAL_PROCESS, f"import time\ntime.time = lambda: {noon + 60 * minutes}", "at"
        )
        done = runs.run(HANDLE, CLEAR, program=program)
        assert (done.returncode, done.stderr) == (0, "")
        found.append(json.loads(done.stdout)["AccessKeyId"])
        commands.append(runs.bus.codes)
    assert found[0] == found[1]
    assert found[1] != found[2] == found[3] != found[4]
    # The first of a day asks for the day's key and for the seal; a renewal has the day's key from the cache.
    assert commands == [["HMAC", "HMAC"], ["HMAC"], ["HMAC"], ["HMAC"], ["HMAC", "HMAC"]]


def test_nothing_secret_is_in_the_file_which_is_the_users_alone(runs: Runs) -> None:
    done = json.loads(runs.run(HANDLE).stdout)
    octets = runs.file.read_bytes()
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
        assert done[name].encode() not in octets
    assert {path.stat().st_mode & 0o777 for path in (runs.directory / "tpmwire").iterdir()} == {0o600}
    assert (runs.directory / "tpmwire").stat().st_mode & 0o777 == 0o700


def test_fifty_at_once_make_one_call(runs: Runs) -> None:
    runs.directory.joinpath("tpmwire").mkdir(0o700)
    asked = runs.asked
    started = [runs.box.start(*runs.common, HANDLE, CLEAR, XDG_RUNTIME_DIR=str(runs.directory)) for _ in range(50)]
    ended = [process.communicate(timeout=120) for process in started]
    assert {said for _, said in ended} == {""}
    assert len({json.loads(printed)["AccessKeyId"] for printed, _ in ended}) == 1
    assert runs.asked == asked + 1


def test_what_is_remembered_is_whole_after_many_at_once(runs: Runs) -> None:
    """All of them find nothing, or an old context, and write what they have loaded."""
    words = (*runs.common, f"--credential-file={runs.box.home}/plain.pem")
    for _ in range(2):
        started = [runs.box.start(*words, XDG_RUNTIME_DIR=str(runs.directory)) for _ in range(12)]
        ended = [process.communicate(timeout=120) for process in started]
        assert {said for _, said in ended} == {""}
        assert len({json.loads(printed)["AccessKeyId"] for printed, _ in ended}) == 1
        runs.bus.clear()
        runs.key_of(words[-1])
        assert runs.bus.codes == ["StartAuthSession", "ContextLoad", "HMAC", "FlushContext"]
        runs.box.swtpm.restart()
        tpm2(runs.box.swtpm, "tpm2_dictionarylockout", "-c")


def test_other_options_have_another_cache(runs: Runs) -> None:
    first = runs.key_of(HANDLE)
    others = (["--aws-session-name=other"], ["--aws-region=eu-central-1"], ["--duration=7200"], [BOOT])
    found = {runs.key_of(HANDLE, *words) for words in others}
    assert len(found | {first}) == 1 + len(others)
    assert runs.key_of(HANDLE, "--timeout=10") == first


def test_another_key_file_at_the_same_place_is_another_cache(runs: Runs) -> None:
    place = runs.box.home / "moved.pem"
    place.write_bytes((runs.box.home / "plain.pem").read_bytes())
    first = runs.key_of(f"--credential-file={place}")
    assert runs.key_of(f"--credential-file={place}") == first
    place.write_bytes((runs.box.home / "plain-srk.pem").read_bytes())
    assert runs.key_of(f"--credential-file={place}") != first


IGNORED = "aws-tpm-process-credential: cache: ignored: "


def test_a_changed_octet_costs_a_note_and_a_call(runs: Runs) -> None:
    """One in each field; tests/unit/test_cache_sealed.py has them all."""
    for place in (0, 30, 40, 80, 110, -1):
        first = runs.key_of(HANDLE, CLEAR)
        octets = bytearray(runs.file.read_bytes())
        octets[place] ^= 1
        runs.file.write_bytes(octets)
        done = runs.run(HANDLE, CLEAR)
        assert done.stderr.startswith(IGNORED)
        assert done.stderr.count("\n") == 1
        assert json.loads(done.stdout)["AccessKeyId"] != first


def test_what_is_remembered_of_the_key_may_be_damaged(runs: Runs) -> None:
    """Any octet: tests/unit/test_cache_key_data.py and tests/swtpm/test_cached_key.py have them all."""
    words = (f"--credential-file={runs.box.home}/plain.pem", CLEAR)
    first = runs.key_of(*words)
    (kept,) = (runs.directory / "tpmwire").glob("*.tpm")
    good = kept.read_bytes()
    kept.write_bytes(good[:-1])
    said = f"{CREDENTIAL_PROCESS}: cache: ignoring damaged data about the key, and replacing it\n"
    assert runs.key_of(*words, says=said) == first
    assert runs.bus.codes == ["CreatePrimary", "Load", "HMAC", "ContextSave", "FlushContext", "FlushContext"]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert runs.key_of(*words) == first
    assert runs.bus.codes == ["ContextLoad", "HMAC", "FlushContext"]


def test_after_a_reset_the_key_is_loaded_anew(runs: Runs) -> None:
    words = (f"--credential-file={runs.box.home}/plain.pem", CLEAR)
    first = runs.key_of(*words)
    runs.box.swtpm.restart()
    tpm2(runs.box.swtpm, "tpm2_dictionarylockout", "-c")
    assert runs.key_of(*words) == first
    assert runs.bus.codes[:3] == ["ContextLoad", "CreatePrimary", "Load"]
    assert runs.key_of(*words) == first
    assert runs.bus.codes == ["ContextLoad", "HMAC", "FlushContext"]


def test_roles_share_what_is_remembered_of_their_key(runs: Runs) -> None:
    words = (f"--credential-file={runs.box.home}/plain.pem", CLEAR)
    runs.key_of(*words)
    runs.key_of(*words, "--aws-session-name=other")
    assert runs.bus.codes == ["ContextLoad", "HMAC", "HMAC", "FlushContext"]


def test_a_cache_of_another_use_does_not_open(runs: Runs) -> None:
    first = runs.key_of(HANDLE, CLEAR)
    octets, name = runs.file.read_bytes(), runs.file
    name.unlink()
    second = runs.key_of(HANDLE, CLEAR, "--duration=7200")
    runs.file.write_bytes(octets)
    done = runs.run(HANDLE, CLEAR, "--duration=7200")
    assert done.stderr.startswith(IGNORED)
    assert json.loads(done.stdout)["AccessKeyId"] not in (first, second)


def test_the_boots_key_ends_with_the_tpms_reset(runs: Runs) -> None:
    first = runs.key_of(HANDLE, CLEAR, BOOT)
    runs.box.swtpm.restart()
    done = runs.run(HANDLE, CLEAR, BOOT)
    assert done.stderr.startswith(IGNORED)
    assert json.loads(done.stdout)["AccessKeyId"] != first
    second = runs.key_of(HANDLE, CLEAR)
    runs.box.swtpm.restart()
    assert runs.key_of(HANDLE, CLEAR) == second
