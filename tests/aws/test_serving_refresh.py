"""`tpmwire serve` over the life of its credentials, which are short here, with a TPM and an STS that verifies."""

import concurrent.futures
import signal
import socket
import time
from pathlib import Path

from tests.support.interposer import Interposer
from tests.support.keys import PLAIN_HANDLE
from tests.support.programs import Machine, left_behind
from tests.support.serving import Serving, await_
from tests.support.shortlived import ShortLived
from tests.support.sts import VerifyingSts
from tests.support.swtpm import tpm2


def serving(box: Machine, sts: VerifyingSts, endpoint: str, tpm: str, *more: str, **environment: str) -> Serving:
    words = [f"--tpm-path={tpm}", f"--endpoint-url={endpoint}", f"--persistentHandle={PLAIN_HANDLE:#x}"]
    words += [f"--aws-access-key-id={sts.access_key_id}", "--assumeRole=true", f"--aws-arn={sts.role_arn}"]
    return Serving(box, *words, "--no-session-encryption", "--timeout=20s", *more, **environment)


def test_new_ones_come_before_the_old_ones_end(box: Machine, sts: VerifyingSts) -> None:
    with (
        ShortLived(sts, 8) as short,
        Interposer(box.swtpm.path) as bus,
        serving(box, sts, short.endpoint, bus.path) as service,
    ):
        ids, end = set(), time.monotonic() + 13
        while time.monotonic() < end:
            status, found = service.ask()
            assert status == 200
            ends = time.strptime(found["Expiration"], "%Y-%m-%dT%H:%M:%SZ")
            assert ends > time.gmtime(time.time() - 1)
            ids.add(found["AccessKeyId"])
            time.sleep(0.05)
        # A third of their life before the end, and the whole seconds of Expiration take one more off.
        gaps = [after - before for before, after in zip(short.issued, short.issued[1:], strict=False)]
        assert len(ids) == len(short.issued) >= 3
        assert all(3 < gap < 7.5 for gap in gaps), gaps
        assert bus.codes == ["HMAC"] * len(short.issued)


def test_while_they_are_renewed_the_old_ones_are_given_at_once(box: Machine, sts: VerifyingSts) -> None:
    with (
        ShortLived(sts, 10) as short,
        serving(box, sts, short.endpoint, box.swtpm.path) as service,
    ):
        first = service.ask()[1]
        short.open.clear()
        await_(lambda: short.asked == 2, lambda: "the refresh")
        before = time.monotonic()
        assert service.ask() == (200, first)
        assert time.monotonic() - before < 5
        short.open.set()
        await_(lambda: service.ask()[1]["AccessKeyId"] != first["AccessKeyId"], lambda: service.text)


def test_a_refresh_that_fails_keeps_the_old_ones_to_their_end_and_says_so(box: Machine, sts: VerifyingSts) -> None:
    with (
        ShortLived(sts, 8) as short,
        serving(box, sts, short.endpoint, box.swtpm.path) as service,
    ):
        first = service.ask()
        assert first[0] == 200
        short.refusing = True
        service.logged("AccessDenied")
        assert service.ask() == first
        assert f"; the old credentials are valid until {first[1]['Expiration']}\n" in service.text
        await_(lambda: service.ask()[0] != 200, lambda: service.text)
        asked = short.asked
        status, found = service.ask()
        assert (status, found["Code"]) == (503, "CredentialsUnavailable")
        assert "see the log of tpmwire serve" in found["Message"]
        # Clients that come again and again do not make us ask again and again.
        for _ in range(20):
            service.ask()
        assert short.asked <= asked + 1
        short.refusing = False
        service.process.send_signal(signal.SIGHUP)
        await_(lambda: service.ask()[0] == 200, lambda: service.text)


def test_fifty_at_once_after_the_end_are_one_question(box: Machine, sts: VerifyingSts) -> None:
    with (
        ShortLived(sts, 4) as short,
        Interposer(box.swtpm.path) as bus,
        serving(box, sts, short.endpoint, bus.path) as service,
    ):
        service.process.send_signal(signal.SIGSTOP)  # a machine that slept
        time.sleep(5)
        short.seconds = 900
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            answers = [pool.submit(service.ask) for _ in range(50)]
            time.sleep(0.5)
            service.process.send_signal(signal.SIGCONT)
            found = [each.result() for each in answers]
        assert {status for status, _ in found} == {200}
        assert len({one["AccessKeyId"] for _, one in found}) == 1
        assert len(short.issued) == 2
        assert bus.codes == ["HMAC"] * 2


