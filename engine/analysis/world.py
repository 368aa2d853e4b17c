"""
What a decision depends on, as diagrams over the cells of a space.

A decision doesn't look at a request itself but at a few things that come from it: the base tier and
the models that a rule names, the models that hard limits forbid, those that are able, the domain, the
level of the budgets. Cells in which all these are the same are decided alike, so each combination that
is really there is decided once, by the engine itself, for one request of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import cached_property
from typing import Any, NamedTuple

from ...schemas.policy import Action, Limit, LimitKind, Mates, Policy, Promise, Rule
from ..cases import Case
from ..chain import Routing, route
from ..decide import alive_rows, matching
from ..facts import facts_of
from ..situation import Situation, belongs, observe
from ..table import DecisionTable
from .cells import CLOCK, COMPLEXITY, DOMAIN, REQUIRES, TIER, UNSAID, Asked, Box, Cell, Space, budget_subject
from .diagram import LEAF, Diagrams, Node, Path, cells_of
from .matching import Matching, by_statement

REFUSED = "refused"
"""In place of the forbidden models, where a `refuse` holds."""


Matched = Rule | None
"""The first rule that matches, if one does."""


class Effect(NamedTuple):
    """What a rule gives: a tier (None: it leaves that to the complexity), and models that are in a tier."""

    tier: int | None
    models: tuple[str, ...]


class Base(NamedTuple):
    """The base tier, the rule's models, and whether a person asked for the tier."""

    tier: int
    models: tuple[str, ...]
    by_person: bool


NO_EFFECT = Effect(None, ())


