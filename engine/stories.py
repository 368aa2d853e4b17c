"""
Reads PRDs: the stories of a loop, in whatever spelling they come, as requests to route.

Files in the wild differ in their keys (`userStories`, `user_stories`, `stories`), in their types
(numbers as text) and in what they leave out. What can be understood is; what is odd becomes a
`Problem` with its place, and the rest goes on. Only a file in which no story can be read at all is
an error. Time and memory are linear in the text.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from ..policy.names import did_you_mean
from ..schemas.errors import Problem, StoryError
from ..schemas.policy import CAPABILITIES, Policy
from ..schemas.records import dataclass
from ..schemas.request import Request
from ..schemas.story import Prd, Story
from .complexity import (
    COMPLEXITY_KEYS,
    CRITERIA_KEYS,
    DEPENDENCY_KEYS,
    DESCRIPTION_KEYS,
    FILE_KEYS,
    Folded,
    encodable,
    fold,
    folded,
    given,
    judge,
    number_of,
    shown,
)
from .reading import input_value

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 100
MAX_STORIES = 10_000
MAX_PROBLEMS = 1_000
MAX_TOKENS = 10**12
MAX_NAMES = 50  # models or capabilities of one story
MAX_PARENT = 200  # characters of an id that the made-up ids of its subtasks repeat

STORIES_KEYS = ("userstories", "stories")
BRANCH_KEYS = ("branchname", "branch")
MODEL_KEYS = ("preferredprovider", "preferredmodel", "suggestedmodel")
MCP_KEYS = ("mcptools", "mcp", "requiresmcp")
CHECK_KEYS = ("checks", "qualitygate")
KIND_KEYS = ("kind", "type")
INPUT_TOKEN_KEYS = ("inputtokens", "input")
OUTPUT_TOKEN_KEYS = ("outputtokens", "output")

CAPABILITY_NAMES = {fold(name): name for name in CAPABILITIES} | {"functioncalling": "tools"}

MEANT = frozenset(
    (
        "id",
        "title",
        "domain",
        "skill",
        "tier",
        "priority",
        "passes",
        "requiredcapabilities",
        "estimatedtokens",
        "inputtokens",
        "outputtokens",
        "delegation",
        *CHECK_KEYS,
        *KIND_KEYS,
        *MODEL_KEYS,
        *MCP_KEYS,
        *COMPLEXITY_KEYS,
        *FILE_KEYS,
        *CRITERIA_KEYS,
        *DEPENDENCY_KEYS,
        *DESCRIPTION_KEYS,
    )
)
"""Keys of a story that have a meaning of their own, folded. All others may be a policy's inputs."""

NO_INPUTS = frozenset((*BRANCH_KEYS, "attempt", "requires"))
"""Facts that a story doesn't give, and so no inputs either: the person or the loop does."""

_PRD_IS = "a PRD is a JSON object with a list `userStories`"
_STORY_IS = "a story is an object with an `id`"
_OF_DOCUMENT = frozenset(STORIES_KEYS + BRANCH_KEYS + CHECK_KEYS)
_OF_PART = frozenset(("subtasks", *INPUT_TOKEN_KEYS, *OUTPUT_TOKEN_KEYS))
_YES = frozenset(("yes", "true", "on", "1"))
_NO = frozenset(("no", "false", "off", "0", ""))

# A whole string (which hides its brackets), or a bracket. Possessive, so it never goes back.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def read_prd(text: str, name: str) -> Prd:
    """
    Read a PRD's stories out of its JSON text.

    Args:
        text: The file's text; a byte order mark is fine.
        name: What the user calls the file, for messages.

    Returns:
        At least one story, and everything that was odd, in the order in which it was met.

    Raises:
        StoryError: No story can be read: not JSON, too large or too deep, or without stories.
    """
    reading = _Reading(name)
    place, items, branch = _stories_in(_parse(text, reading), reading)
    stories = _each_story(items, place, None, reading)
    if not stories:
        raise reading.error("has no story that can be read", _STORY_IS)
    return Prd(name, branch, stories, reading.all_problems())


