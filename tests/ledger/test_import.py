"""Usage logs go in and out of the ledger."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from policyctl.ledger.importing import Imported, Pricing, import_log
from policyctl.ledger.upkeep import export, forget_before, rebuild, reclaim
from policyctl.schemas.errors import LedgerMisuse
from policyctl.schemas.ledger import HoldState
from policyctl.schemas.policy import NANO
from policyctl.schemas.request import Spend

from .world import CENT, DOLLAR, World, a_world, attempt, held, policy_of, usage

SOAK = int(os.environ.get("POLICYCTL_SOAK", "0"))
PLAIN = Pricing({}, UTC)
LINE = {
    "timestamp": "2026-03-10T10:00:00",
    "story_id": "US-1",
    "iteration": 2,
    "provider": "anthropic",
    "model": "small",
    "complexity": 2,
    "input_tokens": 100,
    "output_tokens": 50,
    "cost_usd": 0.01,
    "latency_ms": 1000,
    "success": True,
}


def write(world: World, *lines: object) -> Path:
    """
    Write a log: objects as JSON, texts as they are.
    """
    path = world.folder / "old.jsonl"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts), encoding="utf-8")
    return path


def read(world: World, *lines: object, pricing: Pricing = PLAIN) -> Imported:
    """
    Read such a log in.
    """
    with world.open() as ledger:
        return import_log(ledger, write(world, *lines), pricing)


def test_older_logs_are_counted(either: World) -> None:
    """
    A log of the source document's fields counts in every budget that it belongs to, at once.
    """
    ledger = either.open(policy_of("budget daily is $1 per day\nbudget each is $1 per story\n"))
    ledger.reserve(attempt("a", CENT))
    done = import_log(ledger, write(either, LINE, {**LINE, "story_id": "US-2", "cost_usd": 0.25}), PLAIN)

    assert (2, 2, 0, 0, 26 * CENT) == (done.lines, done.new, done.known, done.skipped, done.cost_nusd)
    assert {"daily": Spend(26 * CENT, CENT), "each": Spend(25 * CENT)} == ledger.spend(story_id="US-2")
    assert () == either.health().problems


def test_a_log_that_grew_is_counted_once(world: World) -> None:
    """
    Lines that are there already aren't counted again; equal lines side by side are different calls.
    """
    first = read(world, LINE, LINE, {**LINE, "iteration": 3})
    second = read(world, LINE, LINE, {**LINE, "iteration": 3}, LINE, {**LINE, "iteration": 4})

    assert (3, 0) == (first.new, first.known)
    assert (2, 3) == (second.new, second.known)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"timestamp": "2026-01-', "it is no object of JSON"),
        ('{"timestamp": "2026-{"timestamp": "2026-01-01"}', "it is no object of JSON"),
        ("[1]", "it is no object of JSON"),
        ("\x00\x01", "it is no object of JSON"),
        ("[" * 100_000, "it is no object of JSON"),
        ({**LINE, "cost_usd": float("nan")}, "`cost_usd` is no amount of money"),
        ({**LINE, "cost_usd": float("inf")}, "`cost_usd` is no amount of money"),
        ({**LINE, "cost_usd": -0.5}, "`cost_usd` can't be -0.5"),
        ({**LINE, "cost_usd": 1e30}, "`cost_usd` can't be 1e+30"),
        ({**LINE, "cost_usd": "free"}, "`cost_usd` is no amount of money"),
        ({**LINE, "cost_usd": True}, "`cost_usd` is no amount of money"),
        ({**LINE, "input_tokens": -1}, "`input_tokens` can't be -1"),
        ({**LINE, "output_tokens": float("nan")}, "`output_tokens` can't be nan"),
        ({**LINE, "output_tokens": "many"}, "`output_tokens` is no number"),
        ({**LINE, "latency_ms": -0.9e9}, "`latency_ms` can't be -900000000"),
        ({**LINE, "complexity": float("inf")}, "`complexity` is no number"),
        ({**LINE, "timestamp": "soon"}, "its timestamp is no time"),
        ({**LINE, "timestamp": None}, "it has no timestamp"),
        ({**LINE, "timestamp": 1e300}, "its timestamp is no time"),
        ({**LINE, "timestamp": "2026-03-11T10:00:00"}, "its time is in the future"),
        ({**LINE, "model": ""}, "it names no model"),
        ({**LINE, "story_id": ["US-1"]}, "`story_id` is no text"),
        ({**LINE, "cost_usd": None}, "it has no cost, and no price is known for its tokens"),
    ],
)
def test_what_is_not_clear_is_left_out_and_told(world: World, line: object, why: str) -> None:
    """
    A line that can't be taken as it is is counted and told with its number; those around it are taken.
    """
    done = read(world, LINE, line, {**LINE, "iteration": 3})

    assert (3, 2, 1) == (done.lines, done.new, done.skipped)
    assert [f"line 2 is left out: {why}"] == [problem.message for problem in done.problems]


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(LINE, indent=None, separators=(" ,", " :")) + "   \r",
        {**LINE, "unknown": {"deep": [1, 2]}, "another": None},
        {**LINE, "timestamp": "2026-03-10T10:00:00.123456+00:00"},
        {**LINE, "timestamp": 1773136800},
        {**LINE, "latency_ms": 999.6, "input_tokens": 100.0},
        {**LINE, "complexity": "medium", "iteration": None, "story_id": 17},
        {**LINE, "story_id": "x" * 5000},
        {key: LINE[key] for key in ("timestamp", "model", "cost_usd")},
    ],
)
def test_what_is_clear_is_taken(world: World, line: object) -> None:
    """
    Odd spacing, unknown keys, other forms of times and numbers, missing fields: the call counts.
    """
    done = read(world, line)

    assert (1, 0, CENT) == (done.new, done.skipped, done.cost_nusd)


def test_the_policy_prices_and_places_calls(world: World) -> None:
    """
    A call without a cost is priced by the policy, under any name of the model; a time without a zone is
    read in the policy's.
    """
    policy = policy_of()
    pricing = Pricing({"mini": (policy.models["small"], "low")}, ZoneInfo("America/New_York"))
    tokens = {"input_tokens": 10**6, "output_tokens": 10**5}
    read(world, {"timestamp": "2026-03-10T01:00:00", "model": "mini", **tokens}, pricing=pricing)
    other = policy_of("budget it is $5 per day for model small\nbudget low is $5 per day for tier low\n")
    with world.open(other) as ledger:
        spend = ledger.spend()
        when = ledger.do(lambda tx: tx.rows("SELECT reserved_ms FROM attempts"))[0][0]

    assert {"it": Spend(11 * DOLLAR // 10), "low": Spend(11 * DOLLAR // 10)} == spend
    assert datetime(2026, 3, 10, 5, tzinfo=UTC).timestamp() == when / 1000


def some_calls(world: World) -> None:
    """
    A call of each kind of end.
    """
    ledger = world.open()
    for key in "abcdef":
        ledger.reserve(
            attempt(key, escalation="escalated to high", fallback_used=key == "a"), send=key != "e"
        )
    ledger.commit("a", usage(cache_read_tokens=7))
    ledger.release("b", "timeout")
    ledger.abandon("c")
    ledger.abandon("d")
    ledger.commit("d", usage())
    ledger.release("e")
    ledger.close()


def test_greps_count_what_they_name(world: World) -> None:
    """
    `fallback` stands in the lines that a fallback served, `escalated to` in those of a raised tier.
    """
    some_calls(world)
    lines = world.log.read_text().splitlines()

    assert 1 == sum("fallback" in line for line in lines)
    assert 5 == sum('"escalated to high"' in line for line in lines)
    assert [
        "timestamp", "story_id", "iteration", "provider", "model", "complexity", "input_tokens",
        "output_tokens", "cost_usd", "latency_ms", "success",
    ] == list(world.lines()[0])[:11]  # fmt: skip


def everything(world: World) -> list[tuple[Any, ...]]:
    with world.open() as ledger:
        return ledger.do(
            lambda tx: tx.rows("SELECT key, state, cost_nusd FROM attempts WHERE logged = 1 ORDER BY key")
        )


@pytest.mark.parametrize("how", ["the log", "an export"])
def test_a_log_makes_the_same_ledger_again(world: World, tmp_path: Path, how: str) -> None:
    """
    What goes out comes in again: each call, its cost, what became of it; late corrections included.
    """
    some_calls(world)
    log = world.log
    if how == "an export":
        log = tmp_path / "export.jsonl"
        with world.open() as ledger:
            log.write_text("".join(line for page in export(ledger) for line in page))
    with a_world(tmp_path / "other") as other:
        with other.open() as ledger:
            done = import_log(ledger, log, PLAIN)
        again = everything(other)

    assert 0 == done.skipped
    states = {"released": "committed"}  # nothing was billed for both
    expected = [(key, states.get(state, state), cost) for key, state, cost in everything(world)]
    assert expected == again
    with world.open() as ledger:
        assert (0, 4) == (import_log(ledger, world.log, PLAIN).new, len(again))


def test_rebuild_mends_the_log(world: World) -> None:
    """
    A spoilt log is written anew, and goes on from there without a line twice or missing.
    """
    some_calls(world)
    world.log.write_text('spoilt\n{"line_id": "')
    with world.open() as ledger:
        assert 4 == rebuild(ledger)
        ledger.reserve(attempt("g"), send=True)
        ledger.commit("g", usage())

    assert ["a", "b", "c", "d", "g"] == [line["attempt_id"] for line in world.lines()]
    assert () == world.health().problems


def test_compacting_forgets_old_calls(either: World) -> None:
    """
    Old calls go, but not those of a story that went on; budgets of today say what they said.
    """
    ledger = either.open()
    for key, days, story in (("old", 90, "S-1"), ("on", 80, "S-2"), ("new", 0, "S-2")):
        then, either.now = either.now, either.now - timedelta(days=days)
        ledger.record(attempt(key, story_id=story), usage(), when=either.now)
        either.now = then
    with pytest.raises(LedgerMisuse, match="may still be open"):
        forget_before(ledger, either.now - timedelta(days=30))
    gone = forget_before(ledger, either.now - timedelta(days=50))
    ledger.close()
    reclaim(either.place)

    assert 1 == gone
    assert ["new", "on"] == [key for key, _, _ in everything(either)]
    assert {"monthly": Spend(10 * CENT)} == either.open().spend()


def test_a_recorded_call_counts_once(either: World) -> None:
    """
    A call that something else made counts whatever the budget says, once for its key, and has its line.
    """
    ledger = either.open()
    told = [ledger.record(attempt("x"), usage(11 * DOLLAR)) for _ in range(2)]
    with pytest.raises(LedgerMisuse, match="another call"):
        ledger.record(attempt("x"), usage(DOLLAR))
    with pytest.raises(LedgerMisuse, match="neither a cost nor a price"):
        ledger.record(attempt("y", price_in_nusd_per_mtok=None), usage(cost_nusd=None))
    with pytest.raises(LedgerMisuse, match="this usage can't be"):
        ledger.record(attempt("y"), usage(-1))

    assert [True, False] == told
    assert {"monthly": Spend(11 * DOLLAR)} == ledger.spend()
    assert ["x"] == [line["attempt_id"] for line in either.lines()]
    assert HoldState.COMMITTED == held(ledger.reserve(attempt("x", 11 * DOLLAR))).state


BIG = """
import resource, sys
from datetime import UTC
from pathlib import Path
from policyctl.ledger.importing import Pricing, import_log
from policyctl.ledger.ledger import Ledger
with Ledger(Path(sys.argv[1]) / "l" / "policyctl.db", create=True) as ledger:
    done = import_log(ledger, Path(sys.argv[2]), Pricing({}, UTC))
