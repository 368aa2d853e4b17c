"""
P204: unknown tier
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P204"


def unknown_tier(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A tier that isn't declared; `known` are those that are."""
    help = did_you_mean(name, known, else_list="the tiers are") or "declare it with a `tier` statement"
    return Diagnostic(CODE, Severity.ERROR, f"unknown tier `{name}`", span, help=help)
