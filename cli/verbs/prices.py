"""`policyctl prices`: what the price catalogue knows of models; a newer catalogue."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import date

import click

from ...policy.names import listed
from ...policy.words import costs, price
from ...providers.catalogue import find_by_name, key_names_for, look_up, suggest
from ...providers.snapshots import InForce, catalogue_in_force
from ...schemas.catalogue import Catalogue, Price
from ...schemas.errors import PolicyctlError, Problem, RequestError
from ...schemas.policy import CAPABILITIES, NANO, Model, Policy
from ...schemas.records import dataclass
from .. import completing
from ..options import color_option, load_engine, policy_option
from ..output import bad, columns, dim, named, out, paragraph, safe, strong, warned
from ..updating import described, take_newer

FORMAT_VERSION = "1.0"

UNKNOWN = Price("", None, None, frozenset(), None, None, None)


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]... | update", shell_complete=completing.models)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--from",
    "price_map",
    metavar="FILE",
    shell_complete=completing.files,
    help="For update: a price map of LiteLLM's. Default: that of the LiteLLM installed here.",
)
@policy_option
@color_option
def command(models: tuple[str, ...], as_json: bool, price_map: str | None, policies: tuple[str, ...]) -> None:
    """
    Show what the price catalogue knows of models, or take a newer one.

    A MODEL is an id as a policy writes it (anthropic/claude-haiku-5-5), the same without its provider,
    or a name of the policy found from here. Without one, all models of that policy are listed.

    `policyctl prices update` makes a catalogue from an installed LiteLLM and writes it to the file that
    POLICYCTL_PRICES names, else to the user's data folder. It counts wherever it is newer than the one
    that policyctl ships with. Nothing is fetched.
    """
    updates = models == ("update",)
    if price_map is not None and not updates:
        raise click.UsageError("--from belongs to an update: policyctl prices update --from FILE")
    policy = _policy(policies)
    if updates:
        take_newer(price_map, policy)
        return
    there = catalogue_in_force(os.environ)
    known = _known(there.catalogue, models, policy)
    if as_json:
        out(json.dumps(_as_json(there, known), indent=2))
        return
    for line in _blocks(there.catalogue, known) if models else _table(known):
        out(line)
    if known:
        out()
    for line in paragraph(described(there)):
        out(dim(safe(line)))


# --- which models ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """A model that is shown: as it was asked for, its entry of the policy, its facts, if any."""

    name: str
    id: str
    model: Model | None
    price: Price | None


def _policy(policies: tuple[str, ...]) -> Policy | None:
    """The policy that is named or found; without a usable one there are no names of its own."""
    try:
        return load_engine(policies).policy
    except (click.UsageError, PolicyctlError):
        if policies:
            raise
        return None


def _known(catalogue: Catalogue, names: tuple[str, ...], policy: Policy | None) -> list[Known]:
    models = {} if policy is None else policy.models
    if not names:
        return [Known(k, m.id, m, look_up(catalogue, m.id)) for k, m in models.items()]
    aliases = {alias: m for m in models.values() for alias in m.aliases}
    found = [_one(catalogue, name, models.get(name) or aliases.get(name)) for name in dict.fromkeys(names)]
    problems = tuple(_unknown(catalogue, each.id) for each in found if each.price is None)
    if problems:
        raise RequestError(problems)
    return found


def _one(catalogue: Catalogue, name: str, model: Model | None) -> Known:
    model_id = model.id if model is not None else find_by_name(catalogue, name) or name
    return Known(name, model_id, model, look_up(catalogue, model_id))


def _unknown(catalogue: Catalogue, model_id: str) -> Problem:
    near = suggest(catalogue, model_id)
    help = f"did you mean {listed([f'`{each}`' for each in near], last='or')}?" if near else None
    return Problem("model", f"the price catalogue has no `{model_id}`", help)


# --- pages ---------------------------------------------------------------------------------------------


def _table(known: list[Known]) -> list[str]:
    """The models of a policy: the price there is, the one that is written instead, the date."""
    if not known:
        return []
    head = [strong(word) for word in ("model", "catalogue", "policy", "deprecated")]
    return columns([head, *map(_row, known)], indent=0)


def _row(known: Known) -> list[str]:
    listed = None if known.price is None else _pair(known.price)
    written = _written(known)
    said = "" if written in (None, listed) or written is None else warned(price(*written))
    return [named(safe(known.name)), _price(known.price), said, _deprecated(known.price)]


def _pair(known: Price) -> tuple[int, int] | None:
    price_in, price_out = known.price_in_nusd_per_mtok, known.price_out_nusd_per_mtok
    return None if price_in is None or price_out is None else (price_in, price_out)


def _written(known: Known) -> tuple[int, int] | None:
    """The price that the policy writes."""
    if known.model is None or known.model.costs_span is None:
        return None
    return known.model.price_in_nusd_per_mtok, known.model.price_out_nusd_per_mtok


def _price(known: Price | None) -> str:
    pair = None if known is None else _pair(known)
    return "unknown" if pair is None else price(*pair)


def _deprecated(known: Price | None) -> str:
    if known is None or known.deprecation_date is None:
        return ""
    past = date.fromisoformat(known.deprecation_date) <= date.today()
    return (bad if past else warned)(known.deprecation_date)


def _blocks(catalogue: Catalogue, known: Iterable[Known]) -> list[str]:
    lines: list[str] = []
    for each in known:
        lines += [""] if lines else []
        lines.append(strong(safe(each.id)))
        lines += columns([[dim(label), text] for label, text in _details(catalogue, each) if text])
    return lines


def _details(catalogue: Catalogue, known: Known) -> list[tuple[str, str]]:
    facts, written = known.price, _written(known)
    assert facts is not None  # an unknown model was told
    pair = _pair(facts)
    return [
        ("price", "unknown" if pair is None else f"{costs(*pair)} per 1M tokens"),
        ("policy", "" if written in (None, pair) or written is None else f"writes {costs(*written)}"),
        ("context", _tokens(facts.context_tokens)),
        ("output", _tokens(facts.output_tokens)),
        ("can", ", ".join(c for c in CAPABILITIES if c in facts.capabilities) or "nothing"),
        ("deprecated", _deprecated(facts)),
        ("key", " or ".join(key_names_for(catalogue, known.id)) or "none needed"),
    ]


def _tokens(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,} tokens"


def _as_json(there: InForce, known: list[Known]) -> dict[str, object]:
    catalogue = there.catalogue
    return {
        "format_version": FORMAT_VERSION,
        "catalogue": {
            "as_of": catalogue.as_of,
            "litellm_version": catalogue.litellm_version or None,
            "shipped": there.shipped,
            "path": str(there.path),
        },
        "models": [_model_as_json(catalogue, each) for each in known],
    }


def _model_as_json(catalogue: Catalogue, known: Known) -> dict[str, object]:
    facts = known.price or UNKNOWN
    return {
        "name": known.name,
        "id": known.id,
        "known": known.price is not None,
        "price_in_nusd_per_mtok": facts.price_in_nusd_per_mtok,
        "price_out_nusd_per_mtok": facts.price_out_nusd_per_mtok,
        "price_in_usd_per_mtok": _usd(facts.price_in_nusd_per_mtok),
        "price_out_usd_per_mtok": _usd(facts.price_out_nusd_per_mtok),
        "capabilities": [c for c in CAPABILITIES if c in facts.capabilities],
        "context_tokens": facts.context_tokens,
        "output_tokens": facts.output_tokens,
        "deprecation_date": facts.deprecation_date,
        "key_names": list(key_names_for(catalogue, known.id)),
    }


def _usd(nusd: int | None) -> float | None:
    return None if nusd is None else nusd / NANO
