"""NV storage against a real TPM: every command of the chapter, under sessions that cover the index's Name."""

from collections.abc import Iterator

import pytest

from tests.support.swtpm import Swtpm, tpm2
from tpmwire.crypto.formulas import digest, nv_name_of
from tpmwire.errors import NvError, SessionError, TpmError
from tpmwire.sessions import Session, SessionStart
from tpmwire.spec.commands.hierarchy import CreatePrimary
from tpmwire.spec.commands.nv import (
    NV_Certify,
    NV_ChangeAuth,
    NV_DefineSpace,
    NV_Extend,
    NV_GlobalWriteLock,
    NV_Increment,
    NV_Read,
    NV_ReadLock,
    NV_ReadPublic,
    NV_SetBits,
    NV_UndefineSpace,
    NV_UndefineSpaceSpecial,
    NV_Write,
    NV_WriteLock,
)
from tpmwire.spec.commands.policies import PolicyAuthValue, PolicyCommandCode
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_ECC, TPM_NT, TPM_RH, TPM_SE, TPMA_NV, TPMA_OBJECT
from tpmwire.spec.storage import TPMS_NV_PUBLIC
from tpmwire.spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_ECC_POINT,
    TPMS_SCHEME_HASH,
    TPMS_SENSITIVE_CREATE,
    TPMT_ECC_SCHEME,
    TPMT_KDF_SCHEME,
    TPMT_PUBLIC,
    TPMT_SIG_SCHEME,
    TPMT_SYM_DEF,
    TPMT_SYM_DEF_OBJECT,
)
from tpmwire.state import nv
from tpmwire.tpm import Tpm

INDEX, AUTH = 0x01800001, b"the index's password"
OPEN = TPMA_NV.AUTHREAD | TPMA_NV.AUTHWRITE | TPMA_NV.OWNERREAD | TPMA_NV.OWNERWRITE | TPMA_NV.NO_DA


def kind(nt: TPM_NT) -> TPMA_NV:
    return TPMA_NV(nt << 4)


@pytest.fixture
def tpm() -> Iterator[Tpm]:
    with Swtpm() as swtpm, Tpm.open(swtpm.path, 30) as opened:
        yield opened


def define(tpm: Tpm, size: int, attributes: TPMA_NV = OPEN, policy: bytes = b"", auth: bytes = AUTH) -> None:
    public = TPMS_NV_PUBLIC(INDEX, TPM_ALG.SHA256, attributes, policy, size)
    tpm.execute(NV_DefineSpace(TPM_RH.OWNER, auth, public))


def session(tpm: Tpm) -> Session:
    return tpm.start_session(SessionStart(symmetric=TPMT_SYM_DEF(TPM_ALG.XOR, TPM_ALG.SHA256)))


def test_written_and_read_under_a_session_that_covers_the_changing_name(tpm: Tpm) -> None:
    define(tpm, 8)
    hmac = session(tpm)
    unwritten = tpm.name(INDEX)
    tpm.execute(NV_Write(INDEX, INDEX, b"abcd"), hmac.use(AUTH, decrypt=True))
    tpm.execute(NV_Write(INDEX, INDEX, b"efgh", 4), hmac.use(AUTH, decrypt=True))
    assert tpm.name(INDEX) != unwritten
    assert tpm.execute(NV_Read(INDEX, INDEX, 6, 1), hmac.use(AUTH, encrypt=True)).data == b"bcdefg"
    assert tpm.execute(NV_Read(TPM_RH.OWNER, INDEX, 8), hmac.use(encrypt=True)).data == b"abcdefgh"
    with pytest.raises(TpmError, match=r"AUTH_FAIL|BAD_AUTH"):
        tpm.execute(NV_Read(INDEX, INDEX, 8), hmac.use(b"another password"))


def test_the_name_is_the_tpms_and_is_checked() -> None:
    with Swtpm() as swtpm:
        with Tpm.open(swtpm.path, 30) as tpm:
            define(tpm, 8)
            ours = tpm.name(INDEX)
            theirs = tpm.execute(NV_ReadPublic(INDEX))
            assert ours == theirs.nv_name == nv_name_of(theirs.nv_public)
        assert ours.hex() in tpm2(swtpm, "nvreadpublic", hex(INDEX)).decode()


