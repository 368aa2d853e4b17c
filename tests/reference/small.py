"""
Small random policies, and all requests there are for them, written down plainly.

Every value of a fact that a policy could tell from others stands in a list: the numbers that it
names and those between them, the texts that it names and others, each quarter of an hour of a week. What
`policyctl` proves with diagrams is compared with a walk through all of them.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from policyctl.schemas.decision import Decision
from policyctl.schemas.policy import (
    NANO,
    Action,
    Budget,
    BudgetIn,
    Condition,
    Domain,
    During,
    Escalation,
    Fact,
    FactKind,
    FailureKind,
    Fallback,
    Level,
    Limit,
    LimitKind,
    Mates,
    Model,
    NumberIn,
    Policy,
    Promise,
    Rule,
    StartsWith,
    Tier,
    ValueIs,
    WeekSpan,
    When,
    Window,
)
from policyctl.schemas.request import Failure, Request, Spend, State

from . import evaluator
from .generate import HERE, maybe, seeded, some

KEYS = ("ant", "bee", "cat", "dog")
CAN = ("vision", "tools")
TEXTS = ("main", "ma", "fix")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
LIMIT = 100 * NANO


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, and the state in which it is asked."""

    request: Request
    state: State


# --- policies ----------------------------------------------------------------------------------------------


def small_policy(rng: random.Random) -> Policy:
    """A policy with few models, tiers and statements, whose conditions read a few subjects."""
    keys = KEYS[: rng.randint(2, 4)]
    models = {key: small_model(rng, key) for key in keys}
    tiers = small_tiers(rng, keys)
    names = tuple(tier.name for tier in tiers)
    domains = {
        n: Domain(n, some(rng, keys, 0, 2), maybe(rng, 0.4), HERE) for n in ("sight",) if maybe(rng, 0.5)
    }
    windows = small_windows(rng)
    budgets = small_budgets(rng, models, names, domains)
    facts = small_facts(rng, tuple(domains), names)
    subjects = [s for s in small_subjects(facts, windows, budgets, names) if maybe(rng, 0.25)]
    return Policy(
        name="small",
        version="1",
        timezone="UTC",
        baseline=None,
        estimate_input_tokens=1000,
        estimate_output_tokens=1000,
        models=models,
        tiers=tiers,
        facts=facts,
        windows=windows,
        rules=tuple(small_rule(rng, n, subjects, keys, names) for n in range(rng.randint(0, 4))),
        limits=tuple(small_limit(rng, subjects, keys) for _ in range(rng.choice((0, 0, 1, 1, 2, 3)))),
        domains=domains,
        budgets=budgets,
        escalations=tuple(small_escalation(rng, names) for _ in range(rng.choice((0, 1, 1, 2)))),
        fallback=small_fallback(rng, keys) if maybe(rng, 0.5) else None,
        hedge_after_s=None,
        retries=(),
        alerts=(),
        promises=tuple(small_promise(rng, n, subjects, keys) for n in range(rng.randint(0, 2))),
        examples=(),
        digest=f"{rng.getrandbits(64):016x}",
    )


def small_model(rng: random.Random, key: str) -> Model:
    return Model(
        key=key,
        id=f"{rng.choice(('acme', 'brisk'))}/{key}",
        provider=rng.choice(("acme", "brisk")),
        price_in_nusd_per_mtok=rng.choice((NANO, 2 * NANO, 5 * NANO)),
        price_out_nusd_per_mtok=rng.choice((NANO, 4 * NANO)),
        capabilities=frozenset(name for name in CAN if maybe(rng, 0.6)),
        context_tokens=rng.choice((None, None, None, None, 1500, 2500)),
        output_tokens=None,
        timeout_s=None,
        settings=(),
        aliases=(),
        key_names=(),
        server=None,
        enabled=maybe(rng, 0.9),
        span=HERE,
        id_span=HERE,
        costs_span=None,
    )


