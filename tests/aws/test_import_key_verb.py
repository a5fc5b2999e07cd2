"""The upstream's README flows whole: export-public, wrap, import-key on TPM-B, and a run that an STS accepts."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import keys
from tests.support.programs import Machine, left_behind, machine
from tests.support.sts import VerifyingSts
from tests.support.swtpm import tpm2
from tests.support.verbs import Ran, Tool

HANDLE, SRK = 0x81010050, 0x81000001
PASSWORD = "bar"
PCR = "sha256:23=f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"
PARENTS = ["ek-rsa", "ek-ecc", "h2", "srk"]
USES = {"free": (False, False), "password": (True, False), "PCR": (False, True), "PCR and password": (True, True)}


@pytest.fixture(scope="module")
def target(sts: VerifyingSts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """TPM-B, where PCR 23 was extended once, and the storage root key is that of the TCG."""
    with machine(tmp_path_factory.mktemp("home"), sts.secret_access_key) as made:
        home = made.home
        tpm2(made.swtpm, "pcrextend", "23:sha256=" + 64 * "0")
        tpm2(made.swtpm, "evictcontrol", "-C", "o", "-c", f"{SRK:#x}")
        tpm2(made.swtpm, "createprimary", "-C", "o", "-G", "ecc", "-a", keys.ATTRIBUTES, "-c", "srk", cwd=home)
        tpm2(made.swtpm, "evictcontrol", "-C", "o", "-c", "srk", f"{SRK:#x}", cwd=home)
        tpm2(made.swtpm, "flushcontext", "-t")
        yield made


def good(ran: Ran, sts: VerifyingSts) -> str:
    assert ran.code == 0, ran.err
    assert sts.secret_access_key not in ran.out + ran.err
    return ran.out


@pytest.mark.parametrize("place", ["PEM", "handle"])
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("parent", PARENTS)
def test_a_transferred_key_gets_credentials(
    target: Machine, sts: VerifyingSts, tool: Tool, tmp_path: Path, parent: str, use: str, place: str
) -> None:
    with_password, with_pcr = USES[use]
    path = target.swtpm.path
    (tmp_path / "auth").write_text(PASSWORD)
    (tmp_path / "auth").chmod(0o600)
    auth = ("--key-auth-file", tmp_path / "auth") if with_password else ()
    public, wrapped, key = tmp_path / "b.json", tmp_path / "wrapped.pem", tmp_path / "key.pem"
    public.write_text(good(tool("export-public", "--tpm-path", path, "--key", parent), sts))
    bound = ("--pcrs", PCR) if with_pcr else ()
    secret = sts.secret_access_key.encode()
    good(tool("wrap", "--to", public, "--out", wrapped, *auth, *bound, stdin=secret), sts)
    where = ("--out", key) if place == "PEM" else ("--persistent-handle", f"{HANDLE:#x}")
    good(tool("import-key", "--tpm-path", path, wrapped, *where, *auth), sts)
    try:
        done = target.run(
            f"--tpm-path={path}",
            f"--aws-access-key-id={sts.access_key_id}",
            f"--endpoint-url={sts.endpoint}",
            "--timeout=20s",
            f"--credential-file={key}" if place == "PEM" else f"--persistentHandle={HANDLE:#x}",
            *([f"--keyPass={PASSWORD}"] if with_password else []),
            *(["--pcrs=23"] if with_pcr else []),
            *(["--useEKParent"] if parent.startswith("ek") else []),
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["Version"] == 1
        assert left_behind(path) == []
    finally:
        if place == "handle":
            tpm2(target.swtpm, "evictcontrol", "-C", "o", "-c", f"{HANDLE:#x}")
