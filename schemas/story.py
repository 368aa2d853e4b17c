"""Stories of a PRD, as far as routing cares about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from .errors import Problem
from .records import dataclass


@dataclass(frozen=True, slots=True)
class Complexity:
    """
    A story's complexity from 0 to 10, and where it comes from.

    `origin` is "number" (the story gives it), "word" (a word such as medium) or "formula" (the
    weighted factors); `parts` lists each factor's name, what it saw and the points it gave.
    """

    value: float
    origin: str
    parts: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """
    One story, its fields under one spelling whatever the PRD's.

    `inputs` holds the keys without a meaning here whose value is a yes/no, number or text: a
    policy may declare inputs of these names. `subtasks` are the stories of its `delegation`.
    `place` says where in the file it stands, such as `userStories[3]`. `description`, `criteria` and
    `files` are what a model is told of it; nothing is decided by their words. `checks` are commands
    that an answer must pass, by the names of their gates: the PRD's, and the story's own.
    """

    id: str
    title: str
    place: str
    complexity: Complexity
    requires: frozenset[str] = frozenset()
    domain: str | None = None
    kind: str | None = None
    skill: str | None = None
    tier: str | None = None
    models: tuple[str, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    depends_on: tuple[str, ...] = ()
    priority: str | None = None
    passes: bool = False
    inputs: Mapping[str, str | float] = field(default_factory=dict)
    subtasks: tuple[Story, ...] = ()
    description: str = field(default="", repr=False)
    criteria: tuple[str, ...] = field(default=(), repr=False)
    files: tuple[str, ...] = ()
    checks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prd:
    """A product requirements document: its stories, and what was odd about it."""

    name: str
    branch: str | None
    stories: tuple[Story, ...]
    problems: tuple[Problem, ...]
