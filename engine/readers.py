"""
Plain values -> the code of a request, at once.

A request as a program has it is a mapping of names to plain values. `read` knows what is usual in one, and
adds up its code without a Request in between; for all else, and for whatever is wrong, it gives up, and
`request_from` and `facts_of` take over, which say what is wrong. So `read` may know little, but whatever
it reads it reads as they do.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from math import inf, nextafter
from typing import Any, NamedTuple

from ..schemas.policy import CAPABILITIES, Fact, FactKind, Policy
from ..schemas.records import dataclass
from .codes import Codes
from .columns import Column, NumberColumn, SetColumn, TextColumn
from .conditions import FactValue
from .facts import MOST
from .plain import MEANT_OTHERWISE

_TOKENS = ("input_tokens", "output_tokens")

_COLLECTIONS = frozenset((frozenset, set, tuple, list))
_WHOLE = frozenset((int,))
_NUMBERS = frozenset((int, float))


class Texts(dict[object, int]):
    """What each known text adds to a code; `other` says it of all others, where there may be some."""

    __slots__ = ("other",)

    def __init__(self, known: Mapping[Any, int], other: Callable[[str], int] | None = None) -> None:
        super().__init__(known)
        self.other = other

    def __missing__(self, value: object) -> int:
        if isinstance(value, str) and self.other is not None:
            return self.other(value)
        if value is True or value is False:
            return self["yes" if value else "no"]
        raise KeyError(value)


class Numbers(NamedTuple):
    """What a number adds to a code: by the cell that it lies in; None for what is too low or too high."""

    classes: frozenset[type]
    breaks: tuple[float, ...]
    parts: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Readers:
    """
    What each plain value adds to the code of a request that says nothing, which is `start`.

    As long as a fact is missing that must be given, a code is below 0. `words` have the bit of each
    capability, `sets` what each sum of bits adds. `estimate` is what a request's tokens are otherwise.
    """

    start: int
    texts: Mapping[str, Texts]
    numbers: Mapping[str, Numbers]
    tokens: Mapping[str, Numbers]
    words: Mapping[str, int]
    sets: tuple[int, ...]
    codes: Codes
    estimate: tuple[int, int]


def read(readers: Readers, values: Mapping[str, Any]) -> int | None:
    """The code of plain values; None where something is wrong, or so unusual that it takes a closer look."""
    code, texts, numbers = readers.start, readers.texts, readers.numbers
    own_tokens = False
    try:
        for name, value in values.items():
            if (parts := texts.get(name)) is not None:
                code += parts[value]
            elif (number := numbers.get(name)) is not None:
                classes, breaks, of_cell = number
                kind: type = value.__class__
                if kind not in classes:
                    return None
                code += of_cell[bisect_right(breaks, value)]  # type: ignore[operator]  # None: a TypeError
            elif name == "requires":
                kind = value.__class__
                if kind not in _COLLECTIONS:
                    return None
                bits, words = 0, readers.words
                for word in value:
                    bits |= words[word]
                code += readers.sets[bits]
            else:
                classes, breaks, of_cell = readers.tokens[name]
                own_tokens = True
                kind = value.__class__
                if kind not in classes:
                    return None
                code += of_cell[bisect_right(breaks, value)]  # type: ignore[operator]
    except (KeyError, TypeError):
        return None
    if code < 0:
        return None
    return _with_tokens(readers, values, code) if own_tokens else code


def own_tokens(readers: Readers, values: Mapping[str, Any]) -> tuple[int, int]:
    """The token counts of values that were read; the policy's estimate where they say nothing."""
    given = zip(_TOKENS, readers.estimate, strict=True)
    first, second = (values.get(name, estimate) for name, estimate in given)
    return first, second


def _with_tokens(readers: Readers, values: Mapping[str, Any], code: int) -> int | None:
    tokens = own_tokens(readers, values)
    if tokens == readers.estimate:
        return code
    part = readers.codes.token_part(*tokens)
    return None if part is None else code + part


# --- readers --------------------------------------------------------------------------------------


def readers_of(
    policy: Policy, columns: Mapping[str, Column], codes: Codes, references: Mapping[str, str]
) -> Readers:
    """What plain values add to the codes of a policy."""
    missing = codes.token_place * (codes.tokens.count + 1)  # more than all places of a code hold
    start = 0
    texts = {"preferred": Texts({name: codes.preferred[key] for name, key in references.items()})}
    numbers = {}
    sets: tuple[int, ...] = ()
    for name, fact in policy.facts.items():
        column, parts = columns.get(name), codes.parts.get(name, (0,))
        usual = -missing if fact.default is None else parts[_cell(column, _default(fact))]
        start += usual
        more = tuple(part - usual for part in parts)
        if fact.kind is FactKind.NUMBER:
            numbers[name] = _numbers(fact, column, more)
        elif isinstance(column, SetColumn):
            sets = tuple(more[cell] for cell in column.cells)
        elif name == "domain":  # one that the policy doesn't declare counts as none
            texts[name] = Texts({d: more[_cell(column, d)] for d in policy.domains}, lambda _: 0)
        elif name == "tier":
            tiers = zip(policy.tiers, codes.asked_tier, strict=True)
            texts[name] = Texts({tier.name: more[_cell(column, tier.name)] + part for tier, part in tiers})
        elif fact.built_in or name not in MEANT_OTHERWISE:
            texts[name] = _texts(fact, column, more)
    tokens = {name: numbers.pop(name) for name in _TOKENS}
    words = {word: 1 << number for number, word in enumerate(CAPABILITIES)}
    estimate = policy.estimate_input_tokens, policy.estimate_output_tokens
    inputs = {n: r for n, r in numbers.items() if policy.facts[n].built_in or n not in MEANT_OTHERWISE}
    return Readers(start, texts, inputs, tokens, words, sets, codes, estimate)


def _default(fact: Fact) -> FactValue:
    return frozenset() if fact.kind is FactKind.SET else fact.default  # type: ignore[return-value]


def _cell(column: Column | None, value: FactValue) -> int:
    return 0 if column is None else column.cell(value)


def _texts(fact: Fact, column: Column | None, parts: tuple[int, ...]) -> Texts:
    if fact.kind is not FactKind.TEXT:
        return Texts({value: parts[_cell(column, value)] for value in fact.values})
    if not isinstance(column, TextColumn):
        return Texts({}, lambda _: parts[0])
    known = {text: parts[cell] for text, cell in column.cells.items()}
    return Texts(known, lambda text: parts[column.unmentioned(text)])


def _numbers(fact: Fact, column: Column | None, parts: tuple[int, ...]) -> Numbers:
    low = max(float(fact.low), nextafter(-MOST, 0))
    end = float(MOST) if fact.high is None else min(nextafter(fact.high, inf), float(MOST))
    breaks = column.breaks if isinstance(column, NumberColumn) else ()
    inside = array("d", [low, *(b for b in breaks if low < b < end)])
    of_cells = (parts[_cell(column, b)] for b in inside)
    return Numbers(_WHOLE if fact.whole else _NUMBERS, (*inside, end), (None, *of_cells, None))
