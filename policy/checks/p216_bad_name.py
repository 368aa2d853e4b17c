"""
P216: name that can't be used

What it finds

A quoted name with characters that names don't have, or a name that already
means something: an input called like a built-in fact, a tier or domain called
`none`, an alias that is a model's key.

Why it matters

Names are used bare in conditions, flags and reports, so each has to be one
plain word. A name has letters, digits, `-`, `_`, `.`, `/`, `:` and `@`; it
starts with a letter and ends with a letter, digit or `_`.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    input branch is text
    refuse when branch is "main"

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    input target_branch is text default ""
    refuse when target_branch is "main"
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P216"


def bad_name(span: Span, name: str) -> Diagnostic:
    """A quoted name with other characters than names have."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"`{name}` can't be a name",
        span,
        help="a name has letters, digits, `-`, `_`, `.`, `/`, `:` and `@`, and starts with a letter",
    )


def taken(span: Span, name: str, by: str) -> Diagnostic:
    """A name that already means something else here."""
    message = f"`{name}` is already the name of {by}"
    return Diagnostic(CODE, Severity.ERROR, message, span, help="choose another name")
