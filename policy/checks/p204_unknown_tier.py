"""
P204: unknown tier

What it finds

A tier that no `tier` statement declares: behind `use tier`, `escalate`,
`budget … for tier`, or in a condition on `tier`.

Why it matters

A rule or an escalation to a tier that doesn't exist has no models to give.

Example

    model haiku is anthropic/claude-haiku-5-5
    tier cheap from complexity 0 has haiku
    rule release
      when branch is "main"
      use tier strong

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    tier strong from complexity 6 has opus
    rule release
      when branch is "main"
      use tier strong
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import meant

CODE = "P204"


def unknown_tier(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    """A tier that isn't declared; `known` are those that are."""
    help, fix = meant(span, name, known, else_list="the tiers are")
    help = help or "declare it with a `tier` statement"
    return Diagnostic(CODE, Severity.ERROR, f"unknown tier `{name}`", span, help=help, fix=fix)
