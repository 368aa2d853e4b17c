"""Facts -> Prepared: a request in the terms of one table, to be decided in any situation."""

from __future__ import annotations

from collections.abc import Hashable

from ..schemas.records import dataclass
from ..schemas.request import Request
from .facts import Facts, facts_of
from .pages import Page
from .table import DecisionTable


@dataclass(frozen=True, slots=True)
class Prepared:
    """
    A request whose facts are complete and checked, good for its table alone.

    `page` is where the rows that may match it stand, `masks` say which of them each place of its code
    leaves alive, `tail` is what the chain depends on beside rule and limits.
    `special` is what no place of a code holds: models of the story, failures, token counts that only exact
    costs tell apart. None says that the code is all that matters; where it is empty, the request has a cost
    of its own, or the limits of the story whose sub-task it is.
    """

    table: DecisionTable
    page: Page
    masks: tuple[int, ...]
    tail: int
    special: tuple[Hashable, ...] | None
    facts: Facts


def prepare(table: DecisionTable, request: Request) -> Prepared:
    """
    Make a request ready to be decided many times.

    Raises:
        RequestError: the request lacks a fact, or gives an impossible one.
    """
    return prepared(table, facts_of(table, request))


def prepared(table: DecisionTable, facts: Facts) -> Prepared:
    """Complete facts, ready to be decided many times."""
    codes = table.codes
    code = codes.code(table.columns, facts)
    page, mask = codes.pivot[code >> codes.pivot_shift & codes.pivot_low]
    return Prepared(
        table=table,
        page=page,
        masks=(mask, *(masks[code >> shift & low] for masks, shift, low in page.groups)),
        tail=code & codes.tail_mask,
        special=_special(table, facts),
        facts=facts,
    )


def _special(table: DecisionTable, facts: Facts) -> tuple[Hashable, ...] | None:
    if not (facts.story_models or facts.failures or facts.own_tokens or facts.delegated_by):
        return None
    tokens = (facts.input_tokens, facts.output_tokens) if facts.own_tokens else None
    if tokens is not None and table.codes.token_part(*tokens) is not None:
        tokens = None  # their place of the code says all of them
    found = facts.story_models, facts.failures, tokens
    return found if any(found) else ()
