"""`policyctl report`: what was spent, by whom, and what it would have cost on the baseline model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...schemas.report import GROUPS
from .. import completing
from ..output import note, out, safe
from ..report_files import as_csv, as_json
from ..reports import answer, report_options, tell_missing_policy
from ..writing import rewrite


@click.command()
@click.option("--by", type=click.Choice(GROUPS), default="provider", help="What the rows are.")
@click.option("--detailed", is_flag=True, help="Also by model and by tier with its stories, and the month.")
@click.option("--verbose", is_flag=True, help="Also rates, latencies and the cost of a request for each row.")
@click.option(
    "--html",
    metavar="FILE",
    shell_complete=completing.files,
    help="Write one page with charts, for a browser.",
)
@click.option("--csv", "csv_", is_flag=True, help="Print CSV: a line a row.")
@report_options
def command(by: str, detailed: bool, verbose: bool, csv_: bool, html: str | None, **options: Any) -> None:
    """
    Report what was spent, by whom, and what it would have cost on the baseline model.

    Calls belong to the moment at which they were reserved; days are those of the policy's zone.
    COST_REPORT_DAYS sets the period where no option does.
    """
    if sum((options["as_json"], csv_, html is not None)) > 1:
        raise click.UsageError("--json, --csv and --html: say one of them")
    groups = (by,) if html is None else (by, "story", "day")
    found = answer(options, by=groups, counts_stories=detailed)
    if options["as_json"]:
        out(as_json(found))
        return
    tell_missing_policy(found)
    if csv_:
        out(as_csv(found))
        return
    if html is not None:
        from ..report_html import as_html

        rewrite(Path(html), as_html(found).encode())
        note(f"wrote {safe(html)}")
        return
    from ..report_page import ReportPage

    page = ReportPage(found, detailed=detailed, verbose=verbose, month=options["this_month"])
    for line in page.lines():
        out(line)
