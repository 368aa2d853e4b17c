"""`policyctl rule`: the page of a diagnostic's code."""

from __future__ import annotations

import json
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import cleandoc

import click

from ...policy import checks
from ...policy.names import did_you_mean
from .. import completing
from ..options import color_option
from ..output import columns, named, out, strong

FORMAT_VERSION = "1.0"

HEADINGS = ("What it finds", "Why it matters", "Example", "Instead")
"""The parts of a page, in their order."""


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


def known_codes() -> dict[str, str]:
    """Each code, and the module that holds its page."""
    return {name[:4].upper(): name for name in _modules()}


def _modules() -> Iterator[str]:
    for module in pkgutil.iter_modules(checks.__path__):
        if module.name[:1] == "p" and module.name[1:4].isdigit():
            yield module.name


def page_of(module: str) -> str:
    """The page of a check: what its file opens with."""
    return cleandoc(import_module(f"{checks.__name__}.{module}").__doc__ or "")


def title_of(page: str) -> str:
    """`unknown model`, from a page that starts `P203: unknown model`."""
    return page.partition("\n")[0].partition(": ")[2]


def sections(page: str) -> dict[str, str]:
    """The text below each heading of a page."""
    parts = re.split(rf"^({'|'.join(HEADINGS)})$\n", page, flags=re.MULTILINE)
    return {heading: text.strip("\n") for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def _list_all(as_json: bool) -> None:
    texts = [(name[:4].upper(), page_of(name)) for name in sorted(_modules())]
    pages = [(code, title_of(page), page) for code, page in texts]
    if as_json:
        rules = [{"code": code, "title": title, "page": page} for code, title, page in pages]
        out(json.dumps({"format_version": FORMAT_VERSION, "rules": rules}, indent=2))
        return
    for line in columns([[named(code), title] for code, title, _ in pages], indent=0):
        out(line)
