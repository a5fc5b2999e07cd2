"""Calls on objects, policies, NV indices and duplication."""

import hashlib
import hmac
from collections.abc import Iterator

import pytest

import tpmwire
from tests.support.swtpm import Swtpm
from tpmwire import calls, templates
from tpmwire.crypto.formulas import name_of
from tpmwire.errors import KeyFileError, TpmError
from tpmwire.keys.keyfile import SEALED, KeyFile
from tpmwire.keys.wrapping import to_any, wrap_hmac_key
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyCommandCode, PolicyOR, PolicyPassword, PolicySecret
from tpmwire.secret import Secret
from tpmwire.sessions import Password, SessionStart
from tpmwire.spec.attestation import TPMS_ATTEST
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_NT, TPM_RH, TPM_SE, TPM_ST, TPMA_NV, TPMA_OBJECT

INDEX, KEY = 0x01500020, Secret(b"a key of thirty-two bytes, told.")


@pytest.fixture
def tpm(swtpm: Swtpm) -> Iterator[tpmwire.Tpm]:
    with tpmwire.Tpm.open(swtpm.path, timeout=60) as opened:
        yield opened


def test_a_template_by_its_name(tpm: tpmwire.Tpm) -> None:
    parent = calls.create_primary(tpm, "ecc")
    assert parent.public.object_attributes & TPMA_OBJECT.RESTRICTED
    key = calls.load(tpm, parent, calls.create(tpm, parent, "ecc:ecdsa-sha256:null"))
    assert calls.verify(tpm, key, bytes(32), calls.sign(tpm, key, bytes(32)))
    blob = calls.create(tpm, parent, "keyedhash", data=b"to be kept")
    assert calls.unseal(tpm, parent, blob) == b"to be kept"
    item = calls.load(tpm, parent, blob)
    assert calls.unseal(tpm, item) == calls.unseal(tpm, item.handle) == b"to be kept"


def test_a_key_file_wherever_a_key_is_expected(tpm: tpmwire.Tpm) -> None:
    parent = calls.create_primary(tpm, templates.h2_primary())
    blob = calls.create(tpm, parent, templates.hmac_key(), auth=b"pw", data=KEY)
    file = KeyFile.of(*blob, TPM_RH.OWNER, empty_auth=False)
    expected = hmac.digest(KEY.reveal(), b"data", "sha256")
    tpm.flush(parent.handle)
    assert calls.hmac(tpm, file, b"data", by=Password(b"pw")) == expected
    assert calls.hmac(tpm, file, bytes(2000), by=Password(b"pw")) == hmac.digest(
        KEY.reveal(), bytes(2000), "sha256"
    )
    for _ in range(4):
        with pytest.raises(TpmError):
            calls.hmac(tpm, file, b"data")
    wrapped = wrap_hmac_key(KEY, calls.create_primary(tpm, templates.h2_primary()).public, TPM_RH.OWNER)
    tpm.flush_opened()
    assert calls.hmac(tpm, wrapped, b"data") == expected
    loaded = calls.load_file(tpm, wrapped.to_pem())
    assert calls.hmac(tpm, loaded, b"data") == expected
    with pytest.raises(KeyFileError):
        calls.load_file(tpm, "no key")


def test_a_key_files_own_policy_is_satisfied(tpm: tpmwire.Tpm) -> None:
    pcrs = calls.pcr_policy(tpm, "sha256:16")
    policy = Policy(pcrs, PolicyAuthValue())
    parent = calls.create_primary(tpm, templates.h2_primary())
    blob = calls.seal(tpm, parent, b"to be kept", auth=b"pw", policy=policy)
    tpm.flush(parent.handle)
    file = KeyFile.of(*blob, TPM_RH.OWNER, type=SEALED, policy=policy.to_steps())
    assert calls.unseal(tpm, file, by=Password(b"pw")) == b"to be kept"
    with pytest.raises(TpmError):
        calls.unseal(tpm, file, by=Password(b"other"))
    calls.pcr_event(tpm, 16, b"an event")
    for _ in range(4):
        with pytest.raises(TpmError):
            calls.unseal(tpm, file, by=Password(b"pw"))


def test_a_changed_password(tpm: tpmwire.Tpm) -> None:
    parent = calls.create_primary(tpm)
    item = calls.load(tpm, parent, calls.seal(tpm, parent, b"to be kept", auth=b"old"))
    changed = calls.change_auth(tpm, item, parent, b"new", by=Password(b"old"))
    assert calls.unseal(tpm, parent, changed, by=Password(b"new")) == b"to be kept"
    with pytest.raises(TpmError):
        calls.unseal(tpm, parent, changed, by=Password(b"old"))


def test_persistent_and_evicted(tpm: tpmwire.Tpm) -> None:
    key = calls.create_primary(tpm)
    kept = calls.persist(tpm, key, 0x81000020)
    assert (kept.handle, kept.name) == (0x81000020, key.name)
    calls.evict(tpm, kept)
    with pytest.raises(TpmError):
        calls.read_public(tpm, 0x81000020)


def test_saved_contexts(tpm: tpmwire.Tpm) -> None:
    key = calls.create_primary(tpm)
    context = calls.save_context(tpm, key)
    tpm.flush(key.handle)
    again = calls.load_context(tpm, type(context).parse(context.build()))
    assert again.name == key.name
    session = tpm.start_session(SessionStart(TPM_SE.HMAC))
    saved = calls.save_context(tpm, session.handle)
    with pytest.raises(KeyFileError, match="context of a session"):
        calls.load_context(tpm, saved)
    tpm.flush(session.handle)


