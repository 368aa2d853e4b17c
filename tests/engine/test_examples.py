"""
`example` statements: the request that each describes, what is told where one fails, and that the
command of the help line shows just that.

POLICYCTL_PAIRS scales how many random examples are drawn.
"""

from __future__ import annotations

import os
import random
import shlex
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from policyctl import Engine
from policyctl.engine.cases import NOON, Case
from policyctl.engine.decide import decide, observe
from policyctl.engine.examples import case_of, failing_examples
from policyctl.engine.table import DecisionTable
from policyctl.schemas.diagnostics import Diagnostic
from policyctl.schemas.policy import Condition, Example
from policyctl.schemas.request import Spend

from ..cli.command import call
from ..reference import evaluator
from ..reference.generate import maybe, seeded, some

# Read before the tests run: they see no variable of policyctl.
PAIRS = int(os.environ.get("POLICYCTL_PAIRS", "100000"))

HEAD = """
timezone America/New_York
model small is offline/small costs $1 in, $1 out  can tools
model middle is offline/middle costs $2 in, $2 out  can tools, vision
model large is offline/large costs $9 in, $9 out  can tools, vision, json_mode
tier cheap from complexity 0 has small
tier medium from complexity 3 has middle
tier strong from complexity 6 has large
input private is yes or no default no from env POLICYCTL_TEST_PRIVATE
input stage is one of dev, staging, prod default dev
input risk is 1 to 5 default 1
input ticket is text default ""
domain sight prefers middle
domain words
window office is Mon to Fri 09:00 to 17:00
window nights is Fri 22:00 to 06:00
window closed is outside office
window leap is cron "* * 29 2 *"
window busy is cron "*/2 * * * *"
budget monthly is $500 per month
  at 75% downgrade 1 tier
  at 100% pause
budget daily is $7 per day
  at 66.67% only small
budget free is $0 per run
rule by_day when during office and branch is "main" use tier strong
rule paid when budget daily is at least $1 use tier medium
rule hidden when private is yes use tier strong
never use small when stage is prod
"""


def example_of(text: str) -> tuple[DecisionTable, Example]:
    table = Engine.from_text(f"{HEAD}\nexample {text} gives small").table
    return table, table.policy.examples[0]


def described(text: str) -> Case:
    table, example = example_of(text)
    case = case_of(table, example)
    assert isinstance(case, Case), case
    assert_satisfied(table, case, example.conditions)
    return case


def assert_satisfied(table: DecisionTable, case: Case, conditions: tuple[Condition, ...]) -> None:
    """
    The second opinion evaluates each condition on the case.
    """
    asked = evaluator.gather(table.policy, case.request)
    failed = [c for c in conditions if not evaluator.holds(table.policy, asked, case.state, c)]
    assert [] == failed, case