@pytest.mark.parametrize("change", ["name", "index"])
def test_a_public_area_that_does_not_belong_to_the_index_is_refused(
    tpm: Tpm, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(tpm, 8)
    genuine = tpm.execute(NV_ReadPublic(INDEX))
    public = genuine.nv_public.replace(nv_index=INDEX + 1) if change == "index" else genuine.nv_public
    name = nv_name_of(public) if change == "index" else genuine.nv_name[:-1] + b"\0"
    monkeypatch.setattr(tpm, "execute", lambda command: genuine.replace(nv_public=public, nv_name=name))
    with pytest.raises(SessionError, match=f"0x{INDEX:08x}"):
        tpm.name(INDEX)


def test_counter_bits_and_extend_index(tpm: Tpm) -> None:
    define(tpm, 8, OPEN | kind(TPM_NT.COUNTER))
    hmac = session(tpm)
    values = []
    for _ in range(3):
        tpm.execute(NV_Increment(INDEX, INDEX), hmac.use(AUTH))
        values.append(int.from_bytes(tpm.execute(NV_Read(INDEX, INDEX, 8), hmac.use(AUTH)).data, "big"))
    assert values == [values[0], values[0] + 1, values[0] + 2]
    tpm.execute(NV_UndefineSpace(TPM_RH.OWNER, INDEX), hmac.use())

    define(tpm, 8, OPEN | kind(TPM_NT.BITS))
    tpm.execute(NV_SetBits(INDEX, INDEX, 0x8001), hmac.use(AUTH))
    tpm.execute(NV_SetBits(INDEX, INDEX, 0x0010), hmac.use(AUTH))
    assert tpm.execute(NV_Read(INDEX, INDEX, 8), hmac.use(AUTH)).data == (0x8011).to_bytes(8, "big")
    tpm.execute(NV_UndefineSpace(TPM_RH.OWNER, INDEX), hmac.use())

    define(tpm, 32, OPEN | kind(TPM_NT.EXTEND))
    tpm.execute(NV_Extend(INDEX, INDEX, b"measured"), hmac.use(AUTH))
    value = tpm.execute(NV_Read(INDEX, INDEX, 32), hmac.use(AUTH)).data
    assert value == digest(TPM_ALG.SHA256, bytes(32), b"measured")


def test_locks_hold_and_change_the_name(tpm: Tpm) -> None:
    define(tpm, 4, OPEN | TPMA_NV.WRITE_STCLEAR | TPMA_NV.READ_STCLEAR)
    hmac = session(tpm)
    tpm.execute(NV_Write(INDEX, INDEX, b"once"), hmac.use(AUTH))
    names = {tpm.name(INDEX)}
    tpm.execute(NV_WriteLock(INDEX, INDEX), hmac.use(AUTH))
    names.add(tpm.name(INDEX))
    with pytest.raises(TpmError, match="NV_LOCKED"):
        tpm.execute(NV_Write(INDEX, INDEX, b"more"), hmac.use(AUTH))
    tpm.execute(NV_ReadLock(INDEX, INDEX), hmac.use(AUTH))
    names.add(tpm.name(INDEX))
    assert len(names) == 3
    with pytest.raises(TpmError, match="NV_LOCKED"):
        tpm.execute(NV_Read(INDEX, INDEX, 4), hmac.use(AUTH))
    with pytest.raises(NvError, match="locked"):
        nv.read_index(tpm, INDEX)


def test_the_global_lock_reaches_the_indices_that_want_it(tpm: Tpm) -> None:
    define(tpm, 4, OPEN | TPMA_NV.GLOBALLOCK)
    hmac = session(tpm)
    tpm.execute(NV_Write(INDEX, INDEX, b"once"), hmac.use(AUTH))
    before = tpm.name(INDEX)
    tpm.execute(NV_GlobalWriteLock(TPM_RH.OWNER), hmac.use())
    assert tpm.name(INDEX) != before
    with pytest.raises(TpmError, match="NV_LOCKED"):
        tpm.execute(NV_Write(INDEX, INDEX, b"more"), hmac.use(AUTH))


def policy_session(tpm: Tpm, code: TPM_CC) -> Session:
    """A session that satisfies PolicyCommandCode(code), then PolicyAuthValue."""
    policy = tpm.start_session(SessionStart(TPM_SE.POLICY))
    tpm.execute(PolicyCommandCode(policy.handle, code))
    tpm.execute(PolicyAuthValue(policy.handle))
    policy.wants_auth_value = True
    return policy


def policy_digest(code: TPM_CC) -> bytes:
    steps = [TPM_CC.PolicyCommandCode.to_bytes(4, "big") + code.to_bytes(4, "big")]
    steps.append(TPM_CC.PolicyAuthValue.to_bytes(4, "big"))
    value = bytes(32)
    for step in steps:
        value = digest(TPM_ALG.SHA256, value, step)
    return value


def test_a_changed_password_authenticates_the_very_response(tpm: Tpm) -> None:
    define(tpm, 4, policy=policy_digest(TPM_CC.NV_ChangeAuth))
    policy = policy_session(tpm, TPM_CC.NV_ChangeAuth)
    tpm.execute(NV_ChangeAuth(INDEX, b"the new password"), policy.use(AUTH, keep=False))
    hmac = session(tpm)
    tpm.execute(NV_Write(INDEX, INDEX, b"data"), hmac.use(b"the new password"))
    with pytest.raises(TpmError, match="AUTH"):
        tpm.execute(NV_Read(INDEX, INDEX, 4), hmac.use(AUTH))


def test_an_index_that_only_its_policy_removes(tpm: Tpm) -> None:
    attributes = OPEN | TPMA_NV.POLICY_DELETE | TPMA_NV.PLATFORMCREATE | TPMA_NV.PPREAD | TPMA_NV.PPWRITE
    policy = policy_digest(TPM_CC.NV_UndefineSpaceSpecial)
    public = TPMS_NV_PUBLIC(INDEX, TPM_ALG.SHA256, attributes, policy, 4)
    tpm.execute(NV_DefineSpace(TPM_RH.PLATFORM, AUTH, public))
    with pytest.raises(TpmError, match="ATTRIBUTES"):
        tpm.execute(NV_UndefineSpace(TPM_RH.PLATFORM, INDEX))
    use = policy_session(tpm, TPM_CC.NV_UndefineSpaceSpecial).use(AUTH, keep=False)
    # The index's authValue does not outlive it: the response's HMAC is made without it (Part 3, §31.5).
    tpm.execute(NV_UndefineSpaceSpecial(INDEX, TPM_RH.PLATFORM), use)
    assert nv.handles(tpm, INDEX, INDEX) == []


def test_a_certified_index(tpm: Tpm) -> None:
    attributes = (
        TPMA_OBJECT.FIXED_TPM
        | TPMA_OBJECT.FIXED_PARENT
        | TPMA_OBJECT.SENSITIVE_DATA_ORIGIN
        | TPMA_OBJECT.USER_WITH_AUTH
        | TPMA_OBJECT.SIGN_ENCRYPT
    )
    parameters = TPMS_ECC_PARMS(
        TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL),
        TPMT_ECC_SCHEME(TPM_ALG.NULL),
        TPM_ECC.NIST_P256,
        TPMT_KDF_SCHEME(TPM_ALG.NULL),
    )
    template = TPMT_PUBLIC(TPM_ALG.ECC, TPM_ALG.SHA256, attributes, b"", parameters, TPMS_ECC_POINT(b"", b""))
    key = tpm.execute(CreatePrimary(TPM_RH.OWNER, TPMS_SENSITIVE_CREATE(b"key's", b""), template))
    define(tpm, 8)
    signing, reading = session(tpm), session(tpm)
    tpm.execute(NV_Write(INDEX, INDEX, b"evidence"), reading.use(AUTH))
    scheme = TPMT_SIG_SCHEME(TPM_ALG.ECDSA, TPMS_SCHEME_HASH(TPM_ALG.SHA256))
    certified = tpm.execute(
        NV_Certify(key.object_handle, INDEX, INDEX, b"a nonce", scheme, 8),
        signing.use(b"key's"),
        reading.use(AUTH),
    )
    assert certified.signature.sig_alg == TPM_ALG.ECDSA
    for part in (b"evidence", b"a nonce", tpm.name(INDEX)):
        assert part in certified.certify_info


@pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 2048])
def test_an_index_of_any_size_is_read_whole(tpm: Tpm, size: int) -> None:
    define(tpm, size, auth=b"")
    content = bytes(i * 7 & 0xFF for i in range(size))
    for offset in range(0, size, 1000):
        tpm.execute(NV_Write(INDEX, INDEX, content[offset : offset + 1000], offset))
    assert nv.read_index(tpm, INDEX) == content


def test_an_index_that_was_never_written_or_wants_a_policy_says_so(tpm: Tpm) -> None:
    define(tpm, 4)
    with pytest.raises(NvError, match="has not been written"):
        nv.read_index(tpm, INDEX)
    tpm.execute(NV_UndefineSpace(TPM_RH.OWNER, INDEX))
    define(tpm, 4, TPMA_NV.OWNERWRITE | TPMA_NV.POLICYREAD, policy_digest(TPM_CC.NV_Read))
    tpm.execute(NV_Write(TPM_RH.OWNER, INDEX, b"data"))
    with pytest.raises(NvError, match="a policy"):
        nv.read_index(tpm, INDEX)


def test_the_owner_reads_what_only_the_owner_may(tpm: Tpm) -> None:
    define(tpm, 4, TPMA_NV.OWNERWRITE | TPMA_NV.OWNERREAD)
    tpm.execute(NV_Write(TPM_RH.OWNER, INDEX, b"data"))
    assert nv.read_index(tpm, INDEX) == b"data"


def test_handles_are_found_across_pages_and_bounds(tpm: Tpm) -> None:
    wanted = [INDEX + 3 * i for i in range(40)]
    for index in wanted:
        public = TPMS_NV_PUBLIC(index, TPM_ALG.SHA256, OPEN, b"", 1)
        tpm.execute(NV_DefineSpace(TPM_RH.OWNER, b"", public))
    assert nv.handles(tpm, INDEX, INDEX + 1000) == wanted
    assert nv.handles(tpm, INDEX + 1, wanted[-1] - 1) == wanted[1:-1]
    assert nv.handles(tpm, INDEX + 1, INDEX + 2) == []
