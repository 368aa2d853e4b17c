"""`policyctl summary`: what was spent and saved, in one line."""

from __future__ import annotations

from typing import Any

import click

from ..output import out
from ..report_files import as_json
from ..report_page import summary_line
from ..reports import answer, report_options, tell_missing_policy

DAYS = 7


@click.command()
@report_options
def command(**options: Any) -> None:
    """
    Say in one line what was spent and saved, in the last 7 days unless an option says otherwise.

    COST_REPORT_DAYS sets another number of days.
    """
    found = answer(options, by=("provider",), default_days=DAYS)
    if options["as_json"]:
        out(as_json(found))
        return
    tell_missing_policy(found)
    out(summary_line(found))
