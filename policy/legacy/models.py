"""The models of the older form: by their names, or in a list, whole or on top of the known ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

from ...schemas.catalogue import Prices
from ...schemas.policy import NANO
from ...schemas.records import dataclass
from ...schemas.text import Span
from .. import document as doc
from ..checks.p123_legacy_value import missing
from ..checks.p126_read_as import read_as
from ..checks.p211_unknown_provider import no_provider
from ..document import Amount, Name
from ..scope import is_name
from ..yaml import Mapping as YamlMapping
from ..yaml import Scalar, Sequence
from .amounts import count, duration, plain, price, tokens
from .catalogue import Known
from .detect import BLOCKS, may_be_model
from .fields import Body, Number, decimal_of, items_of, name_of, short
from .units import FACTORS, LARGE_TOKENS, PER_1M, Compared, is_window, price_unit

KIND = "a model"
_SIDES = (
    ("input_cost_per_1k", "cost_per_1k_input", "input_cost_per_1m", "cost_per_1m_input"),
    ("output_cost_per_1k", "cost_per_1k_output", "output_cost_per_1m", "cost_per_1m_output"),
)
_CLI = "claude-code-cli"
_PROVIDERS = {"claude-code": _CLI}
"""Words for who serves a model that the language spells otherwise."""

_CLI_MODELS = {"claude-sonnet-3.5": "sonnet"}
"""What the known file calls the program's model, and what the program does."""

