"""
P203: unknown model
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P203"


def unknown_model(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A model that isn't declared; `known` are those that are."""
    help = did_you_mean(name, known, else_list="the models are") or "declare it with a `model` statement"
    return Diagnostic(CODE, Severity.ERROR, f"unknown model `{name}`", span, help=help)
