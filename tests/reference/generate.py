"""
Random policies, requests and states, drawn from a seeded generator.

Pools are small, so that names, prices and bounds collide often, and requests aim at the edges of
what their policy says: the very number that a condition names, the minute a window starts, the
nano-USD that reaches a level. A case can be written down as text and read back.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from policyctl.schemas import policy as policy_types
from policyctl.schemas.policy import (
    CAPABILITIES,
    NANO,
    Action,
    Budget,
    BudgetIn,
    Condition,
    Cron,
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
    Rule,
    StartsWith,
    Tier,
    ValueIs,
    WeekSpan,
    When,
    Window,
)
from policyctl.schemas.request import Failure, Request, Spend, State
from policyctl.schemas.text import Span

T = TypeVar("T")

HERE = Span("random.policy", 0, 0)

KEYS = ("ant", "bee", "x/cat", "y/cat", "x/dog", "elk", "z/fox", "gnu")
PROVIDERS = ("acme", "brisk", "litellm")
ALIASES = ("first", "second", "cat")
PRICES = (0, 500_000, 333_333, NANO, NANO, 2 * NANO, 3 * NANO, 15 * NANO)
CONTEXTS = (None, None, None, None, None, 1000, 3000, 3001, 64_001, 128_000)
CAN = ("vision", "tools", "audio")
TIERS = ("cheap", "medium", "powerful", "ultra")
STARTS = (0.5, 2, 2.5, 3, 4.75, 6, 6.1, 8, 10)
DOMAINS = ("sight", "words", "code")
TEXTS = ("", "m", "main", "main2", "fix", "Main")
STAGES = ("dev", "staging", "prod")
GATES = ("tests", "lint", "timeout")
KINDS = (FailureKind.TIMEOUT, FailureKind.RATE_LIMIT, FailureKind.BAD_RESPONSE)
TOKENS = (0, 1, 999, 1000, 1001, 2000, 2001, 64_000)
ZONES = {
    "America/New_York": (date(2025, 3, 8), date(2025, 3, 9), date(2025, 11, 1), date(2025, 11, 2)),
    "Europe/Berlin": (date(2025, 3, 30), date(2025, 10, 26)),
    "Asia/Kolkata": (date(2025, 6, 9),),
    "UTC": (date(2024, 2, 29),),
    "Africa/Cairo": (date(2024, 4, 25), date(2024, 4, 26), date(2024, 10, 31)),  # goes forward at midnight
    "America/Toronto": (date(1919, 3, 30), date(1919, 3, 31)),  # goes forward half an hour before midnight
    "Pacific/Apia": (date(2011, 12, 29), date(2011, 12, 31)),  # leaves out the day between
}
"""Zones, and the days on which their clocks do something odd."""
PERIODS = ("day", "week", "month", "run", "story")
PERCENTS = (
    Decimal(0),
    Decimal("0.1"),
    Decimal("33.3"),
    Decimal(50),
    Decimal("66.67"),
    Decimal(75),
    Decimal(100),
)
LIMITS_NUSD = (0, 1, 3, 1000, 7 * NANO, 500 * NANO, 123_456_789_123)
MINUTES = (0, 60, 90, 120, 150, 180, 540, 1020, 1439)
DAYS = (
    date(2025, 6, 9),  # a Monday
    date(2025, 6, 11),
    date(2025, 6, 13),
    date(2025, 6, 14),
    date(2025, 6, 15),
    date(2024, 4, 30),
    date(2025, 1, 31),
    date(2024, 2, 29),
    date(2025, 2, 28),
    date(2025, 12, 31),
)


def seeded(seed: str) -> random.Random:
    """Chance for test cases, not for secrets: the same seed draws the same cases on every machine."""
    return random.Random(seed)  # noqa: S311


def maybe(rng: random.Random, chance: float) -> bool:
    return rng.random() < chance


def some(rng: random.Random, pool: Sequence[T], least: int, most: int) -> tuple[T, ...]:
    """From `least` to `most` different members of the pool, in any order."""
    return tuple(rng.sample(pool, min(len(pool), rng.randint(least, most))))


# --- policies -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Names:
    """What conditions and statements of one policy may name."""

    models: tuple[str, ...]
    facts: Mapping[str, Fact]
    windows: tuple[str, ...]
    budgets: tuple[str, ...]
    estimate: tuple[int, int]


def random_policy(rng: random.Random) -> Policy:
    """A policy that the checker could have passed, as far as names, levels and order go."""
    models = random_models(rng)
    keys = tuple(models)
    tiers = random_tiers(rng, keys)
    tier_names = tuple(tier.name for tier in tiers)
    domains = {name: random_domain(rng, name, keys) for name in some(rng, DOMAINS, 0, 3)}
    estimate = (rng.choice(TOKENS), rng.choice(TOKENS))
    windows = random_windows(rng)
    facts = random_facts(rng, tuple(domains), tier_names, estimate)
    budgets = random_budgets(rng, models, tier_names, tuple(domains))
    names = Names(keys, facts, tuple(windows), tuple(budgets), estimate)
    return Policy(
        name="random",
        version="1",
        timezone=rng.choice(tuple(ZONES)),
        baseline=None,
        estimate_input_tokens=estimate[0],
        estimate_output_tokens=estimate[1],
        models=models,
        tiers=tiers,
        facts=facts,
        windows=windows,
        rules=tuple(random_rule(rng, f"rule{n}", names, tier_names) for n in range(rng.randint(0, 6))),
        limits=tuple(random_limit(rng, names) for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3, 4)))),
        domains=domains,
        budgets=budgets,
        escalations=tuple(random_escalation(rng, tier_names) for _ in range(rng.choice((0, 1, 1, 2, 3)))),
        fallback=random_fallback(rng, keys) if maybe(rng, 0.75) else None,
        hedge_after_s=None,
        retries=(),
        alerts=(),
        promises=(),
        examples=(),
        digest=f"{rng.getrandbits(64):016x}",
    )


def random_models(rng: random.Random) -> dict[str, Model]:
    keys = some(rng, KEYS, rng.choice((2, 4, 6)), 8)
    with_alias = dict(zip(some(rng, keys, 0, 3), ALIASES, strict=False))
    return {key: random_model(rng, key, with_alias.get(key)) for key in keys}


def random_model(rng: random.Random, key: str, alias: str | None) -> Model:
    provider = rng.choice(PROVIDERS)
    return Model(
        key=key,
        id=f"{provider}/{key}",
        provider=provider,
        price_in_nusd_per_mtok=rng.choice(PRICES),
        price_out_nusd_per_mtok=rng.choice(PRICES),
        capabilities=frozenset(name for name in CAN if maybe(rng, 0.75)),
        context_tokens=rng.choice(CONTEXTS),
        output_tokens=None,
        timeout_s=None,
        settings=(),
        aliases=(alias,) if alias else (),
        key_names=("ACME_API_KEY",) if maybe(rng, 0.5) else (),
        server=None,
        enabled=maybe(rng, 0.88),
        span=HERE,
        id_span=HERE,
        costs_span=None,
    )


def random_tiers(rng: random.Random, keys: Sequence[str]) -> tuple[Tier, ...]:
    """The first starts from 0, the others in order; one may begin right above the bound of another."""
    names = TIERS[: rng.choice((1, 2, 3, 3, 3, 4))]
    starts: list[tuple[float, bool]] = [(0, False)]
    starts += [(start, maybe(rng, 0.4)) for start in sorted(rng.sample(STARTS, len(names) - 1))]
    if len(starts) > 2 and not starts[-2][1] and maybe(rng, 0.1):
        starts[-1] = (starts[-2][0], True)
    return tuple(
        Tier(name, start, above, some(rng, keys, 1, 5), HERE)
        for name, (start, above) in zip(names, starts, strict=True)
    )


def random_domain(rng: random.Random, name: str, keys: Sequence[str]) -> Domain:
    return Domain(name, some(rng, keys, 0, 3), maybe(rng, 0.5), HERE)


def random_facts(
    rng: random.Random, domains: tuple[str, ...], tiers: tuple[str, ...], estimate: tuple[int, int]
) -> dict[str, Fact]:
    """The table of docs/decision.md, then declared inputs of all four kinds, as the language builds them."""

    def whole(name: str, default: int, low: int) -> Fact:
        return Fact(name, FactKind.NUMBER, default, low=low, whole=True, built_in=True)

    def choice(name: str, values: tuple[str, ...]) -> Fact:
        return Fact(name, FactKind.CHOICE, "none", (*values, "none"), built_in=True)

    risk_whole = maybe(rng, 0.5)
    risk_low, risk_high = rng.choice(((0, 10), (1, 5), (0, None)))
    declared = (
        Fact("private", FactKind.YES_NO, rng.choice(("yes", "no", None)), ("yes", "no"), span=HERE),
        Fact("stage", FactKind.CHOICE, rng.choice((*STAGES, None)), STAGES, span=HERE),
        Fact("team", FactKind.TEXT, rng.choice((*TEXTS, None)), span=HERE),
        Fact(
            "risk",
            FactKind.NUMBER,
            rng.choice((3, None)),
            (),
            risk_low,
            risk_high,
            whole=risk_whole,
            span=HERE,
        ),
    )
    built_in = (
        Fact("complexity", FactKind.NUMBER, None, high=10, built_in=True),
        Fact("requires", FactKind.SET, "nothing", (*CAPABILITIES, "nothing"), built_in=True),
        choice("domain", domains),
        choice("tier", tiers),
        *(Fact(name, FactKind.TEXT, "", built_in=True) for name in ("kind", "skill", "branch")),
        whole("attempt", 1, 1),
        whole("input_tokens", estimate[0], 0),
        whole("output_tokens", estimate[1], 0),
    )
    chosen = (fact for fact in declared if maybe(rng, 0.5))
    return {fact.name: fact for fact in (*built_in, *chosen)}


def random_windows(rng: random.Random) -> dict[str, Window]:
    windows: dict[str, Window] = {}
    for name in ("office", "nights", "freeze")[: rng.randint(0, 3)]:
        kind = rng.choice(("spans", "spans", "cron", "outside"))
        if kind == "outside" and windows:
            windows[name] = Window(name, (), None, rng.choice(tuple(windows)), HERE)
        elif kind == "cron":
            windows[name] = Window(name, (), random_cron(rng), None, HERE)
        else:
            spans = tuple(random_week_span(rng) for _ in range(rng.randint(1, 3)))
            windows[name] = Window(name, spans, None, None, HERE)
    return windows


def random_week_span(rng: random.Random) -> WeekSpan:
    days = frozenset(some(rng, range(7), 1, 7))
    if maybe(rng, 0.2):
        return WeekSpan(days, 0, 1440)
    return WeekSpan(days, rng.choice(MINUTES), rng.choice((*MINUTES, 1440)))


def random_cron(rng: random.Random) -> Cron:
    """A day field that starts with a star may still leave days out, as `*/2` does."""
    every_day, every_weekday = maybe(rng, 0.4), maybe(rng, 0.4)
    return Cron(
        text="random",
        minutes=frozenset(range(60)) if maybe(rng, 0.6) else frozenset(some(rng, (0, 1, 30, 59), 1, 3)),
        hours=frozenset(range(24)) if maybe(rng, 0.5) else frozenset(some(rng, range(24), 1, 12)),
        days_of_month=frozenset(range(1, 32) if every_day else some(rng, (1, 9, 11, 15, 29, 30, 31), 1, 5)),
        months=frozenset(range(1, 13)) if maybe(rng, 0.7) else frozenset(some(rng, (2, 3, 6, 10, 12), 2, 4)),
        weekdays=frozenset(range(7) if every_weekday else some(rng, range(7), 1, 4)),
        any_day_of_month=every_day or maybe(rng, 0.2),
        any_weekday=every_weekday or maybe(rng, 0.2),
    )


def random_when(rng: random.Random, names: Names, budgets: bool) -> When:
    return tuple(
        tuple(random_condition(rng, names, budgets) for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3))))
        for _ in range(rng.choice((0, 1, 1, 1, 1, 2, 2, 3)))
    )


def random_condition(rng: random.Random, names: Names, budgets: bool) -> Condition:
    if names.windows and maybe(rng, 0.15):
        return During(rng.choice(names.windows), maybe(rng, 0.4), HERE)
    if budgets and names.budgets and maybe(rng, 0.15):
        return random_budget_condition(rng, names)
    fact = rng.choice(tuple(names.facts.values()))
    if fact.kind is FactKind.NUMBER:
        return random_number_condition(rng, fact, names)
    if fact.kind is FactKind.TEXT:
        if maybe(rng, 0.4):
            return StartsWith(fact.name, rng.choice(TEXTS), HERE)
        return ValueIs(fact.name, some(rng, TEXTS, 1, 3), maybe(rng, 0.3), HERE)
    pool = (*CAN, "nothing") if fact.kind is FactKind.SET else fact.values
    return ValueIs(fact.name, some(rng, pool, 1, 2), maybe(rng, 0.35), HERE)


def random_number_condition(rng: random.Random, fact: Fact, names: Names) -> NumberIn:
    pool: Sequence[float] = (0, 1, 2, 2.5, 3, 3, 5, 6, 10)
    if fact.name == "attempt":
        pool = (1, 2, 3)
    if fact.name.endswith("tokens"):
        pool = (*TOKENS, *names.estimate)
    low, high = sorted(rng.choices(pool, k=2))
    form = rng.choice(("at least", "at most", "between", "equal"))
    if form == "equal":
        return NumberIn(fact.name, low, low, False, False, maybe(rng, 0.4), HERE)
    if form == "between":
        return NumberIn(fact.name, low, high, False, False, maybe(rng, 0.3), HERE)
    if form == "at least":
        return NumberIn(fact.name, low, None, maybe(rng, 0.5), False, maybe(rng, 0.2), HERE)
    return NumberIn(fact.name, None, high, False, maybe(rng, 0.5), maybe(rng, 0.2), HERE)


def random_budget_condition(rng: random.Random, names: Names) -> BudgetIn:
    in_money = maybe(rng, 0.3)
    pool = [Decimal(nusd) for nusd in LIMITS_NUSD] if in_money else PERCENTS
    low, high = sorted(rng.choices(pool, k=2))
    name = rng.choice(names.budgets)
    if maybe(rng, 0.6):
        return BudgetIn(name, low, None, maybe(rng, 0.4), False, in_money, HERE)
    return BudgetIn(name, None, high, False, maybe(rng, 0.5), in_money, HERE)


def random_rule(rng: random.Random, name: str, names: Names, tiers: Sequence[str]) -> Rule:
    when = random_when(rng, names, budgets=True)
    if maybe(rng, 0.5):
        return Rule(name, when, rng.choice(tiers), (), None, HERE)
    return Rule(name, when, None, some(rng, names.models, 1, 3), None, HERE)


def random_limit(rng: random.Random, names: Names) -> Limit:
    kind = rng.choice((*(LimitKind.NEVER,) * 3, LimitKind.REFUSE, LimitKind.REFUSE, LimitKind.ONLY))
    if kind is LimitKind.REFUSE:  # always written with a `when`, and made rare
        row = tuple(random_condition(rng, names, budgets=False) for _ in range(3))
        return Limit(kind, (), (row,), None, HERE)
    least = 1 if kind is LimitKind.NEVER else (len(names.models) + 1) // 2
    most = 2 if kind is LimitKind.NEVER else len(names.models)
    models = some(rng, names.models, least, most)
    return Limit(kind, models, random_when(rng, names, budgets=False), None, HERE)


def random_budgets(
    rng: random.Random, models: Mapping[str, Model], tiers: Sequence[str], domains: Sequence[str]
) -> dict[str, Budget]:
    providers = [model.provider for model in models.values()]
    pools = {"provider": providers, "tier": tiers, "model": tuple(models)}
    if domains:
        pools["domain"] = domains
    budgets = {}
    for name in ("monthly", "daily", "extra")[: rng.choice((0, 1, 1, 2, 2, 3, 3))]:
        scope = rng.choice((*(None,) * 5, *pools))
        scope_name = None if scope is None else rng.choice(pools[scope])
        levels = random_levels(rng, tuple(models), scope in (None, "domain"))
        limit = rng.choice(LIMITS_NUSD)
        budgets[name] = Budget(name, limit, rng.choice(PERIODS), scope, scope_name, levels, HERE)
    return budgets


def random_levels(rng: random.Random, keys: Sequence[str], every_action: bool) -> tuple[Level, ...]:
    """Percents ascend and severity never falls."""
    legal = (*Action, Action.DOWNGRADE, Action.DOWNGRADE) if every_action else (Action.WARN, Action.PAUSE)
    percents = sorted(some(rng, PERCENTS, 0, 4))
    actions = sorted(rng.choices(legal, k=len(percents)), key=tuple(Action).index)
    tiers = sorted(rng.choices((1, 1, 2, 3), k=len(percents)))
    return tuple(
        Level(
            percent,
            action,
            down if action is Action.DOWNGRADE else 0,
            some(rng, keys, 1, 3) if action is Action.ONLY else (),
            HERE,
        )
        for percent, action, down in zip(percents, actions, tiers, strict=True)
    )


def random_escalation(rng: random.Random, tiers: Sequence[str]) -> Escalation:
    from_tier = rng.choice(tiers) if maybe(rng, 0.4) else None
    to_tier = rng.choice(tiers) if maybe(rng, 0.4) else None
    if maybe(rng, 0.6):
        return Escalation(from_tier, to_tier, rng.choice(GATES), (), HERE)
    return Escalation(from_tier, to_tier, None, some(rng, KINDS, 1, 2), HERE)


def random_fallback(rng: random.Random, keys: Sequence[str]) -> Fallback:
    entries: list[str | Mates] = list(some(rng, keys, 0, 5))
    for _ in range(rng.choice((0, 0, 1, 1, 2)) if entries else 1):
        entries.insert(rng.randint(0, len(entries)), Mates(rng.randint(1, 3)))
    return Fallback(tuple(entries), False, HERE)


# --- requests -----------------------------------------------------------------------------------------------


def conditions_of(policy: Policy) -> Iterator[Condition]:
    for when in (*(rule.when for rule in policy.rules), *(limit.when for limit in policy.limits)):
        for row in when:
            yield from row


def random_request(rng: random.Random, policy: Policy) -> Request:
    """A request aimed at the bounds of the policy; about three in a hundred are impossible."""
    tiers = [tier.name for tier in policy.tiers]
    aims = aims_of(policy)
    abilities = (*CAN * 12, "web_search", "telepathy")
    required = rng.choices(abilities, k=rng.choice((0, 0, 0, 0, 1, 1, 2)))
    request = Request(
        complexity=aimed(rng, aims["complexity"], 0, 10, whole=False),
        requires=frozenset(required),
        domain=rng.choice((*DOMAINS, *policy.domains, "smell", "none")) if maybe(rng, 0.5) else None,
        kind=rng.choice(TEXTS) if maybe(rng, 0.5) else None,
        skill=rng.choice(TEXTS) if maybe(rng, 0.5) else None,
        branch=rng.choice(TEXTS) if maybe(rng, 0.5) else None,
        attempt=int(aimed(rng, aims["attempt"], 1, 5, whole=True)) if maybe(rng, 0.5) else None,
        input_tokens=random_tokens(rng, aims["input_tokens"]),
        output_tokens=random_tokens(rng, aims["output_tokens"]),
        inputs=random_inputs(rng, policy, aims),
        story_tier=rng.choice(tiers) if maybe(rng, 0.15) else None,
        story_models=tuple(random_reference(rng, policy, True) for _ in range(rng.choice((0, 0, 0, 1, 2)))),
        tier=rng.choice(tiers) if maybe(rng, 0.13) else None,
        preferred=random_reference(rng, policy, False) if maybe(rng, 0.2) else None,
        failures=random_failures(rng, policy),
    )
    return spoiled(rng, policy, request) if maybe(rng, 0.03) else request


def random_variation(rng: random.Random, policy: Policy, request: Request) -> Request:
    """The request with one field of another: near misses for whatever remembers its answers."""
    other = random_request(rng, policy)
    name = rng.choice(fields(request)).name
    varied: Request = changed(request, **{name: getattr(other, name)})
    return varied


def changed(value: Any, **changes: Any) -> Any:
    """`replace` for fields that are only known by name."""
    return replace(value, **changes)


def aims_of(policy: Policy) -> dict[str, list[float]]:
    """For each number fact the numbers at which a decision may change."""
    numbers = [fact.name for fact in policy.facts.values() if fact.kind is FactKind.NUMBER]
    aims: dict[str, list[float]] = {name: [] for name in numbers}
    aims["complexity"] += [tier.start for tier in policy.tiers]
    for condition in conditions_of(policy):
        if isinstance(condition, NumberIn):
            aims[condition.fact] += [b for b in (condition.low, condition.high) if b is not None]
    contexts = [model.context_tokens for model in policy.models.values() if model.context_tokens]
    aims["input_tokens"] += [max(0, context - policy.estimate_output_tokens) for context in contexts]
    aims["output_tokens"] += [max(0, context - policy.estimate_input_tokens) for context in contexts]
    return aims


def aimed(rng: random.Random, aims: Sequence[float], low: float, high: float, *, whole: bool) -> float:
    """A bound itself, just below, just above, or any number of the range."""
    if not aims or maybe(rng, 0.3):
        return rng.randint(int(low), int(high)) if whole or maybe(rng, 0.5) else rng.uniform(low, high)
    step = 1.0 if whole else rng.choice((0.1, 1.0, 1e-9))
    value = rng.choice(aims) + rng.choice((-step, 0, 0, step))
    return min(max(round(value) if whole else value, low), high)


def random_tokens(rng: random.Random, aims: Sequence[float]) -> int | None:
    if maybe(rng, 0.5):
        return None
    return int(aimed(rng, [*aims, *TOKENS], 0, 5000, whole=True)) if maybe(rng, 0.8) else rng.choice(TOKENS)


def random_inputs(
    rng: random.Random, policy: Policy, aims: Mapping[str, Sequence[float]]
) -> dict[str, str | float]:
    inputs: dict[str, str | float] = {}
    for name, fact in policy.facts.items():
        left_out = maybe(rng, 0.004 if fact.default is None else 0.4)
        if fact.built_in or left_out:
            continue
        if fact.kind is FactKind.NUMBER:
            high = 20 if fact.high is None else fact.high
            inputs[name] = aimed(rng, aims[name], fact.low, high, whole=fact.whole)
        elif fact.kind is FactKind.TEXT:
            inputs[name] = rng.choice(TEXTS)
        else:
            inputs[name] = rng.choice(fact.values)
    return inputs


def random_reference(rng: random.Random, policy: Policy, unknown: bool) -> str:
    """A model by its key, alias or last part; where `unknown`, also a name that fits none or two."""
    if unknown and maybe(rng, 0.2):
        return rng.choice(("yak", "cat", "fourth"))
    model = rng.choice(tuple(policy.models.values()))
    last = model.key.split("/")[-1]
    if maybe(rng, 0.2) and 1 == sum(last == key.split("/")[-1] for key in policy.models):
        return last
    return model.aliases[0] if model.aliases and maybe(rng, 0.3) else model.key


def random_failures(rng: random.Random, policy: Policy) -> tuple[Failure, ...]:
    tiers = [tier.name for tier in policy.tiers]
    known = [f"gate {gate}" for gate in GATES] + [kind.value for kind in KINDS]
    for statement in policy.escalations:
        aim = f"gate {statement.gate}" if statement.gate else statement.kinds[0].value
        known += [aim] * 8
    causes = (*known, "gate unheard_of", "cancelled", "tests")
    count = rng.choice((0, 0, 0, 0, 1, 1, 2, 3))
    return tuple(
        Failure(rng.choice(causes), rng.choice(tiers) if maybe(rng, 0.5) else None) for _ in range(count)
    )


def spoiled(rng: random.Random, policy: Policy, request: Request) -> Request:
    """The request with one impossible value."""
    given = request.inputs
    ways: list[Callable[[], Request]] = [
        lambda: replace(request, complexity=rng.choice((-0.1, 10.01, math.nan, math.inf, -math.inf, None))),
        lambda: replace(request, attempt=rng.choice((0, -1))),
        lambda: replace(request, input_tokens=-1),
        lambda: replace(request, output_tokens=-1),
        lambda: replace(request, tier=rng.choice(("huge", "none"))),
        lambda: replace(request, story_tier="huge"),
        lambda: replace(request, preferred=rng.choice(("yak", "fourth"))),
        lambda: replace(request, failures=(*request.failures, Failure("gate tests", "huge"))),
        lambda: replace(request, inputs={**given, "unheard_of": "yes"}),
    ]
    for name, fact in policy.facts.items():
        if not fact.built_in:
            ways.append(lambda name=name, fact=fact: spoiled_input(rng, request, name, fact))  # type: ignore[misc]
    return rng.choice(ways)()


def spoiled_input(rng: random.Random, request: Request, name: str, fact: Fact) -> Request:
    bad: str | float = 7
    if fact.kind is FactKind.NUMBER:
        high = 0 if fact.high is None else fact.high
        bad = rng.choice((fact.low - 1, math.nan, math.inf, "3", high + 1 if high else -1))
        if fact.whole and maybe(rng, 0.4):
            bad = 2.5
    elif fact.kind is not FactKind.TEXT:
        bad = rng.choice(("maybe", "Yes", "", 1))
    return replace(request, inputs={**request.inputs, name: bad})


# --- states -------------------------------------------------------------------------------------------------


def random_state(rng: random.Random, policy: Policy) -> State:
    """A moment near a bound of a window or day, money near a level, some models set aside."""
    keys = tuple(policy.models)
    spend = {name: random_spend(rng, policy, budget) for name, budget in policy.budgets.items()}
    return State(
        now=random_moment(rng, policy),
        spend={name: spent for name, spent in spend.items() if maybe(rng, 0.9)},
        down=frozenset(key for key in keys if maybe(rng, 0.2)) if maybe(rng, 0.6) else frozenset(),
        available=frozenset(key for key in keys if maybe(rng, 0.88)) if maybe(rng, 0.4) else None,
    )


def random_moment(rng: random.Random, policy: Policy) -> datetime:
    """In UTC, in the policy's zone or in another; a wall time that doesn't exist is moved on."""
    minutes = [0, *rng.sample(MINUTES, 2)]
    for window in policy.windows.values():
        minutes += [minute for span in window.spans for minute in (span.start_minute, span.end_minute)]
    day = rng.choice(ZONES.get(policy.timezone, DAYS) if maybe(rng, 0.4) else DAYS)
    wall = datetime.combine(day, time()) + timedelta(minutes=rng.choice(minutes))
    wall += rng.choice(
        (timedelta(), timedelta(seconds=59), timedelta(seconds=-1), timedelta(microseconds=-1))
    )
    if maybe(rng, 0.3):
        wall += timedelta(minutes=rng.randint(-700, 700))
    zone = ZoneInfo(policy.timezone)
    moment = wall.replace(tzinfo=zone, fold=rng.randint(0, 1)).astimezone(UTC)
    elsewhere = ZoneInfo(rng.choice(tuple(ZONES)))
    return rng.choice((moment, moment.astimezone(zone), moment.astimezone(elsewhere)))


def random_spend(rng: random.Random, policy: Policy, budget: Budget) -> Spend:
    """Exactly at, one nano-USD below or above what a level or condition asks for; some of it held."""
    percents = [level.percent for level in budget.levels]
    amounts: list[Fraction] = [Fraction(0)]
    for condition in conditions_of(policy):
        if isinstance(condition, BudgetIn) and condition.budget == budget.name:
            bounds = [bound for bound in (condition.low, condition.high) if bound is not None]
            if condition.in_money:
                amounts += [Fraction(bound) for bound in bounds]
            else:
                percents += bounds
    amounts += [Fraction(percent) * budget.limit_nusd / 100 for percent in percents]
    total = max(0, math.ceil(rng.choice(amounts)) + rng.choice((-1, 0, 0, 1)))
    held = rng.choice((0, 0, 1, total // 2, total))
    return Spend(total - held, held) if held <= total and maybe(rng, 0.6) else Spend(total, held)


# --- cases as text ------------------------------------------------------------------------------------------

Case = tuple[Policy, Request, State]

WORDS: dict[str, Any] = {
    **{name: value for name, value in vars(policy_types).items() if isinstance(value, type)},
    "Failure": Failure,
    "Request": Request,
    "Spend": Spend,
    "State": State,
    "ZoneInfo": ZoneInfo,
    "datetime": datetime,
    "UTC": UTC,
    "nan": math.nan,
    "inf": math.inf,
    "HERE": HERE,
}
"""What the text of a case may name."""


def describe(policy: Policy, request: Request, state: State) -> str:
    """The case as an expression that `read_case` turns back into the same objects; spans become HERE."""
    return f"(\n{written(policy, 1)},\n{written(request, 1)},\n{written(state, 1)},\n)\n"


def read_case(text: str) -> Case:
    """
    Turn the text of a case, comments before it included, back into its objects.

    The text is a file of this repository that names only the words above, so it is evaluated.
    """
    case: Case = eval(text, {"__builtins__": {"frozenset": frozenset}, **WORDS})  # noqa: S307
    return case


def written(value: Any, depth: int) -> str:
    """Python for the value; what is deeper than two levels stands on one line."""
    indent = "    " * depth
    if not is_dataclass(value) or depth > 2 or isinstance(value, Span):
        return indent + on_one_line(value)
    lines = [f"{indent}{type(value).__name__}("]
    for name, item in told_fields(value):
        members = list(item.items()) if isinstance(item, Mapping) else item
        if isinstance(members, list | tuple) and members and any(is_dataclass(m) for m in _flat(members)):
            opening, closing = "{}" if isinstance(item, Mapping) else "()"
            lines.append(f"{indent}    {name}={opening}")
            for member in members:
                text = on_one_line(member)
                if isinstance(item, Mapping):
                    text = f"{on_one_line(member[0])}: {on_one_line(member[1])}"
                lines.append(f"{indent}        {text},")
            lines.append(f"{indent}    {closing},")
        else:
            lines.append(f"{indent}    {name}={on_one_line(item)},")
    return "\n".join([*lines, f"{indent})"])


def _flat(members: Sequence[Any]) -> Iterator[Any]:
    for member in members:
        yield from member if isinstance(member, tuple) else (member,)


def told_fields(value: Any) -> Iterator[tuple[str, Any]]:
    """The fields that differ from their defaults."""
    for field in fields(value):
        default = field.default
        if field.default_factory is not MISSING:
            default = field.default_factory()
        item = getattr(value, field.name)
        if default is MISSING or item != default:
            yield field.name, item


def on_one_line(value: Any) -> str:
    if isinstance(value, Span):
        return "HERE"
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{on_one_line(k)}: {on_one_line(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + "".join(f"{on_one_line(member)}, " for member in value).rstrip(" ") + ")"
    if isinstance(value, frozenset):
        return "frozenset({" + ", ".join(sorted(map(on_one_line, value))) + "})" if value else "frozenset()"
    if isinstance(value, datetime):
        zone = "UTC" if value.tzinfo is UTC else f"ZoneInfo({str(value.tzinfo)!r})"
        return f"datetime.fromisoformat({value.isoformat()!r}).astimezone({zone})"
    if is_dataclass(value):
        return f"{type(value).__name__}({', '.join(f'{n}={on_one_line(v)}' for n, v in told_fields(value))})"
    return repr(value)
