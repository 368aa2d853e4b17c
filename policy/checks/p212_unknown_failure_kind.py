"""
P212: unknown kind of failure

What it finds

A word behind `on`, of a `retry` or an `escalate`, that is no kind of failure.
They are `rate_limit`, `overloaded`, `timeout`, `connection`, `server_error`,
`auth`, `quota`, `not_found`, `invalid_request`, `context_window`,
`content_filter`, `bad_response` and `cancelled`.

Why it matters

Every failure becomes one of these kinds. What is said for another word would
never be done.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    retry 3 attempts wait 1s
      on ratelimit wait 60s

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    retry 3 attempts wait 1s
      on rate_limit wait 60s
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import meant

CODE = "P212"


def unknown_kind(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A word after `on` that is no kind of failure."""
    help, fix = meant(span, name, known, else_list="the kinds are")
    return Diagnostic(CODE, Severity.ERROR, f"unknown kind of failure `{name}`", span, help=help, fix=fix)
