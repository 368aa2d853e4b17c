"""
A second opinion on every decision: docs/decision.md read aloud, with no table and no cleverness.

The functions stand in the order of that page, and each quotes the sentence it obeys. Nothing is
shared with the engine but the frozen types.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from policyctl.schemas.decision import Decision, Outcome
from policyctl.schemas.errors import Problem, RequestError
from policyctl.schemas.policy import (
    Action,
    Budget,
    BudgetIn,
    Condition,
    Cron,
    During,
    Escalation,
    Fact,
    FactKind,
    Level,
    LimitKind,
    Mates,
    Model,
    NumberIn,
    Policy,
    Rule,
    StartsWith,
    ValueIs,
    WeekSpan,
    When,
)
from policyctl.schemas.request import Failure, Request, Spend, State

Value = str | float | frozenset[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request once each fact has a value and each reference is a key of the policy."""

    facts: Mapping[str, Value]
    requires: frozenset[str]
    domain: str | None
    input_tokens: int
    output_tokens: int
    preferred: str | None
    story_models: tuple[str, ...]


def decide(policy: Policy, request: Request, state: State) -> Decision | RequestError:
    """Walk the six sections of docs/decision.md in their order. An error is returned, not raised."""
    problems = find_problems(policy, request)
    if problems:
        return RequestError(tuple(problems))
    asked = gather(policy, request)
    if refusing_limits(policy, asked, state):
        return refusal(policy, Outcome.REFUSED_BY_RULE, None)
    in_force = level_in_force(policy, asked, state)
    if in_force is not None and in_force[1].action is Action.PAUSE:
        until = when_period_turns(policy, in_force[0].period, state)
        return refusal(policy, Outcome.REFUSED_BY_BUDGET, in_force, until)
    return build_chain(policy, request, asked, state, in_force)


def refusal(
    policy: Policy,
    outcome: Outcome,
    in_force: tuple[Budget, Level] | None,
    until: datetime | None = None,
) -> Decision:
    return Decision(
        outcome=outcome,
        chain=(),
        tier=None,
        rule=None,
        budget=in_force[0].name if in_force else None,
        action=in_force[1].action.value if in_force else None,
        downgraded=False,
        no_way_up=False,
        served_by_fallback=False,
        cost_estimate_nusd=None,
        refusal=outcome.value,
        until=until,
        policy_digest=policy.digest,
    )


# --- 1. Facts ---------------------------------------------------------------------------------------------


def find_problems(policy: Policy, request: Request) -> list[Problem]:
    """
    "Every fact that the policy reads has a value before anything else happens: the request gives it, or
    it has a default. A request that lacks one is an error that names it, whatever path it would have
    taken."
    """
    return [
        *problems_of_built_ins(policy, request),
        *problems_of_inputs(policy, request),
        *problems_of_names(policy, request),
    ]


def problems_of_built_ins(policy: Policy, request: Request) -> list[Problem]:
    problems = []
    if request.complexity is None:
        # "an error, if the policy has tiers or reads it"
        if policy.tiers or reads(policy, "complexity"):
            problems.append(Problem("complexity", "the request has no complexity"))
    elif not is_number(request.complexity) or not 0 <= request.complexity <= 10:
        # "a number from 0 to 10"
        problems.append(Problem("complexity", "complexity is no number from 0 to 10"))
    for name, low in (("attempt", 1), ("input_tokens", 0), ("output_tokens", 0)):
        # "a whole number from 1"; "whole numbers"
        value = getattr(request, name)
        if value is not None and not (is_number(value) and value == int(value) and value >= low):
            problems.append(Problem(name, f"{name} is no whole number from {low}"))
    return problems


def problems_of_inputs(policy: Policy, request: Request) -> list[Problem]:
    """
    "A tier, a model that a person names, an input or a value that doesn't exist is an error." For
    declared inputs: "as declared", without one "their default, or an error".
    """
    declared = {name: fact for name, fact in policy.facts.items() if not fact.built_in}
    problems = [Problem(name, f"no input `{name}`") for name in request.inputs if name not in declared]
    for name, fact in declared.items():
        if name in request.inputs:
            if not is_value_of(fact, request.inputs[name]):
                problems.append(Problem(name, f"`{request.inputs[name]}` is no value of `{name}`"))
        elif fact.default is None:
            problems.append(Problem(name, f"the request has no `{name}`"))
    return problems


