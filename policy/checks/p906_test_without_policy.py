"""
P906: tests without their policy or PRD

What it finds

A test file whose policy can't be read or isn't found, or whose cases name
stories of a PRD that can't be read or isn't found.

Why it matters

Without them nothing can be tested, and a run that tests nothing must not look
like one that passed.

Example

    loop.test.yaml says `policy: lop.policy`, and there is no such file.

Instead

    It says `policy: loop.policy`. Paths are relative to the folder of the
    test file. Without the key the policy is found from that folder upward.
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P906"


def without(span: Span, message: str, help: str) -> Diagnostic:
    """A file that the tests need and that can't be had."""
    return Diagnostic(CODE, Severity.ERROR, message, span, help=help)
