"""
Stories in the order of their dependencies.

Of the stories that wait for nobody the one that stands first in the file comes first. What can't be
obeyed becomes a `Problem` and the rest goes on: a dependency on nobody is left out, and stories
that wait for one another come in the order of the file. Time is linear in stories and dependencies
but for a logarithm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from heapq import heapify, heappop, heappush

from ..policy.names import did_you_mean
from ..schemas.errors import Problem
from ..schemas.records import dataclass
from ..schemas.story import Prd, Story
from .complexity import shown

MOST_PROBLEMS = 1_000
MOST_SUGGESTIONS = 20
LONGEST_CIRCLE = 8
"""Stories of a circle that its problem names."""

Path = tuple[int, ...]
"""Where a story stands: its number in the PRD, then its number among the sub-tasks, and so on."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """
    A PRD's stories in order, and the dependencies that can't be obeyed.

    `waits` gives for the place of each story or sub-task the places of those that it names.
    """

    stories: tuple[Story, ...]
    waits: Mapping[str, tuple[str, ...]]
    problems: tuple[Problem, ...]


def in_order(prd: Prd) -> Ordered:
    """
    Put a PRD's stories, and the sub-tasks of each, in the order of their dependencies.

    A story waits for what its sub-tasks wait for, and who waits for a sub-task waits for its whole
    story. A story and its own sub-tasks don't wait for each other.
    """
    ordering = _Ordering(prd.stories)
    stories = ordering.put_in_order(prd.stories, ())
    return Ordered(stories, ordering.waits_by_place(), ordering.problems())


def family(stories: Sequence[Story]) -> Iterator[Story]:
    """All stories, each before its sub-tasks."""
    for story in stories:
        yield story
        yield from family(story.subtasks)


@dataclass(slots=True)
class _Ordering:
    """Who stands where, whom each waits for, and what was odd."""

    stories: tuple[Story, ...]
    paths: dict[str, Path] = field(default_factory=dict)
    loose: dict[str, set[Path]] = field(default_factory=dict)
    waits: dict[Path, list[Path]] = field(default_factory=dict)
    odd: list[Problem] = field(default_factory=list)
    untold: int = 0
    unknown: int = 0

    def __post_init__(self) -> None:
        placed = list(_placed(self.stories, ()))
        for path, story in placed:
            if self.paths.setdefault(story.id, path) == path:  # of several with one id the first counts
                self.loose.setdefault(story.id.casefold(), set()).add(path)
        for path, story in placed:
            self.waits[path] = list(self._targets(path, story))

    def _targets(self, path: Path, story: Story) -> Iterator[Path]:
        for name in story.depends_on:
            there = self._find(name)
            if there is None:
                self._unknown(story, name)
            elif there == path:
                self._tell(story, f"`{shown(story.id)}` depends on itself", "take this dependency away")
            else:
                yield there

    def _find(self, name: str) -> Path | None:
        """The story of an id; one that differs in upper and lower case only will do where it fits one."""
        path = self.paths.get(name)
        near = self.loose.get(name.casefold(), set())
        return next(iter(near)) if path is None and len(near) == 1 else path

    def _unknown(self, story: Story, name: str) -> None:
        self.unknown += 1
        others = (known for known in self.paths if known != story.id)
        help_text = did_you_mean(name, others) if self.unknown <= MOST_SUGGESTIONS else None
        text = f"`{shown(story.id)}` depends on `{shown(name)}`, which isn't in this PRD"
        self._tell(story, text, help_text)

    def _tell(self, story: Story, message: str, help_text: str | None) -> None:
        if len(self.odd) < MOST_PROBLEMS:
            self.odd.append(Problem(story.place, message, help_text))
        else:
            self.untold += 1

    def waits_by_place(self) -> dict[str, tuple[str, ...]]:
        """For each story's place those of the stories that it names."""
        places = {path: story.place for path, story in _placed(self.stories, ())}
        return {places[path]: tuple(places[there] for there in found) for path, found in self.waits.items()}

    def problems(self) -> tuple[Problem, ...]:
        """What was odd, in the order in which it was met."""
        rest = (Problem("", f"{self.untold:,} more problems with dependencies"),) if self.untold else ()
        return (*self.odd, *rest)

    def put_in_order(self, stories: tuple[Story, ...], parent: Path) -> tuple[Story, ...]:
        """Put stories that stand side by side in order, and below each its sub-tasks."""
        if not stories:
            return ()
        waits = [self._mates(story, (*parent, number)) for number, story in enumerate(stories)]
        circles = _circles(waits)
        for circle in circles:
            self._tell_circle(stories, waits, circle)
        order = _sorted(waits, circles)
        return tuple(
            replace(stories[n], subtasks=self.put_in_order(stories[n].subtasks, (*parent, n))) for n in order
        )

    def _mates(self, story: Story, path: Path) -> list[int]:
        """The numbers of the stories beside this one that it, or a sub-task of it, waits for."""
        parent, depth = path[:-1], len(path) - 1
        found = {
            there[depth]
            for member, _ in _placed((story,), parent, first=path[-1])
            for there in self.waits[member]
            if len(there) > depth and there[:depth] == parent
        }
        return sorted(found - {path[-1]})

    def _tell_circle(self, stories: tuple[Story, ...], waits: list[list[int]], circle: list[int]) -> None:
        ids = [shown(stories[number].id) for number in _way_round(waits, circle)]
        if len(ids) > LONGEST_CIRCLE:
            ids = [*ids[: LONGEST_CIRCLE - 1], "…", ids[-1]]
        text = f"`{ids[0]}` waits for itself: {' -> '.join(ids)}"
        help_text = "take one of these dependencies away; until then they keep the order of the file"
        self._tell(stories[circle[0]], text, help_text)