def problems_of_names(policy: Policy, request: Request) -> list[Problem]:
    """
    "A tier, a model that a person names, an input or a value that doesn't exist is an error." A domain
    or a story's model isn't.
    """
    names = [tier.name for tier in policy.tiers]
    asked_for = [request.story_tier, request.tier, *(failure.tier for failure in request.failures)]
    problems = [Problem("tier", f"no tier `{t}`") for t in asked_for if t is not None and t not in names]
    if request.preferred is not None and len(candidates(policy, request.preferred)) != 1:
        problems.append(Problem("preferred", f"no single model `{request.preferred}`"))
    return problems


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_value_of(fact: Fact, value: str | float) -> bool:
    if fact.kind is FactKind.YES_NO:
        return value in ("yes", "no")
    if fact.kind is FactKind.CHOICE:
        return value in fact.values
    if fact.kind is FactKind.TEXT:
        return isinstance(value, str)
    if isinstance(value, str) or not is_number(value) or (fact.whole and value != int(value)):
        return False
    return fact.low <= value and (fact.high is None or value <= fact.high)


def reads(policy: Policy, fact: str) -> bool:
    """DESIGN: "every fact that any statement of the policy reads"."""
    whens = [rule.when for rule in policy.rules] + [limit.when for limit in policy.limits]
    whens += [promise.when for promise in policy.promises]
    conditions = [condition for when in whens for row in when for condition in row]
    return any(getattr(condition, "fact", None) == fact for condition in conditions)


def candidates(policy: Policy, reference: str) -> list[str]:
    """DESIGN: "A reference is a key, an alias, or the one key whose last `/` part it is"."""
    if reference in policy.models:
        return [reference]
    aliased = [key for key, model in policy.models.items() if reference in model.aliases]
    return aliased or [key for key in policy.models if key.split("/")[-1] == reference]


def gather(policy: Policy, request: Request) -> Asked:
    """
    "A domain that the policy doesn't declare counts as `none`. […] A model that a *story* names and that
    the policy doesn't have is left out, with a reason."
    """
    domain = request.domain if request.domain in policy.domains else None
    input_tokens = request.input_tokens
    output_tokens = request.output_tokens
    if input_tokens is None:
        input_tokens = policy.estimate_input_tokens
    if output_tokens is None:
        output_tokens = policy.estimate_output_tokens
    facts: dict[str, Value] = {
        "requires": request.requires,
        "domain": domain or "none",
        "tier": request.tier or request.story_tier or "none",
        "kind": request.kind or "",
        "skill": request.skill or "",
        "branch": request.branch or "",
        "attempt": 1 if request.attempt is None else request.attempt,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
    }
    if request.complexity is not None:
        facts["complexity"] = request.complexity
    for name, fact in policy.facts.items():
        if not fact.built_in:
            given = request.inputs.get(name, fact.default)
            assert given is not None  # else it were a problem
            facts[name] = given
    named = [candidates(policy, reference) for reference in request.story_models]
    return Asked(
        facts=facts,
        requires=request.requires,
        domain=domain,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        preferred=candidates(policy, request.preferred)[0] if request.preferred is not None else None,
        story_models=tuple(found[0] for found in named if len(found) == 1),
    )


def applies(policy: Policy, asked: Asked, state: State, when: When) -> bool:
    """The frozen types: alternatives, each a conjunction; "No alternatives at all: always"."""
    return not when or any(all(holds(policy, asked, state, c) for c in row) for row in when)


