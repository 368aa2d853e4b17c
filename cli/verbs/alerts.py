"""`policyctl alerts`: where alerts stand, whether their channels work, and what is to be told."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import click

from ...deciding import Engine
from ...ledger.alerts.alerter import Alerts, Checked, channels_of
from ...ledger.alerts.channels import LOG_NAME, Channels
from ...ledger.alerts.messages import in_unit, test_body, unit_of
from ...ledger.alerts.settings import machine_settings
from ...ledger.alerts.watching import Watched, value_words, watched_by
from ...policy.names import did_you_mean
from ...policy.words import listed_count
from ...schemas.alerts import AlertEvent, AlertStanding, Delivery, Standing
from .. import completing, config
from ..exits import Exit
from ..ledgers import ledger_here, ledger_option, open_ledger, shown, with_environment
from ..options import color_option, load_engine, policy_option
from ..output import bad, columns, dim, good, named, note, out, paragraph, safe, strong, warned
from ..subverbs import SubVerbs

FORMAT_VERSION = "1.0"


class _AlertVerbs(SubVerbs):
    default = "list"


@click.group(cls=_AlertVerbs)
def command() -> None:
    """
    Show where alerts stand, try their channels, tell what is to be told.

    Without a command: list. A loop tells alerts by itself; check is for a timer beside it.
    """


@command.command("list")
@policy_option
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def list_(policies: tuple[str, ...], ledger: str | None, as_json: bool) -> None:
    """
    Show where each alert and budget level stands.

    Its last message is shown, too; nothing is sent. Of runs and stories the one that is nearest to the
    bound is shown.
    """
    engine, where = _engine(policies), ledger_here(ledger)
    with open_ledger(where, engine.policy) as book:
        page = _Page(engine, shown(where), book.clock(), Alerts(book, engine.policy).standings())
    _print(page, None, as_json=as_json)


@command.command()
@policy_option
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def check(policies: tuple[str, ...], ledger: str | None, as_json: bool) -> int:
    """
    Look at all alerts now, and send all that waits and is due.

    The exit code is 1 where a message couldn't be sent; it is tried again by the next check or loop.
    """
    engine, where = _engine(policies), ledger_here(ledger)
    with open_ledger(where, engine.policy) as book:
        alerts = Alerts(book, engine.policy, environ=config.environment(Path.cwd()))
        done = alerts.check()
        page = _Page(engine, shown(where), book.clock(), alerts.standings())
    _print(page, done, as_json=as_json)
    return Exit.FINDINGS if done.unsent else Exit.OK


@command.command()
@click.argument("name", shell_complete=completing.alerts)
@policy_option
@ledger_option
@color_option
def test(name: str, policies: tuple[str, ...], ledger: str | None) -> int:
    """
    Send a test message the way an alert is told.

    The exit code is 1 where that doesn't work. It is sent once, and the ledger knows nothing of it.
    """
    engine = _engine(policies)
    watched = _find(engine, name)
    body = test_body(watched, engine.policy.name, uuid4().hex, datetime.now(UTC))
    outcome = _channels(ledger).send(watched.channel, watched.target, body)
    way = safe(_way(watched.channel, watched.target))
    if outcome.sent:
        out(f"{good('ok')}  alert {named(safe(watched.name))} by {way}: {safe(outcome.what)}")
        return Exit.OK
    out(f"{bad('not sent')}  alert {named(safe(watched.name))} by {way}: {safe(outcome.what)}")
    help = _HELP.get(watched.channel)
    if help is not None:
        note(f"  {strong('help:')} {help}")
    return Exit.FINDINGS


_HELP = {
    "email": "docs/alerts.md says how a machine names its mail server",
    "slack": "docs/alerts.md says which addresses are called",
    "webhook": "docs/alerts.md says which addresses are called",
}


def _engine(policies: tuple[str, ...]) -> Engine:
    return with_environment(load_engine(policies), config.environment(Path.cwd()))


def _find(engine: Engine, name: str) -> Watched:
    known = {watched.name: watched for watched in watched_by(engine.policy)}
    if name not in known:
        help = did_you_mean(name, known, else_list="the alerts are") or "the policy has none"
        raise click.UsageError(f"unknown alert `{name}`; {help}")
    return known[name]


def _channels(ledger: str | None) -> Channels:
    here = Path.cwd()
    where = config.find_ledger(here, ledger) or config.new_ledger(here)
    log = config.usage_log(where, here).with_name(LOG_NAME)
    return channels_of(log, config.environment(here), machine_settings(os.environ))


# --- the page --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Page:
    """Where all alerts stand at a moment."""

    engine: Engine
    ledger: str
    now: datetime
    rows: tuple[AlertStanding, ...]

    def clock(self, when: datetime) -> str:
        return f"{when.astimezone(self.engine.table.zone):%a %d %b %Y %H:%M %Z}"

    def lines(self) -> Iterator[str]:
        for row in self.rows:
            yield ""
            yield f"{strong(named(safe(row.alert)))}  {self._state(row)}"
            yield from columns(self._cells(row))

    def _state(self, row: AlertStanding) -> str:
        if row.state is Standing.FIRING:
            since = "not told yet" if row.since is None else f"since {self.clock(row.since)}"
            return f"{bad('firing')} {since}"
        if row.state is Standing.UNKNOWN:
            per_name = row.metric in ("run_cost", "story_cost") or (row.level and row.window is None)
            return dim("no run or story of late" if per_name else "too few calls to say")
        return good("quiet")

    def _cells(self, row: AlertStanding) -> Iterator[list[str]]:
        yield ["when", safe(row.condition)]
        if row.window is not None and row.value is not None:
            yield ["now", safe(f"{_value(row, row.value)} in {row.window}")]
        yield ["tells", safe(_way(row.channel, row.target))]
        if row.last is not None:
            yield ["last", f"{row.last.kind} {self.clock(row.last.at)}, {safe(row.last.window)}"]
            yield ["", _came(row.last)]


def _came(event: AlertEvent) -> str:
    """How far a message has come."""
    if event.delivery is Delivery.SENT:
        return "sent"
    tries = f" after {event.tries} {'try' if event.tries == 1 else 'tries'}" if event.tries else ""
    came = ("waiting" if event.delivery is Delivery.WAITING else "given up") + tries
    return came if event.problem is None else f"{came}: {safe(event.problem)}"


def _way(channel: str, target: str | None) -> str:
    return (
        channel
        if target is None
        else f"{channel} {target}"
        if channel == "email"
        else f"{channel} env {target}"
    )


def _value(row: AlertStanding, value: Decimal) -> str:
    return value_words(_is_cost(row), row.metric, value)


def _is_cost(row: AlertStanding) -> bool:
    return row.level or row.metric.endswith("_cost")


def _print(page: _Page, done: Checked | None, *, as_json: bool) -> None:
    if as_json:
        out(json.dumps(_document(page, done), indent=2))
    else:
        where = f"by policy {page.engine.policy.name}, {page.clock(page.now)}, ledger {page.ledger}"
        for line in paragraph(safe(where)):
            out(dim(line))
        if not page.rows:
            out("no alerts: the policy has none, and no budget with levels")
        for line in page.lines():
            out(line)
    if done is not None:
        made, sent = listed_count(done.made, "message"), f"{done.sent:,} sent"
        note(f"{made} made, {sent}")
        for problem in done.unsent:
            note(f"{warned('warning:')} not sent: {safe(problem)}")


# --- JSON ------------------------------------------------------------------------------------------------


def _document(page: _Page, done: Checked | None) -> dict[str, object]:
    """The JSON of the alerts; schemas/alerts.schema.json is its shape."""
    policy = page.engine.policy
    checked = None
    if done is not None:
        checked = {"made": done.made, "sent": done.sent, "unsent": list(done.unsent)}
    units = {watched.name: watched for watched in watched_by(policy)}
    return {
        "format_version": FORMAT_VERSION,
        "policy": policy.name,
        "policy_digest": policy.digest,
        "ledger": page.ledger,
        "at": page.now.isoformat(),
        "alerts": [_as_json(row, units[row.alert]) for row in page.rows],
        "checked": checked,
    }


def _as_json(row: AlertStanding, watched: Watched) -> dict[str, object]:
    return {
        "name": row.alert,
        "level": row.level,
        "condition": row.condition,
        "metric": row.metric,
        "channel": row.channel,
        "target": row.target,
        "window": row.window,
        "value": None if row.value is None else in_unit(watched, row.value),
        "unit": unit_of(watched),
        "state": row.state.value,
        "since": row.since and row.since.isoformat(),
        "last": None if row.last is None else _event(row.last),
    }


def _event(event: AlertEvent) -> dict[str, object]:
    return {
        "id": event.id,
        "kind": event.kind.value,
        "window": event.window,
        "at": event.at.isoformat(),
        "delivery": event.delivery.value,
        "tries": event.tries,
        "problem": event.problem,
    }
