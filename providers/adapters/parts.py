"""What messages hold besides text, read from OpenAI's form for the protocols that have another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ...schemas.calls import Message
from ...schemas.errors import ProviderError
from ...schemas.policy import FailureKind as Kind
from .classify import unsent
from .wire import of

SYSTEM_ROLES: Final = frozenset({"system", "developer"})

_DATA: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,([A-Za-z0-9+/=_\s-]*)")


@dataclass(frozen=True, slots=True)
class Data:
    """A file that is in the message; `base64` as it stands there."""

    mime: str
    base64: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Link:
    """A file that lies elsewhere, an image as far as is known."""

    url: str = field(repr=False)


def contents_of(message: Message) -> Iterator[str | Data | Link]:
    """
    What a message holds, in its order; no empty texts.

    Raises:
        ProviderError: a part is none that is known.
    """
    if message.text:
        yield message.text
    for part in message.parts:
        found = _content(part)
        if found != "":
            yield found


def _content(part: object) -> str | Data | Link:
    kind = of(part, "type")
    if kind == "text" and isinstance(text := of(part, "text"), str):
        return text
    if kind == "image_url":
        place = of(part, "image_url")
        return _file(place if isinstance(place, str) else of(place, "url"))
    if kind == "file":
        return _file(of(part, "file", "file_data"))
    if kind == "input_audio" and isinstance(data := of(part, "input_audio", "data"), str):
        return Data(f"audio/{of(part, 'input_audio', 'format')}", data)
    raise _unknown()


def _file(place: object) -> Data | Link:
    if isinstance(place, str):
        if data := _DATA.fullmatch(place):
            return Data(data[1], data[2])
        if place.startswith(("https://", "http://", "gs://")):
            return Link(place)
    raise _unknown()


def _unknown() -> ProviderError:
    return unsent(Kind.INVALID_REQUEST, "a part of a message has a form that isn't known")


def no_such_part() -> ProviderError:
    """The failure of a call with a part that a provider has no place for: another may have."""
    return unsent(Kind.NOT_FOUND, "the provider takes no such part of a message")


def texts_of(message: Message) -> str:
    """
    The text of a message that may hold nothing else.

    Raises:
        ProviderError: it does.
    """
    found = list(contents_of(message))
    if not all(isinstance(each, str) for each in found):
        raise no_such_part()
    return "\n".join(str(each) for each in found)


def system_text(messages: Iterable[Message], *more: str) -> str:
    """What the system says, and more of it, as one text."""
    said = [texts_of(message) for message in messages if message.role in SYSTEM_ROLES]
    return "\n\n".join(text for text in (*said, *more) if text)


def conversation(messages: Iterable[Message]) -> list[Message]:
    """The messages of everybody but the system."""
    return [message for message in messages if message.role not in SYSTEM_ROLES]


def merged(turns: Iterable[tuple[str, list[Any]]]) -> list[tuple[str, list[Any]]]:
    """Turns of a conversation, those of one role in a row made one; results of tools belong together."""
    found: list[tuple[str, list[Any]]] = []
    for role, blocks in turns:
        if found and found[-1][0] == role:
            found[-1][1].extend(blocks)
        elif blocks:
            found.append((role, list(blocks)))
    return found
