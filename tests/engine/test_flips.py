"""
Flips against brute force: what is announced is true, and nothing nearer would do.

POLICYCTL_PAIRS scales how many random policies, requests and states are drawn.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from functools import cached_property
from typing import Any

import pytest

from policyctl import Engine
from policyctl.engine.compile import compile_policy
from policyctl.engine.decide import decide, observe
from policyctl.engine.facts import facts_of, option
from policyctl.engine.flips import Flip, flips
from policyctl.engine.table import DecisionTable
from policyctl.engine.windows import changes
from policyctl.schemas.decision import Decision
from policyctl.schemas.errors import RequestError
from policyctl.schemas.policy import CAPABILITIES, NANO, Budget, CheckedPolicy, Fact, FactKind
from policyctl.schemas.request import Failure, Request, Spend, State

from ..reference.generate import TEXTS, changed, random_policy, random_request, random_state, seeded

# Read before the tests run: they see no variable of policyctl.
PAIRS = int(os.environ.get("POLICYCTL_PAIRS", "100000"))
OWN_FIELDS = ("complexity", "domain", "kind", "skill", "branch", "attempt", "input_tokens", "output_tokens")


@dataclass(frozen=True)
class Case:
    """
    A request in a state, what is decided, and what would flip it.
    """

    table: DecisionTable
    request: Request
    state: State

    @cached_property
    def was(self) -> Decision:
        return decide(self.table, self.request, observe(self.table, self.state))

    @cached_property
    def found(self) -> tuple[Flip, ...]:
        return flips(self.table, self.request, observe(self.table, self.state))

    def flips_with(self, **changes: Any) -> bool:
        """
        Whether other fields of the request or state give another chain; a request error doesn't.
        """
        request: Request = changed(self.request, **{k: v for k, v in changes.items() if k in REQUEST_FIELDS})
        state: State = changed(self.state, **{k: v for k, v in changes.items() if k not in REQUEST_FIELDS})
        try:
            now = decide(self.table, request, observe(self.table, state))
        except RequestError:
            return False
        return now.chain != self.was.chain

    def announced(self, *names: str) -> list[str]:
        """
        The values that flips give for an option, or the option itself where it has none.
        """
        return [flip.options[-1] for flip in self.found if flip.options[0] in names]

    def value(self, fact: Fact) -> Any:
        return facts_of(self.table, self.request).values[fact.name]

    def facts(self, *kinds: FactKind) -> Iterator[Fact]:
        facts = self.table.policy.facts.values()
        return (fact for fact in facts if fact.kind in kinds and fact.name != "tier")

    def __str__(self) -> str:
        return f"{self.table.policy}\n{self.request}\n{self.state}\n{[f.options for f in self.found]}"


REQUEST_FIELDS = frozenset(Request.__dataclass_fields__)


def cases(name: str, count: int) -> Iterator[Case]:
    """
    Random cases with a request that can be decided.
    """
    rng = seeded(f"flips {name}")
    while count > 0:
        policy = random_policy(rng)
        table = compile_policy(CheckedPolicy(policy))
        for _ in range(5):
            case = Case(table, random_request(rng, policy), random_state(rng, policy))
            try:
                facts_of(table, case.request)
            except RequestError:
                continue
            count -= 1
            yield case


def with_value(case: Case, fact: Fact, value: str | float) -> dict[str, Any]:
    """
    The change of a request that gives a fact another value.
    """
    if fact.name in OWN_FIELDS:
        return {fact.name: value}
    return {"inputs": {**case.request.inputs, fact.name: value}}


# --- what is announced is true -------------------------------------------------------------------


def applied(case: Case, options: tuple[str, ...]) -> tuple[Request, State]:
    """
    The request and state that a flip's options make of those of the case.
    """
    request, state = case.request, case.state
    name, text = options[0], options[-1]
    if name == "--at":
        return request, replace(state, now=datetime.fromisoformat(text))
    if name == "--down":
        return request, replace(state, down=state.down | {text})
    if name == "--gate":
        failure = Failure(f"gate {text.removesuffix('=failed')}")
        return replace(request, failures=(*request.failures, failure)), state
    if name == "--spend":
        budget, _, amount = text.partition("=")
        spend = replace(state.spend.get(budget, Spend()), spent_nusd=nusd(case, budget, amount))
        return request, replace(state, spend={**state.spend, budget: spend})
    if len(options) == 1:
        capability = {name.rpartition("requires-")[2].replace("-", "_")}
        there = request.requires - capability if name.startswith("--no-") else request.requires | capability
        return replace(request, requires=there), state
    fact = next(fact for fact in case.table.policy.facts.values() if option(fact.name) == name)
    value = float(text) if fact.kind is FactKind.NUMBER else text
    value = int(value) if fact.kind is FactKind.NUMBER and fact.whole else value
    return changed(request, **with_value(case, fact, value)), state


def nusd(case: Case, budget: str, text: str) -> int:
    """
    What `--spend` reads: a share of the limit, or dollars.
    """
    limit = case.table.policy.budgets[budget].limit_nusd
    amount = Decimal(text.rstrip("%"))
    exact = amount * limit / 100 if text.endswith("%") else amount * NANO
    assert exact == int(exact), "an option that means a part of a billionth of a dollar"
    return int(exact)


def test_every_flip_gives_what_it_says() -> None:
    """
    The request and state that the options make give the decision announced, with another chain.
    """
    told = 0
    for case in cases("true", PAIRS // 1200):
        for flip in case.found:
            request, state = applied(case, flip.options)
            now = decide(case.table, request, observe(case.table, state))
            told += 1

            assert flip.decision == now, f"{flip}\n{case}"
            assert case.was.chain != now.chain
            assert flip.change.strip()

    assert told > PAIRS // 2000


# --- nothing nearer would do -----------------------------------------------------------------------


def nearest(case: Case, name: str, now: float, *, up: bool) -> float | None:
    values = [float(text) for text in case.announced(name)]
    beyond = [v for v in values if (v > now if up else v < now)]
    assert len(beyond) <= 1, f"two flips one way for {name}\n{case}"
    return beyond[0] if beyond else None


def check_grid(case: Case, fact: Fact, grid: Iterable[float], tolerance: float) -> None:
    """
    No value of the grid that flips is nearer than the announced one, up to a tolerance.
    """
    now = case.value(fact)
    for up in (True, False):
        told = nearest(case, option(fact.name), now, up=up)
        beyond = sorted((v for v in grid if (v > now if up else v < now)), reverse=not up)
        nearer = [v for v in beyond if told is None or abs(v - now) < abs(told - now)]
        first = next((v for v in nearer if case.flips_with(**with_value(case, fact, v))), None)
        if first is not None:
            assert told is not None, f"{fact.name} {first} flips, and nothing is told\n{case}"
            assert abs(told - now) < abs(first - now) + tolerance, f"{fact.name} {first} is nearer\n{case}"


def test_no_nearer_complexity_flips() -> None:
    """
    On a grid of tenths nothing is nearer than what is announced, but for the step of 0.1 at most.
    """
    tenths = [n / 10 for n in range(101)]
    for case in cases("complexity", PAIRS // 2000):
        check_grid(case, case.table.policy.facts["complexity"], tenths, 0.1)


def test_no_nearer_number_of_an_input_flips() -> None:
    """
    The same for declared numbers and attempts, exactly where they are whole.
    """
    for case in cases("inputs", PAIRS // 1500):
        for fact in case.facts(FactKind.NUMBER):
            if fact.name not in ("complexity", "input_tokens", "output_tokens"):
                low, high = int(fact.low), int(min(fact.high or 14, 14))
                step = 1 if fact.whole else 10
                grid = [n / step if step > 1 else n for n in range(low * step, high * step + 1)]
                check_grid(case, fact, grid, 1e-9 if fact.whole else 0.1)


def test_no_fewer_tokens_flip() -> None:
    """
    Each number of tokens is tried: where a context is full, a condition turns, or the cheapest changes.
    """
    some = range(0, 66_100, 1)
    for case in cases("tokens", PAIRS // 70_000):
        for name in ("input_tokens", "output_tokens"):
            fact = case.table.policy.facts[name]
            now = case.value(fact)
            near = [n for n in some if abs(n - now) < 700 or 63_950 < n < 64_050 or n % 101 == 0]
            check_grid(case, fact, near, 1e-9)


def test_no_nearer_spend_flips() -> None:
    """
    On a grid of a quarter percent of each budget nothing is nearer than what is announced.
    """
    for case in cases("spend", PAIRS // 7000):
        for budget in case.table.policy.budgets.values():
            quarters = (Decimal(n) * budget.limit_nusd / 400 for n in range(820))
            grid = sorted({int(quarter.to_integral_value(ROUND_CEILING)) for quarter in quarters})
            for up in (True, False):
                check_spends(case, budget, grid, up=up)


def check_spends(case: Case, budget: Budget, grid: list[int], *, up: bool) -> None:
    spend = case.state.spend.get(budget.name, Spend())
    now = spend.spent_nusd
    texts = [text.split("=") for text in case.announced("--spend")]
    amounts = [nusd(case, name, amount) for name, amount in texts if name == budget.name]
    told = [amount for amount in amounts if (amount > now if up else amount < now)]
    assert len(told) <= 1
    for amount in grid:
        nearer = not told or abs(amount - now) < abs(told[0] - now)
        if nearer and (amount > now if up else amount < now):
            there = {**case.state.spend, budget.name: replace(spend, spent_nusd=amount)}
            assert not case.flips_with(spend=there), f"{budget.name} {amount} is nearer\n{case}"


def test_no_earlier_moment_flips() -> None:
    """
    At no window's boundary of the next two weeks does the decision flip before the announced moment.
    """
    for case in cases("clock", PAIRS // 1500):
        policy, now = case.table.policy, case.state.now.astimezone(UTC)
        told = [datetime.fromisoformat(text) for text in case.announced("--at")]
        end = now + timedelta(days=14)
        first = None
        for moment in changes(policy.windows, case.table.zone, now, days=16):
            if moment > end:
                break
            if case.flips_with(now=moment):
                first = moment
                break
        if first is not None:
            assert [first] == told, case
        elif told:
            assert told[0] > end, case


# --- a flip is announced if and only if there is one -------------------------------------------------


def test_values_are_announced_if_and_only_if_one_flips() -> None:
    """
    For yes or no, choices and domains every value is tried.
    """
    for case in cases("values", PAIRS // 1500):
        for fact in case.facts(FactKind.YES_NO, FactKind.CHOICE):
            flipping = [
                v
                for v in fact.values
                if v != case.value(fact) and case.flips_with(**with_value(case, fact, v))
            ]
            told = case.announced(option(fact.name))

            assert bool(flipping) == bool(told), f"{fact.name}: {flipping}\n{case}"
            assert set(told) <= set(flipping)


def test_texts_are_announced_if_and_only_if_one_flips() -> None:
    """
    Texts that the policy names, texts that only start like one, and texts it has never heard of.
    """
    pool = {*TEXTS, *(text + more for text in TEXTS for more in ("x", "2", "n2", "~")), "main2x", "other"}
    for case in cases("texts", PAIRS // 2000):
        for fact in case.facts(FactKind.TEXT):
            flipping = [
                v for v in pool if v != case.value(fact) and case.flips_with(**with_value(case, fact, v))
            ]
            told = case.announced(option(fact.name))

            assert bool(flipping) == bool(told), f"{fact.name}: {flipping}\n{case}"


def test_capabilities_gates_and_cooldown_are_announced_if_and_only_if_they_flip() -> None:
    """
    Each capability more or less, each gate of the policy, and the first model set aside.
    """
    for case in cases("others", PAIRS // 1200):
        required = case.request.requires
        toggled = [c for c in CAPABILITIES if case.flips_with(requires=required ^ {c})]
        options = [f"--{'no-' if c in required else ''}requires-{c.replace('_', '-')}" for c in toggled]
        assert options[:1] == [flip.options[0] for flip in case.found if "requires-" in flip.options[0]], case

        gates = dict.fromkeys(e.gate for e in case.table.policy.escalations if e.gate is not None)
        failures = case.request.failures
        failing = [g for g in gates if case.flips_with(failures=(*failures, Failure(f"gate {g}")))]
        assert [f"{gate}=failed" for gate in failing[:1]] == case.announced("--gate"), case

        first = [k for k in case.was.chain[:1] if case.flips_with(down=case.state.down | {k})]
        assert first == case.announced("--down"), case


# --- cases by hand -------------------------------------------------------------------------------------

HEAD = """
model small is offline/small costs $1 in, $9 out  can tools context 10k
model other is offline/other costs $2 in, $2 out  can tools
model large is offline/large costs $50 in, $50 out can tools, vision
tier cheap from complexity 0 has small, other
tier strong from complexity 6 has large
"""


def told(text: str, **asked: Any) -> dict[str, str]:
    """
    Each change that is announced, with the head of its chain or its outcome.
    """
    engine = Engine.from_text(HEAD + text)
    state = {name: asked.pop(name) for name in ("now", "spend", "down") if name in asked}
    request = Request(**{"complexity": 1, **asked})
    found = engine.flips(request, engine.situation(**state))
    return {flip.change: next(iter(flip.decision.chain), flip.decision.outcome.value) for flip in found}


@pytest.mark.parametrize(
    ("text", "asked", "change", "expected"),
    [
        # numbers: at the very end of the range, and between two bounds that are close
        ("rule r when complexity is below 0.05 use large", {}, "complexity 0.025", "large"),
        ("rule r when complexity is above 9.95 use small", {"complexity": 7}, "complexity 9.975", "small"),
        ("rule r when complexity is 2 use large", {}, "complexity 2", "large"),
        ("rule r when complexity is above 2 use large", {}, "complexity 2.1", "large"),
        (
            "rule r when complexity is above 2 and complexity is below 2.05 use large",
            {},
            "complexity 2.025",
            "large",
        ),
        ("rule r when attempt is at least 3 use large", {}, "attempt 3", "large"),
        ("rule r when attempt is above 3 use large", {}, "attempt 4", "large"),
        ("rule r when attempt is below 3 use large", {"attempt": 5}, "attempt 2", "large"),
        # 1i + 9o is 2i + 2o where i is 7o: beyond that `small` is cheaper
        ("", {"input_tokens": 1000, "output_tokens": 1000}, "input tokens 7001", "small"),
        ("", {"input_tokens": 7000, "output_tokens": 500}, "output tokens 1000", "other"),
        ("", {"input_tokens": 7700, "output_tokens": 1100}, "output tokens 1099", "small"),
        ("", {"input_tokens": 9000, "output_tokens": 1000}, "input tokens 9001", "other"),
        # texts: the word itself, something that starts with it, and something else
        ('rule r when branch starts with "re/" use large', {}, "branch re/", "large"),
        (
            'rule r when branch starts with "re/" and branch is not "re/" use large',
            {},
            "branch re/x",
            "large",
        ),
        (
            'rule r when branch starts with "a" and branch is not one of "a", "ax", "ay" use large',
            {},
            "branch az",
            "large",
        ),
        ('rule r when branch is not one of "", "main" use large', {"branch": "main"}, "branch x", "large"),
        ('rule r when branch is not "main" use large', {"branch": "main"}, "no branch", "large"),
        # limits
        ("only use large when complexity is at least 3", {}, "complexity 3", "no model"),
        ("fallback to large only use large when kind is bug", {}, "kind bug", "large"),
        ("input p is yes or no default no refuse when p is yes", {}, "p yes", "refused by rule"),
        ("input s is one of a, b default a never use other when s is b", {}, "s b", "small"),
        ("domain d prefers large at any tier", {}, "domain d", "large"),
        ("", {"requires": frozenset({"vision"})}, "vision not required", "other"),
        ("", {}, "vision required", "large"),
        ("escalate to next tier when gate tests fails", {}, "gate tests fails", "large"),
        ("", {}, "other in cooldown", "small"),
        # money: a level, a condition, and an amount that is no short share of the limit
        ("budget b is $500 per month at 75% pause", {}, "b at 75%", "refused by budget"),
        ("budget b is $500 per month at 75% pause", {"spend": {"b": 400}}, "b at 74.99%", "other"),
        (
            "budget b is $500 per month rule r when budget b is above 80% use large",
            {},
            "b at 80.01%",
            "large",
        ),
        ("budget b is $3 per month rule r when budget b is at least $1 use large", {}, "b at $1", "large"),
        ("budget b is $0 per month rule r when budget b is at least $1 use large", {}, "b at $1", "large"),
        (
            "budget b is $500 per month at 100% pause",
            {"spend": {"b": Spend(300 * NANO, 100 * NANO)}},
            "b at 80%",
            "refused by budget",
        ),
        (
            "budget b is $500 per month at 100% pause",
            {"spend": {"b": Spend(450 * NANO, 100 * NANO)}},
            "b at 79.99%",
            "other",
        ),
        # the clock
        (
            "window w is Sat all day rule r when during w use large",
            {"now": datetime(2026, 1, 5, 12, tzinfo=UTC)},
            "Sat 10 Jan 00:00",
            "large",
        ),
        (
            'window busy is cron "*/2 * * * *" window w is cron "* * 1 12 *"'
            " rule q when during busy use small rule r when during w use small",
            {"now": datetime(2026, 1, 5, 12, 1, tzinfo=UTC)},
            "Mon 05 Jan 12:02",
            "small",
        ),
        (
            'window busy is cron "*/2 * * * *" window w is cron "* * 1 12 *"'
            " rule r when during w use large rule q when during busy use other",
            {"now": datetime(2026, 1, 5, 12, 1, tzinfo=UTC)},
            "Tue 01 Dec 00:00",
            "large",
        ),
    ],
)
def test_what_flips(text: str, asked: dict[str, Any], change: str, expected: str) -> None:
    """
    The smallest change of each kind is told, with what comes of it.
    """
    found = told(text, **asked)

    assert {change: expected} == {key: value for key, value in found.items() if key == change}, found


def test_what_holds_for_a_run_flips_for_the_story_of_a_sub_task_too() -> None:
    """
    An option that gives an input or the branch counts for a sub-task's story as well, and so does its flip.
    """
    text = 'input private is yes or no default no never use other when private is yes and branch is "main"'
    story = Request(complexity=1, branch="main", inputs={"private": "yes"})
    found = told(text, branch="main", inputs={"private": "yes"}, delegated_by=story)

    assert ("other", "other") == (found["private no"], found["no branch"])


@pytest.mark.parametrize(
    ("text", "asked", "kind"),
    [
        ("", {"complexity": 7}, "branch"),
        (
            "rule r when complexity is at least 3 use other, small",
            {"requires": frozenset({"vision"})},
            "attempt",
        ),
        ("refuse when complexity is at least 0", {}, "complexity"),
        ("window w is Mon to Sun all day rule r when during w use large", {}, "Mon"),
        ("budget b is $500 per month at 75% warn", {}, "b at"),
    ],
)
def test_what_flips_nothing_is_not_told(text: str, asked: dict[str, Any], kind: str) -> None:
    """
    A fact that changes nothing isn't in the list.
    """
    assert [] == [change for change in told(text, **asked) if change.startswith(kind)]
