"""
P212: unknown kind of failure
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P212"


def unknown_kind(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A word after `on` that is no kind of failure."""
    help = did_you_mean(name, known, else_list="the kinds are")
    return Diagnostic(CODE, Severity.ERROR, f"unknown kind of failure `{name}`", span, help=help)
