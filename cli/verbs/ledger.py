"""`policyctl ledger`: the ledger itself, and what goes in and out of it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ...ledger.checking import Health, check
from ...policy.words import listed_count, usd
from ...schemas.policy import NANO
from .. import config
from ..exits import Exit
from ..ledgers import ledger_here, ledger_option, open_ledger, shown
from ..options import color_option
from ..output import bad, columns, good, note, out, safe, strong
from ..subverbs import SubVerbs

FORMAT_VERSION = "1.0"


@click.group(cls=SubVerbs)
def command() -> None:
    """
    Make and check the ledger, which has what was spent.

    It is a file, .claude-loop/policyctl.db, that only its owner can read.
    """


@command.command()
@ledger_option
@color_option
def init(ledger: str | None) -> None:
    """
    Make a ledger where there is none yet, or bring an older one up to date.

    What is in it stays. A usage log of earlier runs is read in by `policyctl ledger import`.
    """
    here = Path.cwd()
    where = config.find_ledger(here, ledger) or config.new_ledger(here)
    existed = isinstance(where, Path) and where.exists()
    with open_ledger(where, create=True) as book:
        log = book.outbox.path
    out(f"{good('ok')}  {'there is a ledger' if existed else 'made a ledger'}: {shown(where)}")
    if not existed and log is not None and log.exists():
        note(f"note: {safe(str(log))} is there already; its calls aren't counted")


@command.command("check")
@ledger_option
@click.option("--mend", is_flag=True, help="Add the sums of the windows up anew.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def check_(ledger: str | None, mend: bool, as_json: bool) -> int:
    """
    Check that the ledger says the same everywhere: rows, sums, log.

    The exit code is 1 where it doesn't. Calls whose outcome isn't known count at what was held for
    them: so at most so much is counted that wasn't spent.
    """
    where = ledger_here(ledger)
    with open_ledger(where) as book:
        health = check(book, mend=mend)
    if as_json:
        out(json.dumps(_document(shown(where), health), indent=2))
    else:
        _tell(shown(where), health)
    return Exit.FINDINGS if health.problems else Exit.OK


def _tell(where: str, health: Health) -> None:
    for problem in health.problems:
        out(f"{bad('wrong:')} {safe(problem.message)}")
        if problem.help:
            out(f"  {strong('help:')} {safe(problem.help)}")
    word = good("ok") if not health.problems else bad(listed_count(len(health.problems), "problem"))
    out(f"{word}  ledger {where}")
    rows = [["attempts", f"{health.attempts:,}, {usd(health.spent_nusd)} spent"]]
    rows.append(["open", f"{listed_count(health.open_holds, 'hold')}, {usd(health.held_nusd)} held"])
    if health.unknown:
        rows.append(["unknown", f"{health.unknown:,} counted at their holds, {usd(health.unknown_nusd)}"])
    if health.flagged:
        rows.append(
            ["flagged", f"{health.flagged:,} whose usage was missing, not believed, or above the hold"]
        )
    if health.waiting_lines:
        rows.append(["log", f"{listed_count(health.waiting_lines, 'line')} not in the usage log yet"])
    for line in columns(rows):
        out(line)


def _document(where: str, health: Health) -> dict[str, object]:
    """The JSON of a check; schemas/ledger.schema.json is its shape."""
    return {
        "format_version": FORMAT_VERSION,
        "ledger": where,
        "ok": not health.problems,
        "attempts": health.attempts,
        **_money("spent", health.spent_nusd),
        "open_holds": health.open_holds,
        **_money("held", health.held_nusd),
        "unknown": health.unknown,
        **_money("unknown", health.unknown_nusd),
        "flagged": health.flagged,
        "waiting_lines": health.waiting_lines,
        "problems": [
            {"where": problem.where, "message": problem.message, "help": problem.help}
            for problem in health.problems
        ],
    }


def _money(name: str, nusd: int) -> dict[str, object]:
    return {f"{name}_usd": nusd / NANO, f"{name}_nusd": nusd}
