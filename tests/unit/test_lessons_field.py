"""The response codes in the lessons' sections "In the field": lines that cause them on the soft TPM."""

import re

import pytest

from cli.lessons import LessonRun, find_lesson

CAUSES = """
01 0x18b
  ReadPublic 0x81012345
02 0x185
  HierarchyControl enable=owner state=no authHandle=platform
  PARENT
02 0x903
  swap off
  StartAuthSession HMAC
  StartAuthSession HMAC
  StartAuthSession HMAC
  StartAuthSession HMAC
02 0x910
  ReadPublic 0x80000000
04 0x1d5
  Hash data={zeros:1025} hashAlg=SHA256 hierarchy=null
05 0x18a
  PARENT
  HMAC handle=$1 buffer=00
05 0x1df
  PARENT
  Create parentHandle=$1 inPublic=hmac
  CreatePrimary primaryHandle=owner inPublic=template:srk-ecc inPublic.unique.x=text:o
  Load parentHandle=$3 inPrivate=$2.outPrivate inPublic=$2.outPublic
06 0x1d5
  PARENT
  Create parentHandle=$1 inPublic=ecc:ecdsa-sha256
  Load parentHandle=$1 inPrivate=$2.outPrivate inPublic=$2.outPublic
  Sign keyHandle=$3 digest=0011
06 0x2d2
  PARENT
  Create parentHandle=$1 inPublic=ecc:ecdsa-sha256
  Load parentHandle=$1 inPrivate=$2.outPrivate inPublic=$2.outPublic
  Sign keyHandle=$3 digest={zeros:32} inScheme=ecdsa-sha384
07 0x1df
  PARENT
  Create parentHandle=$1 inPublic=hmac
  Load parentHandle=$1 inPrivate=$2.outPrivate inPublic=$2.outPublic inPublic.objectAttributes='sign|userWithAuth'
08 0x2c2
  PARENT inPublic.objectAttributes=FIXED|restricted|decrypt|sign
09 0x1d5
  PARENT
  Create parentHandle=$1 inPublic=keyedhash inSensitive.data={zeros:129}
11 0x184
  StartAuthSession HMAC
  PolicyAuthValue policySession=$1
12 0x128
  StartAuthSession sessionType=POLICY
  PolicyPCR policySession=$1 pcrs=sha256:16
  PARENT
  Create parentHandle=$3 SEALED
  Load parentHandle=$3 inPrivate=$4.outPrivate inPublic=$4.outPublic
  PCR_Event pcrHandle=0 eventData=text:x
  Unseal itemHandle=$5 session=$1
12 0x12f
  PARENT
  Create parentHandle=$1 SEALED
  Load parentHandle=$1 inPrivate=$2.outPrivate inPublic=$2.outPublic
  Unseal itemHandle=$3
14 0x1d5
  StartAuthSession HMAC nonceCaller=0011
15 0x2c4
  CreatePrimary primaryHandle=owner inPublic=template:srk-rsa
  StartAuthSession HMAC tpmKey=$1 nonceCaller={zeros:16} encryptedSalt={ones:256}
15 0x2c4
  PARENT
  StartAuthSession HMAC tpmKey=$1 nonceCaller={zeros:16} encryptedSalt=0020{ones:32}0020{ones:32}
17 0x4d6
  StartAuthSession HMAC symmetric=sm4128cfb
17 0x982
  StartAuthSession HMAC symmetric=aes128cfb
  ReadClock session=$1,encrypt
18 0x182
  PARENT
  Create parentHandle=$1 inPublic=hmac inPublic.authPolicy=command-code:Duplicate
  Load parentHandle=$1 inPrivate=$2.outPrivate inPublic=$2.outPublic
  Duplicate objectHandle=$3 newParentHandle=null policy=command-code:Duplicate
18 0x3df
  PARENT
  CreatePrimary primaryHandle=owner inPublic=template:srk-ecc inPublic.unique.x=text:o
  Create parentHandle=$1 inPublic=hmac DUPLICABLE
  Load parentHandle=$1 inPrivate=$3.outPrivate inPublic=$3.outPublic
  Duplicate objectHandle=$4 newParentHandle=$2 policy=command-code:Duplicate
  Import parentHandle=$1 objectPublic=$3.outPublic duplicate=$5.duplicate inSymSeed=$5.outSymSeed
18 0x99d
  PARENT
  Create parentHandle=$1 inPublic=hmac DUPLICABLE
  Load parentHandle=$1 inPrivate=$2.outPrivate inPublic=$2.outPublic
  Duplicate objectHandle=$3 newParentHandle=null policy=auth-value
20 0x146
  NV_DefineSpace authHandle=owner {index}'AUTHREAD|AUTHWRITE'
  NV_Write {own} data=00 offset=8
20 0x148
  NV_DefineSpace authHandle=owner {index}'AUTHREAD|AUTHWRITE|WRITEDEFINE'
  NV_Write {own} data=0011223344556677 offset=0
  NV_WriteLock {own}
  NV_Write {own} data=00 offset=0
20 0x149
  NV_DefineSpace authHandle=owner {index}'AUTHREAD|AUTHWRITE'
  NV_Read authHandle=owner nvIndex=0x01800009 size=8 offset=0
20 0x14c
  NV_DefineSpace authHandle=owner {index}'AUTHREAD|AUTHWRITE'
  NV_DefineSpace authHandle=owner {index}'AUTHREAD|AUTHWRITE'
21 0x082
  NV_DefineSpace authHandle=owner {index}'AUTHREAD|AUTHWRITE|COUNTER'
  NV_Write {own} data=00 offset=0
21 0x282
  NV_DefineSpace authHandle=owner {index}'AUTHREAD|AUTHWRITE'
  NV_Increment {own}
22 0x19c
  PARENT
  Quote signHandle=$1 pcrSelect=sha256:16 qualifyingData=00
23 0x12f
  CreatePrimary endorsement template:ek-ecc
  CreatePrimary endorsement attestation:ecc256
  MakeCredential handle=$1 credential=text:x objectName=$2
  ActivateCredential activateHandle=$2 keyHandle=$1 BLOB keyHandle.auth=text:x
23 0x2da
  CreatePrimary endorsement template:ek-rsa
  CreatePrimary endorsement template:ek-ecc
  CreatePrimary endorsement attestation:ecc256
  MakeCredential handle=$1 credential=text:x objectName=$3
  ActivateCredential activateHandle=$3 keyHandle=$2 credentialBlob=$4.credentialBlob secret=$4.secret
27 0x1d5
  PARENT
  Create parentHandle=$1 inPublic=mlkem768
  Load parentHandle=$1 inPrivate=$2.outPrivate inPublic=$2.outPublic
  Decapsulate keyHandle=$3 ciphertext=00
"""
"""Number of a lesson and a response code, and below them lines of which the last one causes the code."""

