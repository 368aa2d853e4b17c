"""`policyctl plan`: which model each story of a PRD goes to, what it costs, and where budgets bite."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from io import StringIO
from itertools import islice
from typing import Any

import click

from ...engine.plan import GROUPS, flat, grouped, plan
from ...engine.situation import Situation
from ...policy.words import level_words, usd_short
from ...schemas.decision import Outcome
from ...schemas.errors import Problem, RequestError
from ...schemas.plan import BudgetShare, LevelReached, Plan, Planned
from ...schemas.policy import NANO
from ...schemas.story import Story
from ..exits import Exit
from ..ledgers import nano_usd, tell_ledger
from ..options import FREE_FORM, AskedAll, RequestVerb, ask_all, color_option, plan_options, policy_option
from ..output import bad, note, out
from ..planning import PlanPage, counted
from ..problems import tell_problem
from ..sheets import exact, plain

FORMAT_VERSION = "1.0"

COLUMNS = (
    "id", "parent", "title", "place", "passes", "complexity", "complexity_origin", "domain", "outcome",
    "tier", "model", "provider", "chain", "refusal", "blocked_by", "input_tokens", "output_tokens",
    "cost_usd", "baseline_usd", "delegation_saving_usd",
)  # fmt: skip
"""The columns of --csv, in their order."""

_MOST_WARNINGS = 20


def _nano_usd(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """An amount of money in nano-USD."""
    return None if value is None else nano_usd(param.opts[0], value)


@click.command(cls=RequestVerb, context_settings=FREE_FORM)
@policy_option
@plan_options
@click.option("--all", "finished", is_flag=True, help="Plan the stories that pass, too.")
@click.option("--by", type=click.Choice(GROUPS), help="Count and add up instead of listing the stories.")
@click.option(
    "--fail-over", callback=_nano_usd, metavar="USD", help="Exit with 1 if the total is above this."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a line a story, or a group with --by.")
@color_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    finished: bool,
    by: str | None,
    fail_over: int | None,
    as_json: bool,
    as_csv: bool,
    **options: Any,
) -> int:
    """
    Plan a PRD: each story's model and cost, the sums, and what they do to the budgets.

    Stories come in the order of their dependencies, and each meets the budget levels that those
    before it reached. Inputs that the policy declares are options too: --private yes.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv: say one of them", ctx)
    asked = ask_all(ctx, options)
    _check_spend(asked)
    state = asked.state
    situation = asked.engine.situation(state.now, state.spend, state.down, state.available)
    planned = plan(asked.engine.table, asked.prd, situation, requests=asked.request, finished=finished)
    code = _exit_code(planned, fail_over)
    if as_json:
        out(json.dumps(_document(asked, situation, planned, by, fail_over), indent=2))
    else:
        _tell_problems(planned)
        tell_ledger(asked.ledger)
        if as_csv:
            out(_csv(asked, planned, by))
        else:
            for line in PlanPage.of(asked.engine, planned, situation, asked.prd.name, by).lines():
                out(line)
    if fail_over is not None and planned.cost_nusd > fail_over:
        over = f"the plan costs {usd_short(planned.cost_nusd)}, more than {usd_short(fail_over)}"
        note(f"{bad('over:')} {over}")
    return code


def _check_spend(asked: AskedAll) -> None:
    """A budget per story starts anew with each story of a plan: nothing can be spent of it before."""
    budgets = asked.engine.policy.budgets
    for name in asked.state.spend:
        if budgets[name].period == "story":
            raise click.UsageError(f"--spend {name}: that budget starts anew with each story of a plan")


def _exit_code(planned: Plan, fail_over: int | None) -> Exit:
    """
    How the run ends; a plan as a whole is refused only where no story of it can be served.

    Raises:
        RequestError: no story can even be asked.
    """
    if planned.refused and not planned.requests:
        rows = list(flat(planned.stories))
        outcomes = {row.decision.outcome for row in rows if row.decision is not None}
        if not outcomes:
            raise RequestError(tuple(_why_not_asked([row for row in rows if row.parent is None])))
        return Exit.BUDGET_REFUSED if Outcome.REFUSED_BY_BUDGET in outcomes else Exit.NO_MODEL
    over = fail_over is not None and planned.cost_nusd > fail_over
    return Exit.FINDINGS if over else Exit.OK


def _why_not_asked(rows: list[Planned]) -> Iterator[Problem]:
    """Each reason once, with the first story that has it."""
    stories: dict[str, list[Story]] = {}
    for row in rows:
        stories.setdefault(row.refusal or "", []).append(row.story)
    for reason, (first, *more) in islice(stories.items(), _MOST_WARNINGS):
        who = f"story {first.id}" + (f" and {len(more):,} more" if more else "")
        yield Problem(first.place, f"{who} {reason}")


def _tell_problems(planned: Plan) -> None:
    for problem in planned.problems[:_MOST_WARNINGS]:
        tell_problem(problem, warning=True)
    more = len(planned.problems) - _MOST_WARNINGS
    if more > 0:
        note(f"  and {more:,} more; --json has all")


# --- CSV ------------------------------------------------------------------------------------------------


def _csv(asked: AskedAll, planned: Plan, by: str | None) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if by is None:
        writer.writerow(COLUMNS)
        writer.writerows(_cells(row) for row in flat(planned.stories))
    else:
        writer.writerow((by, "requests", "cost_usd", "share"))
        for group in grouped(planned, by, asked.engine.table):
            name = "" if group.name is None else plain(group.name)
            writer.writerow((name, group.requests, exact(group.cost_nusd), _share(group.cost_nusd, planned)))
    return text.getvalue().removesuffix("\n")


