"""A PRD as a plan: which model each story goes to, what it costs, and what that does to the budgets."""

from __future__ import annotations

from .decision import Decision
from .errors import Problem
from .policy import Budget, Level
from .records import dataclass
from .story import Story


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """
    One story or sub-task of a plan.

    `decision` is None where the story is no request that the policy can answer; `refusal` says why
    nobody serves it, and is None where `model` does. `parent` is the id of the story that delegates
    it, None for a story of its own. Costs are those of the first model, 0 without one;
    `baseline_nusd` is what the same tokens cost on the plan's baseline model, and
    `delegation_saving_nusd` what a sub-task saves against its parent's first model (None for a
    story of its own, and for what is refused). `blocked_by` are the stories it waits for that
    nobody serves.
    """

    story: Story
    parent: str | None
    decision: Decision | None
    refusal: str | None
    model: str | None
    provider: str | None
    domain: str
    input_tokens: int
    output_tokens: int
    cost_nusd: int
    baseline_nusd: int
    delegation_saving_nusd: int | None
    blocked_by: tuple[str, ...]
    subtasks: tuple[Planned, ...]


@dataclass(frozen=True, slots=True)
class BudgetShare:
    """
    What a plan takes of a budget: what was spent before it, and what the plan adds.

    For a budget per story, `planned_nusd` is the dearest story's, and `story` its id; nothing is
    spent before.
    """

    budget: Budget
    spent_before_nusd: int
    planned_nusd: int
    story: str | None


@dataclass(frozen=True, slots=True)
class LevelReached:
    """A level that a budget reaches, and the story or sub-task whose cost does it; None: from the start."""

    budget: Budget
    level: Level
    story: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    The stories of a PRD in the order of their dependencies, with all sums.

    `finished` are the ids that were left out because they pass. `requests` counts the stories and
    sub-tasks that a model serves, `refused` those that nobody does; all sums are over the former.
    `baseline_named` says that the policy names the baseline model.
    """

    stories: tuple[Planned, ...]
    finished: tuple[str, ...]
    problems: tuple[Problem, ...]
    baseline: str
    baseline_named: bool
    requests: int
    refused: int
    input_tokens: int
    output_tokens: int
    cost_nusd: int
    baseline_nusd: int
    delegation_saving_nusd: int
    budgets: tuple[BudgetShare, ...]
    levels: tuple[LevelReached, ...]


@dataclass(frozen=True, slots=True)
class PlanGroup:
    """The stories and sub-tasks of a plan that have one thing in common; `name` None: nobody serves them."""

    name: str | None
    requests: int
    cost_nusd: int
