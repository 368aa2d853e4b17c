"""`policyctl test`: which files are run, what is told of them, and how a run ends."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

import policyctl

from .command import ENTRY, Ran, call, copy_of_loop

SCHEMAS = Path(policyctl.__file__).parent / "schemas"

POLICY = """\
policy "small" version 1
model small is offline/small costs $1 in, $1 out can nothing
model large is offline/large costs $2 in, $2 out can vision
model gone is offline/gone costs $2 in, $2 out can nothing disabled
tier low  from complexity 0 has small
tier high from complexity 5 has large, gone
input stage is one of dev, prod default dev
input risk is 1 to 5
input trusted is yes or no default no from env TRUSTED
domain law prefers small
rule production when stage is prod use tier high
never use small when risk is at least 4  because "Too risky."
budget daily is $10 per day
  at 50% downgrade 1 tier
  at 100% pause
escalate to next tier when gate tests fails
fallback to small
"""
CASES = """\
defaults:
  facts: {risk: 1}
cases:
  - name: small work
    facts: {complexity: 1}
    expect: {first: small, tier: low, rule: none}
  - name: production
    facts: {complexity: 1, stage: prod}
    expect: {first: large, rule: production}
"""


def schema(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return document


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    A checkout with one policy, and no test file yet.
    """
    (tmp_path / ".git").mkdir()
    write(tmp_path, "small.policy", POLICY)
    return tmp_path


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    examples/claude-loop, alone in a checkout of its own.
    """
    return copy_of_loop(tmp_path_factory.mktemp("test"))


def one_case(text: str) -> str:
    """
    A file with one case, which says this beside its name.
    """
    return "cases:\n  - name: a case\n" + "".join(f"    {line}\n" for line in text.splitlines())


def run(here: Path, text: str, *words: str) -> Ran:
    """
    Run a test file of this text.
    """
    write(here, "small.test.yaml", text)
    return call("test", "small.test.yaml", *words, at=here)


def findings(here: Path, text: str) -> list[tuple[str, int, int, str]]:
    """
    Return code, line, column and message of what is wrong with a test file; a wrong one is exit code 2.
    """
    ran = run(here, text, "--json")
    assert 2 == ran.code, ran.out
    found = ran.json["diagnostics"]
    starts = [(d["location"] or {}).get("start") or {"line": 0, "column": 0} for d in found]
    return [
        (d["code"], start["line"], start["column"], d["message"])
        for d, start in zip(found, starts, strict=True)
    ]


# --- a run ------------------------------------------------------------------------------------------------


def test_all_passed_is_0(here: Path) -> None:
    """
    Where every case passes, one line counts them, and the exit code is 0.
    """
    ran = run(here, CASES)

    assert (0, "2 passed\n", "") == (ran.code, ran.out, ran.err)


def test_a_failure_is_1_and_says_why(here: Path) -> None:
    """
    A case that fails shows its line, what was expected and what came, the reason, and a command.
    """
    ran = run(here, CASES.replace("first: small, tier: low", "first: large, tier: low"))

    assert (1, "") == (ran.code, ran.err)
    assert ran.out == (
        "FAILED small.test.yaml:4: small work\n"
        "  first  expected large, got small\n"
        "  why    small: the cheapest that can serve\n"
        "         large: in tier high, the request is in low\n"
        "  see    policyctl explain --policy small.policy --complexity 1 --risk 1 --trusted no\n"
        "\n"
        "1 passed, 1 failed\n"
    )


def test_verbose_lists_what_passes(here: Path) -> None:
    """
    --verbose has each case that passes with its chain.
    """
    ran = run(here, CASES, "--verbose")

    assert 0 == ran.code
    assert "ok  small.test.yaml:4: small work  small\n" in ran.out
    assert "ok  small.test.yaml:7: production  large -> small\n" in ran.out


def test_fail_fast_stops(here: Path) -> None:
    """
    --fail-fast ends the run at the first failure.
    """
    ran = run(here, CASES.replace("first: small", "first: large"), "--fail-fast")

    assert 1 == ran.code
    assert ran.out.endswith("\n1 failed\n")


def test_k_selects_by_name(here: Path) -> None:
    """
    -k takes the cases with a text in their name, in whatever case; none is no success.
    """
    some, none = run(here, CASES, "-k", "PROD"), run(here, CASES, "-k", "nonesuch")

    assert (0, "1 passed\n") == (some.code, some.out)
    assert (2, "") == (none.code, none.out)
    assert "no case has `nonesuch` in its name" in none.err


@pytest.mark.parametrize(
    ("expectation", "what"),
    [
        ("chain: [large, small]", "chain"),
        ("chain: large", "chain"),
        ("starts_with: large", "starts_with"),
        ("first: large", "first"),
        ("not: small", "not"),
        ("tier: high", "tier"),
        ("rule: production", "rule"),
        ("outcome: refused by budget", "outcome"),
        ("costs_at_most: $0.0029", "costs_at_most"),
        ("why: quality", "why"),
    ],
)
def test_each_expectation_can_fail(here: Path, expectation: str, what: str) -> None:
    """
    Whatever a case can expect, it fails where something else comes out, and says which expectation it was.
    """
    ran = run(here, one_case(f"facts: {{complexity: 1, risk: 1}}\nexpect: {{{expectation}}}"), "--json")

    assert 1 == ran.code
    assert [what] == [m["what"] for m in ran.json["policies"][0]["cases"][0]["mismatches"]]


@pytest.mark.parametrize(
    "text",
    [
        "facts: {complexity: 1, risk: 1}\nexpect: {chain: small, first: small, not: large, tier: low, "
        "rule: none, outcome: served, costs_at_most: 0.003, why: [The cheapest, no level is reached]}",
        "facts: {complexity: 5, risk: 5}\nexpect: {chain: large, why: Too risky}",
        "facts: {complexity: 5, risk: 1, requires: [vision]}\nexpect: {chain: [large]}",
        "facts: {complexity: 5, risk: 1}\nspend: {daily: 50%}\nexpect: {first: small}",
        "facts: {complexity: 5, risk: 1}\nspend: {daily: $4.99}\nexpect: {first: large}",
        "facts: {complexity: 5, risk: 1}\nspend: {daily: 10}\nexpect: {outcome: refused by budget}",
        "facts: {complexity: 1, risk: 1, tier: high}\nspend: {daily: 50%}\nexpect: {tier: high}",
        "facts: {complexity: 1, risk: 1}\nfailed: gate tests\nexpect: {first: large}",
        "facts: {complexity: 1, risk: 1}\nfailed: [gate tests in high]\nexpect: {why: no way up}",
        "facts: {complexity: 1, risk: 1}\nfailed: timeout\nexpect: {first: small}",
        "facts: {complexity: 5, risk: 1}\ndown: large\nexpect: {chain: [small, large]}",
        "facts: {complexity: 5, risk: 1}\navailable: small\nexpect: {chain: small}",
        "facts: {complexity: 5, risk: 1}\navailable: []\nexpect: {outcome: no model}",
        "facts: {complexity: 1, risk: 1}\npreferred: large\nexpect: {chain: large, small}",
        "facts: {complexity: 5, risk: 1, domain: law}\nexpect: {why: domain law prefers it}",
        "facts: {complexity: 5, risk: 1, domain: none, tier: none, trusted: true}\nexpect: {first: large}",
        "facts: {complexity: 1, risk: 1, input_tokens: 10k, output_tokens: 0}\nexpect: {costs_at_most: 0.01}",
        "facts: {complexity: 1, risk: 1}\nmatrix: {stage: [dev], at: [2026-01-05]}\nexpect: {not: gone}",
    ],
)
def test_each_key_counts(here: Path, text: str) -> None:
    """
    What a case may say of its request and its world is what is asked.
    """
    text = text.replace("{chain: large, small}", "{chain: [large, small]}")
    ran = run(here, one_case(text))

    assert 0 == ran.code, ran.out


def test_a_matrix_is_every_combination(here: Path) -> None:
    """
    A matrix runs its case for each combination, under a name that says which.
    """
    matrix = "matrix: {complexity: [1, 9], spend: [{daily: 0}, {daily: 60%}]}"
    text = f"facts: {{risk: 1}}\n{matrix}\nexpect: {{first: small}}"
    ran = run(here, one_case(text), "--json")
    ended = {case["name"]: case["passed"] for case in ran.json["policies"][0]["cases"]}

    assert {
        "a case [complexity 1, spend daily 0]": True,
        "a case [complexity 1, spend daily 60%]": True,
        "a case [complexity 9, spend daily 0]": False,
        "a case [complexity 9, spend daily 60%]": True,
    } == ended


def test_a_case_is_the_same_everywhere(here: Path) -> None:
    """
    Variables, keys and the clock of the machine change nothing.
    """
    write(here, "small.policy", POLICY + "rule free when trusted is yes use large\n")
    write(here, "small.test.yaml", CASES)
    ran = call("test", at=here, env={"TRUSTED": "yes"})

    assert 0 == ran.code, ran.out


def test_without_a_time_it_is_monday_noon(here: Path) -> None:
    """
    A case that says nothing of the clock is on Monday, 5 January 2026, 12:00 in the policy's zone.
    """
    clock = (
        'timezone Asia/Kolkata\nwindow noon is cron "0 12 5 1 mon"\nrule at_noon when during noon use large\n'
    )
    write(here, "small.policy", POLICY + clock)
    ran = run(here, one_case("facts: {complexity: 1, risk: 1}\nexpect: {rule: at_noon}"))

    assert 0 == ran.code, ran.out


# --- stories ------------------------------------------------------------------------------------------------


def test_stories_are_cases(here: Path) -> None:
    """
    A story of a PRD is a request; the facts of the case stand in place of what it says.
    """
    stories = [
        {"id": "S-1", "complexity": 1, "risk": 2, "tier": "high"},
        {"id": "S-2", "complexity": 9, "risk": 2, "required_capabilities": ["vision"]},
    ]
    write(here, "plans/prd.json", json.dumps({"userStories": stories}))
    text = """\
