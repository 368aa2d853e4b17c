"""
The exceptions of policyctl; callers catch by branch.

PolicyctlError
├── PolicyError     the policy's text or model is wrong; carries the Report
├── RequestError    a request lacks a fact or has an impossible one; carries the problems
├── StoryError      a PRD can't be read at all, or has no such story
├── ProviderError   one attempt at a model failed; carries the FailureKind
├── RunError        a request wasn't answered; carries the Result
│   ├── RoutingError    no model can serve it, a rule or a budget refused it; carries the Decision
│   ├── ChainError      every step failed
│   └── GateError       a gate failed, and no tier is left to rise to
├── RouterError     a router was closed, or would wait for itself
├── SettingError    a setting of the machine can't be what it is; carries the Problem
└── LedgerError     the ledger can't answer, so nothing may be spent
    └── LedgerMisuse    it was asked what can't be, such as a key for two calls; nothing happened
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from .records import dataclass

if TYPE_CHECKING:
    from .calls import Tokens
    from .decision import Decision
    from .diagnostics import Report
    from .policy import FailureKind
    from .run import Result


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


class RouterError(PolicyctlError):
    """A router can't be used as it is: it was or is being closed, or would wait for itself."""


class SettingError(PolicyctlError):
    """A setting of the machine can't be what it is; `problem` names it."""

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


class Billed(StrEnum):
    """Whether a failed attempt costs anything; it decides what becomes of its hold."""

    NO = "no"
    UNKNOWN = "unknown"
    YES = "yes"


class ProviderError(PolicyctlError):
    """
    One attempt at a model failed.

    Args:
        kind: what went wrong.
        words: one safe sentence in our own words; never a provider's text, a key or a prompt.
        status: the HTTP status, where there was one.
        retry_after_s: how long the provider asks to be left alone.
        billed: NO only where the call was provably not sent, or is known not to be billed.
        tokens: what was counted all the same, as of an answer that was cut off.
    """

    def __init__(
        self,
        kind: FailureKind,
        words: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        billed: Billed = Billed.UNKNOWN,
        tokens: Tokens | None = None,
    ) -> None:
        super().__init__(f"{kind}: {words}")
        self.kind = kind
        self.words = words
        self.status = status
        self.retry_after_s = retry_after_s
        self.billed = billed
        self.tokens = tokens


class RunError(PolicyctlError):
    """A request wasn't answered; `result` says what was tried."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.words)
        self.result = result


class RoutingError(RunError):
    """No model can serve the request, or a rule or a budget refuses it."""

    @property
    def decision(self) -> Decision:
        """The refusal."""
        return self.result.decision


class ChainError(RunError):
    """Every step of the chain failed."""


class GateError(RunError):
    """A gate failed, and no tier is left to rise to."""
