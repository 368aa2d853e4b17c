"""`policyctl table`: the whole policy at a glance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import click

from ...deciding import Engine
from ...engine.decide import decide, observe
from ...policy.words import condition_words, level_words, number
from ...schemas.decision import Decision
from ...schemas.policy import Action, Limit, LimitKind, Policy, Rule, Tier, When
from ...schemas.request import Request, State
from ..options import color_option, load_engine, policy_option
from ..output import cells, columns, dim, named, out, safe, strong, width

FORMAT_VERSION = "1.0"

_NEEDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("any", frozenset()),
    ("vision", frozenset({"vision"})),
    ("tools", frozenset({"tools"})),
    ("JSON mode", frozenset({"json_mode"})),
)


@click.command()
@policy_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def command(policies: tuple[str, ...], as_json: bool) -> None:
    """
    Show a policy as a table: who serves which complexity and capability.

    The rows are in the order in which they decide: hard limits, rules, then tiers by complexity,
    each with its cheapest model that can, where no rule matches, nothing is spent and all models
    are up; in brackets one of another tier or of the fallback list. Budget levels come last.
    """
    engine = load_engine(policies)
    if as_json:
        out(json.dumps(_document(engine), indent=2))
        return
    for line in _page(engine):
        out(line)


def _page(engine: Engine) -> Iterator[str]:
    policy = engine.policy
    limits = [[named(s.kind.value), _limit(s), dim(_when(s.when))] for s in policy.limits]
    rules = [[named(safe(r.name)), _outcome(r), dim(_when(r.when))] for r in policy.rules]
    levels = [
        [named(safe(b.name)), level_words(level)] for b in policy.budgets.values() for level in b.levels
    ]
    yield from _section("Hard limits", limits)
    yield from _section("Rules, the first that matches", rules)
    yield from _section("Tiers, where no rule matches", _tiers(engine))
    yield from _section(
        "Domains", [[named(safe(d.name)), _domain(d.models, d.any_tier)] for d in policy.domains.values()]
    )
    yield from _section("Budget levels", levels)
    yield from _section("Fallback", [[safe(", ".join(_fallback(policy)))]] if policy.fallback else [])


def _section(title: str, rows: list[list[str]]) -> Iterator[str]:
    if rows:
        yield strong(title)
        yield from columns(rows)
        yield ""


def _limit(limit: Limit) -> str:
    return "" if limit.kind is LimitKind.REFUSE else safe(", ".join(limit.models))


def _outcome(rule: Rule) -> str:
    return f"tier {safe(rule.tier)}" if rule.tier else safe(", ".join(rule.models))


def _domain(models: tuple[str, ...], any_tier: bool) -> str:
    return safe(", ".join(models)) + (" at any tier" if any_tier else "") if models else "prefers nobody"


def _fallback(policy: Policy) -> list[str]:
    entries = () if policy.fallback is None else policy.fallback.entries
    return [e if isinstance(e, str) else f"next {e.count} of tier" for e in entries]


def _when(when: When) -> str:
    lines = (" and ".join(condition_words(c) for c in conditions) for conditions in when)
    return safe("when " + " or when ".join(lines)) if when else "always"


def _tiers(engine: Engine) -> list[list[str]]:
    """A column for each of _NEEDS; on a narrow page only what differs from the first one, behind it."""
    tiers, decisions = engine.policy.tiers, _decisions(engine)
    starts = [[named(safe(tier.name)), _range(tiers, index)] for index, tier in enumerate(tiers)]
    models = [
        [safe(_cell(tier, decision)) for decision in row] for tier, row in zip(tiers, decisions, strict=True)
    ]
    needs = [name for name, _ in _NEEDS]
    wide = [["", "complexity", *needs], *(start + row for start, row in zip(starts, models, strict=True))]
    if all(cells(line) <= width() for line in columns(wide)):
        return [[dim(cell) for cell in wide[0]], *wide[1:]]
    others = [
        [f"{need} {model}" for need, model in zip(needs, row, strict=True) if model != row[0]]
        for row in models
    ]
    lists = [", ".join([row[0], *other]) for row, other in zip(models, others, strict=True)]
    head = [dim(cell) for cell in ("", "complexity", "any; vision, tools, JSON mode where they differ")]
    return [head, *([*start, text] for start, text in zip(starts, lists, strict=True))]


def _range(tiers: tuple[Tier, ...], index: int) -> str:
    tier = tiers[index]
    start = f"above {number(tier.start)}" if tier.above else f"from {number(tier.start)}"
    if index == len(tiers) - 1:
        return start
    end = tiers[index + 1]
    return f"{start} {'to' if end.above else 'to below'} {number(end.start)}"


def _cell(tier: Tier, decision: Decision) -> str:
    """The first model of a request; in brackets where it comes from another tier or the fallback list."""
    return _head(tier, decision) or (f"({decision.chain[0]})" if decision.chain else "-")


def _head(tier: Tier, decision: Decision) -> str | None:
    """The model of this very tier that serves; None where it has none that can."""
    if decision.tier != tier.name or decision.served_by_fallback:
        return None
    return decision.chain[0] if decision.chain else None


def _decisions(engine: Engine) -> list[list[Decision]]:
    """For each tier and each of _NEEDS what is decided for a request that no rule touches."""
    plain, inputs = engine.without_rules(), _some_inputs(engine)
    there = observe(plain, State(now=datetime(2026, 1, 5, 12, tzinfo=engine.table.zone)))
    return [
        [
            decide(plain, Request(complexity=0.0, tier=tier.name, requires=needs, inputs=inputs), there)
            for _, needs in _NEEDS
        ]
        for tier in engine.policy.tiers
    ]


def _some_inputs(engine: Engine) -> dict[str, str | float]:
    """A value for each input that has no default; with rules and limits away none of them counts."""
    missing = (f for f in engine.policy.facts.values() if not f.built_in and f.default is None)
    return {f.name: f.values[0] if f.values else f.low if f.high is not None else "" for f in missing}


def _document(engine: Engine) -> dict[str, object]:
    """The JSON of a table; schemas/table.schema.json is its shape."""
    policy = engine.policy
    return {
        "format_version": FORMAT_VERSION,
        "policy": policy.name,
        "policy_digest": policy.digest,
        "limits": [
            {"kind": s.kind.value, "models": list(s.models), "when": _when(s.when)} for s in policy.limits
        ],
        "rules": [
            {"name": r.name, "tier": r.tier, "models": list(r.models), "when": _when(r.when)}
            for r in policy.rules
        ],
        "tiers": [
            {
                "name": tier.name,
                "complexity": _range(policy.tiers, index),
                "start": tier.start,
                "start_included": not tier.above,
                "models": list(tier.models),
                "first": {
                    next(iter(needs), "any"): _head(tier, decision)
                    for (_, needs), decision in zip(_NEEDS, decisions, strict=True)
                },
            }
            for index, (tier, decisions) in enumerate(zip(policy.tiers, _decisions(engine), strict=True))
        ],
        "domains": [
            {"name": d.name, "models": list(d.models), "any_tier": d.any_tier}
            for d in policy.domains.values()
        ],
        "levels": [
            {
                "budget": b.name,
                "level": level_words(level),
                "percent": float(level.percent),
                "action": level.action.value,
                "tiers": level.tiers if level.action is Action.DOWNGRADE else None,
                "models": list(level.models),
            }
            for b in policy.budgets.values()
            for level in b.levels
        ],
        "fallback": _fallback(policy),
    }
