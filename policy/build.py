"""Document -> Policy: names become references, amounts become numbers in one unit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo, available_timezones

from ..schemas.catalogue import Prices
from ..schemas.diagnostics import Diagnostic
from ..schemas.policy import (
    NANO,
    Action,
    Alert,
    Budget,
    Domain,
    Escalation,
    Example,
    Fact,
    FactKind,
    FailureKind,
    Fallback,
    Level,
    Limit,
    LimitKind,
    Mates,
    OnFailure,
    Policy,
    Promise,
    Retry,
    Rule,
    Tier,
    WeekSpan,
    Window,
)
from ..schemas.records import dataclass
from ..schemas.text import Span
from . import document as doc
from .checks.p104_too_large import too_many_windows
from .checks.p201_duplicate_name import duplicate
from .checks.p211_unknown_provider import unused_provider
from .checks.p212_unknown_failure_kind import unknown_kind
from .checks.p213_unknown_metric import unknown_metric
from .checks.p214_unknown_timezone import unknown_timezone
from .checks.p215_said_twice import said_twice
from .checks.p216_bad_name import bad_name
from .checks.p301_wrong_type import wrong_type
from .checks.p303_out_of_range import empty_range, out_of_range
from .checks.p306_cron import bad_cron
from .checks.p307_not_here import not_here
from .checks.p308_bad_text import bad_text
from .checks.p601_secret import credential
from .conditions import build_conditions, build_when, number_for, value_for
from .cron import read_cron
from .digest import digest_of
from .document import Amount, Name, Unit
from .load import Loaded
from .models import build_models
from .quantities import in_unit, money, seconds, whole
from .scope import Enough, Findings, Scope, env_name, is_name

DEFAULT_ESTIMATE = (2000, 1000)
"""Input and output tokens of a request, where the policy has no `estimate`."""

MAX_WINDOWS = 200
"""Windows of one policy: the clock looks at each of them, again and again."""

METRICS = {
    "daily_cost": Unit.MONEY,
    "weekly_cost": Unit.MONEY,
    "monthly_cost": Unit.MONEY,
    "run_cost": Unit.MONEY,
    "story_cost": Unit.MONEY,
    "fallback_rate": Unit.PERCENT,
    "failure_rate": Unit.PERCENT,
    "escalation_rate": Unit.PERCENT,
    "latency_p50": Unit.DURATION,
    "latency_p95": Unit.DURATION,
}
"""What an alert may watch, and in which unit."""

_CREDENTIAL = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_EMAIL = re.compile(r"[^@\s]{1,64}@[A-Za-z0-9.-]{1,255}")

T = TypeVar("T", doc.Header, doc.Timezone, doc.Baseline, doc.Estimate, doc.Fallback, doc.Hedge)
N = TypeVar("N", doc.Rule, doc.Alert, doc.Promise)


@dataclass(frozen=True, slots=True)
class Built:
    """
    The policy without what couldn't be built, and what was wrong. There is none where so much is
    wrong that building it was given up.
    """

    policy: Policy | None
    diagnostics: tuple[Diagnostic, ...]


def build(loaded: Loaded, prices: Prices) -> Built:
    """Resolve a document. What can't be resolved is reported and left out."""
    found = Findings()
    try:
        scope = Scope(loaded.document, loaded.broken, found, incomplete=loaded.incomplete)
        policy = _policy(scope, loaded.document.statements, prices)
    except Enough:
        return Built(None, tuple(found))
    return Built(policy, tuple(found))


