"""Marks a story as done in the text of its PRD, and leaves every other character as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from ..schemas.errors import Problem, StoryError
from ..schemas.records import dataclass
from .complexity import fold, shown
from .stories import find_story, read_prd

_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},:]', re.DOTALL)
_WAY = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


@dataclass(frozen=True, slots=True)
class _Part:
    """A member of an object or an item of a list: its key, where it begins, where its value stands."""

    key: str | None
    begin: int
    start: int
    end: int


def with_passes(text: str, name: str, story_id: str) -> str:
    """
    The text of a PRD in which a story, or sub-task, has `"passes": true`.

    Args:
        text: the PRD's JSON.
        name: what the user calls the file, for messages.

    Raises:
        StoryError: no story can be read, none has this id, or it can't be marked.
    """
    story = find_story(read_prd(text, name), story_id)
    if story.passes:
        return text
    at = _find(text, story.place.rpartition(" (line ")[0])
    marked = text if at is None else _marked(text, list(_parts(text, at)), at)
    if not find_story(read_prd(marked, name), story_id).passes:
        what = f"`{shown(story_id)}` of `{shown(name)}` can't be marked as done"
        raise StoryError(Problem(story.place, what, 'write `"passes": true` into the story'))
    return marked


def _marked(text: str, parts: list[_Part], at: int) -> str:
    said = [part for part in parts if fold(part.key or "") == "passes"]
    for part in reversed(said):
        text = f"{text[: part.start]}true{text[part.end :]}"
    if said or not parts:
        return text if said else f'{text[: at + 1]}"passes": true{text[at + 1 :]}'
    last = parts[-1]
    gap = text[last.begin : last.begin + len(text[last.begin :]) - len(text[last.begin :].lstrip())]
    return f'{text[: last.end]},{gap}"passes": true{text[last.end :]}'


def _find(text: str, place: str) -> int | None:
    """Where the object of a place such as `userStories[3].delegation.subtasks[0]` begins."""
    at = next((token.start() for token in _TOKEN.finditer(text)), None)
    for index, key in _WAY.findall(place):
        if at is None:
            return None
        parts = list(_parts(text, at))
        wanted = (
            parts[int(index) : int(index) + 1]
            if index
            else [p for p in parts if fold(p.key or "") == fold(key)]
        )
        at = wanted[-1].start if wanted else None
    return at


def _parts(text: str, at: int) -> Iterator[_Part]:
    """The parts of the object or list that begins at `at`."""
    depth, begin, start, said, key = 0, at + 1, at + 1, "", None
    for token in _TOKEN.finditer(text, at):
        mark = token[0]
        depth += mark in "[{"
        depth -= mark in "]}"
        if depth == 1 and mark == ":":
            key, start = json.loads(said, strict=False), token.end()
        elif depth == 1 and mark.startswith('"'):
            said = mark
        elif depth == 0 or (depth == 1 and mark == ","):
            value = text[start : token.start()]
            if value.strip():
                first = start + len(value) - len(value.lstrip())
                yield _Part(key, begin, first, first + len(value.strip()))
            if depth == 0:
                return
            begin = start = token.end()
            key = None
