"""What docs/security.md says of attackers who have more than the bus, tried: what holds, and what does not."""

import hashlib
from pathlib import Path

import pytest

from cli.keys.create import Order, make_key
from tests.support import keys
from tests.support.bench import DATE, KDATE, PASSWORD, SECRET
from tests.support.swtpm import Swtpm
from tpmwire.channel import WELL_KNOWN, create_primary
from tpmwire.errors import TpmError
from tpmwire.keys.keyfile import parse
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.secret import Secret
from tpmwire.sessions import SessionStart
from tpmwire.spec.commands.context import ContextLoad, ContextSave
from tpmwire.spec.commands.dictionary import DictionaryAttackParameters
from tpmwire.spec.commands.duplication import Duplicate
from tpmwire.spec.commands.objects import Load
from tpmwire.spec.commands.pcr import PCR_Extend
from tpmwire.spec.commands.policies import PolicyCommandCode, PolicyPCR
from tpmwire.spec.commands.symmetric import HMAC
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPM_SE, TPMA_OBJECT
from tpmwire.spec.structures import TPMS_PCR_SELECTION, TPMT_HA, TPMT_SYM_DEF_OBJECT
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

PCR23 = parse_pcrs("23")
MEASUREMENT = hashlib.sha256(b"what was booted").digest()


@pytest.fixture(autouse=True)
def keys_in_it(swtpm: Swtpm, tmp_path: Path) -> None:
    keys.make_keys(swtpm, SECRET, tmp_path)


def _extend(tpm: Tpm, pcr: int = 23) -> None:
    tpm.execute(PCR_Extend(pcr, (TPMT_HA(TPM_ALG.SHA256, MEASUREMENT),)))


def _made(swtpm: Swtpm, password: str = "", *, pcrs: tuple[TPMS_PCR_SELECTION, ...] | None = None) -> HmacKey:
    """A key as `tpmwire import` makes it, from its key file."""
    auth = Secret(password.encode())
    with Tpm.open(swtpm.path, 20) as tpm:
        secret = Secret(b"AWS4" + SECRET.encode())
        made = make_key(tpm, Order(secret, auth, pcrs, TPM_RH.OWNER, Secret(b"")))
    return HmacKey(file=made.file, auth=auth)


def _used(swtpm: Swtpm, key: HmacKey) -> bytes:
    with Tpm.open(swtpm.path, 20) as tpm:
        return key.hmac(tpm, DATE)


@pytest.mark.parametrize(("pcr", "noticed"), [(7, True), (23, False)])
def test_a_pcr_that_changes_between_its_check_and_the_use(swtpm: Swtpm, pcr: int, noticed: bool) -> None:
    """But 16 and 21 to 23, which anybody may reset, do not count as changes (TPM_PT_PCR_NO_INCREMENT)."""
    bound = parse_pcrs(str(pcr))
    key = _made(swtpm, pcrs=bound)
    assert key.file is not None
    with Tpm.open(swtpm.path, 20) as tpm:
        place = WELL_KNOWN["h2"]
        parent = create_primary(tpm, place.hierarchy, place.template())
        handle = tpm.execute(Load(parent.handle, key.file.private, key.file.public)).object_handle
        session = tpm.start_session(SessionStart(TPM_SE.POLICY))
        tpm.execute(PolicyPCR(session.handle, b"", bound))
        _extend(tpm, pcr)
        command, use = HMAC(handle, DATE), session.use(keep=False)
        if noticed:
            with pytest.raises(TpmError, match="TPM_RC_PCR_CHANGED"):
                tpm.execute(command, use)
        else:
            assert tpm.execute(command, use).out_hmac == KDATE


def test_a_reset_between_the_check_and_the_use(swtpm: Swtpm) -> None:
    """The session is gone with the reset; nothing that was checked before it counts after it."""
    with Tpm.open(swtpm.path, 20) as tpm:
        session = tpm.start_session(SessionStart(TPM_SE.POLICY))
        tpm.execute(PolicyPCR(session.handle, b"", PCR23))
    swtpm.restart()
    with Tpm.open(swtpm.path, 20) as tpm:
        tpm.trust_name(keys.PCR_HANDLE, b"\0\x0b" + bytes(32))
        with pytest.raises(TpmError) as caught:
            tpm.execute(HMAC(keys.PCR_HANDLE, DATE), session.use(keep=False))
    assert caught.value.name in ("TPM_RC_VALUE", "TPM_RC_HANDLE", "TPM_RC_REFERENCE_S0")


