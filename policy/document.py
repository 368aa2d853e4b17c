"""
A policy as it is written: statements in order, names not resolved, each with its place.

Both surfaces give this Document, so everything behind it knows of neither.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from ..schemas.records import dataclass
from ..schemas.text import Source, Span

STARTERS = frozenset(
    "policy timezone include baseline estimate model tier input window rule never only refuse domain "
    "budget escalate fallback hedge retry alert promise example end".split()
)
"""The words that start a statement."""


class Unit(StrEnum):
    """The unit that was written at a number."""

    NUMBER = "number"
    COUNT = "count"
    MONEY = "amount of money"
    PERCENT = "percentage"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class Name:
    """A word that the user wrote: bare, or in quotes."""

    text: str
    span: Span
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Amount:
    """
    A number with its unit; money in USD, durations in seconds, counts and numbers as they are.

    `value` None means that it was malformed, which has been reported already.
    """

    unit: Unit
    value: Decimal | None
    text: str
    span: Span


Value = Name | Amount


@dataclass(frozen=True, slots=True)
class Condition:
    """
    One test. `form` is is, is not, one of, not one of, above, below, at least, at most, between,
    starts with, during, outside; `budget` says that the subject names a budget, not a fact.
    """

    form: str
    subject: Name
    values: tuple[Value, ...]
    budget: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Alternative:
    """One `when` line; `joined` where it was written `or when`."""

    conditions: tuple[Condition, ...]
    joined: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Header:
    """`version` None: none was written."""

    name: Name
    version: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Timezone:
    name: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Include:
    path: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Baseline:
    model: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Estimate:
    input_tokens: Amount
    output_tokens: Amount
    span: Span


@dataclass(frozen=True, slots=True)
class Attribute:
    """
    One clause of a model: costs, can, context, output, timeout, set, alias, key, server or
    disabled. `costs nothing` and `can nothing` have no values; `set` has pairs of name and number.
    """

    kind: str
    values: tuple[Value, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Model:
    key: Name
    target: Name
    attributes: tuple[Attribute, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Tier:
    name: Name
    above: bool
    start: Amount
    models: tuple[Name, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Input:
    """`form` is "yes or no", "one of", "interval" or "text"; `values` its choices or two bounds."""

    name: Name
    form: str
    values: tuple[Value, ...]
    default: Value | None
    env: Name | None
    span: Span


@dataclass(frozen=True, slots=True)
class Stretch:
    """Weekdays 0 (Monday) to 6, and two clock times as text; "00:00" to "24:00" is all day."""

    days: tuple[int, ...]
    start: Name
    end: Name
    span: Span


@dataclass(frozen=True, slots=True)
class Window:
    """One of `stretches`, `cron` and `outside` is set."""

    name: Name
    stretches: tuple[Stretch, ...]
    cron: Name | None
    outside: Name | None
    span: Span


@dataclass(frozen=True, slots=True)
class Rule:
    name: Name
    when: tuple[Alternative, ...]
    tier: Name | None
    models: tuple[Name, ...]
    because: Name | None
    span: Span


@dataclass(frozen=True, slots=True)
class Limit:
    """`kind` is refuse, never use or only use."""

    kind: str
    models: tuple[Name, ...]
    when: tuple[Alternative, ...]
    because: Name | None
    span: Span


@dataclass(frozen=True, slots=True)
class Domain:
    name: Name
    models: tuple[Name, ...]
    any_tier: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Level:
    percent: Amount
    action: str
    tiers: Amount | None
    models: tuple[Name, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Budget:
    name: Name
    limit: Amount
    period: Name
    scope: str | None
    scope_name: Name | None
    levels: tuple[Level, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Escalate:
    """`to` None: the next tier. One of `gate` and `kinds` is set."""

    from_tier: Name | None
    to_tier: Name | None
    gate: Name | None
    kinds: tuple[Name, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Fallback:
    """An Amount among the entries stands for `next N of tier`."""

    entries: tuple[Value, ...]
    parallel: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Hedge:
    after: Amount
    span: Span


@dataclass(frozen=True, slots=True)
class OnFailure:
    """`then` is wait, next model or stop; `wait` is set for wait."""

    kinds: tuple[Name, ...]
    then: str
    wait: Amount | None
    span: Span


@dataclass(frozen=True, slots=True)
class Retry:
    models: tuple[Name, ...]
    attempts: Amount
    wait: Amount
    doubling: bool
    cap: Amount | None
    on: tuple[OnFailure, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Alert:
    """`bound` is above, below, at least or at most; `channel` log, email, slack or webhook."""

    name: Name
    metric: Name
    bound: str
    value: Amount
    channel: str
    target: Name | None
    span: Span


@dataclass(frozen=True, slots=True)
class Promise:
    """`claim` is "no", "providers", "price" or "cost"."""

    name: Name
    claim: str
    models: tuple[Name, ...]
    amount: Amount | None
    when: tuple[Alternative, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Example:
    conditions: tuple[Condition, ...]
    gives: tuple[Name, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class End:
    span: Span


Statement = (
    Header
    | Timezone
    | Include
    | Baseline
    | Estimate
    | Model
    | Tier
    | Input
    | Window
    | Rule
    | Limit
    | Domain
    | Budget
    | Escalate
    | Fallback
    | Hedge
    | Retry
    | Alert
    | Promise
    | Example
    | End
)


@dataclass(frozen=True, slots=True)
class Document:
    """The statements of all files, each include replaced by what it names."""

    sources: tuple[Source, ...]
    statements: tuple[Statement, ...]
