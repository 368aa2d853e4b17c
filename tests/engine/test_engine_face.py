"""
The Engine as a program holds it: loaded once, asked with plain values, from many threads.

POLICYCTL_PAIRS scales how many random calls are made.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from policyctl import Engine
from policyctl.engine.situations import Situations
from policyctl.schemas.decision import Decision, Explanation, Outcome
from policyctl.schemas.errors import PolicyError, RequestError
from policyctl.schemas.policy import NANO
from policyctl.schemas.request import Failure, Request, Spend

from ..reference.generate import maybe, seeded, some

# Read before the tests run: they see no variable of policyctl.
PAIRS = int(os.environ.get("POLICYCTL_PAIRS", "100000"))
THREADS = 16

MODELS = """
model small is offline/small costs $1 in, $1 out  can tools
model middle is offline/middle costs $2 in, $2 out  can tools, vision  alias mid
model large is offline/large costs $9 in, $9 out  can tools, vision, json_mode
"""
TIERS = """
tier cheap from complexity 0 has small
tier medium from complexity 3 has middle
tier strong from complexity 6 has large
"""
REST = """
timezone America/New_York
input private is yes or no default no
input stage is one of dev, prod default dev
input risk is 1 to 5 default 1
domain sight prefers middle
window office is Mon to Fri 09:00 to 17:00
window late is Sun 01:20 to 01:40
window busy is cron "*/20 * * * *"
budget daily is $10 per day
  at 50% downgrade 1 tier
  at 100% pause
budget weekly is $50 per week
  at 90% only small
