"""Tests of a policy: cases, what they expect, and what came of them."""

from __future__ import annotations

from .decision import Explanation
from .records import dataclass
from .request import Request, State
from .text import Span

NO_RULE = ""
"""The rule that a case names where it expects none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """
    What must come out of a case; None and empty: nothing is expected of it.

    `starts_with` are the first models of the chain, `without` models that aren't in it. `rule` is
    NO_RULE where none may decide. Each of `why` occurs in the explanation.
    """

    chain: tuple[str, ...] | None = None
    starts_with: tuple[str, ...] = ()
    first: str | None = None
    without: tuple[str, ...] = ()
    tier: str | None = None
    rule: str | None = None
    outcome: str | None = None
    most_nusd: int | None = None
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    A request, a state of the world, and what must come out.

    `options` are those of `policyctl explain` that ask the same; None where options can't say it.
    `is_example` marks an `example` statement of the policy.
    """

    name: str
    span: Span
    request: Request
    state: State
    expected: Expected
    options: tuple[str, ...] | None
    is_example: bool = False


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something that a case expects and that came out otherwise."""

    what: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came out of a case; it passed where nothing mismatches."""

    case: Case
    explanation: Explanation
    mismatches: tuple[Mismatch, ...]

    @property
    def passed(self) -> bool:
        """Whether everything came out as expected."""
        return not self.mismatches


@dataclass(frozen=True, slots=True)
class Goal:
    """
    Something in a policy that tests can reach: that a statement decides, or that a condition is seen
    to be true, or false, while the statement hung on it alone.
    """

    statement: str
    wanted: str
    span: Span
    reached: bool = False
