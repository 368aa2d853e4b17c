"""Decisions that were made once and are the answer again: a bounded number, for any number of threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from typing import Any

from ..schemas.decision import Decision


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


def renamed(decision: Decision, rule: str) -> Decision:
    """The same decision by another rule."""
    draft = _copy(decision)
    draft.rule = rule
    draft.__class__ = Decision
    return draft  # type: ignore[no-any-return]


def priced(decision: Decision, cost_nusd: int) -> Decision:
    """The same decision for another expected cost."""
    draft = _copy(decision)
    draft.cost_estimate_nusd = cost_nusd
    draft.__class__ = Decision
    return draft  # type: ignore[no-any-return]


MOST_KEPT = 50_000
"""Decisions that are kept in one situation, some 300 bytes each."""

MOST_TEMPLATES = 10_000


class Finished:
    """
    The decisions of one situation.

    `exact` has them by all that tells requests apart, `alike` by all but the name of the rule: with
    thousands of rules most requests are the first ones of their rule, but hardly any is the first one of
    its kind. Whoever comes first goes first when there are too many, one for one, so that no request
    pays for a clearance. Each step is one operation of a dictionary; two threads that make the same
    decision at once keep one of two equal ones.
    """

    __slots__ = ("alike", "exact")

    def __init__(self) -> None:
        self.exact: OrderedDict[Hashable, Decision] = OrderedDict()
        self.alike: OrderedDict[Hashable, Decision] = OrderedDict()

    def keep(self, key: Hashable, decision: Decision) -> None:
        """Keep a decision by all that tells it apart."""
        _keep(self.exact, key, decision, MOST_KEPT)

    def keep_alike(self, key: Hashable, decision: Decision) -> None:
        """Keep a decision for all rules that ask for the same."""
        _keep(self.alike, key, decision, MOST_TEMPLATES)


def _keep(kept: OrderedDict[Hashable, Decision], key: Hashable, decision: Decision, most: int) -> None:
    kept[key] = decision
    if len(kept) > most:
        with suppress(KeyError):  # other threads may have been quicker
            kept.popitem(last=False)