prd: plans/prd.json
cases:
  - name: as it is
    matrix: {story: [S-1, S-2]}
    expect: {tier: high}
  - name: the tier of a person
    story: S-1
    facts: {tier: low}
    expect: {tier: low}
  - name: no tier
    story: S-1
    facts: {tier: none}
    expect: {tier: low}
  - name: less is required
    story: S-2
    facts: {requires: nothing, complexity: 1}
    expect: {first: small}
"""
    ran = run(here, text, "--verbose")

    assert 0 == ran.code, ran.out


def test_a_story_stands_above_the_defaults(here: Path) -> None:
    """
    Defaults fill in what a story doesn't say; the facts of a case replace what it says.
    """
    story = {"id": "S-1", "complexity": 9, "risk": 5, "tier": "low", "required_capabilities": ["vision"]}
    write(here, "prd.json", json.dumps({"userStories": [story]}))
    text = """\
defaults:
  facts: {complexity: 1, risk: 1, stage: prod, tier: high, requires: nothing}
cases:
  - name: the story's own
    story: S-1
    expect: {rule: production, why: ["low: the story asks for it", Too risky, nobody in low is able]}
  - name: the case's own
    story: S-1
    facts: {stage: dev, requires: nothing, risk: 1}
    expect: {rule: none, first: small}
