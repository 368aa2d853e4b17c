"""
P209: unknown value

What it finds

A value that is none of those that the input's declaration lists.

Why it matters

The condition would never hold (or with `is not`, always), and nobody would
notice.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    input stage is one of dev, prod default dev
    refuse when stage is production

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    input stage is one of dev, prod default dev
    refuse when stage is prod
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import meant

CODE = "P209"


def unknown_value(span: Span, fact: str, value: str, known: Iterable[str]) -> Diagnostic:
    """A value that the fact never has."""
    help, fix = meant(span, value, known, else_list=f"`{fact}` is one of")
    return Diagnostic(CODE, Severity.ERROR, f"`{fact}` is never `{value}`", span, help=help, fix=fix)