def holds(policy: Policy, asked: Asked, state: State, condition: Condition) -> bool:
    if isinstance(condition, During):
        return inside(policy, condition.window, state) != condition.negated
    if isinstance(condition, BudgetIn):
        return budget_lies_in(policy.budgets[condition.budget], condition, state)
    value = asked.facts[condition.fact]
    if isinstance(condition, StartsWith):
        return str(value).startswith(condition.prefix)
    if isinstance(condition, NumberIn):
        assert isinstance(value, int | float)
        return lies_in(value, condition.low, condition.high, condition) != condition.negated
    return is_one_of(value, condition) != condition.negated


def is_one_of(value: Value, condition: ValueIs) -> bool:
    """
    "`requires is vision` holds when vision is among the required capabilities; `is not`, when it isn't;
    `is one of vision, tools`, when at least one of them is; `is nothing`, when nothing is required."
    """
    if isinstance(value, frozenset):
        return any(wanted in value or (wanted == "nothing" and not value) for wanted in condition.values)
    return value in condition.values


def lies_in(
    value: float, low: float | Fraction | None, high: float | Fraction | None, bounds: NumberIn | BudgetIn
) -> bool:
    """ "`is A to B` includes both ends", and a None bound is open-ended."""
    if low is not None and (value <= low if bounds.low_open else value < low):
        return False
    return high is None or (value < high if bounds.high_open else value <= high)


def budget_lies_in(budget: Budget, condition: BudgetIn, state: State) -> bool:
    """
    The frozen types: "What a budget has spent lies between two bounds", percents or money. A limit of
    nothing is used up from the start, beyond any percent, just as each of its levels is reached.
    """
    spent: float = state.spend.get(budget.name, Spend()).spent_nusd
    if budget.limit_nusd == 0 and not condition.in_money:
        spent = math.inf
    unit = Fraction(1) if condition.in_money else Fraction(budget.limit_nusd, 100)
    low = None if condition.low is None else Fraction(condition.low) * unit
    high = None if condition.high is None else Fraction(condition.high) * unit
    return lies_in(spent, low, high, condition)


def inside(policy: Policy, window_name: str, state: State) -> bool:
    """
    "The clock is local time in the policy's `timezone`; windows look at the wall clock, to the minute.
    So on the day when clocks go forward the lost hour belongs to no window, and a window that starts
    inside it starts when the clock resumes; on the day when they go back the doubled hour counts both
    times."
    """
    window = policy.windows[window_name]
    if window.outside is not None:
        return not inside(policy, window.outside, state)
    wall = state.now.astimezone(ZoneInfo(policy.timezone))
    if window.cron is not None:
        return cron_matches(window.cron, wall)
    return any(span_covers(span, wall.weekday(), wall.hour * 60 + wall.minute) for span in window.spans)


def span_covers(span: WeekSpan, weekday: int, minute: int) -> bool:
    """
    DESIGN: "A window holds from its start up to, not including, its end; one that passes midnight belongs
    to the day on which it starts".
    """
    if span.end_minute > span.start_minute:
        return weekday in span.days and span.start_minute <= minute < span.end_minute
    yesterday = (weekday - 1) % 7
    return (weekday in span.days and minute >= span.start_minute) or (
        yesterday in span.days and minute < span.end_minute
    )


def cron_matches(cron: Cron, wall: datetime) -> bool:
    """The frozen types: "Where both day fields are restricted, a day that fits either counts (Vixie)"."""
    if wall.minute not in cron.minutes or wall.hour not in cron.hours or wall.month not in cron.months:
        return False
    by_month, by_week = wall.day in cron.days_of_month, wall.weekday() in cron.weekdays
    if cron.any_day_of_month or cron.any_weekday:
        return by_month and by_week
    return by_month or by_week


# --- 2. Hard limits ---------------------------------------------------------------------------------------


def refusing_limits(policy: Policy, asked: Asked, state: State) -> bool:
    """ "Any matching `refuse`: the request is refused by a rule." """
    refuses = [limit for limit in policy.limits if limit.kind is LimitKind.REFUSE]
    return any(applies(policy, asked, state, limit.when) for limit in refuses)


