"""The words that the three protocols share: what was asked, what is answered, what it counts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Json: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Call:
    """
    One request, read from any of the protocols.

    `provider` is "openai", "deepseek", "anthropic" or "google". `texts` are all texts of the conversation,
    the system's included; `prompt` is the last of the user. `forced_tool` is the tool that must be called, if
    any. `schema` is the JSON Schema that the answer must meet, {} for "any JSON", None for free text.
    """

    provider: str
    model: str
    stream: bool
    prompt: str
    texts: tuple[str, ...]
    tools: Mapping[str, Json]
    forced_tool: str | None
    schema: Json | None
    max_tokens: int | None
    wants_usage: bool
    as_events: bool = True


@dataclass(frozen=True, slots=True)
class ToolCall:
    """
    A call of a tool that the model makes.
    """

    name: str
    arguments: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What a model says.

    `finish` is "stop", "tools", "length" or "filter". Tokens that are None are counted by `counts_of`. Cached
    and written tokens are parts of `input_tokens`; reasoning tokens come on top of what the text counts.
    `choices` False leaves off the choice (candidate, content), `usage` False leaves off the usage.
    """

    text: str = ""
    tools: tuple[ToolCall, ...] = ()
    thinking: str = ""
    finish: str = "stop"
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    choices: bool = True
    usage: bool = True


@dataclass(frozen=True, slots=True)
class Counts:
    """
    The tokens of an answer. `input` holds cached and written ones, `output` holds those of reasoning.
    """

    input: int
    output: int
    cached: int
    written: int
    reasoning: int


@dataclass(frozen=True, slots=True)
class Event:
    """
    One event of a stream. `text` says that a part of the answer is in it.
    """

    data: bytes
    text: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """
    An answer that is an error, in the form of its provider.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "application/json"


class Form(Protocol):
    """
    What the module of a protocol can do.
    """

    def answer(self, call: Call, reply: Reply, counts: Counts) -> Json: ...

    def events(self, call: Call, reply: Reply, counts: Counts) -> list[Event]: ...

    def stream_error(self, call: Call) -> bytes: ...

    def problem(self, fault: str, call: Call) -> Problem: ...


def tokens_of(text: str) -> int:
    """
    Four characters are a token, and there is always one.
    """
    return max(1, -(-len(text) // 4))


def counts_of(call: Call, reply: Reply) -> Counts:
    """
    Count the texts of the conversation and what is said, tool calls as their arguments in compact JSON.
    """
    said = reply.text + "".join(compact(tool.arguments) for tool in reply.tools)
    read = tokens_of("".join(call.texts)) if reply.input_tokens is None else reply.input_tokens
    written = tokens_of(said) + reply.reasoning_tokens if reply.output_tokens is None else reply.output_tokens
    return Counts(read, written, reply.cached_tokens, reply.cache_write_tokens, reply.reasoning_tokens)


def compact(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def encoded(value: Json) -> bytes:
    return compact(value).encode()


def words(text: str) -> list[str]:
    """
    The pieces in which a text is streamed: its words, each with the space behind it.
    """
    return re.findall(r"\S+\s*|\s+", text)


def halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def texts_in(content: Json) -> Iterator[str]:
    """
    Yield the texts of a message: a string, or parts with a text or with parts of their own.
    """
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from texts_in(part)
    elif isinstance(content, dict):
        yield from texts_in(content.get("text", content.get("content", content.get("parts"))))


def last_of_the_user(messages: list[Json]) -> str:
    said = ["".join(texts_in(message)) for message in messages if message.get("role", "user") == "user"]
    return said[-1] if said else ""


def example_of(schema: Json, root: Json | None = None) -> Json:
    """
    Return the plainest value that meets a schema of the kind that people ask models for.
    """
    root = schema if root is None else root
    if "$ref" in schema:
        return example_of(_target(schema["$ref"], root), root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return example_of(schema[key][0], root)
    kinds = schema.get("type", "object")
    kind = (kinds if isinstance(kinds, str) else kinds[0]).lower()
    if kind == "object":
        fields = schema.get("properties", {})
        return {
            name: example_of(fields[name], root) for name in schema.get("required", fields) if name in fields
        }
    if kind == "array":
        return [example_of(schema.get("items", {}), root)] * schema.get("minItems", 1)
    simple = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}
    return schema.get("minimum", simple[kind])


def _target(reference: str, root: Json) -> Json:
    found = root
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found
