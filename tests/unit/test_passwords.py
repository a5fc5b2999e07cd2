"""A wrong password that several profiles share is tried once, since the TPM counts failures."""

import pytest

from cli.credentials import passwords
from cli.credentials.options import parse_run
from cli.credentials.passwords import Passwords
from cli.credentials.settings import RunSettings
from sigv4.credentials import Credentials
from tpmwire.errors import TpmError
from tpmwire.spec.codes import TPM_RC_AUTH_FAIL
from tpmwire.spec.constants import TPM_CC

KEY = ["--aws-access-key-id=AKIAMADEUP", "--persistentHandle=0x81010004"]
WRONG = [*KEY, "--keyPass=wrong"]


class Tpm:
    """In place of `obtain`: refuses wrong passwords, and counts the tries."""

    def __init__(self, code: int = TPM_RC_AUTH_FAIL) -> None:
        self.tries = 0
        self._code = code

    def __call__(self, settings: RunSettings) -> Credentials:
        self.tries += 1
        if settings.keyPass == "wrong":
            raise TpmError(self._code, TPM_CC.HMAC)
        return Credentials("ASIA", "s", "t", "2030-01-01T00:00:00Z")


def fails(found: Passwords, *words: str) -> None:
    with pytest.raises(TpmError):
        found.obtain(parse_run(words))


def test_one_try_for_all_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    tpm, found = Tpm(), Passwords()
    monkeypatch.setattr(passwords, "obtain", tpm)
    fails(found, *WRONG, "--aws-session-name=one")
    fails(found, *WRONG, "--aws-session-name=two")
    assert tpm.tries == 1
    found.obtain(parse_run([*KEY, "--keyPass=right"]))
    fails(found, *WRONG, "--persistentHandle=0x81010005")
    assert tpm.tries == 3
    found.forget()
    fails(found, *WRONG)
    assert tpm.tries == 4
    assert "wrong" not in repr(found)


def test_after_half_a_day_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tpm, found, now = Tpm(), Passwords(), [0.0]
    monkeypatch.setattr(passwords, "obtain", tpm)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    fails(found, *WRONG)
    now[0] = 13 * 3600.0
    fails(found, *WRONG)
    assert tpm.tries == 2


def test_other_errors_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    tpm, found = Tpm(0x921), Passwords()  # TPM_RC_LOCKOUT
    monkeypatch.setattr(passwords, "obtain", tpm)
    fails(found, *WRONG)
    fails(found, *WRONG)
    assert tpm.tries == 2
