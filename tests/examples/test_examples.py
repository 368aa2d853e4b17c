"""
Every policy under examples/ does what a reader of it expects: it checks clean, plans its PRD and explains
each story. A folder with a prd.json is an example; its policy has the folder's name.
"""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from policyctl import Engine
from policyctl.engine.order import family
from policyctl.engine.stories import read_prd, story_request
from policyctl.schemas.story import Story

from ..cli.command import EXAMPLES, MONDAY_10, Ran, call

HOMES = sorted(prd.parent for prd in EXAMPLES.rglob("prd.json"))
DELEGATING = [home for home in HOMES if "subtasks" in (home / "prd.json").read_text(encoding="utf-8")]
PRICES_OF_THEN = {"claude-loop": {"P801", "P803", "P805"}}
"""What the price catalogue says where an example keeps models that are gone and prices of their days."""

home = pytest.mark.parametrize("home", HOMES, ids=lambda path: path.name)


def policy_of(home: Path) -> Path:
    return home / f"{home.name}.policy"


def run(home: Path, *words: str) -> Ran:
    return call(*words, "--policy", str(policy_of(home)), at=home)


@lru_cache
def engine_of(home: Path) -> Engine:
    return Engine.load(policy_of(home))


def stories_of(home: Path) -> list[Story]:
    prd = read_prd((home / "prd.json").read_text(encoding="utf-8"), "prd.json")

    assert () == prd.problems
    return list(family(prd.stories))


def every(rows: list[Any]) -> list[Any]:
    return [one for row in rows for one in (row, *every(row["subtasks"]))]


def test_every_example_is_met() -> None:
    """
    Each policy, YAML file and PRD under examples/ belongs to one of the examples tested here.
    """
    names = {home.relative_to(EXAMPLES).as_posix() for home in HOMES}
    mains = {path for home in HOMES for path in (policy_of(home), policy_of(home).with_suffix(".yaml"))}
    policies = {p for suffix in ("*.policy", "*.yaml") for p in EXAMPLES.rglob(suffix)}
    tests = {home / f"{home.name}.test.yaml" for home in HOMES}
    read = {Path(source.name) for home in HOMES for source in engine_of(home).sources}

    assert {"claude-loop", "today", "team", "case-studies/web-app"} <= names
    assert set() == policies - mains - read - tests


@home
def test_it_checks_clean(home: Path) -> None:
    """
    No finding at all; in examples that mirror older figures none but on models that are gone and prices.
    """
    file = policy_of(home).name
    ran = call("validate", "--at", "2026-11-24", "--output-format", "json", file, at=home)
    codes = {found["code"] for found in ran.json["diagnostics"]}

    assert (0, PRICES_OF_THEN.get(home.name, set())) == (ran.code, codes)


@home
def test_its_tests_pass_and_would_notice(home: Path) -> None:
    """
    Its test file passes, reaches every statement and condition, and notices each change of the policy.
    """
    ran = call("test", "--coverage", "--mutate", "--json", at=home)
    tested = ran.json["policies"][0]
    mutation = tested["mutation"]

    assert 0 == ran.code
    assert tested["coverage"]["reached"] == tested["coverage"]["total"]
    assert mutation["noticed"] == mutation["total"] > 10


@home
def test_its_twin_is_equal(home: Path) -> None:
    """
    Where the policy is there in YAML too, both give the same policy.
    """
    twin = policy_of(home).with_suffix(".yaml")
    if home.name in ("claude-loop", "today") or twin.exists():
        assert engine_of(home).policy.digest == Engine.load(twin).policy.digest


@home
def test_its_prd_is_planned(home: Path) -> None:
    """
    Each story and sub-task of the PRD is served, nothing is odd, and every model it goes to is the policy's.
    """
    ran = run(home, "plan", "--all", "--at", MONDAY_10, "--json")
    rows = every(ran.json["stories"])

    assert (0, []) == (ran.code, ran.json["problems"])
    assert {story.id for story in stories_of(home)} == {row["id"] for row in rows}
    assert {"served"} == {row["outcome"] for row in rows}
    assert {row["model"] for row in rows} <= set(engine_of(home).policy.models)


@home
def test_each_story_is_explained(home: Path) -> None:
    """
    For each story the explanation says why the first model is the first, and gives the chain of the decision.
    """
    engine = engine_of(home)
    for story in read_prd((home / "prd.json").read_text(encoding="utf-8"), "prd.json").stories:
        request = story_request(engine.policy, story)
        explanation = engine.explain(request)

        assert engine.decide(request) == explanation.decision
        assert explanation.decision.chain == tuple(step.model for step in explanation.steps)
        assert all(step.reason for step in explanation.steps)