def small_tiers(rng: random.Random, keys: Sequence[str]) -> tuple[Tier, ...]:
    starts = [
        (0.0, False),
        *sorted((rng.choice((2.0, 5.0, 8.0)), maybe(rng, 0.3)) for _ in range(rng.randint(0, 2))),
    ]
    apart = list(dict.fromkeys(starts))
    return tuple(
        Tier(f"t{n}", start, above, some(rng, keys, 1, 3), HERE) for n, (start, above) in enumerate(apart)
    )


def small_facts(rng: random.Random, domains: tuple[str, ...], tiers: tuple[str, ...]) -> dict[str, Fact]:
    built_in = (
        Fact("complexity", FactKind.NUMBER, None, high=10, built_in=True),
        Fact("requires", FactKind.SET, "nothing", (*CAN, "audio", "nothing"), built_in=True),
        Fact("domain", FactKind.CHOICE, "none", (*domains, "none"), built_in=True),
        Fact("tier", FactKind.CHOICE, "none", (*tiers, "none"), built_in=True),
        *(Fact(name, FactKind.TEXT, "", built_in=True) for name in ("kind", "skill", "branch")),
        Fact("attempt", FactKind.NUMBER, 1, low=1, whole=True, built_in=True),
        Fact("input_tokens", FactKind.NUMBER, 1000, whole=True, built_in=True),
        Fact("output_tokens", FactKind.NUMBER, 1000, whole=True, built_in=True),
    )
    declared = (
        Fact("private", FactKind.YES_NO, rng.choice(("no", None)), ("yes", "no"), span=HERE),
        Fact("risk", FactKind.NUMBER, rng.choice((3, None)), (), 1, 5, span=HERE),
    )
    return {fact.name: fact for fact in (*built_in, *declared)}


def small_windows(rng: random.Random) -> dict[str, Window]:
    windows = {}
    for name in ("office", "nights")[: rng.randint(0, 2)]:
        start = rng.choice((0, 540, 1020))
        span = WeekSpan(frozenset(some(rng, range(7), 1, 7)), start, rng.choice((540, 1020, 1440)))
        windows[name] = Window(name, (span,), None, None, HERE)
    if windows and maybe(rng, 0.3):
        windows["closed"] = Window("closed", (), None, rng.choice(tuple(windows)), HERE)
    return windows


def small_budgets(
    rng: random.Random, models: dict[str, Model], tiers: Sequence[str], domains: Any
) -> dict[str, Budget]:
    budgets = {}
    for name in ("monthly", "daily")[: rng.choice((0, 1, 1, 2))]:
        scope = rng.choice((None, None, None, "provider", "tier", "model", "domain"))
        pools: dict[Any, Sequence[str]] = {
            None: (),
            "provider": ("acme", "brisk"),
            "tier": tiers,
            "model": tuple(models),
            "domain": tuple(domains),
        }
        scope = scope if pools[scope] else None
        every = (*Action,) if scope in (None, "domain") else (Action.WARN, Action.PAUSE)
        percents = sorted(rng.sample((0, 50, 75, 100), rng.randint(0, 2)))
        actions = sorted(rng.choices(every, k=len(percents)), key=list(Action).index)
        tiers_down = sorted(rng.choices((1, 2), k=len(percents)))
        levels = tuple(
            Level(
                Decimal(percent),
                action,
                down if action is Action.DOWNGRADE else 0,
                some(rng, tuple(models), 1, 2) if action is Action.ONLY else (),
                HERE,
            )
            for percent, action, down in zip(percents, actions, tiers_down, strict=True)
        )
        limit = rng.choice((LIMIT, LIMIT, LIMIT, 0, 1))
        name_of = rng.choice(pools[scope]) if scope is not None else None
        budgets[name] = Budget(name, limit, rng.choice(("day", "run")), scope, name_of, levels, HERE)
    return budgets


def small_subjects(facts: Any, windows: Any, budgets: Any, tiers: Sequence[str]) -> list[Any]:
    names = ("complexity", "requires", "branch", "attempt", "input_tokens", "private", "risk", "tier")
    subjects: list[Any] = [facts[name] for name in names]
    if len(facts["domain"].values) > 1:
        subjects.append(facts["domain"])
    return [*subjects, *windows.values(), *budgets.values()]


