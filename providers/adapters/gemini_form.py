"""
Calls and answers in Gemini's form.

A plain answer is read as a stream of one chunk. Chunks are JSON values or a library's objects, whatever
they hold.
"""

from __future__ import annotations

import base64
import binascii
import json
import mimetypes
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...schemas.calls import Answer, Call, Message, Tokens, ToolCall
from ...schemas.policy import FailureKind as Kind
from .anthropic_form import arguments_of
from .checks import MOST_CHARACTERS, counted, finished, json_value
from .classify import failure, failure_said, read_error, unsent, unusable
from .parts import Data, Link, contents_of, conversation, merged, no_such_part, system_text, texts_of
from .wire import ABOUT_FORCED_TOOL, FORCED_TOOL, forces_tool, json_words, of, settings_of, with_forced_tool

_MOST_TOOL_CALLS: Final = 1_000
_SETTINGS: Final = frozenset("temperature top_p top_k presence_penalty frequency_penalty seed".split())


# --- what is asked -----------------------------------------------------------------------------------------


def contents(call: Call) -> list[dict[str, Any]]:
    """
    The messages of a call, those of the system aside.

    Raises:
        ProviderError: one of them has a part that Gemini has no place for.
    """
    names = {tool.id: tool.name for message in call.messages for tool in message.tool_calls}
    turns = merged(_turn(message, names) for message in conversation(call.messages))
    return [{"role": role, "parts": parts} for role, parts in turns]


def _turn(message: Message, names: Mapping[str, str]) -> tuple[str, list[dict[str, Any]]]:
    if message.role == "tool":
        called = message.tool_call_id or ""
        said = {"id": called, "name": names.get(called, called), "response": _response(texts_of(message))}
        return "user", [{"function_response": said}]
    parts = list(_parts(message))
    for tool in message.tool_calls:
        parts.append({"function_call": {"id": tool.id, "name": tool.name, "args": arguments_of(tool)}})
    return "model" if message.role == "assistant" else "user", parts


def _response(text: str) -> dict[str, Any]:
    """What a tool gave, as the object that it must be."""
    try:
        value = json_value(text)
    except ValueError:
        value = text
    return value if isinstance(value, dict) else {"result": value}


def _parts(message: Message) -> Iterator[dict[str, Any]]:
    for part in contents_of(message):
        if isinstance(part, str):
            yield {"text": part}
        elif isinstance(part, Data):
            yield {"inline_data": {"mime_type": part.mime, "data": _bytes(part)}}
        else:
            yield {"file_data": {"file_uri": part.url, "mime_type": _mime(part)}}


def _bytes(part: Data) -> bytes:
    try:
        return base64.b64decode(part.base64)
    except (binascii.Error, ValueError):
        raise no_such_part() from None


def _mime(part: Link) -> str:
    return mimetypes.guess_type(part.url.partition("?")[0])[0] or "image/jpeg"


def config(call: Call) -> dict[str, Any]:
    """
    All else that is sent of a call, except its model.

    Raises:
        ProviderError: the policy sets what Gemini doesn't know.
    """
    if set(call.settings) - _SETTINGS:
        raise unsent(Kind.INVALID_REQUEST, "the policy sets what Google's API doesn't know")
    found: dict[str, Any] = {
        **settings_of(call),
        "max_output_tokens": call.max_output_tokens,
        "automatic_function_calling": {"disable": True},
    }
    tools = [_tool(of(tool, "function")) for tool in call.tools]
    words = ""
    if forces_tool(call):
        schema = dict(call.schema or {})
        tools.append(
            {"name": FORCED_TOOL, "description": ABOUT_FORCED_TOOL, "parameters_json_schema": schema}
        )
        only = {} if call.tools else {"allowed_function_names": [FORCED_TOOL]}
        found["tool_config"] = {"function_calling_config": {"mode": "ANY", **only}}
    elif call.schema is not None or call.json_mode:
        if "json_mode" in call.model.capabilities:
            found["response_mime_type"] = "application/json"
            if call.schema is not None:
                found["response_json_schema"] = dict(call.schema)
        else:
            words = json_words(call)
    if system := system_text(call.messages, words):
        found["system_instruction"] = system
    if tools:
        found["tools"] = [{"function_declarations": tools}]
    return found


