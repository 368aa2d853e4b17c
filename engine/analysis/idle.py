"""Statements that do nothing: limits, levels, escalations, windows, models and whatever nobody reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...policy.words import level_words
from ...schemas.policy import (
    Action,
    Budget,
    BudgetIn,
    Condition,
    During,
    Escalation,
    Fallback,
    Level,
    Limit,
    Mates,
    ValueIs,
)
from ...schemas.request import Failure, Spend
from ..cases import Case
from ..situation import level_of
from .cells import REQUIRES, standing_key
from .diagram import Path
from .matching import by_statement
from .variations import causes_of
from .world import REFUSED, World

# --- hard limits -----------------------------------------------------------------------------------


def limits_without_effect(world: World) -> Iterator[tuple[Limit, Path]]:
    """Hard limits that could be left out, one after the other from the last, and where they hold."""
    matching = world.matching
    left = by_statement([box for box in world.limit_boxes if box.bit & matching.held])
    for number in sorted(left, reverse=True):
        others = {n: boxes for n, boxes in left.items() if n != number}
        masks = {box.bit: _mask(world, n) for n, boxes in others.items() for box in boxes}
        if not any(_acts(world, number, box.bit, masks) for box in left[number]):
            path = matching.escape(left[number][0].bit, 0)
            assert path is not False
            yield world.policy.limits[number], path
            left = others


def _mask(world: World, number: int) -> int | str:
    return world.mask_of_limit(world.policy.limits[number])


def _acts(world: World, number: int, bit: int, others: Mapping[int, int | str]) -> bool:
    """Whether a hard limit forbids something somewhere that others don't."""
    own = _mask(world, number)

    def forbidden(boxes: int) -> int | None:
        """What some boxes forbid; None for a refusal."""
        found = 0
        for other, mask in others.items():
            if other & boxes:
                if isinstance(mask, str):
                    return None
                found |= mask
        return found

    def verdict(may: int, sure: int) -> bool | None:
        surely = forbidden(sure)
        if surely is None or (not isinstance(own, str) and not own & ~surely):
            return False
        at_most = forbidden(may)
        return True if at_most is not None and (isinstance(own, str) or own & ~at_most) else None

    every = 0
    for other in others:
        every |= other
    return world.matching.search(bit, every, verdict) is not False


# --- budget levels ---------------------------------------------------------------------------------


def levels_never_in_force(world: World, budget: Budget) -> Iterator[Level]:
    """Levels that another one of the same budget always replaces."""
    spends = world.space.spends(budget.name)
    reached = {id(level_of(budget, spend)) for spend in spends}
    yield from (level for level in budget.levels if id(level) not in reached)


def levels_without_effect(world: World, budget: Budget) -> Iterator[tuple[Level, str, Case]]:
    """Levels that do no more than the one before them, why, and a case in which they are in force."""
    dead = {id(level) for level in levels_never_in_force(world, budget)}
    last: Any = None
    before: Level | None = None
    for level in budget.levels:
        if id(level) in dead or level.action is Action.WARN:
            continue
        spend = _spend_at(world, budget, level)
        does = _does(world, budget, spend)
        if level.action is Action.DOWNGRADE and does[1] == 0:
            yield level, "there is one tier only", _case(world, budget, spend)
        elif before is not None and does == last:
            yield level, f"`{level_words(before)}` does the same", _case(world, budget, spend)
        last, before = does, level


def _does(world: World, budget: Budget, spend: Spend) -> Any:
    standing: Any = standing_key(world.policy, budget, spend)
    action, tiers, models = standing
    return action, min(tiers, len(world.policy.tiers) - 1), models


def _spend_at(world: World, budget: Budget, level: Level) -> Spend:
    return next(spend for spend in world.space.spends(budget.name) if level_of(budget, spend) is level)


def _case(world: World, budget: Budget, spend: Spend) -> Case:
    case = world.case(None)
    return replace(case, state=replace(case.state, spend={budget.name: spend}))


# --- escalations -----------------------------------------------------------------------------------


def escalations_without_effect(world: World) -> Iterator[tuple[Escalation, str, Failure]]:
    """Escalations that raise no tier whatever fails in whichever, why, and a failure that shows it."""
    for number, statement in enumerate(world.policy.escalations):
        counts = list(_counts(world, number))
        cause = causes_of(statement)[0]
        names = [tier.name for tier in world.policy.tiers]
        if not counts:
            yield statement, "an earlier `escalate` always counts first", Failure(cause, statement.from_tier)
        elif not any(_target(world, statement, tier) > tier for tier in counts):
            where = names[counts[0]] if statement.from_tier is not None else names[-1]
            aim = statement.to_tier or "next tier"
            reason = f"no way up from {where} to {aim}"
            yield statement, reason, Failure(cause, where)


