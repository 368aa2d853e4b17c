"""Cells of a subject in words: `complexity above 3 to 6`, `private yes`, `monthly from 75% to below 90%`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...policy.names import listed
from ...policy.words import number
from ...schemas.policy import CAPABILITIES, FactKind, NumberIn, StartsWith, ValueIs
from ...schemas.request import Spend
from ..flips import spent_words
from .cells import CLOCK, COMPLEXITY, REQUIRES, TIER, UNSAID, Space

_MOST = 4
"""So many values are listed."""


def place_words(space: Space, subject: str, cells: Sequence[int]) -> str:
    """What the values in some cells of a subject have in common."""
    if subject == CLOCK:
        return _any([_clock(space, cell) for cell in cells])
    if subject == TIER:
        return f"asked tier {_any([_tier(value) for value in _values(space, subject, cells)])}"
    if subject == REQUIRES:
        return f"requires {_any([_set(space.axis(subject).cells[cell].value) for cell in cells])}"
    if subject.startswith("budget "):
        return f"{subject.removeprefix('budget ')} {_spends(space, subject, cells)}"
    name = subject.replace("_", " ")
    fact = next(policy.facts[subject] for policy in space.policies if subject in policy.facts)
    if fact.kind is FactKind.NUMBER:
        return f"{name} {_numbers(space, subject, cells)}"
    if fact.kind is FactKind.TEXT:
        return f"{name} {_any(_texts(space, subject, cells))}"
    return f"{name} {_any([_said(value) for value in _values(space, subject, cells)])}"


def _any(words: Sequence[str]) -> str:
    known = list(dict.fromkeys(words))
    rest = len(known) - _MOST
    shown = known if rest <= 0 else [*known[:_MOST], f"{rest} more"]
    return listed(shown, last="or")


def _values(space: Space, subject: str, cells: Sequence[int]) -> list[Any]:
    return [value for value, cell in space.spread(subject) if cell in cells]


def _said(value: Any) -> str:
    return "not said" if value is UNSAID else str(value)


def _set(requires: frozenset[str]) -> str:
    return listed([name for name in CAPABILITIES if name in requires]) or "nothing"


def _tier(asked: Any) -> str:
    if asked.tier is None:
        return "none"
    return f"{asked.tier} ({'--tier' if asked.by_person else 'story'})"


def _clock(space: Space, cell: int) -> str:
    holding = sorted(set[str]().union(*space.axis(CLOCK).cells[cell].value.windows))
    return f"during {listed(holding)}" if holding else "outside all windows"


def _texts(space: Space, subject: str, cells: Sequence[int]) -> list[str]:
    conditions = list(space.conditions(subject))
    literals = {v for c in conditions if isinstance(c, ValueIs) for v in c.values}
    prefixes = {c.prefix for c in conditions if isinstance(c, StartsWith)}
    words = []
    for value in _values(space, subject, cells):
        if value is UNSAID:
            words.append("not said")
        elif value in literals:
            words.append(f'"{value}"')
        else:
            stem = max((p for p in prefixes if value.startswith(p)), key=len, default="")
            words.append(f'starting with "{stem}"' if stem else "any other")
    return sorted(words, key=lambda word: word == "any other")


# --- runs ------------------------------------------------------------------------------------------


def _numbers(space: Space, subject: str, cells: Sequence[int]) -> str:
    points = {b for c in space.conditions(subject) if isinstance(c, NumberIn) for b in (c.low, c.high)}
    if subject == COMPLEXITY:
        points |= {tier.start for policy in space.policies for tier in policy.tiers}
    bounds = sorted(point for point in points if point is not None)
    values = [(value, cell) for value, cell in space.spread(subject) if value is not UNSAID]
    whole = all(p.facts[subject].whole for p in space.policies if subject in p.facts)
    words = _runs(sorted(values), cells, None if whole else bounds, number)
    return _any(["not said", *words] if UNSAID in _values(space, subject, cells) else words)


def _spends(space: Space, subject: str, cells: Sequence[int]) -> str:
    name = subject.removeprefix("budget ")
    budget = next(policy.budgets[name] for policy in space.policies if name in policy.budgets)
    spread: list[tuple[Spend, int]] = list(space.spread(subject))
    amounts = sorted((spend.spent_nusd, cell) for spend, cell in spread if not spend.held_nusd)
    bounds = sorted({0, *space.amounts(name)})
    words = _runs(amounts, cells, bounds, lambda nusd: spent_words(nusd, budget)[0])
    only_held = set(cells) - {cell for _, cell in amounts}
    return _any([*words, "paused by what is held"] if only_held else words)


def _runs(
    values: Sequence[tuple[Any, int]],
    cells: Sequence[int],
    bounds: Sequence[Any] | None,
    shown: Callable[[Any], str],
) -> list[str]:
    """
    The stretches of rising values that lie in some cells.

    Args:
        bounds: the values that themselves may end a stretch; between them lies more than one value.
            None: every value is one of its own.
    """
    words: list[str] = []
    start: int | None = None
    for place, (_, cell) in enumerate([*values, (None, -1)]):
        if cell in cells and start is None:
            start = place
        elif cell not in cells and start is not None:
            words.append(_run(values, start, place - 1, bounds, shown))
            start = None
    return words


def _run(
    values: Sequence[tuple[Any, int]],
    first: int,
    last: int,
    bounds: Sequence[Any] | None,
    shown: Callable[[Any], str],
) -> str:
    low, high = values[first][0], values[last][0]
    if first == last and (bounds is None or low in bounds):
        return shown(low)
    parts = []
    if first > 0:
        exact = bounds is None or low in bounds
        bound = low if exact or bounds is None else max(b for b in bounds if b < low)
        parts.append(f"{'from' if exact else 'above'} {shown(bound)}")
    if last < len(values) - 1:
        exact = bounds is None or high in bounds
        bound = high if exact or bounds is None else min(b for b in bounds if b > high)
        word = "to" if exact else "to below" if parts else "below"
        parts.append(f"{word} {shown(bound)}")
    return " ".join(parts) or "any"
