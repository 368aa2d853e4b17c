"""How far a run has come: what it cost, its stories, where that leads, and its budget."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..policy.words import usd
from ..schemas.errors import PolicyctlError
from ..schemas.policy import Policy
from ..schemas.records import dataclass
from ..schemas.report import Report
from ..schemas.story import Prd
from . import config
from .output import warned
from .prds import read_prd_file

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class RunProgress:
    """
    A run so far.

    `done` are stories of the PRD that pass and have calls in the run, `left` those that don't pass; None: no
    PRD is found. `limit_nusd` is the limit of the budget per run; None: there is none.
    """

    cost_nusd: int
    is_least: bool
    done: int | None
    left: int | None
    limit_nusd: int | None

    @property
    def remaining_nusd(self) -> int | None:
        """What is left of the budget per run."""
        return None if self.limit_nusd is None else max(self.limit_nusd - self.cost_nusd, 0)

    @property
    def projected_nusd(self) -> int | None:
        """What the run will have cost, if the stories that are left cost as much as those that are done."""
        if not self.done or self.left is None:
            return None
        return self.cost_nusd * (self.done + self.left) // self.done

    def lines(self) -> Iterator[str]:
        """A line each."""
        yield f"Current Run Cost: {'>=' if self.is_least else ''}{usd(self.cost_nusd, 2)}"
        if self.done is not None and self.left is not None:
            yield f"Stories completed: {self.done:,}/{self.done + self.left:,}"
        if self.projected_nusd is not None:
            over = self.limit_nusd is not None and self.projected_nusd > self.limit_nusd
            text = f"Projected total: {usd(self.projected_nusd, 2)}"
            yield warned(f"{text} (more than the budget)") if over else text
        if self.limit_nusd and self.remaining_nusd is not None:
            share = 100 * self.remaining_nusd / self.limit_nusd
            yield f"Budget: {usd(self.limit_nusd, 2)} ({share:.1f}% remaining)"


def progress_of(
    book: Ledger, policy: Policy | None, report: Report, prd_file: Path | None = None
) -> RunProgress:
    """
    The progress of the run of a report, which has its calls by story.

    Args:
        prd_file: the PRD; None: the one that is found from here upward, if there is one.
    """
    prd, done, left = _prd(prd_file), None, None
    if prd is not None:
        called = {row.parent or row.name for row in report.groups["story"]}
        done = sum(story.passes and story.id in called for story in prd.stories)
        left = sum(not story.passes for story in prd.stories)
    return RunProgress(
        report.total.cost_nusd, report.total.is_least, done, left, _limit(book, policy, report.run_id)
    )


def _prd(file: Path | None) -> Prd | None:
    with suppress(click.ClickException, PolicyctlError, OSError):
        return read_prd_file(config.find_prd(Path.cwd()) if file is None else file)
    return None


def _limit(book: Ledger, policy: Policy | None, run_id: str | None) -> int | None:
    for window in book.glance(run_id).windows:
        budget = None if policy is None else policy.budgets[window.budget]
        if budget is not None and budget.period == "run" and budget.scope is None:
            return window.limit_nusd
    return None