def small_when(rng: random.Random, subjects: Sequence[Any], money: bool = True) -> When:
    usable = [s for s in subjects if money or not isinstance(s, Budget)]
    if not usable:
        return ()
    sizes = rng.choices((0, 1, 1, 2, 2, 3), k=rng.choice((0, 1, 1, 1, 2)))
    return tuple(tuple(small_condition(rng, rng.choice(usable)) for _ in range(size)) for size in sizes)


def small_condition(rng: random.Random, subject: Any) -> Condition:
    negated = maybe(rng, 0.3)
    if isinstance(subject, Window):
        return During(subject.name, negated, HERE)
    if isinstance(subject, Budget):
        bound = Decimal(rng.choice((0, 50, 75, 80, 100)))
        if maybe(rng, 0.3):
            money = Decimal(rng.choice((0, 1, 60 * NANO)))
            return BudgetIn(subject.name, money, None, maybe(rng, 0.5), False, True, HERE)
        if maybe(rng, 0.5):
            return BudgetIn(subject.name, bound, None, maybe(rng, 0.5), False, False, HERE)
        return BudgetIn(subject.name, None, bound, False, maybe(rng, 0.5), False, HERE)
    if subject.kind is FactKind.NUMBER:
        return small_number(rng, subject, negated)
    if subject.kind is FactKind.TEXT:
        if maybe(rng, 0.4):
            return StartsWith(subject.name, rng.choice(TEXTS), HERE)
        return ValueIs(subject.name, some(rng, (*TEXTS, ""), 1, 2), negated, HERE)
    return ValueIs(subject.name, some(rng, subject.values, 1, 2), negated, HERE)


def small_number(rng: random.Random, fact: Fact, negated: bool) -> NumberIn:
    pools = {"complexity": (0, 2, 3.5, 5, 8, 10), "attempt": (1, 2, 3, 2.5), "risk": (1, 2.5, 5)}
    pool = pools.get(fact.name, (0, 500, 1000, 1400))
    low, high = sorted(rng.choices(pool, k=2))
    form = rng.choice(("low", "high", "between"))
    return NumberIn(
        fact.name,
        None if form == "high" else low,
        None if form == "low" else high,
        form == "low" and maybe(rng, 0.5),
        form == "high" and maybe(rng, 0.5),
        negated,
        HERE,
    )


def small_rule(rng: random.Random, number: int, subjects: Any, keys: Any, tiers: Any) -> Rule:
    when = small_when(rng, subjects)
    if maybe(rng, 0.5):
        return Rule(f"r{number}", when, rng.choice(tiers), (), None, HERE)
    return Rule(f"r{number}", when, None, some(rng, keys, 1, 2), None, HERE)


def small_limit(rng: random.Random, subjects: Any, keys: Any) -> Limit:
    kind = rng.choice((LimitKind.NEVER, LimitKind.NEVER, LimitKind.ONLY, LimitKind.REFUSE))
    when = small_when(rng, subjects, money=False)
    if kind is LimitKind.REFUSE:
        return Limit(kind, (), when or (small_when(rng, [*subjects], money=False) or ((),)), None, HERE)
    return Limit(kind, some(rng, keys, 1, len(keys)), when, None, HERE)


def small_escalation(rng: random.Random, tiers: Any) -> Escalation:
    from_tier = rng.choice(tiers) if maybe(rng, 0.4) else None
    to_tier = rng.choice(tiers) if maybe(rng, 0.4) else None
    if maybe(rng, 0.6):
        return Escalation(from_tier, to_tier, rng.choice(("tests", "lint")), (), HERE)
    return Escalation(from_tier, to_tier, None, (FailureKind.TIMEOUT,), HERE)


def small_fallback(rng: random.Random, keys: Any) -> Fallback:
    entries: list[Any] = list(some(rng, keys, 0, 2))
    if not entries or maybe(rng, 0.3):
        entries.insert(rng.randint(0, len(entries)), Mates(rng.randint(1, 2)))
    return Fallback(tuple(entries), False, HERE)


