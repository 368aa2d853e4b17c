"""`policyctl diff`: what two policies decide differently, proven."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ...deciding import Engine, price_book
from ...engine.analysis.diff import Region, compare
from ...engine.cases import options_of
from ...engine.plan import flat, plan
from ...policy.check import check_files
from ...schemas.decision import Decision
from ...schemas.plan import Planned
from ...schemas.policy import NANO
from .. import completing, config
from ..comparing import DiffPage, Side, Stories
from ..exits import Exit
from ..options import color_option, moment_of
from ..output import out
from ..prds import read_prd_file
from ..revisions import MARK, texts_of

FORMAT_VERSION = "1.0"


@click.command()
@click.argument("old", shell_complete=completing.files)
@click.argument("new", required=False, shell_complete=completing.files)
@click.option(
    "--prd", metavar="FILE", shell_complete=completing.files, help="Say what becomes of a PRD's stories."
)
@click.option("--at", metavar="TIME", help="The clock for the stories: 2026-01-05T10:00.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 where something is different.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def command(
    old: str, new: str | None, prd: str | None, at: str | None, exit_code: bool, as_json: bool
) -> int:
    """
    Say which requests two policies decide differently, or that there is none.

    OLD and NEW are policy files; OLD may be git:REVISION, which is NEW as it was then. Without NEW the
    policy is found from here upward. All requests are looked at: docs/analysis.md says what that means.
    """
    sides = _sides(old, new)
    found = compare(sides[0].engine.table, sides[1].engine.table)
    stories = None if prd is None else _stories(sides, Path(prd), at)
    page = DiffPage(*sides, found, stories)
    if as_json:
        out(json.dumps(_document(page), indent=2))
    else:
        for line in page.lines():
            out(line)
    return Exit.FINDINGS if exit_code and not found.equivalent else Exit.OK


def _sides(old: str, new: str | None) -> tuple[Side, Side]:
    files = [Path(new)] if new is not None else config.find_policy(Path.cwd())
    after = Side(", ".join(map(str, files)), tuple(map(str, files)), Engine.load(*files))
    if not old.startswith(MARK):
        return Side(old, (old,), Engine.load(old)), after
    texts = texts_of(old.removeprefix(MARK), files)
    # What the command could ask of a revision isn't in a file.
    return Side(old, (), Engine(check_files(files, price_book(), texts))), after


def _stories(sides: tuple[Side, Side], path: Path, at: str | None) -> Stories:
    prd = read_prd_file(path)
    plans = []
    for side in sides:
        engine = side.engine
        situation = engine.situation(moment_of(at, engine.table.zone))
        plans.append(plan(engine.table, prd, situation, finished=True))
    old, new = plans
    rows = {row.story.place: row for row in flat(new.stories)}
    both = tuple((row, rows[row.story.place]) for row in flat(old.stories))
    return Stories(prd.name, both, (old, new))


# --- JSON ------------------------------------------------------------------------------------------


def _document(page: DiffPage) -> dict[str, Any]:
    found = page.found
    return {
        "format_version": FORMAT_VERSION,
        "old": {"name": page.old.name, "policy_digest": page.old.engine.policy.digest},
        "new": {"name": page.new.name, "policy_digest": page.new.engine.policy.digest},
        "equivalent": found.equivalent,
        "proven": found.proven,
        "where": page.where(found.cells) if found.regions else "",
        "regions": [_region(page, region) for region in found.regions],
        "apart": list(found.apart),
        "beside": list(found.beside),
        "stories": None if page.stories is None else _told(page.stories),
    }


def _region(page: DiffPage, region: Region) -> dict[str, Any]:
    cases = zip((page.old, page.new), region.case, strict=True)
    options = [list(options_of(side.engine.table, case)) for side, case in cases]
    return {
        "where": page.where(region.cells),
        "whole": region.whole,
        "later": region.later,
        "old": {**_decision(region.old), "options": options[0]},
        "new": {**_decision(region.new), "options": options[1]},
    }


def _decision(decision: Decision) -> dict[str, Any]:
    cost = decision.cost_estimate_nusd
    return {
        "outcome": decision.outcome.value,
        "tier": decision.tier,
        "chain": list(decision.chain),
        "cost_estimate_usd": None if cost is None else cost / NANO,
    }


def _told(stories: Stories) -> dict[str, Any]:
    old, new = stories.plans
    return {
        "prd": stories.prd,
        "requests": len(stories.rows),
        "cost_old_usd": old.cost_nusd / NANO,
        "cost_new_usd": new.cost_nusd / NANO,
        "changed": [
            {"id": before.story.id, "old": _row(before), "new": _row(after)}
            for before, after in stories.changed
        ],
    }


def _row(row: Planned) -> dict[str, Any]:
    decision = row.decision
    return {
        "tier": None if decision is None else decision.tier,
        "chain": [] if decision is None else list(decision.chain),
        "refusal": row.refusal,
        "cost_usd": row.cost_nusd / NANO,
    }
