"""`SwappingTransport` and the scripts that use it: more objects and sessions than the TPM has slots for."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cli.inspect.script import Script
from tests.support.resource_manager import ResourceManager
from tests.support.swtpm import Swtpm
from tests.support.verbs import Tool, held
from tpmwire import Tpm, calls
from tpmwire.errors import TpmError, TransportError
from tpmwire.soft import SoftTransport
from tpmwire.spec.constants import TPM_CC, TPM_RH
from tpmwire.state.nv import handles
from tpmwire.transport import Transport, open_transport
from tpmwire.transport.swapping import Swap, SwappingTransport

Open = Callable[[], Any]


@pytest.fixture(params=["soft", "swtpm", "resource manager"])
def connect(request: pytest.FixtureRequest, swtpm: Swtpm) -> Open:
    """Connects to a TPM of the test's own."""
    if request.param == "soft":
        return lambda: SoftTransport(b"swaps")
    return lambda: open_transport(swtpm.path, 20) if request.param == "swtpm" else ResourceManager(swtpm.path)


def left(tpm: Tpm) -> list[int]:
    """The handles of transient objects and loaded and saved sessions in the TPM."""
    return [found for first in (0x80, 0x02, 0x03) for found in handles(tpm, first << 24, (first << 24) + 0xFFFFFF)]


@pytest.fixture
def script(connect: Open) -> Iterator[Script]:
    """A script that must leave nothing in the TPM."""
    with Tpm(connect()) as tpm:
        with Script(tpm, secrets=True) as opened:
            yield opened
        assert left(tpm) == []


def test_eight_keys_and_six_sessions_stay_usable(script: Script) -> None:
    for number in range(8):
        assert script.run(f"k{number} = CreatePrimary ecc:ecdsa outsideInfo=0{number}").code == 0
    for number in range(6):
        bound = "bind=$k1" if number % 2 else "$p"
        assert (
            script.run(f"p = CreatePrimary + s{number} = StartAuthSession HMAC {bound} + FlushContext $p").code
            == 0
        )
    for number in (3, 0, 7, 1, 5, 2, 6, 4):
        signed = script.run(f"Sign $k{number} text:hello session=$s{number % 6}")
        assert signed.code == 0, signed.text
        assert script.run(f"VerifySignature $k{number} text:hello").code == 0
    if script.swapper.swaps:  # the model, unlike the kernel, lists the chip's handles
        return
    listed = script.run("GetCapability HANDLES 0x80000000").values["capabilityData"].data
    assert list(listed) == sorted(script.values.find(f"$k{number}.handle", "") for number in range(8))
    assert script.run("FlushContext $k0 + FlushContext $s0").code == 0
    assert "(flushed)" in script.run("values").text.splitlines()[0]


def test_a_policy_session_and_a_sequence_keep_their_state(script: Script) -> None:
    script.run("t = StartAuthSession POLICY + PolicyPCR $t 23 + q = HashSequenceStart + SequenceUpdate $q text:ab")
    for _ in range(3):
        assert script.run("StartAuthSession HMAC + CreatePrimary").code == 0
    script.run("CreatePrimary + Create $ data=text:x authPolicy=pcr:23 + u = Load")
    done = script.run("SequenceComplete $q text:c null")
    assert done.values["result"] == calls.hash(script.tpm, b"abc")
    opened = script.run("Unseal $u session=$t")
    assert (opened.code, opened.values.get("outData")) == (0, b"x"), opened.text


def test_swaps_are_told_and_explained() -> None:
    with Tpm(SoftTransport(b"told")) as tpm, Script(tpm) as script:
        texts = [script.run("CreatePrimary").text.splitlines()[0] for _ in range(4)]
        assert texts[3] == "swap: no free slot in the TPM: saved the object 0x80000000 outside of it"
        assert all(text.startswith("$") for text in texts[:3])
        explained = script.run("explain last").text
        assert [explained.count(name) > 0 for name in ("ContextSave", "FlushContext")] == [True, True]
        assert script.values.find("$4.handle", "") == 0x80FFFFFF
        assert "saved outside of the TPM" in script.run("values").text.splitlines()[0]
        again = script.run("ReadPublic $1").text.splitlines()[1]
        assert again == "swap: loaded the object 0x80000000 again (0x80000001 in the TPM)"


