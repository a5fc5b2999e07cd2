"""tpm2-tools against the soft TPM, over the protocols of swtpm and of the reference simulator."""

import contextlib
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.swtpm import tpm2
from tpmwire import calls, commands
from tpmwire.errors import TpmError
from tpmwire.soft import SoftTransport
from tpmwire.soft.server import POWER_OFF, POWER_ON, RESET, STOP, serve
from tpmwire.spec.constants import TPM_ALG, TPM_SU
from tpmwire.tpm import Tpm

SHUTDOWN = (3).to_bytes(4, "big")

TASKS = """
getrandom --hex 16
stirrandom message
selftest -f
gettestresult
getcap properties-fixed
getcap algorithms
getcap commands
getcap pcrs
getcap ecc-curves
getcap handles-transient
readclock
pcrread sha256:0,7,16
pcrextend 16:sha256=0000000000000000000000000000000000000000000000000000000000000001
pcrevent 16 message
pcrreset 16
hash -C o -g sha256 -o hash -t ticket message
createprimary -C o -G ecc -c primary.ctx
create -C primary.ctx -G ecc:ecdsa -u sign.pub -r sign.priv
load -C primary.ctx -u sign.pub -r sign.priv -c sign.ctx
readpublic -c sign.ctx -f pem -o sign.pem
sign -c sign.ctx -g sha256 -o sign.sig message
verifysignature -c sign.ctx -g sha256 -m message -s sign.sig
create -C primary.ctx -G hmac -u hmac.pub -r hmac.priv -c hmac.ctx
hmac -c hmac.ctx message
create -C primary.ctx -G rsa2048 -u rsa.pub -r rsa.priv -c rsa.ctx
rsaencrypt -c rsa.ctx -o cipher message
rsadecrypt -c rsa.ctx -o plain cipher
create -C primary.ctx -G aes128cfb -u aes.pub -r aes.priv -c aes.ctx
encryptdecrypt -c aes.ctx -o aes.out message
encryptdecrypt -d -c aes.ctx -o aes.plain aes.out
startauthsession -S trial.ctx
policypcr -S trial.ctx -l sha256:0,7 -L policy
flushcontext trial.ctx
create -C primary.ctx -i message -L policy -u seal.pub -r seal.priv -c seal.ctx
startauthsession --policy-session -S session.ctx
policypcr -S session.ctx -l sha256:0,7
unseal -c seal.ctx -p session:session.ctx -o unsealed
flushcontext session.ctx
evictcontrol -C o -c primary.ctx 0x81000001
readpublic -c 0x81000001
evictcontrol -C o -c 0x81000001
nvdefine 0x1500016 -C o -s 32 -a ownerread|ownerwrite|authread|authwrite -p secret
nvwrite 0x1500016 -C 0x1500016 -P secret -i message
nvread 0x1500016 -C o -s 7
nvreadpublic
nvundefine 0x1500016 -C o
nvdefine 0x1500017 -C o -a ownerread|ownerwrite|nt=counter
nvincrement 0x1500017 -C o
nvread 0x1500017 -C o
nvundefine 0x1500017 -C o
createek -c ek.ctx -G rsa -u ek.pub
createak -C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pem -f pem -n ak.name
quote -c ak.ctx -l sha256:0,7 -q 01020304 -m quote.msg -s quote.sig -o quote.pcrs
checkquote -u ak.pem -m quote.msg -s quote.sig -f quote.pcrs -q 01020304
certify -c primary.ctx -C ak.ctx -g sha256 -o certify.out -s certify.sig
createprimary -C o -G ecc -c other.ctx
ecdhkeygen -u ecdh.pub -o ecdh.out -c other.ctx
changeauth -c o secret
changeauth -c o -p secret
dictionarylockout -s -n 5 -t 6 -l 7
dictionarylockout -c
clear -c p
"""


class Served:
    """A soft TPM at `tcti`."""

    def __init__(self, path: Path) -> None:
        self.tcti = f"swtpm:path={path}"


