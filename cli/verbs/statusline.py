"""`policyctl statusline`: what is spent, in one short line for a prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from ...policy.words import level_words, usd
from ...schemas.ledger import WindowSpend
from ...schemas.policy import NANO, Action, Policy
from ...schemas.report import Glance, Tally
from .. import config
from ..ledgers import ledger_option, open_ledger, run_option, shown
from ..options import color_option, policy_option
from ..output import bad, fits, out, safe, warned
from ..reports import policy_here
from ..standing import level_in_force

FORMAT_VERSION = "1.0"

_WORST_FIRST = (Action.PAUSE, Action.ONLY, Action.DOWNGRADE, Action.WARN)


@click.command()
@policy_option
@ledger_option
@run_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def command(policies: tuple[str, ...], ledger: str | None, run_id: str | None, as_json: bool) -> None:
    """
    Print one short line for a prompt or a status bar: what is spent.

    Behind it stands the worst budget level in force, where there is one.

    Where there is no ledger, that is the line.
    """
    where = config.find_ledger(Path.cwd(), ledger)
    if where is None:
        out(json.dumps(_document(None, None, None)) if as_json else "no ledger")
        return
    policy, _ = policy_here(policies)
    with open_ledger(where, policy) as book:
        glance = book.glance(run_id)
    if as_json:
        out(json.dumps(_document(shown(where), policy, glance)))
        return
    out((" · " if fits("·") else " | ").join(_parts(policy, glance)))


def _parts(policy: Policy | None, glance: Glance) -> Iterator[str]:
    if glance.run is not None:
        yield f"run {_usd(glance.run)}"
    yield f"today {_usd(glance.today)}"
    month = f"month {_usd(glance.month)}"
    limit = _monthly_limit(policy, glance)
    if limit is not None:
        month += f" of {usd(limit, 2)}"
        month += f" ({100 * glance.month.cost_nusd / limit:.0f}%)" if limit else ""
    yield month
    worst = _worst(policy, glance)
    if worst is not None:
        action, words = worst
        yield (bad if action is Action.PAUSE else warned)(safe(words))


def _usd(tally: Tally) -> str:
    return f"{'>=' if tally.is_least else ''}{usd(tally.cost_nusd, 2)}"


def _monthly_limit(policy: Policy | None, glance: Glance) -> int | None:
    """The limit of the monthly budget for the whole."""
    for window in glance.windows:
        budget = None if policy is None else policy.budgets[window.budget]
        if budget is not None and budget.period == "month" and budget.scope is None:
            return window.limit_nusd
    return None


def _worst(policy: Policy | None, glance: Glance) -> tuple[Action, str] | None:
    """The worst level in force of any budget, and its words."""
    found = [level for window in glance.windows for level in _level(policy, window)]
    return min(found, key=lambda level: _WORST_FIRST.index(level[0]), default=None)


def _level(policy: Policy | None, window: WindowSpend) -> Iterator[tuple[Action, str]]:
    if window.paused:
        yield Action.PAUSE, f"{window.budget} paused by a person"
    elif policy is not None:
        level = level_in_force(policy.budgets[window.budget], window)
        if level is not None:
            yield level.action, f"{window.budget} {level_words(level)}"


def _document(ledger: str | None, policy: Policy | None, glance: Glance | None) -> dict[str, object]:
    """The JSON of the line; schemas/statusline.schema.json is its shape."""

    tallies = (None, None, None) if glance is None else (glance.run, glance.today, glance.month)
    run, today, month = (None if tally is None else tally.cost_nusd for tally in tallies)
    worst = None if glance is None else _worst(policy, glance)
    limit = None if glance is None else _monthly_limit(policy, glance)
    return {
        "format_version": FORMAT_VERSION,
        "ledger": ledger,
        **_money("run", run),
        **_money("today", today),
        **_money("month", month),
        **_money("month_limit", limit),
        "is_least": glance is not None and glance.month.is_least,
        "level": None if worst is None else {"action": worst[0].value, "text": worst[1]},
    }


def _money(name: str, nusd: int | None) -> dict[str, object]:
    return {f"{name}_usd": None if nusd is None else nusd / NANO, f"{name}_nusd": nusd}
