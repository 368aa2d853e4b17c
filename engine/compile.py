"""CheckedPolicy -> DecisionTable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from operator import xor
from zoneinfo import ZoneInfo

from ..policy.names import last_parts
from ..schemas.policy import (
    BudgetIn,
    CheckedPolicy,
    Condition,
    During,
    Fact,
    FactKind,
    Limit,
    NumberIn,
    Policy,
    Rule,
    StartsWith,
    ValueIs,
    When,
)
from .conditions import FactCondition, fact_holds
from .table import Column, DecisionTable, NumberColumn, Row, SetColumn, TextColumn, prefixed_rows

_Conditions = dict[str, dict[int, list[FactCondition]]]
"""Fact -> bit of a row -> that row's conditions on the fact."""


def compile_policy(checked: CheckedPolicy) -> DecisionTable:
    """The table of a checked policy; linear in rows times the cells they are told apart by."""
    policy = checked.policy
    limits = list(_rows(policy.limits, 0))
    rules = list(_rows(reversed(policy.rules), len(limits) + 1))
    everything = (1 << (len(limits) + 1 + len(rules))) - 1
    by_fact = _conditions_by_fact([*limits, *rules])
    return DecisionTable(
        policy=policy,
        zone=ZoneInfo(policy.timezone),
        columns=tuple(
            (fact, _column(policy.facts[fact], rows, everything)) for fact, rows in by_fact.items()
        ),
        everything=everything,
        state_rows=tuple(row for row in [*limits, *rules] if _reads_state(row)),
        rule_of=(None, *(row.statement for row in rules if isinstance(row.statement, Rule))),
        limit_rows=tuple(limits),
        tiers={tier.name: number for number, tier in enumerate(policy.tiers)},
        rank=_ranks(policy),
        references=references(policy),
        scoped_domains=frozenset(
            b.scope_name for b in policy.budgets.values() if b.scope == "domain" and b.scope_name
        ),
    )


def references(policy: Policy) -> dict[str, str]:
    """What a request may call a model by (key, alias, or the last part of just one key) -> its key."""
    names = {end: keys[0] for end, keys in last_parts(policy.models).items() if len(keys) == 1}
    names |= {alias: m.key for m in policy.models.values() for alias in m.aliases}
    return names | {key: key for key in policy.models}


def alternatives(when: When) -> When:
    """The alternatives of a statement; one without conditions where it has no `when`."""
    return when or ((),)


def _rows(statements: Iterable[Rule | Limit], first_bit: int) -> Iterator[Row]:
    bit = first_bit
    for statement in statements:
        for index in range(len(alternatives(statement.when))):
            yield Row(statement, index, 1 << bit)
            bit += 1


def row_conditions(row: Row) -> tuple[Condition, ...]:
    """The conditions that all must hold for a row."""
    return alternatives(row.statement.when)[row.alternative]


def _reads_state(row: Row) -> bool:
    return any(isinstance(c, During | BudgetIn) for c in row_conditions(row))


def _conditions_by_fact(rows: list[Row]) -> _Conditions:
    found: _Conditions = {}
    for row in rows:
        for condition in row_conditions(row):
            if isinstance(condition, ValueIs | NumberIn | StartsWith):
                found.setdefault(condition.fact, {}).setdefault(row.bit, []).append(condition)
    return found


def _ranks(policy: Policy) -> dict[str, int]:
    """The lowest tier of each model that is in one."""
    ranks: dict[str, int] = {}
    for number, tier in enumerate(policy.tiers):
        for key in tier.models:
            ranks.setdefault(key, number)
    return ranks


# --- one column ----------------------------------------------------------------------------------


def _column(fact: Fact, rows: Mapping[int, list[FactCondition]], everything: int) -> Column:
    if fact.kind is FactKind.NUMBER:
        return _number_column(rows, everything)
    if fact.kind is FactKind.SET:
        conditions = tuple((bit, tuple(found)) for bit, found in rows.items())
        return SetColumn(everything, conditions, frozenset(fact.values) - {"nothing"})
    return _text_column(rows, everything)


def _number_column(rows: Mapping[int, list[FactCondition]], everything: int) -> NumberColumn:
    numbers = [(bit, [c for c in found if isinstance(c, NumberIn)]) for bit, found in rows.items()]
    points = sorted({b for _, found in numbers for c in found for b in (c.low, c.high) if b is not None})
    cell_of_point = {point: 2 * i + 1 for i, point in enumerate(points)}
    cells = 2 * len(points) + 1
    toggles = [0] * (cells + 1)
    toggles[0] = everything
    for bit, found in numbers:
        alive = (1 << cells) - 1
        for condition in found:
            alive &= _cells(condition, cell_of_point, cells)
        # Wherever a row's life starts or ends it is toggled; it was alive from the first cell on.
        edges = alive ^ (alive << 1) ^ 1
        while edges:
            low = edges & -edges
            toggles[low.bit_length() - 1] ^= bit
            edges ^= low
    return NumberColumn(tuple(points), tuple(accumulate(toggles[:cells], xor)))


def _cells(condition: NumberIn, cell_of_point: Mapping[float, int], cells: int) -> int:
    """The cells in which a condition holds, as bits."""
    first, last = 0, cells - 1
    if condition.low is not None:
        first = cell_of_point[condition.low] + condition.low_open
    if condition.high is not None:
        last = cell_of_point[condition.high] - condition.high_open
    inside = ((1 << max(last - first + 1, 0)) - 1) << first
    return ((1 << cells) - 1) ^ inside if condition.negated else inside


def _text_column(rows: Mapping[int, list[FactCondition]], everything: int) -> TextColumn:
    texts = {v for found in rows.values() for c in found if isinstance(c, ValueIs) for v in c.values}
    texts |= {c.prefix for found in rows.values() for c in found if isinstance(c, StartsWith)}
    other = everything
    by_prefix: dict[str, list[tuple[int, tuple[FactCondition, ...]]]] = defaultdict(list)
    mentioned: dict[str, list[int]] = defaultdict(list)
    for bit, found in rows.items():
        start = next((c.prefix for c in found if isinstance(c, StartsWith)), None)
        if start is not None:
            by_prefix[start].append((bit, tuple(found)))
        elif all(c.negated for c in found if isinstance(c, ValueIs)):
            for text in {v for c in found if isinstance(c, ValueIs) for v in c.values}:
                mentioned[text].append(bit)
            continue  # alive for all other texts
        else:
            for text in _texts_alive(found):
                mentioned[text].append(bit)
        other &= ~bit
    prefixed = {prefix: tuple(found) for prefix, found in by_prefix.items()}
    lengths = tuple(sorted({len(prefix) for prefix in prefixed}))
    masks = {}
    for text in texts:
        mask = other
        for bit in mentioned[text]:
            mask ^= bit
        masks[text] = mask | prefixed_rows(prefixed, lengths, text)
    return TextColumn(masks, other, prefixed, lengths)


def _texts_alive(conditions: list[FactCondition]) -> Iterator[str]:
    """The texts that satisfy conditions of which one at least lists what it allows."""
    allowing = next(c for c in conditions if isinstance(c, ValueIs) and not c.negated)
    for text in dict.fromkeys(allowing.values):
        if all(fact_holds(c, text) for c in conditions):
            yield text
