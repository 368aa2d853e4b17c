"""
The compiled form of a policy: one bitmask index over all rules and hard limits.

Each alternative of a rule or limit is a row, and each row is one bit. A column knows for every
value of one fact which rows it leaves alive; ANDing the columns leaves the rows that match. Rules
stand in the high bits, the first one highest, so that the highest bit is the first match; one
bit below them ("no rule") is always alive; hard limits stand in the low bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from ..schemas.policy import BudgetIn, Limit, Policy, Rule
from ..schemas.records import dataclass
from .codes import Codes
from .columns import Column
from .readers import Readers


@dataclass(frozen=True, slots=True)
class Row:
    """One alternative of a rule or limit; its index there, and its bit."""

    statement: Rule | Limit
    alternative: int
    bit: int


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """
    A compiled policy.

    `rule_of` gives for the highest alive bit (as bit_length - 1 - limit_bits) the rule, None for
    "no rule". `state_rows` are those that read the clock or a budget, `budget_conditions` what they
    read of budgets.
    `limit_rows` are the rows of hard limits by ascending bit, `limit_mask` their bits. `codes` say
    what of a request matters, `readers` read it out of plain values. `tiers` numbers the tiers by
    name, lowest 0; `rank` gives for a model the lowest tier it is in.
    """

    policy: Policy
    zone: ZoneInfo
    columns: Mapping[str, Column]
    codes: Codes
    readers: Readers
    everything: int
    state_rows: tuple[Row, ...]
    budget_conditions: tuple[BudgetIn, ...]
    rule_of: tuple[Rule | None, ...]
    limit_rows: tuple[Row, ...]
    limit_mask: int
    tiers: Mapping[str, int]
    rank: Mapping[str, int]
    references: Mapping[str, str]
    scoped_domains: frozenset[str]

    @property
    def limit_bits(self) -> int:
        """How many low bits belong to hard limits."""
        return len(self.limit_rows)
