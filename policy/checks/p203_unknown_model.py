"""
P203: unknown model

What it finds

A model that no `model` statement declares. A reference is a model's key, one
of its aliases, or the last `/` part of exactly one key.

Why it matters

A chain with a name nobody serves would fail at the first request. And a
misspelt name behind `never use` would forbid nothing.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has hiku

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P203"


def unknown_model(span: Span, name: str, known: Iterable[str], *, is_tier: bool = False) -> Diagnostic:
    """A model that isn't declared; `known` are those that are. `is_tier`: a tier has this name."""
    help = did_you_mean(name, known, else_list="the models are") or "declare it with a `model` statement"
    if is_tier:
        help = f"`{name}` is a tier; a rule says `use tier {name}`"
    return Diagnostic(CODE, Severity.ERROR, f"unknown model `{name}`", span, help=help)