rule working when during office and branch is "main" use tier strong
rule flicker when during busy and kind is bug use tier medium
rule night when during late use tier strong
rule spent when budget daily is above 20% and private is yes use small
never use small when stage is prod
escalate to next tier when gate tests fails
fallback to middle, large
"""
TEXT = MODELS + TIERS + REST
ENGINE = Engine.from_text(TEXT)
NOON = datetime(2026, 1, 5, 17, tzinfo=UTC)


def ask(**asked: Any) -> Decision:
    return ENGINE.decide(**{"complexity": 1, "now": NOON, **asked})


def problems(**asked: Any) -> list[tuple[str, str]]:
    with pytest.raises(RequestError) as caught:
        ask(**asked)
    return [(problem.where, problem.message) for problem in caught.value.problems]


# --- loading ------------------------------------------------------------------------------------


def test_a_policy_is_loaded_from_a_file_from_several_and_from_text(tmp_path: Path) -> None:
    """
    Several files are one policy, in the order given.
    """
    first, second = tmp_path / "models.policy", tmp_path / "rest.policy"
    first.write_text(MODELS, encoding="utf-8")
    second.write_text(TIERS + REST, encoding="utf-8")

    engine = Engine.load(first, str(second))

    assert ENGINE.policy.digest == engine.policy.digest
    assert ENGINE.decide(complexity=4, now=NOON) == engine.decide(complexity=4, now=NOON)
    assert [str(first), str(second)] == [source.name for source in engine.sources]


def test_a_policy_with_errors_is_not_loaded() -> None:
    """
    The error carries the report, with a place for each finding.
    """
    with pytest.raises(PolicyError) as caught:
        Engine.from_text("tier cheap from complexity 0 has nobody", "mine.policy")

    [finding] = caught.value.report.diagnostics
    assert ("P203", "mine.policy") == (finding.code, finding.span.source)


def test_explain_decides_the_same() -> None:
    """
    `explain` takes what `decide` takes.
    """
    asked: dict[str, Any] = {"complexity": 8, "spend": {"daily": 6}, "down": ["middle"], "now": NOON}

    assert ENGINE.decide(**asked) == ENGINE.explain(**asked).decision
    assert ("middle", "large") == ENGINE.decide(**asked | {"down": []}).chain[:2]


# --- plain values ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "request_"),
    [
        ({}, Request()),
        ({"private": True}, Request(inputs={"private": "yes"})),
        ({"private": False}, Request(inputs={"private": "no"})),
        ({"private": None}, Request()),
        ({"inputs": {"private": True}, "stage": "prod"}, Request(inputs={"private": "yes", "stage": "prod"})),
        ({"risk": 2.5}, Request(inputs={"risk": 2.5})),
        ({"requires": "vision"}, Request(requires=frozenset({"vision"}))),
        ({"requires": ["vision", "tools"]}, Request(requires=frozenset({"vision", "tools"}))),
        ({"requires": {"vision"}}, Request(requires=frozenset({"vision"}))),
        ({"requires": ("vision", "vision")}, Request(requires=frozenset({"vision"}))),
        ({"requires": (c for c in ["vision"])}, Request(requires=frozenset({"vision"}))),
        ({"requires": []}, Request()),
        ({"gates": ["tests"]}, Request(failures=(Failure("gate tests"),))),
        ({"gates": "tests"}, Request(failures=(Failure("gate tests"),))),
        ({"gates": ["tests", "tests"]}, Request(failures=(Failure("gate tests"), Failure("gate tests")))),
        (
            {"failures": (Failure("timeout", "cheap"),), "gates": ["tests"]},
            Request(failures=(Failure("timeout", "cheap"), Failure("gate tests"))),
        ),
        ({"story_models": "mid"}, Request(story_models=("mid",))),
        ({"story_models": ["mid", "large"]}, Request(story_models=("mid", "large"))),
        ({"tier": "strong", "preferred": "mid"}, Request(tier="strong", preferred="mid")),
        ({"domain": "sight", "branch": "main"}, Request(domain="sight", branch="main")),
        (
            {"input_tokens": 5, "output_tokens": 0, "attempt": 2},
            Request(input_tokens=5, output_tokens=0, attempt=2),
        ),
    ],
)
def test_keywords_are_the_fields_of_a_request_and_declared_inputs(
    plain: dict[str, Any], request_: Request
) -> None:
    """
    Yes and no as booleans, one or more texts as a text or any collection.
    """
    expected = ENGINE.decide(replace(request_, complexity=4), now=NOON)

    assert expected == ENGINE.decide(complexity=4, now=NOON, **plain)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"complexty": 4}, [("input", "unknown input `complexty`")]),
        ({"privat": True}, [("input", "unknown input `privat`")]),
        ({"private": "maybe"}, [("private", "`private` can't be `maybe`")]),
        ({"private": 1}, [("private", "`private` can't be `1`")]),
        ({"stage": True}, [("stage", "`stage` can't be `yes`")]),
        ({"risk": 7}, [("risk", "`risk` can't be 7")]),
        ({"risk": True}, [("risk", "`risk` is a number, not `yes`")]),
        ({"complexity": 11}, [("complexity", "`complexity` can't be 11")]),
        ({"complexity": float("nan")}, [("complexity", "`complexity` is a number, not `nan`")]),
        ({"complexity": None}, [("complexity", "`complexity` isn't given")]),
        ({"tier": "huge"}, [("tier", "unknown tier `huge`")]),
        ({"preferred": "huge"}, [("model", "unknown model `huge`")]),
        ({"requires": 3}, [("requires", "`requires` is one or more texts, not `3`")]),
        ({"gates": True}, [("gates", "`gates` is one or more texts, not `True`")]),
        ({"story_models": 3}, [("story_models", "`story_models` is one or more texts, not `3`")]),
        ({"delegated_by": "US-1"}, [("delegated_by", "`delegated_by` is a Request, that of the story")]),
        ({"spend": {"dayly": 3}}, [("spend", "unknown budget `dayly`")]),
        ({"spend": {"daily": -1}}, [("spend", "budget `daily` can't have spent -1")]),
        ({"spend": {"daily": float("nan")}}, [("spend", "budget `daily` can't have spent nan")]),
        ({"spend": {"daily": Decimal("Infinity")}}, [("spend", "budget `daily` can't have spent Infinity")]),
        ({"spend": {"daily": "a lot"}}, [("spend", "budget `daily` can't have spent a lot")]),
        ({"spend": {"daily": Spend(0, -1)}}, [("spend", f"budget `daily` can't have spent {Spend(0, -1)}")]),
        ({"now": datetime(2026, 1, 5, 12)}, [("now", "`now` doesn't say which time zone it is in")]),
        ({"now": datetime(9999, 12, 31, tzinfo=UTC)}, [("now", "`now` can't be in the year 9999")]),
        ({"now": datetime(1, 1, 1, tzinfo=UTC)}, [("now", "`now` can't be in the year 1")]),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(
    asked: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """
    A mistake is a RequestError that names it, on the first call and on any later one.
    """
    assert expected == problems(**asked)
    ask()
    assert expected == problems(**asked)


def test_a_request_and_its_fields_together_are_a_mistake() -> None:
    """
    One of the two would be lost without a word.
    """
    with pytest.raises(TypeError, match="not both: branch, private"):
        ENGINE.decide(Request(complexity=4), branch="main", private=True)
    with pytest.raises(TypeError, match="not both: requires"):
        ENGINE.explain(Request(complexity=4), requires={"vision"})


@pytest.mark.parametrize("amount", [5, 5.0, Decimal("5.00"), Spend(5 * NANO), Spend(5 * NANO, 4 * NANO)])
def test_what_is_spent_is_a_number_of_dollars_or_a_spend(amount: Any) -> None:
    """
    Whatever it is written as, five dollars are half of ten.
    """
    assert ("downgrade", "medium") == (
        (decision := ask(complexity=8, spend={"daily": amount})).action,
        decision.tier,
    )


def test_dollars_are_exact() -> None:
    """
    A float is taken as it prints: 4.999999999 isn't five.
    """
    assert "downgrade" == ask(spend={"daily": 5.0}).action
    assert None is ask(spend={"daily": 4.999999999}).action
    assert None is ask(spend={"daily": Decimal("4.999999999")}).action
    assert ("pause", Outcome.REFUSED_BY_BUDGET) == (
        (decision := ask(spend={"daily": Spend(6 * NANO, 4 * NANO)})).action,
        decision.outcome,
    )


# --- the kept situation ------------------------------------------------------------------------------


WORLD = ("now", "spend", "down", "available")


class Calls:
    """
    Random calls: a clock that walks, jumps and stops around the days on which clocks change.
    """

    DAYS = ("2026-01-05", "2026-01-10", "2026-03-08", "2026-11-01")
    ZONES: tuple[Any, ...] = (UTC, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata"))

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now = datetime.fromisoformat(rng.choice(self.DAYS)).replace(tzinfo=UTC)
        self.spend: dict[str, Any] = {}
        self.down: tuple[str, ...] = ()
        self.available: tuple[str, ...] | None = None

    def __next__(self) -> dict[str, Any]:
        rng = self.rng
        if maybe(rng, 0.7):
            seconds = rng.choice((0, 1, 30, 60, 600, 1200, 3600, 7200, -1, -60, -3600))
            self.now += timedelta(seconds=seconds + rng.choice((0, 0, 1)))
        elif maybe(rng, 0.1):
            self.now = Calls(rng).now
        if maybe(rng, 0.15):
            amounts = (0, 2, 2.01, 5, Decimal("9.99"), Spend(5 * NANO, 5 * NANO), 45)
            self.spend = {name: rng.choice(amounts) for name in some(rng, ("daily", "weekly"), 0, 2)}
        if maybe(rng, 0.1):
            self.down = some(rng, ("small", "middle", "large"), 0, 2)
        if maybe(rng, 0.1):
            self.available = rng.choice((None, ("small", "large"), ("middle",), ("small", "middle", "large")))
        return {
            "now": self.now.astimezone(rng.choice(self.ZONES)),
            "spend": self.spend,
            "down": self.down,
            "available": self.available,
            "complexity": rng.choice((1, 4, 8)),
            "branch": rng.choice(("", "main")),
            "kind": rng.choice(("", "bug")),
            "private": rng.choice((True, False)),
        }


def fresh(asked: dict[str, Any]) -> Explanation:
    """
    The answer of an engine that remembers nothing.
    """
    engine = Engine.__new__(Engine)
    engine.__dict__.update(vars(ENGINE))
    engine._situations = Situations(ENGINE.table)
    engine._usual = None
    return engine.explain(**asked)


def test_the_kept_situation_never_gives_a_stale_answer() -> None:
    """
    Whatever the clock, the money and the models did before, the answer is that of a fresh engine.
    """
    rng = seeded("face")
    seen: set[int] = set()
    kept: list[bool] = []
    for _ in range(max(PAIRS // 6_000, 5)):
        calls = Calls(rng)
        for _ in range(40):
            asked = next(calls)
            decision, explanation = ENGINE.decide(**asked), ENGINE.explain(**asked)
            there = id(ENGINE.situation(**{name: asked[name] for name in WORLD}).finished)
            kept.append(there in seen)
            seen.add(there)

            assert fresh(asked) == explanation, asked
            assert decision == explanation.decision, asked

    assert sum(kept) > len(kept) // 5, "nothing was kept, so nothing was tested"


def test_the_doubled_hour_is_not_mistaken_for_the_hour_before() -> None:
    """
    Clock hands of one zone compare without their fold: 01:10 the second time is later than 01:30 the first.
    """
    zone = ZoneInfo("America/New_York")
    second = datetime(2026, 11, 1, 1, 10, tzinfo=zone, fold=1)
    first = datetime(2026, 11, 1, 1, 30, tzinfo=zone, fold=0)

    assert "cheap" == ask(now=second).tier
    assert "strong" == ask(now=first).tier
    assert "cheap" == ask(now=second).tier


def test_a_situation_says_what_was_asked() -> None:
    """
    A situation of its own has the clock of its call, even where the one before would decide the same.
    """
    times = [NOON + timedelta(minutes=minutes) for minutes in (1, 2, 3)]

    assert times == [ENGINE.situation(now).state.now for now in times]
    assert [1, 2, 3] == [ENGINE.situation(now).local.minute for now in times]


def test_many_threads_get_the_answers_of_one() -> None:
    """
    Sixteen threads over a changing clock, with one engine: each decision is that of a single thread.
    """
    rng = seeded("threads")
    engine = Engine.from_text(TEXT.replace("*/20 * * * *", "* 8-11 * * *"))
    calls = Calls(rng)
    moments = [next(calls) for _ in range(100)]
    asked = [{**moment, "complexity": n} for moment in moments for n in (0, 3, 5, 6, 9)]
    expected = [engine.decide(**one) for one in asked]
    times = max(PAIRS // 25_000, 1)

    def work(number: int) -> list[int]:
        starts = list(range(0, len(asked), 5)) * times
        seeded(f"thread {number}").shuffle(starts)
        order = [start + n for start in starts for n in range(5)]
        return [i for i in order if expected[i] != engine.decide(**asked[i])]

    with ThreadPoolExecutor(THREADS) as pool:
        wrong = list(pool.map(work, range(THREADS)))

    assert [[]] * THREADS == wrong


# --- decisions and digests -------------------------------------------------------------------------------


def test_decisions_are_values() -> None:
    """
    Equal where all fields are, usable as keys, and unchangeable.
    """
    decision = ask(complexity=4)

    assert decision == ask(complexity=4)
    assert 2 == len({decision, ask(complexity=4), ask(complexity=8)})
    with pytest.raises(FrozenInstanceError):
        decision.chain = ()  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        decision.note = "mine"  # type: ignore[attr-defined]


def digest(text: str) -> str:
    return Engine.from_text(text).policy.digest


ALL = f"""
policy "face" version 1
baseline large
estimate 2000 in, 1000 out
{TEXT}
hedge after 10s
retry 3 attempts wait 1s doubling up to 30s
  on rate_limit wait 60s
  on timeout next model
