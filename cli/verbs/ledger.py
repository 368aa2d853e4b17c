"""`policyctl ledger`: the ledger itself, and what goes in and out of it."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from ...ledger import upkeep
from ...ledger.checking import Health, check
from ...ledger.importing import Imported, Pricing, import_log
from ...ledger.ledger import Ledger
from ...policy.words import listed_count, usd
from ...schemas.ledger import Usage
from ...schemas.policy import NANO
from .. import completing, config
from ..exits import Exit
from ..ledgers import ledger_here, ledger_option, nano_usd, open_ledger, run_option, shown, tell_waiting
from ..options import Tokens, color_option, load_engine, policy_option
from ..output import bad, columns, good, note, out, raw, safe, strong, warned
from ..subverbs import SubVerbs

FORMAT_VERSION = "1.0"


@click.group(cls=SubVerbs)
def command() -> None:
    """
    Make, check, fill and empty the ledger, which has what was spent.

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
        note(f"note: {safe(str(log))} is there already; policyctl ledger import FILE counts its calls")


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


# --- what goes in --------------------------------------------------------------------------------------


@command.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=completing.files)
@policy_option
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def import_(files: tuple[str, ...], policies: tuple[str, ...], ledger: str | None, as_json: bool) -> None:
    """
    Count the calls of usage logs, also those of older tools.

    A call that is there already isn't counted again. What can't be read is left out, counted and told.
    The policy prices calls without a cost, and has the zone of times that say none.
    """
    pricing = _pricing(policies)
    done: list[tuple[str, Imported]] = []
    with open_ledger(ledger_here(ledger)) as book:
        for name in files:
            done.append((name, _import(book, Path(name), pricing)))
    if as_json:
        out(json.dumps(_imported(done), indent=2))
        return
    for name, found in done:
        for problem in found.problems:
            note(f"{warned('warning:')} {safe(name)}: {safe(problem.message)}")
        if found.skipped > len(found.problems):
            note(f"  and {found.skipped - len(found.problems):,} more")
        left_out = f", {found.skipped:,} left out" if found.skipped else ""
        known = f", {found.known:,} known already" if found.known else ""
        counted = f"{found.new:,} new, {usd(found.cost_nusd)}{known}{left_out}"
        out(f"{good('ok')}  {safe(name)}: {found.lines:,} lines, {counted}")