def find_story(prd: Prd, story_id: str) -> Story:
    """
    Find a story or subtask by its id; of several with the same id the first.

    An id that differs in upper and lower case only will do where it fits one story.

    Raises:
        StoryError: No story has this id, or several nearly do.
    """
    wanted = str(story_id)
    stories = tuple(_family(prd.stories))
    for story in stories:
        if story.id == wanted:
            return story
    alike = {s.id: s for s in reversed(stories) if _loose(s.id) == _loose(wanted)}
    if len(alike) == 1:
        return next(iter(alike.values()))
    raise StoryError(_not_found(prd.name, wanted, sorted(alike), [s.id for s in stories]))


def delegating(prd: Prd, story: Story) -> tuple[Story, ...]:
    """Find the stories that delegate a sub-task, the outermost first; a story of its own has none."""
    return _way_to(prd.stories, story) or ()


def _way_to(stories: tuple[Story, ...], story: Story) -> tuple[Story, ...] | None:
    for other in stories:
        if other is story:
            return ()
        way = _way_to(other.subtasks, story)
        if way is not None:
            return (other, *way)
    return None


def request_of(story: Story) -> Request:
    """
    Turn a story into the request that is routed.

    Nothing of the PRD itself goes in: its branch is where the work will land, not where the run
    is (the fact `branch`), and its domain describes the project in words of its own.
    """
    return Request(
        complexity=story.complexity.value,
        requires=story.requires,
        domain=story.domain,
        kind=story.kind,
        skill=story.skill,
        input_tokens=story.input_tokens,
        output_tokens=story.output_tokens,
        inputs=story.inputs,
        story_tier=story.tier,
        story_models=story.models,
    )


def story_request(policy: Policy, story: Story, by: Sequence[Story] = ()) -> Request:
    """
    Turn a story into a request, with those of its extra keys that a policy declares as inputs.

    Args:
        by: the stories that delegate it, the outermost first (see `delegating`).
    """
    request, facts = request_of(story), policy.facts
    inputs = {
        name: input_value(facts[name], value) if isinstance(value, str) else value
        for name, value in request.inputs.items()
        if name in facts and not facts[name].built_in
    }
    outer = story_request(policy, by[-1], by[:-1]) if by else None
    return replace(request, inputs=inputs, delegated_by=outer)


def prompt_of(story: Story, project: str | None = None) -> str:
    """What a model is asked for a story: its title, description, criteria and files, as the PRD has them."""
    parts = [f"Story {story.id}: {story.title}".rstrip(": ")]
    if project:
        parts.insert(0, f"Project: {project}")
    if story.description:
        parts.append(story.description)
    if story.criteria:
        parts.append("\n".join(("It is done when:", *(f"- {criterion}" for criterion in story.criteria))))
    if story.files:
        parts.append("\n".join(("Files it is about:", *(f"- {file}" for file in story.files))))
    return "\n\n".join(parts)


# --- finding a story


def _family(stories: Iterable[Story]) -> Iterator[Story]:
    """Give all stories in the order of the file, each before its subtasks."""
    for story in stories:
        yield story
        yield from _family(story.subtasks)


def _loose(story_id: str) -> str:
    return story_id.strip().casefold()


def _not_found(name: str, wanted: str, alike: list[str], ids: list[str]) -> Problem:
    if alike:
        some = ", ".join(f"`{shown(story_id)}`" for story_id in alike[:5])
        return Problem(name, f"`{shown(wanted)}` fits {len(alike)} stories: {some}", "write the id exactly")
    help_text = did_you_mean(wanted, [shown(story_id) for story_id in ids], else_list="its stories are")
    return Problem(name, f"`{shown(name)}` has no story `{shown(wanted)}`", help_text)


# --- problems


@dataclass(slots=True)
class _Reading:
    """What comes together while one PRD is read."""

    name: str
    problems: list[Problem] = field(default_factory=list)
    untold: int = 0
    stories: int = 0
    ids: dict[str, str] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether further problems are only counted."""
        return len(self.problems) >= MAX_PROBLEMS

    def odd(self, where: str, message: str, help_text: str | None = None) -> None:
        """Note a problem."""
        if self.is_full:
            self.untold += 1
        else:
            self.problems.append(Problem(where, message, help_text))

    def all_problems(self) -> tuple[Problem, ...]:
        """Give the problems in the order in which they were met."""
        rest = (Problem(self.name, f"{self.untold:,} more problems"),) if self.untold else ()
        return (*self.problems, *rest)

    def error(self, what: str, help_text: str | None = None, at: str = "") -> StoryError:
        """Make the error for a PRD that can't be read; the message starts with its name."""
        return StoryError(Problem(f"{self.name}{at}", f"`{shown(self.name)}` {what}", help_text))