def _policy(scope: Scope, statements: Sequence[doc.Statement], prices: Prices) -> Policy:
    _check_number_of_windows(scope)
    estimate = _estimate(scope, _one(scope, statements, doc.Estimate, "estimate"))
    scope.declare_facts(estimate, [_input(scope, i) for i in scope.inputs.values()])
    header = _one(scope, statements, doc.Header, "policy")
    zone = _one(scope, statements, doc.Timezone, "timezone")
    baseline = _one(scope, statements, doc.Baseline, "baseline")
    fallback = _one(scope, statements, doc.Fallback, "fallback")
    hedge = _one(scope, statements, doc.Hedge, "hedge")
    models = build_models(scope, prices)
    policy = Policy(
        name="policy" if header is None else header.name.text,
        version=(header and header.version) or "1",
        timezone="UTC" if zone is None else _timezone(scope, zone),
        baseline=None if baseline is None else scope.model(baseline.model),
        estimate_input_tokens=estimate[0],
        estimate_output_tokens=estimate[1],
        models=models,
        tiers=tuple(_tier(scope, t) for t in scope.tiers.values()),
        facts=scope.facts,
        windows={name: _window(scope, w) for name, w in scope.windows.items()},
        rules=tuple(_rule(scope, r) for r in _unique(scope, statements, doc.Rule, "rule")),
        limits=tuple(_limit(scope, s) for s in statements if isinstance(s, doc.Limit)),
        domains={name: _domain(scope, d) for name, d in scope.domains.items()},
        budgets={name: _budget(scope, b) for name, b in scope.budgets.items()},
        escalations=tuple(_escalation(scope, s) for s in statements if isinstance(s, doc.Escalate)),
        fallback=None if fallback is None else _fallback(scope, fallback),
        hedge_after_s=None if hedge is None else seconds(scope, hedge.after),
        retries=tuple(_retry(scope, s) for s in statements if isinstance(s, doc.Retry)),
        alerts=tuple(_alert(scope, a) for a in _unique(scope, statements, doc.Alert, "alert")),
        promises=tuple(_promise(scope, p) for p in _unique(scope, statements, doc.Promise, "promise")),
        examples=tuple(_example(scope, s) for s in statements if isinstance(s, doc.Example)),
        digest="",
    )
    _check_retries(scope, statements)
    return digest_of(policy)


# --- statements that may stand once, or once a name ----------------------------------------------


def _one(scope: Scope, statements: Sequence[doc.Statement], kind: type[T], word: str) -> T | None:
    found: list[T] = [s for s in statements if isinstance(s, kind)]
    for again in found[1:]:
        scope.found.append(said_twice(again.span, word, found[0].span))
    return found[0] if found else None


def _unique(scope: Scope, statements: Sequence[doc.Statement], kind: type[N], word: str) -> list[N]:
    first: dict[str, Span] = {}
    found: list[N] = [s for s in statements if isinstance(s, kind)]
    for statement in found:
        name = statement.name
        if not is_name(name.text):
            scope.found.append(bad_name(name.span, name.text))
        if name.text in first:
            scope.found.append(duplicate(name.span, word, name.text, first[name.text]))
        first.setdefault(name.text, name.span)
    return found


def _check_number_of_windows(scope: Scope) -> None:
    if len(scope.windows) > MAX_WINDOWS:
        names = [window.name for window in scope.windows.values()]
        scope.found.append(too_many_windows(names[MAX_WINDOWS].span, MAX_WINDOWS))
        raise Enough


def _check_retries(scope: Scope, statements: Sequence[doc.Statement]) -> None:
    """One `retry` for all models, and one for each model."""
    first: dict[str, Span] = {}
    for retry in (s for s in statements if isinstance(s, doc.Retry)):
        for what in [f"retry for {n.text}" for n in retry.models] or ["retry"]:
            if what in first:
                scope.found.append(said_twice(retry.span, what, first[what]))
            first.setdefault(what, retry.span)


# --- one function a statement ------------------------------------------------------------------


def _estimate(scope: Scope, statement: doc.Estimate | None) -> tuple[int, int]:
    if statement is None:
        return DEFAULT_ESTIMATE
    tokens = (whole(scope, statement.input_tokens), whole(scope, statement.output_tokens))
    return tokens[0] or 0, tokens[1] or 0


def _timezone(scope: Scope, statement: doc.Timezone) -> str:
    name = statement.name.text
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: a folder of the database, such as `Europe`
        scope.found.append(unknown_timezone(statement.name.span, name, available_timezones()))
        return "UTC"
    return name


def _tier(scope: Scope, statement: doc.Tier) -> Tier:
    start = number_for(scope, scope.facts["complexity"], statement.start)
    return Tier(
        statement.name.text,
        0.0 if start is None else start,
        statement.above,
        scope.model_list(statement.models),
        statement.span,
    )


def _input(scope: Scope, statement: doc.Input) -> Fact:
    fact = _input_kind(scope, statement)
    default: str | float | None = None
    if statement.default is not None:
        of = number_for if fact.kind is FactKind.NUMBER else value_for
        default = of(scope, fact, statement.default)
    env = None if statement.env is None else env_name(scope, statement.env)
    if statement.env is not None and _CREDENTIAL.search(statement.env.text):
        scope.found.append(credential(statement.env.span, statement.env.text))
    return Fact(fact.name, fact.kind, default, fact.values, fact.low, fact.high, env, span=statement.span)


