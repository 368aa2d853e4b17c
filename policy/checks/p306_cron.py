"""
P306: cron line that can't be read
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
