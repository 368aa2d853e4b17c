"""
P401: tiers out of order

What it finds

A first tier that doesn't start at complexity 0, or a tier that doesn't start
above the one before it.

Why it matters

A tier ends where the next one starts. In rising order there is no gap and no
overlap, and "the next tier" of an escalation or a downgrade is the next on
the page.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier strong from complexity 6 has opus
    tier cheap from complexity 0 has haiku

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ...schemas.diagnostics import Diagnostic, Label, Severity
from ...schemas.policy import Policy, Tier

CODE = "P401"


def check(policy: Policy) -> Iterator[Diagnostic]:
    """The first tier starts at 0, each other one above the one before it."""
    if policy.tiers and (policy.tiers[0].start, policy.tiers[0].above) != (0.0, False):
        yield _first(policy.tiers[0])
    for lower, upper in pairwise(policy.tiers):
        if (upper.start, upper.above) <= (lower.start, lower.above):
            yield _order(lower, upper)


def _first(tier: Tier) -> Diagnostic:
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"no tier serves a complexity below that of tier `{tier.name}`",
        tier.span,
        help="the first tier starts `from complexity 0`",
    )


def _order(lower: Tier, upper: Tier) -> Diagnostic:
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"tier `{upper.name}` doesn't start above tier `{lower.name}`",
        upper.span,
        help="tiers stand in rising order, the cheapest first; a tier ends where the next one starts",
        others=(Label(lower.span, f"`{lower.name}` starts {_start(lower)}"),),
    )


def _start(tier: Tier) -> str:
    return f"{'above' if tier.above else 'from'} complexity {tier.start:g}"
