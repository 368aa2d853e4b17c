"""`policyctl rule`: the page of a diagnostic's code."""

from __future__ import annotations

import json

import click

from ...policy.names import did_you_mean
from .. import completing
from ..options import color_option
from ..output import columns, named, out, strong
from ..pages import known_codes, page_of, title_of

FORMAT_VERSION = "1.0"


@click.command()
@click.argument("code", required=False, shell_complete=completing.codes)
@click.option("--all", "everything", is_flag=True, help="List all codes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def command(code: str | None, everything: bool, as_json: bool) -> None:
    """
    Print the page of a diagnostic's code.

    The page says what is found, why it matters, and shows an example and its mend. Without a CODE
    all codes are listed.
    """
    if code is None or everything:
        _list_all(as_json)
        return
    modules = known_codes()
    wanted = code.upper()
    if wanted not in modules:
        help = did_you_mean(wanted, modules) or "policyctl rule lists all codes"
        raise click.UsageError(f"there is no code {code}; {help}")
    page = page_of(modules[wanted])
    if as_json:
        rule = {"code": wanted, "title": title_of(page), "page": page}
        out(json.dumps({"format_version": FORMAT_VERSION, "rules": [rule]}, indent=2))
    else:
        title, _, rest = page.partition("\n")
        out(strong(title) + "\n" + rest)


def _list_all(as_json: bool) -> None:
    texts = [(code, page_of(module)) for code, module in sorted(known_codes().items())]
    pages = [(code, title_of(page), page) for code, page in texts]
    if as_json:
        rules = [{"code": code, "title": title, "page": page} for code, title, page in pages]
        out(json.dumps({"format_version": FORMAT_VERSION, "rules": rules}, indent=2))
        return
    for line in columns([[named(code), title] for code, title, _ in pages], indent=0):
        out(line)
