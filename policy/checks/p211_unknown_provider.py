"""
P211: unknown provider

What it finds

A model whose id doesn't start with a provider that is known, or has no
provider at all. Also a budget for a provider that no model of the policy
uses.

Why it matters

The first word of `PROVIDER/MODEL` says who serves the model, so it decides
where the request and its data go, and which key pays.

Example

    model haiku is antropic/claude-haiku-5-5
      costs $0.10 in, $0.50 out
    tier cheap from complexity 0 has haiku

Instead

    model haiku is anthropic/claude-haiku-5-5
      costs $0.10 in, $0.50 out
    tier cheap from complexity 0 has haiku
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P211"


def unknown_provider(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """The first word of a model's id, or the provider of a budget, that nobody knows."""
    help = did_you_mean(name, known) or "anthropic, openai, google, deepseek, litellm, claude-code-cli, …"
    return Diagnostic(CODE, Severity.ERROR, f"unknown provider `{name}`", span, help=help)


def unused_provider(span: Span, name: str, used: Iterable[str]) -> Diagnostic:
    """A budget for a provider that serves no model of the policy."""
    help = did_you_mean(name, used, else_list="the providers of this policy are")
    return Diagnostic(CODE, Severity.ERROR, f"no model is served by provider `{name}`", span, help=help)


def no_provider(span: Span, target: str) -> Diagnostic:
    """A model id without the word that says who serves it."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"`{target}` doesn't say who serves it",
        span,
        help=f"write PROVIDER/MODEL, for example `litellm/{target}`",
    )
