"""`policyctl list`: the models of a policy."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ...deciding import Engine
from ...policy.words import number, price
from ...providers.keys import available_models
from ...schemas.policy import CAPABILITIES, NANO, Model
from .. import config
from ..options import color_option, load_engine, policy_option
from ..output import bad, columns, dim, fits, good, named, out, safe, strong

FORMAT_VERSION = "1.0"


@click.command()
@policy_option
@click.option("--verbose", is_flag=True, help="Show tiers, capabilities, windows, names and keys too.")
@click.option("--available", is_flag=True, help="Only models whose key is set.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def command(policies: tuple[str, ...], verbose: bool, available: bool, as_json: bool) -> None:
    """
    List the models of a policy.

    A tick marks the models that are enabled.
    """
    engine = load_engine(policies)
    models = list(engine.policy.models.values())
    if available:
        with_key = available_models(models, config.environment(Path.cwd()))
        models = [m for m in models if m.enabled and m.key in with_key]
    if as_json:
        document = {
            "format_version": FORMAT_VERSION,
            "policy": engine.policy.name,
            "policy_digest": engine.policy.digest,
            "models": [_as_json(engine, m) for m in models],
        }
        out(json.dumps(document, indent=2))
        return
    out(strong("Configured Providers:"))
    for line in (
        columns([_row(m) for m in models], indent=0, gap=1) if not verbose else _verbose(engine, models)
    ):
        out(line)


def _row(model: Model) -> list[str]:
    return [_tick(model), named(safe(model.key)) + " ", safe(model.id) + " ", f"{_price(model)} per 1M"]


def _tick(model: Model) -> str:
    tick, cross = ("✓", "✗") if fits("✓✗") else ("+", "-")
    return good(tick) if model.enabled else bad(cross)


def _price(model: Model) -> str:
    return price(model.price_in_nusd_per_mtok, model.price_out_nusd_per_mtok)


def _verbose(engine: Engine, models: list[Model]) -> list[str]:
    lines: list[str] = []
    for model in models:
        lines.append(f"{_tick(model)} {named(safe(model.key))}  {dim(safe(model.id))}")
        lines += columns([[dim(label), safe(text)] for label, text in _details(engine, model)], indent=4)
    return lines


def _details(engine: Engine, model: Model) -> list[tuple[str, str]]:
    tiers = [t.name for t in engine.policy.tiers if model.key in t.models]
    settings = ", ".join(f"{name} {number(value)}" for name, value in model.settings)
    details = [
        ("price", f"{_price(model)} per 1M tokens"),
        ("tier", ", ".join(tiers) or "none"),
        ("can", ", ".join(c for c in CAPABILITIES if c in model.capabilities) or "nothing"),
        ("context", "unknown" if model.context_tokens is None else f"{model.context_tokens:,} tokens"),
        ("output", "" if model.output_tokens is None else f"{model.output_tokens:,} tokens"),
        ("timeout", "" if model.timeout_s is None else f"{number(model.timeout_s)} s"),
        ("settings", settings),
        ("alias", ", ".join(model.aliases)),
        ("server", model.server or ""),
        ("key", " or ".join(model.key_names) or "none needed"),
    ]
    return [(label, text) for label, text in details if text]


def _as_json(engine: Engine, model: Model) -> dict[str, object]:
    return {
        "key": model.key,
        "id": model.id,
        "provider": model.provider,
        "enabled": model.enabled,
        "price_in_usd_per_mtok": model.price_in_nusd_per_mtok / NANO,
        "price_out_usd_per_mtok": model.price_out_nusd_per_mtok / NANO,
        "capabilities": [c for c in CAPABILITIES if c in model.capabilities],
        "context_tokens": model.context_tokens,
        "output_tokens": model.output_tokens,
        "timeout_s": model.timeout_s,
        "tiers": [t.name for t in engine.policy.tiers if model.key in t.models],
        "aliases": list(model.aliases),
        "key_names": list(model.key_names),
    }
