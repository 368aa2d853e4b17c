"""
How long the proofs take.

`make bench` prints the table. What is timed: everything that `validate` proves of a policy that is read
and compiled already, whose rules each test one to four (or just four) of eight facts; and a comparison.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from policyctl import Engine
from policyctl.engine.analysis.diff import compare
from policyctl.engine.analysis.findings import analyse

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "claude-loop" / "claude-loop.policy"

HEAD = """
model small is offline/small costs $0.10 in, $0.40 out can tools
model middle is offline/middle costs $1.00 in, $4.00 out can tools, vision
model large is offline/large costs $10.00 in, $40.00 out can tools, vision, json_mode
tier cheap from complexity 0 has small
tier medium from complexity 3 has middle
tier powerful from complexity 6 has large
input private is yes or no default no
input stage is one of dev, staging, prod default dev
input risk is 1 to 5 default 1
window office is Mon to Fri 09:00 to 17:00
window nights is Mon to Fri 22:00 to 06:00
domain sight prefers middle
domain words prefers large at any tier
domain law
budget monthly is $500 per month
  at 75% downgrade 1 tier
  at 90% only small
  at 100% pause
fallback to small, large
escalate to next tier when gate tests fails
never use small when private is yes and risk is above 4
refuse when stage is prod and private is yes
promise no_small no small when private is yes and risk is 5
promise cheap at most $5 in when complexity is below 3 and domain is law
"""


def policy_of(rules: int, fewest: int) -> str:
    """A policy of so many rules, each of which tests at least so many facts."""
    rng = random.Random(f"{rules}/{fewest}")  # noqa: S311
    lines = [HEAD]
    for number in range(rules):
        conditions = [
            f"private is {rng.choice(['yes', 'no'])}",
            f"stage is {rng.choice(['', 'not '])}{rng.choice(['dev', 'staging', 'prod'])}",
            f"complexity is {rng.choice(['above', 'at most'])} {rng.randrange(1, 10)}",
            f'branch {rng.choice(["is", "starts with"])} "b{rng.randrange(12)}"',
            rng.choice(["during office", "outside office", "during nights"]),
            f"domain is {rng.choice(['sight', 'words', 'law', 'none'])}",
            f"risk is {rng.choice(['above', 'below'])} {rng.choice([2, 3, 4])}",
            f"attempt is at least {rng.randrange(2, 6)}",
        ]
        some = " and ".join(rng.sample(conditions, rng.randint(fewest, 4)))
        target = rng.choice(["tier cheap", "tier medium", "tier powerful", "small, middle", "large"])
        lines.append(f"rule r{number} when {some} use {target}")
    return "\n".join(lines)


@pytest.mark.parametrize("fewest", [1, 4])
@pytest.mark.parametrize("rules", [20, 200, 1_000])
def test_analyse(benchmark: BenchmarkFixture, rules: int, fewest: int) -> None:
    """
    All findings of one policy.
    """
    table = Engine.from_text(policy_of(rules, fewest)).table

    found = benchmark.pedantic(lambda: list(analyse(table)), rounds=2)

    assert "P718" not in {finding.code for finding in found}


def test_analyse_the_example(benchmark: BenchmarkFixture) -> None:
    """
    All findings of the example.
    """
    table = Engine.load(EXAMPLE).table

    assert [] == benchmark(lambda: list(analyse(table)))


def test_compare(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """
    The example against itself with another budget level.
    """
    other = tmp_path / "other.policy"
    other.write_text(EXAMPLE.read_text(encoding="utf-8").replace("at 75%", "at 70%"), encoding="utf-8")
    tables = Engine.load(EXAMPLE).table, Engine.load(other).table

    found = benchmark.pedantic(lambda: compare(*tables), rounds=2)

    assert found.proven
    assert found.regions