# --- text to values


class _Object(dict[str, object]):
    """A JSON object that knows its line, and which keys stood in it twice."""

    __slots__ = ("line", "twice")

    def __init__(self, pairs: list[tuple[str, object]], line: int) -> None:
        super().__init__(pairs)
        self.line = line
        self.twice: tuple[str, ...] = ()
        if len(self) < len(pairs):
            self.twice = tuple(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)


def _parse(text: str, reading: _Reading) -> object:
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise reading.error(f"is larger than {MAX_BYTES // 1024**2} MiB", "split it")
    if not text.strip():
        raise reading.error("is empty", _PRD_IS)
    return _decode(text, _lines_of_objects(text, reading), reading)


def _decode(text: str, lines: list[int], reading: _Reading, *, strict: bool = True) -> object:
    # The decoder makes its objects in the order of their closing braces, and so are `lines`.
    line_of_next = iter(lines)
    try:
        value: object = json.loads(
            text, strict=strict, object_pairs_hook=lambda pairs: _Object(pairs, next(line_of_next, 0))
        )
    except json.JSONDecodeError as error:
        at = f":{error.lineno}:{error.colno}"
        if strict and error.msg.startswith("Invalid control character"):
            reading.odd(reading.name + at, "a control character stands bare in a text", "escape it: \\n, \\t")
            return _decode(text, lines, reading, strict=False)
        what = error.msg[:1].lower() + error.msg[1:]
        what = f"is not JSON: {what} in line {error.lineno}, column {error.colno}"
        raise reading.error(what, _PRD_IS, at) from None
    except ValueError:  # Python reads no whole number of more than 4300 digits
        raise reading.error("holds a number that is too long to be read", "write fewer digits") from None
    except RecursionError:
        raise reading.error("is nested too deeply") from None
    return value


def _lines_of_objects(text: str, reading: _Reading) -> list[int]:
    """List the line on which each object starts, in the order in which the objects end."""
    depth, line, counted = 0, 1, 0
    open_lines: list[int] = []
    lines: list[int] = []
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark == "{":
            line += text.count("\n", counted, token.start())
            counted = token.start()
            open_lines.append(line)
        elif mark == "}" and open_lines:
            lines.append(open_lines.pop())
        depth += (mark in "[{") - (mark in "]}")
        if depth > MAX_DEPTH:
            raise reading.error(f"is nested deeper than {MAX_DEPTH} levels")
    return lines


# --- the document


def _stories_in(root: object, reading: _Reading, prefix: str = "") -> tuple[str, list[object], str | None]:
    """Find the list of stories: its place, its items, and the branch that stands beside it."""
    if isinstance(root, list):
        return prefix, root, None
    if not isinstance(root, _Object):
        raise reading.error(f"is `{shown(root)}`, no PRD", _PRD_IS)
    fields = _Fields.of(root, prefix, reading, _OF_DOCUMENT)
    branch = fields.text(*BRANCH_KEYS)
    reading.checks |= fields.commands()
    lists = [(key, _story_list(key, value, reading)) for _, key, value in given(fields.index, STORIES_KEYS)]
    filled = [(key, items) for key, items in lists if items]
    for key, _ in filled[1:]:
        fields.odd(key, f"`{key}` is not read beside `{filled[0][0]}`", "put all stories into one list")
    if filled:
        key, items = filled[0]
        return fields.where(key), items, branch
    _, inner = fields.index.get("prd", ("", None))
    if not prefix and isinstance(inner, (_Object, list)) and inner:
        place, items, inner_branch = _stories_in(inner, reading, "prd")
        return place, items, inner_branch or branch
    raise reading.error("has no stories", _PRD_IS)


