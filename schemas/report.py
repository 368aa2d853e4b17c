"""
What was spent, added up: the figures of a report.

All money is in nano-USD, all moments are UTC. A call belongs to the moment at which it was reserved, as in
budgets. Only calls that are over count; what is held for calls under way stands beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from enum import StrEnum

from .ledger import WindowSpend
from .policy import NANO
from .records import dataclass

GROUPS = ("provider", "model", "tier", "story", "day", "domain")
"""What calls can be added up by."""


@dataclass(frozen=True, slots=True)
class Tally:
    """
    Sums over some calls.

    `escalated` are calls of a raised tier. `unpriced` calls have tokens but neither a price nor a cost;
    the usage of `doubted` ones wasn't believed: with either the cost is at least what is said. Nobody
    told the usage of `at_hold` calls, or their outcome: each counts at the most that it can have cost,
    together `at_hold_nusd`. `failed_nusd` was spent on calls that failed, `escalated_nusd` on answers of
    a raised tier. `work_input_tokens` and `work_output_tokens` are those of good answers that weren't
    escalated: of each piece of work once.
    """

    calls: int = 0
    succeeded: int = 0
    fallbacks: int = 0
    escalated: int = 0
    unpriced: int = 0
    doubted: int = 0
    at_hold: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nusd: int = 0
    at_hold_nusd: int = 0
    failed_nusd: int = 0
    escalated_nusd: int = 0
    work_input_tokens: int = 0
    work_output_tokens: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, name) + getattr(other, name) for name in MEASURES))

    @property
    def failed(self) -> int:
        """Calls without a good answer."""
        return self.calls - self.succeeded

    @property
    def is_least(self) -> bool:
        """Whether more may have been spent than `cost_nusd` says."""
        return bool(self.unpriced or self.doubted)

    @property
    def cost_usd(self) -> float:
        """What was spent, in USD."""
        return self.cost_nusd / NANO


MEASURES = tuple(field.name for field in fields(Tally))
"""The sums of a tally, in their order."""


@dataclass(frozen=True, slots=True)
class Latency:
    """How long answers took: half of them at most `p50_ms`, 95 of 100 at most `p95_ms`; to two digits."""

    p50_ms: int
    p95_ms: int


@dataclass(frozen=True, slots=True)
class Period:
    """From a moment up to, not including, another one; None: without a bound."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """
    The calls of one provider, model, tier, story, day or domain.

    `name` is None for calls that have none. `parent` is the story of a sub-task. `latency` is known for
    providers and models, `stories` for tiers.
    """

    name: str | None
    tally: Tally
    parent: str | None = None
    baseline_nusd: int | None = None
    latency: Latency | None = None
    stories: int | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """The model that spend is held against; `named`: the policy names it."""

    model: str
    named: bool


@dataclass(frozen=True, slots=True)
class Month:
    """
    The current month in the policy's zone.

    `budget` is the monthly budget for the whole, if there is one. `projected_nusd` is what the month will
    have cost if it goes on as it did; None: too early to say. `full_at`: when the limit is reached then.
    `level` is the level of that budget in force, in the language's words.
    """

    starts: datetime
    ends: datetime
    spent_nusd: int
    projected_nusd: int | None
    budget: str | None = None
    limit_nusd: int | None = None
    full_at: datetime | None = None
    level: str | None = None


@dataclass(frozen=True, slots=True)
class Glance:
    """What was spent today, this month and in a run (None: none was named), and how the budgets stand."""

    today: Tally
    month: Tally
    run: Tally | None
    windows: tuple[WindowSpend, ...]


class AdviceKind(StrEnum):
    """Whether something is fine or had better be looked at."""

    GOOD = "good"
    LOOK = "look"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do, and the figure from which it follows."""

    kind: AdviceKind
    figure: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    What was spent in a period.

    `groups` has the same calls by provider, model, tier and domain, and by whatever else was asked
    for; the rows of each add up to `total`. `first` and `last` are the moments of the earliest and the
    latest call. `baseline_nusd` is what the work would have cost on the baseline model; None: no policy
    says which that is. `open_calls` are under way.
    """

    period: Period
    at: datetime
    zone: str
    by: str
    groups: Mapping[str, tuple[ReportRow, ...]]
    total: Tally
    latency: Latency | None
    first: datetime | None
    last: datetime | None
    run_id: str | None = None
    provider: str | None = None
    baseline: Baseline | None = None
    baseline_nusd: int | None = None
    open_calls: int = 0
    held_nusd: int = 0
    month: Month | None = None
    advice: tuple[Advice, ...] = ()

    @property
    def rows(self) -> tuple[ReportRow, ...]:
        """The rows that were asked for."""
        return self.groups[self.by]

    @property
    def cost_usd(self) -> float:
        """What was spent, in USD."""
        return self.total.cost_usd

    @property
    def savings_nusd(self) -> int | None:
        """What the baseline would have cost more; negative: less."""
        return None if self.baseline_nusd is None else self.baseline_nusd - self.total.cost_nusd

    @property
    def savings_usd(self) -> float | None:
        """The same in USD."""
        return None if self.savings_nusd is None else self.savings_nusd / NANO

    @property
    def savings_percent(self) -> float | None:
        """The same as a share of what the baseline would have cost."""
        if not self.baseline_nusd or self.savings_nusd is None:
            return None
        return 100 * self.savings_nusd / self.baseline_nusd
