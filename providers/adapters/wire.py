"""
Calls and answers in OpenAI's form, which OpenAI, most other servers and LiteLLM speak.

Answers are read from JSON values and from a library's objects alike, whatever they hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ...schemas.calls import Answer, Call, Message, Tokens, ToolCall
from ...schemas.policy import FailureKind as Kind
from .checks import MOST_CHARACTERS, counted, finished, json_value
from .classify import failure, failure_said, read_error, unusable

FORCED_TOOL: Final = "give_answer"
ABOUT_FORCED_TOOL: Final = "Gives the answer. Call it once, with the whole answer."
_ONLY_JSON: Final = "Answer with one JSON value and with nothing else."
_FOLLOW: Final = "It must follow this JSON Schema: "
_MOST_TOOL_CALLS: Final = 1_000


# --- what is asked -----------------------------------------------------------------------------------------


def forces_tool(call: Call) -> bool:
    """Whether a JSON Schema is asked for through a tool: its model has tools, but no JSON mode."""
    can = call.model.capabilities
    return call.schema is not None and "json_mode" not in can and "tools" in can


def request_of(call: Call, *, json_schema: bool = True) -> dict[str, Any]:
    """
    What is sent of a call: its messages, tools and form of answer; not its model, limits or settings.

    Args:
        json_schema: whether the server takes a schema as `response_format`; else it is told in words.
    """
    request: dict[str, Any] = {"messages": [message_of(m) for m in call.messages]}
    tools = [dict(tool) for tool in call.tools]
    if forces_tool(call):
        schema = dict(call.schema or {})
        function = {"name": FORCED_TOOL, "description": ABOUT_FORCED_TOOL, "parameters": schema}
        tools.append({"type": "function", "function": function})
        named = {"type": "function", "function": {"name": FORCED_TOOL}}
        request["tool_choice"] = "required" if call.tools else named
    elif call.schema is not None or call.json_mode:
        _ask_for_json(request, call, json_schema)
    if tools:
        request["tools"] = tools
    return request


def _ask_for_json(request: dict[str, Any], call: Call, json_schema: bool) -> None:
    has_mode = "json_mode" in call.model.capabilities
    if has_mode and json_schema and call.schema is not None:
        named = {"name": "answer", "schema": dict(call.schema)}
        request["response_format"] = {"type": "json_schema", "json_schema": named}
        return
    # JSON mode wants the word JSON somewhere in the messages, and without one nothing else says it.
    request["messages"].insert(0, {"role": "system", "content": json_words(call)})
    if has_mode:
        request["response_format"] = {"type": "json_object"}


def json_words(call: Call) -> str:
    """What a model is told where JSON is wanted."""
    if call.schema is None:
        return _ONLY_JSON
    return f"{_ONLY_JSON} {_FOLLOW}{json.dumps(dict(call.schema))}"


def message_of(message: Message) -> dict[str, Any]:
    """A message in OpenAI's form."""
    said: dict[str, Any] = {"role": message.role}
    if message.parts:
        text = [{"type": "text", "text": message.text}] if message.text else []
        said["content"] = [*text, *(dict(part) for part in message.parts)]
    else:
        said["content"] = message.text or (None if message.tool_calls else "")
    if message.tool_calls:
        said["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        said["tool_call_id"] = message.tool_call_id
    return said


def settings_of(call: Call) -> dict[str, float]:
    """What the policy sets, whole numbers as such: `top_k 40` isn't 40.0."""
    return {name: int(n) if float(n).is_integer() else n for name, n in call.settings.items()}


# --- what is answered --------------------------------------------------------------------------------------


def of(value: object, *names: str) -> Any:
    """Something inside of a JSON value or a library's object, or None where it isn't."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def tokens_of(usage: object) -> Tokens | None:
    """What was counted, from a `usage` in OpenAI's form or in LiteLLM's or DeepSeek's variant of it."""
    read = next(
        (
            found
            for names in (
                ("prompt_tokens_details", "cached_tokens"),
                ("cache_read_input_tokens",),
                ("prompt_cache_hit_tokens",),
            )
            if (found := of(usage, *names))
        ),
        None,
    )
    written = of(usage, "cache_creation_input_tokens")
    return counted(of(usage, "prompt_tokens"), of(usage, "completion_tokens"), read, written)


def answer_of(call: Call, response: object) -> Answer:
    """
    An answer in OpenAI's form, not yet checked.

    Raises:
        ProviderError: it has no such form, or it declines.
    """
    tokens = tokens_of(of(response, "usage"))
    choices = _list(of(response, "choices"))
    if not choices and (said := of(response, "error")):
        raise failure_said(read_error(None, said))
    if not choices:
        raise unusable("the answer is empty", tokens)
    message = of(choices[0], "message")
    if _text(of(message, "refusal")) and not _text(of(message, "content")):
        raise unusable("the model declined to answer", tokens, Kind.CONTENT_FILTER)
    tools = tuple(
        ToolCall(
            _text(of(tool, "id")),
            _text(of(tool, "function", "name")),
            _arguments(of(tool, "function", "arguments")),
        )
        for tool in _list(of(message, "tool_calls"))[:_MOST_TOOL_CALLS]
    )
    return with_forced_tool(
        call,
        Answer(
            text=content_text(of(message, "content")),
            tool_calls=tools,
            tokens=tokens,
            finish_reason=finished(of(choices[0], "finish_reason")),
            response_model=_text(of(response, "model"))[:200] or None,
        ),
    )


def content_text(content: object) -> str:
    """The text of an answer that is one, or is made of parts."""
    if isinstance(content, list):
        return "".join(_text(of(part, "text")) for part in content)
    return _text(content)


def _arguments(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict) else _text(value)


def with_forced_tool(call: Call, answer: Answer) -> Answer:
    """The arguments of the forced tool are the answer's text; to whoever asked there was no tool."""
    if not forces_tool(call):
        return answer
    given = [tool for tool in answer.tool_calls if tool.name == FORCED_TOOL]
    if not given:
        return answer
    return Answer(
        text=given[0].arguments,
        tool_calls=tuple(tool for tool in answer.tool_calls if tool.name != FORCED_TOOL),
        tokens=answer.tokens,
        finish_reason=answer.finish_reason,
        response_model=answer.response_model,
    )


@dataclass(slots=True)
class ToolParts:
    """A tool call as far as it has come."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class Gathering:
    """A streamed answer as it comes, in chunks of OpenAI's form."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._texts: list[str] = []
        self._tools: dict[int, ToolParts] = {}
        self._refused = False
        self.size = 0
        self._finish: str | None = None
        self._model: str | None = None
        self.tokens: Tokens | None = None

    def add(self, chunk: object) -> str:
        """
        Take a chunk.

        Returns:
            The text in it that whoever waits may have: none while a tool's arguments are the answer.

        Raises:
            ProviderError: the answer is larger than any can be.
        """
        self._model = _text(of(chunk, "model"))[:200] or self._model
        self.tokens = tokens_of(of(chunk, "usage")) or self.tokens
        new = ""
        for choice in _list(of(chunk, "choices"))[:1]:
            delta = of(choice, "delta")
            new = content_text(of(delta, "content"))
            self._texts.append(new)
            self._refused = self._refused or bool(_text(of(delta, "refusal")))
            self._add_tools(_list(of(delta, "tool_calls")))
            self._finish = finished(of(choice, "finish_reason")) or self._finish
        self._grow(len(new))
        return "" if forces_tool(self._call) else new

    def _add_tools(self, parts: Iterable[object]) -> None:
        for part in parts:
            index = of(part, "index")
            if not isinstance(index, int) or not 0 <= index < _MOST_TOOL_CALLS:
                continue
            tool = self._tools.setdefault(index, ToolParts())
            tool.id = tool.id or _text(of(part, "id"))
            tool.name = tool.name or _text(of(part, "function", "name"))
            arguments = _text(of(part, "function", "arguments"))
            tool.arguments.append(arguments)
            self._grow(len(arguments))

    def _grow(self, characters: int) -> None:
        self.size += characters
        if self.size > MOST_CHARACTERS:
            raise failure(Kind.BAD_RESPONSE, "the answer is larger than any can be")

    def unfinished(self) -> None:
        """Take it that nobody said why the answer ended, nor all that was counted, whatever a chunk says."""
        self._finish = self.tokens = None

    def answer(self) -> Answer:
        """
        The whole answer, not yet checked.

        Raises:
            ProviderError: the stream ended before the answer did, or it declines.
        """
        text = "".join(self._texts)
        if self._refused and not text:
            raise unusable("the model declined to answer", self.tokens, Kind.CONTENT_FILTER)
        if self._finish is None:
            words = "the answer is empty" if not text and not self._tools else "the answer ended half-way"
            raise unusable(words, self.tokens)
        tools = tuple(
            ToolCall(tool.id, tool.name, "".join(tool.arguments)) for _, tool in sorted(self._tools.items())
        )
        whole = Answer(
            text=text,
            tool_calls=tools,
            tokens=self.tokens,
            finish_reason=self._finish,
            response_model=self._model,
        )
        return with_forced_tool(self._call, whole)


def read_json(body: bytes) -> Mapping[str, Any]:
    """
    The JSON object that an answer is.

    Raises:
        ProviderError: it isn't one; what it costs nobody knows.
    """
    try:
        value = json_value(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise failure(Kind.BAD_RESPONSE)
    return value
