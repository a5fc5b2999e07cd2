"""A salt key pinned by its Name alone: what it costs to find, and that an honest TPM is not called an attack."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import keys
from tests.support.bench import DATE, KDATE, SECRET
from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tpmwire.channel import Pin
from tpmwire.errors import SessionError, TpmError
from tpmwire.keys import templates
from tpmwire.keys.keyfile import KeyFile, parse
from tpmwire.primary import WELL_KNOWN, Loaded, WellKnown, create_primary, read_loaded
from tpmwire.secret import Secret
from tpmwire.spec.commands.context import EvictControl
from tpmwire.spec.constants import TPM_RH
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.tpm import Tpm
from tpmwire.use.cached_key import CachedKey, Memory
from tpmwire.use.hmac import HmacKey
from tpmwire.use.load import persist_key

CAPABILITY, PRIMARY, START, LOAD, READ = "GetCapability", "CreatePrimary", "StartAuthSession", "Load", "ReadPublic"
HMAC, FLUSH = "HMAC", "FlushContext"
H1 = WellKnown(TPM_RH.OWNER, templates.h1_primary, None)
H2_ENDORSEMENT = WellKnown(TPM_RH.ENDORSEMENT, templates.h2_primary, None)
KNOWN = {kind: place for kind, place in WELL_KNOWN.items() if not kind.startswith("ek-mlkem")}
"""Those that swtpm can create."""


class Box:
    """A TPM with the HMAC key at one handle and in files, nothing else persistent, and its well-known keys."""

    def __init__(self, swtpm: Swtpm, bus: Interposer, directory: Path) -> None:
        self.swtpm, self.bus, self.directory = swtpm, bus, directory
        self.made = {kind: self.make(place) for kind, place in KNOWN.items()}
        self.files = {
            "h2": parse((directory / "plain.pem").read_bytes()),
            "h1": self.child(H1, rsa=True),
            "endorsement": self.child(H2_ENDORSEMENT),
        }

    def make(self, place: WellKnown) -> Loaded:
        with Tpm.open(self.swtpm.path, 20) as tpm:
            return create_primary(tpm, place.hierarchy, place.template())

    def child(self, place: WellKnown, *, rsa: bool | None = None) -> KeyFile:
        """The key below another primary key, imported by tpm2_import."""
        rest = ("-G", "rsa" if rsa else "ecc", "-a", keys.ATTRIBUTES)
        unique = self.directory / "unique"
        unique.write_bytes(bytes(2))
        hierarchy = "e" if place.hierarchy == TPM_RH.ENDORSEMENT else "o"
        parent, pub, priv = (self.directory / name for name in ("p.ctx", "k.pub", "k.priv"))
        secret = self.directory / "secret"
        secret.write_text("AWS4" + SECRET)
        tpm2(self.swtpm, "createprimary", "-C", hierarchy, "-c", parent, *rest, *(() if rsa else ("-u", unique)))
        words = ("-C", parent, "-G", "hmac", "-i", secret, "-u", pub, "-r", priv)
        tpm2(self.swtpm, "import", *words)
        tpm2(self.swtpm, "flushcontext", "-t")
        tpm2(self.swtpm, "flushcontext", "-l")
        public = TPMT_PUBLIC.parse(pub.read_bytes()[2:])
        return KeyFile.of(public, priv.read_bytes()[2:], int(place.hierarchy)).replace(rsa_parent=rsa)

    def run(self, key: HmacKey) -> list[str]:
        """The commands of an HMAC, which is right."""
        self.bus.clear()
        with Tpm.open(self.bus.path, 60) as tpm:
            assert key.hmac(tpm, DATE) == KDATE
        return self.bus.codes


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    directory = tmp_path_factory.mktemp("keys")
    with Swtpm() as swtpm, Interposer(swtpm.path) as bus:
        keys.make_keys(swtpm, SECRET, directory)
        with Tpm.open(swtpm.path, 20) as tpm:
            HmacKey(handle=keys.PLAIN_HANDLE, protected=False).hmac(tpm, DATE)  # TPM_RC_RETRY, once after a start
        for handle in (keys.SRK_HANDLE, keys.PCR_HANDLE, keys.PASSWORD_HANDLE, keys.BOTH_HANDLE):
            tpm2(swtpm, "evictcontrol", "-C", "o", "-c", f"{handle:#x}")
        yield Box(swtpm, bus, directory)


@pytest.fixture
def persistent_root(box: Box) -> Iterator[Loaded]:
    """The storage root key, persistent for a while."""
    place = WELL_KNOWN["srk"]
    with Tpm.open(box.swtpm.path, 20) as tpm:
        found = create_primary(tpm, place.hierarchy, place.template())
        tpm.execute(EvictControl(TPM_RH.OWNER, found.handle, keys.SRK_HANDLE))
    yield found
    tpm2(box.swtpm, "evictcontrol", "-C", "o", "-c", f"{keys.SRK_HANDLE:#x}")


def test_the_seeds_own_form_makes_one_key(box: Box) -> None:
    """--tpm-session-encrypt-with-name with the RSA endorsement key's Name, where nothing else is persistent."""
    pin = Pin(box.made["ek-rsa"].name)
    # The handle is in the range of endorsement keys: that it is looked at makes its Name known.
    assert box.run(HmacKey(handle=keys.PLAIN_HANDLE, pin=pin)) == [CAPABILITY, READ, PRIMARY, START, FLUSH, HMAC]
    with Tpm.open(box.swtpm.path, 20) as tpm:
        name = tpm.name(keys.PLAIN_HANDLE)
    named = HmacKey(handle=keys.PLAIN_HANDLE, name=name, pin=pin)
    # What is read is what it pins, in the session: so its cipher shows.
    assert box.run(named) == [CAPABILITY, PRIMARY, START, FLUSH, READ, HMAC]