# --- one condition ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("complexity is 1", {"complexity": 1}),
        ("complexity is 2.5", {"complexity": 2.5}),
        ("complexity is at least 6", {"complexity": 6}),
        ("complexity is at most 6", {"complexity": 6}),
        ("complexity is above 6", {"complexity": 6.1}),
        ("complexity is below 6", {"complexity": 5.9}),
        ("complexity is 4 to 5", {"complexity": 4}),
        ("complexity is above 9.95", {"complexity": 9.975}),
        ("complexity is below 0.05", {"complexity": 0.025}),
        ("complexity is above 2 and complexity is below 2.05", {"complexity": 2.025}),
        ("complexity is above 2 and complexity is below 5", {"complexity": 2.1}),
        ("complexity is at least 2 and complexity is at most 2", {"complexity": 2}),
        ("complexity is 1 to 3 and complexity is 3 to 9", {"complexity": 3}),
        ("complexity is 1 and attempt is above 2", {"attempt": 3}),
        ("complexity is 1 and attempt is at least 1", {"attempt": 1}),
        ("complexity is 1 and attempt is 2 to 3", {"attempt": 2}),
        ("complexity is 1 and input_tokens is above 150k", {"input_tokens": 150_001}),
        ("complexity is 1 and output_tokens is below 150", {"output_tokens": 149}),
        ("complexity is 1 and risk is above 4.95", {"inputs": {"risk": 4.975}}),
        ("complexity is 1 and risk is below 1.05", {"inputs": {"risk": 1.025}}),
        ("complexity is 1 and private is yes", {"inputs": {"private": "yes"}}),
        ("complexity is 1 and stage is prod", {"inputs": {"stage": "prod"}}),
        ('complexity is 1 and ticket is ""', {"inputs": {"ticket": ""}}),
        ('complexity is 1 and ticket is "-1"', {"inputs": {"ticket": "-1"}}),
        ('complexity is 1 and ticket starts with "--"', {"inputs": {"ticket": "--"}}),
        ('complexity is 1 and branch is "main"', {"branch": "main"}),
        ('complexity is 1 and branch starts with "re/" and branch starts with "r"', {"branch": "re/"}),
        ('complexity is 1 and branch is "re/1" and branch starts with "re/"', {"branch": "re/1"}),
        ("complexity is 1 and kind is bug and skill is sql", {"kind": "bug", "skill": "sql"}),
        ("complexity is 1 and domain is sight", {"domain": "sight"}),
        ("complexity is 1 and domain is none", {"domain": "none"}),
        ("complexity is 1 and tier is strong", {"tier": "strong"}),
        ("complexity is 1 and tier is none", {"tier": None}),
        ("complexity is 1 and requires is vision", {"requires": frozenset({"vision"})}),
        (
            "complexity is 1 and requires is vision and requires is json_mode",
            {"requires": frozenset({"vision", "json_mode"})},
        ),
        ("complexity is 1 and requires is nothing", {"requires": frozenset()}),
    ],
)
def test_a_condition_on_a_fact_gives_a_request_that_satisfies_it(text: str, expected: dict[str, Any]) -> None:
    """
    The bound itself where it will do, else a number just beside it.
    """
    request = described(text).request

    assert expected == {name: getattr(request, name) for name in expected}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("complexity is 1", "2026-01-05T12:00"),
        ("complexity is 1 and during office", "2026-01-05T12:00"),
        ("complexity is 1 and outside office", "2026-01-05T17:00"),
        ("complexity is 1 and during closed", "2026-01-05T17:00"),
        ("complexity is 1 and during nights", "2026-01-09T22:00"),
        ("complexity is 1 and during busy", "2026-01-05T12:00"),
        ("complexity is 1 and outside busy and during nights", "2026-01-09T22:01"),
        # three years on, behind a million changes of another window
        ("complexity is 1 and during leap and outside busy and during office", "2028-02-29T09:01"),
        ("complexity is 1 and during leap", "2028-02-29T00:00"),
    ],
)
def test_a_condition_on_the_clock_gives_the_first_moment_that_satisfies_it(text: str, expected: str) -> None:
    """
    From a Monday noon on, however far ahead.
    """
    now = described(text).state.now

    assert datetime.fromisoformat(expected) == now.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("budget monthly is at least 80%", "monthly", 400_000_000_000),
        ("budget monthly is above 80%", "monthly", 400_050_000_000),
        ("budget monthly is below 80%", "monthly", 399_950_000_000),
        ("budget monthly is at most 80%", "monthly", 400_000_000_000),
        ("budget monthly is at least $400", "monthly", 400_000_000_000),
        ("budget monthly is below $1", "monthly", 950_000_000),
        ("budget monthly is above 50% and budget monthly is below 50.001%", "monthly", 250_002_500_000),
        ("budget monthly is below 0.001%", "monthly", 2_500_000),
        ("budget daily is at least 66.67%", "daily", 4_666_900_000),
        ("budget daily is at least $0.000000001", "daily", 1),
        ("budget free is at least 100%", "free", 0),
        ("budget free is above $5", "free", 5_000_000_001),
    ],
)
def test_a_condition_on_a_budget_gives_a_spend_that_satisfies_it(text: str, name: str, expected: int) -> None:
    """
    Shares and money, to a billionth of a dollar.
    """
    assert {name: Spend(expected)} == described(f"complexity is 1 and {text}").state.spend