def _cells(row: Planned) -> Iterator[object]:
    story, decision = row.story, row.decision
    yield plain(story.id)
    yield plain(row.parent or "")
    yield plain(story.title)
    yield story.place
    yield "yes" if story.passes else "no"
    yield story.complexity.value
    yield story.complexity.origin
    yield plain(row.domain)
    yield _outcome(row)
    yield "" if decision is None else plain(decision.tier or "")
    yield plain(row.model or "")
    yield plain(row.provider or "")
    yield "" if decision is None else plain(" ".join(decision.chain))
    yield plain(row.refusal or "")
    yield plain(" ".join(row.blocked_by))
    yield row.input_tokens
    yield row.output_tokens
    yield exact(row.cost_nusd)
    yield exact(row.baseline_nusd)
    yield "" if row.delegation_saving_nusd is None else exact(row.delegation_saving_nusd)


def _share(nusd: int, planned: Plan) -> str:
    return f"{nusd / planned.cost_nusd:.6f}" if planned.cost_nusd else ""


# --- JSON -----------------------------------------------------------------------------------------------


def _document(
    asked: AskedAll, situation: Situation, planned: Plan, by: str | None, fail_over: int | None
) -> dict[str, object]:
    """The JSON of a plan; schemas/plan.schema.json is its shape."""
    policy = asked.engine.policy
    groups = grouped(planned, by, asked.engine.table) if by is not None else ()
    saving = planned.baseline_nusd - planned.cost_nusd
    stories, subtasks = counted(planned)
    return {
        "format_version": FORMAT_VERSION,
        "prd": asked.prd.name,
        "policy": policy.name,
        "policy_digest": policy.digest,
        "clock": {
            "at": situation.local.isoformat(),
            "zone": policy.timezone,
            "windows": sorted(situation.windows),
        },
        "stories": [_row(row) for row in planned.stories],
        "finished": list(planned.finished),
        "by": by,
        "groups": [
            {
                "name": group.name,
                "requests": group.requests,
                **_money("cost", group.cost_nusd),
                "share": group.cost_nusd / planned.cost_nusd if planned.cost_nusd else None,
            }
            for group in groups
        ],
        "totals": {
            "stories": stories,
            "subtasks": subtasks,
            "requests": planned.requests,
            "refused": planned.refused,
            "input_tokens": planned.input_tokens,
            "output_tokens": planned.output_tokens,
            **_money("cost", planned.cost_nusd),
            **_money("baseline", planned.baseline_nusd),
            **_money("saving", saving),
            "saving_percent": 100 * saving / planned.baseline_nusd if planned.baseline_nusd else None,
            **_money("delegation_saving", planned.delegation_saving_nusd),
        },
        "baseline": {"model": planned.baseline, "named": planned.baseline_named},
        "budgets": [_budget(share) for share in planned.budgets],
        "levels": [_level(reached) for reached in planned.levels],
        "fail_over_nusd": fail_over,
        "over": None if fail_over is None else planned.cost_nusd > fail_over,
        "problems": [{"where": p.where, "message": p.message, "help": p.help} for p in planned.problems],
    }


def _row(row: Planned) -> dict[str, object]:
    story, decision = row.story, row.decision
    standing = decision and decision.budget and {"name": decision.budget, "action": decision.action}
    return {
        "id": story.id,
        "title": story.title,
        "place": story.place,
        "passes": story.passes,
        "complexity": story.complexity.value,
        "complexity_origin": story.complexity.origin,
        "domain": row.domain,
        "depends_on": list(story.depends_on),
        "blocked_by": list(row.blocked_by),
        "outcome": _outcome(row),
        "tier": decision.tier if decision is not None else None,
        "model": row.model,
        "provider": row.provider,
        "chain": list(decision.chain) if decision is not None else [],
        "rule": decision.rule if decision is not None else None,
        "budget": standing or None,
        "downgraded": decision is not None and decision.downgraded,
        "served_by_fallback": decision is not None and decision.served_by_fallback,
        "refusal": row.refusal,
        "until": decision.until.isoformat() if decision is not None and decision.until is not None else None,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        **_money("cost", row.cost_nusd),
        **_money("baseline", row.baseline_nusd),
        **_money("delegation_saving", row.delegation_saving_nusd),
        "subtasks": [_row(subtask) for subtask in row.subtasks],
    }


def _outcome(row: Planned) -> str:
    return "not asked" if row.decision is None else row.decision.outcome.value


def _money(name: str, nusd: int | None) -> dict[str, object]:
    return {f"{name}_usd": None if nusd is None else nusd / NANO, f"{name}_nusd": nusd}


def _budget(share: BudgetShare) -> dict[str, object]:
    budget = share.budget
    after = share.spent_before_nusd + share.planned_nusd
    return {
        "name": budget.name,
        "period": budget.period,
        "scope": budget.scope,
        "scope_name": budget.scope_name,
        "limit_nusd": budget.limit_nusd,
        "spent_before_nusd": share.spent_before_nusd,
        "planned_nusd": share.planned_nusd,
        "spent_after_nusd": after,
        "planned_percent": 100 * share.planned_nusd / budget.limit_nusd if budget.limit_nusd else None,
        "spent_after_percent": 100 * after / budget.limit_nusd if budget.limit_nusd else None,
        "story": share.story,
    }


def _level(reached: LevelReached) -> dict[str, object]:
    level = reached.level
    return {
        "budget": reached.budget.name,
        "level": level_words(level),
        "percent": float(level.percent),
        "action": level.action.value,
        "story": reached.story,
    }