POLICY = "inPublic.authPolicy={} inPublic.objectAttributes={}"
SHORT = {
    "PARENT": "CreatePrimary primaryHandle=owner inPublic=template:srk-ecc",
    "SEALED": "inPublic=keyedhash inSensitive.data=text:x "
    + POLICY.format("pcr:sha256:16", "fixedTPM|fixedParent"),
    "DUPLICABLE": POLICY.format("command-code:Duplicate", "sensitiveDataOrigin|userWithAuth|sign"),
    "FIXED": "fixedTPM|fixedParent|sensitiveDataOrigin",
    "BLOB": "credentialBlob=$3.credentialBlob secret=$3.secret",
    "{index}": "publicInfo.nvIndex=0x01800009 publicInfo.dataSize=8 publicInfo.attributes=",
    "{own}": "authHandle=0x01800009 nvIndex=0x01800009",
}


def causes() -> list[tuple[str, str, list[str]]]:
    found = []
    for entry in re.split(r"\n(?=\d)", CAUSES.strip()):
        head, *lines = entry.splitlines()
        found.append((*head.split(), [expand(line.strip()) for line in lines]))
    return found


def expand(line: str) -> str:
    for name, text in SHORT.items():
        line = line.replace(name, text)
    return re.sub(r"\{(zeros|ones):(\d+)\}", lambda m: ("00" if m[1] == "zeros" else "11") * int(m[2]), line)


@pytest.mark.parametrize(
    ("number", "code", "lines"), causes(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_cause_of_a_code(number: str, code: str, lines: list[str]) -> None:
    lesson = find_lesson(number)
    assert code in lesson.field
    if number == "27":
        pytest.importorskip("kyber_py")
    with LessonRun(lesson) as run:
        for line in lines[:-1]:
            assert not run.run(line).failed, line
        assert f"[{code}]" in run.run(lines[-1]).text
