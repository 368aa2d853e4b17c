"""Many processes and threads at once: a budget is met exactly, on both databases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policyctl.ledger.checking import check
from policyctl.schemas.policy import NANO

from .world import World, policy_of

HAMMER = Path(__file__).with_name("hammer.py")
SOAK = int(os.environ.get("POLICYCTL_SOAK", "0"))
RUNS = 20 if SOAK else 1
SHAPE = {"processes": 8, "threads": 32, "each": 4} if SOAK else {"processes": 4, "threads": 16, "each": 8}


def hammer(job: str, **what: object) -> None:
    """
    Run a job of the hammer to its end.
    """
    subprocess.run([sys.executable, HAMMER, job, json.dumps(what)], check=True, timeout=1800)


@pytest.mark.parametrize("run", range(RUNS))
def test_exactly_as_many_calls_as_fit_are_admitted(either: World, run: int) -> None:
    """
    Of twice as many calls as a budget has room for, asked for from all sides at once, exactly those that
    fit are admitted.
    """
    attempts = SHAPE["processes"] * SHAPE["threads"] * SHAPE["each"]
    limit = 500 if SOAK else 250
    budget = policy_of(f"budget monthly is ${limit} per month\n  at 100% pause\n")
    either.now = datetime.now(UTC)  # as the hammer has it
    either.open(budget).close()
    results = either.folder / "results"
    results.parent.mkdir(exist_ok=True)
    hammer("admit", where=str(either.place), log=str(either.log), results=str(results), limit=limit, **SHAPE)

    assert attempts > 2 * limit - 1
    assert limit == sum(map(int, results.read_text().split()))
    either.owner, either.dead = "checker", set()
    with either.open(budget) as ledger:
        health, spend = check(ledger), ledger.spend()["monthly"]
    # A process that is done while another starts is found to be dead: what it sent counts as spent.
    assert (limit, ()) == (health.attempts, health.problems)
    assert (health.unknown_nusd, health.held_nusd) == (spend.spent_nusd, spend.held_nusd)
    assert limit * NANO == spend.spent_nusd + spend.held_nusd
