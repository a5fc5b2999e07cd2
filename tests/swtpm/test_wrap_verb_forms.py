"""A key wrapped for a TPM whose public key comes in the forms that people have it in, and from other programs."""

import base64
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool
from tests.support.wrapped_keys import DATE, EXPECTED, SECRET, good, takes_in, wrapped_to
from tpmwire.crypto.formulas import name_of
from tpmwire.keys import templates
from tpmwire.keys.keyfile import IMPORTABLE, SEALED, KeyFile, parse
from tpmwire.keys.wrapping import duplicate, hmac_key_areas, wrap_hmac_key
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.policy import Policy
from tpmwire.policy.statements import PolicyAuthValue, PolicyDuplicationSelect, PolicyOR
from tpmwire.primary import create_primary
from tpmwire.secret import Secret
from tpmwire.sessions import Password
from tpmwire.spec.commands.context import EvictControl
from tpmwire.spec.commands.objects import Load, Unseal
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH, TPMA_OBJECT
from tpmwire.spec.structures import TPMT_PUBLIC, TPMT_SENSITIVE
from tpmwire.tpm import Tpm
from tpmwire.use import parents
from tpmwire.use.hmac import HmacKey

SRK = 0x81000001

pytestmark = pytest.mark.usefixtures("storage_root_key")


TOOLS_FORMS = ("pem", "der", "tss", "tpmt")


@pytest.mark.parametrize("kind", ["ek-rsa", "ek-ecc"])
def test_what_tpm2_tools_write(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, kind: str) -> None:
    """A bare key is the endorsement key, and that is said; a public area tells it by itself."""
    tpm2(shared_swtpm, "createek", "-c", "ek", "-G", kind.removeprefix("ek-"), "-u", "ek.pub", cwd=tmp_path)
    for form in TOOLS_FORMS:
        tpm2(shared_swtpm, "flushcontext", "-t")
        tpm2(shared_swtpm, "readpublic", "-c", "ek", "-f", form, "-o", f"ek.{form}", cwd=tmp_path)
    tpm2(shared_swtpm, "flushcontext", "-t")
    for form in TOOLS_FORMS:
        wrapped, said = wrapped_to(tool, tmp_path / f"ek.{form}")
        assert (f"assuming {kind}" in said) == (form in ("pem", "der"))
        file = parse(wrapped.read_bytes())
        assert file.parent == {"ek-rsa": 0x81010001, "ek-ecc": 0x81010002}[kind]
        assert takes_in(shared_swtpm, tool, wrapped).parent == file.parent


@pytest.mark.parametrize(
    "encode", [bytes.hex, lambda data: base64.b64encode(data).decode()], ids=["hex", "base64"]
)
@pytest.mark.parametrize("kind", ["ek-ecc", "ek-p384", "ek-ecc-h2", "h2", "srk"])
def test_every_kind(
    shared_swtpm: Swtpm,
    tool: Tool,
    tmp_path: Path,
    public_areas: dict[str, TPMT_PUBLIC],
    kind: str,
    encode: Callable[[bytes], str],
) -> None:
    """Also a storage root key, which as a public area looks like the owner's standard primary."""
    (tmp_path / "key.txt").write_text(encode(public_areas[kind].build()) + "\n")
    for options in ((), ("--to-key", kind)):
        wrapped, said = wrapped_to(tool, tmp_path / "key.txt", *options)
        assert ("--to-key" in said or "can also be" in said) == (kind in ("h2", "srk") and not options)
        loadable = takes_in(shared_swtpm, tool, wrapped)
        assert (loadable.parent, loadable.rsa_parent) == (parents.PARENTS[kind].parent, None)


def test_a_key_that_cannot_be_of_the_kind(
    tool: Tool, tmp_path: Path, public_areas: dict[str, TPMT_PUBLIC]
) -> None:
    (tmp_path / "k").write_bytes(public_areas["h2"].build())
    for kind, says in (
        ("ek-ecc", "this public key is not of kind ek-ecc"),
        ("srk2", "'srk2' is not a kind of key; expected one of"),
    ):
        ran = tool("wrap", "--to", tmp_path / "k", "--to-key", kind, "--out", tmp_path / "o", stdin=SECRET)
        assert (ran.code, says in ran.err, ran.err.count("\n")) == (2, True, 1)