_STARTS = (
    ("claude-", "anthropic"),
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("gemini-", "google"),
    ("deepseek-", "deepseek"),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """A price as it is written; `exact` where its key says that it is for 1M tokens."""

    number: Number
    exact: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One model as the file writes it, before anything is made of it.

    `known` is the key of the known model that it is, if it is one; `costs` are its prices in and out.
    """

    key: Name
    body: Body
    known: str | None
    provider: Name | None
    model: Name | None
    costs: tuple[Cost | None, Cost | None]

    @property
    def whole(self) -> bool:
        """Whether it says all that a model needs."""
        return self.model is not None and None not in self.costs


@dataclass(frozen=True, slots=True)
class Models:
    """
    The models of a file: what it writes, on top of the known ones where `overlay`.

    `broken` are the keys of models that couldn't be read, `prices_in` the known prices of input in USD
    for a million tokens.
    """

    statements: tuple[doc.Model, ...]
    entries: tuple[Entry, ...]
    overlay: bool
    broken: frozenset[str]
    prices_in: Mapping[str, Decimal]

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys, also of what couldn't be read."""
        return (*(s.key.text for s in self.statements), *self.broken)


Readable = list[tuple[Entry, Name]]
"""Entries of which it is known who serves them, with their `PROVIDER/ID`."""


def read_models(root: Body, known: Known, prices: Prices, unit: str | None) -> Models:
    """Read all models; `unit` is that of the prices, where somebody says so."""
    return _Reader(root, known, prices).read(unit)


class _Reader:
    def __init__(self, root: Body, known: Known, prices: Prices) -> None:
        self.root, self.notes, self.known, self.prices = root, root.notes, known, prices
        self.entries = list(self._entries())
        self.overlay = not self.entries or any(e.known and not e.whole for e in self.entries)
        if self.overlay:
            self.entries = [replace(e, key=Name(e.known or e.key.text, e.key.span)) for e in self.entries]
        self.keys = frozenset(e.key.text for e in self.entries)
        performance = root.body("performance", "`performance`")
        self.timeout = None if performance is None else performance.number("default_timeout_seconds")
        if performance is not None:
            performance.end()

    # what is written

    def _entries(self) -> Iterator[Entry]:
        """The models in the order in which they stand."""
        found = self.root.key("providers")
        if found is not None and isinstance(found[1], YamlMapping):
            listed = Body(self.notes, found[1], "`providers`")
            yield from (self._named(key, body) for key, body in _maps(listed, all_of_them=True))
        else:
            yield from (e for body in self.root.bodies("providers", KIND) if (e := self._listed(body)))
        yield from (self._named(key, body) for key, body in _maps(self.root, all_of_them=False))

    def _named(self, key: Scalar, body: Body) -> Entry:
        """A model by its key; `name` says who serves it."""
        return self._entry(Name(key.text, key.span), body, body.name("name"))

    def _listed(self, body: Body) -> Entry | None:
        """A model of a list; `name` is its key."""
        name = body.needed("name")
        return None if name is None else self._entry(name, body, body.name("provider"))

    def _entry(self, key: Name, body: Body, provider: Name | None) -> Entry:
        costs = tuple(_cost(body, side) for side in _SIDES)
        return Entry(
            key, body, self.known.keys.get(key.text), provider, body.name("model"), (costs[0], costs[1])
        )

    # what it means

    def read(self, unit: str | None) -> Models:
        """All models, those of the known ones that stay as they are first."""
        readable = [(e, target) for e in self.entries if (target := self._target(e)) is not None]
        unit = unit or price_unit(self.notes, self._compared(readable))
        window = is_window(self._limits(readable))
        statements: list[doc.Model] = []
        prices_in: dict[str, Decimal] = {}
        for entry, target in readable:
            pair = self._pair(entry, unit or PER_1M)
            statement = self._statement(entry, target, pair, window)
            price_in = self._price_in(entry, target, pair)
            if unit is not None:  # else it was read only to tell what is wrong with it
                statements.append(statement)
                prices_in |= {} if price_in is None else {entry.key.text: price_in}
        said = {s.key.text for s in statements}
        broken = self.keys - said
        below = [m for key, m in self.known.models.items() if self.overlay and key not in said | broken]
        prices_in = {**{m.key.text: self.known.price(m.key.text, 0) for m in below}, **prices_in}
        return Models((*below, *statements), tuple(self.entries), self.overlay, broken, prices_in)

    def _price_in(self, entry: Entry, target: Name, pair: tuple[Amount, Amount] | None) -> Decimal | None:
        """What a million tokens of input cost, wherever the model has it from."""
        if pair is not None:
            return pair[0].value
        if entry.known and self.overlay:
            return self.known.price(entry.known, 0)
        found = self.prices.find(target.text)
        nusd = None if found is None else found.price_in_nusd_per_mtok
        return None if nusd is None else Decimal(nusd) / NANO

    def _target(self, entry: Entry) -> Name | None:
        """`PROVIDER/ID` for an entry; None where it can't be told, which is reported."""
        base = self.known.models[entry.known].target.text if entry.known else ""
        base_provider, _, base_id = base.partition("/")
        below = bool(base) and self.overlay
        lacking = None if below else _lacking(entry)
        if lacking is not None:
            if entry.body.key(*lacking) is None:  # else it is there, and what is wrong with it has been told
                self.notes.found.append(missing(entry.key.span, f"`{entry.key.text}`", lacking[0]))
            return None
        model = entry.model or Name(base_id, entry.key.span)
        provider: str | None
        if entry.provider is not None:
            provider = _PROVIDERS.get(entry.provider.text, entry.provider.text)
        elif below or entry.key.text == entry.known:
            provider = base_provider
        else:
            provider = self._provider_of(model.text)
        if provider is None:
            self.notes.found.append(no_provider(model.span, model.text))
            return None
        span = model.span
        if entry.provider is not None and provider not in self.prices.providers:
            span = entry.provider.span
        id = _CLI_MODELS.get(model.text, model.text) if provider == _CLI else model.text
        return Name(f"{provider}/{id}" if provider else id, span)

    def _provider_of(self, model: str) -> str | None:
        """Who serves a model, by its id; empty where the id says so itself, None where nobody knows."""
        first, slash, _ = model.partition("/")
        if slash and first in self.prices.providers:
            return ""
        start = next((provider for start, provider in _STARTS if model.startswith(start)), None)
        known = None if start is not None else self.prices.find(f"litellm/{model}")
        return start if known is None else known.id.partition("/")[0]

    def _compared(self, readable: Readable) -> Iterator[Compared]:
        """Each price whose key doesn't tell its unit, with what is known of it."""
        for entry, target in readable:
            found = self.prices.find(target.text)
            nusd = (found.price_in_nusd_per_mtok, found.price_out_nusd_per_mtok) if found else (None, None)
            for side, cost in enumerate(entry.costs):
                if cost is not None and not cost.exact:
                    listed = nusd[side]
                    known = [] if listed is None else [Decimal(listed) / NANO]
                    known += [self.known.price(entry.known, side)] if entry.known else []
                    yield Compared(entry.key.text, cost.number.span, cost.number.value, tuple(known))

    def _limits(self, readable: Readable) -> Iterator[tuple[Decimal, int, int]]:
        """Each `max_tokens` whose model's window and longest answer are known."""
        for entry, target in readable:
            written = entry.body.number("max_tokens")
            found = self.prices.find(target.text)
            known = (found.context_tokens, found.output_tokens) if found else (None, None)
            if None in known and entry.known:
                known = (self.known.tokens(entry.known, "context"), self.known.tokens(entry.known, "output"))
            context, output = known
            if written is not None and context and output:
                yield written.value, context, output

    # statements

    def _pair(self, entry: Entry, unit: str) -> tuple[Amount, Amount] | None:
        """The prices in USD for a million tokens, None where the entry writes none."""
        if entry.costs == (None, None):
            return None
        amounts: list[Amount] = []
        for side, cost in enumerate(entry.costs):
            if cost is not None:
                factor = FACTORS[PER_1M if cost.exact else unit]
                amounts.append(price(cost.number.value * factor, cost.number.span))
            else:
                assert entry.known is not None  # half a price is completed by that of a known model
                amounts.append(price(self.known.price(entry.known, side), entry.key.span))
        return amounts[0], amounts[1]

    def _statement(
        self, entry: Entry, target: Name, pair: tuple[Amount, Amount] | None, window: bool | None
    ) -> doc.Model:
        written = {a.kind: a for a in self._attributes(entry, pair, window)}
        base = self.known.models[entry.known].attributes if entry.known and self.overlay else ()
        clauses = {**{a.kind: a for a in base}, **written}
        order = ("costs", "can", "context", "output", "timeout", "set", "alias", "disabled")
        attributes = tuple(clauses[kind] for kind in order if kind in clauses)
        key, body = entry.key.span, entry.body.span  # in a list the key stands inside of the body
        span = Span(key.source, min(key.start, body.start), body.end)
        return doc.Model(entry.key, target, attributes, span)

    def _attributes(
        self, entry: Entry, pair: tuple[Amount, Amount] | None, window: bool | None
    ) -> Iterator[doc.Attribute]:
        body = entry.body
        if pair is not None:
            free = not pair[0].value and not pair[1].value
            first, last = sorted((pair[0].span, pair[1].span), key=lambda s: s.start)
            yield doc.Attribute("costs", () if free else pair, Span(first.source, first.start, last.end))
        yield from _can(body)
        yield from self._tokens(body, window)
        timeout = body.number("timeout", "timeout_seconds") or self.timeout
        if timeout is not None:
            yield _clause("timeout", duration(timeout.value, timeout.span))
        yield from self._aliases(entry)
        if body.flag("enabled") is False:
            found = body.key("enabled")
            assert found is not None
            yield doc.Attribute("disabled", (), found[1].span)

    def _tokens(self, body: Body, window: bool | None) -> Iterator[doc.Attribute]:
        """`max_tokens` and the parameters, of which one may be called `max_tokens` as well."""
        written, parameters = body.number("max_tokens"), body.body("parameters", "`parameters`")
        asked = None
        if parameters is not None:
            asked = parameters.number("max_tokens")
            yield from _settings(parameters)
        if written is not None and (window if window is not None else written.value >= LARGE_TOKENS):
            yield _clause("context", tokens(written.value, written.span))
            written = None
        if written is not None and asked is not None and written.value != asked.value:
            message = f"`max_tokens: {plain(written.value)}` gives way to that of the parameters"
            self.notes.found.append(read_as(written.span, message, "keep one of them"))
        output = asked or written
        if output is not None:
            yield _clause("output", tokens(output.value, output.span))

    def _aliases(self, entry: Entry) -> Iterator[doc.Attribute]:
        """The known short names of a model that goes by its known key, but for what is a key of its own."""
        known = self.known.keys.items() if entry.key.text == entry.known else ()
        short = [n for n, key in known if key == entry.key.text and n != key and n not in self.keys]
        if short:
            names = tuple(Name(name, entry.key.span) for name in short)
            yield doc.Attribute("alias", names, entry.key.span)


def _maps(parent: Body, *, all_of_them: bool) -> Iterator[tuple[Scalar, Body]]:
    """The models of a map: all of its values, or those that look like one."""
    for key, value in parent.pairs():
        if all_of_them or (key.text not in BLOCKS and may_be_model(value)):
            body = parent.body(key.text, KIND)
            if body is not None:
                yield key, body


def _lacking(entry: Entry) -> tuple[str, ...] | None:
    """The spellings of what a model needs and hasn't got; of prices both or none."""
    if entry.model is None:
        return ("model",)
    return _SIDES[entry.costs.index(None)] if entry.costs.count(None) == 1 else None


def _cost(body: Body, spellings: tuple[str, ...]) -> Cost | None:
    number, found = body.number(*spellings), body.key(*spellings)
    return None if number is None or found is None else Cost(number, "_1m" in found[0].text)


def _clause(kind: str, amount: Amount) -> doc.Attribute:
    return doc.Attribute(kind, (amount,), amount.span)


def _can(body: Body) -> Iterator[doc.Attribute]:
    """Capabilities: a list of them, or a map that says yes or no to each."""
    found = body.key("capabilities")
    if found is None:
        return
    node = found[1]
    if isinstance(node, YamlMapping):
        flags = Body(body.notes, node, "`capabilities`")
        names = [Name(key.text, key.span) for key, _ in flags.pairs() if flags.flag(key.text)]
    else:
        items = items_of(body.notes, node, "`capabilities`")
        read = [name_of(body.notes, item, "each of `capabilities`") for item in items]
        names = [name for name in read if name is not None]
    if isinstance(node, YamlMapping | Sequence):
        yield doc.Attribute("can", tuple(names), short(node))


def _settings(parameters: Body) -> Iterator[doc.Attribute]:
    """Parameters that are numbers; the language has no others, and none below zero."""
    values: list[doc.Value] = []
    for key, node in parameters.pairs():
        number = decimal_of(node.text.strip()) if isinstance(node, Scalar) else None
        if number is None or key.text == "max_tokens" or not is_name(key.text):
            continue
        parameters.key(key.text)
        if number < 0:
            message = f"`{key.text}: {plain(number)}` is left out: a policy has no numbers below zero"
            parameters.notes.found.append(read_as(node.span, message, "set it where the model is called"))
        else:
            values += [Name(key.text, key.span), count(number, node.span)]
    if values:
        yield doc.Attribute("set", tuple(values), parameters.span)
    parameters.end()
