"""
P208: unknown domain

What it finds

A domain in a condition or behind `budget … for domain` that no `domain`
statement declares.

Why it matters

A request whose domain the policy doesn't declare counts as `none`, so such a
condition would never hold. A domain may be declared without models, only to
be read by conditions.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    refuse when domain is legal

Instead

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    domain legal
    refuse when domain is legal
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import meant

CODE = "P208"


def unknown_domain(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A domain that isn't declared; `known` are those that are."""
    help, fix = meant(span, name, known, else_list="the domains are")
    help = help or f"declare it: `domain {name}`"
    return Diagnostic(CODE, Severity.ERROR, f"unknown domain `{name}`", span, help=help, fix=fix)
