"""The ledger and the budgets that a command line means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..deciding import Engine
from ..ledger.address import is_address
from ..policy.words import nusd_of
from ..schemas.policy import Policy
from ..schemas.request import Spend
from . import completing, config
from .output import note, safe

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger

F = TypeVar("F", bound=Callable[..., Any])


def ledger_option(function: F) -> F:
    """`--ledger`, on every verb that reads what was spent."""
    return click.option(
        "--ledger",
        "ledger",
        metavar="FILE|URL",
        shell_complete=completing.files,
        help="The ledger; `none`: leave it out. Default: .claude-loop/policyctl.db from here upward.",
    )(function)


def run_option(function: F) -> F:
    """`--run`, for budgets per run."""
    return click.option(
        "--run", "run_id", envvar="POLICYCTL_RUN", metavar="ID", help="The run, for budgets per run."
    )(function)


def open_ledger(where: Path | str, policy: Policy | None = None, *, create: bool = False) -> Ledger:
    """
    Open a ledger with its usage log.

    Raises:
        LedgerError: it can't be used.
    """
    from ..ledger.ledger import Ledger

    return Ledger(where, policy, log=config.usage_log(where, Path.cwd()), create=create)


def ledger_here(said: str | None) -> Path | str:
    """
    The ledger that a verb needs.

    Raises:
        click.UsageError: there is none.
    """
    where = config.find_ledger(Path.cwd(), said)
    if where is None:
        raise click.UsageError("no ledger was found here or above; policyctl ledger init makes one")
    return where


def shown(where: Path | str) -> str:
    """A ledger's place as it may be shown: the address of a database without its password."""
    if not is_address(str(where)):
        return safe(str(where))
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(str(where))
    host = parts.hostname or ""
    place = f"{host}:{parts.port}" if parts.port else host
    return safe(urlunsplit((parts.scheme, place, parts.path, "", "")))


def with_environment(engine: Engine, environ: Mapping[str, str]) -> Engine:
    """
    The engine with the monthly limit that MONTHLY_COST_BUDGET sets.

    Raises:
        click.UsageError: what it says is no amount of money.
    """
    text = environ.get("MONTHLY_COST_BUDGET")
    if not text:
        return engine
    from ..engine.limits import with_monthly_limit

    return engine.with_budgets(
        with_monthly_limit(engine.policy.budgets, nano_usd("MONTHLY_COST_BUDGET", text))
    )


def with_ledger(
    engine: Engine, where: Path | str, at: datetime | None, run_id: str | None, story_id: str | None
) -> tuple[Engine, dict[str, Spend]]:
    """
    The engine with the budgets as they are in force, and what each has spent.

    Raises:
        LedgerError: the ledger can't answer; then no budget can be trusted.
    """
    from ..engine.limits import spend_in

    with open_ledger(where, engine.policy) as ledger:
        windows = ledger.status(run_id=run_id, story_id=story_id, at=at)
    return engine.in_force(windows), spend_in(windows)


def tell_ledger(ledger: str | None) -> None:
    """Say whose spend a page goes by."""
    if ledger is not None:
        note(f"note: spend by {ledger}; --ledger none leaves it out")


def nano_usd(what: str, text: str) -> int:
    """
    An amount of money (25, $25 or 0.50) in nano-USD, rounded down.

    Raises:
        click.UsageError: it is none.
    """
    amount_nusd = nusd_of(text)
    if amount_nusd is None:
        raise click.UsageError(f"{what} {text}: that is no amount of money; write 25 or 0.50")
    return amount_nusd


def tell_waiting(ledger: Ledger) -> None:
    """Say where lines of the usage log can't be written."""
    if ledger.outbox.problem is not None:
        note(f"note: {safe(ledger.outbox.problem)}; its lines wait in the ledger")
