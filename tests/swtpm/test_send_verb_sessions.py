"""`tpmwire send` with sessions and policies: what crosses the bus is shown as it is, and in clear too."""

import hmac
import json
import re
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool, held

KEYS = ROOT / "fixtures" / "keys"

pytestmark = pytest.mark.swtpm(state=KEYS / "swtpm-state")
K_DATE = hmac.digest(b"AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", b"20261124", "sha256")
ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|sign|noda"
SECRETS = ["-p", "pass", "-L", "both.policy"]
HMAC = ["HMAC", "handle=0x81010002", "buffer=text:20261124"]


def _octets(text: str) -> list[bytes]:
    """The messages that are shown, from their lines."""
    lines = re.findall(r"(?m)^([0-9a-f]{4})  ((?:[0-9a-f]{2} )*[0-9a-f]{2})(?: {2,}|$)", text)
    messages: list[bytes] = []
    for place, octets in lines:
        if place == "0000":
            messages.append(b"")
        messages[-1] += bytes.fromhex(octets)
    return messages


def test_a_salted_session_hides_both_and_shows_both_in_clear(swtpm: Swtpm, send: Tool) -> None:
    ran = send("--session", "salted", "--secrets", *HMAC)
    assert (ran.code, ran.err) == (
        0,
        "tpmwire: flushing the objects and sessions that the commands created (--keep prevents this)\n",
    )
    assert held(swtpm) == ""
    messages = _octets(ran.out)
    for message in messages:
        assert int.from_bytes(message[2:6], "big") == len(message)
    assert "00000176" in [message[6:10].hex() for message in messages]
    # The TPM may ask for the same octets once more.
    clear, *_, command = (message for message in messages if message[6:10].hex() == "00000155")
    response, answer = messages[-2:]
    assert b"20261124" in clear
    assert b"20261124" not in command
    assert K_DATE not in response
    assert K_DATE in answer


def test_keep_leaves_what_the_commands_made_and_no_session_of_ours(swtpm: Swtpm, send: Tool) -> None:
    words = ["--keep", "--session", "salted", "CreatePrimary", "primaryHandle=owner", "inPublic=template:srk-ecc"]
    ran = send(*words)
    assert (ran.code, ran.err) == (0, "")
    assert re.findall("0x[0-9A-Fa-f]+", held(swtpm)) == ["0x80000000"]
    tpm2(swtpm, "flushcontext", "-t")


def test_what_is_flushed_is_told_once(send: Tool) -> None:
    words = ["--session", "salted", "CreatePrimary", "primaryHandle=owner", "inPublic=template:srk-ecc"]
    assert (
        send(*words).err
        == "tpmwire: flushing the objects and sessions that the commands created (--keep prevents this)\n"
    )


def test_without_secrets_the_answer_in_clear_shows_none(send: Tool) -> None:
    shown = send("--session", "salted", *HMAC).out
    assert "after its first parameter is decrypted" in shown
    assert K_DATE[:6].hex(" ") not in shown


@pytest.mark.parametrize(
    ("session", "attributes"),
    [("hmac", "continueSession|audit"), ("salted", "continueSession|encrypt")],
)
def test_a_session_goes_along_with_a_command_that_wants_none(send: Tool, session: str, attributes: str) -> None:
    ran = send("--session", session, "GetRandom", "bytesRequested=8")
    assert ran.code == 0
    assert ran.out.count(f"sessionAttributes: {attributes}") == 2


