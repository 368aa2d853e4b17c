"""What the budgets have spent while a plan goes on, and the levels that this reaches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..schemas.plan import BudgetShare, LevelReached
from ..schemas.policy import Budget, Model
from ..schemas.request import Spend
from .situation import UNSPENT, Situation, belongs, level_of, observe, spend_key, spend_of
from .table import DecisionTable


@dataclass(slots=True)
class Spending:
    """
    What each budget has spent so far, and which levels that reached.

    `start` is where the plan starts; a budget per story starts anew with each story. `reached` has
    for a budget and the number of its level the story that reached it (None: from the start), as
    long as it holds; `levels` are all that were reached, in this order.
    """

    table: DecisionTable
    start: Situation
    spend: dict[str, Spend] = field(default_factory=dict)
    reached: dict[tuple[str, int], str | None] = field(default_factory=dict)
    levels: list[LevelReached] = field(default_factory=list)
    dearest: dict[str, tuple[int, str]] = field(default_factory=dict)
    situations: dict[object, Situation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for budget in self._budgets():
            if budget.period != "story":
                self.spend[budget.name] = spend_of(self.start.state, budget)
            self._note_levels(budget, None)

    def situation(self) -> Situation:
        """What the spend so far means; worked out once for all spends that nothing tells apart."""
        key = spend_key(self.table, self.spend)
        found = self.situations.get(key)
        if found is None:
            found = observe(self.table, replace(self.start.state, spend=dict(self.spend)))
            self.situations[key] = found
        return found

    def next_story(self) -> None:
        """Start the budgets per story anew."""
        for budget in self._budgets():
            if budget.period == "story":
                self.spend.pop(budget.name, None)
                for number in range(len(budget.levels)):
                    if self.reached.get((budget.name, number)) is not None:
                        del self.reached[budget.name, number]

    def charge(self, model: Model, domain: str, cost_nusd: int, story: str, root: str) -> None:
        """Count what a story or sub-task costs towards each budget that it belongs to."""
        for budget in self._budgets():
            if not _counts(self.table, budget, model, domain):
                continue
            spend = self._spent(budget)
            spent = spend.spent_nusd + cost_nusd
            self.spend[budget.name] = replace(spend, spent_nusd=spent)
            if budget.period == "story" and spent > self.dearest.get(budget.name, (0, ""))[0]:
                self.dearest[budget.name] = spent, root
            self._note_levels(budget, story)

    def shares(self) -> Iterator[BudgetShare]:
        """What the plan has taken of each budget."""
        for budget in self._budgets():
            if budget.period == "story":
                most, story = self.dearest.get(budget.name, (0, None))
                yield BudgetShare(budget, 0, most, story)
            else:
                before = spend_of(self.start.state, budget).spent_nusd
                yield BudgetShare(budget, before, self._spent(budget).spent_nusd - before, None)

    def _budgets(self) -> Iterable[Budget]:
        return self.table.policy.budgets.values()

    def _spent(self, budget: Budget) -> Spend:
        return self.spend.get(budget.name, UNSPENT)

    def _note_levels(self, budget: Budget, story: str | None) -> None:
        for number, level in enumerate(budget.levels):
            one = replace(budget, levels=(level,))
            if (budget.name, number) not in self.reached and level_of(one, self._spent(budget)) is not None:
                self.reached[budget.name, number] = story
                self.levels.append(LevelReached(budget, level, story))


def _counts(table: DecisionTable, budget: Budget, model: Model, domain: str) -> bool:
    """Whether a cost counts towards a budget."""
    if budget.scope == "domain":
        return budget.scope_name == domain
    return budget.scope is None or belongs(table, model, budget)