usage = resource.getrusage(resource.RUSAGE_SELF)
most_kb, status = usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1), Path("/proc/self/status")
if status.exists():  # the resource module counts what the parent had before it became this process
    most_kb = int(status.read_text().partition("VmHWM:")[2].split()[0])
print(done.new, done.skipped, done.cost_nusd, usage.ru_utime + usage.ru_stime, most_kb)
"""


def test_a_large_log_is_read_in_little_room(tmp_path: Path) -> None:
    """
    A million lines (here a part of them) are read within 200 MB, all of them; at full size also in a minute.
    """
    count = 1_000_000 if SOAK else 15_000
    chance, total = random.Random(1), 0  # noqa: S311
    with (tmp_path / "big.jsonl").open("w") as log:
        for number in range(count):
            cost = chance.randrange(10**8)
            total += cost
            line = {**LINE, "iteration": number, "story_id": f"US-{number // 50}", "cost_usd": cost / NANO}
            log.write(json.dumps({**line, "timestamp": 1_760_000_000 + number}) + "\n")
    done = subprocess.run(
        [sys.executable, "-c", BIG, tmp_path, tmp_path / "big.jsonl"],
        capture_output=True,
        text=True,
        check=True,
    )
    new, skipped, cost, cpu_s, most_kb = done.stdout.split()

    assert [count, 0, total] == [int(new), int(skipped), int(cost)]
    assert int(most_kb) < 200_000
    assert not SOAK or float(cpu_s) < 60