def _story_list(key: str, value: object, reading: _Reading) -> list[object]:
    if not isinstance(value, list):
        raise reading.error(f"has `{shown(value)}` as `{shown(key)}`, no list", "put the stories into […]")
    return value


# --- a story


def _each_story(items: list[object], place: str, parent: str | None, reading: _Reading) -> tuple[Story, ...]:
    reading.stories += len(items)
    if reading.stories > MAX_STORIES:
        raise reading.error(f"has more than {MAX_STORIES:,} stories", "split it")
    stories = []
    for position, item in enumerate(items):
        where = f"{place}[{position}]"
        if isinstance(item, _Object):
            stories.append(_story(_Fields.of(item, where, reading, MEANT), position + 1, parent))
        else:
            reading.odd(where, f"`{shown(item)}` is no story", _STORY_IS)
    return tuple(stories)


def _story(fields: _Fields, number: int, parent: str | None) -> Story:
    story_id = _id(fields, number, parent)
    complexity, problems = judge(fields.raw)
    for problem in problems:
        fields.odd(problem.where, problem.message, problem.help)
    input_tokens, output_tokens = _tokens(fields)
    return Story(
        id=story_id,
        title=fields.text("title") or "",
        place=f"{fields.place} (line {fields.line})",
        complexity=complexity,
        requires=_requires(fields),
        domain=fields.text("domain"),
        kind=fields.text(*KIND_KEYS),
        skill=fields.text("skill"),
        tier=fields.text("tier"),
        models=fields.few(fields.texts(*MODEL_KEYS), "model"),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        depends_on=fields.texts(*DEPENDENCY_KEYS),
        priority=fields.label("priority"),
        passes=fields.yes("passes"),
        inputs=_inputs(fields),
        subtasks=_subtasks(fields, story_id),
        description=fields.text(*DESCRIPTION_KEYS) or "",
        criteria=fields.sayings(*CRITERIA_KEYS),
        files=fields.sayings(*FILE_KEYS, comma=True),
        checks={**fields.reading.checks, **fields.commands()},
    )


def _id(fields: _Fields, number: int, parent: str | None) -> str:
    """Read the id, or make one up: `story-4`, and for a subtask `US-042/1`."""
    story_id = fields.label("id")
    if story_id is None and parent is None:
        story_id = f"story-{number}"
        fields.odd("id", f"a story has no id, it is called `{story_id}`", "give it an `id`")
    elif story_id is None:
        story_id = f"{parent[:MAX_PARENT] if parent else ''}/{number}"
    first = fields.reading.ids.setdefault(story_id, fields.place)
    if first != fields.place:
        fields.odd(
            "id",
            f"id `{shown(story_id)}` is taken by `{first}`",
            "rename it: a plan has both, but only the first is found by its id",
        )
    return story_id


def _requires(fields: _Fields) -> frozenset[str]:
    required: set[str] = set()
    for _, key, value in given(fields.index, ("requiredcapabilities",)):
        required.update(_capability(fields, key, name) for name in fields.required_in(key, value))
    for _, key, value in given(fields.index, MCP_KEYS):
        if _has_tools(fields, key, value):
            required.add("tools")
    for _, key, _ in given(fields.index, ("requires",)):
        fields.odd(key, f"`{key}` means nothing here", "write `required_capabilities` or `dependencies`")
    return frozenset(fields.few(tuple(sorted(required)), "capability"))


def _capability(fields: _Fields, key: str, name: str) -> str:
    known = CAPABILITY_NAMES.get(fold(name.strip()).replace(" ", ""))
    if known is None:
        help_text = (
            None if fields.reading.is_full else did_you_mean(name, CAPABILITIES, else_list="it can be")
        )
        fields.odd(key, f"unknown capability `{shown(name)}`", help_text)
    return known or name.strip()


def _has_tools(fields: _Fields, key: str, value: object) -> bool:
    """Whether an MCP field asks for tools: a name, a list or map with something in it, or yes."""
    if isinstance(value, Mapping):
        return any(part not in (None, False, []) for part in value.values())
    if isinstance(value, list):
        return bool(value)
    if isinstance(value, str):
        return value.strip().lower() not in _NO
    if not isinstance(value, bool):
        fields.odd(key, f"`{shown(value)}` is no list of tools", "write a list of tools, or true")
    return value is True


