"""`policyctl explain`: who answers, why, and what would change it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import click

from ...engine.flips import Flip
from ...engine.situation import Situation
from ...policy.names import did_you_mean
from ...schemas.decision import Explanation
from ...schemas.errors import Problem, RequestError
from ...schemas.story import Complexity
from .. import completing
from ..explaining import Page, why_not
from ..ledgers import tell_ledger
from ..options import FREE_FORM, Asked, RequestVerb, ask, color_option, policy_option, request_options
from ..output import out
from ..problems import tell_problem
from .select import EXITS, FORMAT_VERSION, as_document


@click.command(cls=RequestVerb, context_settings=FREE_FORM)
@policy_option
@request_options
@click.option(
    "--why-not",
    metavar="MODEL|RULE",
    shell_complete=completing.models_and_rules,
    help="Only why this model or rule isn't it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
@click.pass_context
def command(ctx: click.Context, /, why_not: str | None, as_json: bool, **options: Any) -> int:
    """
    Say which models answer a request or story, why, and what would change it.

    The request comes from the options, or from a story of a PRD (--story), with options in place of
    what the story says. Inputs that the policy declares are options too: --private yes.
    """
    asked = ask(ctx, options)
    engine, state = asked.engine, asked.state
    situation = engine.situation(state.now, state.spend, state.down, state.available)
    explanation = engine.explain(asked.request, situation=situation)
    if why_not is not None:
        _why_not(asked, explanation, why_not, as_json)
        return EXITS[explanation.decision.outcome]
    flips = engine.flips(asked.request, situation)
    commands = [command_line(ctx, asked.given, flip.options) for flip in flips]
    if as_json:
        document = _document(asked, situation, explanation, list(zip(flips, commands, strict=True)))
        out(json.dumps(document, indent=2))
        return EXITS[explanation.decision.outcome]
    _tell_problems(asked)
    tell_ledger(asked.ledger)
    page = Page(engine, asked.request, situation, explanation, asked.story)
    for line in [*page.lines(), *page.flips(list(zip(flips, commands, strict=True)))]:
        out(line)
    return EXITS[explanation.decision.outcome]


def _tell_problems(asked: Asked) -> None:
    """What was odd about the story in its PRD."""
    if asked.story is None or asked.prd is None:
        return
    place = asked.story.place.partition(" ")[0]
    for problem in asked.prd.problems:
        if problem.where == place or problem.where.startswith((f"{place}.", f"{place}[")):
            tell_problem(problem, warning=True)


def _why_not(asked: Asked, explanation: Explanation, name: str, as_json: bool) -> None:
    engine = asked.engine
    key = engine.table.references.get(name)
    rules = {rule.name for rule in engine.policy.rules}
    if key is None and name not in rules:
        help = did_you_mean(name, [*rules, *engine.table.references])
        raise RequestError((Problem("why-not", f"there is no model or rule `{name}`", help),))
    lines = list(why_not(explanation, key or name, is_rule=key is None))
    if as_json:
        decision = explanation.decision
        document = {
            "format_version": FORMAT_VERSION,
            "kind": "model" if key else "rule",
            "name": key or name,
            "reasons": lines,
            "outcome": decision.outcome.value,
            "chain": list(decision.chain),
            "rule": decision.rule,
            "policy": engine.policy.name,
            "policy_digest": decision.policy_digest,
        }
        out(json.dumps(document, indent=2))
    else:
        for line in lines:
            out(line)


# --- command lines that can be pasted ------------------------------------------------------------------


def command_line(ctx: click.Context, given: tuple[str, ...], options: tuple[str, ...]) -> str:
    """The command as it was typed, with some options put in or changed."""
    kept = list(_without(ctx, given, options))
    if options[-1].startswith("-") and len(options) > 1:  # a value that would read as an option
        options = ("=".join(options),)
    return shlex.join(["policyctl", ctx.info_name or "explain", *kept, *options])


def _without(ctx: click.Context, given: tuple[str, ...], options: tuple[str, ...]) -> Iterator[str]:
    """The words typed, but those that the new options replace."""
    replaced = {options[0], _opposite(options[0])}
    budget = options[1].partition("=")[0] + "=" if options[0] in ("--spend", "--input") else None
    words = list(given)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        takes = _takes_value(ctx, name, words)
        follows = [words.pop(0)] if takes and not equals and words else []
        value = value if equals else "".join(follows)
        gone = name in replaced and options[0] not in ("--down", "--gate")
        if gone and (budget is None or value.startswith(budget)):
            continue
        yield word
        yield from follows


def _opposite(option: str) -> str:
    return "--" + option[5:] if option.startswith("--no-") else "--no-" + option[2:]


def _takes_value(ctx: click.Context, name: str, words: list[str]) -> bool:
    for param in ctx.command.params:
        if isinstance(param, click.Option) and name in (*param.opts, *param.secondary_opts):
            return not param.is_flag
    return name.startswith("--") and bool(words) and not words[0].startswith("--")


# --- JSON -----------------------------------------------------------------------------------------------


def _document(
    asked: Asked, situation: Situation, explanation: Explanation, flips: list[tuple[Flip, str]]
) -> dict[str, object]:
    """The JSON of an explanation; schemas/explain.schema.json is its shape."""
    document = as_document(asked, explanation, 0.0)
    del document["selection_time_ms"]
    document["complexity"] = None if asked.story is None else _complexity(asked.story.complexity)
    document["clock"] = {
        "at": situation.local.isoformat(),
        "zone": asked.engine.policy.timezone,
        "windows": sorted(situation.windows),
    }
    document["facts"] = [{"name": f.name, "value": f.value, "given": f.given} for f in explanation.facts]
    for kind, seen in (("limits", explanation.limits), ("rules", explanation.rules)):
        document[kind] = [
            {
                "name": s.name,
                "text": s.text,
                "matched": s.matched,
                "decisive": s.decisive,
                "missed": [{"condition": m.condition, "met": m.met} for m in s.missed],
                "because": s.because,
            }
            for s in seen
        ]
    document["layers"] = [{"name": layer.name, "text": layer.text} for layer in explanation.layers]
    document["steps"] = [
        {
            "model": s.model,
            "provider": s.provider,
            "model_id": s.model_id,
            "cost_nusd": s.cost_nusd,
            "reason": s.reason,
            "in_cooldown": s.in_cooldown,
        }
        for s in explanation.steps
    ]
    document["models"] = [
        {"model": v.model, "source": v.source, "kept": v.kept, "reason": v.reason}
        for v in explanation.verdicts
    ]
    document["notes"] = list(explanation.notes)
    document["flips"] = [
        {
            "change": flip.change,
            "chain": list(flip.decision.chain),
            "outcome": flip.decision.outcome.value,
            "command": line,
        }
        for flip, line in flips
    ]
    return document


def _complexity(complexity: Complexity) -> dict[str, object]:
    """How complex the story is, and what says so."""
    return {
        "value": complexity.value,
        "origin": complexity.origin,
        "parts": [{"factor": n, "seen": s, "points": p} for n, s, p in complexity.parts],
    }