def test_what_an_example_does_not_mention_has_its_default() -> None:
    """
    Nothing is given, nothing is spent, nobody is down, and it is a Monday noon.
    """
    case = described("complexity is 1")

    assert replace(case.request, complexity=None) == type(case.request)()
    assert ({}, frozenset(), None) == (case.state.spend, case.state.down, case.state.available)
    assert NOON == case.state.now.replace(tzinfo=None)


# --- contradictions, and what is missing ----------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "complexity is 1 and complexity is 2",
        "complexity is above 5 and complexity is at most 5",
        "complexity is below 0",
        "complexity is above 10",
        "complexity is 1 and attempt is above 2 and attempt is below 3",
        "complexity is 1 and private is yes and private is no",
        'complexity is 1 and branch is "main" and branch starts with "x"',
        'complexity is 1 and branch starts with "a" and branch starts with "b"',
        "complexity is 1 and requires is vision and requires is nothing",
        "complexity is 1 and domain is sight and domain is none",
        "complexity is 1 and tier is strong and tier is none",
        "complexity is 1 and during office and outside office",
        "complexity is 1 and during office and during closed",
        "complexity is 1 and during office and during nights",
        "complexity is 1 and budget monthly is above 50% and budget monthly is at most $250",
        "complexity is 1 and budget free is below 100%",
        "complexity is 1 and budget monthly is below 0%",
    ],
)
def test_contradictory_conditions_are_told(text: str) -> None:
    """
    Where no request can satisfy all conditions, that is what is wrong with the example.
    """
    found = failures(f"{HEAD}\nexample {text} gives small")

    assert ["this example is no request: no value satisfies all its conditions"] == [d.message for d in found]


def failures(text: str) -> list[Diagnostic]:
    return list(failing_examples(Engine.from_text(text).table))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("private is yes", "this example is no request: `complexity` isn't given"),
        ("complexity is 1", "this example is no request: `owner` isn't given"),
        ("during office", "this example is no request: `complexity` isn't given; `owner` isn't given"),
    ],
)
def test_an_example_without_a_required_fact_is_told(text: str, expected: str) -> None:
    """
    The facts that are missing are named.
    """
    owner = "input owner is text" if "owner" in expected else ""

    assert [expected] == [d.message for d in failures(f"{HEAD}\n{owner}\nexample {text} gives small")]


# --- examples that hold, and that don't -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "gives"),
    [
        ("complexity is 1", "small"),
        ("complexity is 3 to 5", "middle"),
        ("complexity is above 5.9 and complexity is below 6", "middle"),
        ("complexity is 1 and requires is vision", "middle"),
        ("complexity is 1 and requires is vision and requires is json_mode", "large"),
        ("complexity is 1 and tier is strong", "large"),
        ("complexity is 8 and domain is sight", "middle"),
        ('complexity is 1 and branch is "main"', "large"),
        ('complexity is 1 and branch is "main" and outside office', "small"),
        ("complexity is 1 and private is yes", "large"),
        ("complexity is 8 and budget monthly is at least 75%", "middle"),
        ("complexity is 8 and budget monthly is below 75%", "large"),
        ("complexity is 8 and budget daily is at least 66.67%", "small"),
        ("complexity is 8 and budget daily is below 66.67%", "middle"),
        ("complexity is 8 and budget daily is below $1", "large"),
    ],
)
def test_an_example_holds_where_its_chain_starts_as_it_says(text: str, gives: str) -> None:
    """
    One that holds is silent; the same with another model is told with what it gives.
    """
    another = "large" if gives != "large" else "small"

    assert [] == failures(f"{HEAD}\nexample {text} gives {gives}")
    assert [f"this gives {gives}, not {another}"] == [
        d.message for d in failures(f"{HEAD}\nexample {text} gives {another}")
    ]


def test_a_chain_is_compared_as_far_as_the_example_says() -> None:
    """
    The example's models are the start of the chain, in order; a chain that is too short doesn't do.
    """
    text = f"{HEAD}\nfallback to middle, large\nexample complexity is 1 gives"

    assert [] == failures(f"{text} small, middle")
    assert ["this gives small, middle, not small, large"] == [
        d.message for d in failures(f"{text} small, large")
    ]
    assert ["this gives small, middle, large, not small, middle, large, x"] == [
        d.message for d in failures(f"model x is offline/x costs nothing {text} small, middle, large, x")
    ]
    assert ["this gives no model, not small"] == [
        d.message for d in failures(f"{HEAD}\nexample complexity is 1 and requires is pdf gives small")
    ]