def test_an_hmac_session_shows_no_password(swtpm: Swtpm, send: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    tpm2(swtpm, "changeauth", "-c", "owner", "ownerpass")
    monkeypatch.setenv("THE_OWNER", "ownerpass")
    words = ["ClockRateAdjust", "auth=owner", "rateAdjust=NO_CHANGE"]
    in_clear = send("--secrets", "--auth-env", "THE_OWNER", *words)
    proven = send("--secrets", "--session", "hmac", "--auth-env", "THE_OWNER", *words)
    assert (in_clear.code, proven.code) == (0, 0)
    assert any(b"ownerpass" in message for message in _octets(in_clear.out))
    assert not any(b"ownerpass" in message for message in _octets(proven.out))
    monkeypatch.setenv("THE_OWNER", "another")
    assert send("--session", "hmac", "--auth-env", "THE_OWNER", *words).code != 0


@pytest.fixture
def bound(swtpm: Swtpm, tmp_path: Path) -> str:
    """The handle of a key that is bound to PCR 23 and has a password."""
    for words in (
        ["startauthsession", "-S", "s.dat"],
        ["policypcr", "-S", "s.dat", "-l", "sha256:23"],
        ["policyauthvalue", "-S", "s.dat", "-L", "both.policy"],
        ["flushcontext", "s.dat"],
        ["create", "-C", "0x81000001", "-G", "hmac", "-a", ATTRIBUTES, *SECRETS, "-u", "k.pub", "-r", "k.priv"],
        ["load", "-C", "0x81000001", "-u", "k.pub", "-r", "k.priv", "-c", "k.ctx"],
        ["evictcontrol", "-C", "o", "-c", "k.ctx", "0x81010009"],
        ["flushcontext", "-t"],
    ):
        tpm2(swtpm, *words, cwd=tmp_path)
    (tmp_path / "password").write_text("pass")
    (tmp_path / "password").chmod(0o600)
    return "handle=0x81010009"


@pytest.mark.parametrize("session", ["none", "salted"])
def test_a_policy(swtpm: Swtpm, send: Tool, bound: str, session: str, tmp_path: Path) -> None:
    words = ["--session", session, "--auth-file", tmp_path / "password", "HMAC", bound, "buffer=00"]
    policy = ["--policy", "pcr:sha256:23", "--policy", "auth-value"]
    ran = send(*policy, *words)
    assert ran.code == 0
    assert "TPM2_PolicyPCR" in ran.out
    assert "TPM2_PolicyAuthValue" in ran.out
    assert held(swtpm) == ""
    assert send(*words).code != 0
    assert send(*policy[:2], *words).code != 0
    tpm2(swtpm, "pcrevent", "23", input=b"something")
    assert send("--keep", *policy, *words).code != 0
    assert held(swtpm) == ""


def test_the_endorsement_keys_policy(send: Tool) -> None:
    make = {"command": "CreatePrimary", "primaryHandle": "endorsement", "inPublic": "template:ek-ecc"}
    create = {
        "command": "Create",
        "parentHandle": "$1",
        "policy": ["secret:endorsement"],
        "inPublic": {
            "type": "KEYEDHASH",
            "nameAlg": "SHA256",
            "objectAttributes": "userWithAuth|fixedTPM|fixedParent",
            "parameters": {"scheme": {"scheme": "NULL"}},
        },
        "inSensitive": {"data": "text:to be kept"},
    }
    ran = send("--session", "salted", "--json", "-", stdin=json.dumps([make, create]).encode())
    assert (ran.code, "TPM2_PolicySecret" in ran.out) == (0, True)
    assert b"to be kept" not in b"".join(_octets(send("--json", "-", stdin=json.dumps([make]).encode()).out))
    del create["policy"]  # the policy of a standard endorsement key is satisfied without being asked
    assert "TPM2_PolicySecret" in send("--json", "-", stdin=json.dumps([make, create]).encode()).out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--session salted FlushContext flushHandle=0x80000000", "does not allow sessions"),
        ("--session salted --dry-run GetRandom bytesRequested=1", "need nonces"),
        ("--policy nonsense HMAC handle=1 buffer=00", "unknown step"),
        ("--policy pcr:sha257:1 HMAC handle=1 buffer=00", "unknown PCR bank"),
        ("--policy auth-value GetRandom bytesRequested=1", "no handle that a policy can authorize"),
        ("--auth-env NOT_SET_ANYWHERE HMAC handle=1 buffer=00", "NOT_SET_ANYWHERE of --auth-env is not set"),
        (
            "--policy auth-value GetRandom bytesRequested=1 + GetTestResult",
            "TPM2_GetRandom has no handle that a policy can",
        ),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_sent(tool: Tool, words: str, says: str) -> None:
    # There is no TPM: that would be said otherwise.
    ran = tool("send", "--tpm-path", "/nowhere", *words.split())
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert says in ran.err


def test_a_policy_in_json_is_a_list_of_words(tool: Tool) -> None:
    ran = tool("send", "--json", "-", stdin=b'{"command": "GetRandom", "policy": "pcr:7"}')
    assert (ran.code, "expected policy as a list" in ran.err) == (2, True)
