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


class Numbers(NamedTuple):
    """What a number adds to a code: by the cell that it lies in; None for what is too low or too high."""

    whole: bool
    breaks: tuple[float, ...]
    parts: tuple[Any, ...]


class Words(NamedTuple):
    """What a set of words adds to a code: by the sum of the bits of its words."""

    bits: Mapping[str, int]
    parts: tuple[int, ...]


Reader = dict[Any, int] | Numbers | Words
"""What the values of one name add to a code; a dictionary has the texts that are known."""


@dataclass(frozen=True, slots=True)
class Readers:
    """
    What each plain value adds to the code of a request that says nothing, which is `start`.

    `others` say what values add that `by_name` doesn't know: a number, which is for any text, or a function
    that raises a KeyError where the value can't be. As long as a fact is
    missing that must be given, a code is below 0. `estimate` is what a request's tokens are otherwise, and
    `tokens` the names of its own.
    """

    start: int
    by_name: Mapping[str, Reader]
    others: Mapping[str, Any]
    tokens: frozenset[str]
    codes: Codes
    estimate: tuple[int, int]


def read(readers: Readers, values: Mapping[str, Any]) -> int | None:
    """The code of plain values; None where something is wrong, or so unusual that it takes a closer look."""
    code, by_name = readers.start, readers.by_name
    reader: Any
    try:
        for name, value in values.items():
            reader = by_name[name]
            if type(reader) is dict:
                part = reader.get(value)
                if part is None:
                    other = readers.others[name]
                    part = other if type(other) is int and type(value) is str else other(value)
                code += part
            elif type(reader) is Numbers:
                whole, breaks, parts = reader
                kind: type = type(value)
                if kind is not int and (whole or kind is not float):
                    return None
                code += parts[bisect_right(breaks, value)]  # None is a TypeError
            else:
                kind = type(value)
                if kind not in _COLLECTIONS:
                    return None
                bits_of, parts = reader
                bits = 0
                for word in value:
                    bits |= bits_of[word]
                code += parts[bits]
    except (KeyError, TypeError):
        return None
    if code < 0:
        return None
    return code if readers.tokens.isdisjoint(values) else _with_tokens(readers, values, code)


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
    preferred: Reader = {name: codes.preferred[key] for name, key in references.items()}
    by_name = {"preferred": preferred}
    others: dict[str, Any] = {"preferred": _no_other}
    for name, fact in policy.facts.items():
        column, parts = columns.get(name), codes.parts.get(name, (0,))
        usual = -missing if fact.default is None else parts[_cell(column, _default(fact))]
        start += usual
        if fact.built_in or name not in MEANT_OTHERWISE:
            more = tuple(part - usual for part in parts)
            by_name[name] = _reader(policy, codes, fact, column, more)
            others[name] = _other(fact, column, more)
    estimate = policy.estimate_input_tokens, policy.estimate_output_tokens
    return Readers(start, by_name, others, frozenset(_TOKENS), codes, estimate)


def _default(fact: Fact) -> FactValue:
    return frozenset() if fact.kind is FactKind.SET else fact.default  # type: ignore[return-value]


def _cell(column: Column | None, value: FactValue) -> int:
    return 0 if column is None else column.cell(value)


def _reader(
    policy: Policy, codes: Codes, fact: Fact, column: Column | None, parts: tuple[int, ...]
) -> Reader:
    if fact.kind is FactKind.NUMBER:
        return _numbers(fact, column, parts)
    if isinstance(column, SetColumn):
        known = {word: bit for word, bit in column.bits.items() if word in CAPABILITIES}
        return Words(known, tuple(parts[cell] for cell in column.cells))
    if fact.name == "tier":
        tiers = zip(policy.tiers, codes.asked_tier, strict=True)
        return {tier.name: parts[_cell(column, tier.name)] + part for tier, part in tiers}
    if fact.kind is FactKind.TEXT:
        cells = column.cells if isinstance(column, TextColumn) else {}
        return {text: parts[cell] for text, cell in cells.items()}
    values = policy.domains if fact.name == "domain" else fact.values
    return {value: parts[_cell(column, value)] for value in values}


def _other(fact: Fact, column: Column | None, parts: tuple[int, ...]) -> int | Callable[[Any], int]:
    """What a value adds that the policy doesn't mention, where it may be."""
    if fact.name == "domain":
        return 0  # one that the policy doesn't declare counts as none, the default
    if fact.kind is FactKind.YES_NO:
        yes_no = {True: parts[_cell(column, "yes")], False: parts[_cell(column, "no")]}
        return lambda value: yes_no[value] if isinstance(value, bool) else _no_other(value)
    if fact.kind is not FactKind.TEXT:
        return _no_other
    if not isinstance(column, TextColumn):
        return parts[0]
    if not column.lengths:
        return parts[column.other]
    return lambda value: parts[column.unmentioned(value)] if isinstance(value, str) else _no_other(value)


def _no_other(value: object) -> int:
    raise KeyError(value)


def _numbers(fact: Fact, column: Column | None, parts: tuple[int, ...]) -> Numbers:
    low = max(float(fact.low), nextafter(-MOST, 0))
    end = float(MOST) if fact.high is None else min(nextafter(fact.high, inf), float(MOST))
    breaks = column.breaks if isinstance(column, NumberColumn) else ()
    inside = array("d", [low, *(b for b in breaks if low < b < end)])
    of_cells = (parts[_cell(column, b)] for b in inside)
    return Numbers(fact.whole, (*inside, end), (None, *of_cells, None))
