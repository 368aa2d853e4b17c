"""CheckedPolicy -> DecisionTable."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from math import inf
from zoneinfo import ZoneInfo

from ..policy.names import last_parts
from ..schemas.policy import (
    BudgetIn,
    CheckedPolicy,
    Condition,
    During,
    FactKind,
    Limit,
    NumberIn,
    Policy,
    Rule,
    StartsWith,
    ValueIs,
    When,
)
from .codes import codes_of
from .columns import Column
from .conditions import FactCondition
from .cutting import first_number, number_column, set_column, text_column
from .facts import tier_of
from .readers import readers_of
from .table import DecisionTable, Row

_Conditions = dict[str, dict[int, list[FactCondition]]]
"""Fact -> bit of a row -> that row's conditions on the fact."""


def compile_policy(checked: CheckedPolicy) -> DecisionTable:
    """The table of a checked policy; linear in rows times the cells they are told apart by."""
    policy = checked.policy
    limits = list(_rows(policy.limits, 0))
    rules = list(_rows(reversed(policy.rules), len(limits) + 1))
    everything = (1 << (len(limits) + 1 + len(rules))) - 1
    columns, digits = _columns(policy, [*limits, *rules], everything)
    names = references(policy)
    state_rows = tuple(row for row in [*limits, *rules] if _reads_state(row))
    rule_of = (None, *(row.statement for row in rules if isinstance(row.statement, Rule)))
    outcomes = _numbered(None if rule is None else (rule.tier, rule.models) for rule in rule_of)
    codes = codes_of(policy, columns, digits, len(limits), outcomes)
    return DecisionTable(
        policy=policy,
        zone=ZoneInfo(policy.timezone),
        columns=columns,
        codes=codes,
        readers=readers_of(policy, columns, codes, names),
        everything=everything,
        state_rows=state_rows,
        budget_conditions=tuple(
            dict.fromkeys(c for row in state_rows for c in row_conditions(row) if isinstance(c, BudgetIn))
        ),
        rule_of=rule_of,
        limit_rows=tuple(limits),
        limit_mask=(1 << len(limits)) - 1,
        tiers={tier.name: number for number, tier in enumerate(policy.tiers)},
        rank=_ranks(policy),
        references=names,
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


# --- columns -------------------------------------------------------------------------------------


def _columns(
    policy: Policy, rows: list[Row], everything: int
) -> tuple[dict[str, Column], dict[str, tuple[int, ...]]]:
    """
    The columns of the facts that matter, and what each cell means of those that the chain depends on.
    """
    by_fact = _conditions_by_fact(rows)
    columns: dict[str, Column] = {}
    digits: dict[str, tuple[int, ...]] = {}
    for name, fact in policy.facts.items():
        found = by_fact.get(name, {})
        if name == "complexity":
            starts = {first_number(tier.start, above=tier.above) for tier in policy.tiers}
            columns[name] = numbers = number_column(found, everything, starts)
            digits[name] = tuple(tier_of(policy, start) + 1 for start in (-inf, *numbers.breaks))
        elif name == "domain":
            columns[name] = texts = text_column(found, everything, fact.values)
            meaning = {cell: _meaning(policy, domain) for domain, cell in texts.cells.items()}
            digits[name] = _numbered(meaning.get(cell) for cell in range(len(texts.masks)))
        elif name == "requires":
            words = tuple(value for value in fact.values if value != "nothing")
            models = (model.capabilities for model in policy.models.values())
            columns[name], able = set_column(found, everything, words, models)
            digits[name] = _numbered(able)
        elif name in by_fact:
            numeric = fact.kind is FactKind.NUMBER
            columns[name] = number_column(found, everything) if numeric else text_column(found, everything)
    return columns, digits


def _meaning(policy: Policy, domain: str) -> Hashable:
    """What a domain may do to a chain; the same for all that do nothing."""
    known = policy.domains.get(domain)
    has_budget = any((b.scope, b.scope_name) == ("domain", domain) for b in policy.budgets.values())
    return domain if has_budget or (known is not None and known.models) else None


def _numbered(members: Iterable[Hashable]) -> tuple[int, ...]:
    """Each member's number; equal ones have the same."""
    numbers: dict[Hashable, int] = {}
    return tuple(numbers.setdefault(member, len(numbers)) for member in members)
