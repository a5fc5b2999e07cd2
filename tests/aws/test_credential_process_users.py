"""Users who are not root and share a TPM: who may, by which file's group, and what each keeps from the other."""

import json
import subprocess

from tests.support.people import Shared, shared
from tests.support.programs import CREDENTIAL_PROCESS, TOOLBOX, left_behind

__all__ = ["shared"]


def _key_of(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    return str(json.loads(out)["AccessKeyId"])


def test_two_users_of_one_key_keep_their_own_credentials(shared: Shared) -> None:
    one, other = shared.crowd.person(), shared.crowd.person()
    before = shared.asked
    # At the same time: a software TPM takes one after the other, and neither waits for the other's lock.
    cold = [_key_of(process) for process in [shared.cached(one), shared.cached(other)]]
    assert len(set(cold)) == 2
    assert shared.asked == before + 2
    assert [_key_of(shared.cached(one)), _key_of(shared.cached(other))] == cold
    assert shared.asked == before + 2
    for person in (one, other):
        place = person.runtime / "tpmwire"
        owned = [place, *place.iterdir()]
        assert {path.stat().st_uid for path in owned} == {person.uid}
        assert {path.stat().st_mode & 0o7777 for path in owned} == {0o700, 0o600}
        assert len(owned) == 4  # itself, the credentials, their lock, and what is remembered of the key
    assert left_behind(shared.tpm) == []


def test_what_another_user_keeps_is_not_taken_and_not_touched(shared: Shared) -> None:
    """As after `su` without a hyphen, which leaves XDG_RUNTIME_DIR as it was."""
    one, other = shared.crowd.person(), shared.crowd.person()
    kept = _key_of(shared.cached(one))
    place = one.runtime / "tpmwire"
    before = {path: path.read_bytes() for path in place.iterdir()}
    done = other.run(CREDENTIAL_PROCESS, *shared.words(), "--cache", XDG_RUNTIME_DIR=str(one.runtime))
    assert done.returncode == 0
    # Where nobody can be another user, it is one user's, and taken.
    assert (json.loads(done.stdout)["AccessKeyId"] != kept) == shared.crowd.separate
    denied = f"{CREDENTIAL_PROCESS}: cache: not used: cannot open {place}: Permission denied\n"
    assert done.stderr == (denied if shared.crowd.separate else "")
    assert {path: path.read_bytes() for path in place.iterdir()} == before


def test_the_cache_of_another_user_is_not_said_to_be_empty(shared: Shared) -> None:
    one, other = shared.crowd.person(), shared.crowd.person()
    _key_of(shared.cached(one))
    place = one.runtime / "tpmwire"
    if not shared.crowd.separate:
        one.runtime.chmod(0)
    for action in ("list", "clear"):
        done = other.run(TOOLBOX, "cache", action, XDG_RUNTIME_DIR=str(one.runtime))
        wanted = f"tpmwire: {place}: Permission denied; set XDG_RUNTIME_DIR to a directory that you own\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", wanted)
    one.runtime.chmod(0o700)
    assert len(list(place.iterdir())) == 3


def test_who_is_not_in_the_group_is_told_of_it(shared: Shared) -> None:
    outside = shared.crowd.person(of_group=False)
    if not shared.crowd.separate:
        shared.socket.chmod(0)
    try:
        for words in ([CREDENTIAL_PROCESS, *shared.words()], [TOOLBOX, "list", "--tpm-path", shared.tpm]):
            done = outside.run(*words)
            assert (done.returncode, done.stdout) == (3, "")
            assert f"cannot connect to {shared.tpm}: permission denied; add the user to the group" in done.stderr
            assert done.stderr.count("\n") == 1
    finally:
        shared.socket.chmod(0o660)


def test_a_key_file_of_another_user(shared: Shared) -> None:
    one, other = shared.crowd.person(), shared.crowd.person()
    own = one.writes("own.pem", shared.pem.read_text())
    assert one.run(CREDENTIAL_PROCESS, *shared.words(own)).returncode == 0
    if not shared.crowd.separate:
        own.chmod(0)
    done = other.run(CREDENTIAL_PROCESS, *shared.words(own))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{CREDENTIAL_PROCESS}: {own}: Permission denied\n"
