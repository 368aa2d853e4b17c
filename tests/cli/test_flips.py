"""What `explain` says would flip a decision: each command line, pasted, gives just what was announced."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from policyctl.deciding import Engine
from policyctl.schemas.policy import BudgetIn, Condition, During, NumberIn, StartsWith, ValueIs

from .command import EXAMPLES, MONDAY_10, MONDAY_20, call, copy_of_loop

CASES = Path(__file__).resolve().parents[1] / "cases" / "policies"

LOOP = [
    "--complexity 0",
    "--complexity 1 --requires-vision",
    "--complexity 2.95 --private",
    "--complexity 4",
    "--complexity 4 --preferred opus",
    "--complexity 4 --tier powerful --domain vision",
    "--complexity 5 --domain debugging --down litellm/o1 --down sonnet",
    "--complexity 7 --requires-tools --requires-json-mode",
    "--complexity 8 --branch main --no-private",
    "--complexity 8 --input time_rules=yes",
    "--complexity 8 --time_rules yes --gate tests=failed",
    "--complexity 8 --spend monthly=80%",
    "--complexity 8 --spend=monthly=95%",
    "--complexity 8 --spend monthly=$500",
    "--complexity 10 --gate tests=failed --gate tests=failed",
    "--complexity 3 --requires-audio",
    "--complexity 6 --input-tokens 130000 --output-tokens 4000",
    "--complexity 6 --input-tokens 250000",
    "--complexity=1 --available",
    "--complexity 9 --tier cheap --color always",
]
STORIES = [
    "",
    "--spend monthly=76%",
    "--gate tests=failed",
    "--branch main --time-rules",
    "--no-requires-vision --complexity 7",
]
FACTS = [
    "--complexity 1",
    "--complexity 2.5 --private",
    "--complexity 4",
    "--complexity 5 --risk 1.5",
    "--complexity 5 --risk 3.5 --private",
    "--complexity 9.8 --risk 5",
    "--complexity 5 --risk=4.95 --requires-vision",
    "--complexity 7 --branch 'release 1'",
    "--complexity 2 --branch hot/fix --private=no",
    "--complexity 2 --ticket 'it'\"'\"'s $HOME; `x`'",
    "--complexity 2 --dashes=--force",
    "--complexity 3 --dashes a",
    "--complexity 1 --skill sql",
    "--complexity 1 --kind bug --skill sql",
    "--complexity 2 --team-name 'web & co'",
    "--complexity 2 --team_name other",
    "--complexity 2 --input team_name='a b' --kind bug --skill sql",
    "--complexity 2 --attempt 3",
    "--complexity 2 --stage 'the prod'",
    "--complexity 2 --stage 'the prod' --private",
    "--complexity 7 --stage staging",
    "--complexity 7 --requires-audio",
    "--complexity 7 --requires-pdf --domain law",
    "--complexity 7 --tier high",
    "--complexity 1.5 --domain law --private",
    "--complexity 1 --domain vision --input-tokens 60000",
    "--complexity 1 --domain law --output-tokens 9000",
    "--complexity 1 --input-tokens 900 --output-tokens 0",
    "--complexity 1 --gate 'type check=failed' --gate tests=failed:mid",
    "--complexity 3 --requires-vision --requires-json-mode --no-requires-vision",
]
WORLD = [
    "--complexity 1 --at 2026-01-07T12:00",
    "--complexity 8 --at 2026-01-07T23:00",
    "--complexity 8 --at 2026-01-08T23:00 --no-by-clock",
    "--complexity 5 --at 2026-03-29T01:59",
    "--complexity 5 --at 2026-03-29T00:30+00:00",
    "--complexity 5 --at 2026-10-25T02:15",
    "--complexity 5 --at 2026-10-24T23:30",
    "--complexity 5 --at 2026-12-24T08:45",
    "--complexity 5 --at 2026-12-24T09:30",
    "--complexity 5 --at 2026-12-31T23:59:30",
    "--complexity 5 --at 2026-01-07T12:00 --spend monthly=9.99",
    "--complexity 5 --at 2026-01-07T12:00 --spend monthly=10",
    "--complexity 5 --at 2026-01-07T12:00 --spend monthly=$100 --spend daily=50%",
    "--complexity 5 --at 2026-01-07T12:00 --spend monthly=39.99% --spend daily=3.51",
    "--complexity 8 --at 2026-01-07T12:00 --spend monthly=61%",
    "--complexity 8 --at 2026-01-07T12:00 --spend monthly=70.5%",
    "--complexity 8 --at 2026-01-07T12:00 --spend monthly=99.999%",
    "--complexity 8 --at 2026-01-07T12:00 --spend monthly=100%",
    "--complexity 9 --at 2026-01-07T12:00 --spend weekly=1.51 --domain law --spend monthly=20",
    "--complexity 9 --at 2026-01-07T12:00 --spend weekly=100% --domain law",
    "--complexity 4 --at 2026-01-07T12:00 --spend google_month=100% --spend monthly=11",
    "--complexity 8 --at 2026-01-07T12:00 --spend each_run=2 --spend each_story=1 --spend monthly=11",
    "--complexity 8 --at 2026-01-10T12:00 --down medium --down spare --gate tests=failed",
    "--complexity 8 --at 2026-01-07T12:00 --preferred cheap --spend monthly=91%",
]


@pytest.fixture(scope="module", autouse=True)
def policies_are_read_once() -> Iterator[None]:
    """
    Keep the engine of each policy: many command lines about few policies follow.
    """
    engines: dict[tuple[str, ...], Engine] = {}
    load = Engine.load

    def once(*paths: str | Path) -> Engine:
        where = tuple(str(Path(path).resolve()) for path in paths)
        if where not in engines:
            engines[where] = load(*paths)
        return engines[where]

    with patch.object(Engine, "load", once):
        yield


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    examples/claude-loop, alone in a checkout of its own.
    """
    return copy_of_loop(tmp_path_factory.mktemp("flips"))


