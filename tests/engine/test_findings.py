"""
What `validate` proves of a policy: each planted defect is found at its line, and the command in its
help shows it.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from policyctl.cli.findings import place
from policyctl.deciding import Engine, validate, validate_text
from policyctl.engine.analysis.findings import winning_witnesses
from policyctl.schemas.diagnostics import Diagnostic, Severity
from policyctl.schemas.text import Source

from ..cli.command import ENTRY, Ran, call

HEAD = """\
timezone Europe/Berlin
model small is offline/small costs $1 in, $1 out can tools
model middle is offline/middle costs $2 in, $2 out can tools, vision
model large is offline/large costs $9 in, $9 out can tools, vision
tier low  from complexity 0 has small
tier mid  from complexity 3 has middle
tier high from complexity 6 has large
input private is yes or no default no from env POLICYCTL_TEST_PRIVATE
input stage is one of dev, test, prod default dev
input risk is 1 to 5 default 1
window office is Mon to Fri 09:00 to 17:00
window nights is Mon to Fri 22:00 to 06:00
budget monthly is $100 per month
  at 80% downgrade 1 tier
  at 100% pause
fallback to middle, large
refuse when private is yes and stage is prod and risk is 5 and during office
refuse when risk is above 4 and during nights
"""

Check = Callable[[Ran], bool]


def fine(ran: Ran) -> bool:
    return ran.code == 0


def unserved(ran: Ran) -> bool:
    return ran.code == 3 and ran.json["outcome"] == "no model"


def refused_by_budget(ran: Ran) -> bool:
    return ran.code == 4 and ran.json["outcome"] == "refused by budget"


def won_by(*names: str) -> Check:
    return lambda ran: ran.json["rule"] in names


def not_won_by(name: str) -> Check:
    return lambda ran: ran.json["rule"] not in (None, name)


def chain_has(key: str) -> Check:
    return lambda ran: key in ran.json["chain"]


def no_way_up(ran: Ran) -> bool:
    return bool(ran.json["no_way_up"])


@dataclass(frozen=True)
class Planted:
    """A defect: what is written, where it is found, and what its command must show."""

    code: str
    text: str
    at: str
    shows: Check | None
    change: tuple[str, str] = ("", "")


DEFECTS: dict[str, Planted] = {
    "nobody has the capability upward": Planted(
        "P701", "", "tier high", unserved, ("can tools, vision\ntier low", "can tools\ntier low")
    ),
    "a tier of disabled models": Planted(
        "P701", "", "tier high", unserved, ("$9 out can tools, vision", "$9 out can tools, vision disabled")
    ),
    "context windows that are too small": Planted(
        "P701", "", "tier low", unserved, ("$1 out can tools", "$1 out can tools context 2000")
    ),
    "a hard limit that leaves nobody": Planted(
        "P702", "never use middle, large when risk is 2 and complexity is at least 3", "never use", unserved
    ),
    "an only limit that leaves nobody": Planted(
        "P702", "only use small when requires is vision", "only", unserved
    ),
    "two limits that leave nobody together": Planted(
        "P702",
        "never use small, middle when risk is 2\nnever use large when risk is 2 and stage is test",
        "never use",
        unserved,
    ),
    "an only level of a disabled model": Planted(
        "P703",
        "model tiny is offline/tiny costs $1 in, $1 out can tools disabled",
        "at 90% only tiny",
        refused_by_budget,
        ("  at 100% pause", "  at 90% only tiny\n  at 100% pause"),
    ),
    "an only level without a capability that is read": Planted(
        "P703",
        "rule eyes when requires is vision and risk is 3 use large",
        "at 90% only small",
        refused_by_budget,
        ("  at 100% pause", "  at 90% only small\n  at 100% pause"),
    ),
    "an only level that a limit forbids": Planted(
        "P703",
        "never use small when private is yes",
        "at 90% only small",
        refused_by_budget,
        ("  at 100% pause", "  at 90% only small\n  at 100% pause"),
    ),
    "a rule below a more general one": Planted(
        "P704",
        "rule a when risk is above 1 use large\nrule b when risk is 4 use middle",
        "rule b",
        won_by("a"),
    ),
    "a rule that two cover together": Planted(
        "P704",
        "rule a when stage is dev use large\nrule b when stage is not dev use middle\n"
        "rule c when risk is 3 use small",
        "rule c",
        won_by("a", "b"),
    ),
    "a rule that windows cover": Planted(
        "P704",
        "rule a when during office use large\nrule b when outside office use middle\n"
        "rule c when during nights use small",
        "rule c",
        won_by("a", "b"),
    ),
    "an alternative that another rule covers": Planted(
        "P704",
        "rule a when risk is 2 use large\n"
        "rule b when risk is 2 and stage is prod or when risk is 3 use middle",
        "risk is 2 and stage is prod",
        won_by("a"),
    ),
    "a rule that says what the complexity says": Planted(
        "P705", "rule a when complexity is above 7 use tier high", "rule a", won_by("a")
    ),
    "a rule that says what the next one says": Planted(
        "P705",
        "rule a when risk is 3 use large\nrule b when risk is 2 to 4 use large",
        "rule a",
        won_by("a"),
    ),
    "a rule that whoever asks for a tier overrules": Planted(
        "P705", "rule a when tier is high use tier low", "rule a", won_by("a")
    ),
    "a rule while everything is paused": Planted(
        "P705", "rule a when budget monthly is at least 100% use tier low", "rule a", refused_by_budget
    ),
    "a rule of a model in no tier": Planted(
        "P705",
        "model tiny is offline/tiny costs $1 in, $1 out can tools\nrule a when risk is 3 use tiny",
        "rule a",
        won_by("a"),
    ),
    "bounds that exclude each other": Planted(
        "P706", "rule a when risk is above 4 and risk is below 2 use large", "risk is below 2", None
    ),
    "values that exclude each other": Planted(
        "P706", "rule a when stage is prod and stage is dev use large", "stage is dev", None
    ),
    "windows that exclude each other": Planted(
        "P706", "never use large when during office and during nights", "during nights", None
    ),
    "a capability that nobody has": Planted(
        "P706", "rule a when requires is audio use large", "requires is", None
    ),
    "an alternative inside another": Planted(
        "P707",
        "rule a when risk is 4 or when risk is above 2 use large",
        "risk is 4",
        won_by("a"),
    ),
    "an alternative twice": Planted(
        "P707",
        "never use large when risk is 2\n  or when stage is test\n  or when risk is 2",
        "  or when risk is 2",
        fine,
    ),
    "a bound at the end of the range": Planted(
        "P708", "rule a when risk is at least 1 and stage is test use large", "risk is at least 1", None
    ),
    "every value": Planted(
        "P708", "rule a when stage is one of dev, test, prod and risk is 2 use large", "stage is one of", None
    ),
    "a limit inside another": Planted(
        "P709",
        "never use large when risk is 2\nnever use large when risk is 2 and stage is test",
        "never use large when risk is 2 and",
        fine,
    ),
    "a refusal inside another": Planted(
        "P709",
        "refuse when stage is prod\nrefuse when stage is prod and risk is 3",
        "refuse when stage is prod and",
        lambda ran: ran.json["outcome"] == "refused by rule",
    ),
    "an only limit of all models": Planted("P709", "only use small, middle, large", "only use", fine),
    "a level that does what the one before does": Planted(
        "P710",
        "",
        "at 90% downgrade 3 tier",
        lambda ran: bool(ran.json["downgraded"]),
        ("  at 100% pause", "  at 85% downgrade 2 tier\n  at 90% downgrade 3 tier\n  at 100% pause"),
    ),
    "a level that is never in force": Planted(
        "P710", "budget free is $0 per run\n  at 50% warn\n  at 90% pause", "at 50%", None
    ),
    "an escalation from the top": Planted(
        "P711", "escalate from high to next tier when gate tests fails", "escalate", no_way_up
    ),
    "an escalation downward": Planted("P711", "escalate from high to mid on timeout", "escalate", no_way_up),
    "an escalation behind another": Planted(
        "P711",
        "escalate to next tier when gate tests fails\nescalate from low to high when gate tests fails",
        "escalate from low",
        fine,
    ),
    "a disabled model to fall back to": Planted(
        "P712",
        "model tiny is offline/tiny costs $1 in, $1 out can tools disabled",
        "fallback",
        None,
        ("fallback to middle", "fallback to tiny, middle"),
    ),
    "a model that is always forbidden": Planted("P712", "never use small", "model small", None),
    "a fallback list that lacks a capability": Planted(
        "P712",
        "rule eyes when requires is vision and risk is 3 use large",
        "fallback",
        None,
        ("fallback to middle, large", "fallback to small"),
    ),
    "a window that never holds": Planted(
        "P713",
        'window never_ is cron "* * 31 2 *"\nrule a when during never_ use large',
        "window never_",
        None,
    ),
    "a window that always holds": Planted(
        "P713",
        "window ever is Mon to Sun all day\nrule a when during ever and risk is 3 use large",
        "window ever",
        None,
    ),
    "an input that nobody reads": Planted("P714", "input team is text default x", "input team", None),
    "a window that nobody reads": Planted("P714", "window lunch is Mon 12:00 to 13:00", "window lunch", None),
    "a budget that does nothing": Planted("P714", "budget idle is $5 per day", "budget idle", None),
    "a domain that does nothing": Planted("P714", "domain law", "domain law", None),
    "a model that nothing chooses": Planted(
        "P714", "model tiny is offline/tiny costs $1 in, $1 out can tools", "model tiny", None
    ),
    "a domain's model in no tier": Planted(
        "P715",
        "model tiny is offline/tiny costs $1 in, $1 out can tools\ndomain law prefers tiny, large",
        "domain law",
        fine,
    ),
    "a promise that a person breaks": Planted(
        "P716",
        "rule home when private is yes use middle\npromise home no large when private is yes",
        "promise home",
        chain_has("large"),
    ),
    "a promise that a fallback breaks": Planted(
        "P716", "promise cheap at most $5 in when complexity is below 3", "promise cheap", chain_has("large")
    ),
    "a promise that an escalation breaks": Planted(
        "P716",
        "escalate to next tier when gate tests fails\npromise cheap at most $5 in when complexity is 4",
        "promise cheap",
        chain_has("large"),
        ("fallback to middle, large", "fallback to middle"),
    ),
    "a promise that an escalation from a tier it climbed to breaks": Planted(
        "P716",
        "escalate from mid to high when gate tests fails\n"
        "promise cheap at most $5 in when complexity is 1 and requires is vision and tier is none",
        "promise cheap",
        chain_has("large"),
        ("fallback to middle, large", "fallback to middle"),
    ),
    "a downgrade to a tier that a limit empties": Planted(
        "P702",
        "never use small when complexity is 3 to 5 and tier is none",
        "never use",
        unserved,
        ("fallback to middle, large\n", ""),
    ),
    "a promise that a cooldown breaks": Planted(
        "P716",
        "promise cheap at most $5 in when complexity is 4",
        "promise cheap",
        chain_has("large"),
        (
            "has middle\ntier high from complexity 6 has large\n",
            "has middle, large\ntier high from complexity 6 has large\n",
        ),
    ),
    "a promise of two providers": Planted("P716", "promise two at least 2 providers", "promise two", fine),
    "a promise of a cost": Planted(
        "P716", "promise small_change at most $0.02 per request", "promise small_change", chain_has("large")
    ),
    "a promise of what is refused": Planted(
        "P717", "refuse when stage is prod\npromise p no large when stage is prod", "promise p", None
    ),
}

WITHOUT_FALLBACK = {
    "nobody has the capability upward",
    "a tier of disabled models",
    "context windows that are too small",
    "an only limit that leaves nobody",
}


def planted(name: str) -> str:
    """
    Return the policy with the defect.
    """
    defect = DEFECTS[name]
    before, after = defect.change
    assert before in HEAD
    head = HEAD.replace(before, after, 1) if before else HEAD
    if name in WITHOUT_FALLBACK:
        head = head.replace("fallback to middle, large\n", "")
    if name == "context windows that are too small":
        head = head.replace("$2 out can tools", "$2 out context 2000 can tools")
        head = head.replace("$9 out can tools", "$9 out context 2000 can tools")
    if name == "a promise that a cooldown breaks":
        head = head.replace("fallback to middle, large\n", "fallback to middle\n")
    return head + defect.text + "\n"


def found_in(text: str, code: str, file: Path) -> list[tuple[str, Diagnostic]]:
    """
    Return the findings of a code, each with the line it is at.
    """
    file.write_text(text, encoding="utf-8")
    report = validate([file]).report
    lines = text.splitlines()
    return [
        (lines[place(Source(file.name, text), d.span.start).line - 1] if d.span else "", d)
        for d in report.diagnostics
        if d.code == code
    ]


def test_there_are_enough() -> None:
    """
    Every code of the proofs but P718 is planted, most of them in several ways.
    """
    codes = {f"P{number}" for number in range(701, 718)}

    assert codes == {defect.code for defect in DEFECTS.values()}
    assert len(DEFECTS) >= 25


def test_without_a_defect_nothing_is_found() -> None:
    """
    The policy in which defects are planted has none.
    """
    assert () == validate_text(HEAD).report.diagnostics


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_is_found_at_its_line_and_shown(name: str, tmp_path: Path) -> None:
    """
    A defect is found at its line, and its command, run as printed, shows it, whatever is in the environment.
    """
    defect = DEFECTS[name]
    found = found_in(planted(name), defect.code, tmp_path / "planted.policy")
    at_line = [diagnostic for line, diagnostic in found if defect.at.strip() in line]
    assert at_line, [(line, d.message) for line, d in found]
    help = at_line[0].help or ""

    if defect.shows is None:
        assert "policyctl explain" not in help
        return
    words = shlex.split(help[help.index("policyctl explain") :])[1:]
    if "--why-not" in words:
        ran = call(*words, at=tmp_path, env={"POLICYCTL_TEST_PRIVATE": "yes"})
        assert "in no tier" in ran.out
        return
    ran = call(*words, "--json", at=tmp_path, env={"POLICYCTL_TEST_PRIVATE": "yes"})
    assert defect.shows(ran), (words, ran.out, ran.err)


def test_only_what_is_broken_for_plain_requests_is_an_error() -> None:
    """
    A gap is an error where a request with nothing but a complexity has nobody, else a warning; a broken
    promise is an error.
    """
    severities = {
        name: {d.severity for d in validate_text(planted(name)).report.diagnostics if d.code == defect.code}
        for name, defect in DEFECTS.items()
    }
    errors = {name for name, found in severities.items() if Severity.ERROR in found}

    assert errors == {
        "a tier of disabled models",
        "context windows that are too small",
        *(name for name, defect in DEFECTS.items() if defect.code == "P716"),
    }


def test_a_policy_with_an_error_of_the_proofs_still_decides() -> None:
    """
    No finding of the proofs keeps a policy from being used.
    """
    text = planted("a promise of two providers")

    assert validate_text(text).policy is not None
    assert ("small", "middle", "large") == Engine.from_text(text).decide(complexity=1).chain


def test_what_is_too_large_is_unproved_not_silent() -> None:
    """
    A policy with more facts than can be looked at, and one with too many sets of windows, say so.
    """
    inputs = "".join(
        f"input i{n} is yes or no default no\nrule r{n} when i{n} is yes use large\n" for n in range(160)
    )
    windows = "".join(f'window w{n} is cron "{n}-59 {n}-23 * * *"\n' for n in range(12))
    minutes = ",".join(map(str, range(0, 60, 2)))
    busy = "".join(f'window b{n} is cron "{minutes} {n} {n + 1}-31 * *"\n' for n in range(20))
    rules = "".join(f"rule r{n} when during b{n} and during w{n % 12} use large\n" for n in range(20))

    for text in (HEAD + inputs, HEAD + windows + busy + rules):
        found = [d for d in validate_text(text).report.diagnostics if d.code == "P718"]
        assert [Severity.WARNING] == [d.severity for d in found]
        assert found[0].message.startswith("unproved: ")


def test_ctrl_c_ends_the_proofs_at_once(tmp_path: Path) -> None:
    """
    Ctrl-C in the middle of a proof ends the run with 130, without a traceback.
    """
    endless = (
        "from policyctl.engine.analysis.diagram import Diagrams\n"
        "def spend(self, steps=1):\n"
        "    print('waiting', flush=True)\n"
        "    while True: pass\n"
        "Diagrams.spend = spend\n"
    )
    (tmp_path / "policyctl.policy").write_text(HEAD, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-c", endless + ENTRY, "validate"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "waiting\n" == process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    assert (130, "", "") == (process.returncode, out, err.strip())


def test_each_rule_that_can_win_has_a_witness() -> None:
    """
    The witness of a rule is a request that it wins; a rule that can't win has none.
    """
    text = (
        HEAD
        + 'rule a when branch starts with "fix/" and risk is above 3 use large\n'
        + "rule b when during nights and stage is not dev use middle\n"
        + "rule c when budget monthly is at least 80% and private is yes use small\n"
        + "rule d when during nights and stage is prod use small\n"
    )
    engine = Engine.from_text(text)
    found = winning_witnesses(engine.table)
    won = {
        name: engine.explain(case.request, situation=_there(engine, case)).decision.rule
        for name, case in found.items()
    }

    assert {"a": "a", "b": "b", "c": "c"} == won


def _there(engine: Engine, case: Any) -> Any:
    return engine.situation(case.state.now, case.state.spend)
