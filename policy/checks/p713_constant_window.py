"""
P713: a window that never or always holds

What it finds

A window that holds at no time of any year, or at all times.

Why it matters

What happens `during` it never happens, or always does. Often a date that
doesn't exist, or an end that should lie on the next day.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    window freeze is cron "* * 31 2 *"
    rule frozen when during freeze use tier cheap

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    window freeze is cron "* * 24-31 12 *"
    rule frozen when during freeze use tier cheap
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P713"


def constant_window(span: Span, window: str, *, holds: bool) -> Diagnostic:
    """A window that always or never holds."""
    return Diagnostic(
        CODE,
        Severity.WARNING,
        f"window `{window}` {'always' if holds else 'never'} holds",
        span,
        help="give it the days and times that are meant",
    )
