"""
P305: missing price
"""

from __future__ import annotations

from collections.abc import Sequence

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span
from ..names import ticked

CODE = "P305"


def missing_price(span: Span, key: str, target: str, near: Sequence[str]) -> Diagnostic:
    """A model whose price neither the policy nor the catalogue says."""
    help = "write `costs $… in, $… out` (per million tokens), or `costs nothing` for a model of your own"
    if near:
        help += f"; the catalogue has {ticked(near)}"
    return Diagnostic(CODE, Severity.ERROR, f"no price is known for `{key}` ({target})", span, help=help)
