"""`policyctl report`: what was spent, by whom, and what it would have cost on the baseline model."""

from __future__ import annotations

from typing import Any

import click

from ...schemas.report import GROUPS
from ..output import out
from ..report_files import as_csv, as_json
from ..reports import answer, report_options, tell_missing_policy


@click.command()
@click.option("--by", type=click.Choice(GROUPS), default="provider", help="What the rows are.")
@click.option("--detailed", is_flag=True, help="Also by model and by tier with its stories, and the month.")
@click.option("--verbose", is_flag=True, help="Also rates, latencies and the cost of a request for each row.")
@click.option("--csv", "csv_", is_flag=True, help="Print CSV: a line a row.")
@report_options
def command(by: str, detailed: bool, verbose: bool, csv_: bool, **options: Any) -> None:
    """
    Report what was spent, by whom, and what it would have cost on the baseline model.

    Calls belong to the moment at which they were reserved; days are those of the policy's zone.
    COST_REPORT_DAYS sets the period where no option does.
    """
    if options["as_json"] and csv_:
        raise click.UsageError("--json and --csv: say one of them")
    found = answer(options, by=(by,), counts_stories=detailed)
    if options["as_json"]:
        out(as_json(found))
        return
    tell_missing_policy(found)
    if csv_:
        out(as_csv(found))
        return
    from ..report_page import ReportPage

    page = ReportPage(found, detailed=detailed, verbose=verbose, month=options["this_month"])
    for line in page.lines():
        out(line)
