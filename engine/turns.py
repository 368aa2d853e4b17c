"""
Whose turn it is: the stories of a PRD that are still to do, and what each waits for.

A sub-task comes before the story that delegates it. A story waits for those that it names, and for its
sub-tasks; stories that wait for one another come in the order of the file, as in a plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..schemas.records import dataclass
from ..schemas.story import Prd, Story
from .order import in_order


@dataclass(frozen=True, slots=True)
class Turn:
    """
    A story or sub-task that is to do.

    `by` are the stories that delegate it, the outermost first. `waits_for` are the ids of those that
    must pass before; where there is none it is ready.
    """

    story: Story
    by: tuple[Story, ...]
    waits_for: tuple[str, ...]

    @property
    def name(self) -> str:
        """What reports call it: a sub-task stands under its story, as in `US-042/1`."""
        return name_under(self.story, self.by)


def name_under(story: Story, by: tuple[Story, ...]) -> str:
    """The name under which a story is reported, given the stories that delegate it, the outermost first."""
    if not by:
        return story.id
    outer = f"{name_under(by[-1], by[:-1])}/"
    return story.id if story.id.startswith(outer) else outer + story.id


def turns(prd: Prd) -> tuple[Turn, ...]:
    """
    The stories and sub-tasks that are to do, in order; none below one that passes.

    The first that waits for nobody is the next.
    """
    ordered = in_order(prd)
    rows = tuple(_to_do(ordered.stories, ()))
    numbers = {story.place: number for number, (story, _) in enumerate(rows)}
    return tuple(
        Turn(story, by, tuple(rows[n][0].id for n in sorted(_before(number, rows, numbers, ordered.waits))))
        for number, (story, by) in enumerate(rows)
    )


Row = tuple[Story, tuple[Story, ...]]


def _to_do(stories: tuple[Story, ...], by: tuple[Story, ...]) -> Iterator[Row]:
    for story in stories:
        if not story.passes:
            yield from _to_do(story.subtasks, (*by, story))
            yield story, by


def _before(
    number: int, rows: tuple[Row, ...], numbers: Mapping[str, int], waits: Mapping[str, tuple[str, ...]]
) -> set[int]:
    """The numbers of those that must pass before; who stands later waits itself, in a circle."""
    story, by = rows[number]
    found = {numbers[task.place] for task in story.subtasks if task.place in numbers}
    for member in (*by, story):
        for place in waits[member.place]:
            if place in numbers:
                there, above = rows[numbers[place]]
                # Who waits for a sub-task waits for its whole story.
                found |= {numbers[one.place] for one in (there, *above)}
    return {n for n in found if n < number}