def _import(book: Ledger, path: Path, pricing: Pricing) -> Imported:
    """Read a log in, with a progress bar where somebody looks."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise click.UsageError(f"{path} can't be read: {error.strerror}") from error
    if not (sys.stderr and sys.stderr.isatty()):
        return import_log(book, path, pricing)
    with click.progressbar(length=size, label=safe(path.name), file=sys.stderr) as bar:
        return import_log(book, path, pricing, bar.update)


def _pricing(policies: tuple[str, ...]) -> Pricing:
    """What the policy knows of models; nothing, where none is named or found."""
    if not policies:
        try:
            policies = tuple(map(str, config.find_policy(Path.cwd())))
        except click.UsageError:
            return Pricing({}, UTC)
    engine = load_engine(policies)
    models, tiers, rank = engine.policy.models, engine.policy.tiers, engine.table.rank
    known = {
        name: (models[key], tiers[rank[key]].name if key in rank else None)
        for name, key in engine.table.references.items()
    }
    return Pricing(known, engine.table.zone)


def _imported(done: list[tuple[str, Imported]]) -> dict[str, object]:
    """The JSON of an import; schemas/ledger-import.schema.json is its shape."""
    return {
        "format_version": FORMAT_VERSION,
        "files": [
            {
                "file": name,
                "lines": found.lines,
                "new": found.new,
                "known": found.known,
                "skipped": found.skipped,
                **_money("cost", found.cost_nusd),
                "problems": [problem.message for problem in found.problems],
            }
            for name, found in done
        ],
    }


@command.command()
@policy_option
@ledger_option
@click.option("--model", required=True, metavar="MODEL", shell_complete=completing.models, help="The model.")
@click.option("--input-tokens", type=Tokens(), metavar="N", help="All input tokens, cached ones too.")
@click.option("--output-tokens", type=Tokens(), metavar="N", help="Output tokens.")
@click.option("--cost", metavar="USD", help="What was billed. Default: the tokens at the policy's prices.")
@click.option("--latency-ms", type=click.IntRange(0), metavar="N", help="How long it took.")
@click.option("--error", metavar="KIND", help="It failed: how, such as timeout.")
@click.option("--story", "story_id", metavar="ID", help="The story it was for.")
@run_option
@click.option("--iteration", type=click.IntRange(0), metavar="N", help="The iteration of the loop.")
@click.option("--complexity", type=click.FloatRange(0, 10), metavar="0-10", help="The story's complexity.")
@click.option("--domain", metavar="NAME", shell_complete=completing.domains, help="The kind of work.")
@click.option("--tier", metavar="NAME", shell_complete=completing.tiers, help="The tier of the decision.")
@click.option("--id", "key", metavar="KEY", help="Names the call: told again, it counts once.")
@color_option
def record(
    policies: tuple[str, ...],
    ledger: str | None,
    model: str,
    cost: str | None,
    input_tokens: int | None,
    output_tokens: int | None,
    latency_ms: int | None,
    error: str | None,
    key: str | None,
    **about: Any,
) -> None:
    """
    Count a call that was made without policyctl.

    No budget can refuse it any more: it is spent. Without --cost both numbers of tokens are needed.
    """
    engine = load_engine(policies)
    usage = Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_nusd=None if cost is None else nano_usd("--cost", cost),
        latency_ms=latency_ms,
        success=error is None,
        error=error,
    )
    attempt = engine.attempt(key or f"record:{uuid4().hex}", model, **about)
    with open_ledger(ledger_here(ledger), engine.policy) as book:
        new = book.record(attempt, usage)
        tell_waiting(book)
    out(f"{good('ok')}  {safe(attempt.key)} {'is counted' if new else 'was counted before'}")


# --- what goes out -------------------------------------------------------------------------------------


@command.command()
@click.argument("file", required=False, metavar="[FILE]", shell_complete=completing.files)
@ledger_option
@click.option("--rebuild", is_flag=True, help="Write the ledger's own usage log anew.")
@color_option
def export(file: str | None, ledger: str | None, rebuild: bool) -> None:
    """
    Write all calls as a usage log, to a new FILE or to standard output.

    --rebuild puts it in place of .claude-loop/logs/provider_usage.jsonl, whatever that holds.
    """
    if rebuild and file is not None:
        raise click.UsageError("--rebuild writes the ledger's own log; leave the FILE out")
    with open_ledger(ledger_here(ledger)) as book:
        if rebuild:
            count = upkeep.rebuild(book)
            out(f"{good('ok')}  {safe(str(book.outbox.path))}: {listed_count(count, 'line')}")
        elif file is None:
            for lines in upkeep.export(book):
                raw("".join(lines).encode())
        else:
            count = _export_to(book, Path(file))
            out(f"{good('ok')}  {safe(file)}: {listed_count(count, 'line')}")


def _export_to(book: Ledger, path: Path) -> int:
    count = 0
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            for lines in upkeep.export(book):
                new.writelines(lines)
                count += len(lines)
    except FileExistsError:
        raise click.UsageError(f"{path} is there already; name a new file") from None
    return count


@command.command()
@ledger_option
@click.option("--before", metavar="DATE", help="Also forget the calls before this day (UTC).")
@color_option
def compact(ledger: str | None, before: str | None) -> None:
    """
    Make the ledger's file smaller.

    --before takes calls out of the ledger; the usage log keeps them. Calls of the last 45 days, and those of
    stories and runs that went on after that day, stay.
    """
    where = ledger_here(ledger)
    try:
        day = None if before is None else datetime.fromisoformat(before).replace(tzinfo=UTC)
    except ValueError:
        raise click.UsageError(f"--before {before}: that is no day; write 2026-01-05") from None
    with open_ledger(where) as book:
        gone = 0 if day is None else upkeep.forget_before(book, day)
    upkeep.reclaim(where)
    forgot = "" if day is None else f", without {listed_count(gone, 'call')} from before {day:%Y-%m-%d}"
    out(f"{good('ok')}  {shown(where)} is compact{forgot}")


# --- JSON --------------------------------------------------------------------------------------------


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
