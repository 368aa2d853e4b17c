"""
P402: budget levels out of order

What it finds

Levels of a budget that don't rise in percent, or a later level that does less
than an earlier one. From mild to hard they are `warn`, `downgrade`, `only`
and `pause`.

Why it matters

Of the levels that are reached the last written counts. If it were the milder
one, spending more would loosen the budget.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    budget monthly is $500 per month
      at 90% only haiku
      at 75% downgrade 1 tier

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    budget monthly is $500 per month
      at 75% downgrade 1 tier
      at 90% only haiku
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ...schemas.diagnostics import Diagnostic, Label, Severity
from ...schemas.policy import Action, Level, Policy

CODE = "P402"

_SEVERITY = {action: rank for rank, action in enumerate(Action)}


def check(policy: Policy) -> Iterator[Diagnostic]:
    """Levels rise in percent, and none is milder than the one before it."""
    for budget in policy.budgets.values():
        for lower, upper in pairwise(budget.levels):
            if upper.percent <= lower.percent:
                yield _found(lower, upper, f"{upper.percent:f}% doesn't come after {lower.percent:f}%")
            elif _rank(upper) < _rank(lower):
                message = f"at {upper.percent:f}% the budget would become milder"
                yield _found(lower, upper, message)


def _rank(level: Level) -> tuple[int, int]:
    return _SEVERITY[level.action], level.tiers


def _found(lower: Level, upper: Level, message: str) -> Diagnostic:
    return Diagnostic(
        CODE,
        Severity.ERROR,
        message,
        upper.span,
        help="levels stand in rising order: warn, downgrade, only, pause",
        others=(Label(lower.span, "the level before"),),
    )
