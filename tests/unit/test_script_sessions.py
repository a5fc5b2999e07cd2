"""Sessions and policies in scripts, on the soft TPM: one's own, bound, salted, for audit; and what decode sees."""

from collections.abc import Iterator

import pytest

from cli.inspect.script import Script
from cli.inspect.shell.entities import Listener
from tpmwire import Tpm
from tpmwire.explain import as_text
from tpmwire.explain.recording import explain_recording
from tpmwire.secret import Secret
from tpmwire.soft import SoftTransport

DIGEST = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture
def script() -> Iterator[Script]:
    with Tpm(SoftTransport(seed=b"sessions")) as tpm, Script(tpm, secrets=True) as opened:
        yield opened


@pytest.mark.parametrize(
    "lines",
    [
        "k = CreatePrimary + s = StartAuthSession HMAC $k symmetric=xor + GetRandom 8 session=$s,encrypt",
        "k = CreatePrimary + s = StartAuthSession HMAC $k + GetRandom 8 session=$s,encrypt,audit",
        "k = CreatePrimary rsa2048 + s = StartAuthSession HMAC $k + GetRandom 8 session=$s,encrypt",
        "h = CreatePrimary hmac userAuth=text:p + s = StartAuthSession HMAC bind=$h auth=text:p + "
        "HMAC $h text:x session=$s,encrypt auth=text:p",
        "k = CreatePrimary + h = CreatePrimary hmac userAuth=text:p + "
        "s = StartAuthSession HMAC $k bind=$h auth=text:p + HMAC $h text:x session=$s,encrypt auth=text:p",
        "HierarchyChangeAuth text:o session=salted + HierarchyChangeAuth auth=text:o session=salted-aes",
        "h = CreatePrimary hmac userAuth=text:p authPolicy=auth-value + p = StartAuthSession POLICY + "
        "PolicyAuthValue + HMAC $h text:x session=$p auth=text:p + HMAC $h text:x policy=password auth=text:p",
        "GetRandom 8 session=hmac + GetRandom 8 session=salted session=hmac,audit",
        "CreatePrimary ak + s = StartAuthSession HMAC + GetRandom 8 session=$s,audit + GetSessionAuditDigest",
        "p = StartAuthSession POLICY + t = PolicySecret o expiration=-60 + PolicyRestart $p + "
        "PolicyTicket authName=40000001 + PolicyGetDigest",
        f"StartAuthSession + PolicyCpHash {DIGEST} + PolicyGetDigest",
        f"StartAuthSession + PolicyTemplate {DIGEST} + PolicyGetDigest",
        f"StartAuthSession + PolicyNameHash {DIGEST} + PolicyGetDigest",
        "StartAuthSession + PolicyNvWritten no + PolicyLocality one|two + PolicyGetDigest",
        f"StartAuthSession + PolicyDuplicationSelect newParentName=000b{DIGEST} + PolicyGetDigest",
        "StartAuthSession + PolicyCounterTimer 00 offset=9 operation=UNSIGNED_GE + PolicyGetDigest",
    ],
)
def test_sessions_of_each_kind(script: Script, lines: str) -> None:
    result = script.run(lines)
    assert (result.code, result.text[-200:] if result.code else "") == (0, "")


def test_a_policy_authorizes_the_handle_that_is_named(script: Script) -> None:
    line = "ek = CreatePrimary e ek-ecc + ak = CreatePrimary ak + MakeCredential $ek $ak text:n"
    assert script.run(line).code == 0
    named = script.run("ActivateCredential $ak $ek keyHandle.policy=secret:endorsement")
    assert named.values["certInfo"] == b"n"
    assert script.run("ActivateCredential $ak $ek policy=secret:endorsement").values["certInfo"] == b"n"
    assert script.run("ActivateCredential $ak $ek activateHandle.policy=secret:endorsement").code != 0


def test_a_salt_that_the_user_has_encrypted_is_sent(script: Script) -> None:
    refused = script.run(f"CreatePrimary + StartAuthSession HMAC encryptedSalt={'11' * 64}")
    assert refused.code not in (0, 0x1D5)  # TPM_RC_SIZE of parameter 1 would be about nonceCaller


class _Salts(Listener):
    def __init__(self) -> None:
        self.salts: list[bytes] = []

    def salt(self, session: int, salt: bytes) -> None:
        self.salts.append(salt)


def test_the_salt_opens_the_recording() -> None:
    listener = _Salts()
    with Tpm(SoftTransport(seed=b"salt")) as tpm, Script(tpm, listener=listener) as script:
        result = script.run("GetRandom 4 session=salted")
        assert len(listener.salts) == 1
        own = script.run("k = CreatePrimary + StartAuthSession HMAC $k")
        assert listener.salts[1:] == [own.values["salt"]]
    plain = result.values["randomBytes"]
    assert plain not in b"".join(response for _, response in result.exchanges)
    trees = explain_recording(result.exchanges, [Secret(listener.salts[0])]).trees
    assert plain.hex(" ") in as_text(trees[-1])
