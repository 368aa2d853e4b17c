"""
Money on its way: what is about to be spent, what was spent, and what a ledger answers.

All money is in nano-USD, all tokens are whole numbers, all moments are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from .records import dataclass
from .request import Spend


class HoldState(StrEnum):
    """
    Where an attempt stands, lowest first.

    What happens to an attempt only ever moves it up this list. So the order in which events arrive,
    and how often they do, makes no difference.
    """

    HELD = "held"
    SENT = "sent"
    UNKNOWN = "unknown"
    RELEASED = "released"
    COMMITTED = "committed"


OPEN = (HoldState.HELD, HoldState.SENT)
"""The states in which the hold is set aside; in all others the cost counts as spent."""


class Flag(StrEnum):
    """Why the cost of an attempt isn't simply what its usage says."""

    OVERRUN = "overrun"
    MISSING = "usage missing"
    INVALID = "usage invalid"
    ABSURD = "usage absurd"
    UNKNOWN = "outcome unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """
    One call that is about to be sent: whose it is, and the most that it can cost.

    `key` names it for good, as in `request:step:attempt`. `most_nusd` is the worst case that is
    enforced on the wire; None: the worst case of the token limits at the prices, or, where there is
    no price either, no known cost. `tier` is the tier of the decision, `model_tier` the lowest one
    that the model stands in. `escalation` says what raised the tier, such as "escalated to powerful".
    """

    key: str
    provider: str
    model: str
    most_nusd: int | None = None
    price_in_nusd_per_mtok: int | None = None
    price_out_nusd_per_mtok: int | None = None
    max_input_tokens: int = 0
    max_output_tokens: int = 0
    tier: str | None = None
    model_tier: str | None = None
    domain: str | None = None
    story_id: str | None = None
    run_id: str | None = None
    iteration: int | None = None
    complexity: float | None = None
    attempt: int = 1
    fallback_used: bool = False
    escalation: str | None = None
    decision_id: str | None = None
    policy_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """
    What an attempt really took. None: the provider didn't say.

    `input_tokens` counts all input, cached tokens too. `cost_nusd` is what the provider bills;
    None: the tokens at the attempt's prices. `error` is the kind of failure, never a provider's text.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_nusd: int | None = None
    latency_ms: int | None = None
    success: bool = True
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """
    What the ledger has of an attempt. `cost_nusd` is what counts as spent: nothing while it is open.

    `again`: it was set aside before; who asks for it now didn't do so.
    """

    key: str
    state: HoldState
    hold_nusd: int
    cost_nusd: int
    flag: Flag | None = None
    again: bool = field(default=False, compare=False)


class DeniedBy(StrEnum):
    """What said no to a reservation."""

    BUDGET = "budget"
    NO_PRICE = "no price"
    LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class Denied:
    """
    A reservation that was refused; nothing was set aside, and nothing may be sent.

    `budget` is the budget that is in the way and `until` the moment at which its window turns.
    `only_held` says that it would fit if the calls under way turned out to cost nothing: waiting may help.
    """

    by: DeniedBy
    message: str
    budget: str | None = None
    until: datetime | None = None
    only_held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpend:
    """
    A budget in its current window.

    `window` names it: the day it starts on, or the run or story; None where no run or story is
    given. `limit_nusd` is the limit in force, `raised` says that it isn't the policy's; `paused`,
    that a person paused the budget.
    """

    budget: str
    window: str | None
    starts: datetime | None
    ends: datetime | None
    limit_nusd: int
    raised: bool
    paused: bool
    spend: Spend


class Purse(Protocol):
    """What an executor asks of a ledger. `ledger.Ledger` is one."""

    def reserve(
        self, attempt: Attempt, *, send: bool = False, lease_s: float = 120, wait_s: float = 0
    ) -> Hold | Denied:
        """Set the worst case aside, durably; `send`: and note that it is being sent."""

    def sent(self, key: str) -> Hold:
        """Note that the call is being sent. Only where the answer's state is SENT it may be."""

    def commit(self, key: str, usage: Usage | None) -> Hold:
        """Turn the hold into the real cost; None: the provider told no usage."""

    def release(self, key: str, error: str | None = None) -> Hold:
        """Give the hold back: the call was provably not sent, or is known not to be billed."""

    def abandon(self, key: str, error: str | None = None) -> Hold:
        """The outcome is unknown: count the hold as spent until somebody knows better."""

    def renew(self, key: str, lease_s: float = 120) -> Hold:
        """Say that the call is still under way."""

    def spend(self, *, run_id: str | None = None, story_id: str | None = None) -> Mapping[str, Spend]:
        """What each budget of the policy has spent and holds, for the next decision."""
