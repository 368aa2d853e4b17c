"""
The tiers of the older form: customTiers, else a range for each model, else one of three ranks.

A tier starts where it says. Where its first complexity is the last one of the tier before, that one
belongs to the lower tier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from ...schemas.records import dataclass
from ...schemas.text import Span
from .. import document as doc
from ..checks.p123_legacy_value import missing, unknown_word
from ..checks.p126_read_as import read_as
from ..document import Name
from .amounts import count, plain
from .catalogue import Known
from .fields import Body, Notes, Number
from .models import Entry, Models
from .names import Keys

RANKS = (
    ("cheap", "budget", "cheap_tier"),
    ("medium", "standard", "medium_tier"),
    ("powerful", "premium", "powerful_tier"),
)
"""What the files call the three ranks, cheapest first."""

STARTS = (Decimal(0), Decimal(3), Decimal(6))
"""The complexity from which the ranks serve, where the file doesn't say."""

BAND_ENDS = (Decimal(1), Decimal(5))
"""USD for a million tokens of input: cheap is below the first, powerful above the second."""


@dataclass(frozen=True, slots=True)
class Tiers:
    """The tiers of a file, in rising order; `broken` are names of some that couldn't be read."""

    statements: tuple[doc.Tier, ...]
    broken: frozenset[str] = frozenset()

    def resolve(self, name: Name) -> Name:
        """The tier that a name means: one of the file's, else the one of the same rank."""
        names = [s.name.text for s in self.statements]
        if name.text in names or name.text in self.broken:
            return name
        ranks = rank_of(name.text)
        same = next((n for n in names if ranks is not None and rank_of(n) == ranks), name.text)
        return Name(same, name.span)


def rank_of(word: str) -> int | None:
    """The rank that a word stands for, 0 is the cheapest."""
    return next((rank for rank, words in enumerate(RANKS) if word in words), None)


def read_tiers(root: Body, routing: Body | None, models: Models, keys: Keys, known: Known) -> Tiers:
    """Read the tiers in whichever way the file says them."""
    custom = root.bodies("customTiers", "a custom tier")
    if custom:
        return _custom(custom, models, keys)
    ranges = [(e, r) for e in models.entries if (r := e.body.range("complexity_threshold")) is not None]
    if ranges:
        return _by_ranges(root.notes, models, ranges)
    return _by_rank(root, routing, models, known)


@dataclass(frozen=True, slots=True)
class _Range:
    """A tier to be, with the first complexity that it is for, and the last one where that is said."""

    name: Name
    low: Number
    high: Number | None
    models: tuple[Name, ...]
    span: Span


def _in_order(notes: Notes, ranges: Iterable[_Range]) -> Iterator[doc.Tier]:
    """Tiers that start where their ranges say, or just above a bound that two of them share."""
    low = high = Decimal(-1)
    name = ""
    for tier in ranges:
        start = tier.low.value
        if low < start < high:
            message = f"`{name}` goes up to {plain(high)}, but `{tier.name.text}` starts from {plain(start)}"
            help = "a tier ends where the next one starts; let the ranges meet in one number"
            notes.found.append(read_as(tier.low.span, message, help))
        above = low < start == high
        yield doc.Tier(tier.name, above, count(start, tier.low.span), tier.models, tier.span)
        low, high, name = start, Decimal(-1) if tier.high is None else tier.high.value, tier.name.text


def _by_start(ranges: Iterable[_Range]) -> list[_Range]:
    return sorted(ranges, key=lambda r: r.low.value)


# --- customTiers -----------------------------------------------------------------------------------


def _custom(bodies: list[Body], models: Models, keys: Keys) -> Tiers:
    names = [body.needed("name") for body in bodies]
    notes = bodies[0].notes
    known = [name.text for name in names if name is not None]
    words = [(e.key, word) for e in models.entries if (word := e.body.name("tier")) is not None]
    for _, word in words:
        if word.text not in known:
            notes.found.append(unknown_word(word.span, "a tier", word.text, known))
    caps = [cap.value for body in bodies if (cap := body.number("max_cost_per_1m")) is not None]
    ranges: list[_Range] = []
    for body, name in zip(bodies, names, strict=True):
        range, members = body.range("use_for_complexity"), body.names("providers")
        cap = body.number("max_cost_per_1m")
        body.end()
        if name is None:
            continue
        for key, there in (("use_for_complexity", True), ("providers", cap is None)):
            if there and body.key(key) is None:
                notes.found.append(missing(name.span, f"`{name.text}`", key))
        found = list(keys.resolve_all(members or ())) + [key for key, word in words if word.text == name.text]
        if cap is not None and members is None:
            found += _priced(models, max((c for c in caps if c < cap.value), default=Decimal(-1)), cap)
        fitting = tuple(_affordable(notes, found, models, cap))
        if range is not None and fitting:
            ranges.append(_Range(name, *range, fitting, body.span))
    tiers = tuple(_in_order(notes, _by_start(ranges)))
    return Tiers(tiers, frozenset(known) - {tier.name.text for tier in tiers})


def _priced(models: Models, floor: Decimal, cap: Number) -> Iterator[Name]:
    """The models whose input costs more than the next cheaper tier allows, and no more than this one does."""
    yield from (Name(key, cap.span) for key, price in models.prices_in.items() if floor < price <= cap.value)


