"""The main job, through the command: from a policy and a real PRD to an explained chain."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .command import EXAMPLES, MONDAY_10, MONDAY_20, Ran, call, chain_of, copy_of_loop, spawn

FALLBACK = ["claude-sonnet", "litellm/gpt-4o", "claude-code-cli"]
US_042 = ["gemini-flash", "claude-opus", *FALLBACK]
BY_TIME = {"ENABLE_TIME_RULES": "true"}

PRDS = [EXAMPLES / "claude-loop" / "prd.json", *sorted(EXAMPLES.glob("prds/*.json"))]


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    examples/claude-loop, alone in a checkout of its own.
    """
    return copy_of_loop(tmp_path_factory.mktemp("main_job"))


def select(loop: Path, *words: str, **env: str) -> Ran:
    return call("select", *words, at=loop, env=env)


def selected(loop: Path, *words: str, **env: str) -> dict[str, Any]:
    ran = select(loop, *words, "--json", **env)
    assert (0, "") == (ran.code, ran.err)
    document: dict[str, Any] = ran.json
    return document


# --- the first model -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("--complexity 1", "deepseek-chat"),
        ("--complexity 4", "gemini-pro"),
        ("--complexity 8", "litellm/o1"),
        ("--complexity 2 --requires-vision", "gemini-flash"),
        ("--complexity 3 --requires-json-mode", "gemini-pro"),
        ("--complexity 7 --requires-tools", "claude-opus"),
    ],
)
def test_select_gives_the_cheapest_model_of_the_tier_that_can(loop: Path, words: str, first: str) -> None:
    """
    With nothing spent, no branch and no time rules, complexity and capabilities alone choose the model.
    """
    assert first == selected(loop, *words.split())["model"]


def test_select_prints_six_lines(loop: Path) -> None:
    """
    Without --json, `select` prints the six lines of the source document in their order.
    """
    ran = select(loop, "--complexity", "4")
    labels = [line.split(":")[0] for line in ran.out.splitlines()]

    assert (0, "") == (ran.code, ran.err)
    assert [
        "Provider",
        "Model",
        "Reasoning",
        "Fallback chain",
        "Estimated cost",
        "Selection time",
    ] == labels
    assert ran.out.startswith("Provider: google\nModel: gemini-pro\nReasoning: complexity 4, tier medium")
    assert ["gemini-pro", *FALLBACK] == chain_of(ran)


def test_fallback_chain_is_the_model_and_then_the_list(loop: Path) -> None:
    """
    `fallback-chain --provider M` is M followed by the fallback list, on one line.
    """
    ran = call("fallback-chain", "--provider", "litellm/gpt-4o-mini", at=loop)

    assert Ran(0, "litellm/gpt-4o-mini -> claude-sonnet -> litellm/gpt-4o -> claude-code-cli\n", "") == ran


def test_us_042_goes_to_the_models_of_its_domain(loop: Path) -> None:
    """
    US-042 (complexity 5, domain large_context) gets the domain's models, then the fallback list.
    """
    assert US_042 == selected(loop, "--story", "US-042")["chain"]


def test_us_042_is_explained(loop: Path) -> None:
    """
    `explain` says who answers US-042, what each step costs, why, and what would flip it.
    """
    ran = call("explain", "--story", "US-042", "--at", MONDAY_10, at=loop)
    lines = ran.out.splitlines()
    steps = [line.split() for line in lines if line[:4].strip().isdigit()]

    assert (0, "") == (ran.code, ran.err)
    assert "US-042  Analyze codebase architecture" == lines[0]
    assert US_042 == [step[1] for step in steps]
    assert ["$0.0006", "$0.1050", "$0.0210", "$0.0150", "$0.0210"] == [step[3] for step in steps]
    assert {"Chain", "Why", "Not in the chain", "What would flip it"} <= set(lines)


# --- money ---------------------------------------------------------------------------------------------


def test_at_80_percent_the_tier_is_one_lower(loop: Path) -> None:
    """
    At 80 % of the monthly budget complexity 8 goes to the medium tier.
    """
    answer = selected(loop, "--complexity", "8", "--spend", "monthly=80%")

    assert "gemini-pro" == answer["model"]
    assert ("medium", True) == (answer["tier"], answer["downgraded"])


