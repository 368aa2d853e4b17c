"""
State -> Situation, each made once for a stretch of time.

Windows are looked at anew where one may have changed, and a day turns; levels where what was spent
reached or left one. Between these all states that nothing tells apart share a situation, and with it
the decisions that were made in it.
"""

from __future__ import annotations

from dataclasses import field
from datetime import UTC, datetime, timedelta

from ..schemas.records import dataclass
from ..schemas.request import State
from .situation import Situation, observe, spend_key
from .table import DecisionTable
from .windows import next_change

MOST_KEPT = 8
"""Situations that are kept of a stretch of time: of too many the first goes first."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one moment up to, not including, another, in seconds since 1970: no window and no day turns."""

    start: float
    end: float
    situations: dict[object, Situation] = field(default_factory=dict)


class Situations:
    """
    The situations of one table, for any number of threads.

    INVARIANT: a stretch is replaced, never changed, so a situation is never found under another's times.
    """

    def __init__(self, table: DecisionTable) -> None:
        self._table = table
        self._stretch: Stretch | None = None

    def of(self, state: State) -> tuple[Stretch, Situation]:
        """A situation in which the same is decided as in this state, and the stretch of time it is for."""
        stretch, moment = self._stretch, state.now.timestamp()
        if stretch is None or not stretch.start <= moment < stretch.end:
            stretch = self._stretch = Stretch(moment, _next_turn(self._table, state.now).timestamp())
        key = spend_key(self._table, state.spend), state.down, state.available
        found = stretch.situations.get(key)
        if found is None:
            if len(stretch.situations) >= MOST_KEPT:
                stretch.situations.pop(next(iter(list(stretch.situations))), None)
            found = stretch.situations[key] = observe(self._table, state)
        return stretch, found


def _next_turn(table: DecisionTable, now: datetime) -> datetime:
    """When the windows, or the day, and with it what budgets call today, change next."""
    local = now.astimezone(table.zone)
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    change = next_change(table.policy.windows, table.zone, now, days=1)
    tomorrow = midnight.astimezone(UTC)
    return tomorrow if change is None else min(change, tomorrow)
