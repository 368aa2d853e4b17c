"""
P206: unknown window

What it finds

A window behind `during` or `outside` that no `window` statement declares.

Why it matters

A rule or limit in a window that doesn't exist would never, or always, hold.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    rule at_night when during night use tier cheap

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    window night is Mon to Sun 22:00 to 06:00
    rule at_night when during night use tier cheap
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import meant

CODE = "P206"


def unknown_window(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A window that isn't declared; `known` are those that are."""
    help, fix = meant(span, name, known, else_list="the windows are")
    help = help or f"declare it: `window {name} is Mon to Fri 09:00 to 17:00`"
    return Diagnostic(CODE, Severity.ERROR, f"unknown window `{name}`", span, help=help, fix=fix)
