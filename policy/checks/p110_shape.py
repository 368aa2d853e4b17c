"""
P110: YAML of another shape

What it finds

A YAML policy with a key that doesn't exist, without a key that must be there,
or with another kind of value than belongs there. The shape is published as
schemas/policy.schema.json, so that editors know it too.

Why it matters

A misspelt key would else be passed over, and the policy would not do what it
seems to say.

Example

    models:
      haiku: {is: anthropic/claude-haiku-5-5, aliass: small}

Instead

    models:
      haiku: {is: anthropic/claude-haiku-5-5, alias: small}
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import listed, meant, ticked

CODE = "P110"


def unknown_key(span: Span, key: str, known: Sequence[str], present: Container[str] = ()) -> Diagnostic:
    """A key that has no meaning there; `present` are the keys that its map has."""
    help, fix = meant(span, key, known, else_list="the keys are", but=present)
    return Diagnostic(CODE, Severity.ERROR, f"unknown key `{key}`", span, help=help, fix=fix)


def missing_key(span: Span, key: str, description: str) -> Diagnostic:
    """A key that must be there; `description` says what its map is."""
    message = f"`{key}` is missing"
    return Diagnostic(CODE, Severity.ERROR, message, span, help=f"add it: {description}".rstrip(": "))


def wrong_kind(span: Span, expected: str, description: str) -> Diagnostic:
    """Another kind of value than belongs there."""
    return Diagnostic(CODE, Severity.ERROR, f"expected {expected}", span, help=description or None)


def one_of_these(span: Span, keys: Sequence[str]) -> Diagnostic:
    """None or several of some keys of which just one must be there."""
    message = f"just one of {listed([f'`{key}`' for key in keys])} must be said"
    return Diagnostic(CODE, Severity.ERROR, message, span, help=f"keep one of {ticked(keys)}")
