"""What is watched: the alerts of a policy and the levels of its budgets, and what the ledger says of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from zoneinfo import ZoneInfo

from ...policy.words import level_words, number, percent, usd, usd_short
from ...schemas.policy import Action, Alert, Budget, Level, Policy
from ..book import limit_of
from ..sheet import Act, Sheet
from ..windows import Calendar, Window

LEAST_CALLS = 10
"""Rates and latencies say nothing of fewer calls."""

MOST_WINDOWS = 2000
"""Runs and stories that are looked at together."""

_PERIODS = {
    "daily_cost": "day",
    "weekly_cost": "week",
    "monthly_cost": "month",
    "run_cost": "run",
    "story_cost": "story",
}
_BY_SHARE = ("failure_rate", "fallback_rate", "escalation_rate")
_BY_RANK = {"latency_p50": 50, "latency_p95": 95}


@dataclass(frozen=True, slots=True)
class Watched:
    """
    One thing that is watched, over the windows of its budget: a declared alert has a budget of its own,
    without a limit. `level` is set for a level of a budget.
    """

    name: str
    metric: str
    bound: str
    value: Decimal | None
    channel: str
    target: str | None
    budget: Budget
    level: Level | None = None

    @property
    def pauses(self) -> bool:
        """Whether this is a level that pauses: what is refused reaches it before its amount is."""
        return self.level is not None and self.level.action is Action.PAUSE

    @property
    def is_cost(self) -> bool:
        """Whether its values are nano-USD."""
        return self.level is not None or self.metric in _PERIODS


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What the ledger says of a watched thing in a window.

    `value` is None while there are too few calls to say; `limit` is the bound in force, in the same unit.
    `refused` says that the budget has refused a call.
    """

    watched: Watched
    window: Window
    value: Decimal | None
    limit: Decimal
    refused: bool = False

    @property
    def crosses(self) -> bool:
        """Whether the bound is crossed."""
        value, limit = self.value, self.limit
        if self.refused or value is None:
            return self.refused
        return {
            "above": value > limit,
            "below": value < limit,
            "at least": value >= limit,
            "at most": value <= limit,
        }[self.watched.bound]

    @property
    def condition(self) -> str:
        """The bound in words, with the amount in force: what tells it from other bounds of this name."""
        return condition_of(self.watched, self.limit)


def condition_of(watched: Watched, limit: Decimal) -> str:
    """A bound in words, such as `daily_cost is above $20`."""
    if watched.level is not None:
        return f"spent is at least {usd_short(int(limit))}, {level_words(watched.level)}"
    return f"{watched.metric} is {watched.bound} {limit_words(watched, limit)}"


def limit_words(watched: Watched, limit: Decimal) -> str:
    """A bound's amount as the language writes it."""
    if watched.is_cost:
        return usd_short(int(limit))
    return f"{number(float(limit))}s" if watched.metric in _BY_RANK else percent(limit)


def value_words(is_cost: bool, metric: str, value: Decimal) -> str:
    """A value for people: `$5.3200`, `20.04%`, `31.2s`."""
    if is_cost:
        return usd(int(value))
    return f"{value:.1f}s" if metric in _BY_RANK else f"{value:.2f}%"


def window_words(window: Window) -> str:
    """A window as it is told and told apart: `day 2026-03-10 (UTC)`, `story US-042`."""
    zone = f" ({window.zone})" if window.zone else ""
    return f"{window.period} {window.name}{zone}"


# --- what a policy watches ------------------------------------------------------------------------------


def watched_by(policy: Policy) -> tuple[Watched, ...]:
    """The alerts of a policy, then the levels of its budgets, which are told in the log."""
    alerts = (_declared(alert) for alert in policy.alerts)
    levels = (_of_level(budget, level) for budget in policy.budgets.values() for level in budget.levels)
    return (*alerts, *levels)


def _declared(alert: Alert) -> Watched:
    period = _PERIODS.get(alert.metric, "day")
    budget = Budget(alert.name, 0, period, None, None, (), alert.span)
    return Watched(alert.name, alert.metric, alert.bound, alert.value, alert.channel, alert.target, budget)


