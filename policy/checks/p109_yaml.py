"""
P109: YAML that can't be a policy

What it finds

A policy file that ends in .yaml or .yml and isn't YAML, or that has something
a policy has no use for: an anchor, an alias, a merge key, a tag, a directive,
a second document, a key that is no text, or deep nesting.

Why it matters

Such things let a short file mean a huge or a different one than it seems to
say. A policy should mean what a reader sees.

Example

    tiers:
      cheap: {from: 0, has: &some [haiku]}
      strong: {from: 6, has: *some}

Instead

    tiers:
      cheap: {from: 0, has: [haiku]}
      strong: {from: 6, has: [haiku]}
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P109"


def bad_yaml(span: Span, problem: str) -> Diagnostic:
    """Text that is no YAML; `problem` is the reader's own word for it."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"this is no YAML: {problem.lower()}",
        span,
        help="check the indentation, the colons and the quotes of this line and the one before",
    )


def not_in_yaml(span: Span, what: str) -> Diagnostic:
    """YAML that a policy has no use for."""
    return Diagnostic(
        CODE,
        Severity.ERROR,
        f"a policy has no place for {what}",
        span,
        help="write it out plainly: maps, lists and texts are all that a policy needs",
    )