def test_a_policy_with_everything(tpm: tpmwire.Tpm) -> None:
    parent = calls.create_primary(tpm)
    use = Policy(PolicySecret.of(TPM_RH.OWNER), calls.pcr_policy(tpm, "sha256:16"), PolicyAuthValue())
    other = Policy(PolicyCommandCode(TPM_CC.Unseal), PolicyPassword())
    choice = PolicyOR.of(TPM_ALG.SHA256, use, other)
    blob = calls.seal(tpm, parent, b"to be kept", auth=b"pw", policy=Policy(*use.statements, choice))
    owner = {TPM_RH.OWNER: Password()}
    for branch in (use, other):
        with calls.satisfy_policy(tpm, branch, choice, auth=b"pw", authorizations=owner) as by:
            assert calls.unseal(tpm, parent, blob, by=by) == b"to be kept"
        with (
            pytest.raises(TpmError),
            calls.satisfy_policy(tpm, branch, choice, auth=b"other", authorizations=owner) as by,
        ):
            calls.unseal(tpm, parent, blob, by=by)
    with calls.satisfy_policy(tpm, use, choice, auth=b"pw", encrypt=True) as by:
        assert calls.unseal(tpm, parent, blob, by=by) == b"to be kept"
    with pytest.raises(TpmError), calls.satisfy_policy(tpm, choice):
        pass  # no branch is satisfied
    calls.pcr_extend(tpm, 16, bytes(32))
    with pytest.raises(TpmError), calls.satisfy_policy(tpm, use):
        pass
    calls.pcr_reset(tpm, 16)
    with calls.satisfy_policy(tpm, use, choice, auth=b"pw", alg=TPM_ALG.SHA256) as by:
        assert calls.unseal(tpm, parent, blob, by=by) == b"to be kept"


def test_duplicates_are_imported(tpm: tpmwire.Tpm) -> None:
    parent, new = calls.create_primary(tpm), calls.create_primary(tpm, "rsa2048")
    policy = to_any(with_auth=False)
    template = templates.parse_template("hmac", "sign|userwithauth", policy=policy)
    key = calls.load(tpm, parent, calls.create(tpm, parent, template, data=KEY))
    tpm.flush(parent.handle)
    for target, inner in ((new.public, b""), (new, b""), (new.public, bytes(range(16)))):
        with calls.satisfy_policy(tpm, policy) as by:
            wrapped = calls.duplicate(tpm, key, target, by=by, inner_key=inner)
        moved = calls.import_wrapped(tpm, new, wrapped, inner_key=inner)
        assert name_of(moved.public) == key.name
        tpm.flush(key.handle)
        copy = calls.load(tpm, new, moved)
        assert calls.hmac(tpm, copy, b"data") == hmac.digest(KEY.reveal(), b"data", "sha256")
        key = copy


def test_every_kind_of_nv_index(tpm: tpmwire.Tpm) -> None:
    calls.nv_define(tpm, INDEX, 8, kind=TPM_NT.COUNTER)
    calls.nv_increment(tpm, INDEX)
    first = int.from_bytes(calls.nv_read(tpm, INDEX), "big")
    calls.nv_increment(tpm, INDEX, authority=TPM_RH.OWNER)
    assert int.from_bytes(calls.nv_read(tpm, INDEX), "big") == first + 1
    calls.nv_undefine(tpm, INDEX)

    calls.nv_define(tpm, INDEX, 8, kind=TPM_NT.BITS)
    calls.nv_set_bits(tpm, INDEX, 0x11)
    calls.nv_set_bits(tpm, INDEX, 0x100)
    assert int.from_bytes(calls.nv_read(tpm, INDEX), "big") == 0x111
    calls.nv_undefine(tpm, INDEX)

    calls.nv_define(tpm, INDEX, 48, kind=TPM_NT.EXTEND, name_alg=TPM_ALG.SHA384)
    calls.nv_extend(tpm, INDEX, b"data")
    assert calls.nv_read(tpm, INDEX) == hashlib.sha384(bytes(48) + b"data").digest()
    calls.nv_undefine(tpm, INDEX)


def test_an_index_that_only_its_policy_opens(tpm: tpmwire.Tpm) -> None:
    policy = Policy(calls.pcr_policy(tpm, "sha256:16"))
    calls.nv_define(tpm, INDEX, 16, policy=policy)
    with calls.satisfy_policy(tpm, policy) as by:
        calls.nv_write(tpm, INDEX, b"sixteen byte txt", by=by)
    with calls.satisfy_policy(tpm, policy) as by:
        assert calls.nv_read(tpm, INDEX, by=by) == b"sixteen byte txt"
    with pytest.raises(TpmError):
        calls.nv_read(tpm, INDEX)
    with pytest.raises(TpmError):
        calls.nv_read(tpm, INDEX, authority=TPM_RH.OWNER)


def test_locks_and_certified_contents(tpm: tpmwire.Tpm) -> None:
    usual = TPMA_NV.AUTHREAD | TPMA_NV.AUTHWRITE | TPMA_NV.WRITE_STCLEAR | TPMA_NV.READ_STCLEAR
    calls.nv_define(tpm, INDEX, 4, usual)
    calls.nv_write(tpm, INDEX, b"data")
    key = calls.create_primary(tpm, templates.attestation())
    statement = TPMS_ATTEST.parse(calls.nv_certify(tpm, INDEX, key, b"nonce").message)
    assert statement.type == TPM_ST.ATTEST_NV
    assert b"data" in statement.build()
    calls.nv_write_lock(tpm, INDEX)
    with pytest.raises(TpmError):
        calls.nv_write(tpm, INDEX, b"more")
    assert calls.nv_read_public(tpm, INDEX).attributes & TPMA_NV.WRITELOCKED
    calls.nv_read_lock(tpm, INDEX)
    with pytest.raises(TpmError):
        calls.nv_read(tpm, INDEX)
