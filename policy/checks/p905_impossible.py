"""
P905: impossible expectation

What it finds

A case that expects what no decision can be: two things that exclude each
other, or a model that is disabled in the policy.

Why it matters

The case fails whatever the policy does, so it says nothing about the policy.

Example

    cases:
      - name: small work is cheap
        facts: {complexity: 1}
        expect: {chain: [haiku, opus], not: opus}

Instead

    cases:
      - name: small work is cheap
        facts: {complexity: 1}
        expect: {chain: [haiku]}
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P905"


def impossible(span: Span, message: str, help: str) -> Diagnostic:
    """Something that no decision gives."""
    return Diagnostic(CODE, Severity.ERROR, message, span, help=help)
