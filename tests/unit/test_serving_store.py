"""When served credentials are fetched, by a clock of the test."""

import threading
import time

import pytest

from cli.serving.store import Store, UnavailableError
from cli.terminal.messages import UsageError
from sigv4.credentials import Credentials
from sigv4.errors import NetworkError
from sigv4.times import rfc3339
from tpmwire.errors import TpmError
from tpmwire.spec.constants import TPM_CC

START = 1_800_000_000.0


class World:
    """A clock, and an STS whose credentials live `life` seconds; `broken` is what it raises.

    AWS's clock is ahead of it by `behind` seconds. Where `kept` is set, a cache gives the key of that id.
    """

    def __init__(self, life: float = 3600) -> None:
        self.now = START
        self.life = life
        self.behind = 0
        self.broken: Exception | None = None
        self.kept = ""
        self.asked = 0
        self.store = Store(self._fetch, lambda: self.now)

    def _fetch(self) -> Credentials:
        self.asked += 1
        if self.broken:
            raise self.broken
        key_id = self.kept or f"ASIA{self.asked}"
        end = rfc3339(self.now + self.behind + self.life)
        return Credentials(key_id, "secret-of-the-test", "token-of-the-test", end, clock_offset=self.behind)


def test_an_hour_is_renewed_with_15_to_20_minutes_left_and_not_always_at_the_same_time() -> None:
    left = []
    for _ in range(40):
        world = World()
        world.store.fetch()
        left.append(world.store.end - world.store.due)
    assert min(left) >= 15 * 60
    assert max(left) <= 20 * 60
    assert max(left) - min(left) > 60


def test_short_ones_are_renewed_with_a_third_left() -> None:
    world = World(life=900)
    world.store.fetch()
    assert world.store.end - world.store.due == pytest.approx(300)


def test_failures_are_repeated_ever_more_seldom_and_the_old_ones_last() -> None:
    world = World()
    world.store.fetch()
    first = world.store.get()
    world.now = world.store.due
    world.broken = NetworkError("no route", "sts", 443)
    waits = []
    for _ in range(8):
        with pytest.raises(NetworkError):
            world.store.fetch()
        waits.append(world.store.due - world.now)
        assert world.store.get() is first
    assert waits == [10, 20, 40, 80, 120, 120, 120, 120]
    world.now = world.store.end - 1
    with pytest.raises(NetworkError):
        world.store.fetch()
    assert world.store.get() is first
    world.now += 2
    asked, before = world.asked, time.monotonic()
    with pytest.raises(UnavailableError):
        world.store.get()
    assert world.asked == asked
    assert time.monotonic() - before < 5, "nobody waits while patience is asked for"
    world.broken = None
    world.store.fetch()
    assert world.store.get().access_key_id == f"ASIA{world.asked}"
    world.broken = NetworkError("no route", "sts", 443)
    with pytest.raises(NetworkError):
        world.store.fetch()
    assert world.store.due - world.now == 10


def test_a_wrong_password_is_not_tried_until_the_tpm_locks_everybody_out() -> None:
    world = World()
    world.store.fetch()
    world.now = world.store.due
    world.broken = TpmError(0x98E, TPM_CC.HMAC)  # TPM_RC_AUTH_FAIL, session 1
    with pytest.raises(TpmError, match="lockout"):
        world.store.fetch()
    assert world.store.due - world.now == 86400
    world.broken = TpmError(0x921, TPM_CC.HMAC)  # TPM_RC_LOCKOUT, which counts for nothing
    with pytest.raises(TpmError):
        world.store.fetch()
    assert world.store.due - world.now < 120


def test_what_a_cache_has_not_renewed_yet_is_asked_for_again_in_a_minute() -> None:
    world = World()
    world.store.fetch()
    world.now, world.life, world.kept = world.store.end - 1000, 1000, "ASIA1"
    world.store.fetch()
    assert world.store.due - world.now == 60


def test_a_clock_that_is_ahead_is_told_and_not_asked_for_ever() -> None:
    world = World(life=-1800)
    with pytest.raises(UsageError, match="set the clock"):
        world.store.fetch()
    assert world.store.due > world.now
    with pytest.raises(UnavailableError):
        world.store.get()


def test_by_a_clock_that_is_behind_nothing_is_served_after_its_end() -> None:
    world = World(life=3600)
    world.behind = 7200
    world.store.fetch()
    assert world.now + 2400 <= world.store.due <= world.now + 2700
    world.now += 3601
    world.broken = NetworkError("no route", "sts", 443)
    with pytest.raises(NetworkError):
        world.store.fetch()
    with pytest.raises(UnavailableError):
        world.store.get()


def test_a_clock_that_is_set_back_puts_nothing_off() -> None:
    world = World()
    world.broken = NetworkError("no route", "sts", 443)
    with pytest.raises(NetworkError):
        world.store.fetch()
    assert world.store.due == world.now + 10
    world.now -= 3600
    assert world.store.due <= world.now
    world.broken = None
    world.store.fetch()
    assert world.store.due > world.now + 2000


def test_who_waits_is_told_of_the_end_and_of_credentials() -> None:
    for ending in (True, False):
        world = World()
        got: list[object] = []

        def ask(world: World = world, got: list[object] = got) -> None:
            try:
                got.append(world.store.get().access_key_id)
            except UnavailableError as error:
                got.append(type(error))

        readers = [threading.Thread(target=ask) for _ in range(5)]
        for reader in readers:
            reader.start()
        world.store.alarm.rest(5)  # ends when the first of them calls
        if ending:
            world.store.close()
        else:
            world.store.fetch()
        for reader in readers:
            reader.join(30)
        assert got == [UnavailableError if ending else "ASIA1"] * 5
        assert world.asked == (0 if ending else 1)


def test_no_secret_is_shown() -> None:
    world = World()
    world.store.fetch()
    assert "of-the-test" not in f"{world.store!r} {vars(world.store)!r}"
