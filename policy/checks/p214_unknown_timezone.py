"""
P214: unknown time zone

What it finds

A `timezone` that the IANA time zone database doesn't have.

Why it matters

Windows, and the days, weeks and months of budgets, are in the policy's time
zone. A zone that isn't known can't say when they start. Abbreviations such as
`CEST` are no zones: they don't say when clocks change.

Example

    timezone Berlin
    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku

Instead

    timezone Europe/Berlin
    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import meant

CODE = "P214"


def unknown_timezone(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A zone that the IANA database doesn't have."""
    help, fix = meant(span, name, known)
    help = help or "write an IANA name such as `Europe/Berlin` or `UTC`"
    return Diagnostic(CODE, Severity.ERROR, f"unknown time zone `{name}`", span, help=help, fix=fix)
