"""
P904: test that is no request

What it finds

A case whose request can't be: a fact that has no default isn't given, a value
is none of those that the fact can have, or a time, an amount or a failure is
written in a way that means nothing.

Why it matters

The policy never meets such a request, so nothing can be expected of it.

Example

    cases:
      - name: too much
        facts: {complexity: 11}
        expect: {first: opus}

Instead

    cases:
      - name: the most
        facts: {complexity: 10}
        expect: {first: opus}
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P904"


def no_request(span: Span, message: str, help: str | None) -> Diagnostic:
    """A value that can't be, or a fact that is missing."""
    return Diagnostic(CODE, Severity.ERROR, message, span, help=help)


def unreadable_value(span: Span, text: str, what: str, forms: str) -> Diagnostic:
    """A time, an amount or a failure that can't be read; `forms` shows how one is written."""
    message = f"`{text}` is no {what}"
    return Diagnostic(CODE, Severity.ERROR, message, span, help=f"write {forms}")
