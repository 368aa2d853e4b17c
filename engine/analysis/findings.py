"""DecisionTable -> diagnostics: what is proven to be wrong with a policy, with requests that show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from ...policy.checks.p701_no_model import no_model
from ...policy.checks.p702_limit_empties import limit_empties
from ...policy.checks.p703_level_empties import level_empties
from ...policy.checks.p704_never_wins import never_wins
from ...policy.checks.p705_no_effect import no_effect
from ...policy.checks.p706_contradiction import contradiction
from ...policy.checks.p707_adds_nothing import adds_nothing
from ...policy.checks.p708_always_holds import always_holds
from ...policy.checks.p709_limit_no_effect import limit_no_effect
from ...policy.checks.p710_level_no_effect import level_no_effect, never_in_force
from ...policy.checks.p711_no_way_up import no_way_up
from ...policy.checks.p712_cannot_serve import cannot_serve
from ...policy.checks.p713_constant_window import constant_window
from ...policy.checks.p714_unused import unused
from ...policy.checks.p715_out_of_reach import out_of_reach
from ...policy.checks.p716_broken_promise import broken_promise
from ...policy.checks.p717_empty_promise import empty_promise
from ...policy.checks.p718_unproved import unproved
from ...policy.words import condition_words
from ...schemas.diagnostics import Diagnostic
from ...schemas.policy import BudgetIn, Condition, During, ValueIs
from ...schemas.text import Span
from ..cases import Case, command, words_of
from ..table import DecisionTable
from . import idle
from .cells import Box, Space
from .conditions import adding_nothing, always_holding, contradictions
from .diagram import Diagrams, Path, TooLarge
from .gaps import Gap, gaps
from .matching import Matching, by_statement
from .promises import broken, covers_nothing
from .rules import never_winning, winning_paths, without_effect
from .world import World

MOST_STEPS = 400_000
"""Nodes and combinations that one part of the analysis may take."""

MOST_STEPS_OF_EFFECTS = 2_000_000
"""The same for what rules change, which is asked for each rule apart."""

MOST_OF_A_KIND = 50
"""Findings of one code told in one run."""

MOST_GAPS = 10


def analyse(table: DecisionTable, files: tuple[str, ...] = ()) -> Iterator[Diagnostic]:
    """All findings about a policy that passed the checker; `files` are those it came from."""
    try:
        space = Space(table)
    except TooLarge:
        yield unproved(None, "everything: there are too many facts, windows or conditions")
        return
    analysis = _Analysis(table, files, space)
    for part, what in analysis.parts():
        try:
            yield from islice(part(), MOST_OF_A_KIND)
        except TooLarge:
            yield unproved(None, what)
    for number in range(len(table.policy.promises)):
        yield from analysis.promise(number)


def winning_witnesses(table: DecisionTable) -> dict[str, Case]:
    """
    For each rule that can win a case in which it does, as plain as can be.

    Raises:
        TooLarge: the policy is too large to tell.
    """
    space = Space(table)
    world = World(Matching(space, Diagrams(MOST_STEPS, space.weights)))
    found: dict[str, Case] = {}
    for place, path in winning_paths(world).items():
        box = world.rule_boxes[place]
        found.setdefault(table.policy.rules[box.number].name, world.case(path))
    return found


@dataclass(frozen=True)
class _Analysis:
    table: DecisionTable
    files: tuple[str, ...]
    space: Space

    def parts(self) -> list[tuple[Callable[[], Iterator[Diagnostic]], str]]:
        """What is looked for, and what stays unproved where it takes too long."""
        return [
            (self._conditions, "whether conditions contradict or repeat each other"),
            (self._rules, "whether each rule can win"),
            (self._rule_effects, "whether each rule changes something"),
            (self._gaps, "whether every request has a model that can serve it"),
            (self._limits, "whether each hard limit changes something"),
            (self._budgets, "whether each budget level changes something"),
            (self._escalations, "whether each escalation can act"),
            (self._models, "whether each model can serve where it is listed"),
            (self._unread, "whether everything declared is read"),
        ]

    def _world(self) -> World:
        """The diagrams, with steps of their own for one part."""
        return World(Matching(self.space, Diagrams(MOST_STEPS, self.space.weights)))

    @cached_property
    def _won(self) -> tuple[World, dict[int, Path]]:
        world = self._world()
        won = winning_paths(world)
        world.diagrams.spend(-MOST_STEPS_OF_EFFECTS)
        return world, won

    def _asked(self, case: Case, *more: str) -> str:
        return " ".join([command(self.table, case, self.files), *more])

    # conditions

    def _conditions(self) -> Iterator[Diagnostic]:
        world = self._world()
        constant = dict(idle.constant_windows(world))
        for name, holds in constant.items():
            yield constant_window(self.table.policy.windows[name].span, name, holds=holds)
        for _, conditions in contradictions(world.matching):
            if not any(isinstance(c, During) and c.window in constant for c in conditions):
                yield contradiction([c.span for c in conditions], self._at_odds(conditions))
        for condition in always_holding(self.space, 0, self.space.boxes):
            if not (isinstance(condition, During) and condition.window in constant):
                yield always_holds(condition.span, condition_words(condition))
        for boxes in (world.rule_boxes, world.limit_boxes, world.promise_boxes):
            for own in by_statement(boxes).values():
                for box, path in adding_nothing(world.matching, own) if len(own) > 1 else ():
                    yield adds_nothing(_span_of(box), self._asked(world.case(path)))

    def _at_odds(self, conditions: tuple[Condition, ...]) -> str:
        words = [f"`{condition_words(condition)}`" for condition in conditions]
        if len(words) > 1:
            return f"{' and '.join(words)} exclude each other"
        (condition,) = conditions
        if isinstance(condition, ValueIs) and condition.fact == "requires":
            return f"no enabled model can do what {words[0]} asks for"
        if isinstance(condition, BudgetIn):
            return f"budget `{condition.budget}` is never so"
        return f"nothing satisfies {words[0]}"

    # rules

    def _rules(self) -> Iterator[Diagnostic]:
        world, won = self._won
        for found in never_winning(world, won):
            span = found.rule.span
            if found.alternative is not None:
                span = _joined(found.rule.when[found.alternative]) or span
            covering = [(rule.name, rule.span) for rule in found.covered_by]
            asked = self._asked(world.case(found.path))
            yield never_wins(span, found.rule.name, found.alternative, covering, asked)

    def _rule_effects(self) -> Iterator[Diagnostic]:
        world, won = self._won
        for found in without_effect(world, won):
            yield no_effect(found.rule.span, found.rule.name, self._asked(world.case(found.path)))
        for rule in self.table.policy.rules:
            for key in rule.models:
                if key not in self.table.rank:
                    yield out_of_reach(rule.span, f"rule `{rule.name}`", key, None)
        for domain in self.table.policy.domains.values():
            for key in domain.models:
                if key not in self.table.rank:
                    plain = world.case(None)
                    case = replace(plain, request=replace(plain.request, domain=domain.name))
                    asked = self._asked(case, "--why-not", key)
                    yield out_of_reach(domain.span, f"domain `{domain.name}`", key, asked)

    # gaps

    def _gaps(self) -> Iterator[Diagnostic]:
        world = self._world()
        yield from islice(map(self._gap, _told(gaps(world))), MOST_GAPS)

    def _gap(self, gap: Gap) -> Diagnostic:
        words, asked = words_of(self.table, gap.case), self._asked(gap.case)
        if gap.level is not None:
            return level_empties(gap.level.span, words, asked)
        if gap.limit is not None:
            return limit_empties(gap.limit.span, words, asked)
        tier = self.table.policy.tiers[self.table.tiers[gap.tier]]
        return no_model(tier.span, words, asked, ordinary=gap.ordinary)

    # limits, budgets, escalations, models

    def _limits(self) -> Iterator[Diagnostic]:
        world = self._world()
        for limit, path in idle.limits_without_effect(world):
            yield limit_no_effect(limit.span, self._asked(world.case(path)))

    def _budgets(self) -> Iterator[Diagnostic]:
        world = self._world()
        for budget in self.table.policy.budgets.values():
            for level in idle.levels_never_in_force(world, budget):
                yield never_in_force(level.span, budget.name)
            for level, reason, case in idle.levels_without_effect(world, budget):
                yield level_no_effect(level.span, reason, self._asked(case))

    def _escalations(self) -> Iterator[Diagnostic]:
        world = self._world()
        for statement, reason, failure in idle.escalations_without_effect(world):
            plain = world.case(None)
            case = replace(plain, request=replace(plain.request, failures=(failure,)))
            yield no_way_up(statement.span, reason, self._asked(case))

    def _models(self) -> Iterator[Diagnostic]:
        world = self._world()
        policy = self.table.policy
        if policy.fallback is not None:
            for key in idle.disabled_in(world, policy.fallback):
                message = f"`{key}` is disabled, so the fallback list passes it over"
                yield cannot_serve(policy.fallback.span, message, "enable it, or take it off the list")
            for name in idle.lacking_in_fallback(world):
                message = f"no model of the fallback list can do `{name}`, which the policy reads"
                yield cannot_serve(policy.fallback.span, message, "add one that can")
        for key in idle.never_allowed(world):
            message = f"`{key}` can never serve: hard limits forbid it whenever it could"
            yield cannot_serve(
                policy.models[key].span, message, "loosen a limit, or mark the model `disabled`"
            )

    def promise(self, number: int) -> Iterator[Diagnostic]:
        """What is wrong with a promise; where it can't be told, that."""
        promise = self.table.policy.promises[number]
        try:
            world = self._world()
            found = broken(world, promise, number)
            if found is not None:
                words, asked = words_of(self.table, found.case), self._asked(found.case)
                yield broken_promise(promise.span, promise.name, found.reason, words, asked)
            elif covers_nothing(world, number):
                yield empty_promise(promise.span, promise.name)
        except TooLarge:
            yield unproved(promise.span, f"whether promise `{promise.name}` holds")

    # what nobody reads

    def _unread(self) -> Iterator[Diagnostic]:
        world, policy = self._world(), self.table.policy
        for name in idle.unread_inputs(world):
            span = policy.facts[name].span
            if span is not None:
                yield unused(span, "input", name, "no rule, hard limit or promise reads it")
        for name in idle.unread_windows(world):
            yield unused(policy.windows[name].span, "window", name, "no rule, hard limit or promise reads it")
        for name in idle.idle_budgets(world):
            yield unused(policy.budgets[name].span, "budget", name, "it has no level, and nothing reads it")
        for name in idle.idle_domains(world):
            yield unused(
                policy.domains[name].span, "domain", name, "it prefers no model, and nothing names it"
            )
        for name in idle.idle_models(world):
            yield unused(policy.models[name].span, "model", name, "no tier, level or fallback list has it")


