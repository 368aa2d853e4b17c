"""Request -> facts: every fact of the policy has a value, or the request is an error that names it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..policy.names import did_you_mean
from ..schemas.errors import Problem, RequestError
from ..schemas.policy import Fact, FactKind, Policy
from ..schemas.records import dataclass
from ..schemas.request import Request
from .conditions import FactValue

if TYPE_CHECKING:
    from .table import DecisionTable

MOST = 10**15
"""No number of a request is as large."""

_PLAIN = ("complexity", "kind", "skill", "branch", "attempt", "input_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class Facts:
    """
    A request as the policy sees it: names resolved, defaults filled in.

    `values` has every fact of the policy. Tiers are numbers, lowest 0. `story_models` are keys;
    `unknown_models` those that the story names and the policy doesn't have. `delegated_by` are the
    facts of the story whose sub-task this is. `own_tokens`: its token counts aren't the policy's estimate.
    """

    values: Mapping[str, FactValue]
    complexity_tier: int
    defaulted: frozenset[str]
    requires: frozenset[str]
    domain: str
    input_tokens: int
    output_tokens: int
    story_tier: int | None
    tier: int | None
    preferred: str | None
    story_models: tuple[str, ...]
    unknown_models: tuple[str, ...]
    failures: tuple[tuple[str, int | None], ...]
    delegated_by: Facts | None
    own_tokens: bool


def facts_of(table: DecisionTable, request: Request, story: Facts | None = None) -> Facts:
    """
    Give every fact its value.

    Args:
        story: the facts of the story whose sub-task this is; by default those of `request.delegated_by`.

    Raises:
        RequestError: names each fact that is missing or can't be what it is.
    """
    policy, problems = table.policy, []
    if story is None and request.delegated_by is not None:
        story = facts_of(table, request.delegated_by)
    tiers = table.tiers
    named = [request.tier, request.story_tier, *(f.tier for f in request.failures)]
    problems += [_unknown("tier", name, tiers) for name in named if name is not None and name not in tiers]
    if request.preferred is not None and request.preferred not in table.references:
        problems.append(_unknown("model", request.preferred, table.references))
    problems += [
        _unknown("input", name, _inputs(policy)) for name in request.inputs if not _is_input(policy, name)
    ]
    given = _given(table, request)
    if story is not None:
        given = _needed_of(policy, story) | given
    for fact in policy.facts.values():
        problem = _problem(fact, given.get(fact.name))
        if problem is not None:
            problems.append(problem)
    if problems:
        raise RequestError(tuple(problems))
    values = {name: given.get(name, fact.default) for name, fact in policy.facts.items()}
    values["requires"] = request.requires
    estimate = policy.estimate_input_tokens, policy.estimate_output_tokens
    input_tokens = _tokens(request.input_tokens, estimate[0])
    output_tokens = _tokens(request.output_tokens, estimate[1])
    resolved = [(name, table.references.get(name)) for name in request.story_models]
    return Facts(
        complexity_tier=tier_of(policy, float(given["complexity"])),  # type: ignore[arg-type]
        values=values,  # type: ignore[arg-type]  # no None is left: `_problem` has seen to it
        defaulted=frozenset(name for name in policy.facts if name not in given),
        requires=request.requires,
        domain=str(values["domain"]),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        story_tier=None if request.story_tier is None else tiers[request.story_tier],
        tier=None if request.tier is None else tiers[request.tier],
        preferred=None if request.preferred is None else table.references[request.preferred],
        story_models=tuple(dict.fromkeys(key for _, key in resolved if key is not None)),
        unknown_models=tuple(name for name, key in resolved if key is None),
        failures=tuple((f.cause, None if f.tier is None else tiers[f.tier]) for f in request.failures),
        delegated_by=story,
        own_tokens=(input_tokens, output_tokens) != estimate,
    )


def _needed_of(policy: Policy, story: Facts) -> dict[str, object]:
    """The inputs that a sub-task takes from its story where it says nothing: those without a default."""
    return {name: story.values[name] for name, f in _inputs(policy).items() if f.default is None}


def tier_of(policy: Policy, complexity: float) -> int:
    """The last tier that starts at or below a complexity."""
    return bisect_right(policy.tiers, (complexity, False), key=lambda tier: (tier.start, tier.above)) - 1


def _is_input(policy: Policy, name: str) -> bool:
    return name in policy.facts and not policy.facts[name].built_in


def _inputs(policy: Policy) -> dict[str, Fact]:
    return {name: fact for name, fact in policy.facts.items() if not fact.built_in}


def _tokens(given: int | None, estimate: int) -> int:
    return estimate if given is None else int(given)


def _given(table: DecisionTable, request: Request) -> dict[str, object]:
    """What the request says, by fact; what it doesn't say is missing here."""
    given: dict[str, object] = {name: getattr(request, name) for name in _PLAIN}
    asked = request.tier if request.tier is not None else request.story_tier
    given["tier"] = asked if asked in table.tiers else None
    given["domain"] = request.domain if request.domain in table.policy.domains else None
    given["requires"] = request.requires or None
    given |= request.inputs
    return {name: value for name, value in given.items() if value is not None}


