"""Examples of every command for the site: bytes built by tpmwire, and responses of a soft TPM."""

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from functools import cache
from typing import Any, NamedTuple

from cli.inspect.script import Script
from cli.terminal.messages import UsageError
from tpmwire.explain import as_text, explain_command, explain_response
from tpmwire.record import Record, Struct
from tpmwire.soft import SoftTransport
from tpmwire.spec.command import Command, command_class
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_ECC, TPM_HT, TPM_RH, TPM_ST
from tpmwire.spec.names import type_name
from tpmwire.spec.structures import TPMS_AUTH_COMMAND
from tpmwire.spec.versioned import Versioned
from tpmwire.tpm import Tpm
from tpmwire.wire import build_command, split
from tpmwire.wires import Counted, Empty, Fixed, Number, Select, SizedRecord, YesNo, wire_of

__all__ = ["Example", "example_lines", "examples"]

_CERTIFICATE = (
    "306a30193117301506035504030c0e61206b6579206f6620612054504d301e170d3236303130313030303030305a170d3236303131303030"
    "303030305a30193117301506035504030c0e61206b6579206f6620612054504da3123010300e0603551d0f0101ff040403020780"
)
"""A partialCertificate of TPM2_CertifyX509: issuer, validity, subject and KeyUsage digitalSignature, in DER."""

