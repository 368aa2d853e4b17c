"""Each event may come several times and in any order: it counts once."""

from __future__ import annotations

import os
import random

import pytest

from policyctl.schemas.errors import LedgerMisuse
from policyctl.schemas.ledger import HoldState
from policyctl.schemas.request import Spend

from .world import CENT, DOLLAR, World, attempt, policy_of, usage

SOAK = int(os.environ.get("POLICYCTL_SOAK", "0"))
CALLS = 2000 if SOAK else 60
ENDS = ("sent", "abandon", "release", "commit")
STATES = {"sent": HoldState.SENT, "abandon": HoldState.UNKNOWN, "release": HoldState.RELEASED}


@pytest.mark.parametrize("seed", range(3))
def test_events_in_any_order_count_once(either: World, seed: int) -> None:
    """
    Of all that is told of a call what stands last in the table of states is what counts, however often and
    in whatever order it is told. What comes before the reservation is refused, and may be told again.
    """
    chance = random.Random(seed)  # noqa: S311
    ledger = either.open(policy_of("budget monthly is $1000000 per month\n  at 100% pause\n"))
    told = {f"c{number}": chance.sample(ENDS, chance.randint(0, 4)) for number in range(CALLS)}
    costs = {key: chance.randrange(5 * DOLLAR) for key in told}
    waiting = [
        (key, event)
        for key, ends in told.items()
        for event in ["reserve", *ends]
        for _ in range(chance.randint(1, 5))
    ]
    while waiting:
        chance.shuffle(waiting)
        again = []
        for key, event in waiting:
            try:
                if event == "reserve":
                    ledger.reserve(attempt(key))
                elif event == "commit":
                    ledger.commit(key, usage(costs[key]))
                else:
                    getattr(ledger, event)(key)
            except LedgerMisuse:
                again.append((key, event))
        waiting = again

    last = {key: max(ends, key=ENDS.index, default=None) for key, ends in told.items()}
    cost = {key: {"commit": costs[key], "abandon": DOLLAR}.get(str(end), 0) for key, end in last.items()}
    spent = sum(cost.values())
    open_ = sum(DOLLAR for end in last.values() if end in (None, "sent"))
    assert {"monthly": Spend(spent, open_)} == ledger.spend()
    assert () == either.health().problems
    whole = sum(round(line["cost_usd"] * 100 * CENT) for line in either.lines())
    assert spent == whole


def test_each_state_is_the_one_of_the_table(world: World) -> None:
    """
    A single event puts a call into its state.
    """
    ledger = world.open()
    for event, state in STATES.items():
        ledger.reserve(attempt(event, CENT))
        assert state == getattr(ledger, event)(event).state