def small_promise(rng: random.Random, number: int, subjects: Any, keys: Any) -> Promise:
    claim = rng.randrange(4)
    return Promise(
        f"p{number}",
        some(rng, keys, 1, 2) if claim == 0 else (),
        rng.randint(1, 2) if claim == 1 else None,
        rng.choice((NANO, 2 * NANO)) if claim == 2 else None,
        rng.choice((2_000_000, 3_000_000, 6_000_000)) if claim == 3 else None,
        small_when(rng, subjects),
        HERE,
    )


# --- everything that can be asked --------------------------------------------------------------------------


def conditions_of(policy: Policy) -> list[Condition]:
    whens = [s.when for group in (policy.rules, policy.limits, policy.promises) for s in group]
    return [condition for when in whens for row in when for condition in row]


def everything(policy: Policy, most: int) -> list[Ask] | None:
    """Each request with each state that the policy could tell apart; None where they are too many."""
    conditions = conditions_of(policy)
    read = {getattr(condition, "fact", None) for condition in conditions}
    axes: list[list[Any]] = [
        numbers(policy, "complexity", conditions),
        [None, *policy.domains],
        abilities(policy),
        tiers_asked(policy),
        texts() if "branch" in read else [None],
        numbers(policy, "attempt", conditions) if "attempt" in read else [None],
        token_cells(policy, conditions) if "input_tokens" in read else [None],
        ["yes", "no"] if "private" in read else ["no"],
        numbers(policy, "risk", conditions) if "risk" in read else [3],
        spends(policy, conditions),
        moments(policy, conditions),
    ]
    if math.prod(map(len, axes)) > most:
        return None
    states = [State(now=now, spend=spend) for spend, now in itertools.product(*axes[-2:])]
    return [
        Ask(
            Request(
                complexity=complexity,
                domain=domain,
                requires=requires,
                tier=asked[0],
                story_tier=asked[1],
                branch=branch,
                attempt=attempt,
                input_tokens=tokens,
                inputs={"private": private, "risk": risk},
            ),
            state,
        )
        for complexity, domain, requires, asked, branch, attempt, tokens, private, risk in itertools.product(
            *axes[:-2]
        )
        for state in states
    ]


def numbers(policy: Policy, name: str, conditions: Sequence[Condition]) -> list[float]:
    """The ends of a fact, the numbers that anything compares it with, and those between."""
    fact = policy.facts[name]
    points = {fact.low, fact.high if fact.high is not None else 9.0}
    points |= {tier.start for tier in policy.tiers} if name == "complexity" else set()
    for c in conditions:
        if isinstance(c, NumberIn) and c.fact == name:
            points |= {bound for bound in (c.low, c.high) if bound is not None}
    if fact.whole:
        return [float(n) for n in range(int(fact.low), int(max(points)) + 2)]
    ordered = sorted(points)
    between = [(low + high) / 2 for low, high in itertools.pairwise(ordered)]
    return [n for n in sorted({*ordered, *between}) if fact.low <= n <= (fact.high or n)]


def token_cells(policy: Policy, conditions: Sequence[Condition]) -> list[int]:
    """Of the tokens that no condition tells apart the estimate, else the smallest number."""
    tests = [c for c in conditions if isinstance(c, NumberIn) and c.fact == "input_tokens"]
    found: dict[tuple[bool, ...], int] = {}
    for number in (policy.estimate_input_tokens, *range(0, 1500)):
        found.setdefault(tuple(evaluator.lies_in(number, c.low, c.high, c) for c in tests), number)
    return list(found.values())


def texts() -> list[str]:
    """The texts of the pool, and a longer and another one for each."""
    return ["", "zz", *(text + more for text in TEXTS for more in ("", "zz"))]


