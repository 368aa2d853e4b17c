"""What a caller asks -> messages that can be sent: checked, since others may have written them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..schemas.calls import Message, ToolCall
from ..schemas.errors import Problem, RequestError

Prompt = str | Sequence[Message | Mapping[str, Any]]
"""A text, or the messages of a conversation; those in OpenAI's form are understood too."""

_FORM = 'as in {"role": "user", "content": "Name three rivers."}'
_CALL = 'as in {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}'


def messages_of(prompt: Prompt) -> tuple[Message, ...]:
    """
    A conversation from a text, or from messages in OpenAI's form.

    Raises:
        RequestError: there is nothing to ask, or a message isn't one; says which.
    """
    given: object = prompt  # which may be anything, whatever its type says
    if isinstance(given, str):
        said: Iterable[object] = (Message("user", given),) if given.strip() else ()
    elif isinstance(given, Iterable) and not isinstance(given, bytes | bytearray | Mapping):
        said = given
    else:
        raise _no("prompt", "the prompt is a text or a list of messages", _FORM)
    messages = tuple(_message(one, f"message {number}") for number, one in enumerate(said, 1))
    if not messages:
        raise _no("prompt", "the prompt is empty", "write what the model is to do")
    return messages


def tools_of(tools: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """
    Tools in OpenAI's form.

    Raises:
        RequestError: they aren't; says which.
    """
    given: object = tools
    if not isinstance(given, Iterable) or isinstance(given, str | bytes | Mapping):
        raise _no("tools", "`tools` is a list of tools in OpenAI's form")
    offered: tuple[Any, ...] = tuple(given)
    for number, tool in enumerate(offered, 1):
        if not _is_object(tool) or not tool:
            raise _no(f"tool {number}", f"tool {number} is no JSON object that describes a tool")
    return offered


def is_text(value: object) -> bool:
    """Whether a value is a text that can be written down; half of a character pair can't."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_json(value: object) -> bool:
    """Whether a value can be sent as JSON."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _is_object(value: object) -> bool:
    return isinstance(value, Mapping) and is_json(value)


def _message(said: object, where: str) -> Message:
    if isinstance(said, Message):
        message = said
    elif isinstance(said, Mapping):
        message = _in_openais_form(said, where)
    else:
        raise _no(where, f"{where} is no message", _FORM)
    texts = (
        message.role,
        message.text,
        *(t for c in message.tool_calls for t in (c.id, c.name, c.arguments)),
    )
    if not all(is_text(text) for text in texts):
        raise _no(where, f"{where} holds characters that no text has")
    if not all(_is_object(part) for part in message.parts):
        raise _no(where, f"{where} has a part that is no JSON object", _FORM)
    return message


def _in_openais_form(said: Mapping[str, Any], where: str) -> Message:
    role, content, answers = said.get("role"), said.get("content"), said.get("tool_call_id")
    readable = content is None or isinstance(content, str | list | tuple)
    if not isinstance(role, str) or not readable:
        raise _no(where, f"{where} has no role, or no content that can be read", _FORM)
    if not (answers is None or is_text(answers)):
        raise _no(where, f"{where} has a `tool_call_id` that is no text")
    calls = said.get("tool_calls") or ()
    if not isinstance(calls, list | tuple):
        raise _no(where, f"{where} has `tool_calls` that are no list", _CALL)
    text = content if isinstance(content, str) else ""
    parts = tuple(content) if isinstance(content, list | tuple) else ()
    return Message(role, text, parts, tuple(_tool_call(call, where) for call in calls), answers)


def _tool_call(said: object, where: str) -> ToolCall:
    function = said.get("function") if isinstance(said, Mapping) else None
    if isinstance(said, Mapping) and isinstance(function, Mapping):
        names, arguments = (said.get("id"), function.get("name")), function.get("arguments")
        if all(isinstance(text, str) for text in (*names, arguments)):
            return ToolCall(str(names[0]), str(names[1]), str(arguments))
    raise _no(where, f"{where} has a tool call that is none", _CALL)


def _no(where: str, text: str, help: str | None = None) -> RequestError:
    return RequestError((Problem(where, text, help),))
