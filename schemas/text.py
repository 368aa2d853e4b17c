"""Where something stands in the user's text."""

from __future__ import annotations

from .records import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """One policy file as it was read: its name as the user gave it, and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """
    A piece of a source: `start` up to, not including, `end`, in characters.

    Lines and columns are derived where they are shown.
    """

    source: str
    start: int
    end: int
