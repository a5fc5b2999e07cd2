"""Faults that the soft TPM simulates on request, and what clients make of them."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.verbs import Tool
from tpmwire import calls, commands
from tpmwire.channel import protected_sessions
from tpmwire.errors import SessionError, TpmError, TransportError, TransportTimeoutError
from tpmwire.keys import templates
from tpmwire.soft import Faults, SoftTransport
from tpmwire.soft.server import serve
from tpmwire.spec.constants import TPM_ALG, TPM_CAP, TPM_CC, TPM_SE
from tpmwire.spec.properties import TPM_PT
from tpmwire.spec.response_codes import TPM_RC
from tpmwire.tpm import Tpm


def capability(tpm: Tpm, which: TPM_CAP, first: int = 0) -> Any:
    return tpm.execute(commands.GetCapability(which, first, 256)).capability_data.data


def test_missing_commands() -> None:
    with Tpm.open("soft:?without=HMAC,EncryptDecrypt2") as tpm:
        listed = {int(value) & 0xFFFF for value in capability(tpm, TPM_CAP.COMMANDS)}
        assert not listed & {TPM_CC.HMAC, TPM_CC.EncryptDecrypt2}
        assert TPM_CC.EncryptDecrypt in listed
        (total,) = (
            p.value for p in capability(tpm, TPM_CAP.TPM_PROPERTIES) if p.property == TPM_PT.TOTAL_COMMANDS
        )
        assert total == len(listed)
        key = calls.create_primary(tpm, "hmac")
        with pytest.raises(TpmError) as refused:
            tpm.execute(commands.HMAC(key.handle, b"data", TPM_ALG.NULL))
        assert refused.value.code == TPM_RC.COMMAND_CODE


def test_no_elliptic_curves() -> None:
    with Tpm.open("soft:?no-ecc") as tpm:
        algorithms = {one.alg for one in capability(tpm, TPM_CAP.ALGS)}
        assert TPM_ALG.RSA in algorithms
        assert not algorithms & {TPM_ALG.ECC, TPM_ALG.ECDSA, TPM_ALG.ECDH}
        assert capability(tpm, TPM_CAP.ECC_CURVES) == ()
        for create in (
            lambda: tpm.execute(commands.TestParms(parameters_of("ecc256"))),
            lambda: calls.create_primary(tpm, "ecc256"),
        ):
            with pytest.raises(TpmError) as refused:
                create()
            assert refused.value.code == TPM_RC.TYPE
        assert tpm.execute(commands.TestParms(parameters_of("rsa2048"))) is not None


def parameters_of(name: str) -> Any:
    public = templates.signing(name)
    kind: Any = commands.TestParms.__annotations__["parameters"]
    return getattr(kind, "__origin__", kind)(public.type, public.parameters)


def test_retry() -> None:
    transport = SoftTransport(faults=Faults(retry=3))
    sent: list[bytes] = []
    execute = transport.transceive

    def count(command: bytes) -> bytes:
        sent.append(command)
        return execute(command)

    transport.transceive = count  # type: ignore[method-assign]
    with Tpm(transport) as tpm:
        assert len(calls.random(tpm, 8)) == 8
    assert len(sent) == 4
    assert len({*sent}) == 1


def test_silence() -> None:
    with Tpm.open("soft:?silent-after=2") as tpm:
        calls.random(tpm, 8)
        calls.random(tpm, 8)
        with pytest.raises(TransportTimeoutError, match="did not respond in time"):
            calls.random(tpm, 8)


@pytest.mark.parametrize(("option", "refused"), [("wrong-hmac", True), ("wrong-hmac=Unseal", False)])
def test_wrong_hmac(option: str, refused: bool) -> None:
    with Tpm.open(f"soft:?{option}") as tpm:
        parent = calls.create_primary(tpm)
        blob = calls.seal(tpm, parent, b"kept")
        (session,) = protected_sessions(tpm, [TPM_SE.HMAC])
        if refused:
            with pytest.raises(SessionError, match="HMAC"):
                calls.random(tpm, 8, session.use(encrypt=True))
        else:
            assert len(calls.random(tpm, 8, session.use(encrypt=True))) == 8
            with pytest.raises(SessionError, match="HMAC"):
                calls.unseal(tpm, parent, blob, by=session.use(encrypt=True))


def test_lockout(tmp_path: Path) -> None:
    with Tpm.open(f"soft:{tmp_path / 'state'}") as tpm:
        parent = calls.create_primary(tpm)
        blob = calls.seal(tpm, parent, b"kept", auth=b"password")
    with Tpm.open(f"soft:{tmp_path / 'state'}?lockout") as tpm:
        parent = calls.create_primary(tpm)
        with pytest.raises(TpmError, match="LOCKOUT"):
            calls.unseal(tpm, parent, blob)
        tpm.execute(commands.DictionaryAttackLockReset())
        with pytest.raises(TpmError, match="AUTH_FAIL"):
            calls.unseal(tpm, parent, blob)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("soft:?without=Hmac", "'Hmac' is not a TPM command"),
        ("soft:?without=", "'without=' is not a valid option"),
        ("soft:?retry=x", "'retry=x' is not a valid option"),
        ("soft:?no-ecc=1", "'no-ecc=1' is not a valid option"),
        ("soft:?silent-after", "use explain"),
    ],
)
def test_invalid_option(path: str, message: str, tool: Tool) -> None:
    with pytest.raises(TransportError, match=message):
        Tpm.open(path)
    told = tool("pcr", "--tpm-path", path)
    assert told.code == 3
    assert message in told.err


def test_verbs(tool: Tool) -> None:
    """A verb reports a simulated fault in one line."""
    told = tool("info", "--tpm-path", "soft:?silent-after=0")
    assert told.code == 3
    assert "did not respond" in told.err
    assert "Traceback" not in told.err


@contextlib.contextmanager
def served(faults: Faults, tmp_path: Path) -> Iterator[str]:
    """Serves a soft TPM with faults over a Unix socket, and returns its path for --tpm-path."""
    path = tmp_path / "soft.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as control:
        for one, name in ((listener, path), (control, tmp_path / "soft.sock.ctrl")):
            one.bind(str(name))
            one.listen()
        server = threading.Thread(target=serve, args=(SoftTransport(faults=faults), listener, control))
        server.start()
        try:
            yield f"swtpm:path={path}"
        finally:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(tmp_path / "soft.sock.ctrl"))
                client.sendall((3).to_bytes(4, "big"))  # CMD_SHUTDOWN
                client.recv(4)
            server.join()


def test_server(tmp_path: Path) -> None:
    """A server that does not respond keeps its connections, and serves control commands."""
    with served(Faults(silent_after=1), tmp_path) as path, Tpm.open(path, 0.2) as tpm:
        tpm.execute(commands.GetRandom(8))
        with pytest.raises(TransportTimeoutError):
            tpm.execute(commands.GetRandom(8))


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        (["x"], "--fault: 'x' is not a valid option of a soft TPM; use without=COMMAND,..., no-ecc, retry=N"),
        (["explain"], "--fault: 'explain' is not a valid option"),
        (["without=Hmac"], "'Hmac' is not a TPM command"),
        (["no-ecc", "no-ecc"], "--fault: the option no-ecc is given twice"),
    ],
)
def test_invalid_fault(faults: list[str], message: str, tool: Tool) -> None:
    told = tool("soft", *[word for fault in faults for word in ("--fault", fault)])
    assert told.code == 2
    assert message in told.err
