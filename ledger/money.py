"""
What an attempt can cost at most, and what its usage costs, in whole nano-USD.

Nothing here is a float: NaN, infinities, negatives and amounts past any sense are refused at the door.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..schemas.ledger import Attempt, Flag, Usage

MOST_NUSD = 10**18
"""A billion dollars: no single call costs more, and sums of these still fit into 64 bits for a while."""

MOST_TOKENS = 10**12
MTOK = 10**6

ABSURD = 10
"""Usage of more than so many times what the hold allows isn't believed."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What counts as spent for an attempt, and why it isn't simply what the usage says."""

    cost_nusd: int
    flag: Flag | None


def is_count(value: object, most: int) -> bool:
    """Whether a value is a whole number from 0 up to a bound; True and 2.0 are none."""
    return type(value) is int and 0 <= value <= most


def worst_case(attempt: Attempt) -> int | None:
    """The most that an attempt can cost; None where no price is known."""
    if attempt.most_nusd is not None:
        return attempt.most_nusd
    return _priced(attempt, attempt.max_input_tokens, attempt.max_output_tokens)


def charge(attempt: Attempt, hold_nusd: int, usage: Usage | None) -> Charge:
    """
    What an attempt costs by its usage.

    Usage that is missing, impossible or more than ten times what was held is charged at the hold and
    flagged. A cost above the hold that can be believed is charged in full and flagged too.
    """
    if usage is None or _says_nothing(usage):
        return Charge(hold_nusd, Flag.MISSING)
    cost = _cost(attempt, usage)
    if not _is_valid(usage) or (cost is not None and not is_count(cost, MOST_NUSD)):
        return Charge(hold_nusd, Flag.INVALID)
    if cost is None:
        return Charge(hold_nusd, Flag.MISSING)
    if cost > ABSURD * hold_nusd or _too_many_tokens(attempt, usage):
        return Charge(hold_nusd, Flag.ABSURD)
    return Charge(cost, Flag.OVERRUN if cost > hold_nusd else None)


def recorded_cost(attempt: Attempt, usage: Usage) -> int | None:
    """
    What a call that was made without a hold cost; None where neither a cost nor a price is known.

    Raises:
        ValueError: the usage can't be.
    """
    if not _is_valid(usage):
        raise ValueError("tokens, cost and latency are whole numbers from 0 up")
    cost = _cost(attempt, usage)
    if cost is not None and not is_count(cost, MOST_NUSD):
        raise ValueError("no call costs that much")
    return cost


def _cost(attempt: Attempt, usage: Usage) -> int | None:
    if usage.cost_nusd is not None:
        return usage.cost_nusd
    if usage.input_tokens is None or usage.output_tokens is None or not _is_valid(usage):
        return None
    return _priced(attempt, usage.input_tokens, usage.output_tokens)


def _priced(attempt: Attempt, input_tokens: int, output_tokens: int) -> int | None:
    """Tokens at the attempt's prices, rounded up to a whole nano-USD."""
    price_in, price_out = attempt.price_in_nusd_per_mtok, attempt.price_out_nusd_per_mtok
    if price_in is None or price_out is None:
        return None
    return -(-(input_tokens * price_in + output_tokens * price_out) // MTOK)


def _says_nothing(usage: Usage) -> bool:
    return usage.cost_nusd is None and (usage.input_tokens is None or usage.output_tokens is None)


def _is_valid(usage: Usage) -> bool:
    tokens = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens)
    return (
        all(n is None or is_count(n, MOST_TOKENS) for n in tokens)
        and (usage.cost_nusd is None or is_count(usage.cost_nusd, MOST_NUSD))
        and (usage.latency_ms is None or is_count(usage.latency_ms, MOST_TOKENS))
    )


def _too_many_tokens(attempt: Attempt, usage: Usage) -> bool:
    return any(
        most and used is not None and used > ABSURD * most
        for most, used in (
            (attempt.max_input_tokens, usage.input_tokens),
            (attempt.max_output_tokens, usage.output_tokens),
        )
    )
