"""The pages of diagnostics' codes: what the file of each check opens with."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import cleandoc

from ..policy import checks

HEADINGS = ("What it finds", "Why it matters", "Example", "Instead")
"""The parts of a page, in their order."""


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
