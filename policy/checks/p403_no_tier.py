"""
P403: policy without a tier

What it finds

A policy without any `tier` statement.

Why it matters

A request's complexity chooses a tier, and the tier gives the model. Without
one there is nothing to choose from.

Example

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    fallback to haiku, opus

Instead

    model haiku is anthropic/claude-haiku-5-5
    model opus is anthropic/claude-opus-5-5
    tier cheap from complexity 0 has haiku
    fallback to opus
"""

from __future__ import annotations

from collections.abc import Iterator

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.policy import Policy

CODE = "P403"


def check(policy: Policy) -> Iterator[Diagnostic]:
    """There is at least one tier."""
    if not policy.tiers:
        yield Diagnostic(
            CODE,
            Severity.ERROR,
            "the policy has no tier, so it can't choose a model",
            None,
            help="add one: `tier cheap from complexity 0 has MODEL`",
        )