@home
def test_it_is_explained_on_the_page(home: Path) -> None:
    """
    `explain` takes the example's stories as they are.
    """
    first = stories_of(home)[0]
    ran = run(home, "explain", "--story", first.id, "--at", MONDAY_10)

    assert (0, "") == (ran.code, ran.err)
    assert ran.out.startswith(f"{first.id}  {first.title}\n-> ")


@pytest.mark.parametrize(
    "home", [home for home in HOMES if "subtasks" in (home / "prd.json").read_text("utf-8")]
)
def test_a_sub_task_is_selected_as_it_is_planned(home: Path) -> None:
    """
    `select` and `plan` give a sub-task the same chain, inside its story's hard limits.
    """
    rows = every(run(home, "plan", "--json", "--at", MONDAY_10).json["stories"])
    subtasks = {row["id"]: row["chain"] for row in rows if "/" in row["id"]}

    assert subtasks
    for name, chain in subtasks.items():
        assert chain == run(home, "select", "--story", name, "--at", MONDAY_10, "--json").json["chain"]


# --- the case studies

STUDIES = {
    "web-app": {
        "models": {"claude-haiku": (15, "0.375"), "claude-sonnet": (10, "6"), "claude-opus": (5, "22.5")},
        "tokens": (2_500_000, 500_000),
        "total": ("28.875", "$28.88"),
        "baseline": ("75", "$75.00"),
        "saving": ("46.125", "$46.12"),
        "percent": "61.5% less",
    },
    "data-pipeline": {
        "models": {
            "deepseek-chat": (60, "1.176"),
            "claude-haiku": (25, "1.25"),
            "claude-sonnet": (10, "6"),
            "claude-opus": (5, "15"),
        },
        "tokens": (10_000_000, 2_000_000),
        "total": ("23.426", "$23.43"),
        "baseline": ("300", "$300.00"),
        "saving": ("276.574", "$276.57"),
        "percent": "92.2% less",
    },
    "vision-app": {
        "models": {"litellm/gpt-4o": (40, "9")},
        "tokens": (2_000_000, 400_000),
        "total": ("9", "$9.00"),
        "baseline": ("60", "$60.00"),
        "saving": ("51", "$51.00"),
        "percent": "85.0% less",
    },
}
"""Each study's figures by its price list, and as the page shows them."""

study = pytest.mark.parametrize(("name", "expected"), STUDIES.items(), ids=list(STUDIES))


def test_every_study_has_its_figures() -> None:
    """
    No folder of case-studies/ goes without figures here.
    """
    assert set(STUDIES) == {home.name for home in HOMES if home.parent.name == "case-studies"}


@study
def test_a_study_costs_what_it_says(name: str, expected: dict[str, Any]) -> None:
    """
    Stories, tokens, the cost of each model, total, baseline and saving of a case study are exact.
    """
    home = EXAMPLES / "case-studies" / name
    totals = run(home, "plan", "--json").json["totals"]
    groups = csv.DictReader(StringIO(run(home, "plan", "--by", "model", "--csv").out))

    assert expected["models"] == {g["model"]: (int(g["requests"]), g["cost_usd"]) for g in groups}
    assert expected["tokens"] == (totals["input_tokens"], totals["output_tokens"])
    for key in ("total", "baseline", "saving"):
        exact = Decimal(totals[f"{'cost' if key == 'total' else key}_nusd"]) / 10**9
        assert Decimal(expected[key][0]) == exact, key


@study
@pytest.mark.parametrize("by", ["", "model"])
def test_a_study_shows_what_it_costs(name: str, expected: dict[str, Any], by: str) -> None:
    """
    The page of a case study shows total, baseline and saving in cents, and the saving in percent.
    """
    out = run(EXAMPLES / "case-studies" / name, "plan", *(("--by", by) if by else ())).out
    sums = {line.split("  ")[0]: line for line in out.splitlines() if "$" in line}

    assert f" {expected['total'][1]} " in sums["Total"]
    assert f" {expected['baseline'][1]} " in sums["On claude-opus"]
    assert f" {expected['saving'][1]} " in sums["Saving"]
    assert sums["Saving"].endswith(expected["percent"])


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_routed_and_not_told(name: str) -> None:
    """
    No story of a case study names a model or tier: complexity, domain, needs and inputs choose.
    """
    home = EXAMPLES / "case-studies" / name
    stories = json.loads((home / "prd.json").read_text(encoding="utf-8"))["userStories"]

    assert {((), None)} == {(story.models, story.tier) for story in stories_of(home)}
    assert len(stories) == len({story["title"] for story in stories})
    assert all({"input", "output"} == set(story["estimatedTokens"]) for story in stories)
