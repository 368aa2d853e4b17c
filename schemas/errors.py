"""
The exceptions of policyctl; callers catch by branch.

PolicyctlError
├── PolicyError     the policy's text or model is wrong; carries the Report
├── RequestError    a request lacks a fact or has an impossible one; carries the problems
├── StoryError      a PRD can't be read at all, or has no such story
└── LedgerError     the ledger can't answer, so nothing may be spent
    └── LedgerMisuse    it was asked what can't be, such as a key for two calls; nothing happened
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .diagnostics import Report


class PolicyctlError(Exception):
    """The root of all that policyctl raises on purpose."""


class PolicyError(PolicyctlError):
    """The policy can't be used; `report` says why, with places."""

    def __init__(self, report: Report) -> None:
        errors = [d.message for d in report.diagnostics if d.severity == "error"]
        super().__init__("; ".join(errors[:3]) + (" …" if len(errors) > 3 else ""))
        self.report = report


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a request or a PRD: the fact or place, a sentence, the next step."""

    where: str
    message: str
    help: str | None = None


class RequestError(PolicyctlError):
    """A request can't be decided as it is; `problems` names each fact."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(p.message for p in problems))
        self.problems = problems


class StoryError(PolicyctlError):
    """A PRD can't be read, or doesn't have the story that was asked for."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class LedgerError(PolicyctlError):
    """The ledger can't answer; `problem` says why, and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class LedgerMisuse(LedgerError):
    """The ledger was asked what can't be; nothing happened."""
