"""Cooldowns: when a model is set aside, for how long, and how it comes back."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from policyctl.ledger.health import SharedHealth
from policyctl.ledger.ledger import Ledger
from policyctl.providers.health import FIRST_S, IN_A_ROW, LONGEST_S, PROBE_S, Breakers
from policyctl.schemas.policy import FailureKind

ERROR = FailureKind.SERVER_ERROR


class Clock:
    """
    Seconds that a test moves.
    """

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """
    A clock that stands still.
    """
    return Clock()


@pytest.fixture(params=["alone", "shared"])
def breakers(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Callable[[], Breakers]:
    """
    What makes the health of one process: on its own, or sharing a ledger with those made before.
    """
    if request.param == "alone":
        only = Breakers(None, clock)
        return lambda: only
    ledger = Ledger(tmp_path / "l" / "p.db", create=True)
    request.addfinalizer(ledger.close)
    return lambda: Breakers(SharedHealth(ledger), clock)


def fail(health: Breakers, times: int = IN_A_ROW, kind: FailureKind = ERROR) -> None:
    """
    Tell of failures of the model `m`.
    """
    for _ in range(times):
        health.failed("m", kind)


def test_failures_in_a_row_set_a_model_aside(breakers: Callable[[], Breakers], clock: Clock) -> None:
    """
    Three failures in a row do; fewer, or with an answer between them, don't.
    """
    health = breakers()
    fail(health, IN_A_ROW - 1)
    health.succeeded("m", 0.1)
    fail(health, IN_A_ROW - 1)
    assert (frozenset(), 0) == (health.down(), health.refused_s("m"))

    fail(health, 1)
    assert (frozenset({"m"}), FIRST_S) == (health.down(), health.refused_s("m"))
    clock.now_s += FIRST_S
    assert frozenset() == health.down()


@pytest.mark.parametrize("kind", [FailureKind.AUTH, FailureKind.QUOTA, FailureKind.NOT_FOUND])
def test_what_does_not_mend_by_itself_does_at_once(
    breakers: Callable[[], Breakers], kind: FailureKind
) -> None:
    """
    A wrong key, used-up money and a model that isn't there set it aside the first time.
    """
    health = breakers()
    fail(health, 1, kind)

    assert FIRST_S == health.refused_s("m")


def test_the_requests_own_fault_tells_nothing(breakers: Callable[[], Breakers]) -> None:
    """
    Requests that are wrong or too long don't set a model aside, however many.
    """
    health = breakers()
    fail(health, 10, FailureKind.INVALID_REQUEST)
    fail(health, 10, FailureKind.CONTEXT_WINDOW)

    assert 0 == health.refused_s("m")


def test_one_probe_at_a_time(breakers: Callable[[], Breakers], clock: Clock) -> None:
    """
    After its cooldown one asker may try, among all who share the ledger; a probe that never reports
    blocks nobody for longer than its lease.
    """
    first, second = breakers(), breakers()
    fail(first)
    clock.now_s += FIRST_S + 2
    second.down()

    leaves = [health.refused_s("m") for health in (first, second, first, second)]
    assert 1 == leaves.count(0)
    clock.now_s += PROBE_S + 2
    assert 0 == second.refused_s("m")
    second.left("m")
    clock.now_s += 2
    first.down()
    assert 0 == first.refused_s("m")


def test_a_cooldown_doubles_up_to_its_longest(breakers: Callable[[], Breakers], clock: Clock) -> None:
    """
    A probe that fails makes the next cooldown twice as long, up to five minutes; an answer ends it all.
    """
    health = breakers()
    fail(health)
    waits = []
    for _ in range(6):
        waits.append(health.refused_s("m"))
        clock.now_s += waits[-1]
        assert 0 == health.refused_s("m")
        fail(health, 1)
    assert [30, 60, 120, 240, LONGEST_S, LONGEST_S] == waits

    clock.now_s += LONGEST_S
    assert 0 == health.refused_s("m")
    health.succeeded("m", 0.1)
    fail(health, 1)
    assert 0 == health.refused_s("m")


def test_the_longer_cooldown_wins(breakers: Callable[[], Breakers]) -> None:
    """
    A Retry-After sets a model aside for as long as it says, an hour at most; late failures don't shorten it.
    """
    health = breakers()
    health.failed("m", FailureKind.RATE_LIMIT, 200.0)
    health.failed("m", FailureKind.RATE_LIMIT, 1.0)
    fail(health, 5)
    assert 200 == health.refused_s("m")

    health.failed("m", FailureKind.RATE_LIMIT, 10_000_000.0)
    assert 3600 == health.refused_s("m")


def test_what_one_process_noticed_another_heeds(tmp_path: Path, clock: Clock) -> None:
    """
    Cooldowns are shared through the ledger, and survive the process.
    """
    where = tmp_path / "l" / "p.db"
    with Ledger(where, create=True) as ledger:
        fail(Breakers(SharedHealth(ledger), clock))
    with Ledger(where) as ledger:
        assert frozenset({"m"}) == Breakers(SharedHealth(ledger), clock).down()


def test_a_ledger_that_cannot_answer_leaves_what_is_known(tmp_path: Path, clock: Clock) -> None:
    """
    Without its ledger a process goes on by what it has seen itself.
    """
    ledger = Ledger(tmp_path / "l" / "p.db", create=True)
    health = Breakers(SharedHealth(ledger), clock)
    ledger.close()
    fail(health)

    assert frozenset({"m"}) == health.down()


def test_shared_and_alone_agree(tmp_path: Path) -> None:
    """
    For random events the health of one process is the same with and without a ledger.
    """
    rng = random.Random(7)  # noqa: S311
    kinds = list(FailureKind)
    for round_ in range(10):
        clock = Clock()
        with Ledger(tmp_path / str(round_) / "p.db", create=True) as ledger:
            pair = (Breakers(None, clock), Breakers(SharedHealth(ledger), clock))
            for _ in range(60):
                clock.now_s += rng.choice([0.0, 1.0, 10.0, 40.0, 300.0])
                model, kind = rng.choice("ab"), rng.choice(kinds)
                after_s = rng.choice([None, 0.5, 50.0])
                what = rng.randrange(5)
                if what == 0:
                    assert pair[0].refused_s(model) == pytest.approx(pair[1].refused_s(model), abs=0.01)
                for health in pair:
                    if what == 1:
                        health.succeeded(model, 0.1)
                    elif what == 2:
                        health.left(model)
                    elif what > 2:
                        health.failed(model, kind, after_s)
                assert pair[0].down() == pair[1].down()
