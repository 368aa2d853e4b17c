"""
P208: unknown domain
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P208"


def unknown_domain(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A domain that isn't declared; `known` are those that are."""
    help = did_you_mean(name, known, else_list="the domains are") or f"declare it: `domain {name}`"
    return Diagnostic(CODE, Severity.ERROR, f"unknown domain `{name}`", span, help=help)
