"""`policyctl stories`: what is to do of a PRD, whose turn it is, and marking what is done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from ...engine.order import in_order
from ...engine.passing import with_passes
from ...engine.turns import Turn, name_under, turns
from ...schemas.errors import Problem
from ...schemas.records import dataclass
from ...schemas.story import Prd, Story
from .. import completing, config
from ..exits import Exit
from ..options import color_option
from ..output import columns, dim, good, named, note, out, safe
from ..prds import read_prd_file
from ..problems import tell_problem
from ..writing import rewrite

FORMAT_VERSION = "1.0"

_MOST_WARNINGS = 20


@click.command()
@click.option(
    "--prd",
    metavar="FILE",
    shell_complete=completing.files,
    help="The PRD. Default: the prd.json found from here.",
)
@click.option(
    "--next", "is_next", is_flag=True, help="Print the id of the next story alone; exit with 1 if none is."
)
@click.option(
    "--skip",
    "skipped",
    multiple=True,
    metavar="ID",
    help="Not this one, as it failed; who waits for it waits.",
)
@click.option(
    "--done",
    metavar="ID",
    shell_complete=completing.stories,
    help="Mark a story as done: `passes` becomes true.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def command(prd: str | None, is_next: bool, skipped: tuple[str, ...], done: str | None, as_json: bool) -> int:
    """
    Show whose turn it is among the stories of a PRD; mark one as done.

    They come in the order of their dependencies: done, ready, or waiting for others; sub-tasks before
    their story. --next and --done are for loops: the next id, and the mark.
    """
    path = Path(prd) if prd else config.find_prd(Path.cwd())
    if done is not None:
        if is_next or skipped:
            raise click.UsageError("--done stands alone, or with --json")
        read_prd_file(path)
        text = path.read_bytes().decode("utf-8")
        marked = with_passes(text, str(path), done)
        if marked != text:
            rewrite(path, marked.encode("utf-8"))
    found = read_prd_file(path)
    to_do = turns(found)
    ready = (turn.story.id for turn in to_do if not turn.waits_for and turn.story.id not in skipped)
    following = next(ready, None)
    rows = list(_rows(found, to_do, skipped))
    if as_json:
        out(json.dumps(_document(found, rows, len(to_do), following), indent=2))
    elif is_next:
        if following is not None:
            out(following)
    elif done is not None:
        note(f"{safe(done)} is done; {len(to_do)} to do")
    else:
        _show(found, rows)
    return Exit.FINDINGS if is_next and following is None else Exit.OK


def _problems(prd: Prd) -> Sequence[Problem]:
    return (*prd.problems, *in_order(prd).problems)


@dataclass(frozen=True, slots=True)
class _Row:
    """A story, what reports call it, how it stands, and what it waits for."""

    story: Story
    name: str
    state: str
    waits_for: tuple[str, ...] = ()


def _rows(prd: Prd, to_do: Sequence[Turn], skipped: Sequence[str]) -> Iterator[_Row]:
    """What is done, and then what is to do, in order."""
    places = {turn.story.place for turn in to_do}
    for story, by in _family(in_order(prd).stories, ()):
        if story.place not in places:
            yield _Row(story, name_under(story, by), "passes")
    for turn in to_do:
        state = "skipped" if turn.story.id in skipped else "waits" if turn.waits_for else "ready"
        yield _Row(turn.story, turn.name, state, turn.waits_for)


def _family(stories: Sequence[Story], by: tuple[Story, ...]) -> Iterator[tuple[Story, tuple[Story, ...]]]:
    for story in stories:
        yield from _family(story.subtasks, (*by, story))
        yield story, by


def _show(prd: Prd, rows: Sequence[_Row]) -> None:
    problems = _problems(prd)
    for problem in problems[:_MOST_WARNINGS]:
        tell_problem(problem, warning=True)
    if len(problems) > _MOST_WARNINGS:
        note(f"  and {len(problems) - _MOST_WARNINGS:,} more; --json has all")
    for line in columns([[named(safe(row.name)), _styled(row), safe(row.story.title)] for row in rows]):
        out(line)


def _styled(row: _Row) -> str:
    if row.state == "waits":
        return dim(f"waits for {safe(', '.join(row.waits_for))}")
    return good(row.state) if row.state == "ready" else row.state


def _document(prd: Prd, rows: Sequence[_Row], to_do: int, following: str | None) -> dict[str, object]:
    """The JSON; schemas/stories.schema.json is its shape."""
    return {
        "format_version": FORMAT_VERSION,
        "prd": prd.name,
        "next": following,
        "to_do": to_do,
        "stories": [
            {
                "id": row.story.id,
                "name": row.name,
                "title": row.story.title,
                "place": row.story.place,
                "state": row.state,
                "waits_for": list(row.waits_for),
            }
            for row in rows
        ],
        "problems": [{"where": p.where, "message": p.message, "help": p.help} for p in _problems(prd)],
    }