def _input_kind(scope: Scope, statement: doc.Input) -> Fact:
    name, span = statement.name.text, statement.span
    if statement.form == "yes or no":
        return Fact(name, FactKind.YES_NO, None, ("yes", "no"), span=span)
    if statement.form == "text":
        return Fact(name, FactKind.TEXT, None, span=span)
    if statement.form == "one of":
        return Fact(name, FactKind.CHOICE, None, _choices(scope, statement), span=span)
    low, high = (in_unit(scope, v, Unit.NUMBER) for v in statement.values if isinstance(v, Amount))
    if low is not None and high is not None and low > high:
        texts = [v.text for v in statement.values]
        scope.found.append(empty_range(span, texts[0], texts[1]))
    return Fact(name, FactKind.NUMBER, None, low=float(low or 0), high=float(high or 0), span=span)


def _choices(scope: Scope, statement: doc.Input) -> tuple[str, ...]:
    choices: dict[str, Span] = {}
    for value in statement.values:
        if isinstance(value, Amount):
            help = f"for numbers write `input {statement.name.text} is 1 to 10`"
            scope.found.append(wrong_type(value.span, f"`{value.text}` is no name", help))
        elif value.text in choices:
            scope.found.append(said_twice(value.span, value.text, choices[value.text]))
        else:
            choices[value.text] = value.span
    return tuple(choices)


def _window(scope: Scope, statement: doc.Window) -> Window:
    cron = None
    if statement.cron is not None:
        read = read_cron(statement.cron.text)
        if isinstance(read, str):
            scope.found.append(bad_cron(statement.cron.span, statement.cron.text, read))
        else:
            cron = read
    return Window(
        statement.name.text,
        tuple(s for s in (_stretch(scope, s) for s in statement.stretches) if s is not None),
        cron,
        None if statement.outside is None else scope.window(statement.outside),
        statement.span,
    )


def _stretch(scope: Scope, stretch: doc.Stretch) -> WeekSpan | None:
    start, end = (_minute(scope, clock) for clock in (stretch.start, stretch.end))
    if start is None or end is None:
        return None
    if start == 1440:
        scope.found.append(bad_text(stretch.start.span, stretch.start.text, "time of day"))
        return None
    return WeekSpan(frozenset(stretch.days), start, end)


def _minute(scope: Scope, clock: Name) -> int | None:
    match = _CLOCK.fullmatch(clock.text)
    minute = int(match[1]) * 60 + int(match[2]) if match and int(match[2]) < 60 else None
    if minute is None or minute > 1440:
        scope.found.append(bad_text(clock.span, clock.text, "time of day"))
        return None
    return minute


def _rule(scope: Scope, statement: doc.Rule) -> Rule:
    return Rule(
        statement.name.text,
        build_when(scope, statement.when),
        None if statement.tier is None else scope.tier(statement.tier),
        scope.model_list(statement.models),
        _text(statement.because),
        statement.span,
    )


def _limit(scope: Scope, statement: doc.Limit) -> Limit:
    return Limit(
        LimitKind(statement.kind),
        scope.model_list(statement.models),
        build_when(scope, statement.when, budgets=False),
        _text(statement.because),
        statement.span,
    )


def _text(name: Name | None) -> str | None:
    return None if name is None else name.text


def _domain(scope: Scope, statement: doc.Domain) -> Domain:
    models = scope.model_list(statement.models)
    return Domain(statement.name.text, models, statement.any_tier, statement.span)


def _budget(scope: Scope, statement: doc.Budget) -> Budget:
    name = statement.scope_name
    return Budget(
        statement.name.text,
        money(scope, statement.limit) or 0,
        statement.period.text,
        statement.scope,
        None if name is None or statement.scope is None else _scope_name(scope, statement.scope, name),
        tuple(_level(scope, statement, level) for level in statement.levels),
        statement.span,
    )


def _scope_name(scope: Scope, kind: str, name: Name) -> str | None:
    if kind == "provider":
        if name.text not in scope.providers:
            known = scope.candidates(scope.providers)
            scope.found.append(unused_provider(name.span, name.text, known))
        return name.text
    return {"tier": scope.tier, "domain": scope.domain, "model": scope.model}[kind](name)


def _level(scope: Scope, budget: doc.Budget, level: doc.Level) -> Level:
    part_only = budget.scope in ("provider", "tier", "model")
    if part_only and level.action in (Action.DOWNGRADE, Action.ONLY):
        message = f"a budget for a {budget.scope} can't `{level.action}`"
        help = "it can `warn` or `pause`; a budget for the whole or for a domain can do the rest"
        scope.found.append(not_here(level.span, message, help))
    return Level(
        in_unit(scope, level.percent, Unit.PERCENT) or Decimal(0),
        Action(level.action),
        0 if level.tiers is None else whole(scope, level.tiers, low=1) or 1,
        scope.model_list(level.models),
        level.span,
    )


