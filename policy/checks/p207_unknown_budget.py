"""
P207: unknown budget

What it finds

A condition on a budget that no `budget` statement declares.

Why it matters

Nothing is counted for a budget that doesn't exist, so the condition would
never become true, however much is spent.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    rule save when budget monthly is above 80% use tier cheap

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    budget monthly is $500 per month at 100% pause
    rule save when budget monthly is above 80% use tier cheap
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import meant

CODE = "P207"


def unknown_budget(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A budget that isn't declared; `known` are those that are."""
    help, fix = meant(span, name, known, else_list="the budgets are")
    help = help or "declare it with a `budget` statement"
    return Diagnostic(CODE, Severity.ERROR, f"unknown budget `{name}`", span, help=help, fix=fix)
