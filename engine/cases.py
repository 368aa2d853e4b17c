"""A request with the state it is asked in: in words, and as the command that asks it again."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from ..policy.words import number
from ..schemas.policy import CAPABILITIES, During, Fact, Limit, Promise, Rule
from ..schemas.records import dataclass
from ..schemas.request import Request, Spend, State
from .compile import alternatives
from .facts import said
from .flips import spent_words
from .table import DecisionTable

NOON = datetime(2026, 1, 5, 12)
"""Local time of a case that says nothing of the clock: a Monday."""

_GIVEN = ("complexity", "domain", "kind", "skill", "branch", "attempt", "input_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class Case:
    """A request and the state in which it is asked."""

    request: Request
    state: State


def command(table: DecisionTable, case: Case, files: tuple[str, ...] = ()) -> str:
    """The command that explains a case; `files` are those that the policy came from."""
    named = (word for file in files for word in ("--policy", file))
    return shlex.join(["policyctl", "explain", *named, *options_of(table, case)])


def options_of(table: DecisionTable, case: Case, told: Collection[str] = ()) -> tuple[str, ...]:
    """
    The options of `explain` that ask just this, whatever the surroundings.

    What the command would else take from there, the clock and variables, is said where the policy reads it.

    Args:
        told: facts that a story tells, for which no variable is looked at.
    """
    return (*_request_options(table, case.request, told), *_state_options(table, case.state))


def _request_options(table: DecisionTable, request: Request, told: Collection[str]) -> Iterator[str]:
    facts = table.policy.facts
    for name in _GIVEN:
        value = getattr(request, name)
        if value is not None:
            yield from fact_options(facts[name], value)
    yield from (f"--requires-{n.replace('_', '-')}" for n in CAPABILITIES if n in request.requires)
    asked = {"--tier": request.tier, "--story-tier": request.story_tier, "--preferred": request.preferred}
    for word, value in asked.items():
        if value is not None:
            yield from (word, value)
    for name, value in request.inputs.items():
        yield from fact_options(facts[name], value)
    for fact in facts.values():
        said_already = fact.name in request.inputs or fact.name in told
        if fact.env is not None and fact.default is not None and not said_already:
            yield from fact_options(fact, fact.default)
    for failure in request.failures:
        where = f":{failure.tier}" if failure.tier is not None else ""
        gate = failure.cause.removeprefix("gate ")
        if gate != failure.cause:
            yield from ("--gate", f"{gate}=failed{where}")
        else:
            yield from ("--failed", f"{failure.cause}{where}")


def fact_options(fact: Fact, value: str | float) -> tuple[str, ...]:
    """The words of the command line that give a fact a value."""
    text = value if isinstance(value, str) else number(value)
    word, value_ = said(fact, text)
    return (f"{word}={value_}",) if value_.startswith("-") else (word, value_)


def _state_options(table: DecisionTable, state: State) -> Iterator[str]:
    if reads_clock(table):
        yield from ("--at", state.now.astimezone(table.zone).isoformat(timespec="minutes"))
    for name, spend in state.spend.items():
        if spend != Spend():
            yield from ("--spend", f"{name}={_spend_text(table, name, spend)}")
    for key in sorted(state.down):
        yield from ("--down", key)


def _spend_text(table: DecisionTable, name: str, spend: Spend) -> str:
    budget = table.policy.budgets[name]
    held = f"+{spent_words(spend.held_nusd, budget)[1]}" if spend.held_nusd else ""
    return spent_words(spend.spent_nusd, budget)[1] + held


def reads_clock(table: DecisionTable) -> bool:
    """Whether a rule, hard limit or promise looks at a window."""
    statements: list[Rule | Limit | Promise] = [
        *table.policy.rules,
        *table.policy.limits,
        *table.policy.promises,
    ]
    rows = (row for statement in statements for row in alternatives(statement.when))
    return any(isinstance(condition, During) for row in rows for condition in row)


def noon(table: DecisionTable) -> datetime:
    """The moment of a case that says nothing of the clock."""
    return NOON.replace(tzinfo=table.zone)


# --- in words ------------------------------------------------------------------------------------


def words_of(table: DecisionTable, case: Case) -> str:
    """A case in a few words: `complexity 7, vision required, monthly at 90%`."""
    return ", ".join([*_request_words(case.request), *_state_words(table, case.state)])


def _request_words(request: Request) -> Iterator[str]:
    for name in _GIVEN:
        value = getattr(request, name)
        if value is not None:
            yield f"{name.replace('_', ' ')} {_shown(value)}"
    if request.requires:
        yield f"{' and '.join(n for n in CAPABILITIES if n in request.requires)} required"
    if request.tier is not None:
        yield f"--tier {request.tier}"
    if request.story_tier is not None:
        yield f"the story's tier {request.story_tier}"
    if request.preferred is not None:
        yield f"--preferred {request.preferred}"
    for name, value in request.inputs.items():
        yield f"{name} {_shown(value)}"
    for failure in request.failures:
        yield f"{failure.cause} failed" + (f" in {failure.tier}" if failure.tier is not None else "")


def _shown(value: str | float) -> str:
    return (value or '""') if isinstance(value, str) else number(value)


def _state_words(table: DecisionTable, state: State) -> Iterator[str]:
    for name, spend in state.spend.items():
        if spend != Spend():
            budget = table.policy.budgets[name]
            held = f" and {spent_words(spend.held_nusd, budget)[0]} held" if spend.held_nusd else ""
            yield f"{name} at {spent_words(spend.spent_nusd, budget)[0]}{held}"
    if state.now.astimezone(UTC) != noon(table).astimezone(UTC):
        yield f"{state.now.astimezone(table.zone):%a %d %b %Y %H:%M}"
    if state.down:
        yield f"{' and '.join(sorted(state.down))} in cooldown"