def test_without_swapping_the_tpm_refuses() -> None:
    with Tpm(SoftTransport(b"off")) as tpm, Script(tpm) as script:
        assert script.run("swap off").text.startswith("swap: off")
        refused = [script.run("CreatePrimary") for _ in range(4)][3]
        assert refused.code == 0x902
        assert "`swap on` to swap contexts" in refused.text
        script.run("swap on")
        assert script.run("CreatePrimary").code == 0
    with Tpm(SoftTransport(b"kept")) as tpm, Script(tpm, keep=True) as script:
        assert "omit --keep" in [script.run("CreatePrimary") for _ in range(4)][3].text


def test_a_context_that_has_ended_is_a_missing_object() -> None:
    with Tpm(SoftTransport(b"ended")) as tpm, Script(tpm) as script:
        for _ in range(5):
            script.run("CreatePrimary")
        assert script.run("Clear").code == 0
        assert script.run("ReadPublic $1").code == 0x910
        assert script.run("k = CreatePrimary + ReadPublic $k").code == 0
        assert script.run("Certify $k $2").code == 0x911


class Interrupted(Transport):
    """Stops before the response to a command with a code, once; `resume` returns the response."""

    def __init__(self, inner: Transport, code: TPM_CC) -> None:
        self.inner, self.code, self.pending = inner, code, b""

    def transceive(self, command: bytes) -> bytes:
        response = self.inner.transceive(command)
        if not self.pending and command[6:10] == self.code.to_bytes(4, "big"):
            self.pending = response
            raise KeyboardInterrupt
        return response

    def resume(self, seconds: float) -> bytes:
        if not self.pending:
            raise TransportError("no response")
        return self.pending

    def close(self) -> None:
        pass


def use_five_keys(tpm: Tpm) -> None:
    for _ in range(5):
        calls.create_primary(tpm)
    calls.read_public(tpm, 0x80000000)


@pytest.mark.parametrize("code", [TPM_CC.ContextSave, TPM_CC.FlushContext, TPM_CC.ContextLoad, TPM_CC.ReadPublic])
def test_an_interrupted_swap_leaves_nothing(code: TPM_CC) -> None:
    inner = SoftTransport(b"stop")
    tpm = Tpm(SwappingTransport(Interrupted(inner, code)))
    with pytest.raises(KeyboardInterrupt):
        use_five_keys(tpm)
    tpm.close()
    assert left(Tpm(inner)) == []


@pytest.mark.parametrize(
    "whole", ["80020000001b0000015e8000000000000009400000090000000000", "80010000000e0000016580000000"]
)
def test_a_damaged_command_is_refused_as_without_swapping(whole: str) -> None:
    command = bytes.fromhex(whole)
    damaged = [command[:end] for end in range(len(command))]
    damaged += [command[:at] + b"\xff" + command[at + 1 :] for at in range(len(command))]
    damaged.append(command[:14] + bytes(4 * [0xFF]) + command[18:])  # the size of the authorizations
    for each in damaged:
        swapping = SwappingTransport(SoftTransport(b"swaps"))
        assert swapping.transceive(each) == SoftTransport(b"swaps").transceive(each), each.hex()


def test_what_the_tpm_has_flushed_is_no_candidate() -> None:
    swaps: list[Swap] = []
    tpm = Tpm(SwappingTransport(SoftTransport(b"gone"), report=swaps.append))
    with tpm:
        keys = [calls.create_primary(tpm).handle for _ in range(3)]
        inner = Tpm(tpm.transport.inner)  # type: ignore[attr-defined]
        for key in keys:
            inner.flush(key)
        for _ in range(4):
            calls.create_primary(tpm)
        assert [swap.handle for swap in swaps] == [0x80000000]
        with pytest.raises(TpmError, match="TPM_RC_VALUE"):
            calls.read_public(tpm, 0x80000009)


def test_send_swaps_and_says_so(swtpm: Swtpm, send: Tool) -> None:
    words = ["CreatePrimary", *["+", "CreatePrimary", str(int(TPM_RH.NULL))] * 4, "+", "ReadPublic", "$1"]
    ran = send("--format", "values-json", *words)
    assert ran.code == 0, ran.err
    first, *_, last = json.loads(ran.out)
    assert last["values"]["name"] == first["values"]["name"]
    assert ran.err.count("tpmwire: swap: ") == 4
    assert "# swap: loaded the object 0x80000000" in send(*words).out
    assert held(swtpm) == ""