@pytest.fixture
def soft(tmp_path: Path) -> Iterator[Served]:
    path = tmp_path / "soft"
    with contextlib.ExitStack() as stack:
        listeners = []
        for name in (path, Path(f"{path}.ctrl")):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(name))
            listener.listen()
            listeners.append(listener)
        server = threading.Thread(target=serve, args=(SoftTransport(), *listeners))
        server.start()
        try:
            yield Served(path)
        finally:
            with socket.socket(socket.AF_UNIX) as control:
                control.connect(f"{path}.ctrl")
                control.sendall(SHUTDOWN)
                control.recv(4)
            server.join()


def test_the_tools_of_a_course(soft: Served, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(b"message")
    for line in TASKS.strip().splitlines():
        tpm2(soft, *line.split(), cwd=tmp_path)  # type: ignore[arg-type]
        tpm2(soft, "flushcontext", "-t")  # type: ignore[arg-type]
    for name in ("plain", "aes.plain", "unsealed"):
        assert (tmp_path / name).read_bytes() == b"message"


@pytest.fixture
def simulator() -> Iterator[int]:
    """The port of a soft TPM that speaks the reference simulator's protocol; the platform port is the next one."""
    with contextlib.ExitStack() as stack:
        while True:  # until two ports in a row are free
            port = random.randrange(10_000, 32_000, 2)
            with contextlib.suppress(OSError):
                listeners = [stack.enter_context(socket.create_server(("127.0.0.1", port + n))) for n in (0, 1)]
                break
        server = threading.Thread(target=serve, args=(SoftTransport(), *listeners), kwargs={"mssim": True})
        server.start()
        try:
            yield port
        finally:
            signal_platform(port, STOP)
            server.join()


def signal_platform(port: int, code: int) -> None:
    with socket.create_connection(("127.0.0.1", port + 1)) as platform:
        platform.sendall(code.to_bytes(4, "big"))
        assert platform.recv(4) == (b"" if code == STOP else bytes(4))


def test_tools_of_the_reference_simulator(simulator: int, tmp_path: Path) -> None:
    served = Served(tmp_path)
    served.tcti = f"mssim:host=127.0.0.1,port={simulator}"
    (tmp_path / "message").write_bytes(b"message")
    tpm2(served, "startup", "-c")  # type: ignore[arg-type]
    for line in [*TASKS.strip().splitlines()[:22], "pcrextend 16:sha1=" + "01" * 20, "shutdown -c"]:
        tpm2(served, *line.split(), cwd=tmp_path)  # type: ignore[arg-type]
        tpm2(served, "flushcontext", "-t")  # type: ignore[arg-type]
    path = f"mssim:host=127.0.0.1,port={simulator}"
    with Tpm.open(path) as tpm:
        assert calls.pcr_read(tpm, "sha1:16") != {(TPM_ALG.SHA1, 16): bytes(20)}
        name = calls.create_primary(tpm).name
    for code in (RESET, POWER_OFF):
        signal_platform(simulator, code)
        signal_platform(simulator, POWER_ON)
        with Tpm.open(path) as tpm:
            with pytest.raises(TpmError, match="INITIALIZE"):
                calls.random(tpm, 8)
            tpm.execute(commands.Startup(TPM_SU.CLEAR))
            assert calls.pcr_read(tpm, "sha1:16") == {(TPM_ALG.SHA1, 16): bytes(20)}
            assert calls.create_primary(tpm).name == name


def test_a_client_that_sends_no_command_is_disconnected(simulator: int) -> None:
    for data in (bytes.fromhex("00000007"), bytes.fromhex("0000000800ffffffff")):
        with socket.create_connection(("127.0.0.1", simulator)) as client:
            client.sendall(data)
            assert client.recv(1) == b""
    with Tpm.open(f"mssim:host=127.0.0.1,port={simulator}") as tpm:
        assert len(calls.random(tpm, 8)) == 8
