"""
P210: unknown capability

What it finds

A word behind `can`, or in a condition on `requires`, that is no capability.
They are `vision`, `tools`, `json_mode`, `reasoning`, `audio`, `pdf` and
`web_search`.

Why it matters

Requests ask for capabilities by these words. A model with a misspelt one
would be passed over by every request that needs it.

Example

    model haiku is anthropic/claude-haiku-5-5 can vison, tools
    tier cheap from complexity 0 has haiku

Instead

    model haiku is anthropic/claude-haiku-5-5 can vision, tools
    tier cheap from complexity 0 has haiku
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import meant

CODE = "P210"


def unknown_capability(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A word after `can` or `requires is` that is no capability."""
    help, fix = meant(span, name, known, else_list="the capabilities are")
    return Diagnostic(CODE, Severity.ERROR, f"unknown capability `{name}`", span, help=help, fix=fix)
