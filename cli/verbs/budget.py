"""`policyctl budget`: what the budgets have spent, and what a person changes of them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ...deciding import Engine
from ...policy.words import usd_short
from ...schemas.policy import Action
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
from ..output import dim, named, note, out, paragraph, safe
from ..standing import Standing, level_in_force, standing_json
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
    rows = [Standing(engine.policy, window, now) for window in windows]
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
    level = level_in_force(engine.policy.budgets[budget], window)
    if level is not None and level.action is Action.PAUSE:
        note(f"note: it is used up; policyctl budget raise {safe(budget)} USD gives it more")


def _document(engine: Engine, where: Path | str, now: datetime, rows: list[Standing]) -> dict[str, object]:
    """The JSON of the budgets; schemas/budget.schema.json is its shape."""
    return {
        "format_version": FORMAT_VERSION,
        "policy": engine.policy.name,
        "policy_digest": engine.policy.digest,
        "ledger": shown(where),
        "at": now.isoformat(),
        "budgets": [standing_json(row) for row in rows],
    }
