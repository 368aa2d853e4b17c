"""
P202: unknown fact

What it finds

A condition on a fact that is neither built in nor declared by an `input`
statement.

Why it matters

A misspelt fact would never have a value, so its rule would never match, or a
`refuse` never refuse. Declaring the input also says what values it has and
which one counts when a request doesn't give it.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    refuse when private is yes

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    input private is yes or no default no
    refuse when private is yes
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import meant

CODE = "P202"


def unknown_fact(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A fact that isn't declared; `known` are those that are."""
    help, fix = meant(span, name, known)
    help = help or f"declare it: `input {name} is yes or no default no`"
    return Diagnostic(CODE, Severity.ERROR, f"unknown fact `{name}`", span, help=help, fix=fix)
