"""
P902: nothing is tested

What it finds

A test file without a case, a case without an expectation, or a matrix with an
empty list.

Why it matters

Nothing can fail there, so the run would be green whatever the policy does.

Example

    cases:
      - name: small work is cheap
        facts: {complexity: 1}

Instead

    cases:
      - name: small work is cheap
        facts: {complexity: 1}
        expect: {tier: cheap}
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P902"


def no_case(span: Span) -> Diagnostic:
    """A file without a case."""
    help = "add `cases:` with at least one; `policyctl test --generate` writes some"
    return Diagnostic(CODE, Severity.ERROR, "there is no case in this file", span, help=help)


def no_expectation(span: Span) -> Diagnostic:
    """A case that expects nothing."""
    help = "say what must come out, such as `expect: {first: MODEL}`"
    return Diagnostic(CODE, Severity.ERROR, "this case expects nothing", span, help=help)


def no_value(span: Span) -> Diagnostic:
    """An empty list, so that no case comes of it."""
    help = "list the values to try, or leave the key out"
    return Diagnostic(CODE, Severity.ERROR, "this list is empty", span, help=help)