def explained(words: list[str], at: Path, *, with_flips: bool = True, **env: str) -> dict[str, Any]:
    """
    Explain as JSON; what would flip a flip isn't asked.
    """
    nothing = patch.object(Engine, "flips", return_value=())
    if with_flips:
        ran = call("explain", *words, at=at, env=env)
    else:
        with nothing:
            ran = call("explain", *words, at=at, env=env)
    assert ran.code in (0, 3, 4), ran.err
    document: dict[str, Any] = ran.json
    return document


def untrue(words: list[str], at: Path, **env: str) -> list[str]:
    """
    Run each command that would flip a request, and return those that don't do what was announced.
    """
    now = explained([*words, "--json"], at, **env)
    wrong = []
    for flip in now["flips"]:
        program, verb, *pasted = shlex.split(flip["command"])
        assert ("policyctl", "explain") == (program, verb)
        then = explained(pasted, at, with_flips=False, **env)
        announced = (flip["outcome"], flip["chain"])
        if announced != (then["outcome"], then["chain"]) or announced == (now["outcome"], now["chain"]):
            wrong.append(f"{flip['change']}: {flip['command']} gives {then['outcome']} {then['chain']}")
    return wrong


def stories_of(prd: Path) -> list[str]:
    document = json.loads(prd.read_text(encoding="utf-8"))
    return [str(story["id"]) for story in document["userStories"]]


@pytest.mark.parametrize("line", LOOP)
def test_flips_of_the_loop_are_true(loop: Path, line: str) -> None:
    """
    Each flip of a request to the example gives its chain, by day and at night, with schedules on or off.
    """
    words = shlex.split(line)

    assert [] == untrue([*words, "--at", MONDAY_10], loop, GEMINI_API_KEY="k")
    assert [] == untrue([*words, "--at", MONDAY_20], loop, ENABLE_TIME_RULES="true")


@pytest.mark.parametrize("line", STORIES)
@pytest.mark.parametrize("prd", ["claude-loop/prd.json", "prds/flask-dashboard.json"])
def test_flips_of_stories_are_true(loop: Path, prd: str, line: str) -> None:
    """
    Each flip of each story of the examples gives its chain.
    """
    file = EXAMPLES / prd
    words = [*shlex.split(line), "--at", MONDAY_10, "--prd", str(file)]

    assert {} == {
        story: wrong for story in stories_of(file) if (wrong := untrue(["--story", story, *words], loop))
    }


