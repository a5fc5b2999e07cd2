"""A TPM with the keys of `keys` in it, and somebody who listens: for tests of what crosses the bus."""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import keys
from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tpmwire.channel import WELL_KNOWN, create_primary, read_loaded
from tpmwire.keys.keyfile import KeyFile, parse
from tpmwire.secret import Secret
from tpmwire.spec.commands.capability import GetCapability
from tpmwire.spec.constants import TPM_CAP
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

__all__ = ["DATE", "EK_HANDLE", "KDATE", "PASSWORD", "SECRET", "Bench", "bench"]

SECRET = "wJalrXUtnFEMI+K7MDENG/bPxRfiCYEXAMPLEKEY"
DATE = b"20261124"
KDATE = hmac.digest(b"AWS4" + SECRET.encode(), DATE, "sha256")
PASSWORD = Secret(keys.PASSWORD.encode())
EK_HANDLE = 0x81010001
"""The RSA endorsement key; the ECC one is not persistent here."""


class Bench:
    """A TPM with keys in it, and somebody who listens."""

    def __init__(self, bus: Interposer, directory: Path) -> None:
        self.bus = bus
        self.directory = directory
        self.names: dict[int, bytes] = {}
        with Tpm.open(bus.path, 20) as tpm:
            for handle in (keys.PLAIN_HANDLE, keys.PCR_HANDLE, keys.PASSWORD_HANDLE, keys.BOTH_HANDLE):
                self.names[handle] = read_loaded(tpm, handle).name
            self.srk = read_loaded(tpm, keys.SRK_HANDLE)
            self.made = {}
            for kind in ("ek-rsa", "ek-ecc", "h2"):
                place = WELL_KNOWN[kind]
                made = create_primary(tpm, place.hierarchy, place.template())
                tpm.flush(made.handle)
                self.made[kind] = made
            # The first HMAC after a start is answered by TPM_RC_RETRY; later ones are counted exactly.
            HmacKey(handle=keys.PLAIN_HANDLE, protected=False).hmac(tpm, DATE)

    def file(self, name: str) -> KeyFile:
        """One of the key files of `keys`."""
        return parse((self.directory / f"{name}.pem").read_bytes())

    def run(self, key: HmacKey, timeout: float = 20) -> tuple[bytes, list[str]]:
        """The HMAC, and the commands it took."""
        self.bus.clear()
        tpm = Tpm.open(self.bus.path, timeout)
        try:
            result = key.hmac(tpm, DATE)
        finally:
            tpm.close()
        assert tpm.transport.commands == len(self.bus.dialogue)
        return result, self.bus.codes

    def left_behind(self) -> list[int]:
        """Handles of transient objects and sessions that are in the TPM."""
        with Tpm.open(self.bus.target, 20) as tpm:
            return self.left_behind_in(tpm)

    def left_behind_in(self, tpm: Tpm) -> list[int]:
        """The same for a TPM that is open: it serves one client at a time."""
        left: list[int] = []
        for first in (0x80000000, 0x02000000, 0x03000000):
            left += tpm.execute(GetCapability(TPM_CAP.HANDLES, first, 8)).capability_data.data
        return left


@contextmanager
def bench(directory: Path) -> Iterator[Bench]:
    """The TPM, keys and listener; key files go to `directory`."""
    with Swtpm("tcp") as swtpm:
        keys.make_keys(swtpm, SECRET, directory)
        tpm2(swtpm, "tpm2_createek", "-G", "rsa", "-c", f"{EK_HANDLE:#x}")
        with Interposer(swtpm.path) as bus:
            yield Bench(bus, directory)
