"""Processes that are killed at any moment: nothing that was spent is missing, and no line is lost."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from policyctl.ledger.checking import check
from policyctl.ledger.rows import find
from policyctl.ledger.usage_log import read_lines
from policyctl.schemas.ledger import OPEN, HoldState
from policyctl.schemas.policy import NANO

from .test_exact import hammer
from .world import World, policy_of

SOAK = int(os.environ.get("POLICYCTL_SOAK", "0"))
KILLS = {"sqlite": 500 if SOAK else 27, "postgres": 250 if SOAK else 12}
"""Two processes die each time."""

LIFE_S = {"sqlite": 0.04, "postgres": 0.25}
"""Each lives on for up to so long: long enough for some calls."""


def bills_of(path: Path) -> dict[str, int]:
    """
    What the provider billed, by call.
    """
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return {key: int(cost) for key, cost in lines}


def test_nothing_that_was_billed_is_missing(either: World) -> None:
    """
    After many kills each billed call counts: at its cost, or, where the ledger wasn't told any more, at its
    hold. Too much is counted only for calls whose outcome is unknown, and the check says how much. Each
    call that is over has its line, once and whole.
    """
    world, database = either, "postgres" if either.where else "sqlite"
    kills = KILLS[database]
    world.folder.mkdir(parents=True)
    bills, limit = world.folder / "bills", 10**6
    hammer(
        "kill",
        where=str(world.place),
        log=str(world.log),
        bills=str(bills),
        limit=limit,
        seed=1,
        kills=kills,
        life_s=LIFE_S[database],
    )
    world.now = datetime.now(UTC)
    billed = bills_of(bills)
    budget = policy_of(f"budget monthly is ${limit} per month\n  at 100% pause\n")
    with world.open(budget, has_ended=lambda owner: True) as ledger:
        ledger.recover()
        health, spent = check(ledger), ledger.spend()["monthly"].spent_nusd
        rows = {key: ledger.do(lambda tx, key=key: find(tx, key)) for key in billed}  # type: ignore[misc]

    assert len(billed) > kills // 4
    assert () == health.problems
    assert [] == [key for key, row in rows.items() if row is None or row.state in OPEN]
    assert [] == [key for key, row in rows.items() if row is not None and row.cost_nusd < billed[key]]
    assert 0 <= spent - sum(billed.values()) <= health.unknown_nusd
    assert health.unknown <= 2 * 3 * kills  # each victim had at most a call a thread
    assert (0, 0) == (health.open_holds, health.waiting_lines)

    lines = [line for _, line, _ in read_lines(world.log) if line is not None]
    # A call that was taken for lost and settled all the same has a second line, which puts the sum right.
    counted = Counter(str(line["attempt_id"]) for line in lines if not line.get("adjusts"))
    twice = {key for key, times in counted.items() if times > 1}
    assert [] == [line for line in lines if line["attempt_id"] in twice]
    assert len(lines) == len({line["line_id"] for line in lines})
    committed = {key for key, row in rows.items() if row and row.state is HoldState.COMMITTED}
    assert set() == committed - counted.keys()
    assert spent == sum(round(float(str(line["cost_usd"])) * NANO) for line in lines)
