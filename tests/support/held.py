"""A secret access key in a TPM, as the function that `sigv4` takes, behind a relay that sees what it costs."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.interposer import Interposer
from tests.support.keys import PLAIN_HANDLE
from tests.support.programs import KEY_ID, SECRET, machine
from tpmwire.spec.constants import TPM_CC
from tpmwire.tpm import Tpm
from tpmwire.use.hmac import HmacKey

__all__ = ["KEY_ID", "SECRET", "HeldKey", "held_key", "no_settings", "wrong_key"]


class HeldKey:
    """HMAC by the key at `handle`; the TPM is opened for each call and closed again.

    `relay` is in between; `path` is the TPM's own; `timeout` is how long it is waited for (seconds).
    """

    timeout = 30.0

    def __init__(self, relay: Interposer, handle: int = PLAIN_HANDLE, *, protected: bool = False) -> None:
        self.relay = relay
        self.path = relay.target
        self._key = HmacKey(handle=handle, protected=protected)

    def __call__(self, message: bytes) -> bytes:
        with Tpm.open(f"swtpm:path={self.relay.path}", self.timeout) as tpm:
            return self._key.hmac(tpm, message)

    @property
    def days(self) -> list[str]:
        """What the TPM was asked the HMAC of, in order; in clear."""
        commands = [pair.command for pair in self.relay.dialogue]
        return [each[-10:-2].decode() for each in commands if each[6:10] == TPM_CC.HMAC.to_bytes(4, "big")]


def wrong_key(_message: bytes) -> bytes:
    """32 octets that no key gave."""
    return bytes(32)


@contextlib.contextmanager
def held_key(home: Path, secret: str = SECRET) -> Iterator[HeldKey]:
    """A TPM of its own with `secret` in it."""
    with machine(home, secret) as made, Interposer(made.swtpm.path) as relay:
        yield HeldKey(relay)


def no_settings(patch: pytest.MonkeyPatch) -> None:
    """Takes this machine's own AWS settings away from boto3."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        patch.setenv(name, "/nonexistent")
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        patch.delenv(name, raising=False)