class World:
    """
    One policy of a space, and the diagrams of all that its decisions look at.

    Sets of models are masks, with a bit for each model of the space.
    """

    def __init__(self, matching: Matching, number: int = 0) -> None:
        self.matching = matching
        self.space: Space = matching.space
        self.diagrams: Diagrams = matching.diagrams
        self.number = number
        self.table: DecisionTable = self.space.tables[number]
        self.policy: Policy = self.table.policy
        own = [box for box in self.space.boxes if box.policy == number]
        self.rule_boxes = [box for box in own if isinstance(box.statement, Rule)]
        self.limit_boxes = [box for box in own if isinstance(box.statement, Limit)]
        self.promise_boxes = [box for box in own if isinstance(box.statement, Promise)]
        self.bit_of = {key: self.space.model_bits[key] for key in self.policy.models}
        self._situations: dict[Hashable, Situation] = {}

    # the diagrams

    @cached_property
    def matched(self) -> Node:
        """The place in `rule_boxes` of the first box that holds; None without."""
        return self.matching.first_match(self.rule_boxes)

    @cached_property
    def effects(self) -> Node:
        """What the first rule that matches gives."""
        effects = [self.effect(self.rule(box)) for box in self.rule_boxes]
        return self.diagrams.apply(lambda n: NO_EFFECT if n is None else effects[n], self.matched)

    def rule(self, box: Box) -> Rule:
        """The rule that a box is of."""
        return self.policy.rules[box.number]

    def effect(self, rule: Rule) -> Effect:
        """What a rule gives."""
        rank = self.table.rank
        if rule.tier is not None:
            return Effect(self.table.tiers[rule.tier], ())
        models = tuple(key for key in rule.models if key in rank)
        return Effect(max((rank[key] for key in models), default=None), models)

    @cached_property
    def complexity_tier(self) -> Node:
        """The tier that complexity gives."""
        return self.on(COMPLEXITY, lambda cell: cell.also[self.number])

    @cached_property
    def asked(self) -> Node:
        """The tier that somebody asks for."""
        return self.on(TIER, lambda cell: cell.also)

    @cached_property
    def base(self) -> Node:
        """The base tier with the rule's models."""
        return self.diagrams.apply(self.base_of, self.effects, self.complexity_tier, self.asked)

    def base_of(self, effect: Effect, complexity_tier: int, asked: Asked) -> Base:
        """Of the tiers that complexity, a rule and somebody give the last one given."""
        tier = complexity_tier if effect.tier is None else effect.tier
        if asked.tier is not None:
            tier = self.table.tiers[asked.tier]
        return Base(tier, effect.models, asked.by_person)

    @cached_property
    def forbidden(self) -> Node:
        """The models that hard limits forbid, as a mask; REFUSED where a `refuse` holds."""
        node = self.diagrams.leaf(0)
        for number, boxes in by_statement(self.limit_boxes).items():
            mask = self.mask_of_limit(self.policy.limits[number])
            node = self.diagrams.apply(
                lambda old, here, mask=mask: _more(old, mask) if here else old,
                node,
                self.matching.holds(boxes),
            )
        return node

    def mask_of_limit(self, limit: Limit) -> int | str:
        """The models that a hard limit forbids; REFUSED for a `refuse`."""
        if limit.kind is LimitKind.REFUSE:
            return REFUSED
        named = self.mask(limit.models)
        return named if limit.kind is LimitKind.NEVER else self.all_models & ~named

    @cached_property
    def able(self) -> Node:
        """The models that are able, as a mask, and the cells of the tokens, which costs depend on."""
        in_, out = self._tokens("input_tokens"), self._tokens("output_tokens")
        requires = self.on(REQUIRES, lambda cell: cell.also[self.number])
        return self.diagrams.apply(self._able_of, requires, in_, out)

    def _able_of(self, mask: int, input_tokens: int | None, output_tokens: int | None) -> Hashable:
        tokens = (
            self.policy.estimate_input_tokens if input_tokens is None else input_tokens,
            self.policy.estimate_output_tokens if output_tokens is None else output_tokens,
        )
        for key, model in self.policy.models.items():
            if model.context_tokens is not None and sum(tokens) > model.context_tokens:
                mask &= ~self.bit_of[key]
        return mask, tokens

    def _tokens(self, name: str) -> Node:
        default = self.policy.facts[name].default
        return self.on(name, lambda c: None if c.value is UNSAID or c.value == default else int(c.value))

    @cached_property
    def place(self) -> Node:
        """What a decision takes from the domain, and what the level in force does to it."""
        domain = self.on(DOMAIN, lambda cell: cell.also[self.number])
        standings = {name: self._standing(name) for name in (None, *sorted(self.table.scoped_domains))}
        order = list(standings)

        def placed(domain: tuple[Any, bool, str | None], *found: Hashable) -> Hashable:
            models, free, scope = domain
            return models, free, found[order.index(scope)]

        return self.diagrams.apply(placed, domain, *standings.values())

    def _standing(self, domain: str | None) -> Node:
        """What the worst level does of the budgets for the whole and for a domain; None for nothing."""
        node = self.diagrams.leaf(None)
        for budget in self.policy.budgets.values():
            if budget.scope is None or (budget.scope == "domain" and budget.scope_name == domain):
                node = self.diagrams.apply(_worse, node, self._budget(budget.name))
        return node

    def _budget(self, name: str) -> Node:
        return self.on(budget_subject(name), lambda cell: cell.also[self.number])

    @cached_property
    def paused(self) -> Node:
        """The models that budgets for their provider, tier or themselves pause, as a mask."""
        node = self.diagrams.leaf(0)
        for budget in self.policy.budgets.values():
            if budget.scope in ("provider", "tier", "model"):
                mask = self.mask(m.key for m in self.policy.models.values() if belongs(self.table, m, budget))
                node = self.diagrams.apply(
                    lambda old, level, mask=mask: old if level is None else old | mask,
                    node,
                    self._budget(budget.name),
                )
        return node

    def on(self, subject: str, value: Callable[[Cell], Hashable]) -> Node:
        """A value for each cell of a subject."""
        values = [value(cell) for cell in self.space.axis(subject).cells]
        axis = self.space.axis_of.get(subject)
        return self.diagrams.leaf(values[0]) if axis is None else self.diagrams.on_axis(axis, values)

    # models

    @property
    def all_models(self) -> int:
        """The mask of all models."""
        return self.mask(self.policy.models)

    def mask(self, keys: Iterable[str]) -> int:
        """The mask of some models."""
        result = 0
        for key in keys:
            result |= self.bit_of[key]
        return result

    def keys(self, mask: int) -> tuple[str, ...]:
        """The models of a mask."""
        return tuple(key for key, bit in self.bit_of.items() if bit & mask)

    @cached_property
    def fallback_mask(self) -> int:
        """The models that the fallback list names."""
        fallback = self.policy.fallback
        entries = fallback.entries if fallback is not None else ()
        return self.mask(entry for entry in entries if not isinstance(entry, Mates))

    @cached_property
    def tier_masks(self) -> tuple[int, ...]:
        """The models of each tier."""
        return tuple(self.mask(tier.models) for tier in self.policy.tiers)

    # decisions

    def case(self, path: Path) -> Case:
        """The case of a path."""
        return self.space.case(path, self.number)

    def situation(self, case: Case, path: Path) -> Situation:
        """The situation of a case, made once for the cells of the clock and the budgets."""
        key = tuple(
            (axis, cell)
            for axis, cell in sorted(cells_of(path).items())
            if self.space.axes[axis].subject == CLOCK or self.space.axes[axis].subject.startswith("budget ")
        )
        found = self._situations.get((key, case.state.down))
        if found is None:
            found = self._situations[key, case.state.down] = observe(self.table, case.state)
        return found

    def matched_rule(self, case: Case, path: Path) -> Matched:
        """The first rule that matches in the case of a path."""
        facts = facts_of(self.table, case.request)
        return matching(self.table, alive_rows(self.table, facts, self.situation(case, path)))[0]

    def routing(self, case: Case, path: Path, *, rule: Matched | str = "matched") -> Routing:
        """What the engine decides for the case of a path; with another rule than the one that matches."""
        facts = facts_of(self.table, case.request)
        situation = self.situation(case, path)
        matched, limits = matching(self.table, alive_rows(self.table, facts, situation))
        chosen = matched if isinstance(rule, str) else rule
        return route(self.table, facts, situation, chosen, limits)


def _more(old: int | str, mask: int | str) -> int | str:
    return REFUSED if isinstance(old, str) or isinstance(mask, str) else old | mask


_SEVERITY = {action: rank for rank, action in enumerate(Action)}


def _worse(first: Any, second: Any) -> Any:
    """Of what two levels do the worse; the first where they are equal."""
    if first is None or second is None:
        return second if first is None else first
    rank = [(_SEVERITY[action], tiers) for action, tiers, _ in (first, second)]
    return second if rank[1] > rank[0] else first


def is_pause(diagrams: Diagrams, place: Node) -> bool:
    """Whether nothing serves at a node of `place`: a level pauses everything."""
    if diagrams.level(place) != LEAF:
        return False
    standing = diagrams.value(place)[2]
    return standing is not None and standing[0] is Action.PAUSE
