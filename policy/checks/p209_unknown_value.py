"""
P209: unknown value
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P209"


def unknown_value(span: Span, fact: str, value: str, known: Iterable[str]) -> Diagnostic:
    """A value that the fact never has."""
    help = did_you_mean(value, known, else_list=f"`{fact}` is one of")
    return Diagnostic(CODE, Severity.ERROR, f"`{fact}` is never `{value}`", span, help=help)
