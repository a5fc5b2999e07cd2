"""A key wrapped on a host without a TPM, taken in by the TPM it was wrapped for, and used; refused by another."""

import base64
import hmac

import pytest

from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm
from tpmwire.channel import WELL_KNOWN, create_primary
from tpmwire.errors import EncodeError, TpmError
from tpmwire.keys.keyfile import KeyFile, parse
from tpmwire.keys.templates import hmac_key as other_template
from tpmwire.keys.wrapping import duplicate, hmac_key_areas, wrap_hmac_key
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyPCR
from tpmwire.secret import Secret
from tpmwire.sessions import Password, SessionStart, Use
from tpmwire.spec.commands.context import EvictControl
from tpmwire.spec.commands.duplication import Import
from tpmwire.spec.commands.objects import Load
from tpmwire.spec.commands.policies import PolicySecret
from tpmwire.spec.constants import TPM_ALG, TPM_RH, TPM_SE
from tpmwire.spec.structures import TPMT_PUBLIC, TPMT_SYM_DEF_OBJECT
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

OCTETS, DATE, PASSWORD = Secret(b"AWS4secret"), b"20261124", Secret(b"pass word")
EXPECTED = hmac.digest(OCTETS.reveal(), DATE, "sha256")
PCR23 = parse_pcrs("23")
ZERO = Policy(PolicyPCR.of_values(TPM_ALG.SHA256, PCR23, {(TPM_ALG.SHA256, 23): bytes(32)}))
PARENTS = {"h2": TPM_RH.OWNER, "ek-rsa": TPM_RH.ENDORSEMENT}
HANDLE = 0x81010020


def public_of(shared_swtpm: Swtpm, kind: str) -> TPMT_PUBLIC:
    """What the target hands out: the public area of its endorsement or storage key."""
    place = WELL_KNOWN[kind]
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        return create_primary(tpm, place.hierarchy, place.template()).public


def used(shared_swtpm: Swtpm, key: HmacKey) -> bytes:
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        return key.hmac(tpm, DATE)


WAYS = {
    "free": (Secret(b""), None),
    "password": (PASSWORD, None),
    "policy password": (PASSWORD, Policy(PolicyAuthValue())),
    "policy PCR": (Secret(b""), ZERO),
    "policy PCR and password": (PASSWORD, Policy(*ZERO.statements, PolicyAuthValue())),
}


def wrapped(shared_swtpm: Swtpm, kind: str, way: str) -> KeyFile:
    auth, policy = WAYS[way]
    made = wrap_hmac_key(OCTETS, public_of(shared_swtpm, kind), PARENTS[kind], auth=auth, policy=policy)
    return parse(made.to_pem())


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", PARENTS)
def test_the_file_alone_says_how_it_is_used(shared_swtpm: Swtpm, kind: str, way: str, protected: bool) -> None:
    file = wrapped(shared_swtpm, kind, way)
    key = HmacKey(file=file, auth=WAYS[way][0], ek_parent=kind == "ek-rsa", protected=protected)
    assert used(shared_swtpm, key) == EXPECTED


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("way", ["policy password", "policy PCR", "policy PCR and password"])
def test_options_say_it_for_a_file_that_does_not(shared_swtpm: Swtpm, way: str, protected: bool) -> None:
    """As the Go program is used: --useEKParent with --keyPass, with --pcrs, or with both."""
    file = wrapped(shared_swtpm, "ek-rsa", way).replace(policy=None)
    key = HmacKey(
        file=file, auth=WAYS[way][0], pcrs=PCR23 if "PCR" in way else None, ek_parent=True, protected=protected
    )
    assert used(shared_swtpm, key) == EXPECTED


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", PARENTS)
def test_nothing_secret_is_heard_on_the_bus(shared_swtpm: Swtpm, kind: str, way: str) -> None:
    file = wrapped(shared_swtpm, kind, way)
    for given in (file, file.replace(policy=None) if kind == "ek-rsa" else file):
        key = HmacKey(
            file=given,
            auth=WAYS[way][0],
            pcrs=PCR23 if "PCR" in way and given.policy is None else None,
            ek_parent=kind == "ek-rsa",
        )
        with Interposer(shared_swtpm.path) as bus:
            with Tpm.open(bus.path, 20) as tpm:
                assert key.hmac(tpm, DATE) == EXPECTED
            heard = bus.octets
        for secret in (EXPECTED, OCTETS.reveal(), PASSWORD.reveal()):
            for form in (secret, secret.hex().encode(), base64.b64encode(secret)):
                assert form not in heard