"""
    ran = run(here, text)

    assert 0 == ran.code, ran.out


def test_a_sub_task_is_bound_by_its_story(here: Path) -> None:
    """
    A sub-task takes inputs and hard limits from its story; what a case says of inputs, branch and tier is
    said of both; and the command of the case asks the same.
    """
    below = {"id": "S-1/1", "title": "a part", "complexity": 1, "stage": "dev"}
    story = {"id": "S-1", "complexity": 9, "risk": 5, "delegation": {"subtasks": [below]}}
    write(here, "prd.json", json.dumps({"userStories": [story]}))
    text = """\
defaults:
  facts: {risk: 1}
cases:
  - name: bound
    story: S-1/1
    expect: {outcome: no model, why: Too risky}
  - name: free
    story: S-1/1
    facts: {risk: 2}
    expect: {first: small}
  - name: in a tier
    story: S-1/1
    facts: {tier: low, risk: 2, stage: prod}
    expect: {first: small, rule: production}
"""
    ran = run(here, text, "--coverage", "--json")
    told = ran.json["policies"][0]
    shown = [call(*shlex.split(case["command"])[1:], "--json", at=here) for case in told["cases"]]
    goals = {(goal["statement"], goal["wanted"]): goal["reached"] for goal in told["coverage"]["goals"]}

    assert 0 == ran.code, ran.out
    assert [case["chain"] for case in told["cases"]] == [each.json["chain"] for each in shown]
    assert goals["never use small", "changes an answer"]


def test_the_prd_is_found_from_the_test_file(here: Path) -> None:
    """
    Where no PRD is named, prd.json is found from the test file's folder upward.
    """
    write(here, "prd.json", json.dumps({"userStories": [{"id": "S-1", "complexity": 1, "risk": 1}]}))
    write(here, "tests/a.test.yaml", one_case("story: S-1\nexpect: {first: small}"))

    assert 0 == call("test", at=here).code


# --- files --------------------------------------------------------------------------------------------------


def names(here: Path, *words: str) -> list[str]:
    ran = call("test", *words, "--json", at=here)
    assert ran.code in (0, 1), ran.out + ran.err
    return [case["name"] for policy in ran.json["policies"] for case in policy["cases"]]


def named(name: str) -> str:
    return one_case("facts: {complexity: 1, risk: 1}\nexpect: {first: small}").replace("a case", name)


def test_without_a_name_the_files_beside_the_policy_run(here: Path) -> None:
    """
    Beside the policy and in tests/ there *.test.yaml and *.test.yml are found; nothing else is.
    """
    for file in (
        "b.test.yaml",
        "a.test.yml",
        "tests/c.test.yaml",
        "other.yaml",
        ".d.test.yaml",
        "x/e.test.yaml",
    ):
        write(here, file, named(file))

    assert ["a.test.yml", "b.test.yaml", "tests/c.test.yaml"] == names(here)


def test_a_folder_is_searched(here: Path) -> None:
    """
    Of a folder that is named all test files below are run, but those of hidden folders.
    """
    for file in ("b.test.yaml", "x/e.test.yaml", "x/y/f.test.yml", ".git/g.test.yaml"):
        write(here, file, named(file))

    assert ["x/e.test.yaml", "x/y/f.test.yml"] == names(here, "x")
    assert 3 == len(names(here, "."))
    assert ["x/e.test.yaml", "b.test.yaml"] == names(here, "x/e.test.yaml", "b.test.yaml")


@pytest.mark.parametrize("words", [[], ["empty"]])
def test_without_a_file_is_no_success(here: Path, words: list[str]) -> None:
    """
    Where there is no test file the exit code is 2, though the policy has examples.
    """
    write(here, "small.policy", POLICY + "example complexity is 1 and risk is 1 gives small\n")
    (here / "empty").mkdir()
    ran = call("test", *words, at=here)

    assert (2, "") == (ran.code, ran.out)
    assert "no test file (*.test.yaml)" in ran.err


def test_the_policy_is_the_one_that_the_file_names(here: Path) -> None:
    """
    --policy wins over the file's own, that over the one that is found upward from the file.
    """
    for name in ("one", "two"):
        write(here, f"p/{name}.policy", POLICY.replace('"small"', f'"{name}"'))
    write(here, "t/a.test.yaml", "policy: ../p/one.policy\n" + named("a"))
    write(here, "t/b.test.yaml", named("b"))

    def policies(*words: str) -> list[tuple[str, list[str]]]:
        found = call("test", "t", *words, "--json", at=here).json["policies"]
        return [(each["policy"], each["files"]) for each in found]

    assert [("one", ["p/one.policy"]), ("small", ["small.policy"])] == policies()
    assert [("two", ["p/two.policy"])] == policies("--policy", "p/two.policy")


def test_a_policy_of_several_files(here: Path) -> None:
    """
    `policy:` may be a list; the files are merged in that order.
    """
    lines = POLICY.splitlines(keepends=True)
    write(here, "p/models.policy", "".join(lines[:4]))
    write(here, "p/rest.policy", "".join(lines[4:]))
    write(here, "p/a.test.yaml", "policy: [models.policy, rest.policy]\n" + named("a"))

    assert ["a"] == names(here, "p")


def test_examples_are_tests_too(here: Path) -> None:
    """
    The policy's examples run with its test files, once, and are counted apart.
    """
    write(here, "small.policy", POLICY + "example complexity is 1 and risk is 1 gives large\n")
    write(here, "a.test.yaml", named("a"))
    write(here, "b.test.yaml", named("b"))
    ran = call("test", at=here)

    assert 1 == ran.code
    assert "FAILED small.policy:18: example complexity is 1 and risk is 1\n" in ran.out
    assert ran.out.endswith("\n2 passed, 1 failed, 1 example of the policy among them\n")


# --- what can't be ------------------------------------------------------------------------------------------

GOOD = "facts: {complexity: 1, risk: 1}\n"
RISK, SMALL = "facts: {complexity: 1, risk: 1}", "expect: {first: small}"
TENS = f"matrix: {{attempt: [{', '.join('1' * 10)}], output_tokens: [{', '.join('1' * 10)}]}}"
EXPECT = "expect: {first: small}\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ("P902", 1, 1, "there is no case in this file")),
        ("# nothing\n", ("P902", 1, 1, "there is no case in this file")),
        ("cases: []\n", ("P902", 1, 8, "there is no case in this file")),
        ("policy: small.policy\n", ("P902", 1, 1, "there is no case in this file")),
        ("cases: 3\n", ("P901", 1, 8, "expected a list")),
        ("- a\n", ("P901", 1, 1, "expected a map")),
        ("csaes: []\n" + CASES, ("P901", 1, 1, "unknown key `csaes`")),
        (one_case(GOOD), ("P902", 2, 11, "this case expects nothing")),
        (one_case(GOOD + "expect: {}"), ("P902", 4, 13, "this case expects nothing")),
        (one_case(GOOD + EXPECT + "matrix: {stage: []}"), ("P902", 5, 21, "this list is empty")),
        (one_case("fatcs: {complexity: 1}\n" + EXPECT), ("P901", 3, 5, "unknown key `fatcs`")),
        (one_case(GOOD + "expect: {frist: small}"), ("P901", 4, 14, "unknown key `frist`")),
        (one_case(GOOD + "expect: {first: [small]}"), ("P901", 4, 21, "expected a text")),
        (one_case(GOOD + "expect: {outcome: fine}"), ("P901", 4, 23, "expected one of `served`, `refused")),
        (one_case(GOOD + EXPECT + "at: noon"), ("P904", 5, 9, "`noon` is no time")),
        (one_case(GOOD + EXPECT + "at: 9999-12-31"), ("P904", 5, 9, "`9999-12-31` is no time")),
        (one_case(GOOD + EXPECT + "spend: {dialy: 1%}"), ("P903", 5, 13, "unknown budget `dialy`")),
        (one_case(GOOD + EXPECT + "spend: {daily: lots}"), ("P904", 5, 20, "`lots` is no amount")),
        (one_case(GOOD + EXPECT + "spend: {daily: -1}"), ("P904", 5, 20, "`-1` is no amount")),
        (one_case(GOOD + EXPECT + "down: [small, smal]"), ("P903", 5, 19, "unknown model `smal`")),
        (one_case(GOOD + EXPECT + "down: small, smal"), ("P903", 5, 18, "unknown model `smal`")),
        (one_case(GOOD + EXPECT + "available: smal"), ("P903", 5, 16, "unknown model `smal`")),
        (one_case(GOOD + EXPECT + "preferred: smal"), ("P903", 5, 16, "unknown model `smal`")),
        (one_case(GOOD + EXPECT + "failed: gate test"), ("P903", 5, 13, "unknown failure `gate test`")),
        (one_case(GOOD + EXPECT + "failed: tests"), ("P903", 5, 13, "unknown failure `tests`")),
        (one_case(GOOD + EXPECT + "failed: gate tests in hihg"), ("P903", 5, 13, "unknown tier `hihg`")),
        (one_case(GOOD + EXPECT + "failed: what a day"), ("P904", 5, 13, "`what a day` is no failure")),
        (one_case(GOOD + EXPECT + "matrix: {stgae: [dev]}"), ("P903", 5, 14, "unknown fact `stgae`")),
        (
            one_case(GOOD + EXPECT + "matrix: {stage: [dev, live]}"),
            ("P904", 5, 27, "`stage` can't be `live`"),
        ),
        (one_case("facts: {risk: 1}\n" + EXPECT), ("P904", 2, 11, "`complexity` isn't given")),
        (one_case("facts: {complexity: 1}\n" + EXPECT), ("P904", 2, 11, "`risk` isn't given")),
        (
            one_case("facts: {complexity: 11, risk: 1}\n" + EXPECT),
            ("P904", 3, 25, "`complexity` can't be 11"),
        ),
        (
            one_case("facts: {complexity: 1, risk: high}\n" + EXPECT),
            ("P904", 3, 34, "`risk` is a number, not"),
        ),
        (one_case("facts: {complexity: 1, rsik: 1}\n" + EXPECT), ("P903", 3, 28, "unknown fact `rsik`")),
        (
            one_case("facts: {complexity: 1, risk: 1, domain: lwa}\n" + EXPECT),
            ("P903", 3, 45, "unknown domain `lwa`"),
        ),
        (
            one_case("facts: {complexity: 1, risk: 1, tier: hihg}\n" + EXPECT),
            ("P903", 3, 43, "unknown tier `hihg`"),
        ),
        (
            one_case("facts: {complexity: 1, risk: 1, requires: visoin}\n" + EXPECT),
            ("P903", 3, 47, "unknown capability `visoin`"),
        ),
        (
            one_case("facts: {complexity: 1, risk: 1, stage: live}\n" + EXPECT),
            ("P904", 3, 44, "`stage` can't be `live`"),
        ),
        (one_case(GOOD + EXPECT + "matrix: {attempt: [2.5]}"), ("P904", 5, 24, "`attempt` can't be 2.5")),
        (one_case(GOOD + EXPECT + "matrix: {input_tokens: [lots]}"), ("P904", 5, 29, "`input_tokens` can't")),
        (one_case(GOOD + EXPECT + "matrix: {risk: [[a]]}"), ("P904", 5, 21, "`risk` is one value")),
        (one_case(GOOD + EXPECT + "matrix: {spend: [80%]}"), ("P901", 5, 22, "expected a map")),
        (
            one_case(GOOD + EXPECT + "matrix: {story: [[S-1]]}"),
            ("P901", 5, 22, "expected a text or a number"),
        ),
        (one_case(GOOD + EXPECT + "matrix: {down: [[[small]]]}"), ("P901", 5, 22, "expected a text")),
        (one_case(GOOD + EXPECT + "matrix: {at: [{a: b}]}"), ("P901", 5, 20, "expected a text")),
        (one_case(GOOD + EXPECT + "matrix: {prd: [a.json]}"), ("P903", 5, 14, "unknown fact `prd`")),
        (one_case(GOOD + EXPECT + "matrix: {risk: [.nan]}"), ("P904", 5, 21, "`risk` is a number")),
        (one_case(GOOD + "expect: {first: smal}"), ("P903", 4, 21, "unknown model `smal`")),
        (one_case(GOOD + "expect: {not: [smal]}"), ("P903", 4, 20, "unknown model `smal`")),
        (one_case(GOOD + "expect: {tier: lwo}"), ("P903", 4, 20, "unknown tier `lwo`")),
        (one_case(GOOD + "expect: {rule: prodution}"), ("P903", 4, 20, "unknown rule `prodution`")),
        (one_case(GOOD + "expect: {costs_at_most: lots}"), ("P904", 4, 29, "`lots` is no amount of money")),
        (one_case(GOOD + "expect: {costs_at_most: 5%}"), ("P904", 4, 29, "`5%` is no amount of money")),
        (one_case(GOOD + "expect: {first: gone}"), ("P905", 4, 14, "`gone` is disabled in the policy")),
        (
            one_case(GOOD + "expect: {first: small, not: [small]}"),
            ("P905", 4, 28, "`small` can't be in `first` and in `not`"),
        ),
        (
            one_case(GOOD + "expect: {first: small, chain: [large, small]}"),
            ("P905", 4, 14, "`first` and `chain` start otherwise"),
        ),
        (
            one_case(GOOD + "expect: {chain: small, starts_with: [small, large]}"),
            ("P905", 4, 28, "`starts_with` and `chain` start otherwise"),
        ),
        (one_case(GOOD + "expect: {chain: [small, small]}"), ("P905", 4, 14, "no chain has a model twice")),
        (
            one_case(GOOD + "expect: {outcome: no model, tier: low}"),
            ("P905", 4, 33, "a request that ends as `no model` has no `tier`"),
        ),
        (
            one_case(GOOD + "expect: {outcome: refused by rule, rule: production}"),
            ("P905", 4, 40, "a request that ends as `refused by rule` has no `rule`"),
        ),
        (one_case(GOOD + EXPECT + "story: S-1"), ("P906", 5, 12, "no prd.json was found here or above")),
        (
            one_case(GOOD + EXPECT + "story: S-1\nprd: x.json"),
            ("P906", 6, 10, "x.json: there is no such file"),
        ),
        ("policy: smal.policy\n" + CASES, ("P906", 1, 9, "the policy of these tests can't be used")),
        ("policy: /etc/x.policy\n" + CASES, ("P906", 1, 9, "`/etc/x.policy` is no relative path")),
        (CASES + CASES.partition("cases:\n")[2], ("P201", 10, 11, "case `small work` is declared twice")),
        (CASES + "cases: []\n", ("P201", 10, 1, "key `cases` is declared twice")),
        ("defaults: {facts: {rsik: 1}}\n" + one_case(GOOD + EXPECT), ("P903", 1, 20, "unknown fact `rsik`")),
        ("a: &b c\n", ("P109", 1, 4, "a policy has no place for an anchor")),
        ("a: [\n", ("P109", 1, 5, "")),
        (CASES + "# \u202e\n", ("P103", 10, 3, "")),
    ],
)
def test_what_can_not_be_is_told_with_its_place(
    here: Path, text: str, found: tuple[str, int, int, str]
) -> None:
    """
    A file that can't be run as its author meant it is told, with line and column, and ends with 2.
    """
    told = findings(here, text)

    assert any(each[:3] == found[:3] and each[3].startswith(found[3]) for each in told), told


def test_a_misspelt_key_gets_a_suggestion(here: Path) -> None:
    """
    The nearest key, fact, model or rule is named.
    """
    text = (
        CASES.replace("expect", "expetc", 1)
        .replace("stage:", "stgae:")
        .replace("first: large", "first: lareg")
    )
    ran = run(here, text)

    assert (2, "") == (ran.code, ran.err)
    for meant in ("expect", "stage", "large"):
        assert f"help: did you mean `{meant}`?\n" in ran.out


def test_all_files_are_told_in_one_run(here: Path) -> None:
    """
    What is wrong with several files is told at once, and nothing is run.
    """
    write(here, "a.test.yaml", CASES.replace("first", "frist"))
    write(here, "b.test.yaml", CASES.replace("stage", "stgae"))
    ran = call("test", "a.test.yaml", "b.test.yaml", "none.test.yaml", at=here)

    assert 2 == ran.code
    for place in ("--> a.test.yaml:6:14", "--> b.test.yaml:8:28", "`none.test.yaml` can't be read"):
        assert place in ran.out
    assert "passed" not in ran.out


def test_no_policy_is_told_at_the_file(tmp_path: Path) -> None:
    """
    Where no policy is named or found the finding stands at the start of the test file.
    """
    (tmp_path / ".git").mkdir()
    found = findings(tmp_path, CASES)

    assert [("P906", 1, 1, "no policy was found here or above")] == found


def test_a_policy_with_errors_is_told(here: Path) -> None:
    """
    The findings of a broken policy are shown with the place that names it.
    """
    write(here, "bad.policy", POLICY.replace("tier high", "teir high"))
    found = findings(here, "policy: bad.policy\n" + CASES)

    assert {("P906", 1, 9), ("P101", 6, 1)} <= {each[:3] for each in found}


def test_a_story_that_is_not_there(here: Path) -> None:
    """
    A story that its PRD doesn't have, or whose own facts can't be, is told at its id.
    """
    stories = [{"id": "S-1", "complexity": 1, "risk": 9}]
    write(here, "prd.json", json.dumps({"userStories": stories}))
    none = findings(here, one_case("story: S-11\n" + EXPECT))
    odd = findings(here, one_case("story: S-1\n" + EXPECT))

    assert [("P903", 3, 12)] == [each[:3] for each in none]
    assert [("P904", 3, 12, "story S-1: `risk` can't be 9")] == odd


@pytest.mark.parametrize(
    "text",
    [
        "cases:\n" + "".join(f"  - {{name: n{n}, expect: {{}}}}\n" for n in range(1000)),
        one_case(
            "matrix: {complexity: [%s], attempt: [%s], risk: [1]}\n" % ((", ".join("1" * 200),) * 2) + EXPECT
        ),
        "cases:\n" + "".join(f"  - {{name: n{n}, {RISK}, {TENS}, {SMALL}}}\n" for n in range(101)),
        "x" * 300_000,
        "[" * 5_000,
        "cases: [" + "{name: a}, " * 2_000 + "]\n",
    ],
)
def test_hostile_files_are_refused_soon(here: Path, text: str) -> None:
    """
    Huge and deep files end with exit code 2 and a bounded page.
    """
    ran = run(here, text)

    assert 2 == ran.code
    assert len(ran.out) < 2_000_000


def test_control_characters_reach_no_terminal(here: Path) -> None:
    """
    An escape sequence, raw or as YAML writes it by its code, is refused and not obeyed.
    """
    for text in ('"\\e[31mred"', "\x1b[31mred"):
        ran = run(here, CASES.replace("small work", text))
        assert 2 == ran.code
        assert "\x1b" not in ran.out


# --- coverage and mutation ----------------------------------------------------------------------------------


def test_coverage_lists_what_is_not_reached(here: Path) -> None:
    """
    --coverage names each statement and condition that no case reaches, with its line.
    """
    ran = run(here, CASES, "--coverage")

    assert 0 == ran.code
    assert "\nCoverage of small  53.8%, 7 of 13\n  reached by no case:\n" in ran.out
    assert "  small.policy:10  domain law: changes an answer\n" in ran.out
    assert "  small.policy:12  never use small: changes an answer\n" in ran.out
    assert "  small.policy:12  never use small: `risk is at least 4` is true\n" in ran.out
    assert "`risk is at least 4` is false" not in ran.out


def test_pages_fit_80_columns(here: Path) -> None:
    """
    No line is wider than the page but a command to paste, which stays whole; a long statement is cut.
    """
    reason = "a reason of very many words " * 9
    long = (
        f'refuse when stage is prod and risk is 3 or when trusted is yes and risk is 2 because "{reason}"\n'
    )
    write(here, "small.policy", POLICY + long)
    ran = run(here, CASES.replace("first: small", "outcome: no model"), "--coverage", "--verbose")
    more = run(here, CASES, "--mutate", "--coverage")
    lines = [line for line in (ran.out + more.out).splitlines() if not line.startswith("  see")]

    assert [] == [line for line in lines if len(line) > 80]
    assert "small.policy:18  refuse when stage is prod and risk is 3" in more.out


def test_a_statement_that_is_not_reached_at_all_is_one_line(here: Path) -> None:
    """
    Where neither a statement nor any of its conditions is reached, that is one sentence.
    """
    text = CASES.replace("complexity: 1, stage: prod", "complexity: 9").replace(
        "rule: production", "tier: high"
    )
    write(here, "small.policy", POLICY.replace("when stage is prod", "when stage is prod and risk is 5"))
    ran = run(here, text, "--coverage")

    assert "  small.policy:11  rule production: decides, nor is any condition of it seen\n" in ran.out


@pytest.mark.parametrize(("threshold", "code"), [("53", 0), ("53.84", 0), ("53.85", 1), ("100", 1)])
def test_a_threshold_makes_the_exit_code(here: Path, threshold: str, code: int) -> None:
    """
    With a coverage of 7 of 13 (53.846…%) a threshold above is exit code 1, and is told.
    """
    ran = run(here, CASES, "--coverage", "--threshold", threshold)

    assert code == ran.code
    assert ("coverage of small is 53.8%, below" in ran.err) is bool(code)


def test_a_threshold_of_nothing_is_a_mistake(here: Path) -> None:
    """
    --threshold needs something to hold it against.
    """
    ran = run(here, CASES, "--threshold", "80")

    assert (2, "") == (ran.code, ran.out)


def test_mutation_names_what_no_case_noticed(here: Path) -> None:
    """
    --mutate changes the policy step by step, and names each change that all cases pass with.
    """
    ran = run(here, CASES, "--mutate")

    assert 0 == ran.code
    assert "Mutation of small  " in ran.out
    assert "  small.policy:8   " not in ran.out
    assert "  small.policy:12  never use small: dropped, nor 3 other changes\n" not in ran.out
    assert "  small.policy:12  never use small: dropped\n" in ran.out
    assert "  small.policy:14  budget daily, at 50% downgrade 1 tier: dropped" in ran.out
    assert "rule production" not in ran.out.partition("noticed by no case")[2]


@pytest.mark.parametrize(("when", "told"), [("stage is dev", False), ("risk is 1", True)])
def test_rules_that_never_meet_may_change_places(here: Path, when: str, told: bool) -> None:
    """
    That two rules change places is no change where it is proven that no request matches both.
    """
    write(here, "small.policy", POLICY + f"rule other when {when} use tier low\n")
    ran = run(here, one_case("facts: {complexity: 1, risk: 1}\nexpect: {rule: other}"), "--mutate")

    assert 0 == ran.code
    assert told is ("rule production: put below rule other" in ran.out)


def test_changes_are_not_tried_where_a_case_fails(here: Path) -> None:
    """
    Mutation waits until every case passes.
    """
    ran = run(here, CASES.replace("first: small", "first: large"), "--mutate")

    assert 1 == ran.code
    assert "note: changes are tried once all cases pass" in ran.err
    assert "Mutation" not in ran.out


def test_ctrl_c_ends_mutation(here: Path) -> None:
    """
    Ctrl-C while changes are tried ends the run with 130, without a traceback.
    """
    write(here, "small.test.yaml", CASES)
    slow = (
        "import time\n"
        "from policyctl.engine import testing\n"
        "def slowly(*_):\n"
        "    print('waiting', flush=True)\n"
        "    time.sleep(60)\n"
        "testing.Runner.passes = slowly\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", slow + ENTRY, "test", "--mutate"],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "waiting\n" == process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    assert (130, "") == (process.returncode, err.strip())


# --- generated ----------------------------------------------------------------------------------------------


def test_a_first_file_is_generated(here: Path) -> None:
    """
    --generate prints a test file with a case for each statement, which passes and reaches all of them.
    """
    ran = call("test", "--generate", at=here)
    write(here, "small.test.yaml", ran.out)
    told = call("test", "--coverage", "--json", at=here).json
    goals = told["policies"][0]["coverage"]["goals"]

    assert (0, "") == (ran.code, ran.err)
    assert (8, 0) == (told["passed"], told["failed"])
    assert [] == [goal for goal in goals if not (goal["reached"] or goal["wanted"].startswith("`"))]


def test_a_generated_file_is_written_once(here: Path) -> None:
    """
    -o writes a file that isn't there yet, with the policy's path from its folder; it never writes over one.
    """
    (here / "tests").mkdir()
    first = call("test", "--generate", "-o", "tests/a.test.yaml", at=here)
    second = call("test", "--generate", "-o", "tests/a.test.yaml", at=here)

    assert (0, "", "wrote tests/a.test.yaml: 8 cases\n") == (first.code, first.out, first.err)
    assert '\npolicy: "../small.policy"\n' in (here / "tests/a.test.yaml").read_text(encoding="utf-8")
    assert 0 == call("test", at=here).code
    assert (2, "") == (second.code, second.out)
    assert "there already" in second.err


def test_what_no_case_was_found_for_is_told(here: Path) -> None:
    """
    A statement that can't count is named on stderr.
    """
    write(here, "small.policy", POLICY + "rule late when stage is prod and risk is 2 use large\n")
    ran = call("test", "--generate", at=here)

    assert (0, "note: no case was found in which this counts: rule late\n") == (ran.code, ran.err)


@pytest.mark.parametrize("words", [["x.test.yaml"], ["-o", "y.yaml"]])
def test_generate_runs_no_file(here: Path, words: list[str]) -> None:
    """
    --generate takes no test file, and -o needs --generate.
    """
    write(here, "x.test.yaml", named("x"))
    more = [] if "-o" in words else ["--generate"]

    assert 2 == call("test", *more, *words, at=here).code


# --- for programs -------------------------------------------------------------------------------------------


def test_json_fits_its_schema(here: Path) -> None:
    """
    --json fits the published schema, with failures, coverage and mutation.
    """
    for text, words in [
        (CASES, ("--coverage", "--mutate")),
        (CASES.replace("first: small", "first: large"), ("--coverage",)),
        (CASES, ()),
    ]:
        ran = run(here, text, "--json", *words)
        assert [] == list(Draft202012Validator(schema("test")).iter_errors(ran.json))


def test_junit_is_written_beside(here: Path) -> None:
    """
    --junit writes a report, a suite for each file; what is printed stays as it is.
    """
    ran = run(here, CASES.replace("first: small", "first: large"), "--junit", "report.xml")
    report = ElementTree.parse(here / "report.xml").getroot()  # noqa: S314
    suite = report[0]

    assert ran.out.endswith("1 passed, 1 failed\n")
    assert ("small.test.yaml", "2", "1") == (suite.get("name"), suite.get("tests"), suite.get("failures"))
    assert ["small work", "production"] == [case.get("name") for case in suite.iter("testcase")]
    assert "first: expected large, got small" in [f.get("message") for f in suite.iter("failure")]


def test_each_command_shows_its_case(loop: Path) -> None:
    """
    The command of each case of the example gives the chain of that case.
    """
    cases = call("test", "--json", at=loop).json["policies"][0]["cases"]
    commands = [case for case in cases if case["command"].startswith("policyctl explain")]

    assert len(cases) - len(commands) < 6
    for case in commands:
        ran = call(*shlex.split(case["command"])[1:], "--json", at=loop)
        assert (case["outcome"], case["chain"]) == (ran.json["outcome"], ran.json["chain"]), case["command"]


def test_what_no_option_says_is_shown_by_test_itself(here: Path) -> None:
    """
    A case that options can't say, such as which keys there are, is shown by `test --verbose`.
    """
    text = one_case("facts: {complexity: 1, risk: 1}\navailable: small\nexpect: {first: large}")
    ran = run(here, text)
    line = next(line for line in ran.out.splitlines() if line.startswith("  see"))
    shown = call(*shlex.split(line)[2:], at=here)

    assert 1 == shown.code
    assert "large: no key" in shown.out or "large: " in shown.out


# --- the example --------------------------------------------------------------------------------------------


def test_the_example_is_tested_on_both_surfaces(loop: Path) -> None:
    """
    The tests of the example hold for its YAML twin too.
    """
    ran = call("test", "claude-loop.test.yaml", "--policy", "claude-loop.yaml", at=loop)

    assert 0 == ran.code, ran.out


def test_the_example_is_what_is_found(loop: Path) -> None:
    """
    In the folder of the example `policyctl test` alone runs its tests.
    """
    ran = call("test", at=loop)

    assert (0, "") == (ran.code, ran.err)
    assert ran.out == "55 passed, 8 examples of the policy among them\n"


def test_the_example_fits_the_schema_of_test_files(loop: Path) -> None:
    """
    The published schema of test files is one, and an editor that uses it finds nothing in the example.
    """
    from ruamel.yaml import YAML

    document = YAML(typ="safe", pure=True).load((loop / "claude-loop.test.yaml").read_text(encoding="utf-8"))
    plain = json.loads(json.dumps(document, default=str))
    Draft202012Validator.check_schema(schema("tests"))

    assert [] == [error.message for error in Draft202012Validator(schema("tests")).iter_errors(plain)]


def test_a_policy_is_no_test_file(here: Path) -> None:
    """
    Whoever names the policy in place of a test file is told the call that is meant.
    """
    write(here, "my loop.policy", POLICY)
    ran = call("test", "my loop.policy", at=here)

    assert (2, "") == (ran.code, ran.out)
    assert "my loop.policy is a policy and no test file" in ran.err
    assert "policyctl test --policy 'my loop.policy'" in ran.err


def test_a_cost_above_the_bound_is_told_as_one(here: Path) -> None:
    """
    What is expected of the cost is an upper bound, and reads as one.
    """
    ran = run(here, one_case("facts: {complexity: 1, risk: 1}\nexpect: {costs_at_most: 0.001}"))

    assert 1 == ran.code
    assert "  costs at most  expected $0.001" in ran.out
