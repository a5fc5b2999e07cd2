"""Keys whose Name, and so whose policy, is in another hash than SHA-256: at handles, where nothing else tells."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.support.bench import DATE, KDATE, SECRET
from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import held
from tpmwire.channel import read_loaded
from tpmwire.errors import TpmError
from tpmwire.keys.keyfile import IMPORTABLE, KeyFile
from tpmwire.keys.wrapping import duplicate, ecdsa_key_areas, hmac_key_areas
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyPCR
from tpmwire.secret import Secret
from tpmwire.spec.constants import TPM_ALG
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.tpm import Tpm
from tpmwire.use.cached_key import CachedKey, Memory
from tpmwire.use.ecdsa import EcdsaKey, check_signature
from tpmwire.use.hmac import HmacKey
from tpmwire.use.load import persist_key

HASHES = ("sha1", "sha384", "sha512")
PARENT = 0x81000002
PCR23 = parse_pcrs("23")
PASSWORD = Secret(b"password")


class Keys(NamedTuple):
    """A TPM with keys at handles, and a listener before it."""

    bus: Interposer
    handles: dict[str, int]
    publics: dict[str, TPMT_PUBLIC]


@pytest.fixture(scope="module", params=HASHES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    alg, directory = request.param, tmp_path_factory.mktemp(request.param)
    with Swtpm() as swtpm, Interposer(swtpm.path) as bus:

        def run(*words: str) -> None:
            tpm2(swtpm, *words, cwd=directory)
            tpm2(swtpm, "flushcontext", "-t")

        for policy in ("pcr", "both"):
            tpm2(swtpm, "startauthsession", "-S", "s.ctx", "-g", alg, cwd=directory)
            tpm2(swtpm, "policypcr", "-S", "s.ctx", "-l", "sha256:23", "-L", f"{policy}.policy", cwd=directory)
            if policy == "both":
                tpm2(swtpm, "policyauthvalue", "-S", "s.ctx", "-L", "both.policy", cwd=directory)
            tpm2(swtpm, "flushcontext", "s.ctx", cwd=directory)
        tpm2(swtpm, "createprimary", "-C", "o", "-G", "ecc", "-c", "p.ctx", cwd=directory)
        run("evictcontrol", "-C", "o", "-c", "p.ctx", f"{PARENT:#x}")
        handles = {"plain": 0x81010010, "pcr": 0x81010011, "both": 0x81010012, "ecdsa": 0x81010013}
        name_alg = TPM_ALG[alg.upper()]
        policies = {name: (directory / f"{name}.policy").read_bytes() for name in ("pcr", "both")}
        octets = Secret(b"AWS4" + SECRET.encode())
        with Tpm.open(swtpm.path, 20) as tpm:
            parent = read_loaded(tpm, PARENT).public
            for name, areas in {
                "plain": hmac_key_areas(octets, name_alg=name_alg),
                "pcr": hmac_key_areas(octets, name_alg=name_alg, auth_policy=policies["pcr"]),
                "both": hmac_key_areas(octets, name_alg=name_alg, auth_policy=policies["both"], auth=PASSWORD),
                "ecdsa": ecdsa_key_areas(
                    Secret(bytes(31) + b"\7"), name_alg=name_alg, auth_policy=policies["pcr"]
                ),
            }.items():
                wrapped = duplicate(*areas, parent)
                sized = len(wrapped.seed).to_bytes(2, "big") + wrapped.seed
                file = KeyFile.of(wrapped.public, wrapped.private, PARENT, type=IMPORTABLE, secret=sized)
                persist_key(HmacKey(file=file), tpm, handles[name])
        publics = {}
        with Tpm.open(swtpm.path, 20) as tpm:
            for name, handle in handles.items():
                publics[name] = read_loaded(tpm, handle).public
                assert publics[name].name_alg.name.lower() == alg
            # The first HMAC after a start is answered by TPM_RC_RETRY.
            HmacKey(handle=handles["plain"], protected=False).hmac(tpm, DATE)
        yield Keys(bus, handles, publics)
        assert held(swtpm) == ""


def used(made: Keys, name: str, **options: Any) -> list[str]:
    """The commands of a run that gives the right HMAC."""
    made.bus.clear()
    with Tpm.open(made.bus.path, 20) as tpm:
        kind = CachedKey if "memory" in options else HmacKey
        assert kind(handle=made.handles[name], **options).hmac(tpm, DATE) == KDATE
    return made.bus.codes


READ, START, PCR, HMAC, FLUSH = "ReadPublic", "StartAuthSession", "PolicyPCR", "HMAC", "FlushContext"
DIGEST, AUTH, PRIMARY = "PolicyGetDigest", "PolicyAuthValue", "CreatePrimary"


def test_without_a_policy(made: Keys) -> None:
    assert used(made, "plain", protected=False) == [HMAC]
    assert used(made, "plain")[-1] == HMAC


def test_pcrs(made: Keys) -> None:
    """Encrypted it costs no more commands than with SHA-256; in clear the refusal leads to the hash."""
    commands = used(made, "pcr", pcrs=PCR23)
    # The last read shows that the session has its cipher, beside a salt key that was made (docs/security.md).
    assert [name for name in commands if name not in (PRIMARY, FLUSH)] == [READ, READ, START, READ, PCR, HMAC]
    assert used(made, "pcr", pcrs=PCR23, protected=False) == [
        *(START, PCR, HMAC, READ, FLUSH, START, PCR, DIGEST, HMAC)
    ]


def test_pcrs_and_password(made: Keys) -> None:
    assert used(made, "both", pcrs=PCR23, auth=PASSWORD, protected=False) == [
        *(READ, START, PCR, DIGEST, AUTH, HMAC),
    ]
    used(made, "both", pcrs=PCR23, auth=PASSWORD)


def test_pcrs_and_an_empty_password(made: Keys) -> None:
    """The policy has PolicyAuthValue where no password is given: the public area tells, after the refusal."""
    with Tpm.open(made.bus.path, 20) as tpm, pytest.raises(TpmError, match="wrong password"):
        HmacKey(handle=made.handles["both"], pcrs=PCR23, protected=False).hmac(tpm, DATE)


@pytest.mark.parametrize("protected", [False, True])
def test_a_file_that_describes_the_policy(made: Keys, protected: bool) -> None:
    policy = Policy(PolicyPCR(b"", PCR23), PolicyAuthValue())
    described = KeyFile.of(made.publics["both"], b"none", 0x40000001, policy=policy.to_steps())
    used(made, "both", described=described, auth=PASSWORD, protected=protected)


@pytest.mark.parametrize("name", ["plain", "pcr"])
def test_what_is_remembered(made: Keys, name: str) -> None:
    memory, pcrs = Memory(), PCR23 if name == "pcr" else None
    used(made, name, pcrs=pcrs, memory=memory)
    warm = used(made, name, pcrs=pcrs, memory=memory)
    assert READ not in warm


@pytest.mark.parametrize("protected", [False, True])
def test_a_key_of_sigv4a(made: Keys, protected: bool) -> None:
    digest = bytes(range(32))
    with Tpm.open(made.bus.path, 20) as tpm:
        key = EcdsaKey(handle=made.handles["ecdsa"], pcrs=PCR23, protected=protected)
        check_signature(made.publics["ecdsa"], digest, key.sign(tpm, digest))


@pytest.mark.parametrize("protected", [False, True])
def test_other_pcrs_are_refused_for_what_they_are(made: Keys, protected: bool) -> None:
    with Tpm.open(made.bus.path, 20) as tpm, pytest.raises(TpmError, match="PCR values differ"):
        HmacKey(handle=made.handles["pcr"], pcrs=parse_pcrs("22"), protected=protected).hmac(tpm, DATE)
