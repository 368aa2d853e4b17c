"""Words about names: lists in sentences, and what a misspelt name was meant to be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_MOST_COMPARED = 200_000
"""The name's letters times those of all candidates: beyond this a suggestion isn't worth its time."""


def listed(items: Sequence[str], *, last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def ticked(names: Iterable[str], *, most: int = 8) -> str:
    """Names in backticks, the first few of them."""
    known = list(names)
    rest = len(known) - most
    shown = ", ".join(f"`{name}`" for name in known[:most])
    return shown + (f" and {rest} more" if rest > 0 else "")


def quoted(name: str) -> str:
    """A name as a text of the language."""
    return f'"{name}"'


def closest(name: str, candidates: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """
    The candidate that `name` was most likely meant to be, or None.

    `cutoff` is the likeness, from 0 to 1, below which a suggestion would mislead.
    """
    known = sorted(set(candidates))
    if not 0 < len(name) <= 80 or len(name) * sum(map(len, known)) > _MOST_COMPARED:
        return None
    folded = {candidate.lower(): candidate for candidate in known}
    near = get_close_matches(name.lower(), folded, n=1, cutoff=cutoff)
    return folded[near[0]] if near else None


def did_you_mean(name: str, candidates: Iterable[str], *, else_list: str | None = None) -> str | None:
    """The help for an unknown name: the closest candidate, else what there is."""
    known = list(candidates)
    near = closest(name, known)
    if near is not None:
        return f"did you mean `{near}`?"
    if else_list is None or not known:
        return None
    return f"{else_list} {ticked(sorted(known))}"


def last_parts(keys: Iterable[str]) -> dict[str, list[str]]:
    """The last `/` part of each key that has one, with the keys that end in it."""
    parts: dict[str, list[str]] = {}
    for key in keys:
        if "/" in key:
            parts.setdefault(key.rpartition("/")[2], []).append(key)
    return parts