def forbidden_models(policy: Policy, asked: Asked, state: State) -> set[str]:
    """
    "A model that a matching `never use` names, or that some matching `only use` doesn't name, is
    *forbidden*."
    """
    forbidden: set[str] = set()
    for limit in policy.limits:
        if applies(policy, asked, state, limit.when):
            if limit.kind is LimitKind.NEVER:
                forbidden |= set(limit.models)
            if limit.kind is LimitKind.ONLY:
                forbidden |= set(policy.models) - set(limit.models)
    return forbidden


# --- 3. Level ---------------------------------------------------------------------------------------------


def level_in_force(policy: Policy, asked: Asked, state: State) -> tuple[Budget, Level] | None:
    """
    "A budget applies to a request when it is for the whole, or for the request's domain. […] of several
    budgets the worst: `pause`, then `only`, then the larger `downgrade`, then `warn`; the budget written
    first, where they are equal."
    """
    worst: tuple[Budget, Level] | None = None
    for budget in policy.budgets.values():
        whole = budget.scope is None
        if whole or (budget.scope == "domain" and budget.scope_name == asked.domain):
            level = reached_level(budget, state)
            if level is not None and (worst is None or badness(level) > badness(worst[1])):
                worst = (budget, level)
    return worst


def badness(level: Level) -> tuple[int, int]:
    """ "`pause`, then `only`, then the larger `downgrade`, then `warn`" """
    order = [Action.WARN, Action.DOWNGRADE, Action.ONLY, Action.PAUSE]
    return order.index(level.action), level.tiers if level.action is Action.DOWNGRADE else 0


def reached_level(budget: Budget, state: State) -> Level | None:
    """
    "A level is reached when what is spent is at least its percent of the limit; for `pause` it is what is
    spent plus what is held. Of a budget's reached levels the last written counts".
    """
    spend = state.spend.get(budget.name, Spend())
    reached = None
    for level in budget.levels:
        counted = spend.spent_nusd + (spend.held_nusd if level.action is Action.PAUSE else 0)
        if counted >= Fraction(level.percent) * budget.limit_nusd / 100:
            reached = level
    return reached


def when_period_turns(policy: Policy, period: str, state: State) -> datetime | None:
    """
    "until the period turns (day, week from Monday, month, in the policy's zone; a run or story has no
    such time)"
    """
    zone = ZoneInfo(policy.timezone)
    today = state.now.astimezone(zone).date()
    if period == "day":
        return start_of_day(today + timedelta(days=1), zone)
    if period == "week":
        return start_of_day(today + timedelta(days=7 - today.weekday()), zone)
    if period == "month":
        return start_of_day((today.replace(day=1) + timedelta(days=32)).replace(day=1), zone)
    return None


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Local midnight; where the clocks skip it, the instant when they resume."""
    midnight = datetime.combine(day, time())
    instant = midnight.replace(tzinfo=zone).astimezone(UTC)

    def wall(moment: datetime) -> datetime:
        return moment.astimezone(zone).replace(tzinfo=None)

    if wall(instant) != midnight:
        while wall(instant - timedelta(minutes=1)) >= midnight:
            instant -= timedelta(minutes=1)
    return instant.astimezone(zone)


# --- 4. Tier ----------------------------------------------------------------------------------------------


def lowest_tier(policy: Policy, key: str) -> int | None:
    """ "A model that stands in several tiers counts at its lowest." None: it is in no tier."""
    return next((index for index, tier in enumerate(policy.tiers) if key in tier.models), None)


def tier_named(policy: Policy, name: str) -> int:
    return [tier.name for tier in policy.tiers].index(name)


def matching_rule(policy: Policy, asked: Asked, state: State) -> Rule | None:
    """ "the first rule that matches" """
    return next((rule for rule in policy.rules if applies(policy, asked, state, rule.when)), None)


def base_tier(policy: Policy, request: Request, rule: Rule | None) -> int:
    """
    "by complexity, unless the first rule that matches gives one (its tier, or the highest tier among the
    models it names), unless the story gives one, unless `--tier` does."
    """
    if request.tier is not None:
        return tier_named(policy, request.tier)
    if request.story_tier is not None:
        return tier_named(policy, request.story_tier)
    if rule is not None and rule.tier is not None:
        return tier_named(policy, rule.tier)
    if rule is not None:
        standing = [lowest_tier(policy, key) for key in rule.models]
        tiers = [tier for tier in standing if tier is not None]
        if tiers:
            return max(tiers)
    assert request.complexity is not None
    return tier_by_complexity(policy, request.complexity)


def tier_by_complexity(policy: Policy, complexity: float) -> int:
    """DESIGN: "A tier starts where it says (`from`, or `above`, complexity N); it ends where the next
    starts." """
    found = 0
    for index, tier in enumerate(policy.tiers):
        if complexity > tier.start or (complexity == tier.start and not tier.above):
            found = index
    return found