def _counts(world: World, number: int) -> Iterator[int]:
    """The tiers in which a failure makes an escalation count: it is the first one that fits."""
    escalations = world.policy.escalations
    for tier, name in enumerate(t.name for t in world.policy.tiers):
        for cause in causes_of(escalations[number]):
            fits = (
                n for n, e in enumerate(escalations) if cause in causes_of(e) and e.from_tier in (None, name)
            )
            if next(fits, None) == number:
                yield tier
                break


def _target(world: World, statement: Escalation, failed: int) -> int:
    target = failed + 1 if statement.to_tier is None else world.table.tiers[statement.to_tier]
    return min(target, len(world.policy.tiers) - 1)


# --- models ----------------------------------------------------------------------------------------


def never_allowed(world: World) -> Iterator[str]:
    """Enabled models that hard limits forbid wherever they would be able."""
    enabled = world.mask(key for key, model in world.policy.models.items() if model.enabled)
    if not world.limit_boxes:
        return
    served = 0
    for (forbidden, able), _ in world.diagrams.leaves(world.forbidden, world.able):
        served |= 0 if forbidden == REFUSED else able[0] & ~forbidden
        if served == enabled:
            return
    yield from (
        key for key, model in world.policy.models.items() if model.enabled and not served & world.bit_of[key]
    )


def lacking_in_fallback(world: World) -> Iterator[str]:
    """Capabilities that rules or hard limits read, that some model has and no model of the fallback list."""
    fallback, models = world.policy.fallback, world.policy.models
    if fallback is None or any(isinstance(entry, Mates) for entry in fallback.entries):
        return
    listed = [models[entry] for entry in fallback.entries if isinstance(entry, str)]
    read = {v for c in _conditions(world) if isinstance(c, ValueIs) and c.fact == REQUIRES for v in c.values}
    for name in sorted(read - {"nothing"}):
        had = any(name in model.capabilities for model in models.values() if model.enabled)
        if had and not any(name in model.capabilities for model in listed if model.enabled):
            yield name


def disabled_in(world: World, fallback: Fallback) -> Iterator[str]:
    """Models of the fallback list that are disabled."""
    models = world.policy.models
    yield from (e for e in fallback.entries if isinstance(e, str) and not models[e].enabled)


def idle_models(world: World) -> Iterator[str]:
    """Enabled models that nothing chooses: no tier, fallback list, `only` level or baseline names them."""
    policy = world.policy
    chosen = {*world.table.rank, policy.baseline}
    chosen |= {e for e in (policy.fallback.entries if policy.fallback else ()) if isinstance(e, str)}
    chosen |= {key for budget in policy.budgets.values() for level in budget.levels for key in level.models}
    named = {key for rule in policy.rules for key in rule.models}
    named |= {key for domain in policy.domains.values() for key in domain.models}
    # One that a rule or domain names is told there.
    yield from (key for key, m in policy.models.items() if m.enabled and key not in chosen | named)


# --- what nobody reads -----------------------------------------------------------------------------


def _conditions(world: World) -> Iterator[Condition]:
    boxes = (*world.rule_boxes, *world.limit_boxes, *world.promise_boxes)
    return (condition for box in boxes for condition in box.conditions)


def unread_inputs(world: World) -> Iterator[str]:
    """Declared inputs that no condition reads."""
    read = {getattr(condition, "fact", None) for condition in _conditions(world)}
    yield from (name for name, fact in world.policy.facts.items() if not fact.built_in and name not in read)


def unread_windows(world: World) -> Iterator[str]:
    """Windows that no condition reads, and no window that one reads is outside of."""
    read = {c.window for c in _conditions(world) if isinstance(c, During)}
    waiting = list(read)
    while waiting:
        outside = world.policy.windows[waiting.pop()].outside
        if outside is not None and outside not in read:
            read.add(outside)
            waiting.append(outside)
    yield from (name for name in world.policy.windows if name not in read)


def idle_budgets(world: World) -> Iterator[str]:
    """Budgets without levels that no condition reads."""
    read = {c.budget for c in _conditions(world) if isinstance(c, BudgetIn)}
    yield from (name for name, b in world.policy.budgets.items() if not b.levels and name not in read)


def idle_domains(world: World) -> Iterator[str]:
    """Domains without models that no condition and no budget names."""
    read = {v for c in _conditions(world) if isinstance(c, ValueIs) and c.fact == "domain" for v in c.values}
    read |= {b.scope_name for b in world.policy.budgets.values() if b.scope == "domain" and b.scope_name}
    yield from (name for name, d in world.policy.domains.items() if not d.models and name not in read)


def constant_windows(world: World) -> Iterator[tuple[str, bool]]:
    """Windows among those read that always (True) or never (False) hold."""
    sets = [windows[world.number] for windows in world.space.window_sets]
    read = {c.window for c in _conditions(world) if isinstance(c, During)}
    for name in world.policy.windows:
        holding = sum(name in windows for windows in sets)
        if name in read and holding in (0, len(sets)):
            yield name, holding > 0
