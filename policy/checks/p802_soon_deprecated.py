"""
P802: model soon past its deprecation date

What it finds

A model whose deprecation date in the price catalogue is at most 60 days
away. A model that is `disabled`, or has a server of its own, isn't looked at.
`policyctl validate --at 2027-03-01` looks from a later day.

Why it matters

After that day the provider may refuse its calls. A successor has other
prices and abilities, so `explain` and the policy's examples are worth a look
before the day comes, not after it.

Example

    model mini is openai/gpt-5-mini
    tier cheap from complexity 0 has mini

Instead

    model luna is openai/gpt-6-luna
    tier cheap from complexity 0 has luna
"""

from __future__ import annotations

from datetime import date

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P802"


def soon_deprecated(span: Span, model_id: str, day: date, days_left: int) -> Diagnostic:
    """A model that its provider deprecates within days."""
    left = "tomorrow" if days_left == 1 else f"in {days_left} days"
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"`{model_id}` will be deprecated on {day}, {left}",
        span,
        help="name a model that will still be offered",
    )
