"""
P213: unknown metric
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P213"


def unknown_metric(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """An alert on something that isn't measured."""
    help = did_you_mean(name, known, else_list="the metrics are")
    return Diagnostic(CODE, Severity.ERROR, f"unknown metric `{name}`", span, help=help)