def _forced_tool(call: Call) -> dict[str, Any]:
    schema = dict(call.schema or {})
    return {"name": FORCED_TOOL, "description": ABOUT_FORCED_TOOL, "parameters_json_schema": schema}


def _tool(function: object) -> dict[str, Any]:
    said = {
        "name": of(function, "name"),
        "description": of(function, "description"),
        "parameters_json_schema": of(function, "parameters"),
    }
    return {name: value for name, value in said.items() if value}


# --- what is answered --------------------------------------------------------------------------------------


def tokens_of(usage: object) -> Tokens | None:
    """What was counted: Gemini's input has the cached one in it, its output lacks what was thought."""
    asked, output = of(usage, "prompt_token_count"), of(usage, "candidates_token_count")
    more = [of(usage, f"{name}_token_count") or 0 for name in ("tool_use_prompt", "thoughts")]
    if not isinstance(asked, int) or not all(isinstance(n, int) for n in more):
        return None
    if output is None:  # nothing was said: the prompt was blocked, or all was thought
        output = 0
    output = output + more[1] if isinstance(output, int) else None
    return counted(asked + more[0], output, of(usage, "cached_content_token_count"))


class Gathering:
    """An answer as it comes, in chunks of Gemini's form."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._texts: list[str] = []
        self._tools: list[ToolCall] = []
        self._size = 0
        self._model: str | None = None
        self._finish: str | None = None
        self._blocked = False
        self.started = False
        self.tokens: Tokens | None = None

    def add(self, chunk: object) -> str:
        """
        Take a chunk.

        Returns:
            The text in it that whoever waits may have: none while a tool's arguments are the answer.

        Raises:
            ProviderError: it is an error, or the answer is larger than any can be.
        """
        self.started = True
        if error := of(chunk, "error"):
            raise failure_said(read_error(None, error))
        model = of(chunk, "model_version")
        self._model = model[:200] if isinstance(model, str) else self._model
        self.tokens = tokens_of(of(chunk, "usage_metadata")) or self.tokens
        self._blocked = self._blocked or bool(of(chunk, "prompt_feedback", "block_reason"))
        candidates = of(chunk, "candidates")
        candidate = candidates[0] if isinstance(candidates, list) and candidates else None
        self._finish = finished(_word(of(candidate, "finish_reason"))) or self._finish
        parts = of(candidate, "content", "parts")
        new = "".join(self._take(part) for part in (parts if isinstance(parts, list) else ()))
        return "" if forces_tool(self._call) else new

    def _take(self, part: object) -> str:
        name = of(part, "function_call", "name")
        if isinstance(name, str) and len(self._tools) < _MOST_TOOL_CALLS:
            arguments = json.dumps(of(part, "function_call", "args") or {})
            id = of(part, "function_call", "id") or f"call_{len(self._tools)}"
            self._tools.append(ToolCall(str(id), name, arguments))
            self._grow(len(arguments))
        text = of(part, "text")
        if not isinstance(text, str) or of(part, "thought") is True:
            return ""
        self._texts.append(text)
        self._grow(len(text))
        return text

    def _grow(self, characters: int) -> None:
        self._size += characters
        if self._size > MOST_CHARACTERS:
            raise failure(Kind.BAD_RESPONSE, "the answer is larger than any can be")

    def answer(self) -> Answer:
        """
        The whole answer, not yet checked.

        Raises:
            ProviderError: the prompt was blocked, or the answer ended before it was whole.
        """
        text = "".join(self._texts)
        if self._blocked:
            raise unusable("the provider declined the prompt", self.tokens, Kind.CONTENT_FILTER)
        if self._finish is None:
            words = "the answer is empty" if not text and not self._tools else "the answer ended half-way"
            raise unusable(words, self.tokens if not text else None)
        finish = "tool_calls" if self._tools and self._finish == "stop" else self._finish
        whole = Answer(
            text=text,
            tool_calls=tuple(self._tools),
            tokens=self.tokens,
            finish_reason=finish,
            response_model=self._model,
        )
        return with_forced_tool(self._call, whole)


def _word(reason: object) -> object:
    """A reason as text: the SDK has its own class for those that it knows."""
    return getattr(reason, "value", reason)
