"""
P211: unknown provider
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P211"


def unknown_provider(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """The first word of a model's id, or the provider of a budget, that nobody knows."""
    help = did_you_mean(name, known) or "anthropic, openai, google, deepseek, litellm, claude-code-cli, offline, …"
    return Diagnostic(CODE, Severity.ERROR, f"unknown provider `{name}`", span, help=help)


def no_provider(span: Span, target: str) -> Diagnostic:
    """A model id without the word that says who serves it."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"`{target}` doesn't say who serves it",
        span,
        help=f"write PROVIDER/MODEL, for example `litellm/{target}`",
    )
