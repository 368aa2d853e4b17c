"""
Calls and answers in Anthropic's form, for the SDK and for what the Claude Code CLI hands on.

Answers are read from JSON values and from a library's objects alike, whatever they hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...schemas.calls import Answer, Call, Message, Tokens, ToolCall
from ...schemas.policy import FailureKind as Kind
from .checks import MOST_CHARACTERS, counted, finished, json_value
from .classify import failure, failure_said, read_error, unusable
from .parts import Data, contents_of, conversation, merged, no_such_part, system_text, texts_of
from .wire import ABOUT_FORCED_TOOL, FORCED_TOOL, ToolParts, forces_tool, json_words, of, with_forced_tool

_MOST_TOOL_CALLS: Final = 1_000
_COUNTS: Final = "input_tokens output_tokens cache_read_input_tokens cache_creation_input_tokens".split()
_HALF_WAY: Final = "the answer ended half-way"


# --- what is asked -----------------------------------------------------------------------------------------


def request_of(call: Call, native_schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """
    What is sent of a call: its messages, tools and form of answer; not its model, limits or settings.

    Args:
        native_schema: the call's JSON Schema as the API itself takes it; None where it can't be.
    """
    tools = [_tool(of(tool, "function")) for tool in call.tools]
    request: dict[str, Any] = {"messages": _messages(call)}
    words = ""
    if forces_tool(call):
        tools.append(_forced_tool(call))
        request["tool_choice"] = {"type": "any"} if call.tools else {"type": "tool", "name": FORCED_TOOL}
    elif native_schema is not None:
        request["output_config"] = {"format": {"type": "json_schema", "schema": dict(native_schema)}}
    elif call.schema is not None or call.json_mode:
        words = json_words(call)
    if system := system_text(call.messages, words):
        request["system"] = system
    if tools:
        request["tools"] = tools
    return request


def _forced_tool(call: Call) -> dict[str, Any]:
    return {"name": FORCED_TOOL, "description": ABOUT_FORCED_TOOL, "input_schema": dict(call.schema or {})}


def _tool(function: object) -> dict[str, Any]:
    said = {"name": of(function, "name"), "description": of(function, "description")}
    schema = of(function, "parameters") or {"type": "object", "properties": {}}
    return {**{name: value for name, value in said.items() if value}, "input_schema": schema}


def _messages(call: Call) -> list[dict[str, Any]]:
    turns = merged(_turn(message) for message in conversation(call.messages))
    return [{"role": role, "content": _plain(blocks)} for role, blocks in turns]


def _plain(blocks: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    alone = len(blocks) == 1 and blocks[0]["type"] == "text"
    return str(blocks[0]["text"]) if alone else blocks


def _turn(message: Message) -> tuple[str, list[dict[str, Any]]]:
    if message.role == "tool":
        said = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": texts_of(message)}
        return "user", [said]
    blocks = list(_blocks(message))
    for tool in message.tool_calls:
        blocks.append({"type": "tool_use", "id": tool.id, "name": tool.name, "input": arguments_of(tool)})
    return "assistant" if message.role == "assistant" else "user", blocks


def _blocks(message: Message) -> Iterator[dict[str, Any]]:
    for part in contents_of(message):
        if isinstance(part, str):
            yield {"type": "text", "text": part}
        elif not isinstance(part, Data):
            yield {"type": "image", "source": {"type": "url", "url": part.url}}
        elif part.mime.startswith("image/") or part.mime == "application/pdf":
            kind = "document" if part.mime == "application/pdf" else "image"
            source = {"type": "base64", "media_type": part.mime, "data": part.base64}
            yield {"type": kind, "source": source}
        else:
            raise no_such_part()


def arguments_of(tool: ToolCall) -> dict[str, Any]:
    """The arguments of a tool call as values; none where they are no JSON object."""
    try:
        value = json_value(tool.arguments)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {}


# --- what is answered --------------------------------------------------------------------------------------


def tokens_of(usage: object) -> Tokens | None:
    """What was counted: Anthropic counts input that was cached by itself."""
    read, written = (of(usage, f"cache_{kind}_input_tokens") or 0 for kind in ("read", "creation"))
    parts = [n for n in (of(usage, "input_tokens"), read, written) if isinstance(n, int) and n >= 0]
    if len(parts) < 3:
        return None
    return counted(sum(parts), of(usage, "output_tokens"), read, written)


def answer_of(call: Call, message: object) -> Answer:
    """
    An answer in Anthropic's form, not yet checked.

    Raises:
        ProviderError: it has no such form, or is an error.
    """
    if error := of(message, "error"):
        raise failure_said(read_error(None, error))
    texts: list[str] = []
    tools: list[ToolCall] = []
    blocks = of(message, "content")
    for block in blocks if isinstance(blocks, list) else ():
        text = of(block, "text")
        if of(block, "type") == "text" and isinstance(text, str):
            texts.append(text)
        elif of(block, "type") == "tool_use":
            tools.append(
                ToolCall(str(of(block, "id")), str(of(block, "name")), json.dumps(of(block, "input")))
            )
    model = of(message, "model")
    whole = Answer(
        text="".join(texts),
        tool_calls=tuple(tools[:_MOST_TOOL_CALLS]),
        tokens=tokens_of(of(message, "usage")),
        finish_reason=finished(of(message, "stop_reason")),
        response_model=model[:200] if isinstance(model, str) else None,
    )
    return with_forced_tool(call, whole)


class Gathering:
    """A streamed answer as it comes, in events of Anthropic's form."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._texts: list[str] = []
        self._tools: dict[int, ToolParts] = {}
        self._size = 0
        self._model: str | None = None
        self._usage: dict[str, Any] = {}
        self.finish: str | None = None
        self.started = False

    def add(self, event: object) -> str:
        """
        Take an event.

        Returns:
            The text in it that whoever waits may have: none while a tool's arguments are the answer.

        Raises:
            ProviderError: it is an error, or the answer is larger than any can be.
        """
        kind = of(event, "type")
        if kind == "message_start":
            model = of(event, "message", "model")
            self._model = model[:200] if isinstance(model, str) else None
            self.started = True
            self._count(of(event, "message", "usage"))
        elif kind == "message_delta":
            self._count(of(event, "usage"))
            self.finish = finished(of(event, "delta", "stop_reason")) or self.finish
        elif kind == "content_block_start":
            self._start_tool(event)
        elif kind == "content_block_delta":
            return self._add_delta(event)
        elif kind == "error":
            raise failure_said(read_error(None, of(event, "error")))
        return ""

    def _count(self, usage: object) -> None:
        """The last count of each kind is the whole one."""
        for name in (
            "input_tokens",
            "output_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
        ):
            if (number := of(usage, name)) is not None:
                self._usage[name] = number

    def _start_tool(self, event: object) -> None:
        block, index = of(event, "content_block"), of(event, "index")
        if of(block, "type") == "tool_use" and isinstance(index, int) and len(self._tools) < _MOST_TOOL_CALLS:
            self._tools[index] = ToolParts(str(of(block, "id")), str(of(block, "name")))

    def _add_delta(self, event: object) -> str:
        text, part = of(event, "delta", "text"), of(event, "delta", "partial_json")
        tool = self._tools.get(of(event, "index"))
        if isinstance(part, str) and tool is not None:
            tool.arguments.append(part)
            self._grow(len(part))
        if of(event, "delta", "type") != "text_delta" or not isinstance(text, str):
            return ""
        self._texts.append(text)
        self._grow(len(text))
        return "" if forces_tool(self._call) else text

    def _grow(self, characters: int) -> None:
        self._size += characters
        if self._size > MOST_CHARACTERS:
            raise failure(Kind.BAD_RESPONSE, "the answer is larger than any can be")

    @property
    def tokens(self) -> Tokens | None:
        """What was counted so far."""
        return tokens_of(self._usage)

    def answer(self) -> Answer:
        """
        The whole answer, not yet checked.

        Raises:
            ProviderError: the stream ended before the answer did.
        """
        text = "".join(self._texts)
        if self.finish is None:
            # The count of a beginning is no count of the whole.
            raise unusable("the answer is empty" if not text and not self._tools else _HALF_WAY)
        tools = [
            ToolCall(tool.id, tool.name, "".join(tool.arguments)) for _, tool in sorted(self._tools.items())
        ]
        whole = Answer(
            text=text,
            tool_calls=tuple(tools),
            tokens=self.tokens,
            finish_reason=self.finish,
            response_model=self._model,
        )
        return with_forced_tool(self._call, whole)
