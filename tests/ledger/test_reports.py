"""Reports: what was spent, added up in the database, held against a plain reading of the usage log."""

from __future__ import annotations

import os
import random
import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from policyctl.ledger import upkeep
from policyctl.ledger.checking import check
from policyctl.ledger.importing import Pricing, import_log
from policyctl.ledger.ledger import Ledger
from policyctl.ledger.schema import MIGRATIONS
from policyctl.ledger.sheet import Sheet
from policyctl.schemas.report import GROUPS, ReportRow

from .crowd import baseline_nusd, exported, fill, percentiles_of, plainly
from .world import CENT, DOLLAR, NOON, World, attempt, policy_of, usage

SOAK = int(os.environ.get("POLICYCTL_SOAK", "0"))
CALLS = 1000 if SOAK else 150
NAMES = {
    "provider": lambda line: line["provider"],
    "model": lambda line: line["model"],
    "tier": lambda line: line.get("model_tier") or line.get("tier"),
    "domain": lambda line: line.get("domain"),
    "story": lambda line: line["story_id"],
}


def sums(row: ReportRow) -> dict[str, int]:
    """
    The sums of a row that aren't nothing.
    """
    return {name: value for name, value in asdict(row.tally).items() if value}


def plain(tally: Counter[str]) -> dict[str, int]:
    return {name: int(value) for name, value in tally.items() if value}


@pytest.mark.parametrize("seed", range(10 if SOAK else 4))
def test_a_report_is_what_the_usage_log_says(either: World, seed: int) -> None:
    """
    The figures of a report by provider, model, tier, domain and story are those of a plain reading
    of the exported usage log.
    """
    policy = policy_of("baseline large\n")
    ledger = either.open(policy)
    fill(either, ledger, seed, CALLS)
    lines = exported(ledger)
    report = ledger.report(by=GROUPS)
    whole = plainly(lines, lambda line: None).get(None, Counter())

    assert plain(whole) == {name: value for name, value in asdict(report.total).items() if value}
    assert percentiles_of(lines) == (report.latency and (report.latency.p50_ms, report.latency.p95_ms))
    assert baseline_nusd(policy, whole) == report.baseline_nusd
    for by, name in NAMES.items():
        expected = {key: plain(tally) for key, tally in plainly(lines, name).items()}
        assert expected == {row.name: sums(row) for row in report.groups[by] if row.tally.calls}
        assert report.baseline_nusd == sum(row.baseline_nusd or 0 for row in report.groups[by])
    for row in report.groups["model"]:
        times = percentiles_of(line for line in lines if line["model"] == row.name)
        assert times == (row.latency and (row.latency.p50_ms, row.latency.p95_ms))


def in_zone(line: dict[str, Any], zone: ZoneInfo) -> str:
    """
    The day of a line; each call of these ledgers was reserved on the day on which it ended.
    """
    return f"{datetime.fromisoformat(line['timestamp']).astimezone(zone):%Y-%m-%d}"


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("America/New_York", datetime(2026, 3, 6, tzinfo=UTC)),  # 8 March has 23 hours
        ("Europe/Berlin", datetime(2026, 10, 22, tzinfo=UTC)),  # 25 October has 25 hours
        ("Asia/Kolkata", datetime(2026, 5, 1, tzinfo=UTC)),  # midnight lies within an hour of UTC
        ("Africa/Cairo", datetime(2026, 4, 22, tzinfo=UTC)),  # 24 April starts at 01:00
        ("Australia/Lord_Howe", datetime(2026, 4, 2, tzinfo=UTC)),  # the clock goes back half an hour
    ],
)
def test_days_are_those_of_the_policy_s_zone(world: World, zone: str, start: datetime) -> None:
    """
    A row for each day has the calls of that day in the policy's zone, however many hours it has.
    """
    local = ZoneInfo(zone)
    policy = policy_of("", zone)
    world.now = start
    ledger = world.open(policy)
    for number in range(200):
        world.now += timedelta(minutes=37)
        ledger.record(attempt(f"c{number}"), usage(number + 1), when=world.now)
    found = plainly(exported(ledger), lambda line: in_zone(line, local))
    expected = {day: plain(tally) for day, tally in found.items()}
    report = ledger.report(by="day")

    assert expected == {row.name: sums(row) for row in report.rows}
    assert sorted(expected) == [row.name for row in report.rows]


@pytest.mark.parametrize("seed", range(3))
def test_a_period_has_the_calls_reserved_in_it(either: World, seed: int) -> None:
    """
    A period counts the calls that were reserved from its start up to, not including, its end.
    """
    chance = random.Random(seed)  # noqa: S311
    ledger = either.open(policy_of(""))
    moments = sorted(NOON - timedelta(milliseconds=chance.randrange(10**9)) for _ in range(80))
    for number, when in enumerate(moments):
        ledger.record(attempt(f"c{number}"), usage(1, latency_ms=number), when=when)
    for _ in range(20):
        since, until = sorted(chance.choices([*moments, NOON, NOON - timedelta(days=12)], k=2))
        inside = [number for number, when in enumerate(moments) if since <= when < until]
        report = ledger.report(since=since, until=until, by=("provider", "day", "story"))

        assert len(inside) == report.total.calls
        assert [len(inside)] * 6 == [sum(r.tally.calls for r in rows) for rows in report.groups.values()]
        times = percentiles_of([{"success": True, "latency_ms": number} for number in inside])
        assert times == (report.latency and (report.latency.p50_ms, report.latency.p95_ms))
        assert (moments[inside[0]] if inside else None) == report.first
        assert (moments[inside[-1]] if inside else None) == report.last


