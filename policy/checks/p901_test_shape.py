"""
P901: test file of another shape

What it finds

A file of policy tests with a key that doesn't exist, without a key that must
be there, or with another kind of value than belongs there. The shape is
published as schemas/tests.schema.json, so that editors know it too.

Why it matters

A misspelt key would else be passed over, and the case would test something
else than it seems to.

Example

    cases:
      - name: small work is cheap
        fact: {complexity: 1}
        expect: {first: haiku}

Instead

    cases:
      - name: small work is cheap
        facts: {complexity: 1}
        expect: {first: haiku}
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P901"


def too_many(span: Span, what: str, most: int) -> Diagnostic:
    """More cells of a matrix, or cases of a file, than anyone means."""
    message = f"{what} are more than {most:,}"
    return Diagnostic(CODE, Severity.ERROR, message, span, help="split it, or test the values that differ")