def test_the_same_with_a_pem(box: Box) -> None:
    tpm2(box.swtpm, "evictcontrol", "-C", "o", "-c", f"{keys.PLAIN_HANDLE:#x}")
    try:
        commands = box.run(HmacKey(file=box.files["h2"], pin=Pin(box.made["ek-rsa"].name)))
    finally:
        with Tpm.open(box.swtpm.path, 20) as tpm:
            persist_key(HmacKey(file=box.files["h2"]), tpm, keys.PLAIN_HANDLE)
    assert commands == [CAPABILITY, PRIMARY, START, FLUSH, PRIMARY, LOAD, HMAC, FLUSH, FLUSH]


@pytest.mark.parametrize("kind", KNOWN)
def test_each_candidate_is_made_once_at_most(box: Box, kind: str) -> None:
    """The parent of the file too, which is the pinned key or one that was looked at."""
    commands = box.run(HmacKey(file=box.files["h2"], pin=Pin(box.made[kind].name)))
    order = list(WELL_KNOWN)
    made = order.index(kind) + 1 + (kind != "h2")
    assert commands.count(PRIMARY) == made
    assert commands.count(CAPABILITY) == 1


def test_a_later_run_knows_which_it_was(box: Box) -> None:
    """With a memory: no search as long as the TPM is not reset, and afterwards the right key is made first."""
    key = CachedKey(file=box.files["h2"], pin=Pin(box.made["srk-rsa"].name), memory=Memory())
    assert box.run(key).count(PRIMARY) == list(WELL_KNOWN).index("srk-rsa") + 2
    assert PRIMARY not in box.run(key)
    box.swtpm.restart()
    assert box.run(key).count(PRIMARY) == 2


@pytest.mark.parametrize("parent", ["h2", "h1", "endorsement"])
def test_an_honest_tpm_is_no_attack_whatever_the_parent(box: Box, persistent_root: Loaded, parent: str) -> None:
    """The pinned key is persistent, made for the run, or the parent itself."""
    own = {"h2": WELL_KNOWN["h2"], "h1": H1, "endorsement": H2_ENDORSEMENT}[parent]
    file = box.files[parent]
    for pin in (
        None,
        Pin(persistent_root.name),
        Pin(persistent_root.name, None, "srk"),
        Pin(persistent_root.name, None, keys.SRK_HANDLE),
        Pin(persistent_root.name, persistent_root.public),
        Pin(box.made["ek-ecc"].name, box.made["ek-ecc"].public),
        Pin(box.made["h2"].name, box.made["h2"].public),
        Pin(box.make(own).name),
    ):
        box.run(HmacKey(file=file, pin=pin))


def test_a_key_that_is_persistent_at_another_handle_is_found(box: Box) -> None:
    context, handle = box.directory / "odd.ctx", "0x81000123"
    tpm2(box.swtpm, "createprimary", "-C", "e", "-G", "ecc384", "-c", context)
    tpm2(box.swtpm, "evictcontrol", "-C", "o", "-c", context, handle)
    tpm2(box.swtpm, "flushcontext", "-t")
    try:
        with Tpm.open(box.swtpm.path, 20) as tpm:
            pin = Pin(read_loaded(tpm, int(handle, 16)).name)
        assert PRIMARY not in box.run(HmacKey(handle=keys.PLAIN_HANDLE, pin=pin))
    finally:
        tpm2(box.swtpm, "evictcontrol", "-C", "o", "-c", handle)


def test_a_hierarchys_password_that_is_missing_is_no_attack(box: Box) -> None:
    """Exit 4 and "check the password", not exit 8: the key is there, and cannot be made."""
    pin = Pin(box.made["srk"].name)
    tpm2(box.swtpm, "changeauth", "-c", "owner", "ownerpw")
    try:
        with pytest.raises(TpmError, match="TPM_RC_BAD_AUTH"):
            box.run(HmacKey(handle=keys.PLAIN_HANDLE, pin=pin))
        box.run(HmacKey(handle=keys.PLAIN_HANDLE, pin=pin, parent_auth=Secret(b"ownerpw")))
        box.run(HmacKey(handle=keys.PLAIN_HANDLE, pin=pin, parent_auth_otherwise=Secret(b"ownerpw")))
        assert b"ownerpw" not in box.bus.octets
    finally:
        tpm2(box.swtpm, "changeauth", "-c", "owner", "-p", "ownerpw")


def test_another_tpms_name_is_an_attack(box: Box) -> None:
    with pytest.raises(SessionError, match="this is a different TPM, or an attacker responds"):
        box.run(HmacKey(file=box.files["h2"], pin=Pin(b"\0\x0b" + bytes(32))))
    assert START not in box.bus.codes
