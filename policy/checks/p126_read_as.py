"""
P126: something of the older YAML form that is read with a difference

What it finds

In a file of the older form: something that a policy can say only nearly as it
is written there. Ranges of complexity that overlap, a model that is dearer
than its tier allows, a back-off that multiplies by something else than two.
The finding says how it is read.

Why it matters

The policy is usable, and differs from the file in just what the finding says.

Example

    customTiers:
      - name: cheap
        providers: [haiku, opus]
        max_cost_per_1m: 1.0
        use_for_complexity: [0, 10]

Instead

    customTiers:
      - name: cheap
        providers: [haiku]
        max_cost_per_1m: 1.0
        use_for_complexity: [0, 10]
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P126"


def read_as(span: Span, message: str, help: str) -> Diagnostic:
    """Something that is read with a difference; `message` says which."""
    return Diagnostic(CODE, Severity.WARNING, message, span, help=help)
