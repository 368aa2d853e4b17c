"""
What the price catalogue says against a policy: models that go away, prices that are off.

All of it are warnings, and depend on the day; a policy is decided by what it says.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from ..schemas.catalogue import Price, Prices
from ..schemas.diagnostics import Diagnostic
from ..schemas.policy import Model, Policy
from .checks.p801_past_deprecation import past_deprecation
from .checks.p802_soon_deprecated import soon_deprecated
from .checks.p803_price_differs import price_differs
from .checks.p804_price_per_thousand import price_per_thousand
from .checks.p805_unlisted_model import unlisted_model
from .legacy.catalogue import NAME as KNOWN_MODELS
from .words import costs

SOON_DAYS = 60
"""How long before its deprecation date a model is told."""

LISTED = frozenset({"anthropic", "openai", "google", "deepseek", "litellm"})
"""Providers of whose models the catalogue has all; others serve models under names of their users."""

_Pair = tuple[int, int]


def outdated(policy: Policy, prices: Prices, today: date) -> Iterator[Diagnostic]:
    """
    The warnings for all models that may be called at their provider, in the policy's order.

    Nothing is said of the models that older files take for granted: the user can't mend them.
    """
    for model in policy.models.values():
        if not model.enabled or model.server is not None or model.span.source == KNOWN_MODELS:
            continue
        known = prices.find(model.id)
        if known is None and model.provider in LISTED:
            yield unlisted_model(model.id_span, model.id, prices.near(model.id), prices.as_of)
        if known is not None:
            yield from _deprecation(model, known, today)
            yield from _price(model, known, prices.as_of)


def _deprecation(model: Model, known: Price, today: date) -> Iterator[Diagnostic]:
    if known.deprecation_date is None:
        return
    day = date.fromisoformat(known.deprecation_date)
    days_left = (day - today).days
    if days_left <= 0:
        yield past_deprecation(model.id_span, model.id, day)
    elif days_left <= SOON_DAYS:
        yield soon_deprecated(model.id_span, model.id, day, days_left)


def _price(model: Model, known: Price, as_of: str) -> Iterator[Diagnostic]:
    """A price that isn't written is the catalogue's, and so never off."""
    pairs = list(_pairs(model, known))
    if not any(abs(written - right) * 10 > right for written, right in pairs):
        return
    tell = price_per_thousand if all(map(_per_thousand, pairs)) else price_differs
    in_, out = model.price_in_nusd_per_mtok, model.price_out_nusd_per_mtok
    right = costs(known.price_in_nusd_per_mtok or in_, known.price_out_nusd_per_mtok or out)
    yield tell(model.costs_span or model.span, model.key, costs(in_, out), right, as_of)


def _pairs(model: Model, known: Price) -> Iterator[_Pair]:
    """What the policy and what the catalogue says, where the catalogue knows of a price at all."""
    if known.price_in_nusd_per_mtok:
        yield model.price_in_nusd_per_mtok, known.price_in_nusd_per_mtok
    if known.price_out_nusd_per_mtok:
        yield model.price_out_nusd_per_mtok, known.price_out_nusd_per_mtok


def _per_thousand(pair: _Pair) -> bool:
    """Within a factor of two, since a price of another year may be in the wrong unit too."""
    written, right = pair
    return right <= 2 * 1000 * written <= 4 * right
