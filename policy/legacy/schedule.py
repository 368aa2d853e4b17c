"""Schedules of the older form (`Mon-Fri 9am-5pm, Sat-Sun all day`) as windows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import document as doc
from ..checks.p123_legacy_value import not_understood
from ..document import Name
from ..yaml import Scalar
from .fields import Notes, part

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = r"(mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|thu(?:rs|rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
_TO = r"\s*(?:-|–|to)\s*"  # noqa: RUF001  # people type either dash
_CLOCK = r"([0-9]{1,2})(?::([0-9]{2}))?\s?(am|pm)?"
_PART = re.compile(
    rf"\s*{_DAY}(?:{_TO}{_DAY})?(?:\s+(?:(?P<all>all\s+day)|{_CLOCK}{_TO}{_CLOCK}))?\s*", re.IGNORECASE
)
_HELP = "write it as `Mon-Fri 9am-5pm`, `Mon, Wed 22:00-06:00` or `Sat-Sun all day`, with commas between"


def read_schedule(notes: Notes, scalar: Scalar) -> tuple[doc.Stretch, ...]:
    """The stretches of a schedule; none where it can't be read, which is reported."""
    try:
        return tuple(_stretches(scalar))
    except ValueError:
        notes.found.append(not_understood(scalar.span, "a schedule", scalar.text.strip(), _HELP))
        return ()


def _stretches(scalar: Scalar) -> Iterator[doc.Stretch]:
    """
    Each part of a schedule with its days; days without times belong to those that follow.

    Raises:
        ValueError: a part isn't understood.
    """
    days: list[int] = []
    at = 0
    for text in scalar.text.split(","):
        match = _PART.fullmatch(text)
        if match is None:
            raise ValueError(text)
        span = part(scalar, at, at + len(text))
        at += len(text) + 1
        first, last = (_DAYS.index((match[group] or match[1])[:3].lower()) for group in (1, 2))
        days += [(first + offset) % 7 for offset in range((last - first) % 7 + 1)]
        if match["all"] is not None:
            yield doc.Stretch(tuple(days), Name("00:00", span), Name("24:00", span), span)
        elif match[4] is not None:
            start, end = _clock(match, 4), _clock(match, 7)
            yield doc.Stretch(tuple(days), Name(start, span), Name(end, span), span)
        else:
            continue
        days = []
    if days:
        raise ValueError("days without times")


def _clock(match: re.Match[str], group: int) -> str:
    """`9am`, `9:30 pm` or `17:00` as a time of day of the language."""
    hour, minute, half = int(match[group]), int(match[group + 1] or 0), (match[group + 2] or "").lower()
    if not half and match[group + 1] is None:
        raise ValueError("9 may be in the morning or in the evening")
    if minute > 59 or hour > 24 or (hour == 24 and minute) or (half and not 1 <= hour <= 12):
        raise ValueError(match[0])
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return f"{hour:02}:{minute:02}"
