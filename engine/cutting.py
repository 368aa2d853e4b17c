"""The conditions on one fact -> its column: where the values of the fact are cut into cells."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from math import inf, nextafter

from ..schemas.policy import NumberIn, StartsWith, ValueIs
from .columns import NumberColumn, SetColumn, TextColumn
from .conditions import FactCondition, fact_holds

Rows = Mapping[int, list[FactCondition]]
"""For the bit of each row that reads a fact its conditions on it."""

_Cells = dict[tuple[int, object], int]
"""The number of each cell, by its mask and by what else sets it apart."""


def first_number(bound: float, *, above: bool) -> float:
    """The first float from a bound on, or above it."""
    return nextafter(bound, inf) if above else float(bound)


def number_column(rows: Rows, everything: int, starts: Iterable[float] = ()) -> NumberColumn:
    """The column of a number, whose cells start where a row starts or ceases to live, and at `starts`."""
    mask = everything
    toggles = dict.fromkeys(starts, 0)
    for bit, found in rows.items():
        numbers = [c for c in found if isinstance(c, NumberIn)]
        alive = [(c.low is None) != c.negated for c in numbers]
        if not all(alive):
            mask ^= bit
        for edge in _edges(numbers, sum(alive)):
            toggles[edge] = toggles.get(edge, 0) ^ bit
    masks = [mask]
    for _, bits in sorted(toggles.items()):
        mask = mask ^ bits if bits else mask
        masks.append(mask)
    # By way of an array: floats made one after the other lie side by side, which a search through them likes.
    return NumberColumn(tuple(array("d", sorted(toggles))), tuple(masks))


def _edges(conditions: list[NumberIn], holding: int) -> Iterator[float]:
    """Where, on the way up, conditions start or cease to hold all together; at first so many hold."""
    changes: dict[float, int] = defaultdict(int)
    for condition in conditions:
        step = -1 if condition.negated else 1
        low = None if condition.low is None else first_number(condition.low, above=condition.low_open)
        high = None if condition.high is None else first_number(condition.high, above=not condition.high_open)
        if low is not None and high is not None and high <= low:
            continue  # nothing lies between them
        if low is not None:
            changes[low] += step
        if high is not None:
            changes[high] -= step
    for edge in sorted(changes):
        before, holding = holding, holding + changes[edge]
        if (before == len(conditions)) != (holding == len(conditions)):
            yield edge


def text_column(rows: Rows, everything: int, apart: Iterable[str] = ()) -> TextColumn:
    """The column of a text; the texts `apart` have cells of their own."""
    conditions = [c for found in rows.values() for c in found]
    prefixes = {c.prefix for c in conditions if isinstance(c, StartsWith)}
    texts = {v for c in conditions if isinstance(c, ValueIs) for v in c.values} | prefixes
    other = everything
    starting: dict[str, list[tuple[int, list[FactCondition]]]] = defaultdict(list)
    mentioned: dict[str, list[int]] = defaultdict(list)
    for bit, found in rows.items():
        start = next((c.prefix for c in found if isinstance(c, StartsWith)), None)
        if start is not None:
            starting[start].append((bit, found))
        elif all(c.negated for c in found if isinstance(c, ValueIs)):
            for text in {v for c in found if isinstance(c, ValueIs) for v in c.values}:
                mentioned[text].append(bit)
            continue  # alive for all other texts
        else:
            for text in _texts_alive(found):
                mentioned[text].append(bit)
        other &= ~bit
    cells: _Cells = {}
    own = dict.fromkeys(apart)
    by_text = {}
    for text in dict.fromkeys((*own, *sorted(texts))):
        mask = other
        for bit in mentioned.get(text, ()):
            mask ^= bit
        for bit, found in _that_start_with(starting, text):
            if all(fact_holds(c, text) for c in found):
                mask |= bit
        by_text[text] = cells.setdefault((mask, text if text in own else None), len(cells))
    by_prefix = {}
    for prefix in sorted(prefixes):
        mask = other
        for bit, found in _that_start_with(starting, prefix):
            if all(_holds_beyond(c, prefix) for c in found):
                mask |= bit
        by_prefix[prefix] = cells.setdefault((mask, None), len(cells))
    rest = cells.setdefault((other, None), len(cells))
    lengths = tuple(sorted({len(prefix) for prefix in prefixes}, reverse=True))
    return TextColumn(by_text, by_prefix, lengths, rest, tuple(mask for mask, _ in cells))


def _texts_alive(conditions: list[FactCondition]) -> Iterator[str]:
    """The texts that satisfy conditions of which one at least lists what it allows."""
    allowing = next(c for c in conditions if isinstance(c, ValueIs) and not c.negated)
    for text in dict.fromkeys(allowing.values):
        if all(fact_holds(c, text) for c in conditions):
            yield text


def _that_start_with(
    starting: Mapping[str, list[tuple[int, list[FactCondition]]]], text: str
) -> Iterator[tuple[int, list[FactCondition]]]:
    """The rows with a prefix that a text has."""
    for length in range(len(text) + 1):
        yield from starting.get(text[:length], ())


def _holds_beyond(condition: FactCondition, prefix: str) -> bool:
    """Whether a condition holds for texts that nothing mentions, and whose longest known prefix this is."""
    if isinstance(condition, StartsWith):
        return prefix.startswith(condition.prefix)
    return isinstance(condition, ValueIs) and condition.negated


def set_column(
    rows: Rows, everything: int, words: tuple[str, ...], abilities: Iterable[frozenset[str]]
) -> tuple[SetColumn, tuple[object, ...]]:
    """
    The column of a set of words, and for each of its cells which of some abilities have all of its words.
    """
    alike: dict[tuple[tuple[object, ...], ...], tuple[int, list[FactCondition]]] = {}
    for bit, found in rows.items():
        kind = tuple((c.values, c.negated) for c in found if isinstance(c, ValueIs))
        alike[kind] = alike.get(kind, (0, found))[0] | bit, found
    bit_of = {word: 1 << n for n, word in enumerate(words)}
    able_to = {kind: sum(bit_of.get(word, 0) for word in kind) for kind in abilities}
    cells: _Cells = {}
    cell_of = []
    for bits in range(2 << len(words)):
        mask = everything
        if alike:
            # Unknown words tell no rows apart; but a set of only those isn't empty either.
            known = frozenset(word for word, bit in bit_of.items() if bits & bit)
            required = known or frozenset({"?"} if bits else ())
            for of_kind, found in alike.values():
                if not all(fact_holds(c, required) for c in found):
                    mask &= ~of_kind
        able = frozenset(kind for kind, has in able_to.items() if not bits & ~has)
        cell_of.append(cells.setdefault((mask, able), len(cells)))
    column = SetColumn(
        bits=bit_of,
        cells=tuple(cell_of),
        masks=tuple(mask for mask, _ in cells),
    )
    return column, tuple(able for _, able in cells)