@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("way", ["policy password", "policy PCR"])
def test_the_same_at_a_persistent_handle(shared_swtpm: Swtpm, way: str, protected: bool) -> None:
    file = wrapped(shared_swtpm, "ek-rsa", way)
    place = WELL_KNOWN["ek-rsa"]

    def endorsed(tpm: Tpm) -> Use:
        session = tpm.start_session(SessionStart(TPM_SE.POLICY))
        tpm.execute(PolicySecret(TPM_RH.ENDORSEMENT, session.handle), Password())
        return session.use(keep=False)

    with Tpm.open(shared_swtpm.path, 20) as tpm:
        ek = create_primary(tpm, place.hierarchy, place.template())
        no_wrap = TPMT_SYM_DEF_OBJECT(TPM_ALG.NULL)
        command = Import(ek.handle, b"", file.public, file.private, file.encrypted_seed, no_wrap)
        private = tpm.execute(command, endorsed(tpm)).out_private
        key = tpm.execute(Load(ek.handle, private, file.public), endorsed(tpm)).object_handle
        tpm.execute(EvictControl(TPM_RH.OWNER, key, HANDLE))
    try:
        key = HmacKey(
            handle=HANDLE,
            auth=WAYS[way][0],
            pcrs=PCR23 if "PCR" in way else None,
            ek_parent=True,
            protected=protected,
        )
        assert used(shared_swtpm, key) == EXPECTED
    finally:
        with Tpm.open(shared_swtpm.path, 20) as tpm:
            tpm.execute(EvictControl(TPM_RH.OWNER, HANDLE, HANDLE))


@pytest.mark.parametrize("size", [16, 32])
def test_the_inner_wrap(shared_swtpm: Swtpm, size: int) -> None:
    inner = Secret(bytes(range(size)))
    public, sensitive = hmac_key_areas(OCTETS)
    place = WELL_KNOWN["h2"]
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        parent = create_primary(tpm, place.hierarchy, place.template())
        made = duplicate(public, sensitive, parent.public, inner_key=inner)
        symmetric = TPMT_SYM_DEF_OBJECT(TPM_ALG.AES, 8 * size, TPM_ALG.CFB)
        private = tpm.execute(
            Import(parent.handle, inner.reveal(), made.public, made.private, made.seed, symmetric)
        ).out_private
        tpm.execute(Load(parent.handle, private, made.public))


def test_another_tpm_cannot_take_it_in(shared_swtpm: Swtpm) -> None:
    file = wrapped(shared_swtpm, "h2", "free")
    with Swtpm() as other, pytest.raises(TpmError, match=r"TPM2_Import: TPM_RC_(INTEGRITY|VALUE|SIZE|ECC_POINT)"):
        used(other, HmacKey(file=file))


def test_only_a_storage_key_can_be_a_parent() -> None:
    with pytest.raises(EncodeError, match="cannot be a parent"):
        wrap_hmac_key(OCTETS, other_template(), TPM_RH.OWNER)


def test_two_wraps_of_one_secret_have_nothing_in_common(shared_swtpm: Swtpm) -> None:
    parent = public_of(shared_swtpm, "h2")
    one, two = (wrap_hmac_key(OCTETS, parent, TPM_RH.OWNER) for _ in range(2))
    assert one.public.unique != two.public.unique
    assert one.private != two.private
    assert OCTETS.reveal() not in one.to_der()