def test_at_95_percent_claude_haiku_is_alone(loop: Path) -> None:
    """
    At 95 % of the monthly budget only claude-haiku is left, without a fallback.
    """
    assert ["claude-haiku"] == selected(loop, "--complexity", "8", "--spend", "monthly=95%")["chain"]


@pytest.mark.parametrize("spent", ["monthly=100%", "monthly=500", "monthly=$500", "monthly=1,000"])
@pytest.mark.parametrize("verb", ["select", "explain"])
def test_at_100_percent_a_budget_refuses(loop: Path, verb: str, spent: str) -> None:
    """
    Once the monthly budget is used up nobody serves, the exit code is 4, and the page says until when.
    """
    ran = call(verb, "--complexity", "8", "--spend", spent, "--at", MONDAY_10, at=loop)

    assert 4 == ran.code
    assert "refused by budget: budget monthly is used up" in ran.out + ran.err
    assert "until Sun 01 Feb 2026 00:00 EST" in ran.out + ran.err


def test_levels_start_at_their_percent(loop: Path) -> None:
    """
    A level holds from its percent on: a hair below it doesn't.
    """
    below = selected(loop, "--complexity", "8", "--spend", "monthly=74.99%")
    at = selected(loop, "--complexity", "8", "--spend", "monthly=75%")

    assert ("litellm/o1", "gemini-pro") == (below["model"], at["model"])


# --- time and place ------------------------------------------------------------------------------------


def test_office_hours_use_the_cheap_tier(loop: Path) -> None:
    """
    With ENABLE_TIME_RULES=true, Monday at 10:00 in New York sends complexity 8 to the cheap tier.
    """
    answer = selected(loop, "--complexity", "8", "--at", MONDAY_10, **BY_TIME)

    assert ("cheap", "development_hours") == (answer["tier"], answer["rule"])


def test_off_hours_use_the_medium_tier(loop: Path) -> None:
    """
    With ENABLE_TIME_RULES=true, Monday at 20:00 in New York sends complexity 1 to the medium tier.
    """
    answer = selected(loop, "--complexity", "1", "--at", MONDAY_20, **BY_TIME)

    assert ("medium", "off_hours") == (answer["tier"], answer["rule"])


def test_the_clock_is_that_of_the_policy(loop: Path) -> None:
    """
    15:00 UTC is 10:00 in New York, where the policy lives, whatever the zone of the machine.
    """
    answer = selected(loop, "--complexity", "8", "--at", "2026-01-05T15:00+00:00", TZ="Asia/Tokyo", **BY_TIME)

    assert "development_hours" == answer["rule"]


def test_time_rules_are_off_unless_asked_for(loop: Path) -> None:
    """
    Without ENABLE_TIME_RULES no schedule acts.
    """
    answer = selected(loop, "--complexity", "8", "--at", MONDAY_10)

    assert ("powerful", None) == (answer["tier"], answer["rule"])


@pytest.mark.parametrize("env", [{}, BY_TIME], ids=["time rules off", "time rules on"])
@pytest.mark.parametrize(
    "moment", [f"2026-01-{day}T{hour}:00" for day in ("05", "10") for hour in ("00", "10", "20")]
)
def test_the_main_branch_is_powerful_at_any_hour(loop: Path, moment: str, env: dict[str, str]) -> None:
    """
    A release branch goes to the powerful tier by day and night, at the weekend, with schedules on or off.
    """
    answer = selected(loop, "--complexity", "1", "--branch", "main", "--at", moment, **env)

    assert ("powerful", "production_deploy") == (answer["tier"], answer["rule"])


# --- JSON ------------------------------------------------------------------------------------------------


def test_select_json_has_what_a_loop_needs(loop: Path) -> None:
    """
    `select --json` has the model, its provider and tier, the chain, the rule, the cost, the reasons and the
    digest of the policy.
    """
    answer = selected(loop, "--story", "US-042", "--branch", "main")

    assert {
        "model",
        "provider",
        "tier",
        "chain",
        "rule",
        "cost_estimate_usd",
        "reasons",
        "policy_digest",
    } <= set(answer)
    assert ("gemini-flash", "google", "powerful") == (answer["model"], answer["provider"], answer["tier"])
    assert (US_042, "production_deploy", 0.0006) == (
        answer["chain"],
        answer["rule"],
        answer["cost_estimate_usd"],
    )
    assert "rule production_deploy matches: use tier powerful" in answer["reasons"]
    assert set(str(answer["policy_digest"])) <= set("0123456789abcdef")