def test_a_parent_of_ones_own(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    """A storage key of no known template has a handle, or cannot be named in a key file."""
    tpm2(
        shared_swtpm, "createprimary", "-C", "o", "-G", "ecc", "-c", "p", cwd=tmp_path
    )  # with dictionary attack protection
    tpm2(shared_swtpm, "evictcontrol", "-c", "p", "0x81010002", cwd=tmp_path)
    try:
        tpm2(shared_swtpm, "readpublic", "-c", "0x81010002", "-o", "p.pub", cwd=tmp_path)
        tpm2(shared_swtpm, "flushcontext", "-t")
        ran = tool("wrap", "--to", tmp_path / "p.pub", "--out", tmp_path / "o", stdin=SECRET)
        assert (ran.code, "add --to-handle" in ran.err) == (2, True)
        # At the very handle that is reserved for an endorsement key.
        wrapped, _ = wrapped_to(tool, tmp_path / "p.pub", "--to-handle", "0x81010002")
        assert takes_in(shared_swtpm, tool, wrapped).parent == 0x81010002
    finally:
        tpm2(shared_swtpm, "evictcontrol", "-c", "0x81010002")


@pytest.mark.parametrize("kind", ["ek-rsa", "ek-ecc", "ek-ecc-h2"])
def test_a_persistent_endorsement_key_is_used_as_it_is(
    shared_swtpm: Swtpm,
    tool: Tool,
    tmp_path: Path,
    public_areas: dict[str, TPMT_PUBLIC],
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its policy, or where its template says so by its empty authValue."""
    parent = parents.PARENTS[kind]
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        made = create_primary(tpm, parent.hierarchy, parent.template())
        tpm.execute(EvictControl(TPM_RH.OWNER, made.handle, parent.parent), Password())
    try:
        (tmp_path / "k").write_bytes(public_areas[kind].build())
        wrapped, _ = wrapped_to(tool, tmp_path / "k")
        assert takes_in(shared_swtpm, tool, wrapped).parent == parent.parent
        with Tpm.open(shared_swtpm.path, 20) as tpm:
            sent: list[bytes] = []
            send = tpm.transport.send
            monkeypatch.setattr(tpm.transport, "send", lambda data: (sent.append(data), send(data))[1])
            HmacKey(file=parse(wrapped.with_suffix(".out").read_bytes())).hmac(tpm, DATE)
        codes = {int.from_bytes(command[6:10], "big") for command in sent}
        assert TPM_CC.Load in codes
        assert TPM_CC.CreatePrimary not in codes
    finally:
        tpm2(shared_swtpm, "evictcontrol", "-c", f"{parent.parent:#x}")


@pytest.mark.parametrize("kind", ["ek-rsa", "ek-ecc"])
def test_older_files_of_ours_for_an_endorsement_key(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, public_areas: dict[str, TPMT_PUBLIC], kind: str
) -> None:
    """They have the endorsement hierarchy as parent, which by the draft is its H-2 storage primary."""
    path = tmp_path / "old.pem"
    path.write_text(wrap_hmac_key(Secret(b"AWS4" + SECRET), public_areas[kind], 0x4000000B).to_pem())
    new = takes_in(shared_swtpm, tool, path)
    assert new.parent == parents.PARENTS[kind].parent
    takes_in(shared_swtpm, tool, path, "--use-ek-parent")
    # Loadable, with the option that their profiles have; rsaParent FALSE tells P-256 from RSA.
    old = new.replace(parent=0x4000000B, rsa_parent=False if kind == "ek-ecc" else None)
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        assert HmacKey(file=old, ek_parent=True).hmac(tpm, DATE) == EXPECTED
    (tmp_path / "old.json").write_text(
        json.dumps(
            {"host": "web-1", "kind": kind, "parent": "0x4000000b", "public": public_areas[kind].build().hex()}
        )
    )
    assert parse(wrapped_to(tool, tmp_path / "old.json")[0].read_bytes()).parent == new.parent


@pytest.mark.parametrize("protected", [True, False])
@pytest.mark.parametrize("kind", ["ek-rsa", "ek-ecc"])
@pytest.mark.parametrize("bound", ["", "--pcrs", "--key-auth-file"])
def test_loadable_files_of_tpmcopy_for_an_endorsement_key(
    shared_swtpm: Swtpm,
    tool: Tool,
    tmp_path: Path,
    public_areas: dict[str, TPMT_PUBLIC],
    kind: str,
    bound: str,
    protected: bool,
) -> None:
    """Their parent is the transient handle that the key had then; --useEKParent says that it is one of the two."""
    (tmp_path / "k").write_bytes(public_areas[kind].build())
    (tmp_path / "auth").write_bytes(b"password")
    (tmp_path / "auth").chmod(0o600)
    value = {"": "", "--pcrs": "sha256:23", "--key-auth-file": str(tmp_path / "auth")}[bound]
    wrapped, _ = wrapped_to(tool, tmp_path / "k", *((bound, value) if bound else ()))
    auth = b"password" if bound == "--key-auth-file" else b""
    secret = ("--key-auth-file", value) if auth else ()
    ours = takes_in(shared_swtpm, tool, wrapped, *secret, auth=auth)
    theirs = parse(ours.replace(parent=0x80000001, policy=None).to_pem())
    pcrs = parse_pcrs("23") if bound == "--pcrs" else None
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        key = HmacKey(file=theirs, ek_parent=True, auth=Secret(auth), pcrs=pcrs, protected=protected)
        assert key.hmac(tpm, DATE) == EXPECTED


@pytest.mark.parametrize("rsa", [False, True])
@pytest.mark.parametrize("hierarchy", [TPM_RH.ENDORSEMENT, TPM_RH.OWNER])
def test_the_drafts_primaries(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, hierarchy: TPM_RH, rsa: bool
) -> None:
    template = templates.h1_primary() if rsa else templates.h2_primary()
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        public = create_primary(tpm, hierarchy, template).public
    file = wrap_hmac_key(Secret(b"AWS4" + SECRET), public, hierarchy).replace(rsa_parent=rsa or None)
    (tmp_path / "k.pem").write_text(file.to_pem())
    loadable = takes_in(shared_swtpm, tool, tmp_path / "k.pem")
    assert (loadable.parent, loadable.rsa_parent) == (hierarchy, rsa or None)
    shown = tool("show", tmp_path / "k.pem").out
    assert f"the {hierarchy.name.lower()} hierarchy's standard {'RSA 2048' if rsa else 'ECC P-256'}" in shown


@pytest.mark.parametrize(
    ("parent", "says"),
    [
        (0, "0, as tpm2tss-genkey writes it for: the owner hierarchy's standard ECC P-256 (H-2) primary"),
        (
            0x40000140,
            "as go-tpm's programs write it, which is treated as: the owner hierarchy's standard ECC P-256",
        ),
        (
            0x80000001,
            "a transient handle, which is treated as: the owner hierarchy's standard ECC P-256 (H-2) primary",
        ),
        (0x81010001, "the endorsement key ek-rsa: the persistent one, else created"),
        (0x81010016, "the endorsement key ek-p384"),
        (0x81010003, "a persistent key"),
    ],
)
def test_parents_are_told(tool: Tool, tmp_path: Path, parent: int, says: str) -> None:
    (tmp_path / "k.pem").write_text(KeyFile.of(templates.hmac_key(), b"private", parent).to_pem())
    assert says in tool("show", tmp_path / "k.pem").out


def test_a_storage_root_key_that_is_not_there(tool: Tool, tmp_path: Path) -> None:
    with Swtpm() as other:
        with Tpm.open(other.path, 20) as tpm:
            public = create_primary(tpm, TPM_RH.OWNER, templates.srk_ecc()).public
        (tmp_path / "k.pem").write_text(wrap_hmac_key(Secret(b"AWS4" + SECRET), public, SRK).to_pem())
        ran = tool("import-key", tmp_path / "k.pem", "--tpm-path", other.path, "--out", tmp_path / "o.pem")
    assert (ran.code, "0x81000001 is empty" in ran.err) == (2, True), ran.err


@pytest.mark.parametrize("kind", ["ek-rsa", "ek-ecc", "h2", "srk"])
def test_go_tpms_parent_means_nothing(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, public_areas: dict[str, TPMT_PUBLIC], kind: str
) -> None:
    file = wrap_hmac_key(Secret(b"AWS4" + SECRET), public_areas[kind], 0x40000140)
    (tmp_path / "k.pem").write_text(file.to_pem())
    assert takes_in(shared_swtpm, tool, tmp_path / "k.pem").parent == parents.PARENTS[kind].parent


def tpmcopys(public: TPMT_PUBLIC, kind: str, auth: bytes) -> str:
    """As tpmcopy writes a key with a password: PolicyOR of its use and duplication, stated nowhere."""
    parent = {"ek-ecc": None, "ek-rsa": "EndorsementRSA", "h2": "H2", "srk": "ECCSRK"}[kind]
    leave = Policy(PolicyDuplicationSelect(b"", name_of(public), False))
    digest = Policy(PolicyOR.of(TPM_ALG.SHA256, Policy(PolicyAuthValue()), leave)).digest()
    wrapped = duplicate(*hmac_key_areas(Secret(b"AWS4" + SECRET), auth=Secret(auth), auth_policy=digest), public)
    seed = len(wrapped.seed).to_bytes(2, "big") + wrapped.seed
    file = KeyFile.of(wrapped.public, wrapped.private, 0x40000140, type=IMPORTABLE, secret=seed)
    fields = {"version": 1, "type": "HMAC", "parentName": name_of(public).hex(), "key": file.to_pem()}
    return json.dumps(fields | ({"parentKeyType": parent} if parent else {}))


@pytest.mark.parametrize("kind", ["ek-rsa", "ek-ecc", "h2", "srk"])
def test_tpmcopys_files(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, public_areas: dict[str, TPMT_PUBLIC], kind: str
) -> None:
    path, auth = tmp_path / "out.json", tmp_path / "auth"
    path.write_text(tpmcopys(public_areas[kind], kind, b"password"))
    auth.write_bytes(b"password")
    auth.chmod(0o600)
    file = takes_in(shared_swtpm, tool, path, "--key-auth-file", str(auth), auth=b"password")
    assert file.parent == parents.PARENTS[kind].parent


def test_a_parent_that_tpmcopy_does_not_have_yet(
    tool: Tool, tmp_path: Path, public_areas: dict[str, TPMT_PUBLIC]
) -> None:
    fields = json.loads(tpmcopys(public_areas["h2"], "h2", b""))
    (tmp_path / "out.json").write_text(json.dumps(fields | {"parentKeyType": "New"}))
    ran = tool("import-key", tmp_path / "out.json", "--tpm-path", "/nowhere", "--out", tmp_path / "x")
    assert (ran.code, "unknown parentKeyType 'New'" in ran.err) == (2, True)


@pytest.mark.parametrize("kind", ["ek-rsa", "ek-ecc", "h2", "srk"])
def test_files_for_tpmcopy(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, public_areas: dict[str, TPMT_PUBLIC], kind: str
) -> None:
    (tmp_path / "k").write_bytes(public_areas[kind].build())
    wrapped, _ = wrapped_to(tool, tmp_path / "k", "--to-key", kind, "--format", "tpmcopy")
    fields = json.loads(wrapped.read_text())
    named = {"ek-rsa": "EndorsementRSA", "ek-ecc": "EndoresementECC", "h2": "H2", "srk": "ECCSRK"}
    assert fields["parentKeyType"] == named[kind]
    assert fields["parentName"] == name_of(public_areas[kind]).hex()
    assert (fields["version"], fields["type"]) == (1, "HMAC")
    assert parse(fields["key"]).type == IMPORTABLE
    takes_in(shared_swtpm, tool, wrapped)


def test_pcrs_that_a_file_does_not_state(shared_swtpm: Swtpm, tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "h.json").write_text(tool("export-public", "--tpm-path", shared_swtpm.path).out)
    wrapped, _ = wrapped_to(tool, tmp_path / "h.json", "--pcrs", "sha256:23")
    wrapped.write_text(parse(wrapped.read_bytes()).replace(policy=None).to_pem())
    out = tmp_path / "out.pem"
    words = ("import-key", wrapped, "--tpm-path", shared_swtpm.path, "--out", out)
    assert tool(*words).code == 4
    good(tool(*words, "--pcrs", "sha256:23"))
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        assert HmacKey(file=parse(out.read_bytes()), pcrs=parse_pcrs("23")).hmac(tpm, DATE) == EXPECTED


@pytest.mark.parametrize("kind", ["ek-ecc", "ek-p384", "h2", "srk"])
@pytest.mark.parametrize("auth", [b"", b"password"])
def test_pcrs_of_a_key_at_a_handle(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, public_areas: dict[str, TPMT_PUBLIC], kind: str, auth: bytes
) -> None:
    """The policy takes in the Name of the parent, which the handle does not tell."""
    (tmp_path / "k").write_bytes(public_areas[kind].build())
    (tmp_path / "auth").write_bytes(auth)
    (tmp_path / "auth").chmod(0o600)
    password = ("--key-auth-file", str(tmp_path / "auth")) if auth else ()
    wrapped, _ = wrapped_to(tool, tmp_path / "k", "--to-key", kind, "--pcrs", "sha256:23", *password)
    wrapped.write_text(parse(wrapped.read_bytes()).replace(policy=None).to_pem())
    words = (
        "import-key",
        wrapped,
        "--tpm-path",
        shared_swtpm.path,
        "--persistent-handle",
        "0x81010060",
        *password,
    )
    good(tool(*words, "--pcrs", "sha256:23"))
    try:
        key = HmacKey(
            handle=0x81010060, pcrs=parse_pcrs("23"), auth=Secret(auth), ek_parent=kind.startswith("ek-")
        )
        with Tpm.open(shared_swtpm.path, 20) as tpm:
            assert key.hmac(tpm, DATE) == EXPECTED
    finally:
        tpm2(shared_swtpm, "evictcontrol", "-c", "0x81010060")


def test_importable_sealed_data(
    shared_swtpm: Swtpm, tool: Tool, tmp_path: Path, public_areas: dict[str, TPMT_PUBLIC]
) -> None:
    """seal_tpm2_data --import: sealed data with a seed is taken in like a key, and stays sealed data."""
    seed = b"o" * 32
    area = templates.sealed().replace(
        object_attributes=TPMA_OBJECT.USER_WITH_AUTH, unique=sha256(seed + b"data").digest()
    )
    sensitive = TPMT_SENSITIVE(TPM_ALG.KEYEDHASH, b"", seed, b"data")
    wrapped = duplicate(area, sensitive, public_areas["h2"])
    secret = len(wrapped.seed).to_bytes(2, "big") + wrapped.seed
    file = KeyFile.of(wrapped.public, wrapped.private, TPM_RH.OWNER, type=SEALED, secret=secret)
    (tmp_path / "s.pem").write_text(file.to_pem())
    good(tool("import-key", tmp_path / "s.pem", "--tpm-path", shared_swtpm.path, "--out", tmp_path / "o.pem"))
    loadable = parse((tmp_path / "o.pem").read_bytes())
    assert (loadable.type, loadable.secret) == (SEALED, None)
    with Tpm.open(shared_swtpm.path, 20) as tpm:
        parent = create_primary(tpm, TPM_RH.OWNER, templates.h2_primary())
        loaded = tpm.execute(Load(parent.handle, loadable.private, loadable.public), Password())
        assert tpm.execute(Unseal(loaded.object_handle), Password()).out_data == b"data"