def test_the_last_days_are_those_by_the_clock_on_the_wall(world: World) -> None:
    """
    "The last 2 days" start at the same time of day, also where a day between has 23 hours.
    """
    world.now = datetime(2026, 3, 9, 16, tzinfo=UTC)  # noon in New York; 8 March had 23 hours
    with world.open(policy_of("", "America/New_York")) as ledger:
        report = ledger.report(days=2)

    assert datetime(2026, 3, 7, 17, tzinfo=UTC) == report.period.since


# --- the sums that are kept --------------------------------------------------------------------------


def test_kept_sums_follow_what_becomes_of_calls(either: World) -> None:
    """
    A late commit, an import and forgetting old calls leave the sums that reports read right.
    """
    policy = policy_of("")
    ledger = either.open(policy)
    fill(either, ledger, 1, 60, days=100)
    ledger.record(attempt("of no story"), usage(), when=either.now - timedelta(days=90))
    log = either.folder / "copy.jsonl"
    log.write_text("".join(line for page in upkeep.export(ledger) for line in page), encoding="utf-8")
    ledger.close()
    with either.open(policy) as ledger:
        gone = upkeep.forget_before(ledger, either.now - timedelta(days=50))
        left = ledger.report().total.calls
        nothing = "SELECT count(*) FROM {} WHERE calls = 0"
        assert [[(0,)], [(0,)]] == [
            ledger.look(lambda sheet, table=table: sheet.rows(nothing.format(table)))  # type: ignore[misc]
            for table in ("tallies", "latencies")
        ]
        assert () == check(ledger).problems
        imported = import_log(ledger, log, Pricing({}, UTC))
        assert () == check(ledger).problems
        assert (gone > 0, left + imported.new) == (True, ledger.report().total.calls)


def test_wrong_sums_are_told_and_mended(either: World) -> None:
    """
    `ledger check` sees sums that aren't those of the calls, and --mend adds them up anew.
    """
    ledger = either.open(policy_of(""))
    ledger.record(attempt(), usage())
    ledger.do(lambda sheet: sheet.run("UPDATE tallies SET cost_nusd = 1"))
    ledger.do(lambda sheet: sheet.run("DELETE FROM latencies"))

    assert ["3 sums of calls that reports read aren't those of the calls"] == [
        problem.message for problem in check(ledger, mend=True).problems
    ]
    assert () == check(ledger).problems
    assert 10 * CENT == ledger.report().total.cost_nusd


def test_a_ledger_of_the_first_version_gets_its_sums(world: World) -> None:
    """
    A ledger that was made before sums of hours were kept has them after it was opened once.
    """
    ledger = world.open(policy_of(""))
    fill(world, ledger, 2, 50)
    ledger.recover()
    before = ledger.report(by=GROUPS)
    ledger.close()
    with closing(sqlite3.connect(world.place)) as db, db:
        later = [
            re.match(r"\s*CREATE (TABLE|TRIGGER|INDEX) (\w+)", sql) for sqls in MIGRATIONS[1:] for sql in sqls
        ]
        for made in reversed([match for match in later if match is not None]):
            db.execute(f"DROP {made[1]} {made[2]}")
        db.execute("PRAGMA user_version = 1")

    assert before == world.open(policy_of("")).report(by=GROUPS)


def test_a_report_waits_for_nobody_and_nobody_for_it(either: World) -> None:
    """
    A busy ledger answers a report with what was committed before, and calls go on while one reads.
    """
    ledger, other = either.open(policy_of("")), either.open(policy_of(""))
    ledger.record(attempt("first"), usage())

    def busy(sheet: Sheet) -> int:
        sheet.run("UPDATE attempts SET cost_nusd = 0")
        return other.report().total.cost_nusd

    assert 10 * CENT == ledger.do(busy)
    assert 1 == ledger.look(lambda sheet: _record_meanwhile(other) and ledger.report().total.calls - 1)


def _record_meanwhile(ledger: Ledger) -> bool:
    return ledger.record(attempt("meanwhile"), usage())


def test_savings_are_net_of_failures_and_escalations(world: World) -> None:
    """
    The baseline does each piece of work once: failed attempts and answers of a raised tier cost it nothing.
    """
    ledger = world.open(policy_of("baseline large\n"))
    tokens = {"input_tokens": 500_000, "output_tokens": 0}  # a dollar on the baseline
    ledger.record(attempt("failed"), usage(10 * CENT, success=False, **tokens))
    ledger.record(attempt("first"), usage(20 * CENT, **tokens))
    ledger.record(attempt("raised", escalation="escalated to high"), usage(40 * CENT, **tokens))
    report = ledger.report(days=7)

    assert (DOLLAR, 30 * CENT) == (report.baseline_nusd, report.savings_nusd)
    assert (10 * CENT, 40 * CENT) == (report.total.failed_nusd, report.total.escalated_nusd)
    assert (3, 0.7, 0.3) == (report.total.calls, report.cost_usd, report.savings_usd)
    assert 30 == pytest.approx(report.savings_percent)


def test_the_month_is_the_budget_s_window(world: World) -> None:
    """
    Month to date is what the monthly budget has spent, against the limit in force.
    """
    ledger = world.open()
    ledger.record(attempt("last month"), usage(), when=NOON - timedelta(days=30))
    ledger.record(attempt("now"), usage(4 * DOLLAR))
    ledger.raise_limit("monthly", 12 * DOLLAR)
    month = ledger.report(days=1).month

    assert month is not None
    assert ("monthly", 4 * DOLLAR, 12 * DOLLAR) == (month.budget, month.spent_nusd, month.limit_nusd)
    assert 4 * DOLLAR * 31 * 24 // (9 * 24 + 12) == month.projected_nusd
    assert ledger.spend()["monthly"].spent_nusd == month.spent_nusd