def test_a_reset_and_the_measurements_once_more_open_a_key_bound_to_pcrs(swtpm: Swtpm) -> None:
    """The limit of PCRs: who can reset the TPM alone and knows what is measured needs no more."""
    with Tpm.open(swtpm.path, 20) as tpm:
        _extend(tpm)
    key = _made(swtpm, pcrs=PCR23)
    assert _used(swtpm, key) == KDATE
    with Tpm.open(swtpm.path, 20) as tpm:
        _extend(tpm)  # what happens to a system that goes another way
    with pytest.raises(TpmError, match="PCR values differ"):
        _used(swtpm, key)
    swtpm.restart()
    with pytest.raises(TpmError, match="PCR values differ"):
        _used(swtpm, key)
    with Tpm.open(swtpm.path, 20) as tpm:
        _extend(tpm)
    assert _used(swtpm, key) == KDATE


def test_a_password_beside_the_pcrs_still_protects_after_a_reset(swtpm: Swtpm) -> None:
    swtpm.restart()
    with pytest.raises(TpmError):
        _used(swtpm, HmacKey(handle=keys.BOTH_HANDLE, pcrs=PCR23))
    assert _used(swtpm, HmacKey(handle=keys.BOTH_HANDLE, pcrs=PCR23, auth=PASSWORD)) == KDATE


def test_a_stolen_disk(swtpm: Swtpm, tmp_path: Path) -> None:
    """A key file is of no use to another TPM, with the right password too."""
    with Swtpm() as other:
        for name, auth in (("plain", Secret(b"")), ("password", PASSWORD)):
            file = parse((tmp_path / f"{name}.pem").read_bytes())
            assert _used(swtpm, HmacKey(file=file, auth=auth)) == KDATE
            with pytest.raises(TpmError) as caught:
                _used(other, HmacKey(file=file, auth=auth))
            assert caught.value.name == "TPM_RC_INTEGRITY"


def test_a_stolen_tpm_locks_up_before_a_password_is_guessed(swtpm: Swtpm) -> None:
    key = _made(swtpm, "right")
    assert _used(swtpm, key) == KDATE
    with Tpm.open(swtpm.path, 20) as tpm:
        tpm.execute(DictionaryAttackParameters(TPM_RH.LOCKOUT, 3, 1000, 1000))
    for guess in (b"1", b"2", b"3"):
        with pytest.raises(TpmError, match="wrong password"):
            _used(swtpm, HmacKey(file=key.file, auth=Secret(guess)))
    with pytest.raises(TpmError, match="TPM_RC_LOCKOUT"):
        _used(swtpm, key)


def test_a_stolen_tpm_without_a_password_signs_for_the_thief(swtpm: Swtpm) -> None:
    """What has neither password nor PCRs is protected by nothing but possession."""
    key = _made(swtpm)
    swtpm.restart()
    assert _used(swtpm, key) == KDATE


def test_nobody_gets_the_key_out(swtpm: Swtpm) -> None:
    """Not with every password there is, root's included: it is fixedTPM and fixedParent."""
    file = _made(swtpm).file
    assert file is not None
    with Tpm.open(swtpm.path, 20) as tpm:
        place = WELL_KNOWN["h2"]
        parent = create_primary(tpm, place.hierarchy, place.template())
        key = tpm.execute(Load(parent.handle, file.private, file.public)).object_handle
        session = tpm.start_session(SessionStart(TPM_SE.POLICY))
        tpm.execute(PolicyCommandCode(session.handle, TPM_CC.Duplicate))
        plain = TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL)
        with pytest.raises(TpmError, match="TPM_RC_POLICY_FAIL"):
            tpm.execute(Duplicate(key, TPM_RH.NULL, b"", plain), session.use(keep=False))
    attributes = file.public.object_attributes
    assert attributes & TPMA_OBJECT.FIXED_TPM
    assert attributes & TPMA_OBJECT.FIXED_PARENT


def test_a_context_replayed_after_a_reset(swtpm: Swtpm) -> None:
    """A loaded key that somebody saved aside is of no use after a reset, nor is a session."""
    with Tpm.open(swtpm.path, 20) as tpm:
        place = WELL_KNOWN["h2"]
        parent = create_primary(tpm, place.hierarchy, place.template())
        session = tpm.start_session(SessionStart())
        contexts = [tpm.execute(ContextSave(handle)).context for handle in (parent.handle, session.handle)]
        loaded = tpm.execute(ContextLoad(contexts[1])).loaded_handle
        # The same session twice would be two users of one nonce.
        with pytest.raises(TpmError):
            tpm.execute(ContextLoad(contexts[1]))
        tpm.flush(loaded)
    swtpm.restart()
    with Tpm.open(swtpm.path, 20) as tpm:
        for context in contexts:
            with pytest.raises(TpmError):
                tpm.execute(ContextLoad(context))