_LINES = f"""
GetRandom 8
StirRandom text:entropy
Hash text:hello
SelfTest YES
IncrementalSelfTest toTest=SHA256
GetTestResult
GetCapability TPM_PROPERTIES property=0x100 propertyCount=8
TestParms parameters.type=RSA
ReadClock
ClockSet 100000
ClockRateAdjust owner NO_CHANGE
Shutdown STATE
PCR_Read sha256:0,23
PCR_Extend 23 sha256:{1:064x}
PCR_Event 23 text:boot
PCR_Reset 23
PCR_Allocate pcrAllocation=sha256:0,7
PCR_SetAuthValue 20
key = CreatePrimary ecc:ecdsa-sha256
parent = CreatePrimary + Create $parent ecc:ecdsa-sha256
parent = CreatePrimary + CreateLoaded $parent ecc:ecdsa-sha256
parent = CreatePrimary + child = Create $parent ecc:ecdsa-sha256 + Load $parent $child
parent = CreatePrimary + ReadPublic $parent
key = CreatePrimary ecc + LoadExternal $key
parent = CreatePrimary + child = Create $parent data=text:secret + blob = Load $parent $child + Unseal $blob
parent = CreatePrimary + child = Create $parent ecc:ecdsa-sha256 + key = Load $parent $child
  + ObjectChangeAuth $key $parent newAuth=text:new
parent = CreatePrimary + MakeCredential $parent credential=text:secret objectName=000b
key = CreatePrimary ecc:ecdsa-sha256 + Sign $key text:hello
key = CreatePrimary ecc:ecdsa-sha256 + signature = Sign $key text:hello
  + VerifySignature $key text:hello $signature
key = CreatePrimary ak + Quote $key sha256:0,7
key = CreatePrimary ak + Certify $key $key
key = CreatePrimary ak + GetTime endorsement $key
key = CreatePrimary ak + CertifyCreation $key $key
key = CreatePrimary hmac + HMAC $key text:hello
key = CreatePrimary hmac + HMAC_Start $key
parent = CreatePrimary + child = Create $parent aes128cfb + key = Load $parent $child
  + EncryptDecrypt2 $key inData=00112233445566778899aabbccddeeff
parent = CreatePrimary + child = Create $parent aes128cfb + key = Load $parent $child
  + EncryptDecrypt $key inData=00112233445566778899aabbccddeeff
key = CreatePrimary rsa:null + RSA_Encrypt $key text:hello
key = CreatePrimary ecc:ecdh + ECDH_KeyGen $key
ECC_Parameters NIST_P256
EC_Ephemeral NIST_P256
sequence = HashSequenceStart
sequence = HashSequenceStart + SequenceUpdate $sequence text:hello
sequence = HashSequenceStart + SequenceComplete $sequence text:hello
sequence = HashSequenceStart NULL + EventSequenceComplete 23 $sequence text:hello
key = CreatePrimary + ContextSave $key
key = CreatePrimary + saved = ContextSave $key + ContextLoad $saved
key = CreatePrimary + FlushContext $key
key = CreatePrimary + EvictControl owner $key 0x81000010
NV_DefineSpace 0x01000001 dataSize=8
NV_DefineSpace 0x01000001 dataSize=8 + NV_ReadPublic 0x01000001
NV_DefineSpace 0x01000001 dataSize=8 + NV_Write 0x01000001 text:12345678
NV_DefineSpace 0x01000001 dataSize=8 + NV_Write 0x01000001 text:12345678 + NV_Read 0x01000001
NV_DefineSpace 0x01000001 dataSize=8 attributes='COUNTER|AUTHREAD|AUTHWRITE' + NV_Increment 0x01000001
NV_DefineSpace 0x01000001 dataSize=8 attributes='BITS|AUTHREAD|AUTHWRITE' + NV_SetBits 0x01000001 5
NV_DefineSpace 0x01000001 dataSize=32 attributes='EXTEND|AUTHREAD|AUTHWRITE' + NV_Extend 0x01000001 text:hello
NV_DefineSpace 0x01000001 dataSize=8 + NV_UndefineSpace 0x01000001
trial = StartAuthSession TRIAL
trial = StartAuthSession TRIAL + PolicyPCR $trial sha256:7
trial = StartAuthSession TRIAL + PolicyCommandCode $trial Unseal
trial = StartAuthSession TRIAL + PolicyAuthValue $trial
trial = StartAuthSession TRIAL + PolicyPassword $trial
trial = StartAuthSession TRIAL + PolicyLocality $trial zero
trial = StartAuthSession TRIAL + PolicySecret owner $trial
trial = StartAuthSession TRIAL + PolicyNvWritten $trial YES
trial = StartAuthSession TRIAL + PolicyPhysicalPresence $trial
trial = StartAuthSession TRIAL + PolicyAuthValue $trial + PolicyRestart $trial
trial = StartAuthSession TRIAL + PolicyAuthValue $trial + PolicyGetDigest $trial
trial = StartAuthSession TRIAL + PolicyCpHash $trial {1:064x}
trial = StartAuthSession TRIAL + PolicyNameHash $trial {1:064x}
trial = StartAuthSession TRIAL + PolicyTemplate $trial {1:064x}
trial = StartAuthSession TRIAL + PolicyDuplicationSelect $trial 000b 000b
HierarchyControl NO endorsement platform
HierarchyChangeAuth owner text:new
SetPrimaryPolicy owner authPolicy={1:064x} hashAlg=SHA256
ChangePPS
ChangeEPS
Clear
ClearControl platform YES
DictionaryAttackLockReset
DictionaryAttackParameters lockout 10 60 600
key = CreatePrimary ecc:ecdh + point = ECDH_KeyGen $key + ECDH_ZGen $key $point.pubPoint
key = CreatePrimary decryption:rsa + cipher = RSA_Encrypt $key text:hello + RSA_Decrypt $key $cipher.outData
trial = StartAuthSession TRIAL + PolicyOR $trial '["{1:064x}","{2:064x}"]'
trial = StartAuthSession TRIAL + PolicyCounterTimer $trial operandB=0000000000000001 offset=0 operation=EQ
NV_DefineSpace 0x01000001 dataSize=8 + trial = StartAuthSession TRIAL
  + PolicyNV owner 0x01000001 $trial 00 EQ
NV_DefineSpace 0x01000001 dataSize=8 attributes='AUTHREAD|AUTHWRITE|WRITE_STCLEAR' + NV_WriteLock 0x01000001
NV_DefineSpace 0x01000001 dataSize=8 attributes='AUTHREAD|AUTHWRITE|READ_STCLEAR' + NV_ReadLock 0x01000001
NV_GlobalWriteLock
SetCommandCodeAuditStatus owner NULL GetRandom clearList=
key = CreatePrimary ak + SetCommandCodeAuditStatus owner NULL GetRandom clearList= + GetRandom 8
  + GetCommandAuditDigest endorsement $key
key = CreatePrimary ak + session = StartAuthSession HMAC + GetRandom 8 session=$session,audit
  + GetSessionAuditDigest endorsement $key $session
trial = StartAuthSession TRIAL + PolicySecret platform $trial + policy = PolicyGetDigest $trial
  + PCR_SetAuthPolicy platform $policy.policyDigest SHA256 20
SetAlgorithmSet platform 0
key = CreatePrimary endorsement ek-ecc + ak = CreatePrimary ak + MakeCredential $key $ak text:secret
  + ActivateCredential $ak $key
parent = CreatePrimary + child = Create $parent 'ecc;sign|decrypt|sensitiveDataOrigin'
  authPolicy=command-code:Duplicate + key = Load $parent $child + Duplicate $key $parent policy=command-code
parent = CreatePrimary + child = Create $parent 'ecc;sign|decrypt|sensitiveDataOrigin'
  authPolicy=command-code:Duplicate + key = Load $parent $child + Duplicate $key null policy=command-code
  + Import $parent objectPublic=$child.outPublic
parent = CreatePrimary + child = Create $parent 'ecc;sign|decrypt|sensitiveDataOrigin'
  authPolicy=command-code:Duplicate + key = Load $parent $child + copy = Duplicate $key $parent policy=command-code
  + Rewrap $parent $parent $copy.duplicate $key.name $copy.outSymSeed
key = CreatePrimary ecc:ecdsa-sha256 + signature = Sign $key 00000000 + session = StartAuthSession POLICY
  + PolicySigned $key $session auth=$signature
session = StartAuthSession POLICY + given = PolicySecret owner $session expiration=-60
  + other = StartAuthSession POLICY
  + PolicyTicket $other $given.timeout authName=40000001 ticket=$given.policyTicket
key = CreatePrimary ecc:ecdsa-sha256 + session = StartAuthSession POLICY + PolicyPCR $session 23
  + digest = PolicyGetDigest $session + signature = Sign $key $digest + VerifySignature $key $digest $signature
  + PolicyAuthorize $session
NV_DefineSpace 0x01000001 dataSize=34 + session = StartAuthSession POLICY
  + NV_Write 0x01000001 000b0000000000000000000000000000000000000000000000000000000000000000
  + PolicyAuthorizeNV 0x01000001 policySession=$session
NV_DefineSpace 0x01000001 dataSize=8 + NV_Write 0x01000001 text:12345678 + key = CreatePrimary ak
  + NV_Certify $key owner 0x01000001
NV_DefineSpace 0x01000001 8 'AUTHREAD|AUTHWRITE' authPolicy=command-code:NV_ChangeAuth
  + NV_ChangeAuth 0x01000001 newAuth=text:new policy=command-code
NV_DefineSpace platform 0x01000001 8 'PPREAD|PPWRITE|POLICY_DELETE|PLATFORMCREATE'
  authPolicy=command-code:NV_UndefineSpaceSpecial
  + NV_UndefineSpaceSpecial 0x01000001 platform nvIndex.policy=command-code
key = CreatePrimary ecc:ecdaa + Commit $key p1.x= p1.y=
key = CreatePrimary ecc:ecdh + mine = EC_Ephemeral NIST_P256 + other = ECDH_KeyGen $key
  + ZGen_2Phase $key $other.pubPoint $other.pubPoint counter=$mine.counter
key = CreatePrimary ecc:ecdsa-sha256 + CertifyX509 $key $key partialCertificate={_CERTIFICATE}
key = CreatePrimary ecc:ecdsa-sha256 + SignDigest $key digest={1:064x}
key = CreatePrimary ecc:ecdsa-sha256 + signature = SignDigest $key digest={1:064x}
  + VerifyDigestSignature $key digest={1:064x} signature=$signature
key = CreatePrimary ecc:ecdsa-sha256 + SignSequenceStart $key
key = CreatePrimary ecc:ecdsa-sha256 + sequence = SignSequenceStart $key
  + SignSequenceComplete $sequence $key text:hello
key = CreatePrimary ecc:ecdsa-sha256 + VerifySequenceStart $key
key = CreatePrimary ecc:ecdsa-sha256 + signature = Sign $key text:hello + sequence = VerifySequenceStart $key
  + SequenceUpdate $sequence text:hello + VerifySequenceComplete $sequence $key $signature
key = CreatePrimary decryption:ecc + ECC_Encrypt $key text:hello
key = CreatePrimary decryption:ecc + sealed = ECC_Encrypt $key text:hello
  + ECC_Decrypt $key $sealed.c1 $sealed.c2 $sealed.c3
key = CreatePrimary mlkem768 + Encapsulate $key
key = CreatePrimary decryption:mlkem768 + box = Encapsulate $key + Decapsulate $key $box.ciphertext
"""
"""Lines of `tpmwire send`, each an example of its last command. An indented line continues the line above."""


