"""Every command of TPM 2.0 Part 3. The names lack TPM2_: `commands.PolicyPCR`, `commands.HMAC`.

Each command is declared in the module of its chapter, such as `tpmwire.spec.commands.policies`. The module is
loaded at first use.
"""
# ruff: noqa: PLC0414  # type checkers need the second name to treat the first as public

from typing import TYPE_CHECKING

from .spec.command import command_class
from .spec.constants import TPM_CC

if TYPE_CHECKING:
    from .spec.commands.asymmetric import Decapsulate as Decapsulate
    from .spec.commands.asymmetric import ECC_Decrypt as ECC_Decrypt
    from .spec.commands.asymmetric import ECC_Encrypt as ECC_Encrypt
    from .spec.commands.asymmetric import ECC_Parameters as ECC_Parameters
    from .spec.commands.asymmetric import ECDH_KeyGen as ECDH_KeyGen
    from .spec.commands.asymmetric import ECDH_ZGen as ECDH_ZGen
    from .spec.commands.asymmetric import Encapsulate as Encapsulate
    from .spec.commands.asymmetric import RSA_Decrypt as RSA_Decrypt
    from .spec.commands.asymmetric import RSA_Encrypt as RSA_Encrypt
    from .spec.commands.asymmetric import ZGen_2Phase as ZGen_2Phase
    from .spec.commands.attestation import Certify as Certify
    from .spec.commands.attestation import CertifyCreation as CertifyCreation
    from .spec.commands.attestation import CertifyX509 as CertifyX509
    from .spec.commands.attestation import GetCommandAuditDigest as GetCommandAuditDigest
    from .spec.commands.attestation import GetSessionAuditDigest as GetSessionAuditDigest
    from .spec.commands.attestation import GetTime as GetTime
    from .spec.commands.attestation import Quote as Quote
    from .spec.commands.audit import SetCommandCodeAuditStatus as SetCommandCodeAuditStatus
    from .spec.commands.capability import GetCapability as GetCapability
    from .spec.commands.capability import SetCapability as SetCapability
    from .spec.commands.capability import TestParms as TestParms
    from .spec.commands.clock import ClockRateAdjust as ClockRateAdjust
    from .spec.commands.clock import ClockSet as ClockSet
    from .spec.commands.clock import ReadClock as ReadClock
    from .spec.commands.components import AC_GetCapability as AC_GetCapability
    from .spec.commands.components import AC_Send as AC_Send
    from .spec.commands.components import ACT_SetTimeout as ACT_SetTimeout
    from .spec.commands.components import Policy_AC_SendSelect as Policy_AC_SendSelect
    from .spec.commands.components import Vendor_TCG_Test as Vendor_TCG_Test
    from .spec.commands.context import ContextLoad as ContextLoad
    from .spec.commands.context import ContextSave as ContextSave
    from .spec.commands.context import EvictControl as EvictControl
    from .spec.commands.context import FlushContext as FlushContext
    from .spec.commands.dictionary import DictionaryAttackLockReset as DictionaryAttackLockReset
    from .spec.commands.dictionary import DictionaryAttackParameters as DictionaryAttackParameters
    from .spec.commands.duplication import Duplicate as Duplicate
    from .spec.commands.duplication import Import as Import
    from .spec.commands.duplication import Rewrap as Rewrap
    from .spec.commands.ephemeral import Commit as Commit
    from .spec.commands.ephemeral import EC_Ephemeral as EC_Ephemeral
    from .spec.commands.hierarchy import ChangeEPS as ChangeEPS
    from .spec.commands.hierarchy import ChangePPS as ChangePPS
    from .spec.commands.hierarchy import Clear as Clear
    from .spec.commands.hierarchy import ClearControl as ClearControl
    from .spec.commands.hierarchy import CreatePrimary as CreatePrimary
    from .spec.commands.hierarchy import HierarchyChangeAuth as HierarchyChangeAuth
    from .spec.commands.hierarchy import HierarchyControl as HierarchyControl
    from .spec.commands.hierarchy import ReadOnlyControl as ReadOnlyControl
    from .spec.commands.hierarchy import SetPrimaryPolicy as SetPrimaryPolicy
    from .spec.commands.management import FieldUpgradeData as FieldUpgradeData
    from .spec.commands.management import FieldUpgradeStart as FieldUpgradeStart
    from .spec.commands.management import FirmwareRead as FirmwareRead
    from .spec.commands.management import PP_Commands as PP_Commands
    from .spec.commands.management import SetAlgorithmSet as SetAlgorithmSet
    from .spec.commands.nv import NV_Certify as NV_Certify
    from .spec.commands.nv import NV_ChangeAuth as NV_ChangeAuth
    from .spec.commands.nv import NV_DefineSpace as NV_DefineSpace
    from .spec.commands.nv import NV_DefineSpace2 as NV_DefineSpace2
    from .spec.commands.nv import NV_Extend as NV_Extend
    from .spec.commands.nv import NV_GlobalWriteLock as NV_GlobalWriteLock
    from .spec.commands.nv import NV_Increment as NV_Increment
    from .spec.commands.nv import NV_Read as NV_Read
    from .spec.commands.nv import NV_ReadLock as NV_ReadLock
    from .spec.commands.nv import NV_ReadPublic as NV_ReadPublic
    from .spec.commands.nv import NV_ReadPublic2 as NV_ReadPublic2
    from .spec.commands.nv import NV_SetBits as NV_SetBits
    from .spec.commands.nv import NV_UndefineSpace as NV_UndefineSpace
    from .spec.commands.nv import NV_UndefineSpaceSpecial as NV_UndefineSpaceSpecial
    from .spec.commands.nv import NV_Write as NV_Write
    from .spec.commands.nv import NV_WriteLock as NV_WriteLock
    from .spec.commands.objects import ActivateCredential as ActivateCredential
    from .spec.commands.objects import Create as Create
    from .spec.commands.objects import CreateLoaded as CreateLoaded
    from .spec.commands.objects import Load as Load
    from .spec.commands.objects import LoadExternal as LoadExternal
    from .spec.commands.objects import MakeCredential as MakeCredential
    from .spec.commands.objects import ObjectChangeAuth as ObjectChangeAuth
    from .spec.commands.objects import ReadPublic as ReadPublic
    from .spec.commands.objects import Unseal as Unseal
    from .spec.commands.pcr import PCR_Allocate as PCR_Allocate
    from .spec.commands.pcr import PCR_Event as PCR_Event
    from .spec.commands.pcr import PCR_Extend as PCR_Extend
    from .spec.commands.pcr import PCR_Read as PCR_Read
    from .spec.commands.pcr import PCR_Reset as PCR_Reset
    from .spec.commands.pcr import PCR_SetAuthPolicy as PCR_SetAuthPolicy
    from .spec.commands.pcr import PCR_SetAuthValue as PCR_SetAuthValue
    from .spec.commands.policies import PolicyAuthorize as PolicyAuthorize
    from .spec.commands.policies import PolicyAuthorizeNV as PolicyAuthorizeNV
    from .spec.commands.policies import PolicyAuthValue as PolicyAuthValue
    from .spec.commands.policies import PolicyCapability as PolicyCapability
    from .spec.commands.policies import PolicyCommandCode as PolicyCommandCode
    from .spec.commands.policies import PolicyCounterTimer as PolicyCounterTimer
    from .spec.commands.policies import PolicyCpHash as PolicyCpHash
    from .spec.commands.policies import PolicyDuplicationSelect as PolicyDuplicationSelect
    from .spec.commands.policies import PolicyGetDigest as PolicyGetDigest
    from .spec.commands.policies import PolicyLocality as PolicyLocality
    from .spec.commands.policies import PolicyNameHash as PolicyNameHash
    from .spec.commands.policies import PolicyNV as PolicyNV
    from .spec.commands.policies import PolicyNvWritten as PolicyNvWritten
    from .spec.commands.policies import PolicyOR as PolicyOR
    from .spec.commands.policies import PolicyParameters as PolicyParameters
    from .spec.commands.policies import PolicyPassword as PolicyPassword
    from .spec.commands.policies import PolicyPCR as PolicyPCR
    from .spec.commands.policies import PolicyPhysicalPresence as PolicyPhysicalPresence
    from .spec.commands.policies import PolicySecret as PolicySecret
    from .spec.commands.policies import PolicySigned as PolicySigned
    from .spec.commands.policies import PolicyTemplate as PolicyTemplate
    from .spec.commands.policies import PolicyTicket as PolicyTicket
    from .spec.commands.policies import PolicyTransportSPDM as PolicyTransportSPDM
    from .spec.commands.random import GetRandom as GetRandom
    from .spec.commands.random import StirRandom as StirRandom
    from .spec.commands.sequences import EventSequenceComplete as EventSequenceComplete
    from .spec.commands.sequences import HashSequenceStart as HashSequenceStart
    from .spec.commands.sequences import HMAC_Start as HMAC_Start
    from .spec.commands.sequences import SequenceComplete as SequenceComplete
    from .spec.commands.sequences import SequenceUpdate as SequenceUpdate
    from .spec.commands.sequences import SignSequenceStart as SignSequenceStart
    from .spec.commands.sequences import VerifySequenceStart as VerifySequenceStart
    from .spec.commands.sessions import PolicyRestart as PolicyRestart
    from .spec.commands.sessions import StartAuthSession as StartAuthSession
    from .spec.commands.signing import Sign as Sign
    from .spec.commands.signing import SignDigest as SignDigest
    from .spec.commands.signing import SignSequenceComplete as SignSequenceComplete
    from .spec.commands.signing import VerifyDigestSignature as VerifyDigestSignature
    from .spec.commands.signing import VerifySequenceComplete as VerifySequenceComplete
    from .spec.commands.signing import VerifySignature as VerifySignature
    from .spec.commands.startup import Shutdown as Shutdown
    from .spec.commands.startup import Startup as Startup
    from .spec.commands.symmetric import HMAC as HMAC
    from .spec.commands.symmetric import EncryptDecrypt as EncryptDecrypt
    from .spec.commands.symmetric import EncryptDecrypt2 as EncryptDecrypt2
    from .spec.commands.symmetric import Hash as Hash
    from .spec.commands.testing import GetTestResult as GetTestResult
    from .spec.commands.testing import IncrementalSelfTest as IncrementalSelfTest
    from .spec.commands.testing import SelfTest as SelfTest

__all__ = sorted(code.name for code in TPM_CC)  # noqa: PLE0605


def __getattr__(name: str) -> object:
    found = command_class(TPM_CC[name]) if name in TPM_CC.__members__ else None
    if found is None:
        short = name.removeprefix("TPM2_")
        near = f"; did you mean {short}?" if short != name and short in TPM_CC.__members__ else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{near}")
    return found


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