def _placed(stories: tuple[Story, ...], parent: Path, first: int = 0) -> Iterator[tuple[Path, Story]]:
    for number, story in enumerate(stories, first):
        yield (*parent, number), story
        yield from _placed(story.subtasks, (*parent, number))


# --- graphs: for each number those that it waits for ---------------------------------------------------


def _sorted(waits: list[list[int]], circles: list[list[int]]) -> list[int]:
    """All numbers, each after those it waits for (but in its own circle), the lowest free one first."""
    circle_of = {number: index for index, circle in enumerate(circles) for number in circle}
    waiters: list[list[int]] = [[] for _ in waits]
    missing = [0] * len(waits)
    for number, others in enumerate(waits):
        for other in others:
            if number not in circle_of or circle_of[number] != circle_of.get(other):
                waiters[other].append(number)
                missing[number] += 1
    free = [number for number, count in enumerate(missing) if count == 0]
    heapify(free)
    order = []
    while free:
        number = heappop(free)
        order.append(number)
        for waiter in waiters[number]:
            missing[waiter] -= 1
            if missing[waiter] == 0:
                heappush(free, waiter)
    return order


def _circles(waits: list[list[int]]) -> list[list[int]]:
    """The groups whose members all wait for one another (Kosaraju), each ascending, the lowest first."""
    waiters: list[list[int]] = [[] for _ in waits]
    for number, others in enumerate(waits):
        for other in others:
            waiters[other].append(number)
    seen: set[int] = set()
    groups = []
    for number in reversed(_by_finish(waits)):
        if number not in seen:
            seen.add(number)
            group = [number]
            for member in group:  # grows while it is walked
                fresh = [waiter for waiter in waiters[member] if waiter not in seen]
                seen.update(fresh)
                group += fresh
            groups.append(sorted(group))
    return sorted(group for group in groups if len(group) > 1)


def _by_finish(waits: list[list[int]]) -> list[int]:
    """All numbers in the order in which a walk into the depth is done with them."""
    seen: set[int] = set()
    done = []
    for start in range(len(waits)):
        if start in seen:
            continue
        seen.add(start)
        walk = [(start, iter(waits[start]))]
        while walk:
            number, rest = walk[-1]
            other = next((other for other in rest if other not in seen), None)
            if other is None:
                done.append(number)
                walk.pop()
            else:
                seen.add(other)
                walk.append((other, iter(waits[other])))
    return done


def _way_round(waits: list[list[int]], circle: list[int]) -> list[int]:
    """A shortest way from a circle's first member back to it."""
    members, start = set(circle), circle[0]
    came_from: dict[int, int] = {}
    todo = deque([start])
    while start not in came_from:
        number = todo.popleft()
        for other in waits[number]:
            if other in members and other not in came_from:
                came_from[other] = number
                todo.append(other)
    way = [start]
    while len(way) == 1 or way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]
