"""What many threads ask for at once is carried out as one: it comes out as if each had come alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from policyctl.ledger.checking import check
from policyctl.ledger.ledger import Ledger
from policyctl.ledger.rows import ask
from policyctl.ledger.sheet import Sheet
from policyctl.schemas.ledger import Attempt

from .test_model import BUDGETS
from .world import CENT, DOLLAR, World, a_world, attempt, policy_of, usage

EVENTS = ("reserve", "reserve", "sent", "commit", "commit", "release", "abandon", "renew", "record", "look")
Step = Callable[[Ledger, Sheet], Any]


def steps(chance: random.Random) -> list[tuple[Step, ...]]:
    """
    Groups of events, each event for a call that was reserved before or will be.
    """
    calls: list[Attempt] = []
    return [tuple(step(chance, calls, number) for _ in range(chance.randint(1, 9))) for number in range(40)]


def step(chance: random.Random, calls: list[Attempt], group: int) -> Step:
    event = chance.choice(EVENTS) if calls else "reserve"
    now = 1_773_100_000_000 + group * 7_200_000 - chance.choice((0, 0, 0, 3_600_000))
    if event in ("reserve", "record"):
        call = a_call(chance, len(calls))
        calls.append(call)
        cost = chance.randrange(DOLLAR)
        if event == "record":
            when = now - chance.randrange(3) * 86_400_000
            return lambda book, sheet: book._book.record(sheet, call, usage(cost), cost, when, now)
        asked = ask(call, chance.randrange(2 * DOLLAR), send=chance.random() < 0.5, lease_ms=9, owner="me")
        return lambda book, sheet: book._book.reserve(sheet, asked, now)
    if event == "look":
        run, story = chance.choice((None, "r1")), chance.choice((None, "s1"))
        return lambda book, sheet: (
            book._book.status(sheet, now, run, story),
            sheet.rows("SELECT sum(spent_nusd), sum(held_nusd) FROM windows"),
        )
    key, cost = chance.choice(calls).key, chance.randrange(3 * DOLLAR)
    return lambda book, sheet: settle(book, sheet, event, key, cost, now)


def settle(book: Ledger, sheet: Sheet, event: str, key: str, cost: int, now: int) -> Any:
    if not sheet.direct.rows("SELECT 1 FROM attempts WHERE key = ?", key):
        return None  # it was refused
    if event == "sent":
        return book._book.sent(sheet, key)
    more = {"commit": (usage(cost), now), "release": (None, now), "abandon": (now,), "renew": (9, now)}[event]
    return getattr(book._book, event)(sheet, key, *more)


def a_call(chance: random.Random, number: int) -> Attempt:
    return attempt(
        f"k{number}",
        CENT,
        provider=chance.choice(("anthropic", "openai")),
        model=chance.choice(("small", "large")),
        model_tier=chance.choice(("low", "high")),
        domain=chance.choice((None, "vision")),
        story_id=chance.choice((None, "s1", "s2")),
        run_id=chance.choice((None, "r1", "r2")),
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_group_comes_out_as_if_each_had_come_alone(tmp_path: Path, seed: int) -> None:
    """
    The same events one by one and in groups give the same answers, the same rows, sums and lines.
    """
    groups = steps(random.Random(seed))  # noqa: S311
    alone, found_alone = carried_out(tmp_path / "alone", [(one,) for group in groups for one in group])
    together, found_together = carried_out(tmp_path / "together", groups)

    assert alone == together
    assert found_alone == found_together


def carried_out(folder: Path, groups: list[tuple[Step, ...]]) -> tuple[list[Any], list[Any]]:
    with a_world(folder) as world:
        world.now += timedelta(days=5)
        ledger = world.open(policy_of(BUDGETS))
        answers = [
            answer
            for group in groups
            for answer in ledger.do(lambda sheet, group=group: [one(ledger, sheet) for one in group])  # type: ignore[misc]
        ]
        assert () == check(ledger).problems
        return answers, [*everything(ledger), lines(world)]


def everything(ledger: Ledger) -> list[Any]:
    return ledger.do(
        lambda sheet: [
            sheet.rows("SELECT * FROM attempts ORDER BY key"),
            sheet.rows("SELECT * FROM windows ORDER BY period, name, scope"),
        ]
    )


def lines(world: World) -> list[Any]:
    """
    The lines of the log, without the mark of the ledger they are from.
    """
    return [{**line, "line_id": line["line_id"].split("-")[1]} for line in world.lines()]
