"""
A policy after its names were resolved and its units converted.

Money is in nano-USD (10^-9 USD) as integers, prices in nano-USD per million tokens, durations
in seconds, clock times in minutes since midnight, weekdays 0 (Monday) to 6. Every statement
keeps the span it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from .records import dataclass
from .text import Span

NANO = 10**9

CAPABILITIES = ("vision", "tools", "json_mode", "reasoning", "audio", "pdf", "web_search")
"""What a model can do and a request can require, in the order in which they are shown."""


class FailureKind(StrEnum):
    """What went wrong with one attempt at a model."""

    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    SERVER_ERROR = "server_error"
    AUTH = "auth"
    QUOTA = "quota"
    NOT_FOUND = "not_found"
    INVALID_REQUEST = "invalid_request"
    CONTEXT_WINDOW = "context_window"
    CONTENT_FILTER = "content_filter"
    BAD_RESPONSE = "bad_response"
    CANCELLED = "cancelled"


class FactKind(StrEnum):
    """What values a fact takes, and so which conditions it may stand in."""

    YES_NO = "yes or no"
    CHOICE = "one of"
    NUMBER = "number"
    TEXT = "text"
    SET = "set"


@dataclass(frozen=True, slots=True)
class Fact:
    """
    An attribute of a request that conditions may read.

    `values` lists what a CHOICE or SET may be; `low` and `high` bound a NUMBER (`high` None:
    no bound). `default` None means that a request must give it. Yes and no are the texts
    "yes" and "no".
    """

    name: str
    kind: FactKind
    default: str | float | None
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float | None = None
    env: str | None = None
    whole: bool = False
    built_in: bool = False
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class ValueIs:
    """
    The fact is (or, negated, is not) one of some values.

    For the set fact `requires` it holds when the set contains any of the values; the value
    "nothing" stands for the empty set. For `domain` and `tier` the value "none" means that the
    request names none.
    """

    fact: str
    values: tuple[str, ...]
    negated: bool
    span: Span


@dataclass(frozen=True, slots=True)
class NumberIn:
    """The fact lies (or, negated, doesn't lie) between two bounds; a None bound is open-ended."""

    fact: str
    low: float | None
    high: float | None
    low_open: bool
    high_open: bool
    negated: bool
    span: Span


@dataclass(frozen=True, slots=True)
class StartsWith:
    """The text fact starts with a prefix."""

    fact: str
    prefix: str
    span: Span


@dataclass(frozen=True, slots=True)
class During:
    """The clock is inside (or, negated, outside) a window."""

    window: str
    negated: bool
    span: Span


@dataclass(frozen=True, slots=True)
class BudgetIn:
    """
    What a budget has spent lies between two bounds.

    The bounds are percents of the limit, or nano-USD where `in_money` is true.
    """

    budget: str
    low: Decimal | None
    high: Decimal | None
    low_open: bool
    high_open: bool
    in_money: bool
    span: Span


Condition = ValueIs | NumberIn | StartsWith | During | BudgetIn

When = tuple[tuple[Condition, ...], ...]
"""Alternatives, each a conjunction. No alternatives at all: always."""


@dataclass(frozen=True, slots=True)
class Model:
    """
    An entry of the catalogue.

    `id` is the whole `PROVIDER/NAME`; `provider` its first word. `key_names` are the
    environment variables of which one must be set (none: no key is needed). `costs_span` is
    where a price is written (None: the catalogue's counts).
    """

    key: str
    id: str
    provider: str
    price_in_nusd_per_mtok: int
    price_out_nusd_per_mtok: int
    capabilities: frozenset[str]
    context_tokens: int | None
    output_tokens: int | None
    timeout_s: float | None
    settings: tuple[tuple[str, float], ...]
    aliases: tuple[str, ...]
    key_names: tuple[str, ...]
    server: str | None
    enabled: bool
    span: Span
    id_span: Span
    costs_span: Span | None


@dataclass(frozen=True, slots=True)
class Tier:
    """Models for the complexities from a start (exclusive where `above`) to the next tier's."""

    name: str
    start: float
    above: bool
    models: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class WeekSpan:
    """
    A stretch of some weekdays, `start_minute` up to, not including, `end_minute`.

    Where the end isn't after the start it lies on the next day, and the stretch belongs to the
    day on which it starts. 0 to 1440 is the whole day.
    """

    days: frozenset[int]
    start_minute: int
    end_minute: int


@dataclass(frozen=True, slots=True)
class Cron:
    """
    The minutes that a five-field cron line matches, each field as the set of its values.

    Where both day fields are restricted, a day that fits either counts (Vixie cron).
    Weekdays are 0 (Monday) to 6.
    """

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days_of_month: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day_of_month: bool
    any_weekday: bool


@dataclass(frozen=True, slots=True)
class Window:
    """A schedule in the policy's time zone: one of `spans`, `cron` and `outside` is set."""

    name: str
    spans: tuple[WeekSpan, ...]
    cron: Cron | None
    outside: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Rule:
    """The first rule that matches names a tier, or models."""

    name: str
    when: When
    tier: str | None
    models: tuple[str, ...]
    because: str | None
    span: Span


class LimitKind(StrEnum):
    """The three hard limits."""

    REFUSE = "refuse"
    NEVER = "never use"
    ONLY = "only use"


@dataclass(frozen=True, slots=True)
class Limit:
    """A hard limit: binds every step and every person while its conditions hold."""

    kind: LimitKind
    models: tuple[str, ...]
    when: When
    because: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Domain:
    """Models that are good at a kind of work; `any_tier` lifts the ceiling for them."""

    name: str
    models: tuple[str, ...]
    any_tier: bool
    span: Span


class Action(StrEnum):
    """What a budget level does, mildest first."""

    WARN = "warn"
    DOWNGRADE = "downgrade"
    ONLY = "only"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Level:
    """From `percent` of the limit on; `tiers` for downgrade, `models` for only."""

    percent: Decimal
    action: Action
    tiers: int
    models: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Budget:
    """
    A limit per `period` (day, week, month, run, story).

    `scope` is "provider", "tier", "domain" or "model" with `scope_name`, or None for the whole.
    """

    name: str
    limit_nusd: int
    period: str
    scope: str | None
    scope_name: str | None
    levels: tuple[Level, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Escalation:
    """
    A failure raises the tier: to `to_tier`, or (None) to the next one.

    `from_tier` None: from any tier. Exactly one of `gate` and `kinds` is set.
    """

    from_tier: str | None
    to_tier: str | None
    gate: str | None
    kinds: tuple[FailureKind, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Mates:
    """An entry of the fallback list: the next `count` cheapest models of the tier."""

    count: int


@dataclass(frozen=True, slots=True)
class Fallback:
    """The list that ends every chain, model keys and `Mates`, in the order written."""

    entries: tuple[str | Mates, ...]
    parallel: bool
    span: Span


@dataclass(frozen=True, slots=True)
class OnFailure:
    """What to do on some kinds of failure: `then` is "wait" (and retry), "next model" or "stop"."""

    kinds: tuple[FailureKind, ...]
    then: str
    wait_s: float


@dataclass(frozen=True, slots=True)
class Retry:
    """Attempts at one step; for all models, or for `models` only."""

    models: tuple[str, ...]
    attempts: int
    wait_s: float
    doubling: bool
    cap_s: float | None
    on: tuple[OnFailure, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Alert:
    """
    Tell a channel when a metric crosses a bound.

    `bound` is "above", "below", "at least" or "at most"; `value` is in nano-USD for costs,
    percent for rates, seconds for latencies. `channel` is log, email, slack or webhook.
    """

    name: str
    metric: str
    bound: str
    value: Decimal
    channel: str
    target: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Promise:
    """
    An invariant of every chain that `when` covers; exactly one claim is set.

    `no_models`: none of them is in it. `min_providers`: it has that many providers.
    `max_price_in_nusd_per_mtok`: no step's input price is above. `max_cost_nusd`: no step's
    expected cost is above.
    """

    name: str
    no_models: tuple[str, ...]
    min_providers: int | None
    max_price_in_nusd_per_mtok: int | None
    max_cost_nusd: int | None
    when: When
    span: Span


@dataclass(frozen=True, slots=True)
class Example:
    """A request in a sentence, and the models its chain must start with."""

    conditions: tuple[Condition, ...]
    gives: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that one policy says, in the order it says it."""

    name: str
    version: str
    timezone: str
    baseline: str | None
    estimate_input_tokens: int
    estimate_output_tokens: int
    models: Mapping[str, Model]
    tiers: tuple[Tier, ...]
    facts: Mapping[str, Fact]
    windows: Mapping[str, Window]
    rules: tuple[Rule, ...]
    limits: tuple[Limit, ...]
    domains: Mapping[str, Domain]
    budgets: Mapping[str, Budget]
    escalations: tuple[Escalation, ...]
    fallback: Fallback | None
    hedge_after_s: float | None
    retries: tuple[Retry, ...]
    alerts: tuple[Alert, ...]
    promises: tuple[Promise, ...]
    examples: tuple[Example, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class CheckedPolicy:
    """A policy that passed the checker. Only the checker makes one, and only one can be compiled."""

    policy: Policy
