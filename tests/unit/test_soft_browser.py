"""What has to work without fcntl, sockets, signals and `cryptography`, as in a browser (Pyodide)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import ROOT
from tests.support.verbs import Ran

SIGNING_KEY = (
    '{"type": "ECC", "nameAlg": "SHA256", "objectAttributes": "signEncrypt|userWithAuth|sensitiveDataOrigin|'
    'fixedTPM|fixedParent", "parameters": {"symmetric": {"algorithm": "NULL"}, "scheme": {"scheme": "ECDSA", '
    '"details": {"hashAlg": "SHA256"}}, "curveID": "NIST_P256", "kdf": {"scheme": "NULL"}}}'
)
DIGEST = "ab" * 32
SIGNATURE = ["CreatePrimary", "primaryHandle=owner", f"inPublic={SIGNING_KEY}", "+", "Sign", "keyHandle=$1"]
SIGNATURE += [f"digest={DIGEST}", 'inScheme={"scheme": "NULL"}']
SIGNATURE += ['validation={"tag": "HASHCHECK", "hierarchy": "null"}']
CREATE = ["CreatePrimary", "primaryHandle=owner", "inPublic=template:srk-ecc"]
SEED = ["send", "--tpm-path", "soft:seed=x"]
LOG = "tpm tpm0: A TPM error (2446) occurred attempting to get random"


def run_bare(*orders: list[str], code: str = "") -> list[Ran]:
    program = ["-c", code] if code else ["-m", "tests.support.bare_python"]
    done = subprocess.run(
        [sys.executable, "-X", "dev", *program],
        check=False,
        input=json.dumps(orders).encode(),
        cwd=ROOT,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    return [Ran(*each) for each in json.loads(done.stdout)]


def test_verbs(tmp_path: Path) -> None:
    state = f"soft:{tmp_path / 'state'}"
    orders = {
        "explain": ["explain", LOG, "80010000000c0000017b0010", "0x81010001"],
        "decode": ["decode", "--format", "jsonl", "80010000000c0000017b0010"],
        "spec": ["spec", "TPM2_Create"],
        "help": ["send", "--help"],
        "random": [*SEED, "GetRandom", "bytesRequested=8"],
        "again": [*SEED, "GetRandom", "bytesRequested=8"],
        "primary": [*SEED, *CREATE, "+", "ReadPublic", "objectHandle=$1"],
        "rsa": [*SEED, *CREATE[:2], "inPublic=template:srk-rsa"],
        "salted": [*SEED, "--session", "salted", "GetRandom", "bytesRequested=8"],
        "sign": [*SEED, *SIGNATURE],
        "extend": ["send", "--tpm-path", state, "PCR_Event", "pcrHandle=16", "eventData=text:x"],
        "read": ["pcr", "--tpm-path", state, "sha256:16"],
        "mistake": [*SEED, "GetRandom"],
        "device": ["send", "--tpm-path", "device:/nonexistent/tpm", "GetRandom", "bytesRequested=8"],
    }
    done = dict(zip(orders, run_bare(*orders.values()), strict=True))
    assert {name: ran.code for name, ran in done.items() if ran.code} == {"mistake": 2, "device": 3}
    assert "TPM_RC_AUTH_FAIL" in done["explain"].out
    assert json.loads(done["decode"].out)["name"] == "TPM2_GetRandom"
    assert done["random"].out == done["again"].out
    assert "response to TPM2_ReadPublic" in done["primary"].out
    assert "after its first parameter is decrypted" in done["salted"].out
    assert done["sign"].out.count("signatureR") == 1
    assert done["read"].out.split()[-1] != "00" * 32
    assert [done[name].err.count("\n") for name in ("mistake", "device")] == [1, 1]


def test_a_session_with_aes() -> None:
    code = """
import json
from tests.support.bare_python import make_bare
make_bare()
from tpmwire import Tpm, calls
from tpmwire.sessions import SessionStart
from tpmwire.spec.structures import TPMT_SYM_DEF
from tpmwire.spec.constants import TPM_ALG
with Tpm.open("soft:seed=x") as tpm:
    parent = calls.create_primary(tpm)
    session = tpm.start_session(SessionStart(symmetric=TPMT_SYM_DEF(TPM_ALG.AES, 128, TPM_ALG.CFB)))
    blob = calls.seal(tpm, parent, b"kept", by=session.use(decrypt=True, encrypt=True))
    opened = calls.unseal(tpm, parent, blob, by=session.use(encrypt=True))
print(json.dumps([[0, opened.decode(), ""]]))
"""
    assert run_bare(code=code)[0].out == "kept"


MODULES = ("tpmwire.explain", "tpmwire.calls", "tpmwire.attest", "cli.inspect.source", "cli.inspect.script")
MODULES += ("cli.lessons.lesson_run", "cli.verbs.learn")


@pytest.mark.parametrize("module", MODULES)
def test_modules(module: str) -> None:
    code = f"from tests.support.bare_python import make_bare; make_bare(); import {module}; print('[]')"
    assert run_bare(code=code) == []
