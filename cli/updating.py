"""`policyctl prices update`: a newer price catalogue, and what it changes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from ..policy.words import costs, listed_count
from ..providers.catalogue import look_up
from ..providers.snapshots import (
    VARIABLE,
    Changes,
    InForce,
    PriceMap,
    catalogue_in_force,
    changes,
    installed_map,
    is_older,
    make_catalogue,
    own_place,
)
from ..schemas.catalogue import Catalogue, Price
from ..schemas.policy import Policy
from .output import columns, named, out, paragraph, safe
from .problems import Impossible
from .writing import make_folder, rewrite

MOST_TOLD = 8
"""Models of the policy whose change is told."""


def take_newer(file: str | None, policy: Policy | None) -> None:
    """
    Make a price catalogue of a file or of the LiteLLM installed here, and say what it changes.

    Raises:
        Impossible: there is no such file, it can't be used, is older, or can't be written.
    """
    before = catalogue_in_force(os.environ)
    source = _price_map(file, before.catalogue)
    place = own_place(os.environ)
    if place is None:
        raise Impossible("there is no home folder to write to", f"say where: {VARIABLE}=FILE")
    try:
        made = make_catalogue(source, date.today().isoformat())
    except ValueError as error:
        raise Impossible(f"{source.path} can't be used: {error}") from error
    make_folder(place.parent)
    rewrite(place, made)
    _tell(before, catalogue_in_force(os.environ), policy)


def _price_map(file: str | None, known: Catalogue) -> PriceMap:
    if file is not None:
        return PriceMap(Path(file), "")
    found = installed_map()
    if found is None:
        raise Impossible(
            "LiteLLM isn't installed here",
            "pip install 'policyctl[run]', or name a price map of LiteLLM's: --from FILE",
        )
    if is_older(found.litellm_version, known.litellm_version):
        raise Impossible(
            f"LiteLLM {found.litellm_version}, which is installed here, is older than the price catalogue, "
            f"which is from {known.litellm_version}",
            "pip install --upgrade 'policyctl[run]'",
        )
    return found


# --- what it changed --------------------------------------------------------------------------------


def described(there: InForce) -> str:
    """Which catalogue it is: `Price catalogue of 2026-11-23, from LiteLLM 1.109.1, …`."""
    catalogue = there.catalogue
    origin = f", from LiteLLM {catalogue.litellm_version}" if catalogue.litellm_version else ""
    count = len({price.id for price in catalogue.prices.values()})
    home = "as policyctl ships it" if there.shipped else str(there.path)
    return f"Price catalogue of {catalogue.as_of}{origin}: {count:,} models, {home}."


def _tell(before: InForce, after: InForce, policy: Policy | None) -> None:
    if after.shipped:
        reason = after.problem or "the one that policyctl ships with is newer"
        raise Impossible(f"the new price catalogue doesn't count: {reason}")
    for line in paragraph(described(after)):
        out(safe(line))
    found = changes(before.catalogue, after.catalogue)
    if found == Changes():
        out("Nothing changed.")
        return
    out(
        f"Since that of {before.catalogue.as_of}: {listed_count(len(found.new), 'model')} new, "
        f"{len(found.gone):,} gone, {len(found.changed):,} changed in price or date."
    )
    if policy is not None:
        _tell_of_policy(policy, list(_changed(policy, before.catalogue, after.catalogue)))


def _tell_of_policy(policy: Policy, rows: list[list[str]]) -> None:
    if not rows:
        out(f"None of them is a model of policy {safe(policy.name)}.")
        return
    out(f"Of the models of policy {safe(policy.name)}:")
    for line in columns(rows[:MOST_TOLD]):
        out(line)
    if len(rows) > MOST_TOLD:
        out(f"  and {len(rows) - MOST_TOLD} more")


def _changed(policy: Policy, before: Catalogue, after: Catalogue) -> Iterator[list[str]]:
    """Models whose price or deprecation date is another now, or that came or went."""
    for model in policy.models.values():
        old, new = look_up(before, model.id), look_up(after, model.id)
        if _facts(old) != _facts(new):
            yield [named(safe(model.key)), f"{_facts(old)} -> {_facts(new)}"]


def _facts(price: Price | None) -> str:
    if price is None:
        return "unknown"
    price_in, price_out = price.price_in_nusd_per_mtok, price.price_out_nusd_per_mtok
    text = "no price" if price_in is None or price_out is None else costs(price_in, price_out)
    return text if price.deprecation_date is None else f"{text}, deprecated {price.deprecation_date}"