def _tokens(fields: _Fields) -> tuple[int | None, int | None]:
    inner = fields.object("estimatedtokens")
    direct = fields.tokens("inputtokens"), fields.tokens("outputtokens")
    if inner is None:
        return direct
    tokens_in, tokens_out = inner.tokens(*INPUT_TOKEN_KEYS), inner.tokens(*OUTPUT_TOKEN_KEYS)
    return direct[0] if tokens_in is None else tokens_in, direct[1] if tokens_out is None else tokens_out


def _inputs(fields: _Fields) -> dict[str, str | float]:
    inputs: dict[str, str | float] = {}
    for key, value in fields.raw.items():
        if fold(key) in MEANT or fold(key) in NO_INPUTS:
            continue
        name = encodable(key)
        if isinstance(value, bool):
            inputs[name] = "yes" if value else "no"
        elif isinstance(value, str):
            inputs[name] = encodable(value)
        elif isinstance(value, (int, float)):
            number = _decimal(value)
            if number is None:
                fields.odd(key, f"`{shown(value)}` is no number to reckon with", "write a smaller number")
            else:
                inputs[name] = number
    return inputs


def _decimal(value: int | float) -> float | None:
    try:
        return float(value) if number_of(value) is not None else None
    except OverflowError:
        return None


def _subtasks(fields: _Fields, parent: str) -> tuple[Story, ...]:
    delegation = fields.object("delegation")
    if delegation is None:
        return ()
    for _, key, value in given(delegation.index, ("subtasks",)):
        if isinstance(value, list):
            return _each_story(value, delegation.where(key), parent, fields.reading)
        delegation.odd(key, f"`{shown(value)}` is no list of subtasks", "put the subtasks into […]")
    return ()


# --- the fields of an object


