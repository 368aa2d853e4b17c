"""Exit codes with names. docs/cli.md lists them for users."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a run of the command ended."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    NO_MODEL = 3
    BUDGET_REFUSED = 4
    FAILED = 5
    GATE_FAILED = 6
    INTERRUPTED = 130