def _told(found: Iterator[Gap]) -> Iterator[Gap]:
    """
    The gaps worth telling: one for each limit, one for each level, and of those that nobody is able to
    fill one for each set of capabilities that has no smaller one.
    """
    seen: set[object] = set()
    sets: list[frozenset[str]] = []
    for gap in sorted(found, key=_plainness):
        at = gap.level or gap.limit
        if at is not None:
            if at not in seen:
                seen.add(at)
                yield gap
        elif not any(known <= gap.case.request.requires for known in sets):
            sets.append(gap.case.request.requires)
            yield gap


def _plainness(gap: Gap) -> tuple[int, int]:
    """How much a request says: its capabilities first."""
    request, spend = gap.case.request, gap.case.state.spend
    said = [request.domain, request.kind, request.skill, request.branch, request.attempt, request.tier]
    said += [request.story_tier, request.input_tokens, request.output_tokens]
    return len(request.requires), sum(v is not None for v in said) + len(request.inputs) + len(spend)


def _span_of(box: Box) -> Span:
    return _joined(box.conditions) or box.statement.span


def _joined(conditions: tuple[Condition, ...]) -> Span | None:
    """The span from the first to the last of some conditions."""
    if not conditions:
        return None
    return Span(conditions[0].span.source, conditions[0].span.start, conditions[-1].span.end)
