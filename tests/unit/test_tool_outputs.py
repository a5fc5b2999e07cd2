"""What tpm2-tools print is recognized, and its values are explained."""

import pytest

from tests.support.verbs import Tool
from tpmwire.explain import as_text
from tpmwire.explain.readers.files import read_file

NV = """0x1500001:
  name: 000bd770da8b7c7ceca219941b76e0cca1a5567c8b3c7282876ae1d3a73b44cf3454
  hash algorithm:
    friendly: sha256
    value: 0xB
  attributes:
    friendly: ownerwrite|authwrite|ownerread|authread|written
    value: 0x20060006
  size: 32
"""
COMMAND = """TPM2_CC_EvictControl:
  value: 0x4400120
  commandIndex: 0x120
  reserved1:    0x0
  nv:           1
  cHandles:     0x2
"""
ALGORITHM = "sha256:\n  value:      0xB\n  asymmetric: 0\n  symmetric:  0\n  hash:       1\n  object:     0\n"
FIXED = "TPM2_PT_LEVEL:\n  raw: 0\nTPM2_PT_REVISION:\n  raw: 0xA4\n  value: 1.64\n"
VARIABLE = (
    "TPM2_PT_PERMANENT:\n  ownerAuthSet:              1\n  inLockout:    0\nTPM2_PT_LOCKOUT_INTERVAL: 0x3E8\n"
)
PUBLIC = """name-alg:
  value: sha256
  raw: 0xb
attributes:
  value: fixedtpm|restricted|decrypt
  raw: 0x30002
type:
  value: rsa
  raw: 0x1
"""
OUTPUTS = {
    "tpm2_nvreadpublic": (NV, "authread: ", "size: 32"),
    "tpm2_getcap commands": (COMMAND, "04 40 01 20", "2 handles"),
    "tpm2_getcap algorithms": (ALGORITHM, "00 0b", "sha256: TPM_ALG_SHA256"),
    "tpm2_getcap properties-fixed": (FIXED, "00 00 00 a4", "1.64: revision"),
    "tpm2_getcap properties-variable": (VARIABLE, "ownerAuthSet: 1: the owner", "inLockout: 0\n"),
    "tpm2_getcap pcrs": ("selected-pcrs:\n  - sha1: [ ]\n  - sha256: [ 0, 1 ]\n", "sha1: none", "sha256: 0, 1"),
    "tpm2_getcap ecc-curves": ("TPM2_ECC_NIST_P256: 0x3\n", "00 03", "P-256"),
    "tpm2_getcap handles-persistent": ("- 0x81000001\n- 0x81010001\n", "81 01 00 01", "storage root key"),
    "tpm2_getcap handles-pcr": ("- 0x0\n- 0xA\n", "PCR 0: the firmware", "PCR 10: IMA"),
    "tpm2_pcrread": (f"$ tpm2_pcrread\n  sha256:\n    7 : 0x{'AB' * 32}\n", "sha256:7: Secure Boot", "ab ab"),
    "tpm2_pcrevent": (f"sha1: {'1f' * 20}\nsha256: {'2e' * 32}\n", "2e 2e", "sha1"),
    "tpm2_readpublic, tpm2_create or tpm2_createprimary": (PUBLIC, "restricted: ", "name-alg: sha256"),
    "tpm2_evictcontrol": ("persistent-handle: 0x81000001\naction: persisted\n", "81 00 00 01", "persisted"),
    "tpm2_createak": (f"loaded-key:\n  name: 000b{'c5' * 32}\n", "loaded-key", "name: 000bc5"),
    "tpm2_readclock": ("time: 14\nclock_info:\n  clock: 14\n  safe: yes\n", "safe: yes", "clock: 14"),
}


@pytest.mark.parametrize("program", OUTPUTS)
def test_an_output_is_recognized(program: str) -> None:
    text, *shown = OUTPUTS[program]
    for data in (text, text.replace("\n", "\r\n")):
        (reading,) = read_file(data.encode())
        assert reading.kind == f"the output of {program}"
        explained = "\n".join(map(as_text, reading.trees)) + "\n"
        assert [part for part in shown if part not in explained] == []


def test_an_output_as_an_argument(tool: Tool) -> None:
    assert "the output of tpm2_getcap properties-fixed" in tool("explain", FIXED).out


@pytest.mark.parametrize(
    "text",
    [
        "error: 0x98e\ncode: 0x120\n",
        "sha256:\n  7 : 0xABCD\n",
        "sha1: 1f1f\n",
        "persistent-handle: none\n",
        "- 0x81000001\n- 0x1500001\n",
        "TPM2_ECC_NIST_P256: three\n",
        "quoted: xyz\nsignature:\n  alg: rsassa\n",
        "a:\n" * 3,
        "".join(f"{' ' * n}a:\n" for n in range(300)),
    ],
)
def test_other_texts_are_not_outputs(text: str) -> None:
    assert read_file(text.encode()) == []


def test_an_event_log_in_yaml() -> None:
    text = "---\nversion: 1\nevents:\n- EventNum: 0\n  PCRIndex: 0\n  DigestCount: 1\n"
    (reading,) = read_file(text.encode())
    assert reading.kind.startswith("the output of tpm2_eventlog")
