"""
P403: policy without a tier
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
