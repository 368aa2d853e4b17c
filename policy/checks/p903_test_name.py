"""
P903: unknown name in a test

What it finds

A fact, model, tier, rule, domain, budget, gate, capability, kind of failure
or story that a test names and that the policy, or the PRD, doesn't have.

Why it matters

Such a case can't be what its author meant: it asks for, or expects, something
that doesn't exist. Often it was renamed in the policy.

Example

    cases:
      - name: small work is cheap
        facts: {complexity: 1}
        expect: {first: hiku}

Instead

    cases:
      - name: small work is cheap
        facts: {complexity: 1}
        expect: {first: haiku}
"""

from __future__ import annotations

from collections.abc import Iterable

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import did_you_mean

CODE = "P903"


def unknown_name(span: Span, kind: str, name: str, known: Iterable[str]) -> Diagnostic:
    """Something that isn't declared; `known` are those that are."""
    help = did_you_mean(name, known, else_list=f"the {kind}s are") or f"the policy has no {kind}"
    return Diagnostic(CODE, Severity.ERROR, f"unknown {kind} `{name}`", span, help=help)


def no_story(span: Span, message: str, help: str | None) -> Diagnostic:
    """A story that its PRD doesn't have."""
    return Diagnostic(CODE, Severity.ERROR, message, span, help=help)