def test_between_refreshes_the_tpm_is_everybodys(box: Machine, sts: VerifyingSts) -> None:
    # swtpm takes one client at a time, as /dev/tpm0 does.
    with serving(box, sts, sts.endpoint, box.swtpm.path) as service:
        assert service.ask()[0] == 200
        assert len(tpm2(box.swtpm, "getrandom", "8")) == 8
        assert left_behind(box.swtpm.path) == []


def test_a_signal_while_sts_is_asked_ends_it_and_leaves_nothing(box: Machine, sts: VerifyingSts) -> None:
    with (
        ShortLived(sts, 900) as short,
        serving(box, sts, short.endpoint, box.swtpm.path, "--timeout=60s") as service,
    ):
        short.open.clear()
        token = service.token.read_text()
        service.process.send_signal(signal.SIGHUP)
        await_(lambda: short.asked == 2, lambda: service.text)
        assert service.token.read_text() != token
        service.process.terminate()
        assert service.process.wait(30) == 128 + signal.SIGTERM
        assert not service.token.exists()
        assert service.text.endswith("tpmwire: interrupted\n")
    assert left_behind(box.swtpm.path) == []


def test_who_waits_for_a_late_tpm_does_not_hold_the_port(box: Machine, sts: VerifyingSts) -> None:
    # A key file, whose parent the TPM makes late, and somebody has to flush.
    file = f"--credential-file={box.home / 'plain.pem'}"
    with serving(box, sts, sts.endpoint, box.swtpm.path, "--timeout=1s", file) as service:
        first = service.ask()
        box.swtpm.pause()
        try:
            service.process.send_signal(signal.SIGHUP)
            service.logged("Trying again in")
            assert service.ask() == first
            service.process.terminate()
            service.process.wait(20)
            # A process in the background still holds the connection to the TPM, and only that.
            with socket.create_server(("127.0.0.1", service.port)):
                pass
        finally:
            box.swtpm.resume()
    assert left_behind(box.swtpm.path) == []


def test_a_reload_renews_token_and_credentials(box: Machine, sts: VerifyingSts) -> None:
    with serving(box, sts, sts.endpoint, box.swtpm.path) as service:
        first, token = service.ask()[1], service.token.read_text()
        service.process.send_signal(signal.SIGHUP)
        await_(lambda: service.token.read_text() != token, lambda: service.text)
        await_(lambda: service.ask()[1]["AccessKeyId"] != first["AccessKeyId"], lambda: service.text)
        assert service.token.stat().st_mode & 0o777 == 0o600
        secrets = [token, service.token.read_text(), sts.secret_access_key]
        secrets += [service.ask()[1][name] for name in ("SecretAccessKey", "Token")]
        assert not [secret for secret in secrets if secret in service.text]
        commands = Path(f"/proc/{service.process.pid}/cmdline").read_bytes().decode()
        assert not [secret for secret in secrets if secret in commands]


def test_with_a_cache_a_second_service_asks_sts_nothing(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    where = {"XDG_RUNTIME_DIR": str(tmp_path)}
    tmp_path.chmod(0o700)
    with ShortLived(sts, 3600) as short:
        with serving(box, sts, short.endpoint, box.swtpm.path, "--cache", **where) as service:
            first = service.ask()
        with serving(box, sts, short.endpoint, box.swtpm.path, "--cache", **where) as service:
            assert service.ask() == first
        assert short.asked == 1


def test_without_credentials_it_does_not_start(box: Machine, sts: VerifyingSts, tmp_path: Path) -> None:
    with ShortLived(sts, 900) as short:
        short.refusing = True
        token, path = tmp_path / "token", tmp_path / "socket"
        done = box.run(
            *("serve", f"--token-file={token}", f"--socket={path}", f"--tpm-path={box.swtpm.path}"),
            *(f"--endpoint-url={short.endpoint}", f"--persistentHandle={PLAIN_HANDLE:#x}"),
            f"--aws-access-key-id={sts.access_key_id}",
            program=box.bin / "tpmwire",
        )
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (6, "", 1)
        assert "AccessDenied" in done.stderr
        assert not token.exists()
        assert not path.exists()