def _affordable(notes: Notes, members: Iterable[Name], models: Models, cap: Number | None) -> Iterator[Name]:
    """The members of a tier, once each, without those whose input is dearer than the tier's cap."""
    seen = set()
    for name in members:
        price = models.prices_in.get(name.text)
        if cap is not None and price is not None and price > cap.value:
            message = f"`{name.text}` is left out of this tier: its input costs ${plain(price)} for 1M tokens"
            message += f", above `max_cost_per_1m: {plain(cap.value)}`"
            notes.found.append(read_as(name.span, message, "raise the limit, or take the model out"))
        elif name.text not in seen:
            seen.add(name.text)
            yield name


# --- complexity_threshold of each model ---------------------------------------------------------------


_Bounds = tuple[Decimal, Decimal]


def _by_ranges(notes: Notes, models: Models, ranges: list[tuple[Entry, tuple[Number, Number]]]) -> Tiers:
    groups: dict[_Bounds, list[tuple[Entry, tuple[Number, Number]]]] = {}
    for entry, (low, high) in ranges:
        groups.setdefault((low.value, high.value), []).append((entry, (low, high)))
    names = _range_names({bounds: [entry for entry, _ in members] for bounds, members in groups.items()})
    tiers = []
    for bounds, members in groups.items():
        low, high = members[0][1]
        keys = tuple(entry.key for entry, _ in members if entry.key.text not in models.broken)
        if keys:
            tiers.append(_Range(Name(names.pop(bounds), low.span), low, high, keys, low.span))
    for entry in models.entries:
        if entry.body.key("complexity_threshold") is None:
            message = f"`{entry.key.text}` says no `complexity_threshold`, so it is in no tier"
            notes.found.append(read_as(entry.key.span, message, "others say one; add it here too"))
    return Tiers(tuple(_in_order(notes, _by_start(tiers))), frozenset(names.values()))


def _range_names(groups: Mapping[_Bounds, list[Entry]]) -> dict[_Bounds, str]:
    """What the models call their ranges; else a rank's word by the middle of each; else numbers."""
    said = {b: [e.body.name("tier") for e in entries] for b, entries in groups.items()}
    words = {b: name.text for b, names in said.items() for name in names if name is not None}
    if len(set(words.values())) == len(groups):
        return words
    bounds = sorted(groups)
    ranks = [max(r for r, start in enumerate(STARTS) if (low + high) / 2 >= start) for low, high in bounds]
    if all(lower < upper for lower, upper in pairwise(ranks)):
        return {bound: RANKS[rank][0] for bound, rank in zip(bounds, ranks, strict=True)}
    return {bound: f"tier_{number}" for number, bound in enumerate(bounds, 1)}


# --- three ranks -------------------------------------------------------------------------------------


def _by_rank(root: Body, routing: Body | None, models: Models, known: Known) -> Tiers:
    words = {e.key.text: e.body.name("tier") for e in models.entries}
    names = _rank_names(root.notes, words.values())
    members: list[list[Name]] = [[], [], []]
    order = [name.text for tier in known.tiers for name in tier.models] if models.overlay else []
    keys = {model.key.text: model.key for model in models.statements}
    for key in sorted(keys.values(), key=lambda k: order.index(k.text) if k.text in order else len(order)):
        word = words.get(key.text)
        rank = rank_of(word.text) if word is not None else _default_rank(key, models, known)
        if rank is not None:
            members[rank].append(key)
    bounds = _rank_bounds(root, routing)
    tiers = [
        _Range(Name(names[rank], low.span), low, high, tuple(members[rank]), low.span)
        for rank, (low, high) in enumerate(bounds)
        if members[rank]
    ]
    if tiers and not members[0]:  # the first that has models serves the simplest requests too
        tiers[0] = replace(tiers[0], low=Number(Decimal(0), tiers[0].span))
    broken = frozenset(names) if models.broken else frozenset()
    return Tiers(tuple(_in_order(root.notes, tiers)), broken)


def _rank_names(notes: Notes, words: Iterable[Name | None]) -> list[str]:
    """What the file calls each rank."""
    names: dict[int, str] = {}
    for word in words:
        if word is not None:
            rank = rank_of(word.text)
            if rank is None:
                every = [name for ranked in RANKS for name in ranked[:2]]
                notes.found.append(unknown_word(word.span, "a tier", word.text, every))
            else:
                names.setdefault(rank, word.text)
    return [names.get(rank, ranked[0]) for rank, ranked in enumerate(RANKS)]


def _default_rank(key: Name, models: Models, known: Known) -> int | None:
    """The rank of a known model, else by the price of its input."""
    if key.text in known.keys:
        return known.rank(known.keys[key.text])
    price = models.prices_in.get(key.text)
    if price is None:
        return None
    return 0 if price < BAND_ENDS[0] else 1 if price <= BAND_ENDS[1] else 2


def _rank_bounds(root: Body, routing: Body | None) -> list[tuple[Number, Number | None]]:
    """The first complexity of each rank, and the last one where it is said."""
    bounds: list[tuple[Number, Number | None]] = [(Number(start, root.first()), None) for start in STARTS]
    said = root.body("complexity_thresholds", "`complexity_thresholds`")
    if said is not None:
        for rank, words in enumerate(RANKS):
            bounds[rank] = said.range(words[2]) or bounds[rank]
        said.end()
        return bounds
    thresholds = None if routing is None else routing.body("thresholds", "`thresholds`")
    if thresholds is not None:
        for rank, word in ((1, "simple"), (2, "medium")):
            start = thresholds.number(word)
            bounds[rank] = bounds[rank] if start is None else (start, None)
        thresholds.end()
    return bounds
