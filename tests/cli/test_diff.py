"""`policyctl diff`: what is told of two policies, and that each command it prints shows just that."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import policyctl

from .command import EXAMPLES, MONDAY_10, Ran, call, copy_of_loop

SCHEMA = Path(policyctl.__file__).parent / "schemas" / "diff.schema.json"

OLD = """\
model small is offline/small costs $1 in, $1 out can nothing
model large is offline/large costs $2 in, $2 out can vision
tier low  from complexity 0 has small
tier high from complexity 5 has large
input private is yes or no default no
input stage is one of dev, prod default dev
budget monthly is $100 per month
  at 80% downgrade 1 tier
fallback to large
rule careful when stage is prod use tier high
"""


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return name


def compared(folder: Path, change: tuple[str, str], *words: str) -> Ran:
    """
    Compare OLD with itself after a change of its text.
    """
    before, after = change
    assert before in OLD
    write(folder, "old.policy", OLD)
    write(folder, "new.policy", OLD.replace(before, after))
    return call("diff", "old.policy", "new.policy", *words, at=folder)


def document(folder: Path, change: tuple[str, str]) -> Any:
    return compared(folder, change, "--json").json


NONE = ("input private", "input private")

CHANGES: dict[str, tuple[tuple[str, str], str]] = {
    "rule dropped": (("rule careful when stage is prod use tier high\n", ""), "stage prod"),
    "rule's condition": (("when stage is prod", "when private is yes"), ""),
    "tier's start": (("from complexity 5", "from complexity 7"), "complexity from 5 to below 7"),
    "level": (("at 80%", "at 90%"), "monthly from 80% to below 90%"),
    "hard limit": (("fallback", "never use small when private is yes\nfallback"), "private yes"),
    "capability": (("can vision", "can nothing"), "requires vision"),
    "fallback": (("fallback to large\n", ""), ""),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_told_where_it_is(name: str, tmp_path: Path) -> None:
    """
    What all requests whose decision changes have in common is said in words.
    """
    change, where = CHANGES[name]
    found = document(tmp_path, change)

    assert not found["equivalent"]
    assert found["proven"]
    assert where in found["where"]


@pytest.mark.parametrize("name", CHANGES)
def test_each_region_is_shown_by_its_commands(name: str, tmp_path: Path) -> None:
    """
    The options of a region, given to `explain` with either policy, give the decisions that are told.
    """
    for region in document(tmp_path, CHANGES[name][0])["regions"]:
        answers = []
        for side in ("old", "new"):
            told = region[side]
            words = ["explain", "--policy", f"{side}.policy", "--json", *told["options"]]
            decided = call(*words, at=tmp_path).json
            assert (told["outcome"], told["chain"], told["tier"]) == (
                decided["outcome"],
                decided["chain"],
                decided["tier"],
            )
            answers.append((told["outcome"], told["chain"], told["tier"]))
        assert answers[0] != answers[1]


def test_the_page_ends_in_commands_to_paste(tmp_path: Path) -> None:
    """
    Each kind of change has the command that explains it by the new policy.
    """
    ran = compared(tmp_path, CHANGES["level"][0])
    lines = [line.strip() for line in ran.out.splitlines()]
    commands = [line for line in lines if line.startswith("policyctl explain")]

    assert ran.out.startswith("different  ")
    assert commands
    for line in commands:
        assert 0 == call(*shlex.split(line)[1:], at=tmp_path).code


def test_what_decides_nothing_is_no_difference(tmp_path: Path) -> None:
    """
    Other layout, names of rules, comments and reasons give the same decisions, and that is proven.
    """
    text = OLD.replace("rule careful", "# why\nrule cautious").replace(
        "use tier high", 'use tier high because "x"'
    )
    write(tmp_path, "old.policy", OLD)
    write(tmp_path, "new.policy", text)
    ran = call("diff", "old.policy", "new.policy", "--exit-code", at=tmp_path)

    assert (0, "equivalent  every request gets the same decision, which is proven\n", "") == (
        ran.code,
        ran.out,
        ran.err,
    )


def test_what_changes_beside_the_decisions_is_told(tmp_path: Path) -> None:
    """
    Another model behind a key, or another price, changes no chain; it is told all the same.
    """
    ran = compared(tmp_path, ("offline/small costs $1", "offline/tiny costs $1.50"))

    assert ran.out.startswith("equivalent  ")
    assert "model `small` is offline/tiny, not offline/small" in ran.out
    assert "model `small` costs $1.50 in, $1 out, not $1 in, $1 out" in ran.out


def test_an_escalation_is_a_difference_that_comes_later(tmp_path: Path) -> None:
    """
    Where only failures tell two policies apart, the failure is in the options.
    """
    found = document(tmp_path, ("fallback", "escalate to next tier when gate tests fails\nfallback"))

    assert not found["equivalent"]
    assert [True] == list({region["later"] for region in found["regions"]})
    assert "--gate" in found["regions"][0]["old"]["options"]


def test_a_default_is_a_difference_for_who_says_nothing(tmp_path: Path) -> None:
    """
    Where an input has another default, requests that don't give it are decided differently.
    """
    found = document(
        tmp_path, ("stage is one of dev, prod default dev", "stage is one of dev, prod default prod")
    )

    assert "stage not said" in found["where"]


def test_what_only_one_takes_is_no_equivalence(tmp_path: Path) -> None:
    """
    A tier or an input of one policy alone is told; nothing else is different then.
    """
    ran = compared(tmp_path, ("input private is yes or no default no\n", ""), "--exit-code")
    found = document(tmp_path, ("input private is yes or no default no\n", ""))

    assert 1 == ran.code
    assert ran.out.startswith("apart  every request that both take gets the same decision")
    assert ["input `private` is only in OLD: who gives it gets an error from NEW"] == found["apart"]
    assert ([], True, False) == (found["regions"], found["proven"], found["equivalent"])


def test_inputs_without_a_common_value_cannot_be_compared(tmp_path: Path) -> None:
    """
    An input that is a choice in one policy and a number in the other leaves the rest unproved.
    """
    change = ("stage is one of dev, prod default dev", "stage is 1 to 3 default 1")
    ran = compared(tmp_path, ("rule careful when stage is prod use tier high\n", ""))
    (tmp_path / "new.policy").write_text(
        OLD.replace("rule careful when stage is prod use tier high\n", "").replace(*change), encoding="utf-8"
    )
    ran = call("diff", "old.policy", "new.policy", at=tmp_path)

    assert ran.out.startswith("unproved  ")
    assert "input `stage` has no value in common: one of in OLD, number in NEW" in ran.out


def test_another_time_zone_is_a_difference(tmp_path: Path) -> None:
    """
    The same window in another zone holds at other times.
    """
    window = "window office is Mon to Fri 09:00 to 17:00\nrule late when outside office use small\n"
    write(tmp_path, "old.policy", "timezone Europe/Berlin\n" + OLD + window)
    write(tmp_path, "new.policy", "timezone America/New_York\n" + OLD + window)
    found = call("diff", "old.policy", "new.policy", "--json", at=tmp_path).json

    assert found["regions"]
    assert "--at" in found["regions"][0]["old"]["options"]


def test_the_document_fits_its_schema(tmp_path: Path) -> None:
    """
    What --json prints has the published shape, with stories and without.
    """
    validator = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    write(tmp_path, "prd.json", json.dumps({"userStories": [{"id": "A", "title": "a", "complexity": 6}]}))
    for change, _ in CHANGES.values():
        for words in ([], ["--prd", "prd.json"]):
            found = compared(tmp_path, change, "--json", *words).json
            assert [] == [error.message for error in validator.iter_errors(found)]


# --- stories and revisions ----------------------------------------------------------------------------------


def test_the_stories_of_a_prd_are_counted(tmp_path: Path) -> None:
    """
    --prd says how many stories get another decision, and what all of them cost then.
    """
    stories = [{"id": f"S-{n}", "title": "t", "complexity": n} for n in range(1, 9)]
    write(tmp_path, "prd.json", json.dumps({"userStories": stories}))
    ran = compared(
        tmp_path, ("from complexity 5", "from complexity 7"), "--prd", "prd.json", "--at", MONDAY_10
    )

    assert "2 of 8 requests in prd.json change, -$0.0060 ($0.0360 to $0.0300)" in ran.out
    assert "  S-5  large  $0.0060  ->  small  $0.0030" in ran.out
    assert "  S-6  large  $0.0060  ->  small  $0.0030" in ran.out


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """
    A checkout with two revisions of a policy that includes a file.
    """
    git(tmp_path, "init", "-q", "-b", "main")
    folder = tmp_path / "policies"
    folder.mkdir()
    write(folder, "rules.policy", "rule careful when stage is prod use tier high\n")
    whole = OLD.replace("rule careful when stage is prod use tier high\n", 'include "rules.policy"\n')
    write(folder, "policyctl.policy", whole)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    write(folder, "rules.policy", "rule careful when stage is prod use tier low\n")
    git(tmp_path, "commit", "-qam", "two")
    return folder


def test_a_revision_of_git_is_read_with_its_includes(checkout: Path) -> None:
    """
    git:REVISION is the policy as it was then, whatever stands in the files now.
    """
    same, other = (
        call("diff", "git:HEAD", at=checkout),
        call("diff", "git:HEAD~1", "--exit-code", at=checkout),
    )

    assert (0, True) == (same.code, same.out.startswith("equivalent  "))
    assert (1, True) == (other.code, "all where stage prod" in other.out)


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        ("git:nowhere", "there is no revision nowhere"),
        ("git:", "name a revision"),
        ("git:--output=x", "name a revision"),
        ("git:HEAD", "HEAD has no later.policy"),
    ],
)
def test_a_revision_that_is_not_there_is_told(checkout: Path, revision: str, told: str) -> None:
    """
    A revision that git doesn't know, or that has no such file, is a mistake on the command line.
    """
    write(checkout, "later.policy", OLD)
    ran = call("diff", revision, "later.policy", at=checkout)

    assert (2, "") == (ran.code, ran.out)
    assert told in ran.err


def test_outside_a_checkout_there_is_no_revision(tmp_path: Path) -> None:
    """
    Where there is no checkout, the help says what to do instead.
    """
    write(tmp_path, "a.policy", OLD)
    ran = call(
        "diff", "git:HEAD", "a.policy", at=tmp_path, env={"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    )

    assert 2 == ran.code
    assert "is no checkout of git" in ran.err
    assert "name two files" in ran.err


def test_a_policy_with_errors_is_told(tmp_path: Path) -> None:
    """
    What can't be compared for its errors is told as `validate` tells it.
    """
    write(tmp_path, "old.policy", OLD)
    write(tmp_path, "new.policy", OLD.replace("has large", "has larg"))
    ran = call("diff", "old.policy", "new.policy", at=tmp_path)

    assert (2, "") == (ran.code, ran.err)
    assert "error[P203]: unknown model `larg`" in ran.out


def test_the_example_against_itself(tmp_path: Path) -> None:
    """
    A policy and its YAML twin decide alike.
    """
    loop = copy_of_loop(tmp_path)
    ran = call("diff", "claude-loop.policy", str(EXAMPLES / "claude-loop" / "claude-loop.yaml"), at=loop)

    assert "equivalent  every request gets the same decision, which is proven\n" == ran.out