def _problem(fact: Fact, value: object) -> Problem | None:
    """What is wrong with what a request gives (None: nothing) for a fact."""
    if value is None:
        if fact.default is not None:
            return None
        return Problem(
            fact.name, f"`{fact.name}` isn't given", f"give it: {' '.join(said(fact, example(fact)))}"
        )
    if fact.kind is FactKind.NUMBER:
        return _number_problem(fact, value)
    if fact.kind is FactKind.SET or (fact.kind is FactKind.TEXT and isinstance(value, str)):
        return None
    if not isinstance(value, str) or value not in fact.values:
        return Problem(fact.name, f"`{fact.name}` can't be `{value}`", f"it is {_range(fact)}")
    return None


def _number_problem(fact: Fact, value: object) -> Problem | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST:
        return Problem(fact.name, f"`{fact.name}` is a number, not `{str(value)[:40]}`")
    in_range = value >= fact.low and (fact.high is None or value <= fact.high)
    if not in_range or (fact.whole and value != int(value)):
        return Problem(fact.name, f"`{fact.name}` can't be {value:g}", f"it is {_range(fact)}")
    return None


def _range(fact: Fact) -> str:
    if fact.kind is not FactKind.NUMBER:
        return " or ".join(fact.values) or "a text"
    kind = "a whole number" if fact.whole else "a number"
    return (
        f"{kind} of at least {fact.low:g}"
        if fact.high is None
        else f"{kind} from {fact.low:g} to {fact.high:g}"
    )


def _unknown(kind: str, name: str, known: Mapping[str, object]) -> Problem:
    help = did_you_mean(str(name), known, else_list=f"the {kind}s are")
    return Problem(kind, f"unknown {kind} `{name}`", help or f"there is no {kind}")


def option(name: str) -> str:
    """The command's option for a fact."""
    return "--" + name.replace("_", "-")


OPTIONS = frozenset(
    "policy story story-tier prd preferred requires input at spend down gate failed available why-not json "
    "csv color help by all fail-over".split()
)
"""Options of the command that are no facts; an input of such a name is given by --input NAME=VALUE."""


def said(fact: Fact, text: str) -> tuple[str, str]:
    """An option of the command and its value, which give a fact a value."""
    if not fact.built_in and option(fact.name)[2:] in OPTIONS:
        return "--input", f"{fact.name}={text}"
    return option(fact.name), text


def example(fact: Fact) -> str:
    """Some value that the fact may have, for a help line."""
    if fact.kind is FactKind.NUMBER:
        return f"{min(max(fact.low, 3), fact.high if fact.high is not None else 3):g}"
    return fact.values[0] if fact.values else "TEXT"
