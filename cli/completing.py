"""
What a shell offers behind an option: names of the policy, stories of the PRD, codes, files.

Completion runs at each press of a key, so what goes wrong here offers nothing and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..schemas.errors import PolicyctlError
from . import config

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ..deciding import Engine

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def names(of: Callable[[Engine], Iterable[str]], suffix: str = "") -> Complete:
    """Offers some names of the policy that the command line means."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        engine = _engine(ctx)
        found = of(engine) if engine is not None else ()
        return [_item(name + suffix) for name in found if name.startswith(incomplete)]

    return complete


models = names(lambda engine: engine.table.references)
tiers = names(lambda engine: (tier.name for tier in engine.policy.tiers))
domains = names(lambda engine: engine.policy.domains)
providers = names(lambda engine: sorted({model.provider for model in engine.policy.models.values()}))
budgets = names(lambda engine: engine.policy.budgets, suffix="=")
alerts = names(lambda engine: (alert.name for alert in engine.policy.alerts))
budget_names = names(lambda engine: engine.policy.budgets)
gates = names(lambda engine: (e.gate for e in engine.policy.escalations if e.gate), suffix="=failed")
models_and_rules = names(lambda engine: [*engine.table.references, *(r.name for r in engine.policy.rules)])


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Leaves it to the shell to offer files."""
    return [_item(incomplete, type="file")]


def stories(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offers the stories of the PRD that the command line means, with their titles."""
    from .prds import read_prd_file

    try:
        named = ctx.params.get("prd")
        prd = read_prd_file(Path(named) if named else config.find_prd(Path.cwd()))
    except (click.UsageError, PolicyctlError, OSError):
        return []
    return [_item(s.id, help=s.title[:60]) for s in prd.stories if s.id.startswith(incomplete)]


def codes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offers the codes of diagnostics."""
    from .pages import known_codes

    return [_item(code) for code in known_codes() if code.startswith(incomplete.upper())]


def schemas(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offers the published schemas."""
    from .published import schema_names

    return [_item(name) for name in schema_names() if name.startswith(incomplete)]


def _item(value: str, **about: str) -> CompletionItem:
    from click.shell_completion import CompletionItem  # only for a shell that asks

    return CompletionItem(value, **about)


def _engine(ctx: click.Context) -> Engine | None:
    """The engine of the policy that the command line means; None where there is none to be had."""
    from . import cache

    try:
        return cache.engine(tuple(map(str, ctx.params.get("policies") or config.find_policy(Path.cwd()))))
    except (click.UsageError, PolicyctlError, OSError):
        return None
