"""Conditions that never hold together, always hold, or add nothing to another alternative."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...policy.words import condition_words
from ...schemas.policy import Condition, During
from .cells import Box, Space, subject_of
from .diagram import Path
from .matching import Matching, mask_of


def contradictions(matching: Matching) -> Iterator[tuple[Box, tuple[Condition, ...]]]:
    """For each box that holds nowhere the fewest of its conditions that can't hold together."""
    for box in matching.space.boxes:
        if not box.bit & matching.held:
            yield box, _at_odds(matching.space, box)


def _at_odds(space: Space, box: Box) -> tuple[Condition, ...]:
    by_subject: dict[str, list[Condition]] = {}
    for condition in box.conditions:
        by_subject.setdefault(subject_of(condition), []).append(condition)
    values = {c: space.values_in(box.policy, c) for c in box.conditions}
    for conditions in by_subject.values():
        chosen = _emptying(conditions, values)
        if chosen:
            return tuple(sorted(chosen, key=lambda c: c.span.start))
    raise AssertionError("a box that holds nowhere has conditions at odds")


def _emptying(conditions: Sequence[Condition], values: Mapping[Condition, int]) -> list[Condition]:
    """Conditions that no value satisfies together, none of which can be left out; none where one does."""
    chosen: list[Condition] = []
    common = -1
    while common:
        left = common
        for condition in conditions:
            left &= values[condition]
            if not left:
                chosen.append(condition)
                common &= values[condition]
                break
        else:
            return []
    return chosen


def always_holding(space: Space, policy: int, boxes: Sequence[Box]) -> Iterator[Condition]:
    """Conditions that every value satisfies, each once."""
    for condition in dict.fromkeys(condition for box in boxes for condition in box.conditions):
        if space.values_in(policy, condition) == space.all_values(subject_of(condition)):
            yield condition


def adding_nothing(matching: Matching, boxes: Sequence[Box]) -> Iterator[tuple[Box, Path]]:
    """Of the alternatives of one statement those that the others cover, last first, and where they hold."""
    left = [box for box in boxes if box.bit & matching.held]
    for box in reversed(left):
        others = [other for other in left if other is not box]
        if others and matching.escape(box.bit, mask_of(others)) is False:
            left = others
            path = matching.escape(box.bit, 0)
            assert path is not False
            yield box, path


def words_of(conditions: Sequence[Condition]) -> str:
    """Conditions as the language writes them."""
    return " and ".join(condition_words(condition) for condition in conditions)


def windows_read(boxes: Sequence[Box]) -> set[str]:
    """The windows that conditions read."""
    return {c.window for box in boxes for c in box.conditions if isinstance(c, During)}