def test_gpt_4o_costs_a_cent_and_a_half(loop: Path) -> None:
    """
    gpt-4o's default estimate, 2,000 tokens in and 1,000 out, is $0.0150.
    """
    ran = select(loop, "--complexity", "4", "--preferred", "litellm/gpt-4o")

    assert "Estimated cost: $0.0150" in ran.out.splitlines()
    assert 0.015 == selected(loop, "--complexity", "4", "--preferred", "gpt-4o")["cost_estimate_usd"]


def test_a_story_brings_its_own_tokens(loop: Path) -> None:
    """
    The cost of a story with estimatedTokens is that of its tokens: 50,000 in and 10,000 out for gpt-4o.
    """
    answer = selected(loop, "--story", "US-039")

    assert ("litellm/gpt-4o", 0.225) == (answer["model"], answer["cost_estimate_usd"])


# --- the examples ------------------------------------------------------------------------------------


def stories() -> list[tuple[Path, str]]:
    found = []
    for prd in PRDS:
        document = json.loads(prd.read_text(encoding="utf-8"))
        listed = document.get("userStories") or document["stories"]
        found += [(prd, str(story["id"])) for story in listed]
    return found


@pytest.mark.parametrize(("prd", "story"), stories(), ids=lambda value: getattr(value, "name", value))
def test_every_story_is_explained(loop: Path, prd: Path, story: str) -> None:
    """
    Every story of these PRDs gets a chain, or a refusal that says why.
    """
    ran = call("explain", "--prd", str(prd), "--story", story, at=loop)

    assert ran.code in (0, 3, 4), ran.err
    assert ran.out.startswith(f"{story}  ")
    assert "\n-> " in ran.out
    assert "\nWhy\n" in ran.out


def test_a_story_that_nobody_can_serve_says_why(loop: Path, tmp_path: Path) -> None:
    """
    A story that can't be routed ends with exit code 3, each model with what removed it.
    """
    prd = tmp_path / "prd.json"
    story = {"id": "S-1", "title": "Hear", "complexity": 2, "required_capabilities": ["audio"]}
    prd.write_text(json.dumps({"userStories": [story]}), encoding="utf-8")
    ran = call("explain", "--prd", str(prd), "--story", "S-1", at=loop)

    assert 3 == ran.code
    assert "no model: " in ran.out
    removed = ran.out.partition("Not in the chain\n")[2].partition("\n\n")[0].splitlines()
    assert 13 == len(removed)
    assert all("audio" in line for line in removed)


# --- as a process ------------------------------------------------------------------------------------


def test_a_process_of_its_own_says_the_same(loop: Path) -> None:
    """
    What the entry point prints in a fresh process is what it prints here.
    """
    words = ("explain", "--story", "US-042", "--at", MONDAY_10)

    assert call(*words, at=loop) == spawn(*words, at=loop)


def test_a_process_ends_with_the_exit_code(loop: Path) -> None:
    """
    A shell sees exit code 4 where a budget refuses.
    """
    ran = spawn("select", "--complexity", "8", "--spend", "monthly=100%", at=loop)

    assert (4, "") == (ran.code, ran.out)


def test_the_installed_script_is_the_command(loop: Path) -> None:
    """
    Where the package is installed, a program `policyctl` stands beside Python and does the same.
    """
    script = Path(sys.executable).with_name("policyctl")
    if not script.is_file():
        pytest.skip("policyctl isn't installed here, only importable")
    done = subprocess.run(
        [script, "fallback-chain", "--provider", "gpt-4o-mini"],
        cwd=loop,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "litellm/gpt-4o-mini -> claude-sonnet -> litellm/gpt-4o -> claude-code-cli\n", "") == (
        done.returncode,
        done.stdout,
        done.stderr,
    )