# --- the help line ------------------------------------------------------------------------------------------

TEXTS = [
    "complexity is above 2 and complexity is below 2.05",
    "complexity is 1 and tier is none and domain is none",
    "complexity is 1 and tier is strong",
    "complexity is 1 and requires is vision and requires is json_mode",
    'complexity is 1 and ticket is "-1" and branch is ""',
    'complexity is 1 and ticket starts with "--x y"',
    """complexity is 1 and branch starts with "it's $HOME; #" """,
    'complexity is 1 and branch is "main"',
    'complexity is 1 and branch is "main" and outside office',
    "complexity is 1 and during leap and outside busy",
    "complexity is 1 and private is yes and stage is prod and risk is above 4.95",
    "complexity is 8 and budget monthly is above 75%",
    "complexity is 8 and budget daily is at least 66.67%",
    "complexity is 8 and budget daily is below 66.67% and budget monthly is below 0.001%",
    "complexity is 8 and budget daily is at least $0.000000001",
    "complexity is 8 and budget free is above $5 and input_tokens is above 150k and attempt is at least 2",
]


def shown_by(help_line: str | None, folder: Path, **env: str) -> Any:
    """
    What the command of a help line prints as JSON, run in the folder of the policy.
    """
    assert help_line is not None
    words = shlex.split(help_line.removeprefix("see why: "))
    assert ["policyctl", "explain"] == words[:2]
    ran = call(*words[1:], "--json", at=folder, env=env)
    assert "" == ran.err, ran
    return ran.json


@pytest.mark.parametrize("text", TEXTS)
def test_the_help_line_shows_the_chain_that_is_told(text: str, tmp_path: Path) -> None:
    """
    Pasted into a shell, at any hour and with any variables set, it comes to the decision of the example.
    """
    policy = f"{HEAD}\nfallback to middle, large\nexample {text} gives nobody"
    policy = f"model nobody is offline/nobody costs nothing\n{policy}"
    (tmp_path / "policyctl.policy").write_text(policy, encoding="utf-8")
    table = Engine.from_text(policy).table
    case = case_of(table, table.policy.examples[0])
    assert isinstance(case, Case)
    expected = decide(table, case.request, observe(table, case.state))
    [found] = failing_examples(table)

    shown = shown_by(found.help, tmp_path, POLICYCTL_TEST_PRIVATE="yes")

    assert (list(expected.chain), expected.outcome.value) == (shown["chain"], shown["outcome"])


def test_the_help_line_is_short_where_nothing_else_matters(tmp_path: Path) -> None:
    """
    The clock and variables are only written where the policy reads them.
    """
    text = "model m is offline/m costs nothing tier t from complexity 0 has m\n"
    other = "model o is offline/o costs nothing example complexity is 1 gives o"
    (tmp_path / "policyctl.policy").write_text(text + other, encoding="utf-8")
    [found] = failures(text + other)

    assert "see why: policyctl explain --complexity 1" == found.help
    assert ["m"] == shown_by(found.help, tmp_path)["chain"]


# --- at random ----------------------------------------------------------------------------


