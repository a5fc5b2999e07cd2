"""Our TPM commands in each mode, recorded between the program and swtpm: cold, as a cache's first run, warm."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cli.tpm.pins import encode_public
from tests.support import keys
from tests.support.interposer import Interposer, Pair
from tests.support.programs import KEY_ID, Machine, machine
from tests.support.scripted import STS_ANSWER, ScriptedServer, http, say
from tpmwire.channel import read_loaded
from tpmwire.spec.constants import TPM_ALG, TPM_CC, TPM_RH
from tpmwire.tpm import Tpm

__all__ = ["MODES", "Recorded", "record", "step"]

HANDLE, CLEAR = f"--persistentHandle={keys.PLAIN_HANDLE:#x}", "--no-session-encryption"
PASSWORD = (f"--persistentHandle={keys.PASSWORD_HANDLE:#x}", f"--keyPass={keys.PASSWORD}")
PCR = (f"--persistentHandle={keys.PCR_HANDLE:#x}", "--pcrs=23")
FILE, FILE_PCR = "--credential-file={home}/plain.pem", ("--credential-file={home}/pcr.pem", "--pcrs=23")
FILE_SRK = "--credential-file={home}/plain-srk.pem"
PINS = ("--tpm-session-encrypt-with-name={srk}@0x81000001", "--key-name={key}")
LINE = ("--tpm-session-encrypt-with-public={public}", "--key-name={key}")  # as `tpmwire import` writes it

MODES: dict[str, tuple[str, ...]] = {
    "handle, in clear": (HANDLE, CLEAR),
    "handle, encrypted": (HANDLE,),
    "handle, encrypted, Names pinned": (HANDLE, *PINS),
    "handle, encrypted, public area pinned": (HANDLE, *LINE),
    "password, in clear": (*PASSWORD, CLEAR),
    "password, encrypted": PASSWORD,
    "PCR, in clear": (*PCR, CLEAR),
    "PCR, encrypted": PCR,
    "endorsement parent, in clear": (HANDLE, "--useEKParent", CLEAR),
    "file, in clear": (FILE, CLEAR),
    "file, encrypted": (FILE,),
    "file, PCR, in clear": (*FILE_PCR, CLEAR),
    "file, PCR, encrypted": FILE_PCR,
    "file under the storage root key, in clear": (FILE_SRK, CLEAR),
    "file under the storage root key, encrypted": (FILE_SRK,),
    "handle, in clear, the boot's key": (HANDLE, CLEAR, "--cache-key=boot"),
    "handle, encrypted, the boot's key": (HANDLE, "--cache-key=boot"),
}
"""The options of each."""


class Recorded(NamedTuple):
    """The commands of a mode's three runs, each as `step` writes it."""

    cold: list[str]
    first: list[str]
    warm: list[str]


def step(pair: Pair) -> str:
    """A command's name, and what of it takes a chip long: "CreatePrimary ecc", "StartAuthSession rsa"."""
    body = pair.command[10:]
    if pair.code == TPM_CC.StartAuthSession.name and int.from_bytes(body[:4], "big") != TPM_RH.NULL:
        nonce = int.from_bytes(body[8:10], "big")
        sealed = int.from_bytes(body[10 + nonce : 12 + nonce], "big")
        # An RSA key's secret has the size of its modulus; two coordinates on P-521 have 136 octets.
        return f"{pair.code} {'rsa' if sealed >= 256 else 'ecdh'}"
    if pair.code == TPM_CC.CreatePrimary.name:
        # Handle, authorizations and inSensitive with their sizes, the size of the template; then its type.
        sensitive = 8 + int.from_bytes(body[4:8], "big")
        kind = sensitive + 2 + int.from_bytes(body[sensitive : sensitive + 2], "big") + 2
        return f"{pair.code} {TPM_ALG(int.from_bytes(body[kind : kind + 2], 'big')).name.lower()}"
    return pair.code


def record() -> Iterator[tuple[str, Recorded]]:
    """Runs the program in each mode. Raises RuntimeError where a run fails."""
    with tempfile.TemporaryDirectory() as name, machine(Path(name)) as box, Interposer(box.swtpm.path) as bus:
        with Tpm.open(box.swtpm.path, 20) as tpm:
            root = read_loaded(tpm, keys.SRK_HANDLE)
            names = {
                "home": name,
                "srk": root.name.hex(),
                "public": encode_public(root.public, root.handle),
                "key": read_loaded(tpm, keys.PLAIN_HANDLE).name.hex(),
            }
        with ScriptedServer(say(http("200 OK", STS_ANSWER))) as sts:
            # The first HMAC after a start is answered by TPM_RC_RETRY.
            _run(box, bus, sts.endpoint, (HANDLE, CLEAR))
            for mode, words in MODES.items():
                options = tuple(word.format(**names) for word in words)
                runs = [(), ("--cache",), ("--cache",)]
                # Each mode is the first user of its cache.
                with tempfile.TemporaryDirectory() as caches:
                    done = [_run(box, bus, sts.endpoint, (*options, *more), caches) for more in runs]
                yield mode, Recorded(*done)


def _run(box: Machine, bus: Interposer, endpoint: str, words: tuple[str, ...], caches: str = "") -> list[str]:
    bus.clear()
    common = (f"--tpm-path={bus.path}", f"--aws-access-key-id={KEY_ID}", f"--endpoint-url={endpoint}")
    done = box.run(*common, "--timeout=20", *words, XDG_RUNTIME_DIR=caches)
    if done.returncode or done.stderr:
        raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}: {done.stderr}")
    return [step(pair) for pair in bus.dialogue]
