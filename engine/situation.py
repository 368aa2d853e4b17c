"""State -> Situation: what the clock, the budgets, the keys and the cooldowns mean for one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime

from ..schemas.policy import Action, Budget, BudgetIn, During, Level, Model
from ..schemas.records import dataclass
from ..schemas.request import Spend, State
from .compile import row_conditions
from .conditions import budget_holds
from .finished import Finished
from .pages import Page
from .periods import period_of
from .table import DecisionTable
from .windows import active

UNSPENT = Spend()
_SEVERITY = {action: rank for rank, action in enumerate(Action)}


@dataclass(frozen=True, slots=True)
class Standing:
    """The level of a budget that is in force."""

    budget: Budget
    level: Level


@dataclass(frozen=True, slots=True)
class Situation:
    """
    A state in the terms of one table, good for any number of requests.

    It is for its `table` only. `rows` are the rows whose windows and budget conditions hold.
    `standing` gives for a domain with budgets of its own, and for None (every other request), the
    worst level in force, out of `reached`, which has each budget that reached a level. `paused`
    names for a model the budget that pauses it, `unusable` what is wrong with it whatever the
    request. `of_page` are the rows page by page, as soon as somebody asked for them, and `finished` the
    decisions; neither is a part of the value.
    """

    table: DecisionTable
    state: State
    local: datetime
    windows: frozenset[str]
    rows: int
    reached: tuple[Standing, ...]
    standing: Mapping[str | None, Standing | None]
    paused: Mapping[str, Budget]
    unusable: Mapping[str, str]
    of_page: list[int | None] = field(compare=False, repr=False)
    finished: Finished = field(default_factory=Finished, compare=False, repr=False)

    def fill(self, page: Page) -> int:
        """Work out the rows of a page whose windows and budget conditions hold."""
        alive = self.of_page[page.number] = page.pick(self.rows)
        return alive

    def standing_for(self, domain: str) -> Standing | None:
        """The worst level in force for a request of a domain."""
        return self.standing.get(domain, self.standing[None])


def observe(table: DecisionTable, state: State) -> Situation:
    """
    Work out what a state means for a table.

    Raises:
        ValueError: the clock doesn't know its time zone.
    """
    if state.now.tzinfo is None:
        raise ValueError("the clock of a state must know its time zone")
    # By way of UTC: a time that the zone's clock skips is thereby the time it really is.
    local = state.now.astimezone(UTC).astimezone(table.zone)
    windows = active(table.policy.windows, local)
    reached = tuple(_reached(table, state))
    return Situation(
        table=table,
        state=state,
        local=local,
        windows=windows,
        rows=_rows(table, state, windows),
        reached=reached,
        standing={d: _standing(reached, d) for d in (None, *table.scoped_domains)},
        paused=_paused(table, reached),
        unusable=dict(_unusable(table, state)),
        of_page=[None] * table.codes.pages,
    )


def spend_key(table: DecisionTable, spend: Mapping[str, Spend]) -> tuple[object, ...]:
    """What of the spend is told apart by a table: the levels that are reached, the conditions that hold."""
    budgets = table.policy.budgets
    levels = (level_of(budget, spend.get(name, UNSPENT)) for name, budget in budgets.items())
    holds = (
        budget_holds(c, budgets[c.budget], spend.get(c.budget, UNSPENT)) for c in table.budget_conditions
    )
    return (*levels, *holds)


def spend_of(state: State, budget: Budget) -> Spend:
    """What a state says of a budget; nothing said is nothing spent."""
    return state.spend.get(budget.name, UNSPENT)


def level_of(budget: Budget, spend: Spend) -> Level | None:
    """The last level of a budget that is reached. Only `pause` counts what is held too."""
    reached = None
    for level in budget.levels:
        held = spend.held_nusd if level.action is Action.PAUSE else 0
        if (spend.spent_nusd + held) * 100 >= level.percent * budget.limit_nusd:
            reached = level
    return reached


def until(budget: Budget, local: datetime) -> datetime | None:
    """When the budget's window turns, in UTC; None for a run or a story, which end by themselves."""
    period = period_of(budget.period, local)
    return None if period is None else period[1]


def _rows(table: DecisionTable, state: State, windows: frozenset[str]) -> int:
    rows = table.everything
    for row in table.state_rows:
        for condition in row_conditions(row):
            if isinstance(condition, During):
                holds = (condition.window in windows) != condition.negated
            elif isinstance(condition, BudgetIn):
                budget = table.policy.budgets[condition.budget]
                holds = budget_holds(condition, budget, spend_of(state, budget))
            else:
                continue
            if not holds:
                rows &= ~row.bit
                break
    return rows


def _reached(table: DecisionTable, state: State) -> Iterator[Standing]:
    """Each budget that has reached a level, with that level."""
    for budget in table.policy.budgets.values():
        level = level_of(budget, spend_of(state, budget))
        if level is not None:
            yield Standing(budget, level)


def _standing(reached: tuple[Standing, ...], domain: str | None) -> Standing | None:
    """The worst level of the budgets for the whole and for this domain; of equals the one written first."""
    found = [
        s
        for s in reached
        if s.budget.scope is None or (s.budget.scope, s.budget.scope_name) == ("domain", domain)
    ]
    return max(found, key=lambda s: (_SEVERITY[s.level.action], s.level.tiers), default=None)


def _paused(table: DecisionTable, reached: tuple[Standing, ...]) -> dict[str, Budget]:
    """The models that a budget for their provider, tier or themselves pauses."""
    paused: dict[str, Budget] = {}
    for standing in reached:
        budget = standing.budget
        if budget.scope in ("provider", "tier", "model") and standing.level.action is Action.PAUSE:
            for model in table.policy.models.values():
                if belongs(table, model, budget):
                    paused.setdefault(model.key, budget)
    return paused


def belongs(table: DecisionTable, model: Model, budget: Budget) -> bool:
    """Whether a budget for a provider, model or tier is one for this model, by its lowest tier."""
    if budget.scope == "provider":
        return model.provider == budget.scope_name
    if budget.scope == "model":
        return model.key == budget.scope_name
    rank = table.rank.get(model.key)
    return rank is not None and table.policy.tiers[rank].name == budget.scope_name


def _unusable(table: DecisionTable, state: State) -> Iterator[tuple[str, str]]:
    for model in table.policy.models.values():
        if not model.enabled:
            yield model.key, "disabled in the policy"
        elif state.available is not None and model.key not in state.available:
            keys = " or ".join(model.key_names)
            yield model.key, f"no key: {keys} isn't set" if keys else "its program isn't installed"
