"""Reports: what was spent, added up in the database, held against a plain reading of the usage log."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict

import pytest

from policyctl.schemas.report import GROUPS, ReportRow

from .crowd import baseline_nusd, exported, fill, percentiles_of, plainly
from .world import World, policy_of

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