class Example(NamedTuple):
    """An example of a command: the explained bytes, and the explained response or "".

    `line` has the words of `tpmwire send`: the command, after commands that it needs.
    """

    command: str
    response: str = ""
    line: str = ""


@cache
def examples() -> Mapping[str, Example]:
    """Returns an example of each command, keyed by the command's name in the standard."""
    found = {}
    for code in TPM_CC:
        command = command_class(code)
        if command is not None:
            found[f"TPM2_{code.name}"] = _build_shortest(command)
    # On the soft TPM of `tpmwire send`, this command has already been executed.
    found["TPM2_Startup"] = _run_on(_Unstarted(b"example"), "Startup CLEAR")._replace(line="")
    for line in example_lines():
        try:
            example = _run(line)
        except (UsageError, ValueError):
            continue  # the site has the shortest bytes then; a test names the line
        last = line.rpartition(" + ")[2].rpartition(" = ")[2]
        found[f"TPM2_{last.split()[0]}"] = example
    return found


def example_lines() -> list[str]:
    """Returns the lines of `tpmwire send` that are examples, each of its last command."""
    return _LINES.replace("\n  ", " ").strip().splitlines()


class _Unstarted(SoftTransport):
    """A soft TPM before TPM2_Startup."""

    def _start(self) -> None:
        pass


