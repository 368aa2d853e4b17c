"""
P202: unknown fact
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P202"


def unknown_fact(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A fact that isn't declared; `known` are those that are."""
    help = did_you_mean(name, known, else_list="the facts are") or f"declare it: `input {name} is yes or no default no`"
    return Diagnostic(CODE, Severity.ERROR, f"unknown fact `{name}`", span, help=help)
