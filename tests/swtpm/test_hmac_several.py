"""Several HMACs in one opening of the TPM: one session, one loading of the key."""

import hmac
from typing import Any

import pytest

from tests.support import keys
from tests.support.bench import DATE, KDATE, PASSWORD, SECRET, Bench
from tpmwire.keys.templates import hmac_key
from tpmwire.keys.wrapping import either, to_any
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyPCR
from tpmwire.spec.commands.hierarchy import CreatePrimary
from tpmwire.spec.constants import TPM_ALG, TPM_RH
from tpmwire.spec.structures import TPMS_SENSITIVE_CREATE
from tpmwire.state.pcrs import read_pcrs
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

PCR23 = parse_pcrs("23")
MESSAGES = [DATE, b"another", b"a third"]
EXPECTED = [hmac.digest(b"AWS4" + SECRET.encode(), message, "sha256") for message in MESSAGES]


def together(bench: Bench, key: HmacKey) -> list[str]:
    """The commands of three HMACs, which are the right ones."""
    bench.bus.clear()
    with Tpm.open(bench.bus.path, 20) as tpm:
        assert key.hmacs(tpm, MESSAGES) == EXPECTED
    return bench.bus.codes


START, READ, PCR, FLUSH, DIGEST = "StartAuthSession", "ReadPublic", "PolicyPCR", "FlushContext", "PolicyGetDigest"

Case = tuple[int, dict[str, Any], list[str]]

CLEAR: dict[str, Case] = {
    "handle": (keys.PLAIN_HANDLE, {}, ["HMAC", "HMAC", "HMAC"]),
    "password": (keys.PASSWORD_HANDLE, {"auth": PASSWORD}, ["HMAC", "HMAC", "HMAC"]),
    "pcr": (keys.PCR_HANDLE, {"pcrs": PCR23}, [START, PCR, "HMAC", PCR, "HMAC", PCR, "HMAC"]),
}
PROTECTED: dict[str, Case] = {
    "handle": (keys.PLAIN_HANDLE, {}, [READ, READ, START, "HMAC", "HMAC", "HMAC"]),
    "password": (keys.PASSWORD_HANDLE, {"auth": PASSWORD}, [READ, READ, START, "HMAC", "HMAC", "HMAC"]),
    "pcr": (keys.PCR_HANDLE, {"pcrs": PCR23}, [READ, READ, START, PCR, "HMAC", PCR, "HMAC", PCR, "HMAC"]),
    "both": (
        keys.BOTH_HANDLE,
        {"pcrs": PCR23, "auth": PASSWORD},
        [READ, READ, START, START, *[PCR, DIGEST, "PolicyAuthValue", "HMAC"]]
        + 2 * [PCR, DIGEST, "PolicyAuthValue", "HMAC"],
    ),
}


@pytest.mark.parametrize("way", CLEAR)
def test_in_clear(bench: Bench, way: str) -> None:
    handle, options, commands = CLEAR[way]
    assert together(bench, HmacKey(handle=handle, protected=False, **options)) == commands


@pytest.mark.parametrize("way", PROTECTED)
def test_protected_and_none_of_the_results_on_the_bus(bench: Bench, way: str) -> None:
    handle, options, commands = PROTECTED[way]
    assert together(bench, HmacKey(handle=handle, **options)) == commands
    heard = bench.bus.octets
    assert not [result for result in (KDATE, *EXPECTED) if result in heard]
    # The first parameter of each HMAC, the message, is sealed too.
    assert not [message for message in MESSAGES if message in heard]


def test_a_file_is_loaded_once(bench: Bench) -> None:
    assert together(bench, HmacKey(file=bench.file("plain"), protected=False)) == [
        *("CreatePrimary", "Load", "HMAC", "HMAC", "HMAC", FLUSH, FLUSH)
    ]


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("name", ["plain", "pcr"])
def test_a_tpm_without_the_one_shot_hmac_is_asked_for_it_once(bench: Bench, protected: bool, name: str) -> None:
    key = HmacKey(file=bench.file(name), pcrs=PCR23 if name == "pcr" else None, protected=protected)
    lacking = bytes.fromhex("80010000000a00000143")
    bench.bus.clear()
    bench.bus.on_command = lambda sent: lacking if sent[6:10] == bytes.fromhex("00000155") else None
    with Tpm.open(bench.bus.path, 20) as tpm:
        assert key.hmacs(tpm, MESSAGES) == EXPECTED
    assert [code for code in bench.bus.codes if "HMAC" in code] == ["HMAC", *["HMAC_Start"] * 3]


@pytest.mark.parametrize("protected", [False, True])
def test_a_policy_that_goes_on_after_its_pcrs_is_looked_at_once(bench: Bench, protected: bool) -> None:
    """A key to be used with its PCRs, or duplicated: what stands after the PCRs is found by the first HMAC."""
    with Tpm.open(bench.bus.path, 20) as tpm:
        values = read_pcrs(tpm, PCR23)
        use = Policy(PolicyPCR.of_values(TPM_ALG.SHA256, PCR23, values))
        policy = either(use, to_any(with_auth=False)).digest(TPM_ALG.SHA256)
        template = hmac_key(policy, with_auth=False)
        secret = TPMS_SENSITIVE_CREATE(b"", b"AWS4" + SECRET.encode())
        made = tpm.execute(CreatePrimary(TPM_RH.OWNER, secret, template))
        bench.bus.clear()
        key = HmacKey(handle=made.object_handle, pcrs=PCR23, protected=protected)
        assert key.hmacs(tpm, MESSAGES) == EXPECTED
        # Sessions with an HMAC need the Name, so the public area is read first; else once the policy fails.
        before = [READ, READ, START] if protected else [START]
        first = [PCR, "HMAC", *([] if protected else [READ]), DIGEST, "PolicyOR", "HMAC"]
        assert bench.bus.codes == before + first + 2 * [PCR, "PolicyOR", "HMAC"]