@dataclass(frozen=True, slots=True)
class _Fields:
    """An object's fields by folded key. Each method reads a type, and notes what isn't of it."""

    place: str
    line: int
    raw: Mapping[str, object]
    index: Folded
    reading: _Reading

    @classmethod
    def of(cls, raw: _Object, place: str, reading: _Reading, meant: frozenset[str]) -> _Fields:
        """Index an object, and note keys that stand twice in it, be it in another spelling."""
        fields = cls(place, raw.line, raw, folded(raw), reading)
        for key in raw.twice:
            fields._stands_twice(key, key)
        for key, value in raw.items():
            first = fields.index.get(fold(key), (key,))[0]
            if value is not None and first != key and fold(key) in meant:
                fields.odd(key, f"`{shown(key)}` says again what `{shown(first)}` says", "keep one")
        return fields

    def where(self, key: str) -> str:
        """Say where a key of this object stands."""
        return f"{self.place}.{shown(key)}" if self.place else shown(key)

    def odd(self, key: str, message: str, help_text: str | None = None) -> None:
        """Note a problem with one key."""
        self.reading.odd(f"{self.where(key)} (line {self.line})", message, help_text)

    def _stands_twice(self, where: str, key: str) -> None:
        self.odd(where, f"the key `{shown(key)}` stands twice, the last one counts", "keep one")

    def text(self, *names: str) -> str | None:
        """Read a text, without the blanks around it; a blank one is none."""
        return self._first(names, str, "text", "write it in quotes")

    def label(self, name: str) -> str | None:
        """Read a text or number, as text."""
        return self._first((name,), (str, int, float), "text or number", "write a text or a number")

    def _first(
        self, names: tuple[str, ...], kinds: type | tuple[type, ...], what: str, advice: str
    ) -> str | None:
        found: list[str] = []
        for _, key, value in given(self.index, names):
            if isinstance(value, kinds) and (isinstance(value, str) or number_of(value) is not None):
                found.append(encodable(str(_whole(value))).strip())
            else:
                self.odd(key, f"`{shown(value)}` is no {what}", advice)
        return next(filter(None, found), None)

    def sayings(self, *names: str, comma: bool = False) -> tuple[str, ...]:
        """Read what the complexity's formula counts: a list of anything, or a text line by line."""
        found: list[str] = []
        for _, key, value in given(self.index, names):
            if isinstance(value, str):
                found.extend((value.replace(",", "\n") if comma else value).split("\n"))
            elif isinstance(value, (list, Mapping)):
                found.extend(item if isinstance(item, str) else shown(item) for item in value)
            else:
                self.odd(key, f"`{shown(value)}` is no list", "write a list of texts")
        return tuple(filter(None, (encodable(item).strip() for item in found)))

    def texts(self, *names: str) -> tuple[str, ...]:
        """Read a list of texts and numbers, or one text with commas; none of them twice."""
        found: list[str] = []
        for _, key, value in given(self.index, names):
            found.extend(self._items(key, value))
        return tuple(dict.fromkeys(filter(None, found)))

    def commands(self) -> dict[str, str]:
        """Read checks: commands by the names of their gates; one without a name is the gate `tests`."""
        found: dict[str, str] = {}
        for _, key, value in given(self.index, CHECK_KEYS):
            named = {"tests": value} if isinstance(value, str) else value
            if isinstance(named, Mapping) and all(isinstance(command, str) for command in named.values()):
                found |= {encodable(name): encodable(str(command)) for name, command in named.items()}
            elif value is not False:
                self.odd(key, f"`{shown(value)}` is no command", 'write {"tests": "pytest -q"}')
        return found

    def few(self, names: tuple[str, ...], kind: str) -> tuple[str, ...]:
        """The first of some names; more of them than anyone means are odd."""
        if len(names) > MAX_NAMES:
            self.odd(
                kind, f"the story names {len(names):,}, which are too many", f"the first {MAX_NAMES} count"
            )
        return names[:MAX_NAMES]

    def _items(self, key: str, value: object) -> Iterator[str]:
        if isinstance(value, str):
            yield from (piece.strip() for piece in encodable(value).replace("\n", ",").split(","))
            return
        if not isinstance(value, list):
            self.odd(key, f"`{shown(value)}` is no list of names", "write a list of texts")
            return
        for position, item in enumerate(value):
            if isinstance(item, str) or number_of(item) is not None:
                yield encodable(str(_whole(item))).strip()
            elif item is not None:
                self.odd(f"{key}[{position}]", f"`{shown(item)}` is no name", "write a text")

    def required_in(self, key: str, value: object) -> Iterator[str]:
        """Read names out of a map of yes and no, a list, or a text with commas."""
        if not isinstance(value, _Object):
            yield from dict.fromkeys(filter(None, self._items(key, value)))
            return
        for name in value.twice:
            self._stands_twice(f"{key}.{shown(name)}", name)
        for name, required in value.items():
            if self._is_yes(f"{key}.{shown(name)}", required) and name.strip():
                yield encodable(name)

    def yes(self, name: str) -> bool:
        """Read a yes or no; without one it is no."""
        return any(self._is_yes(key, value) for _, key, value in given(self.index, (name,)))

    def _is_yes(self, key: str, value: object) -> bool:
        if value is None or isinstance(value, bool):
            return value is True
        word = str(_whole(value)).strip().lower() if isinstance(value, (str, int, float)) else None
        if word not in _YES | _NO:
            self.odd(key, f"`{shown(value)}` is neither yes nor no", "write true or false")
        return word in _YES

    def tokens(self, *names: str) -> int | None:
        """Read a whole number of tokens."""
        found: list[int] = []
        for _, key, value in given(self.index, names):
            number = number_of(value)
            if number is not None and 0 <= number <= MAX_TOKENS and number == int(number):
                found.append(int(number))
            elif not (isinstance(value, str) and not value.strip()):
                self.odd(key, f"`{shown(value)}` is no number of tokens", "write a whole number such as 2000")
        return found[0] if found else None

    def object(self, name: str) -> _Fields | None:
        """Read an object; `false` is none."""
        for _, key, value in given(self.index, (name,)):
            if isinstance(value, _Object):
                return _Fields.of(value, self.where(key), self.reading, _OF_PART)
            if value is not False:
                self.odd(key, f"`{shown(value)}` is no object", "write it as {…}")
        return None


def _whole(value: object) -> object:
    """Bring 1.0 and 1 together, so that an id is the same in both spellings."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
