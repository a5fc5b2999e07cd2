"""`tpmwire send`: commands by name, sent to a real TPM and explained; mistakes, secrets, what is left behind."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool, held


def nested(fields: list[str]) -> dict[str, Any]:
    """Fields such as `a.b=1` as a JSON object."""
    found: dict[str, Any] = {}
    for field in fields:
        path, _, value = field.partition("=")
        *outer, last = path.split(".")
        place = found
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    return found


def test_a_command_and_its_response(send: Tool) -> None:
    ran = send("GetRandom", "bytesRequested=8")
    assert (ran.code, ran.err) == (0, "")
    assert "bytesRequested: 8" in ran.out
    assert "randomBytes: 8 bytes" in ran.out
    assert send("tpm2_getrandom", "bytes_requested=0x8").code == 0


def test_pcrs_are_those_that_tpm2_tools_extended(swtpm: Swtpm, send: Tool) -> None:
    event = send("PCR_Event", "pcrHandle=23", "eventData=text:hello")
    assert event.code == 0
    value = re.search(r"sha256:\n?\s*23: 0x([0-9A-F]{64})", tpm2(swtpm, "pcrread", "sha256:23").decode())
    assert value is not None
    shown = send("PCR_Read", "pcrSelectionIn=sha256:23").out
    assert bytes.fromhex(value[1])[:6].hex(" ") in shown
    assert bytes.fromhex(value[1])[6:22].hex(" ") in shown


def test_handles_go_from_one_command_to_the_next_and_are_flushed(swtpm: Swtpm, send: Tool) -> None:
    words = ["CreatePrimary", "primaryHandle=owner", "inPublic=template:h2-primary", "+"]
    ran = send(*words, "ReadPublic", "objectHandle=$1")
    assert ran.code == 0
    assert "response to TPM2_ReadPublic" in ran.out
    assert "curveID: TPM_ECC_NIST_P256" in ran.out
    assert held(swtpm) == ""
    assert send("--keep", *words[:3]).code == 0
    assert "0x80000000" in held(swtpm)
    tpm2(swtpm, "flushcontext", "-t")


def test_a_key_by_its_fields_with_passwords_from_files(swtpm: Swtpm, send: Tool, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("a secret word")
    password.chmod(0o600)
    fields = [
        "inSensitive.userAuth=@" + str(password),
        "inPublic.type=KEYEDHASH",
        "inPublic.nameAlg=SHA256",
        "inPublic.objectAttributes=fixedTPM|fixedParent|sensitiveDataOrigin|userWithAuth|signEncrypt",
        "inPublic.parameters.scheme.scheme=HMAC",
        "inPublic.parameters.scheme.details.hashAlg=SHA256",
    ]
    document: list[dict[str, object]] = [
        {"command": "CreatePrimary", "primaryHandle": "owner", **nested(fields)},
        {"command": "HMAC", "handle": "$1", "buffer": "text:hello", "passwords": [f"@{password}"]},
    ]
    commands = tmp_path / "commands.json"
    commands.write_text(json.dumps(document))
    ran = send("--json", commands)
    assert (ran.code, "response to TPM2_HMAC" in ran.out) == (0, True)
    assert b"a secret word"[:8].hex(" ") not in ran.out
    assert "a secret word" not in ran.out + ran.err
    assert "not shown" in ran.out
    assert b"a secret word"[:6].hex(" ") in send("--secrets", "--json", "-", stdin=commands.read_bytes()).out
    document[1]["passwords"] = ["text:another"]
    commands.write_text(json.dumps(document))
    ran = send("--json", commands)
    assert ran.code == 4
    assert "TPM2_HMAC: TPM_RC_AUTH_FAIL (session 1)" in ran.out
    assert ran.err.splitlines()[-1].startswith("tpmwire: TPM2_HMAC: TPM_RC_AUTH_FAIL (session 1)")
    assert held(swtpm) == ""


def test_auth_file(swtpm: Swtpm, send: Tool, tmp_path: Path) -> None:
    tpm2(swtpm, "changeauth", "-c", "owner", "ownerpass")
    password = tmp_path / "password"
    password.write_text("ownerpass")
    password.chmod(0o600)
    words = ["ClockRateAdjust", "auth=owner", "rateAdjust=NO_CHANGE"]
    assert send(*words).code == 4
    ran = send("--auth-file", password, *words)
    assert ran.code == 0
    assert "ownerpass" not in ran.out
    assert send("--auth-file", password, "--auth-file", password, *words).code == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "give a command and its fields"),
        ("GetRandm", "did you mean GetRandom"),
        ("GetRandom", "TPM2_GetRandom.bytesRequested is missing"),
        ("GetRandom bytesRequested", "'bytesRequested' fits no field; remaining fields: bytesRequested"),
        ("GetRandom bytesRequested=x", "bytesRequested: 'x' is not a number\n"),
        ("GetRandom bytesrequestd=8", "no field 'bytesrequestd'; its fields: bytesRequested"),
        (
            "GetCapability capability=HANDLES property=0 propertyCount=owner",
            "propertyCount: 'owner' is not a number\n",
        ),
        (
            "ReadPublic objectHandle=nobody",
            "'nobody' is not valid; expected a number, or a name from `tpmwire spec TPM_RH`",
        ),
        ("GetRandom bytesRequested=65536", "is out of range for 2 bytes"),
        ("GetRandom bytesRequested=1 bytesRequested=2", "given twice"),
        ("GetRandom bytesRequested=1 more=2", "no field 'more'; its fields: bytesRequested"),
        ("GetRandom bytesRequested=1 +", "missing command before or after +"),
        ("ReadPublic objectHandle=$1", "unknown result $1; no earlier command returned one"),
        ("Hash data=xyz hashAlg=SHA256", "TPM2_Hash.data is not hex"),
        ("Hash data=@/nowhere hashAlg=SHA256", "/nowhere: No such file"),
        ("Hash hashAlg=SHA257", "'SHA257' is not valid; expected a number, or a name from `tpmwire spec TPM_ALG`"),
        ("SelfTest fullTest=perhaps", "expected yes or no"),
        ("CreatePrimary primaryHandle=owner inPublic=0001", "is not a valid public area"),
        (
            "CreatePrimary primaryHandle=owner inPublic=template:none",
            "is not a valid template; use a name of tpm2-tools",
        ),
        ("CreatePrimary primaryHandle=owner inPublic={1}", "inPublic: expected a JSON object"),
        ("TestParms parameters.type=SHA1", "parameters: this field is not allowed if type is TPM_ALG.SHA1"),
        ("PCR_Extend digests=sha256:00", "TPM2_PCR_Extend.pcrHandle is missing"),
        ("PolicyOR policySession=0x03000000 pHashList=5", "pHashList[0] is not hex"),
        ("NV_DefineSpace authHandle=owner auth=6869", "auth is a secret"),
        ("MakeCredential text:hi", "credential is a secret"),
        ("RSA_Encrypt text:hi", "message is a secret"),
        ("--auth-file x GetRandom bytesRequested=1 + GetTestResult", "x: No such file or directory"),
        ("--json /nowhere", "/nowhere: No such file"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_sent(tool: Tool, words: str, says: str) -> None:
    # There is no TPM: that would be said otherwise.
    ran = tool("send", "--tpm-path", "/nowhere", *words.split())
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not valid JSON (line 1"),
        ("[]", "contains no command"),
        ("[1]", "expected each command as an object"),
        ('{"command": "GetRandom", "bytesRequested": true}', "is not a number"),
        ('{"command": "GetRandom", "zz": 1}', "TPM2_GetRandom has no field 'zz'; its fields: bytesRequested"),
        (
            '{"command": "CreatePrimary", "primaryHandle": "owner", "inPublic": {"zz": 1}}',
            "has no field 'zz'; its",
        ),
        ('{"command": "GetRandom", "bytesRequested": 1, "passwords": "x"}', "expected passwords as a list"),
        (
            '{"command": "GetRandom", "bytesRequested": 1, "passwords": ["00"]}',
            "too many passwords for TPM2_GetRandom: expected at most 0, got 1",
        ),
        ('{"command": "Clear", "authHandle": "lockout", "passwords": ["secret"]}', "a password is not hex"),
        ('{"command": "Hash", "data": 5, "hashAlg": 11}', "needs bytes"),
    ],
)
def test_mistakes_in_json(tool: Tool, text: str, says: str) -> None:
    ran = tool("send", "--tpm-path", "/nowhere", "--json", "-", stdin=text.encode())
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert ran.err.count("\n") == 1


def test_a_dry_run_needs_no_tpm(tool: Tool) -> None:
    words = ["CreatePrimary", "primaryHandle=owner", "inPublic=template:ek-rsa", "+", "FlushContext"]
    ran = tool("send", "--tpm-path", "/nowhere", "--dry-run", *words, "flushHandle=$1")
    assert (ran.code, ran.err) == (0, "")
    assert "TPM2_CreatePrimary" in ran.out
    assert "80 00 00 00" in ran.out


def test_a_closed_pipe_leaves_no_object_in_the_tpm(tool: Tool, tmp_path: Path) -> None:
    """As in `tpmwire send CreatePrimary | head -0`."""
    path = f"soft:{tmp_path / 'state'}"
    reader, writer = os.pipe()
    os.close(reader)
    words = ["send", "CreatePrimary", "+", "Create", "ecc", "--tpm-path", path]
    ran = subprocess.run([sys.executable, "-m", "cli.toolbox", *words], stdout=writer, check=False)
    os.close(writer)
    assert ran.returncode == 128 + 13
    listed = tool("list", "--tpm-path", path)
    assert (listed.code, "transient" in listed.out) == (0, False)
