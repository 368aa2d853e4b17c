"""
P206: unknown window
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P206"


def unknown_window(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A window that isn't declared; `known` are those that are."""
    help = did_you_mean(name, known, else_list="the windows are") or f"declare it: `window {name} is Mon to Fri 09:00 to 17:00`"
    return Diagnostic(CODE, Severity.ERROR, f"unknown window `{name}`", span, help=help)