def random_example(rng: random.Random) -> str:
    """
    Some conditions, of which several may be about the same fact and contradict each other.
    """
    bounds = ("at least", "at most", "above", "below")
    pool = [
        *(
            f"complexity is {rng.choice(bounds)} {rng.choice((0.05, 2, 2.05, 2.5, 6, 9.95))}"
            for _ in range(3)
        ),
        *(f"attempt is {rng.choice(bounds)} {rng.choice((1, 2, 3, 9))}" for _ in range(2)),
        *(f"risk is {rng.choice(bounds)} {rng.choice((1.05, 2, 4.95))}" for _ in range(2)),
        *(
            f"budget daily is {rng.choice(bounds)} {rng.choice(('0%', '33.3%', '66.67%', '$1'))}"
            for _ in range(2)
        ),
        *(
            f"budget monthly is {rng.choice(bounds)} {rng.choice(('50%', '50.001%', '$250'))}"
            for _ in range(2)
        ),
        *(
            f'branch {rng.choice(("is", "starts with"))} "{rng.choice(("", "m", "main", "re/"))}"'
            for _ in range(2)
        ),
        *(
            f"{rng.choice(('during', 'outside'))} {w}"
            for w in some(rng, ("office", "nights", "leap", "busy"), 2, 2)
        ),
        f"requires is {rng.choice(('vision', 'nothing'))}",
        f"requires is {rng.choice(('tools', 'vision'))}",
        f"private is {rng.choice(('yes', 'no'))}",
        f"domain is {rng.choice(('none', 'sight'))}",
        f"tier is {rng.choice(('none', 'medium'))}",
    ]
    return " and ".join([*(["complexity is 0 to 10"] if maybe(rng, 0.9) else []), *some(rng, pool, 1, 5)])


def test_random_examples_give_requests_that_satisfy_them_or_contradict_themselves() -> None:
    """
    A contradiction is told if and only if no value of a fine grid satisfies the conditions of some subject.
    """
    rng = seeded("examples")
    texts = [random_example(rng) for _ in range(max(PAIRS // 600, 50))]
    table = Engine.from_text(HEAD + "".join(f"\nexample {text} gives small" for text in texts)).table
    told = 0
    for text, example in zip(texts, table.policy.examples, strict=True):
        case = case_of(table, example)
        if isinstance(case, Case):
            assert_satisfied(table, case, example.conditions)
        elif "satisfies all" in case:
            told += 1
            assert contradict(table, example.conditions), text
        else:
            assert "complexity" not in text, f"{text}: {case}"

    assert 0 < told < len(texts)


def contradict(table: DecisionTable, conditions: tuple[Condition, ...]) -> bool:
    """
    Whether for one fact, budget or the clock none of many values satisfies all conditions on it.
    """
    base = described("complexity is 1")
    states = [base.state]
    asked = [evaluator.gather(table.policy, base.request)]
    numbers = [n / 40 for n in range(401)]
    texts = ("", "m", "main", "re/", "x")
    for name, values in {
        "complexity": numbers,
        "risk": numbers[40:201],
        "attempt": range(1, 12),
        "branch": texts,
        "private": ("yes", "no"),
        "domain": ("none", "sight", "words"),
        "tier": ("none", "cheap", "medium", "strong"),
        "requires": (
            frozenset(),
            frozenset({"vision"}),
            frozenset({"tools"}),
            frozenset({"tools", "vision"}),
        ),
    }.items():
        mine = [c for c in conditions if getattr(c, "fact", None) == name]
        facts = [replace(asked[0], facts={**asked[0].facts, name: value}) for value in values]
        if not any(all(evaluator.holds(table.policy, a, states[0], c) for c in mine) for a in facts):
            return True
    for budget in table.policy.budgets.values():
        mine = [c for c in conditions if getattr(c, "budget", None) == budget.name]
        cents = (n * 2_500_000 for n in (*range(2_000), 99_999, 100_000, 100_001, 100_002, 200_000))
        spends = [replace(states[0], spend={budget.name: Spend(nusd)}) for nusd in (*cents, 2_331_000_000)]
        if not any(all(evaluator.holds(table.policy, asked[0], s, c) for c in mine) for s in spends):
            return True
    clock = [c for c in conditions if hasattr(c, "window")]
    moments = ("05T12:00", "05T12:01", "05T18:00", "05T18:01", "09T22:00", "09T22:01")
    nows = [f"2026-01-{moment}" for moment in moments]
    nows += [f"2028-02-29T{time}" for time in ("00:00", "00:01", "09:00", "09:01")]
    there = [replace(states[0], now=datetime.fromisoformat(now).replace(tzinfo=table.zone)) for now in nows]
    return not any(all(evaluator.holds(table.policy, asked[0], s, c) for c in clock) for s in there)
