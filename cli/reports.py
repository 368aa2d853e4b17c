"""What `report`, `summary` and `provider-breakdown` share: options, and the report that these ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..policy.names import did_you_mean
from ..schemas.errors import PolicyError
from ..schemas.policy import Policy
from ..schemas.records import dataclass
from ..schemas.report import Report
from . import config
from .ledgers import ledger_here, ledger_option, open_ledger, shown, tell_waiting, with_environment
from .options import color_option, load_engine, policy_option
from .output import note
from .periods import DAYS_VARIABLE, MOST_DAYS, asked_period, days_of
from .run_progress import RunProgress, progress_of

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A report, and what it is shown with: what its period is called, whose policy and ledger it goes by.

    `why_no_policy` says why there is no policy, where there is none. `run` is how far the run has come, where
    the report is one of a run.
    """

    report: Report
    words: str
    policy: Policy | None
    why_no_policy: str | None
    ledger: str
    run: RunProgress | None = None


def report_options(function: F) -> F:
    """The period, the policy and the ledger of a report."""
    for decorate in reversed(
        [
            policy_option,
            ledger_option,
            click.option(
                "--days", type=click.IntRange(1, MOST_DAYS), metavar="N", help="The last N days, up to now."
            ),
            click.option("--since", metavar="TIME", help='From a day or time on, or "7 days ago".'),
            click.option("--until", metavar="TIME", help="Up to the end of a day, or up to a time."),
            click.option("--this-month", is_flag=True, help="The current month, and where it leads."),
            click.option("--all", "everything", is_flag=True, help="All that the ledger has."),
            click.option("--current-run", is_flag=True, help="Only the run under way, else the latest one."),
            click.option("--run", "run_id", metavar="ID", help="Only this run (also POLICYCTL_RUN)."),
            click.option("--json", "as_json", is_flag=True, help="Print JSON."),
            color_option,
        ]
    ):
        function = decorate(function)
    return function


def answer(
    options: dict[str, Any],
    *,
    by: tuple[str, ...],
    default_days: int | None = None,
    provider: str | None = None,
    counts_stories: bool = False,
) -> Answer:
    """
    The report that the options ask for.

    Raises:
        click.UsageError: there is no ledger, or what is asked for can't be.
        LedgerError: the ledger can't be used.
    """
    where = ledger_here(options["ledger"])
    policy, why = policy_here(options["policies"])
    with open_ledger(where, policy) as book:
        tell_waiting(book)
        environ = config.environment(Path.cwd())
        run_id = _run(book, options, environ)
        default = None if run_id is not None else days_of(environ.get(DAYS_VARIABLE)) or default_days
        asked = asked_period(options, default, book.clock(), book.calendar.zone)
        if provider is not None:
            provider = _provider(provider, book, policy)
        report = book.report(
            since=asked.period.since,
            until=asked.period.until,
            by=by if run_id is None else (*by, "story"),
            run_id=run_id,
            provider=provider,
            counts_stories=counts_stories,
        )
        run = None if run_id is None else progress_of(book, policy, report)
    words = asked.words if run_id is None else f"Run {run_id}"
    return Answer(report, words, policy, why, shown(where), run)


def _run(book: Ledger, options: dict[str, Any], environ: Mapping[str, str]) -> str | None:
    """The run that is asked for."""
    named: str | None = options["run_id"]
    if named is not None or not options["current_run"]:
        return named
    found = environ.get("POLICYCTL_RUN") or book.last_run()
    if found is None:
        raise click.UsageError("--current-run: the ledger has no call of a run")
    return found


def policy_here(named: tuple[str, ...]) -> tuple[Policy | None, str | None]:
    """
    The policy that is named or found; where there is none, why. Money is told with or without it.

    Raises:
        PolicyError: a policy that is named has errors.
    """
    if not named:
        try:
            config.find_policy(Path.cwd())
        except click.UsageError as error:
            return None, error.message
    try:
        return with_environment(load_engine(named), config.environment(Path.cwd())).policy, None
    except PolicyError:
        if named:
            raise
        return None, "the policy has errors, which policyctl validate shows"


def _provider(name: str, book: Ledger, policy: Policy | None) -> str:
    """
    A provider that calls or models have.

    Raises:
        click.UsageError: none has it.
    """
    models = {} if policy is None else policy.models
    known = dict.fromkeys([*book.providers(), *(model.provider for model in models.values())])
    if name not in known:
        hint = did_you_mean(name, known, else_list="the providers are")
        if name in models:
            hint = f"it is a model of provider {models[name].provider}"
        raise click.UsageError(f"--provider {name}: no call and no model has it; {hint}")
    return name


def tell_missing_policy(answer: Answer) -> None:
    """Say why nothing is held against a baseline."""
    if answer.why_no_policy is not None:
        note(f"note: {answer.why_no_policy}; so no baseline and no tiers, and days are UTC")