@pytest.mark.parametrize("line", FACTS)
def test_flips_of_facts_are_true(line: str) -> None:
    """
    Each flip of a fact of any kind gives its chain, whatever a shell makes of its words.
    """
    words = ["--policy", "facts.policy", "--at", "2026-01-05T10:00", *shlex.split(line)]

    assert [] == untrue(words, CASES)


@pytest.mark.parametrize("line", WORLD)
def test_flips_of_the_world_are_true(line: str) -> None:
    """
    Each flip of the clock, a budget, a gate or a model's health gives its chain, when clocks change too.
    """
    assert [] == untrue(["--policy", "clock-and-money.policy", *shlex.split(line)], CASES)
    assert [] == untrue(["--policy", "clock-and-money.policy", *shlex.split(line)], CASES, BY_CLOCK="no")


def test_there_are_flips_of_every_kind() -> None:
    """
    The requests above are flipped by each number both ways, by each other fact, by the clock, by each
    budget, by gates and by a cooldown; so no kind is true only for want of flips.
    """
    kinds = set()
    for policy, lines in (("facts.policy", FACTS), ("clock-and-money.policy", WORLD)):
        for line in lines:
            words = ["--policy", policy, *shlex.split(f"--at 2026-01-05T10:00 {line}"), "--json"]
            for flip in explained(words, CASES)["flips"]:
                option, value = shlex.split(flip["command"])[-2:]
                kinds.add(option if option != "--spend" else f"--spend {value.partition('=')[0]}")

    assert {
        "--complexity",
        "--risk",
        "--ticket",
        "--team-name",
        "--dashes",
        "--stage",
        "--private",
        "--branch",
        "--kind",
        "--skill",
        "--attempt",
        "--domain",
        "--input-tokens",
        "--output-tokens",
        "--by-clock",
        "--at",
        "--gate",
        "--down",
        "--spend monthly",
        "--spend daily",
        "--spend weekly",
        "--spend google_month",
        "--spend each_run",
    } <= {kind for kind in kinds if kind.startswith("--")}


def test_the_page_shows_the_same_commands(loop: Path) -> None:
    """
    The commands on the page are those of the JSON, without --json.
    """
    words = ["--story", "US-042", "--at", MONDAY_10]
    document = explained([*words, "--json"], loop)
    page = call("explain", *words, at=loop).out
    shown = [line.strip() for line in page.splitlines() if line.strip().startswith("policyctl explain ")]

    assert [flip["command"].replace(" --json", "") for flip in document["flips"]] == shown


def conditions_of(policy: Path) -> set[str]:
    """
    What kinds of condition a policy has, told apart by all that changes what they mean.
    """
    found: set[str] = set()
    statements = [*Engine.load(policy).policy.rules, *Engine.load(policy).policy.limits]
    for condition in (c for s in statements for conditions in s.when for c in conditions):
        found.add(kind_of(condition))
    return found


def kind_of(condition: Condition) -> str:
    name = type(condition).__name__
    flags = {f.name for f in fields(condition) if getattr(condition, f.name) is True}
    if isinstance(condition, ValueIs) and len(condition.values) > 1:
        flags.add("many")
    if isinstance(condition, NumberIn | BudgetIn):
        flags |= {side for side in ("low", "high") if getattr(condition, side) is not None}
    return " ".join((name, *sorted(flags)))


def test_the_cases_have_every_kind_of_condition() -> None:
    """
    The two policies of this file have every form of condition that the language has.
    """
    found = conditions_of(CASES / "facts.policy") | conditions_of(CASES / "clock-and-money.policy")

    assert {During, StartsWith, ValueIs, NumberIn, BudgetIn} <= {
        kind
        for kind in (During, StartsWith, ValueIs, NumberIn, BudgetIn)
        if any(name.split()[0] == kind.__name__ for name in found)
    }
    assert {
        "During",
        "During negated",
        "StartsWith",
        "ValueIs",
        "ValueIs negated",
        "ValueIs many",
        "ValueIs many negated",
        "NumberIn high low",
        "NumberIn high low negated",
        "NumberIn low",
        "NumberIn low low_open",
        "NumberIn high",
        "NumberIn high high_open",
        "BudgetIn low low_open",
        "BudgetIn in_money low",
        "BudgetIn high in_money",
        "BudgetIn high high_open",
        "BudgetIn high high_open in_money",
    } <= found
