"""
The compiled form of a policy: one bitmask index over all rules and hard limits.

Each alternative of a rule or limit is a row, and each row is one bit. A column knows for every
value of one fact which rows it leaves alive; ANDing the columns leaves the rows that match. Rules
stand in the high bits, the first one highest, so that the highest bit is the first match; one
bit below them ("no rule") is always alive; hard limits stand in the low bits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import field
from zoneinfo import ZoneInfo

from ..schemas.policy import Limit, Policy, Rule
from ..schemas.records import dataclass
from .conditions import FactCondition, FactValue, fact_holds


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """
    Rows by the cell that a number falls in.

    `points` rise; cell 2i is the gap below points[i], cell 2i+1 is points[i] itself, and the last
    cell the gap above all points.
    """

    points: tuple[float, ...]
    masks: tuple[int, ...]

    def rows(self, value: FactValue) -> int:
        """The rows that this number leaves alive."""
        points = self.points
        i = bisect_left(points, value)
        return self.masks[2 * i + (i < len(points) and points[i] == value)]


@dataclass(frozen=True, slots=True)
class TextColumn:
    """
    Rows by the text of a fact: exact for the texts that the policy mentions, `other` for the rest.

    `prefixed` are the rows (bit, conditions on this fact) with a prefix among their conditions,
    which an unmentioned text may still satisfy: by a prefix, whose `lengths` there are.
    """

    masks: Mapping[str, int]
    other: int
    prefixed: Mapping[str, tuple[tuple[int, tuple[FactCondition, ...]], ...]]
    lengths: tuple[int, ...]

    def rows(self, value: FactValue) -> int:
        """The rows that this text leaves alive."""
        mask = self.masks.get(value)  # type: ignore[arg-type]
        if mask is not None:
            return mask
        assert isinstance(value, str)
        return self.other | prefixed_rows(self.prefixed, self.lengths, value)


@dataclass(frozen=True, slots=True)
class SetColumn:
    """Rows by the set of required capabilities; each combination is worked out once."""

    everything: int
    conditions: tuple[tuple[int, tuple[FactCondition, ...]], ...]
    known: frozenset[str]
    masks: dict[frozenset[str], int] = field(default_factory=dict)

    def rows(self, value: FactValue) -> int:
        """The rows that this set leaves alive."""
        assert isinstance(value, frozenset)
        # Words that are no capability can't tell rows apart, and must not fill the memory; but a
        # set of only those isn't empty either.
        key = value & self.known or frozenset({"?"} if value else ())
        mask = self.masks.get(key)
        if mask is None:
            mask = self.everything
            for bit, conditions in self.conditions:
                if not all(fact_holds(c, key) for c in conditions):
                    mask &= ~bit
            self.masks[key] = mask
        return mask


def prefixed_rows(
    prefixed: Mapping[str, tuple[tuple[int, tuple[FactCondition, ...]], ...]],
    lengths: tuple[int, ...],
    text: str,
) -> int:
    """The rows with a prefix that a text satisfies; only those whose prefix it has are looked at."""
    rows = 0
    for length in lengths:
        for bit, conditions in prefixed.get(text[:length], ()) if length <= len(text) else ():
            if all(fact_holds(c, text) for c in conditions):
                rows |= bit
    return rows


Column = NumberColumn | TextColumn | SetColumn


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
    "no rule". `limit_rows` are the rows of hard limits by ascending bit. `tiers` numbers the tiers
    by name, lowest 0; `rank` gives for a model the lowest tier it is in.
    """

    policy: Policy
    zone: ZoneInfo
    columns: tuple[tuple[str, Column], ...]
    everything: int
    state_rows: tuple[Row, ...]
    rule_of: tuple[Rule | None, ...]
    limit_rows: tuple[Row, ...]
    tiers: Mapping[str, int]
    rank: Mapping[str, int]
    references: Mapping[str, str]
    scoped_domains: frozenset[str]

    @property
    def limit_bits(self) -> int:
        """How many low bits belong to hard limits."""
        return len(self.limit_rows)
