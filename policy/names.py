"""Words about names: lists in sentences, and what a misspelt name was meant to be."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence

from ..schemas.diagnostics import Edit
from ..schemas.text import Span

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


def first_and_more(names: Sequence[str]) -> str:
    """`a`, `a and 2 more`."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def quoted(name: str) -> str:
    """A name as a text of the language."""
    return f'"{name}"'


def closest(name: str, candidates: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """
    The candidate that `name` was most likely meant to be, or None.

    `cutoff` is the likeness, from 0 to 1, below which a suggestion would mislead.
    """
    from difflib import get_close_matches  # only for people who mistyped

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
    return _help(near, known, else_list)


def meant(
    span: Span,
    name: str,
    candidates: Iterable[str],
    *,
    else_list: str | None = None,
    but: Container[str] = (),
) -> tuple[str | None, tuple[Edit, ...]]:
    """
    The help for an unknown name in the text, as `did_you_mean` gives it, and the mend where it is sure.

    `but` are candidates that mustn't be put in its place, however close they are.
    """
    known = list(candidates)
    near = closest(name, known)
    sure = near is not None and near not in but and is_slip(name, near, known)
    return _help(near, known, else_list), (Edit(span, name, near),) if near and sure else ()


def _help(near: str | None, known: Sequence[str], else_list: str | None) -> str | None:
    if near is not None:
        return f"did you mean `{near}`?"
    if else_list is None or not known:
        return None
    return f"{else_list} {ticked(sorted(known))}"


def is_slip(name: str, near: str, candidates: Iterable[str], *, shortest: int = 4, gap: int = 2) -> bool:
    """
    Whether a name can only be a slip of the pen for `near`, the closest of the candidates.

    But for capitals there is one slip, in a name of at least `shortest` letters, and every other candidate is
    at least `gap` slips farther away. Where a name starts (`untrusted` isn't `trusted`) and in its parts with
    figures (`gpt-4` isn't `gpt-4o`) nothing is a slip.
    """
    slips = _slips(name.lower(), near.lower())
    same = name[:1].lower() == near[:1].lower()
    same = same and _FIGURES.findall(name.lower()) == _FIGURES.findall(near.lower())
    if not same or slips > (len(name) >= shortest):
        return False
    others = (c for c in set(candidates) if c != near and abs(len(c) - len(name)) < slips + gap)
    return all(_slips(name.lower(), other.lower()) >= slips + gap for other in others)


_FIGURES = re.compile(r"[a-z]*[0-9][a-z0-9]*")


def _slips(name: str, other: str) -> int:
    """How many letters were left out, added, replaced, or swapped with their neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(name, 1):
        before, last, row = row, before, [i]
        for j, wanted in enumerate(other, 1):
            slips = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and name[i - 2] == wanted:
                slips = min(slips, last[j - 2] + 1)
            row.append(slips)
    return row[-1]


def last_parts(keys: Iterable[str]) -> dict[str, list[str]]:
    """The last `/` part of each key that has one, with the keys that end in it."""
    parts: dict[str, list[str]] = {}
    for key in keys:
        if "/" in key:
            parts.setdefault(key.rpartition("/")[2], []).append(key)
    return parts