def lowered_tier(base: int, request: Request, in_force: tuple[Budget, Level] | None) -> tuple[int, bool]:
    """
    "`downgrade N` lowers the base tier by N, not below the first. The request is *downgraded* while such a
    level is in force, even where nothing was lowered. With `--tier` neither happens."
    """
    if request.tier is None and in_force is not None and in_force[1].action is Action.DOWNGRADE:
        return max(0, base - in_force[1].tiers), True
    return base, False


@dataclass(frozen=True, slots=True)
class Risen:
    """The ceiling, the highest tier whose models are spent (None: none is), and whether a rise failed."""

    ceiling: int
    spent: int | None
    no_way_up: bool


def escalated(policy: Policy, request: Request, tier: int, highest: int) -> Risen:
    """
    "the failures in the order given. […] Its target is the tier above the one it failed in, or the tier
    that it names; no higher than the base tier while downgraded. A target above the failed tier raises the
    tier to it (a tier that is already higher stays), and story, rule and domain models of the failed tier
    and below are *spent*. A target that isn't above the failed tier is *no way up*: the tier is then at
    least that target, and nothing becomes spent. A failure that doesn't say where it happened happened in
    the tier as it stands when its turn comes."
    """
    spent: int | None = None
    no_way_up = False
    for failure in request.failures:
        failed = tier if failure.tier is None else tier_named(policy, failure.tier)
        statement = escalation_for(policy, failure, failed)
        if statement is None:
            continue
        wanted = failed + 1 if statement.to_tier is None else tier_named(policy, statement.to_tier)
        target = min(wanted, highest)
        tier = max(tier, target)
        if target > failed:
            spent = failed if spent is None else max(spent, failed)
        else:
            no_way_up = True
    return Risen(tier, spent, no_way_up)


def escalation_for(policy: Policy, failure: Failure, failed: int) -> Escalation | None:
    """
    "the first `escalate` statement that names its gate or kind and whose `from` (if any) is the tier it
    failed in; without one the failure changes nothing"
    """
    for statement in policy.escalations:
        if statement.gate is not None:
            names_it = failure.cause == f"gate {statement.gate}"
        else:
            names_it = failure.cause in [kind.value for kind in statement.kinds]
        if names_it and statement.from_tier in (None, policy.tiers[failed].name):
            return statement
    return None


# --- 5. Ability -------------------------------------------------------------------------------------------


def is_able(model: Model, asked: Asked, state: State) -> bool:
    """
    "able: enabled; its key present (where keys are looked at); it has every required capability; its
    context window, if known, holds input plus output tokens"
    """
    if not model.enabled:
        return False
    if state.available is not None and model.key not in state.available:
        return False
    if not asked.requires <= model.capabilities:
        return False
    tokens = asked.input_tokens + asked.output_tokens
    return model.context_tokens is None or tokens <= model.context_tokens


def is_paused(policy: Policy, model: Model, state: State) -> bool:
    """
    "of a paused budget: one for its provider, its tier (the lowest it stands in) or itself at `pause`"
    """
    tier = lowest_tier(policy, model.key)
    own = {
        "provider": model.provider,
        "tier": None if tier is None else policy.tiers[tier].name,
        "model": model.key,
    }
    for budget in policy.budgets.values():
        if budget.scope in own and budget.scope_name == own[budget.scope]:
            level = reached_level(budget, state)
            if level is not None and level.action is Action.PAUSE:
                return True
    return False


