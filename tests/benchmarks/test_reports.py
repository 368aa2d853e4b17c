"""
How long `policyctl report --this-month` takes over a million calls of one month: the whole process.

`make bench` prints it. What is timed: start, policy, ledger and page, with the sums that the ledger keeps;
and, to compare with, adding the same calls up one by one in the database.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policyctl.deciding import Engine
from policyctl.ledger.figures import Scope, of_calls
from policyctl.ledger.ledger import Ledger
from policyctl.ledger.money import Charge
from policyctl.ledger.rows import INSERT, recorded_row
from policyctl.ledger.tallies import KEYS
from policyctl.schemas.ledger import Usage

CALLS = 1_000_000
TOGETHER = 50_000
POLICY = Path(__file__).parents[2] / "examples" / "claude-loop" / "claude-loop.policy"
ENTRY = "from policyctl.cli.__main__ import run; run()"


def a_million(engine: Engine) -> Iterator[tuple[object, ...]]:
    """
    Calls of all models, domains and fates, all of this month.
    """
    chance, now = random.Random(7), datetime.now(UTC)  # noqa: S311
    start_ms = int(now.replace(day=1, hour=6, minute=0, second=0, microsecond=0).timestamp() * 1000)
    span_ms = max(int(now.timestamp() * 1000) - start_ms, 1)
    kinds = [
        engine.attempt("", model, domain=domain, fallback_used=served, escalation=raised)
        for model in engine.policy.models
        for domain in (None, "vision", "debugging")
        for served in (False, True)
        for raised in (None, "escalated to powerful")
    ]
    for number in range(CALLS):
        call = chance.choice(kinds)
        used = (chance.randrange(200, 20_000), chance.randrange(50, 4000))
        usage = Usage(
            input_tokens=used[0],
            output_tokens=used[1],
            latency_ms=int(chance.lognormvariate(7, 0.7)),
            success=chance.random() < 0.97,
        )
        cost = Charge(used[0] * 1000 + used[1] * 4000, None)
        when_ms = start_ms + span_ms * number // CALLS
        row = list(recorded_row(call, usage, cost, when_ms, ""))
        row[0] = f"{number:08}:1:1"
        yield tuple(row)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A ledger with a million calls.
    """
    engine, folder = Engine.load(POLICY), tmp_path_factory.mktemp("million")
    rows = a_million(engine)
    with Ledger(folder / "policyctl.db", create=True, wait_s=600) as ledger:
        for _ in range(CALLS // TOGETHER):
            ledger.do(lambda tx: tx.many(INSERT, (next(rows) for _ in range(TOGETHER))))  # type: ignore[misc]
    return folder


def test_a_report_of_this_month(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    The best of five runs, in seconds on the clock, and what it takes of the processor.
    """
    words = ["report", "--this-month", "--ledger", "policyctl.db", "--policy", str(POLICY)]
    found = [timed(words, folder) for _ in range(5)]
    page = found[0][2]
    with Ledger(folder / "policyctl.db") as ledger:
        started = time.perf_counter()
        ledger.look(lambda sheet: list(of_calls(sheet, Scope(), KEYS)))
        one_by_one = time.perf_counter() - started
    with capsys.disabled():
        clock, processor = min(f[0] for f in found), min(f[1] for f in found)
        print(
            f"\nreport --this-month over {CALLS:,} calls: {clock:.2f} s, {processor:.2f} s of the processor"
            f" (the calls one by one: {one_by_one:.2f} s, for the sums alone)"
        )

    assert f"Total Requests: {CALLS:,}\n" in page


def timed(words: list[str], at: Path) -> tuple[float, float, str]:
    """
    Seconds on the clock and of the processor, and what was printed.
    """
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-c", ENTRY, *words], cwd=at, check=True, capture_output=True, text=True
    )
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, processor, ran.stdout
