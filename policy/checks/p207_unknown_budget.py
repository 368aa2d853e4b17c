"""
P207: unknown budget
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P207"


def unknown_budget(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A budget that isn't declared; `known` are those that are."""
    help = did_you_mean(name, known, else_list="the budgets are") or "declare it with a `budget` statement"
    return Diagnostic(CODE, Severity.ERROR, f"unknown budget `{name}`", span, help=help)