alert dear when daily_cost is above $20 log
promise two at least 2 providers when complexity is above 20%
example complexity is 1 gives small
""".replace("complexity is above 20%", "complexity is above 2")

RELAYOUTS: list[Callable[[str], str]] = [
    lambda text: " ".join(text.split()),
    lambda text: text.replace("  ", " ").replace(" has ", "\n\t has\n").replace(" when ", "\nwhen "),
    lambda text: text.replace("\n", "\r\n"),
    lambda text: "# a comment\n" + text.replace("\n", "  # and more\n"),
    lambda text: "\n\n".join(line.strip() for line in text.splitlines()),
    lambda text: text + "end",
    lambda text: text.replace("has small", 'has "small"').replace("prefers middle", 'prefers "middle"'),
    lambda text: text.replace("$10 per day", "$10.00 per day").replace("at 50% ", "at 50.0% "),
    lambda text: text.replace("2000 in", "2k in"),
    lambda text: text.replace("complexity 3 ", "complexity 3.0 "),
    lambda text: text.replace("09:00", "9:00"),
]


@pytest.mark.parametrize("relayout", RELAYOUTS)
def test_the_digest_does_not_see_layout(relayout: Callable[[str], str]) -> None:
    """
    Other line ends, blanks, comments, quotes and ways to write a number are the same policy.
    """
    assert digest(ALL) == digest(relayout(ALL))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('policy "face"', 'policy "face2"'),
        ("version 1", "version 2"),
        ("America/New_York", "Europe/Berlin"),
        ("baseline large", "baseline small"),
        ("estimate 2000 in", "estimate 2001 in"),
        ("1000 out", "1001 out"),
        ("model small is offline/small", "model small is offline/smaller"),
        ("costs $1 in", "costs $1.000000001 in"),
        ("costs $9 in, $9 out  can tools, vision, json_mode", "costs $9 in, $9 out  can tools, vision"),
        ("alias mid", "alias middling"),
        ("alias mid", "alias mid timeout 5s"),
        ("alias mid", "alias mid context 1k"),
        ("alias mid", "alias mid output 1k"),
        ("alias mid", "alias mid set temperature 0.2"),
        ("alias mid", "alias mid key MY_KEY"),
        ("alias mid", 'alias mid server "http://localhost:1"'),
        ("alias mid", "alias mid disabled"),
        ("from complexity 3", "above complexity 3"),
        ("from complexity 3", "from complexity 3.1"),
        ("has middle", "has middle, small"),
        ("default no", "default yes"),
        ("default no", "default no from env MY_PRIVATE"),
        ("one of dev, prod", "one of dev, test, prod"),
        ("1 to 5", "1 to 6"),
        ("domain sight prefers middle", "domain sight prefers large"),
        ("domain sight prefers middle", "domain sight prefers middle at any tier"),
        ("09:00 to 17:00", "09:00 to 17:01"),
        ("Mon to Fri", "Mon to Sat"),
        ('cron "*/20', 'cron "*/30'),
        ("$10 per day", "$11 per day"),
        ("$10 per day", "$10 per week"),
        ("$10 per day", "$10 per day for domain sight"),
        ("at 50% downgrade 1", "at 51% downgrade 1"),
        ("at 50% downgrade 1", "at 50% downgrade 2"),
        ("at 90% only small", "at 90% only middle"),
        ("at 90% only small", "at 90% pause"),
        ("rule working", "rule worked"),
        ("during office and", "outside office and"),
        ('branch is "main"', 'branch is "Main"'),
        ('branch is "main"', 'branch starts with "main"'),
        ('branch is "main"', 'branch is not "main"'),
        ("use tier medium", "use tier strong"),
        ("above 20%", "at least 20%"),
        ("above 20%", "above $2"),
        ("private is yes use small", 'private is yes use small because "it is private"'),
        ("never use small", "only use small"),
        ("when stage is prod", "when stage is dev"),
        ("escalate to next tier", "escalate to strong"),
        ("gate tests fails", "gate lint fails"),
        ("fallback to middle, large", "fallback to large, middle"),
        ("fallback to middle, large", "fallback to middle, large in parallel"),
        ("fallback to middle", "fallback to next 1 of tier, middle"),
        ("hedge after 10s", "hedge after 11s"),
        ("retry 3", "retry 4"),
        ("wait 1s", "wait 2s"),
        ("up to 30s", "up to 31s"),
        (" doubling up to 30s", ""),
        ("on rate_limit wait 60s", "on rate_limit stop"),
        ("on timeout", "on overloaded"),
        ("above $20 log", "at least $20 log"),
        ("above $20 log", 'above $20 email "me@example.com"'),
        ("at least 2 providers", "at least 3 providers"),
        ("complexity is above 2\n", "complexity is above 3\n"),
        ("example complexity is 1", "example complexity is 2"),
        (
            'rule working when during office and branch is "main" use tier strong\n'
            "rule flicker when during busy and kind is bug use tier medium\n",
            "rule flicker when during busy and kind is bug use tier medium\n"
            'rule working when during office and branch is "main" use tier strong\n',
        ),
    ],
)
def test_the_digest_sees_every_change_of_meaning(old: str, new: str) -> None:
    """
    Each part of each statement counts.
    """
    assert 1 == ALL.count(old), "the change must be one"
    assert digest(ALL) != digest(ALL.replace(old, new))


def test_every_decision_carries_the_digest() -> None:
    """
    So that what decided is known afterwards.
    """
    assert ENGINE.policy.digest == ask().policy_digest
    assert ENGINE.policy.digest == ask(spend={"daily": 10}).policy_digest


def test_budgets_in_another_order_are_another_policy() -> None:
    """
    Of two equal budgets the one written first counts, so their order is in the digest.
    """
    head = (
        "model a is offline/a costs $1 in, $1 out model b is offline/b costs $2 in, $2 out "
        "tier t from complexity 0 has a, b "
    )
    x, y = "budget x is $1 per day at 50% only a ", "budget y is $1 per day at 50% only b "
    one, other = Engine.from_text(head + x + y), Engine.from_text(head + y + x)
    spend = {"x": 0.6, "y": 0.6}

    assert (("a",), ("b",)) == tuple(e.decide(complexity=1, spend=spend).chain for e in (one, other))
    assert one.policy.digest != other.policy.digest


def test_a_situation_of_another_policy_is_refused() -> None:
    """
    What was observed for one policy can't decide for another.
    """
    text = "model a is offline/a costs nothing tier t from complexity 0 has a"
    one, other = Engine.from_text(text), Engine.from_text(text)

    with pytest.raises(ValueError, match="another policy"):
        other.decide(complexity=1, situation=one.situation())


@pytest.mark.parametrize(
    "facts",
    [
        {"complexity": 10**400},
        {"complexity": 1, "input_tokens": 10**400},
        {"complexity": 1, "preferred": 5},
        {"complexity": 1, "tier": ["t"]},
        {"complexity": 1, "domain": 5},
        {"complexity": 1, "requires": {"visoin"}},
    ],
)
def test_odd_values_are_request_errors(facts: dict[str, object]) -> None:
    """
    Whatever a program passes for a fact, what can't be is a RequestError.
    """
    engine = Engine.from_text("model a is offline/a costs nothing tier t from complexity 0 has a")

    with pytest.raises(RequestError):
        engine.decide(**facts)


def test_a_sub_task_is_inside_the_hard_limits_of_its_story() -> None:
    """
    Hard limits that hold for a story bind its sub-tasks; inputs without a default come from it; nothing else.
    """
    engine = Engine.from_text(
        "model a is offline/a costs nothing model b is offline/b costs $1 in, $1 out "
        "tier low from complexity 0 has a, b tier high from complexity 5 has b "
        "input team is one of web, lab input private is yes or no default no "
        "never use a when private is yes rule lab when team is lab and attempt is 2 use tier high"
    )
    story = Request(complexity=9, inputs={"team": "lab", "private": "yes"})
    deeper = Request(complexity=1, delegated_by=story)

    assert ("b",) == engine.decide(complexity=1, delegated_by=story).chain
    assert ("low", ("b",)) == ((found := engine.decide(complexity=1, delegated_by=deeper)).tier, found.chain)
    assert ("a",) == engine.decide(complexity=1, delegated_by=replace(story, inputs={"team": "lab"})).chain
    assert "high" == engine.decide(complexity=1, attempt=2, delegated_by=story).tier
    assert "low" == engine.decide(complexity=1, attempt=2, team="web", delegated_by=story).tier
    assert engine.explain(complexity=1, delegated_by=story).notes == (
        "a hard limit of the story that delegates this holds here too: never use a",
    )


def test_models_in_cooldown_go_by_any_of_their_names() -> None:
    """
    `down` takes what a request may call a model by, and refuses what is none.
    """
    text = "model x/a is offline/a costs nothing alias al model b is offline/b costs $1 in, $1 out "
    engine = Engine.from_text(text + "tier t from complexity 0 has x/a, b")

    assert ["b", "b", "b"] == [engine.decide(complexity=1, down=[n]).chain[0] for n in ("x/a", "a", "al")]
    with pytest.raises(RequestError, match="unknown model `zzz`"):
        engine.decide(complexity=1, down=["zzz"])