def obstacles(policy: Policy, asked: Asked, state: State) -> dict[str, str | None]:
    """
    For each model what keeps it from serving, or None: "The first that fails, in this order, is the reason
    given."
    """
    forbidden = forbidden_models(policy, asked, state)
    found: dict[str, str | None] = {}
    for key, model in policy.models.items():
        if key in forbidden:
            found[key] = "forbidden"
        elif not is_able(model, asked, state):
            found[key] = "unable"
        elif is_paused(policy, model, state):
            found[key] = "paused"
        else:
            found[key] = None
    return found


# --- 6. The chain -----------------------------------------------------------------------------------------


def build_chain(
    policy: Policy,
    request: Request,
    asked: Asked,
    state: State,
    in_force: tuple[Budget, Level] | None,
) -> Decision:
    obstacle = obstacles(policy, asked, state)
    rule = matching_rule(policy, asked, state)
    tier: int | None = None
    risen = Risen(-1, None, False)
    downgraded = False
    highest = len(policy.tiers) - 1
    if policy.tiers:
        base = base_tier(policy, request, rule)
        lowered, downgraded = lowered_tier(base, request, in_force)
        highest = base if downgraded else highest
        risen = escalated(policy, request, lowered, highest)
        tier = risen.ceiling

    if in_force is not None and in_force[1].action is Action.ONLY:
        considered = only_candidates(asked, in_force[1].models)
        head = len(considered)
        outcome_if_empty = Outcome.REFUSED_BY_BUDGET
    else:
        considered = first_candidates(policy, request, asked, rule, risen, downgraded)
        if tier is not None and all(obstacle[key] for key in considered):
            tier = climbed(policy, asked, state, tier, highest)
            tier_models = list(policy.tiers[tier].models)
            considered += cheapest_of_tier(policy, asked, state, tier_models, obstacle)
        head = len(considered)
        mates = [] if tier is None else list(policy.tiers[tier].models)
        considered += fallback_list(policy, asked, considered, mates, obstacle)
        # The models that were looked at for a place, so that a refusal can tell what removed them.
        outcome_if_empty = Outcome.NO_MODEL
        if any(obstacle[key] == "paused" for key in [*considered, *mates]):
            outcome_if_empty = Outcome.REFUSED_BY_BUDGET

    # "Models that can't serve fall out."
    servable = [key for key in considered if obstacle[key] is None]
    if not servable:
        return refusal(policy, outcome_if_empty, in_force)
    chain = down_last(without_repeats(servable), state)
    return Decision(
        outcome=Outcome.SERVED,
        chain=tuple(chain),
        # "The tier that is reported is the request's: after level, escalation and climbing."
        tier=None if tier is None else policy.tiers[tier].name,
        rule=None if rule is None else rule.name,
        budget=in_force[0].name if in_force else None,
        action=in_force[1].action.value if in_force else None,
        downgraded=downgraded,
        no_way_up=risen.no_way_up,
        # "A chain whose first model (before cooldowns are looked at) comes from the fallback list is
        # *served by fallback*."
        served_by_fallback=all(obstacle[key] for key in considered[:head]),
        cost_estimate_nusd=estimate_nusd(policy, asked, chain[0]),
        refusal=None,
        until=None,
        policy_digest=policy.digest,
    )


def only_candidates(asked: Asked, models: Sequence[str]) -> list[str]:
    """
    "the candidates are the person's model, if it is in L, then L in the order written. No fallback list."
    """
    return [key for key in models if key == asked.preferred] + list(models)


