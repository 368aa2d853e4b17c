"""
P201: duplicate name

What it finds

Two models, tiers, inputs, windows, domains, budgets, rules, alerts or
promises of the same name, or two models with the same alias. Names of
different kinds don't meet: a tier and a domain may both be called `vision`.
Two cases of a test file, or two keys of a map in YAML, of the same name.

Why it matters

A name must mean one thing. If the second silently won, a merge of two files
could change what every rule does.

Example

    model haiku is anthropic/claude-haiku-5-5
    model haiku is openai/gpt-5.6-luna
    tier cheap from complexity 0 has haiku

Instead

    model haiku is anthropic/claude-haiku-5-5
    model luna is openai/gpt-5.6-luna
    tier cheap from complexity 0 has haiku, luna
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Label, Severity
from ...schemas.text import Span

CODE = "P201"


def duplicate(span: Span, kind: str, name: str, first: Span) -> Diagnostic:
    """A second declaration of a name; `first` is where it was declared before."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"{kind} `{name}` is declared twice",
        span,
        help="rename one of them, or delete it",
        others=(Label(first, "first declared here"),),
    )
