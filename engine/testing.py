"""Cases -> results: what comes out of a policy, held against what is expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from functools import partial

from ..schemas.decision import Explanation
from ..schemas.errors import RequestError
from ..schemas.records import dataclass
from ..schemas.request import State
from ..schemas.suite import Case, Result
from .decide import decide, observe
from .expecting import mismatches
from .explain import explain
from .situation import Situation
from .table import DecisionTable


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs cases against one table; what a state means is worked out once for all cases that share it."""

    table: DecisionTable
    situations: dict[object, Situation] = field(default_factory=dict)

    def results(self, cases: Iterable[Case]) -> Iterator[Result]:
        """What comes out of each case, in order."""
        for case in cases:
            told = explain(self.table, case.request, self.situation(case.state))
            yield Result(case, told, tuple(mismatches(case.expected, told.decision, partial(_itself, told))))

    def passes(self, case: Case) -> bool:
        """Whether a case passes, without the words; a request that can't be asked doesn't."""
        situation = self.situation(case.state)
        try:
            decision = decide(self.table, case.request, situation)
        except RequestError:
            return False
        found = mismatches(case.expected, decision, lambda: explain(self.table, case.request, situation))
        return next(found, None) is None

    def situation(self, state: State) -> Situation:
        """What a state means for the table."""
        key = (
            state.now,
            tuple(sorted(state.spend)),
            tuple(state.spend.values()),
            state.down,
            state.available,
        )
        if key not in self.situations:
            self.situations[key] = observe(self.table, state)
        return self.situations[key]


def _itself(explanation: Explanation) -> Explanation:
    return explanation
