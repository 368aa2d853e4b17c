"""Decisions that were made once and are the answer again: a bounded number, for any number of threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from typing import Any

from ..schemas.decision import Decision
from ..schemas.policy import Rule
from .pages import Page


class _Draft:
    """
    A decision whose fields can still be set: to make a frozen one of many fields takes seven times as long.

    INVARIANT: it has the slots of a Decision and no others, so that it can become one.
    """

    __slots__ = Decision.__slots__


def _copy(decision: Decision) -> Any:
    draft: Any = _Draft()
    draft.outcome = decision.outcome
    draft.chain = decision.chain
    draft.tier = decision.tier
    draft.rule = decision.rule
    draft.budget = decision.budget
    draft.action = decision.action
    draft.downgraded = decision.downgraded
    draft.no_way_up = decision.no_way_up
    draft.served_by_fallback = decision.served_by_fallback
    draft.cost_estimate_nusd = decision.cost_estimate_nusd
    draft.refusal = decision.refusal
    draft.until = decision.until
    draft.policy_digest = decision.policy_digest
    return draft


def renamed(decision: Decision, rule: str | None) -> Decision:
    """The same decision by another rule, or (None) by none."""
    draft = _copy(decision)
    draft.rule = rule
    draft.__class__ = Decision
    return draft  # type: ignore[no-any-return]


def priced(decision: Decision, cost_nusd: int | None) -> Decision:
    """The same decision for another expected cost, or (None) for one that each request has for itself."""
    draft = _copy(decision)
    draft.cost_estimate_nusd = cost_nusd
    draft.__class__ = Decision
    return draft  # type: ignore[no-any-return]


MOST_KINDS = 40_000
"""Kinds of requests of which decisions are kept in one situation."""

MOST_KEPT = 50_000
MOST_PLACES = 200_000
"""Decisions that are kept in one situation, some 200 bytes each, and places for them, of 8 bytes."""


class Alike:
    """
    Decisions that differ in their rule alone: `any_rule` names none, `of_page` has them by page and row.

    A page without places is empty.
    """

    __slots__ = ("any_rule", "of_page")

    def __init__(self, any_rule: Decision, pages: int) -> None:
        self.any_rule = any_rule
        self.of_page: list[list[Decision | None]] = [[]] * pages


class Finished:
    """
    The decisions of one situation: by the kind of the request, then by the row that matched.

    A kind is all that the chain depends on, for rules that ask for the same; so with thousands of rules, too,
    hardly any request is the first one of its kind. Kinds whose decisions are equal share them. Of too
    many kinds the first goes first, one for one, so that no request pays for a clearance; what is one
    decision too many isn't kept. Each step is one operation of a dictionary or a list: two threads that
    make the same decision at once keep one of two equal ones.
    """

    __slots__ = ("_equal", "_kept", "_places", "by_kind")

    def __init__(self) -> None:
        self.by_kind: OrderedDict[Hashable, Alike] = OrderedDict()
        self._equal: dict[Decision, Alike] = {}
        self._kept = self._places = 0

    def start(self, kind: Hashable, decision: Decision, pages: int) -> Alike:
        """Keep what the first decision of a kind has in common with others."""
        any_rule = renamed(decision, None)
        if len(self._equal) >= MOST_KINDS:
            self._equal = {}
        alike = self.by_kind[kind] = self._equal.setdefault(any_rule, Alike(any_rule, pages))
        if len(self.by_kind) > MOST_KINDS:
            with suppress(KeyError):  # other threads may have been quicker
                self.by_kind.popitem(last=False)
        return alike

    def keep(self, alike: Alike, page: Page, row: int, rule: Rule | None) -> Decision:
        """The decision of a rule that asks for the same as others did."""
        decision = alike.any_rule
        if rule is not None and decision.chain:  # a refusal names no rule
            decision = renamed(decision, rule.name)
        places = len(page.rule_of)
        if not alike.of_page[page.number] and self._places + places <= MOST_PLACES:
            self._places += places
            alike.of_page[page.number] = [None] * places
        if alike.of_page[page.number] and self._kept < MOST_KEPT:
            self._kept += 1
            alike.of_page[page.number][row] = decision
        return decision
