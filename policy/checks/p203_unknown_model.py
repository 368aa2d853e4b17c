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

from collections.abc import Container, Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import meant

CODE = "P203"


def unknown_model(
    span: Span, name: str, known: Iterable[str], *, shared: Container[str] = (), is_tier: bool = False
) -> Diagnostic:
    """
    A model that isn't declared; `known` are those that are.

    `shared` are names that may be any of several models; `is_tier` says that a tier has this name.
    """
    help, fix = meant(span, name, known, else_list="the models are", but=shared)
    help = help or "declare it with a `model` statement"
    if is_tier:
        help, fix = f"`{name}` is a tier; a rule says `use tier {name}`", ()
    return Diagnostic(CODE, Severity.ERROR, f"unknown model `{name}`", span, help=help, fix=fix)
