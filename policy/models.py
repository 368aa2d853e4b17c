"""`model` statements: what is written, and for the rest what the catalogue says."""

from __future__ import annotations

import re

from ..schemas.catalogue import Price, Prices
from ..schemas.policy import CAPABILITIES, Model
from . import document as doc
from .checks.p210_unknown_capability import unknown_capability
from .checks.p211_unknown_provider import no_provider, unknown_provider
from .checks.p215_said_twice import said_twice
from .checks.p305_missing_price import missing_price
from .checks.p308_bad_text import bad_text
from .document import Amount, Name
from .quantities import money, seconds, whole
from .scope import Scope, env_name

_SERVER = re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,255}(/[^\s?#@]*)?")

_Attributes = dict[str, doc.Attribute]


def build_models(scope: Scope, prices: Prices) -> dict[str, Model]:
    """All models that are declared, priced ones and (reported) unpriced ones alike."""
    return {key: _model(scope, prices, statement) for key, statement in scope.models.items()}


def _model(scope: Scope, prices: Prices, statement: doc.Model) -> Model:
    said = _attributes(scope, statement)
    target = statement.target.text
    provider, served = _provider(scope, prices, statement.target)
    known = prices.find(target)
    price_in, price_out = _costs(scope, prices, statement, said.get("costs"), known, served)
    return Model(
        key=statement.key.text,
        id=target,
        provider=provider,
        price_in_nusd_per_mtok=price_in,
        price_out_nusd_per_mtok=price_out,
        capabilities=_capabilities(scope, said.get("can"), known),
        context_tokens=_tokens(scope, said.get("context"), known.context_tokens if known else None),
        output_tokens=_tokens(scope, said.get("output"), known.output_tokens if known else None),
        timeout_s=_timeout(scope, said.get("timeout")),
        settings=_settings(scope, said.get("set")),
        aliases=tuple(v.text for v in said["alias"].values) if "alias" in said else (),
        key_names=_key_names(scope, prices, target, said),
        server=_server(scope, said.get("server")),
        enabled="disabled" not in said,
        span=statement.span,
        id_span=statement.target.span,
        costs_span=said["costs"].span if "costs" in said else None,
    )


def _attributes(scope: Scope, statement: doc.Model) -> _Attributes:
    said: _Attributes = {}
    for attribute in statement.attributes:
        if attribute.kind in said:
            scope.found.append(said_twice(attribute.span, attribute.kind, said[attribute.kind].span))
        else:
            said[attribute.kind] = attribute
    return said


def _provider(scope: Scope, prices: Prices, target: Name) -> tuple[str, bool]:
    """The first word of a model's id, and whether somebody serves models under it."""
    provider, slash, rest = target.text.partition("/")
    if not slash or not rest:
        scope.found.append(no_provider(target.span, target.text))
    elif provider not in prices.providers:
        scope.found.append(unknown_provider(target.span, provider, scope.candidates(prices.providers)))
    return provider, bool(slash and rest) and provider in prices.providers


def _costs(
    scope: Scope,
    prices: Prices,
    statement: doc.Model,
    costs: doc.Attribute | None,
    known: Price | None,
    served: bool,
) -> tuple[int, int]:
    if costs is not None:
        written = [money(scope, v) or 0 for v in costs.values if isinstance(v, Amount)]
        return (written[0], written[1]) if written else (0, 0)
    if known and known.price_in_nusd_per_mtok is not None and known.price_out_nusd_per_mtok is not None:
        return known.price_in_nusd_per_mtok, known.price_out_nusd_per_mtok
    if served:  # an unknown provider has been reported, and has no prices
        target = statement.target.text
        near = prices.near(target) if scope.suggests() else ()
        scope.found.append(missing_price(statement.key.span, statement.key.text, target, near))
    return 0, 0


def _capabilities(scope: Scope, can: doc.Attribute | None, known: Price | None) -> frozenset[str]:
    if can is None:
        return frozenset() if known is None else known.capabilities
    for value in can.values:
        if value.text not in CAPABILITIES:
            scope.found.append(unknown_capability(value.span, value.text, CAPABILITIES))
    return frozenset(value.text for value in can.values)


def _tokens(scope: Scope, attribute: doc.Attribute | None, known: int | None) -> int | None:
    if attribute is None:
        return known
    amount = attribute.values[0]
    return whole(scope, amount, low=1) if isinstance(amount, Amount) else None


def _timeout(scope: Scope, attribute: doc.Attribute | None) -> float | None:
    amount = None if attribute is None else attribute.values[0]
    return seconds(scope, amount) if isinstance(amount, Amount) else None


def _settings(scope: Scope, attribute: doc.Attribute | None) -> tuple[tuple[str, float], ...]:
    if attribute is None:
        return ()
    names, numbers = attribute.values[::2], attribute.values[1::2]
    settings: dict[str, float] = {}
    for name, number in zip(names, numbers, strict=True):
        if name.text in settings:
            scope.found.append(said_twice(name.span, name.text, attribute.span))
        elif isinstance(number, Amount) and number.value is not None:
            settings[name.text] = float(number.value)
    return tuple(settings.items())


def _key_names(scope: Scope, prices: Prices, target: str, said: _Attributes) -> tuple[str, ...]:
    """A model with a server of its own needs no key, unless the policy names one."""
    if "key" not in said:
        return () if "server" in said else prices.key_names(target)
    name = said["key"].values[0]
    return (env_name(scope, name),) if isinstance(name, Name) else ()


def _server(scope: Scope, attribute: doc.Attribute | None) -> str | None:
    if attribute is None:
        return None
    address = attribute.values[0]
    if not _SERVER.fullmatch(address.text):
        scope.found.append(bad_text(address.span, address.text, "server address"))
    return address.text
