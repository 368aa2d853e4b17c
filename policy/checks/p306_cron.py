"""
P306: cron line that can't be read

What it finds

A cron line that isn't five plain fields (minute, hour, day of month, month,
weekday), or whose numbers are out of range. Lists, ranges, steps and the
names of months and weekdays are fine; `@daily`, `L`, `W`, `#`, `H`, `R` and
`?` are not.

Why it matters

A window holds in every minute that its line matches. A line that is
understood differently by two programs is no schedule.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    window freeze is cron "* * 24-31 12"
    refuse when during freeze

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    window freeze is cron "* * 24-31 12 *"
    refuse when during freeze
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P306"


def bad_cron(span: Span, text: str, reason: str) -> Diagnostic:
    """A cron line outside the five plain fields."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"`{text}` is no cron line: {reason}",
        span,
        help='five fields: minute, hour, day of month, month, weekday, such as "* 9-17 * * mon-fri"',
    )
