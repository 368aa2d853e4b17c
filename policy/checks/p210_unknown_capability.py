"""
P210: unknown capability
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P210"


def unknown_capability(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A word after `can` or `requires is` that is no capability."""
    help = did_you_mean(name, known, else_list="the capabilities are")
    return Diagnostic(CODE, Severity.ERROR, f"unknown capability `{name}`", span, help=help)
