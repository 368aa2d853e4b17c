"""One look at a run that is under way, as `monitor` shows it again and again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ..policy.words import listed_count, usd
from ..schemas.policy import Policy
from ..schemas.records import dataclass
from ..schemas.report import Report
from . import model_health
from .ledgers import shown
from .output import bar, columns, dim, paragraph, safe, strong
from .planning import one_line
from .run_progress import RunProgress, progress_of
from .standing import Standing, money_json, standing_json

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger

FORMAT_VERSION = "1.0"

BAR = 24


@dataclass(frozen=True, slots=True)
class Run:
    """The run that is looked at: its calls, and how far it has come."""

    id: str
    report: Report
    progress: RunProgress


@dataclass(frozen=True, slots=True)
class Frame:
    """
    What is known at a moment.

    `ledger` is None where there is none yet, `run` where no call belongs to one, `policy` where none is
    found.
    """

    at: datetime
    ledger: str | None
    policy: Policy | None
    run: Run | None
    budgets: tuple[Standing, ...]
    models: tuple[model_health.Looked, ...]

    def lines(self) -> Iterator[str]:
        """The frame as a person reads it."""
        zone = ZoneInfo("UTC" if self.policy is None else self.policy.timezone)
        head = "no run yet" if self.run is None else f"run {one_line(self.run.id)}"
        yield f"{strong(safe(head))}  {dim(f'{self.at.astimezone(zone):%a %d %b %Y %H:%M:%S %Z}')}"
        yield ""
        if self.ledger is None:
            yield "no ledger was found here or above; the first call of a loop makes one"
        elif self.run is None:
            yield "the ledger has no call of a run"
        else:
            yield from self._run(self.run)
        if self.budgets:
            yield ""
            yield strong("Budgets")
            yield from columns(row for budget in self.budgets for row in budget.rows())
        if self.models:
            yield from self._models()

    def _run(self, run: Run) -> Iterator[str]:
        progress, report = run.progress, run.report
        yield from progress.lines()
        if progress.done is not None and progress.left is not None and progress.done + progress.left:
            share = progress.done / (progress.done + progress.left)
            yield f"{bar(share, BAR)}  {int(100 * share)}% of the stories"
        total = report.total
        yield f"Requests: {total.calls:,}, {total.failed:,} failed, {total.fallbacks:,} by fallback"
        if report.open_calls:
            calls = listed_count(report.open_calls, "call")
            yield from map(dim, paragraph(f"{calls} under way, {usd(report.held_nusd, 2)} held"))

    def _models(self) -> Iterator[str]:
        yield ""
        yield strong(f"Models, the last {model_health.span(model_health.HOUR_S)}")
        yield from columns(model_health.row(each) for each in self.models if _is_known(each))
        unasked = [safe(each.model.key) for each in self.models if not _is_known(each)]
        if unasked:
            yield from map(dim, paragraph(f"not asked: {', '.join(unasked)}", indent=2))

    def document(self) -> dict[str, object]:
        """The frame as JSON; schemas/monitor.schema.json is its shape."""
        return {
            "format_version": FORMAT_VERSION,
            "at": self.at.isoformat(),
            "ledger": self.ledger,
            "policy": None if self.policy is None else self.policy.name,
            "run": None if self.run is None else _run_json(self.run),
            "budgets": [standing_json(budget) for budget in self.budgets],
            "models": [model_health.as_json(model) for model in self.models],
        }


def _is_known(each: model_health.Looked) -> bool:
    return each.record.calls > 0 or each.state != "unknown"


def _run_json(run: Run) -> dict[str, object]:
    progress, report = run.progress, run.report
    return {
        "id": run.id,
        **money_json("cost", progress.cost_nusd),
        "is_least": progress.is_least,
        "calls": report.total.calls,
        "failed": report.total.failed,
        "fallbacks": report.total.fallbacks,
        "open_calls": report.open_calls,
        **money_json("held", report.held_nusd),
        "stories_done": progress.done,
        "stories_left": progress.left,
        **money_json("projected", progress.projected_nusd),
        **money_json("limit", progress.limit_nusd),
        **money_json("remaining", progress.remaining_nusd),
    }


def look(
    book: Ledger | None,
    policy: Policy | None,
    now: datetime,
    *,
    run_id: str | None = None,
    prd_file: Path | None = None,
) -> Frame:
    """
    Look at a run, by default at the one of the latest call. That only reads, and no call waits for it.

    Models are looked at by their calls alone: the loop may have keys that this process hasn't.

    Raises:
        LedgerError: the ledger can't answer.
    """
    run: Run | None = None
    budgets: tuple[Standing, ...] = ()
    if book is not None:
        run_id = run_id or book.last_run()
        run = None if run_id is None else _run(book, policy, run_id, prd_file)
        budgets = _budgets(book, policy, run_id, now)
    models = () if policy is None else policy.models.values()
    looked = model_health.looked_at(models, None, book, model_health.HOUR_S, now.timestamp())
    return Frame(now, None if book is None else shown(book.where), policy, run, budgets, tuple(looked))


def _run(book: Ledger, policy: Policy | None, run_id: str, prd_file: Path | None) -> Run:
    report = book.report(run_id=run_id, by="story")
    return Run(run_id, report, progress_of(book, policy, report, prd_file))


def _budgets(book: Ledger, policy: Policy | None, run_id: str | None, now: datetime) -> tuple[Standing, ...]:
    """The budgets whose window is known; those per story have none here."""
    if policy is None:
        return ()
    windows = book.glance(run_id).windows
    return tuple(Standing(policy, window, now) for window in windows if window.window is not None)
