"""Messages, as Anthropic has them."""

from __future__ import annotations

from .forms import (
    Call,
    Counts,
    Event,
    Json,
    Problem,
    Reply,
    compact,
    encoded,
    halves,
    last_of_the_user,
    texts_in,
    words,
)

FINISH = {"stop": "end_turn", "tools": "tool_use", "length": "max_tokens", "filter": "refusal"}


def read(body: Json) -> Call:
    """
    Read a request to `/v1/messages`.
    """
    tools = {tool["name"]: tool.get("input_schema", {}) for tool in body.get("tools") or ()}
    return Call(
        provider="anthropic",
        model=body["model"],
        stream=bool(body.get("stream")),
        prompt=last_of_the_user(body["messages"]),
        texts=(
            *texts_in(body.get("system", "")),
            *(text for message in body["messages"] for text in texts_in(message)),
        ),
        tools=tools,
        forced_tool=_forced(body.get("tool_choice"), list(tools)),
        schema=_schema(body),
        max_tokens=body["max_tokens"],
        wants_usage=True,
    )


def _forced(choice: Json, names: list[str]) -> str | None:
    match choice:
        case {"type": "tool", "name": str(name)}:
            return name
        case {"type": "any"}:
            return names[0]
        case _:
            return None


def _schema(body: Json) -> Json | None:
    form = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    return form.get("schema")


def answer(call: Call, reply: Reply, counts: Counts) -> Json:
    """
    A whole answer.
    """
    blocks: list[Json] = []
    if reply.thinking:
        blocks.append({"type": "thinking", "thinking": reply.thinking, "signature": "ZmFrZQ=="})
    if reply.text or not reply.tools:
        blocks.append({"type": "text", "text": reply.text})
    blocks += [
        {"type": "tool_use", "id": f"toolu_{n}", "name": tool.name, "input": dict(tool.arguments)}
        for n, tool in enumerate(reply.tools)
    ]
    return _message(call, reply, blocks if reply.choices else [], FINISH[reply.finish], usage(counts))


def events(call: Call, reply: Reply, counts: Counts) -> list[Event]:
    """
    The same as a stream.
    """
    start = _message(call, reply, [], None, {**usage(counts), "output_tokens": 1})
    end: dict[str, Json] = {"delta": {"stop_reason": FINISH[reply.finish], "stop_sequence": None}}
    if reply.usage:
        end["usage"] = {"output_tokens": counts.output}
    return [
        _event("message_start", message=start),
        _event("ping"),
        *(_blocks(reply) if reply.choices else ()),
        _event("message_delta", **end),
        _event("message_stop"),
    ]


def _blocks(reply: Reply) -> list[Event]:
    found: list[Event] = []
    if reply.thinking:
        parts = [{"type": "thinking_delta", "thinking": word} for word in words(reply.thinking)]
        found += _block(0, {"type": "thinking", "thinking": "", "signature": ""}, parts, text=False)
    if reply.text or not reply.tools:
        parts = [{"type": "text_delta", "text": word} for word in words(reply.text)]
        found += _block(int(bool(reply.thinking)), {"type": "text", "text": ""}, parts)
    for n, tool in enumerate(reply.tools):
        start = {"type": "tool_use", "id": f"toolu_{n}", "name": tool.name, "input": {}}
        parts = [
            {"type": "input_json_delta", "partial_json": part} for part in halves(compact(tool.arguments))
        ]
        found += _block(n + bool(reply.thinking) + bool(reply.text), start, parts)
    return found


def _block(index: int, start: Json, parts: list[Json], text: bool = True) -> list[Event]:
    deltas = [_event("content_block_delta", text, index=index, delta=part) for part in parts]
    return [
        _event("content_block_start", index=index, content_block=start),
        *deltas,
        _event("content_block_stop", index=index),
    ]


def _message(call: Call, reply: Reply, blocks: list[Json], finish: str | None, counted: Json) -> Json:
    found = {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": blocks,
        "stop_reason": finish,
        "stop_sequence": None,
    }
    return {**found, "usage": counted} if reply.usage else found


def _event(name: str, text: bool = False, **fields: Json) -> Event:
    return Event(f"event: {name}\ndata: {compact({'type': name, **fields})}\n\n".encode(), text)


def usage(counts: Counts) -> dict[str, Json]:
    return {
        "input_tokens": counts.input - counts.cached - counts.written,
        "cache_creation_input_tokens": counts.written,
        "cache_read_input_tokens": counts.cached,
        "output_tokens": counts.output,
        "service_tier": "standard",
    }


def stream_error(call: Call) -> bytes:
    """
    The event with which a stream breaks off.
    """
    return b"event: error\ndata: " + problem("overloaded", call).body + b"\n\n"


def problem(fault: str, call: Call) -> Problem:
    """
    An error in Anthropic's form.
    """
    status, kind, message = _ERRORS[fault]
    error = {"type": kind, "message": message.format(model=call.model)}
    return Problem(status, encoded({"type": "error", "error": error, "request_id": "req_fake"}))


_INVALID = "invalid_request_error"
_ERRORS = {
    "rate_limit": (429, "rate_limit_error", "This request would exceed your organization's rate limit."),
    "quota": (400, _INVALID, "Your credit balance is too low to access the Anthropic API."),
    "server_error": (500, "api_error", "Internal server error"),
    "unavailable": (503, "api_error", "Service unavailable"),
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "bad_key": (401, "authentication_error", "invalid x-api-key"),
    "auth": (401, "authentication_error", "invalid x-api-key"),
    "permission": (403, "permission_error", "Your API key does not have permission to use this model."),
    "not_found": (404, "not_found_error", "model: {model}"),
    "bad_request": (400, _INVALID, "messages.0.role: Input should be 'user' or 'assistant'"),
    "context_length": (400, _INVALID, "prompt is too long: 210000 tokens > 200000 maximum"),
    "content_filter": (400, _INVALID, "Output blocked by content filtering policy"),
}