def _of_level(budget: Budget, level: Level) -> Watched:
    name = f"{budget.name} at {percent(level.percent)}"
    return Watched(name, "spent", "at least", None, "log", None, budget, level)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A budget that had no room for a call of a run and story."""

    budget: str
    run_id: str | None
    story_id: str | None


# --- what the ledger says --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Touched:
    """The runs and stories in which something happened, and the first moment of those calls."""

    runs: tuple[str, ...] = ()
    stories: tuple[str, ...] = ()
    since_ms: int | None = None


def touched_by(sheet: Sheet, keys: Iterable[str]) -> Touched:
    """Where the calls of these keys were made."""
    rows: list[tuple[str | None, str | None, int]] = []
    every = list(keys)
    for start in range(0, len(every), 200):
        some = every[start : start + 200]
        marks = ", ".join("?" * len(some))
        sql = f"SELECT run_id, story_id, reserved_ms FROM attempts WHERE key IN ({marks})"  # noqa: S608
        rows += sheet.direct.rows(sql, *some)
    return Touched(
        tuple(sorted({run for run, _, _ in rows if run is not None})),
        tuple(sorted({story for _, story, _ in rows if story is not None})),
        min((ms for _, _, ms in rows), default=None),
    )


def touched_since(sheet: Sheet, ms: int) -> Touched:
    """The runs and stories of all calls from a moment on; of very many the latest."""

    def latest(column: str) -> tuple[str, ...]:
        rows = sheet.direct.rows(
            f"SELECT {column} FROM attempts WHERE reserved_ms >= ? AND {column} IS NOT NULL"  # noqa: S608
            f" GROUP BY {column} ORDER BY max(reserved_ms) DESC LIMIT ?",
            ms,
            MOST_WINDOWS,
        )
        return tuple(name for (name,) in rows)

    return Touched(latest("run_id"), latest("story_id"))


class Looker:
    """
    Reads what a policy watches, in one transaction after the other.

    Args:
        watched: what is watched.
        zone: the policy's.
    """

    def __init__(self, watched: tuple[Watched, ...], zone: ZoneInfo) -> None:
        self._by_clock = tuple(w for w in watched if w.budget.period not in ("run", "story"))
        self._by_name = tuple(w for w in watched if w.budget.period in ("run", "story"))
        self._clock = Calendar({w.name: w.budget for w in self._by_clock}, zone)
        self._names = Calendar({w.name: w.budget for w in self._by_name}, zone)

    def by_clock(self, sheet: Sheet, moments: Iterable[int], *, keep: bool) -> list[Reading]:
        """
        What has days, weeks and months, in the windows of some moments.

        Args:
            sheet: the transaction.
            moments: in milliseconds, in rising order.
            keep: let the ledger keep sums that it adds up, so that the next look costs nothing.
        """
        found: dict[tuple[str, Window], Reading] = {}
        calls: dict[Window, _Calls] = {}
        acts = sheet.acts()
        for at_ms in moments:
            for watched, claim in zip(self._by_clock, self._clock.claims(at_ms, None, None), strict=True):
                window = claim.window
                assert window is not None  # only runs and stories may have none
                if (watched.name, window) in found:
                    continue
                if watched.is_cost:
                    reading = _cost(sheet, watched, window, acts, keep=keep)
                else:
                    value = calls.setdefault(window, _Calls(sheet, window)).value(watched.metric)
                    reading = Reading(watched, window, value, _bound(watched))
                found[watched.name, window] = reading
        return list(found.values())

    def by_name(self, sheet: Sheet, touched: Touched, *, keep: bool) -> Iterator[Reading]:
        """What has runs and stories, in those that were touched."""
        if not self._by_name:
            return
        acts = sheet.acts()
        for period, names in (("run", touched.runs), ("story", touched.stories)):
            for name in names:
                claims = self._names.claims(0, name, name)
                for watched, claim in zip(self._by_name, claims, strict=True):
                    if claim.window is not None and watched.budget.period == period:
                        yield _cost(sheet, watched, claim.window, acts, keep=keep)

    def refused(self, sheet: Sheet, refusals: Iterable[Refusal], now_ms: int) -> Iterator[Reading]:
        """The levels that pause, of budgets that refused calls, in the windows of those."""
        acts = sheet.acts()
        for refusal in refusals:
            for calendar, every in ((self._clock, self._by_clock), (self._names, self._by_name)):
                claims = calendar.claims(now_ms, refusal.run_id, refusal.story_id)
                for watched, claim in zip(every, claims, strict=True):
                    here = watched.pauses and watched.budget.name == refusal.budget
                    if here and claim.window is not None:
                        yield replace(_cost(sheet, watched, claim.window, acts, keep=True), refused=True)

    @property
    def has_names(self) -> bool:
        """Whether anything is per run or story."""
        return bool(self._by_name)


def _cost(sheet: Sheet, watched: Watched, window: Window, acts: Mapping[str, Act], *, keep: bool) -> Reading:
    spend = sheet.open_window(window) if keep else sheet.spend_of(window)
    level = watched.level
    if level is None:
        return Reading(watched, window, Decimal(spend.spent_nusd), _bound(watched))
    limit_nusd, _ = limit_of(watched.budget, window, acts.get(watched.budget.name))
    counted = spend.spent_nusd + (spend.held_nusd if watched.pauses else 0)
    return Reading(watched, window, Decimal(counted), level.percent * limit_nusd / 100)


def _bound(watched: Watched) -> Decimal:
    assert watched.value is not None  # only levels have none
    return watched.value


class _Calls:
    """What the calls of a window that are over were like; each figure is asked for once."""

    def __init__(self, sheet: Sheet, window: Window) -> None:
        assert window.starts_ms is not None and window.ends_ms is not None
        self._sheet = sheet
        self._where = "FROM attempts WHERE reserved_ms >= ? AND reserved_ms < ? AND logged = 1"
        self._bounds = (window.starts_ms, window.ends_ms)
        self._shares: dict[str, Decimal] | None = None
        self._ranked: dict[str, Decimal | None] = {}

    def value(self, metric: str) -> Decimal | None:
        """A rate in percent or a latency in seconds; None: too few calls."""
        if metric in _BY_SHARE:
            if self._shares is None:
                self._shares = self._share()
            return self._shares.get(metric)
        if metric not in self._ranked:
            self._ranked[metric] = self._rank(_BY_RANK[metric])
        return self._ranked[metric]

    def _share(self) -> dict[str, Decimal]:
        whens = ("success = 0", "fallback_used = 1", "escalation IS NOT NULL")
        counts = ", ".join(
            f"CAST(coalesce(sum(CASE WHEN {when} THEN 1 ELSE 0 END), 0) AS BIGINT)" for when in whens
        )
        row = self._sheet.direct.rows(f"SELECT count(*), {counts} {self._where}", *self._bounds)[0]
        if row[0] < LEAST_CALLS:
            return {}
        return {name: Decimal(100 * n) / row[0] for name, n in zip(_BY_SHARE, row[1:], strict=True)}

    def _rank(self, percentile: int) -> Decimal | None:
        where = f"{self._where} AND success = 1 AND latency_ms IS NOT NULL"
        count = self._sheet.direct.rows(f"SELECT count(*) {where}", *self._bounds)[0][0]
        if count < LEAST_CALLS:
            return None
        rank = -(-count * percentile // 100)
        rows = self._sheet.direct.rows(
            f"SELECT latency_ms {where} ORDER BY latency_ms LIMIT 1 OFFSET ?",
            *self._bounds,
            rank - 1,
        )
        return Decimal(rows[0][0]) / 1000


def nearest(readings: Iterable[Reading]) -> Reading | None:
    """Of a thing's readings in several windows the one that is nearest to its bound, or farthest past it."""
    found: Reading | None = None
    for reading in readings:
        if found is None or found.value is None:
            found = reading
        elif reading.value is not None:
            rises = reading.watched.bound in ("above", "at least")
            if (reading.value > found.value) == rises and reading.value != found.value:
                found = reading
    return found
