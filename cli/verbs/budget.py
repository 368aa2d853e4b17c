"""`policyctl budget`: what the budgets have spent, and what a person changes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ...engine.situation import level_of
from ...ledger.windows import full_at, projected
from ...policy.words import level_words, usd, usd_short
from ...router import Engine
from ...schemas.ledger import WindowSpend
from ...schemas.policy import NANO, Action, Budget, Level
from ...schemas.records import dataclass
from .. import completing, config
from ..ledgers import (
    ledger_here,
    ledger_option,
    nano_usd,
    open_ledger,
    run_option,
    shown,
    tell_waiting,
    with_environment,
)
from ..options import color_option, load_engine, policy_option
from ..output import bad, columns, dim, good, named, note, out, paragraph, safe, strong, warned
from ..subverbs import SubVerbs

FORMAT_VERSION = "1.0"


class _BudgetVerbs(SubVerbs):
    default = "status"


@click.group(cls=_BudgetVerbs)
def command() -> None:
    """
    Show what the budgets have spent, and raise, pause or resume them.

    Without a command: status. What is spent is what the ledger has; policyctl ledger init makes one.
    """


def _story_option(function: Any) -> Any:
    return click.option("--story", "story_id", metavar="ID", help="The story, for budgets per story.")(
        function
    )


def _engine(policies: tuple[str, ...]) -> Engine:
    return with_environment(load_engine(policies), config.environment(Path.cwd()))


@command.command()
@policy_option
@ledger_option
@run_option
@_story_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def status(
    policies: tuple[str, ...], ledger: str | None, run_id: str | None, story_id: str | None, as_json: bool
) -> None:
    """
    Show each budget: spent, held, where that leads by the window's end, the level in force.

    The projection goes on at the rate of the window so far; in its first hundredth there is none.
    """
    engine, where = _engine(policies), ledger_here(ledger)
    with open_ledger(where, engine.policy) as book:
        now = book.clock()
        windows = book.status(run_id=run_id, story_id=story_id)
        tell_waiting(book)
    rows = [_Standing(engine, window, now) for window in windows]
    if as_json:
        out(json.dumps(_document(engine, where, now, rows), indent=2))
        return
    clock = f"{now.astimezone(engine.table.zone):%a %d %b %Y %H:%M %Z}"
    for line in paragraph(f"by policy {safe(engine.policy.name)}, {clock}, ledger {shown(where)}"):
        out(dim(line))
    if not rows:
        out("no budgets: the policy has none, and MONTHLY_COST_BUDGET isn't set")
    for row in rows:
        out()
        for line in row.lines():
            out(line)


@command.command("raise")
@click.argument("budget", shell_complete=completing.budget_names)
@click.argument("amount", metavar="USD")
@policy_option
@ledger_option
@run_option
@_story_option
@color_option
def raise_(
    budget: str,
    amount: str,
    policies: tuple[str, ...],
    ledger: str | None,
    run_id: str | None,
    story_id: str | None,
) -> None:
    """
    Raise a budget's limit to an amount, until its window turns.

    The levels keep their percentages, of the new limit. In the next window the policy's limit holds again.
    """
    engine, where = _engine(policies), ledger_here(ledger)
    limit = nano_usd("USD", amount)
    with open_ledger(where, engine.policy) as book:
        was = book.window(budget, run_id=run_id, story_id=story_id)
        if limit <= was.limit_nusd:
            raise click.UsageError(
                f"budget {budget} has a limit of {usd_short(was.limit_nusd)}; raise it to more"
            )
        now = book.raise_limit(budget, limit, run_id=run_id, story_id=story_id)
    turns = (
        "" if now.ends is None else f" until {now.ends.astimezone(engine.table.zone):%a %d %b %Y %H:%M %Z}"
    )
    out(f"budget {named(safe(budget))} is {usd_short(limit)}, up from {usd_short(was.limit_nusd)}{turns}")


@command.command()
@click.argument("budget", shell_complete=completing.budget_names)
@policy_option
@ledger_option
@color_option
def pause(budget: str, policies: tuple[str, ...], ledger: str | None) -> None:
    """
    Pause a budget: nothing that it is for is served until it is resumed.

    The turn of its window doesn't resume it; only a budget that ran out resumes by itself.
    """
    with open_ledger(ledger_here(ledger), _engine(policies).policy) as book:
        changed = book.pause(budget)
    out(f"budget {named(safe(budget))} is paused" + ("" if changed else ", as it was"))


@command.command()
@click.argument("budget", shell_complete=completing.budget_names)
@policy_option
@ledger_option
@color_option
def resume(budget: str, policies: tuple[str, ...], ledger: str | None) -> None:
    """
    Resume a budget that was paused by `policyctl budget pause`.

    One that pauses because it is used up resumes when its window turns, or when it is raised.
    """
    engine = _engine(policies)
    with open_ledger(ledger_here(ledger), engine.policy) as book:
        changed = book.pause(budget, paused=False)
        window = book.window(budget)
    out(
        f"budget {named(safe(budget))} is resumed"
        if changed
        else f"budget {named(safe(budget))} wasn't paused"
    )
    level = _level(engine.policy.budgets[budget], window)
    if level is not None and level.action is Action.PAUSE:
        note(f"note: it is used up; policyctl budget raise {safe(budget)} USD gives it more")


# --- one budget ------------------------------------------------------------------------------------------


def _level(budget: Budget, window: WindowSpend) -> Level | None:
    """The level that is in force at the limit in force."""
    return level_of(_limited(budget, window), window.spend)


def _limited(budget: Budget, window: WindowSpend) -> Budget:
    return replace(budget, limit_nusd=window.limit_nusd)


@dataclass(frozen=True, slots=True)
class _Standing:
    """A budget, its window and the clock."""

    engine: Engine
    window: WindowSpend
    now: datetime

    @property
    def budget(self) -> Budget:
        return self.engine.policy.budgets[self.window.budget]

    @property
    def level(self) -> Level | None:
        return _level(self.budget, self.window)

    @property
    def next_level(self) -> Level | None:
        levels, level = list(self.budget.levels), self.level
        after = 0 if level is None else levels.index(level) + 1
        return levels[after] if after < len(levels) else None

    @property
    def projected(self) -> int | None:
        window = self.window
        if window.starts is None or window.ends is None:
            return None
        return projected(window.spend.spent_nusd, window.starts, window.ends, self.now)

    @property
    def full_at(self) -> datetime | None:
        window = self.window
        if window.starts is None or window.ends is None:
            return None
        return full_at(window.spend.spent_nusd, window.limit_nusd, window.starts, window.ends, self.now)

    def share(self, nusd: int) -> float | None:
        """A sum as a percentage of the limit."""
        return 100 * nusd / self.window.limit_nusd if self.window.limit_nusd else None

    def lines(self) -> Iterator[str]:
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
        return f"{when.astimezone(self.engine.table.zone):%a %d %b %Y %H:%M %Z}"

    def _percent(self, nusd: int) -> str:
        share = self.share(nusd)
        return "" if share is None else f" ({share:.1f}%)"

    def _levels(self) -> str:
        if self.window.paused:
            return bad("paused by a person") + f"; policyctl budget resume {safe(self.window.budget)}"
        level, then = self.level, self.next_level
        if level is None:
            text = good("none in force")
        else:
            text = (bad if level.action is Action.PAUSE else warned)(safe(level_words(level)))
        if then is not None:
            from_ = int(self.window.limit_nusd * then.percent / 100)
            text += f"; next {safe(level_words(then))} ({usd_short(from_)})"
        return text


def _document(engine: Engine, where: Path | str, now: datetime, rows: list[_Standing]) -> dict[str, object]:
    """The JSON of the budgets; schemas/budget.schema.json is its shape."""
    return {
        "format_version": FORMAT_VERSION,
        "policy": engine.policy.name,
        "policy_digest": engine.policy.digest,
        "ledger": shown(where),
        "at": now.isoformat(),
        "budgets": [_as_json(row) for row in rows],
    }


def _as_json(row: _Standing) -> dict[str, object]:
    window, budget = row.window, row.budget
    return {
        "name": budget.name,
        "period": budget.period,
        "scope": budget.scope,
        "scope_name": budget.scope_name,
        "window": window.window,
        "starts": window.starts and window.starts.isoformat(),
        "ends": window.ends and window.ends.isoformat(),
        **_money("limit", window.limit_nusd),
        "raised": window.raised,
        "paused": window.paused,
        **_money("spent", window.spend.spent_nusd),
        **_money("held", window.spend.held_nusd),
        "spent_percent": row.share(window.spend.spent_nusd),
        **_money("projected", row.projected),
        "full_at": row.full_at and row.full_at.isoformat(),
        "level": _level_json(row.level),
        "next_level": _level_json(row.next_level),
    }


def _level_json(level: Level | None) -> dict[str, object] | None:
    if level is None:
        return None
    return {"percent": float(level.percent), "action": level.action.value, "text": level_words(level)}


def _money(name: str, nusd: int | None) -> dict[str, object]:
    return {f"{name}_usd": None if nusd is None else nusd / NANO, f"{name}_nusd": nusd}
