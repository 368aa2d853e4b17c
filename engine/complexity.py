"""
How complex a story is: its number, else its word, else five weighted factors.

The formula is the source document's `calculate_complexity`, figure for figure. Keys are known
in camelCase and snake_case alike (see `fold`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

from ..schemas.errors import Problem
from ..schemas.records import dataclass
from ..schemas.story import Complexity

LOWEST, HIGHEST = 0, 10

WORDS: Mapping[str, float] = {
    "trivial": 0.0, "very low": 0.0, "very simple": 0.0, "very easy": 0.0,
    "low": 1.0, "simple": 1.0, "easy": 1.0,
    "medium": 4.0, "moderate": 4.0,
    "high": 7.0, "complex": 7.0, "hard": 7.0, "difficult": 7.0,
    "very high": 9.0, "very complex": 9.0, "very hard": 9.0, "very difficult": 9.0, "critical": 9.0,
}  # fmt: skip
"""What a story's word for its complexity stands for, in lower case, words parted by one blank."""

NUMBER_KEYS = ("complexity", "estimatedcomplexity", "complexityscore")
WORD_KEYS = ("complexity", "estimatedcomplexity", "difficulty")
COMPLEXITY_KEYS = (*NUMBER_KEYS, "difficulty")
FILE_KEYS = ("filescope",)
CRITERIA_KEYS = ("acceptancecriteria",)
DEPENDENCY_KEYS = ("dependencies", "dependson")
DESCRIPTION_KEYS = ("description",)

KEYWORDS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (3.0, ("architecture", "refactor", "security")),
    (1.5, ("implement", "integrate", "complex")),
    (0.5, ("fix", "update", "add")),
)
"""The first group with a word that occurs anywhere in the description, inside of words too."""

CACHED_STORIES = 1024
CACHED_DESCRIPTION = 4096
_SHOWN = 60
_LONGEST_NUMBER = 40
_SOME_WORDS = "a word such as low, medium or high"

Folded = Mapping[str, tuple[str, object]]


@dataclass(frozen=True, slots=True)
class Factors:
    """All that the formula looks at. Stories that agree in it have the same complexity."""

    files: int
    criteria: int
    dependencies: int
    description: str


def complexity_of(story_fields: Mapping[str, object]) -> Complexity:
    """
    Say how complex a story is, from 0 to 10, and how that came about.

    What can't be used, such as a number above 10, is passed over; `judge` also tells it.
    """
    return judge(story_fields)[0]


def judge(story_fields: Mapping[str, object]) -> tuple[Complexity, tuple[Problem, ...]]:
    """
    Say how complex a story is, and which of the fields that say so can't be used.

    Returns:
        The complexity, and problems whose `where` is the story's own key.
    """
    fields = folded(story_fields)
    stated, problems = _stated(fields)
    return stated or _weighed(_factors(fields)), problems


def weigh(factors: Factors) -> Complexity:
    """Apply the weighted formula."""
    parts = (
        _share("file scope", factors.files, 10, "files", 2.5),
        _share("acceptance criteria", factors.criteria, 8, "criteria", 2.5),
        _keywords(factors.description),
        _share("description length", len(factors.description), 500, "characters", 1.0),
        _share("dependencies", factors.dependencies, 5, "dependencies", 1.0),
    )
    # The source document adds up in this order, which its last decimal may depend on. Its worked
    # examples say "2.1 rounds to 2.0" and "9.6 rounds to 9.5"; its code keeps 2.1 and 9.6, and so
    # do we.
    score = 0.0
    for _, _, points in parts:
        score += points
    return Complexity(round(score, 1), "formula", parts)


# Complexities are cached per story by content: an edited story has other factors. The cache is
# bounded twice: CACHED_STORIES entries, none with a text above CACHED_DESCRIPTION.
_weigh_cached = lru_cache(maxsize=CACHED_STORIES)(weigh)


def _weighed(factors: Factors) -> Complexity:
    short = len(factors.description) <= CACHED_DESCRIPTION
    return _weigh_cached(factors) if short else weigh(factors)


def _share(name: str, count: int, full: int, unit: str, weight: float) -> tuple[str, str, float]:
    saw = f"{count} of {full} {unit}" if count <= full else f"{count} {unit}, {full} count"
    return name, saw, min(count / full, 1.0) * weight


