"""Which windows a budget has: the day, week or month of the policy's zone, the run, the story."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from ..engine.periods import period_of
from ..schemas.ledger import Attempt
from ..schemas.policy import Action, Budget


@dataclass(frozen=True, slots=True)
class Window:
    """
    What a sum is over: the attempts of a scope in a period.

    `name` is the local day on which it starts, or the id of the run or story, which have no times.
    It says nothing of the budget's name or limit, so a policy can change these and no money is forgotten.
    """

    period: str
    name: str
    scope: str
    zone: str
    starts_ms: int | None
    ends_ms: int | None

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What tells it from all others."""
        return self.period, self.name, self.scope, self.zone


@dataclass(frozen=True, slots=True)
class Claim:
    """
    A budget that applies, in its window; None: it is per run or story, and none is given.

    `share` is the percentage of its limit at which it pauses; None: it never does.
    """

    budget: Budget
    window: Window | None
    share: Decimal | None

    def cap(self, limit_nusd: int) -> int | None:
        """What may be spent and held at most; None: the budget never pauses."""
        return None if self.share is None else int(limit_nusd * self.share / 100)


class Calendar:
    """The windows of a policy's budgets; each is worked out once and kept until it turns."""

    def __init__(self, budgets: Mapping[str, Budget], zone: ZoneInfo) -> None:
        self.budgets = budgets
        self.zone = zone
        self._current: dict[tuple[str, str], Window] = {}
        self._known = [(budget, scope_of(budget), _pausing_share(budget)) for budget in budgets.values()]

    def claims(
        self, now_ms: int, run_id: str | None, story_id: str | None, scopes: Collection[str] | None = None
    ) -> list[Claim]:
        """The budgets, of these scopes only where some are given, each in its window at a moment."""
        return [
            Claim(budget, self._window(budget, scope, run_id, story_id, now_ms), share)
            for budget, scope, share in self._known
            if scopes is None or scope in scopes
        ]

    def _window(
        self, budget: Budget, scope: str, run_id: str | None, story_id: str | None, now_ms: int
    ) -> Window | None:
        if budget.period in ("run", "story"):
            name = run_id if budget.period == "run" else story_id
            return None if name is None else Window(budget.period, name, scope, "", None, None)
        kept = self._current.get((budget.period, scope))
        if kept is None or not _holds(kept, now_ms):
            kept = self._turn(budget.period, scope, now_ms)
            self._current[budget.period, scope] = kept
        return kept

    def _turn(self, period: str, scope: str, now_ms: int) -> Window:
        bounds = period_of(period, moment(now_ms).astimezone(self.zone))
        assert bounds is not None  # runs and stories were dealt with
        start, end = bounds
        # Where the clock skips midnight, the day starts later: its name is still the day's.
        name = start.astimezone(self.zone).date().isoformat()
        return Window(period, name, scope, self.zone.key, milliseconds(start), milliseconds(end))


def _holds(window: Window, now_ms: int) -> bool:
    return (
        window.starts_ms is not None
        and window.ends_ms is not None
        and window.starts_ms <= now_ms < window.ends_ms
    )


def scope_of(budget: Budget) -> str:
    """What a budget counts, as a text: empty for the whole, else such as `provider anthropic`."""
    return "" if budget.scope is None else f"{budget.scope} {budget.scope_name}"


def scopes_of(attempt: Attempt) -> tuple[str, str, str, str, str]:
    """The scopes that an attempt counts in."""
    return (
        "",
        f"provider {attempt.provider}",
        f"model {attempt.model}",
        f"tier {attempt.model_tier or ''}",
        f"domain {attempt.domain or ''}",
    )


def _pausing_share(budget: Budget) -> Decimal | None:
    return min((level.percent for level in budget.levels if level.action is Action.PAUSE), default=None)


def milliseconds(when: datetime) -> int:
    """A moment as milliseconds since 1970, exactly."""
    since = when.astimezone(UTC) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def moment(ms: int) -> datetime:
    """Milliseconds since 1970 as a moment in UTC."""
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def projected(spent_nusd: int, starts: datetime, ends: datetime, now: datetime) -> int | None:
    """What a window will have spent at its end, if it goes on as it did; None: too early to say."""
    gone, whole = milliseconds(now) - milliseconds(starts), milliseconds(ends) - milliseconds(starts)
    if gone * 100 < whole:
        return None
    return spent_nusd * whole // min(gone, whole)


def full_at(
    spent_nusd: int, limit_nusd: int, starts: datetime, ends: datetime, now: datetime
) -> datetime | None:
    """When a window reaches a limit, if it goes on as it did; None: not before its end, or it has already."""
    end = projected(spent_nusd, starts, ends, now)
    if end is None or end <= limit_nusd or spent_nusd >= limit_nusd:
        return None
    gone = milliseconds(now) - milliseconds(starts)
    return moment(milliseconds(starts) + gone * limit_nusd // spent_nusd)
