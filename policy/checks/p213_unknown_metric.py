"""
P213: unknown metric

What it finds

An alert on something that isn't measured. The metrics are `daily_cost`,
`weekly_cost`, `monthly_cost`, `run_cost`, `story_cost`, `fallback_rate`,
`failure_rate`, `escalation_rate`, `latency_p50` and `latency_p95`.

Why it matters

An alert that can never fire is worse than none: everybody relies on it.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    alert expensive_day when day_cost is above $20 log

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    alert expensive_day when daily_cost is above $20 log
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import meant

CODE = "P213"


def unknown_metric(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """An alert on something that isn't measured."""
    help, fix = meant(span, name, known, else_list="the metrics are")
    return Diagnostic(CODE, Severity.ERROR, f"unknown metric `{name}`", span, help=help, fix=fix)
