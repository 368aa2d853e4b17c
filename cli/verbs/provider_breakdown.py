"""`policyctl provider-breakdown`: what one provider's models were asked, and what that cost."""

from __future__ import annotations

from typing import Any

import click

from .. import completing
from ..output import out
from ..report_files import as_json
from ..report_page import ReportPage
from ..reports import answer, report_options, tell_missing_policy


@click.command()
@click.option(
    "--provider",
    required=True,
    metavar="PROVIDER",
    shell_complete=completing.providers,
    help="Whose models: anthropic, litellm, …",
)
@report_options
def command(provider: str, **options: Any) -> None:
    """
    Report what one provider's models were asked, and what that cost.

    The figures are those of `policyctl report`, of this provider's calls alone, by model, with how well
    these answered.
    """
    found = answer(options, by=("model",), provider=provider)
    if options["as_json"]:
        out(as_json(found))
        return
    tell_missing_policy(found)
    for line in ReportPage(found, verbose=True).lines():
        out(line)