def first_candidates(
    policy: Policy, request: Request, asked: Asked, rule: Rule | None, risen: Risen, downgraded: bool
) -> list[str]:
    """
    "first the person's model (`--preferred`), whatever its tier. Then the *named* models in this order: the
    rule's, the story's `preferred_provider`, its `suggestedModel`, the domain's. A named model is left out
    when it is in no tier, above the ceiling, or spent. A domain that says `at any tier` is free of the
    ceiling, unless the request is downgraded. With `--tier`, domain models of any tier but the ceiling are
    left out."
    """
    found = [] if asked.preferred is None else [asked.preferred]

    def take(keys: Sequence[str], allowed: Callable[[int], bool]) -> None:
        for key in keys:
            tier = lowest_tier(policy, key)
            if tier is not None and (risen.spent is None or tier > risen.spent) and allowed(tier):
                found.append(key)

    def under_ceiling(tier: int) -> bool:
        return tier <= risen.ceiling

    if rule is not None:
        take(rule.models, under_ceiling)
    take(asked.story_models, under_ceiling)
    if asked.domain is not None:
        domain = policy.domains[asked.domain]
        if request.tier is not None:
            take(domain.models, lambda tier: tier == risen.ceiling)
        elif domain.any_tier and not downgraded:
            take(domain.models, lambda tier: True)
        else:
            take(domain.models, under_ceiling)
    return found


def climbed(policy: Policy, asked: Asked, state: State, tier: int, highest: int) -> int:
    """
    "If *no* model of that tier is able (point 2 above; forbidden or paused models don't count as unable),
    the next tier up takes its place; while downgraded no higher than the base tier. Where nobody up to
    there is able, the tier stays the ceiling's."
    """
    for higher in range(tier, highest + 1):
        models = [policy.models[key] for key in policy.tiers[higher].models]
        if any(is_able(model, asked, state) for model in models):
            return higher
    return tier


def cost(policy: Policy, asked: Asked, key: str) -> int:
    """What the request's tokens cost, exactly: a million times nano-USD."""
    model = policy.models[key]
    return (
        asked.input_tokens * model.price_in_nusd_per_mtok
        + asked.output_tokens * model.price_out_nusd_per_mtok
    )


def estimate_nusd(policy: Policy, asked: Asked, key: str) -> int:
    """In nano-USD, half up."""
    return (cost(policy, asked, key) + 500_000) // 1_000_000


def cheapest_first(policy: Policy, asked: Asked, keys: Sequence[str]) -> list[str]:
    """ "the cheapest (for the request's tokens; ties by key)" """
    return sorted(keys, key=lambda key: (cost(policy, asked, key), key))


def cheapest_of_tier(
    policy: Policy, asked: Asked, state: State, keys: Sequence[str], obstacle: Mapping[str, str | None]
) -> list[str]:
    """
    "one model of the ceiling's tier, the cheapest […] that can serve and isn't in cooldown. Cheaper ones that
    were passed over for their cooldown join the chain. If all are in cooldown, the cheapest."
    """
    servable = cheapest_first(policy, asked, [key for key in keys if obstacle[key] is None])
    passed_over: list[str] = []
    for key in servable:
        if key not in state.down:
            return [*passed_over, key]
        passed_over.append(key)
    return servable[:1]


def fallback_list(
    policy: Policy,
    asked: Asked,
    chain: Sequence[str],
    mates: Sequence[str],
    obstacle: Mapping[str, str | None],
) -> list[str]:
    """
    "Then the fallback list as written. `next N of tier` stands for the N cheapest models of that tier that
    can serve and aren't in the chain yet. The ceiling doesn't bind the list."
    """
    found: list[str] = []
    for entry in policy.fallback.entries if policy.fallback is not None else ():
        if isinstance(entry, Mates):
            free = [k for k in mates if obstacle[k] is None and k not in chain and k not in found]
            found += cheapest_first(policy, asked, free)[: entry.count]
        else:
            found.append(entry)
    return found


def without_repeats(keys: Sequence[str]) -> list[str]:
    """ "No model twice: the first place counts." """
    return list(dict.fromkeys(keys))


def down_last(keys: Sequence[str], state: State) -> list[str]:
    """ "Last, models in cooldown go to the end, order kept." """
    return [k for k in keys if k not in state.down] + [k for k in keys if k in state.down]