def _run(line: str) -> Example:
    return _run_on(SoftTransport(b"example"), line)


def _run_on(transport: SoftTransport, line: str) -> Example:
    with Tpm(transport) as tpm, Script(tpm) as script:
        result = script.run(line)
        if result.code:
            raise ValueError(f"{line}: {result.text}")
        sent, received = result.exchanges[-1]
    return Example(as_text(explain_command(sent)), as_text(explain_response(received, sent)), line)


def _build_shortest(kind: type[Command]) -> Example:
    """Returns an example of a command with short fields and empty passwords."""
    command: Any = _record(kind)
    auths = [TPMS_AUTH_COMMAND() for _, role in kind.handle_fields() if role.authorized]
    message = build_command(kind.code, split(command), auths)
    return Example(as_text(explain_command(message)))


_HANDLES = {
    "PCR": 23,
    "SH": 0x03000000,
    "NV_INDEX": 0x01000001,
    "DH_PERSISTENT": 0x81000010,
    "RH_PLATFORM": TPM_RH.PLATFORM,
    "RH_LOCKOUT": TPM_RH.LOCKOUT,
    "RH_ENDORSEMENT": TPM_RH.ENDORSEMENT,
    "RH": TPM_RH.OWNER,
}
"""Handles by a part of their type's name; the first match counts. Others are 0x80000000, a transient object."""

_NUMBERS = {
    "HASH": TPM_ALG.SHA256,
    "ECC_CURVE": TPM_ECC.NIST_P256,
    "ALG_PUBLIC": TPM_ALG.ECC,
    "ST_ATTEST": TPM_ST.ATTEST_QUOTE,
    "TPMI_ALG": TPM_ALG.NULL,
    "TPM_ST": TPM_ST.VERIFIED,
    "TPM_HT": TPM_HT.NV_INDEX,
}
"""Numbers by a part of their type's name; the first match counts."""


def _record(kind: Any) -> Any:
    values: dict[str, Any] = {}
    for name, annotation in kind.fields():
        wire = wire_of(annotation)
        if isinstance(wire, Select):
            wire = wire.member(values)
        default = getattr(kind, name, None)
        values[name] = (
            default if isinstance(default, (int, bytes, Record)) else _value(wire, type_name(annotation))
        )
    return kind(**values)


def _value(wire: Any, name: str) -> Any:
    if isinstance(wire, Versioned):
        return _value(wire.newer, name)
    if isinstance(wire, Struct):
        return _record(wire.record)
    if isinstance(wire, SizedRecord):
        return _value(wire.inner, "")
    if isinstance(wire, Counted):
        return []
    if isinstance(wire, Fixed):
        return bytes(wire.size)
    if isinstance(wire, Empty):
        return None
    if isinstance(wire, YesNo):
        return 1
    if isinstance(wire, Number):
        return wire.kind(_number(wire, name or wire.label))
    return b""


def _number(wire: Number, name: str) -> int:
    if name.startswith(("TPMI_DH", "TPMI_RH", "TPMI_SH")):
        return next((int(handle) for part, handle in _HANDLES.items() if part in name), 0x80000000)
    for part, number in _NUMBERS.items():
        if part in name:
            return int(number)
    if issubclass(wire.kind, IntEnum) and not issubclass(wire.kind, IntFlag):
        return next(int(each) for each in wire.kind)
    return 0