def abilities(policy: Policy) -> list[frozenset[str]]:
    """The sets of capabilities that one enabled model has together."""
    sets = [frozenset(some_) for n in range(3) for some_ in itertools.combinations(CAN, n)]
    having = [model.capabilities for model in policy.models.values() if model.enabled]
    return [wanted for wanted in sets if not wanted or any(wanted <= has for has in having)]


def moments(policy: Policy, conditions: Sequence[Condition]) -> list[datetime]:
    """Each hour of a week, but of those in which the same windows hold only the first."""
    read = {c.window for c in conditions if isinstance(c, During)}
    found: dict[tuple[bool, ...], datetime] = {}
    for hour in range(12, 12 + 7 * 24):
        now = MONDAY + timedelta(hours=hour)
        holding = tuple(evaluator.inside(policy, name, State(now=now)) for name in sorted(read))
        found.setdefault(holding, now)
    return list(found.values())


def spends(policy: Policy, conditions: Sequence[Condition]) -> list[dict[str, Spend]]:
    """For each budget what may be spent of it, and held besides."""
    of_each = [spends_of(budget, conditions) for budget in policy.budgets.values()]
    return [dict(zip(policy.budgets, chosen, strict=True)) for chosen in itertools.product(*of_each)]


def spends_of(budget: Budget, conditions: Sequence[Condition]) -> list[Spend]:
    """Of the amounts around all bounds those that something can tell apart."""
    own = [c for c in conditions if isinstance(c, BudgetIn) and c.budget == budget.name]
    percents = [0, *(int(level.percent) for level in budget.levels), 50, 75, 80, 100]
    amounts = {0, 1, 2, 60 * NANO, 60 * NANO + 1, 60 * NANO - 1}
    amounts |= {budget.limit_nusd * p // 100 + more for p in percents for more in (-1, 0, 1)}
    held = (
        (0, budget.limit_nusd, 2 * LIMIT) if any(lv.action is Action.PAUSE for lv in budget.levels) else (0,)
    )
    found: dict[Any, Spend] = {}
    for holding, amount in itertools.product(held, sorted(a for a in amounts if a >= 0)):
        spend = Spend(amount, holding)
        state = State(now=MONDAY, spend={budget.name: spend})
        level = evaluator.reached_level(budget, state)
        kind = tuple(evaluator.budget_lies_in(budget, c, state) for c in own)
        found.setdefault((level, kind), spend)
    return list(found.values())


def tiers_asked(policy: Policy) -> list[tuple[str | None, str | None]]:
    """What a person, or else a story, asks for."""
    names = [tier.name for tier in policy.tiers]
    return [(None, None), *((name, None) for name in names), *((None, name) for name in names)]


# --- answers -----------------------------------------------------------------------------------------------


def decided(policy: Policy, ask: Ask) -> Decision:
    """What the reference decides."""
    decision = evaluator.decide(policy, ask.request, ask.state)
    assert isinstance(decision, Decision), decision
    return decision


def told(policy: Policy, ask: Ask) -> tuple[Any, ...]:
    """What counts as the same decision."""
    decision = decided(policy, ask)
    return decision.outcome, decision.chain, decision.tier


def varied(policy: Policy, asks: list[Ask]) -> Iterator[Ask]:
    """The requests, and some of them after failures, with models in cooldown and with named ones."""
    yield from asks
    rng = seeded(policy.digest)
    for ask in rng.choices(asks, k=60):
        failures = random_failures(rng, policy)
        down = frozenset(key for key in policy.models if maybe(rng, 0.4))
        preferred = rng.choice((None, None, *policy.models))
        named = some(rng, tuple(policy.models), 0, 2)
        request = replace(ask.request, failures=failures, preferred=preferred, story_models=named)
        yield Ask(request, replace(ask.state, down=down))


def random_failures(rng: random.Random, policy: Policy) -> tuple[Failure, ...]:
    tiers = [None, *(tier.name for tier in policy.tiers)]
    causes = ("gate tests", "gate lint", "timeout")
    return tuple(Failure(rng.choice(causes), rng.choice(tiers)) for _ in range(rng.randint(0, 3)))
