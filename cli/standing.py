"""A budget in its window, as `budget` and `monitor` show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from ..engine.situation import level_of
from ..ledger.windows import full_at, projected
from ..policy.words import level_words, usd, usd_short
from ..schemas.ledger import WindowSpend
from ..schemas.policy import NANO, Action, Budget, Level, Policy
from ..schemas.records import dataclass
from .output import bad, columns, dim, good, named, safe, strong, warned


def level_in_force(budget: Budget, window: WindowSpend) -> Level | None:
    """The level that is in force at the limit in force."""
    return level_of(_limited(budget, window), window.spend)


def _limited(budget: Budget, window: WindowSpend) -> Budget:
    return replace(budget, limit_nusd=window.limit_nusd)


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget of a policy in its window at a moment: what is spent, and where that leads."""

    policy: Policy
    window: WindowSpend
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        """The policy's time zone."""
        return ZoneInfo(self.policy.timezone)

    @property
    def budget(self) -> Budget:
        """What the policy says of it."""
        return self.policy.budgets[self.window.budget]

    @property
    def level(self) -> Level | None:
        """The level in force."""
        return level_in_force(self.budget, self.window)

    @property
    def next_level(self) -> Level | None:
        """The level after that."""
        levels, level = list(self.budget.levels), self.level
        after = 0 if level is None else levels.index(level) + 1
        return levels[after] if after < len(levels) else None

    @property
    def projected(self) -> int | None:
        """What will be spent at the end of the window, if it goes on as it did; None: too early to say."""
        window = self.window
        if window.starts is None or window.ends is None:
            return None
        return projected(window.spend.spent_nusd, window.starts, window.ends, self.now)

    @property
    def full_at(self) -> datetime | None:
        """When the limit is reached then."""
        window = self.window
        if window.starts is None or window.ends is None:
            return None
        return full_at(window.spend.spent_nusd, window.limit_nusd, window.starts, window.ends, self.now)

    def share(self, nusd: int) -> float | None:
        """A sum as a percentage of the limit."""
        return 100 * nusd / self.window.limit_nusd if self.window.limit_nusd else None

    def lines(self) -> Iterator[str]:
        """A paragraph, for a page of its own."""
        window = self.window
        scope = f" for {self.budget.scope} {safe(self.budget.scope_name or '')}" if self.budget.scope else ""
        raised = f", raised from {usd_short(self.budget.limit_nusd)}" if window.raised else ""
        head = f"{usd_short(window.limit_nusd)} per {self.budget.period}{scope}{raised}"
        yield f"{strong(named(safe(window.budget)))}  {head}"
        if window.window is None:
            yield from columns(
                [["window", f"none: say which {self.budget.period} with --{self.budget.period}"]]
            )
            return
        yield from columns(self._rows())

    def rows(self) -> Iterator[list[str]]:
        """Lines of a table: the budget, what is spent of it, what is left, the level and where it leads."""
        spent, limit = self.window.spend.spent_nusd, self.window.limit_nusd
        left = max(limit - spent - self.window.spend.held_nusd, 0)
        name, words = named(safe(self.window.budget)), self._level_words()
        if not words and self.next_level is not None:
            words = dim(f"next {safe(level_words(self.next_level))}")
        yield [name, f"{usd(spent, 2)} of {usd(limit, 2)}", f"{usd(left, 2)} left", words]
        if self.projected is not None and self.projected > limit:
            yield ["", "", "", warned(f"leads to {usd(self.projected, 2)}")]

    def _rows(self) -> Iterator[list[str]]:
        spend, limit = self.window.spend, self.window.limit_nusd
        yield ["window", self._window()]
        yield ["spent", f"{usd(spend.spent_nusd, 2)} of {usd(limit, 2)}{self._percent(spend.spent_nusd)}"]
        if spend.held_nusd:
            yield ["held", f"{usd(spend.held_nusd, 2)} for calls under way{self._percent(spend.held_nusd)}"]
        if self.projected is not None:
            over = self.projected > limit
            text = f"{usd(self.projected, 2)} at its end{self._percent(self.projected)}"
            yield ["projected", warned(text) if over else text]
            if self.full_at is not None:
                yield ["", f"at this rate the limit is reached {self._clock(self.full_at)}"]
        yield ["level", self._levels()]

    def _window(self) -> str:
        name = safe(self.window.window or "")
        return name if self.window.ends is None else f"from {name}, turns {self._clock(self.window.ends)}"

    def _clock(self, when: datetime) -> str:
        return f"{when.astimezone(self.zone):%a %d %b %Y %H:%M %Z}"

    def _percent(self, nusd: int) -> str:
        share = self.share(nusd)
        return "" if share is None else f" ({share:.1f}%)"

    def _levels(self) -> str:
        text, then = self._level_words() or good("none in force"), self.next_level
        if self.window.paused:
            return f"{text}; policyctl budget resume {safe(self.window.budget)}"
        if then is not None:
            from_ = int(self.window.limit_nusd * then.percent / 100)
            text += f"; next {safe(level_words(then))} ({usd_short(from_)})"
        return text

    def _level_words(self) -> str:
        """The level in force, or nothing."""
        if self.window.paused:
            return bad("paused by a person")
        if self.level is None:
            return ""
        return (bad if self.level.action is Action.PAUSE else warned)(safe(level_words(self.level)))


def standing_json(row: Standing) -> dict[str, object]:
    """The JSON of a budget; its shape is that of schemas/budget.schema.json."""
    window, budget = row.window, row.budget
    return {
        "name": budget.name,
        "period": budget.period,
        "scope": budget.scope,
        "scope_name": budget.scope_name,
        "window": window.window,
        "starts": window.starts and window.starts.isoformat(),
        "ends": window.ends and window.ends.isoformat(),
        **money_json("limit", window.limit_nusd),
        "raised": window.raised,
        "paused": window.paused,
        **money_json("spent", window.spend.spent_nusd),
        **money_json("held", window.spend.held_nusd),
        "spent_percent": row.share(window.spend.spent_nusd),
        **money_json("projected", row.projected),
        "full_at": row.full_at and row.full_at.isoformat(),
        "level": _level_json(row.level),
        "next_level": _level_json(row.next_level),
    }


def _level_json(level: Level | None) -> dict[str, object] | None:
    if level is None:
        return None
    return {"percent": float(level.percent), "action": level.action.value, "text": level_words(level)}


def money_json(name: str, nusd: int | None) -> dict[str, object]:
    """An amount in USD and in nano-USD; None: there is none."""
    return {f"{name}_usd": None if nusd is None else nusd / NANO, f"{name}_nusd": nusd}