def _keywords(description: str) -> tuple[str, str, float]:
    lowered = description.lower()
    for points, words in KEYWORDS:
        found = [word for word in words if word in lowered]
        if found:
            return "keywords", ", ".join(found), points
    return "keywords", "none", 0.0


def _stated(fields: Folded) -> tuple[Complexity | None, tuple[Problem, ...]]:
    """Find the story's own number, else its word."""
    problems: list[Problem] = []
    numbers: list[Complexity] = []
    words: list[Complexity] = []
    for name, key, value in given(fields, COMPLEXITY_KEYS):
        if isinstance(value, str) and not value.strip():
            continue
        number, word = number_of(value), WORDS.get(_word(value))
        if number is not None and name in NUMBER_KEYS and LOWEST <= number <= HIGHEST:
            exact = float(number) + 0.0  # + 0.0 turns -0.0 into 0.0
            numbers.append(Complexity(exact, "number", ((key, shown(value), exact),)))
        elif word is not None and name in WORD_KEYS:
            words.append(Complexity(word, "word", ((key, shown(value), word),)))
        else:
            problems.append(_unusable(name, key, value))
    return next(iter(numbers + words), None), tuple(problems)


def _word(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        return ""
    return " ".join(value.lower().replace("_", " ").replace("-", " ").split())


def _unusable(name: str, key: str, value: object) -> Problem:
    said = f"`{shown(value)}`"
    if name == "difficulty":
        return Problem(key, f"{said} is no difficulty", f"write {_SOME_WORDS}, or a number as `complexity`")
    scale = f"a number from {LOWEST} to {HIGHEST}"
    if number_of(value) is not None:
        return Problem(key, f"complexity {said} is outside {LOWEST} to {HIGHEST}", f"write {scale}")
    return Problem(key, f"{said} is no complexity", f"write {scale}, or {_SOME_WORDS}")


def _factors(fields: Folded) -> Factors:
    texts = (value for _, _, value in given(fields, DESCRIPTION_KEYS) if isinstance(value, str))
    return Factors(
        files=_count(fields, FILE_KEYS, ","),
        criteria=_count(fields, CRITERIA_KEYS, "\n"),
        dependencies=_count(fields, DEPENDENCY_KEYS, ","),
        description=next(texts, ""),
    )


def _count(fields: Folded, names: tuple[str, ...], comma: str) -> int:
    """Count a list's items; of a text its lines, or the pieces between its commas; of the rest nothing."""
    counts = [0]
    for _, _, value in given(fields, names):
        if isinstance(value, str):
            counts.append(sum(1 for piece in value.replace(comma, "\n").split("\n") if piece.strip()))
        elif isinstance(value, (list, tuple, Mapping)):
            counts.append(len(value))
    return max(counts)


def fold(key: str) -> str:
    """Bring a key's spellings together: `fileScope`, `file_scope` and `file-scope` are one key."""
    return key.replace("_", "").replace("-", "").lower()


def folded(fields: Mapping[str, object]) -> Folded:
    """Index fields by folded key, as the user's key and value. Of two spellings the first counts."""
    index: dict[str, tuple[str, object]] = {}
    for key, value in fields.items():
        if value is not None:
            index.setdefault(fold(key), (key, value))
    return index


def given(fields: Folded, names: tuple[str, ...]) -> Iterator[tuple[str, str, object]]:
    """Give the folded name, the user's key and the value of each of these names that isn't null."""
    for name in names:
        if name in fields:
            yield name, *fields[name]


def number_of(value: object) -> int | float | None:
    """Read a finite number, written as a number or as text; yes and no are none."""
    if isinstance(value, str):
        return _number_in(value.strip())
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _number_in(text: str) -> int | float | None:
    if len(text) > _LONGEST_NUMBER or "_" in text:
        return None
    for read in (int, float):
        try:
            number = read(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else None
    return None


def shown(value: object) -> str:
    """Put a user's value into a message: one line, clipped, spelled as JSON spells it."""
    if isinstance(value, str):
        line = " ".join(encodable(value[: 4 * _SHOWN]).split())
        return line if len(line) <= _SHOWN and len(value) <= 4 * _SHOWN else line[:_SHOWN] + "…"
    if isinstance(value, Mapping):
        return "{…}" if value else "{}"
    if isinstance(value, (list, tuple)):
        return "[…]" if value else "[]"
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return f"a number of over {_SHOWN} digits"
    return shown(json.dumps(value, default=str))


def encodable(text: str) -> str:
    """Replace lone surrogates, which JSON can escape but no file or terminal can take."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