def _escalation(scope: Scope, statement: doc.Escalate) -> Escalation:
    return Escalation(
        None if statement.from_tier is None else scope.tier(statement.from_tier),
        None if statement.to_tier is None else scope.tier(statement.to_tier),
        _text(statement.gate),
        _kinds(scope, statement.kinds),
        statement.span,
    )


def _kinds(scope: Scope, names: Iterable[Name]) -> tuple[FailureKind, ...]:
    known = [kind.value for kind in FailureKind]
    kinds: dict[FailureKind, Span] = {}
    for name in names:
        if name.text in kinds:
            scope.found.append(said_twice(name.span, name.text, kinds[FailureKind(name.text)]))
        elif name.text in known:
            kinds[FailureKind(name.text)] = name.span
        else:
            scope.found.append(unknown_kind(name.span, name.text, known))
    return tuple(kinds)


def _fallback(scope: Scope, statement: doc.Fallback) -> Fallback:
    entries: list[str | Mates] = []
    written: dict[str, Span] = {}
    for entry in statement.entries:
        if isinstance(entry, Amount):
            entries.append(Mates(whole(scope, entry, low=1) or 1))
            continue
        key = scope.model(entry)
        if key is not None and key in written:
            scope.found.append(said_twice(entry.span, key, written[key]))
        elif key is not None:
            written[key] = entry.span
            entries.append(key)
    return Fallback(tuple(entries), statement.parallel, statement.span)


def _retry(scope: Scope, statement: doc.Retry) -> Retry:
    wait = seconds(scope, statement.wait) or 0.0
    cap = None if statement.cap is None else seconds(scope, statement.cap)
    if statement.cap is not None and cap is not None and cap < wait:
        scope.found.append(out_of_range(statement.cap.span, statement.cap.text, statement.wait.text, None))
    _check_kinds_once(scope, statement.on)
    return Retry(
        scope.model_list(statement.models),
        whole(scope, statement.attempts, low=1, high=100) or 1,
        wait,
        statement.doubling,
        cap,
        tuple(_on(scope, on) for on in statement.on),
        statement.span,
    )


def _check_kinds_once(scope: Scope, clauses: Iterable[doc.OnFailure]) -> None:
    """No kind of failure stands in two `on` clauses of one retry."""
    first: dict[str, tuple[int, Span]] = {}
    for number, clause in enumerate(clauses):
        for name in clause.kinds:
            if first.setdefault(name.text, (number, name.span))[0] != number:
                scope.found.append(said_twice(name.span, name.text, first[name.text][1]))


def _on(scope: Scope, on: doc.OnFailure) -> OnFailure:
    wait = 0.0 if on.wait is None else seconds(scope, on.wait) or 0.0
    return OnFailure(_kinds(scope, on.kinds), on.then, wait)


def _alert(scope: Scope, statement: doc.Alert) -> Alert:
    metric = statement.metric
    if metric.text not in METRICS:
        scope.found.append(unknown_metric(metric.span, metric.text, METRICS))
        value = statement.value.value
    else:
        value = in_unit(scope, statement.value, METRICS[metric.text])
    if METRICS.get(metric.text) is Unit.MONEY and value is not None:
        value = value * NANO
    target = statement.target
    if target is not None and statement.channel == "email" and not _EMAIL.fullmatch(target.text):
        scope.found.append(bad_text(target.span, target.text, "email address"))
    elif target is not None and statement.channel != "email":
        env_name(scope, target)
    return Alert(
        statement.name.text,
        metric.text,
        statement.bound,
        value or Decimal(0),
        statement.channel,
        _text(target),
        statement.span,
    )


def _promise(scope: Scope, statement: doc.Promise) -> Promise:
    amount, claim = statement.amount, statement.claim
    in_money = money(scope, amount) if amount is not None and claim in ("price", "cost") else None
    providers = whole(scope, amount, low=1) if amount is not None and claim == "providers" else None
    return Promise(
        statement.name.text,
        scope.model_list(statement.models),
        providers,
        in_money if claim == "price" else None,
        in_money if claim == "cost" else None,
        build_when(scope, statement.when),
        statement.span,
    )


def _example(scope: Scope, statement: doc.Example) -> Example:
    for condition in statement.conditions:
        if condition.form in ("is not", "not one of", "one of"):
            help = "an example names one request: write `is VALUE`"
            scope.found.append(not_here(condition.span, "an example can't be about several values", help))
    return Example(
        build_conditions(scope, statement.conditions),
        scope.model_list(statement.gives),
        statement.span,
    )
