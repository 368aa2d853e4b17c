"""
How long one decision takes, from ten to ten thousand rules.

`make bench` prints the table. What is timed: `decide` on requests that were never seen before,
facts checked and defaults filled in, against a situation that is kept. Compare runs of one machine.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from policyctl import Engine
from policyctl.engine.decide import decide, observe
from policyctl.schemas.decision import Outcome
from policyctl.schemas.request import Request, State

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)
SIZES = (10, 100, 1_000, 10_000)
REQUESTS = 2_000
RULES_PER_FILE = 2_000

HEAD = """
model small is offline/small costs $0.10 in, $0.40 out can tools
model middle is offline/middle costs $1.00 in, $4.00 out can tools, vision
model large is offline/large costs $10.00 in, $40.00 out can tools, vision, json_mode
tier cheap from complexity 0 has small
tier medium from complexity 3 has middle
tier powerful from complexity 6 has large
input private is yes or no default no
input stage is one of dev, staging, prod default dev
input score is 0 to 1000 default 0
window office is Mon to Fri 09:00 to 17:00
"""


def policy_of(rules: int) -> str:
    """A policy of so many rules, each with one to four conditions; few match any one request."""
    rng = random.Random(rules)  # noqa: S311
    lines = [HEAD]
    for number in range(rules):
        low = round(rng.uniform(0, 1000), 1)
        conditions = [f"score is {low} to {min(round(low + 1000 / rules, 1), 1000)}"]
        conditions += rng.sample(
            [
                "private is yes",
                f"stage is {rng.choice(['dev', 'staging', 'prod'])}",
                f"complexity is at least {rng.randrange(9)}",
                f'branch is "branch-{rng.randrange(50)}"',
                "during office",
            ],
            rng.randrange(4),
        )
        tier = rng.choice(["cheap", "medium", "powerful"])
        lines.append(f"rule r{number} when {' and '.join(conditions)} use tier {tier}")
    return "\n".join(lines)


def requests(seed: int) -> Iterator[Request]:
    """Random requests, each as likely to meet any rule."""
    rng = random.Random(seed)  # noqa: S311
    for _ in range(REQUESTS):
        yield Request(
            complexity=round(rng.uniform(0, 10), 1),
            requires=frozenset({"vision"} if rng.random() < 0.2 else ()),
            branch=f"branch-{rng.randrange(60)}",
            inputs={
                "private": rng.choice(["yes", "no"]),
                "stage": rng.choice(["dev", "staging", "prod"]),
                "score": round(rng.uniform(0, 1000), 1),
            },
        )


def load(folder: Path, rules: int) -> Engine:
    """The policy read from as many files as its size asks for."""
    head, *lines = policy_of(rules).split("\nrule ")
    files = [folder / "head.policy"]
    files[0].write_text(head, encoding="utf-8")
    for start in range(0, len(lines), RULES_PER_FILE):
        files.append(folder / f"rules-{start}.policy")
        text = "".join(f"rule {line}\n" for line in lines[start : start + RULES_PER_FILE])
        files[-1].write_text(text, encoding="utf-8")
    return Engine.load(*files)


@pytest.mark.parametrize("rules", SIZES)
def test_decide(benchmark: BenchmarkFixture, tmp_path: Path, rules: int) -> None:
    """
    One decision on a fresh request.
    """
    table = load(tmp_path, rules).table
    situation = observe(table, State(now=NOW))
    stream = cycle(list(requests(rules)))

    decision = benchmark(lambda: decide(table, next(stream), situation))

    assert decision.outcome is Outcome.SERVED


@pytest.mark.parametrize("rules", SIZES)
def test_load(benchmark: BenchmarkFixture, tmp_path: Path, rules: int) -> None:
    """
    Text to table: read, parsed, built, checked and compiled.
    """
    engine = benchmark.pedantic(load, args=(tmp_path, rules), rounds=3)

    assert rules == len(engine.policy.rules)


def test_explain(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """
    A decision with a reason for everything, a hundred rules.
    """
    engine = load(tmp_path, 100)
    stream = cycle(list(requests(1)))

    explanation = benchmark(lambda: engine.explain(next(stream), now=NOW))

    assert explanation.decision.outcome is Outcome.SERVED
