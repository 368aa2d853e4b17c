"""Chat completions, as OpenAI, DeepSeek and the many that speak as they do."""

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

FINISH = {"stop": "stop", "tools": "tool_calls", "length": "length", "filter": "content_filter"}
CREATED = 1_767_225_600
"""Unix seconds; always the same, as all that a fake says."""


def read(body: Json, provider: str) -> Call:
    """
    Read a request to `.../chat/completions`.
    """
    tools = {
        tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in body.get("tools") or ()
    }
    return Call(
        provider=provider,
        model=body["model"],
        stream=bool(body.get("stream")),
        prompt=last_of_the_user(body["messages"]),
        texts=tuple(text for message in body["messages"] for text in texts_in(message)),
        tools=tools,
        forced_tool=_forced(body.get("tool_choice"), list(tools)),
        schema=_schema(body.get("response_format")),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        wants_usage=provider == "deepseek" or bool((body.get("stream_options") or {}).get("include_usage")),
    )


def _forced(choice: Json, names: list[str]) -> str | None:
    if isinstance(choice, dict):
        return str(choice["function"]["name"])
    return names[0] if choice == "required" else None


def _schema(form: Json) -> Json | None:
    match form:
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return schema
        case {"type": "json_object"}:
            return {}
        case _:
            return None


def answer(call: Call, reply: Reply, counts: Counts) -> Json:
    """
    A whole answer.
    """
    message: dict[str, Json] = {"role": "assistant", "content": reply.text or (None if reply.tools else "")}
    if reply.thinking and call.provider == "deepseek":
        message["reasoning_content"] = reply.thinking
    if reply.tools:
        message["tool_calls"] = [
            {
                "id": f"call_{n}",
                "type": "function",
                "function": {"name": t.name, "arguments": compact(t.arguments)},
            }
            for n, t in enumerate(reply.tools)
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH[reply.finish]}
    found = _frame(call, "chat.completion", [choice] if reply.choices else [])
    if reply.usage:
        found["usage"] = usage(call, counts)
    return found


def events(call: Call, reply: Reply, counts: Counts) -> list[Event]:
    """
    The same as a stream.
    """
    said: list[tuple[Json, bool]] = [({"role": "assistant", "content": ""}, False)]
    if call.provider == "deepseek":
        said += [({"content": None, "reasoning_content": word}, False) for word in words(reply.thinking)]
    said += [({"content": word}, True) for word in words(reply.text)]
    for n, tool in enumerate(reply.tools):
        start = {
            "index": n,
            "id": f"call_{n}",
            "type": "function",
            "function": {"name": tool.name, "arguments": ""},
        }
        said.append(({"tool_calls": [start]}, True))
        for part in halves(compact(tool.arguments)):
            said.append(({"tool_calls": [{"index": n, "function": {"arguments": part}}]}, True))
    found = [_event(_chunk(call, delta, None), text) for delta, text in said] if reply.choices else []
    return [*found, *_end(call, reply, counts), Event(b"data: [DONE]\n\n")]


def _end(call: Call, reply: Reply, counts: Counts) -> list[Event]:
    """
    The last chunk, and the usage: in that chunk with DeepSeek, in one more with OpenAI.
    """
    last = _chunk(call, {}, FINISH[reply.finish])
    if not reply.choices:
        last["choices"] = []
    if not (reply.usage and call.wants_usage):
        return [_event(last)]
    if call.provider == "deepseek":
        return [_event({**last, "usage": usage(call, counts)})]
    return [_event(last), _event({**last, "choices": [], "usage": usage(call, counts)})]


def _chunk(call: Call, delta: Json, finish: str | None) -> dict[str, Json]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _frame(call, "chat.completion.chunk", [choice])


def _frame(call: Call, kind: str, choices: list[Json]) -> dict[str, Json]:
    return {
        "id": "chatcmpl-fake",
        "object": kind,
        "created": CREATED,
        "model": call.model,
        "system_fingerprint": "fp_fake",
        "choices": choices,
    }


def _event(value: Json, text: bool = False) -> Event:
    return Event(b"data: " + encoded(value) + b"\n\n", text)


def usage(call: Call, counts: Counts) -> Json:
    found = {
        "prompt_tokens": counts.input,
        "completion_tokens": counts.output,
        "total_tokens": counts.input + counts.output,
        "prompt_tokens_details": {"cached_tokens": counts.cached},
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning},
    }
    if call.provider == "deepseek":
        found["prompt_cache_hit_tokens"] = counts.cached
        found["prompt_cache_miss_tokens"] = counts.input - counts.cached
    return found


def stream_error(call: Call) -> bytes:
    """
    The event with which a stream breaks off.
    """
    return b"data: " + _error(500, "The server had an error while processing your request.").body + b"\n\n"


def problem(fault: str, call: Call) -> Problem:
    """
    An error in OpenAI's form, or in DeepSeek's where that differs.
    """
    if call.provider == "deepseek" and fault in _OF_DEEPSEEK:
        status, kind, code, message = _OF_DEEPSEEK[fault]
    else:
        status, kind, code, message = _ERRORS[fault]
    return _error(status, message.format(model=call.model), kind, code)


def _error(status: int, message: str, kind: str = "server_error", code: str | None = None) -> Problem:
    return Problem(
        status, encoded({"error": {"message": message, "type": kind, "param": None, "code": code}})
    )


_INVALID = "invalid_request_error"
_ERRORS: dict[str, tuple[int, str, str | None, str]] = {
    "rate_limit": (
        429,
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for {model} on requests per min.",
    ),
    "quota": (
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "server_error": (500, "server_error", None, "The server had an error while processing your request."),
    "unavailable": (
        503,
        "server_error",
        None,
        "The server is currently unavailable. Please try again later.",
    ),
    "overloaded": (503, "server_error", None, "The engine is currently overloaded, please try again later."),
    "bad_key": (401, _INVALID, "invalid_api_key", "Incorrect API key provided."),
    "auth": (401, _INVALID, "invalid_api_key", "Incorrect API key provided."),
    "permission": (403, _INVALID, None, "You are not allowed to sample from this model."),
    "not_found": (
        404,
        _INVALID,
        "model_not_found",
        "The model `{model}` does not exist or you cannot use it.",
    ),
    "bad_request": (400, _INVALID, None, "Invalid value for 'messages'."),
    "context_length": (
        400,
        _INVALID,
        "context_length_exceeded",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. "
        "Please reduce the length of the messages.",
    ),
    "content_filter": (
        400,
        _INVALID,
        "content_filter",
        "The response was filtered due to the prompt triggering the content management policy.",
    ),
}
_OF_DEEPSEEK: dict[str, tuple[int, str, str | None, str]] = {
    "quota": (402, "unknown_error", _INVALID, "Insufficient Balance"),
    "bad_key": (401, "authentication_error", _INVALID, "Authentication Fails (no such user)"),
    "auth": (401, "authentication_error", _INVALID, "Authentication Fails (no such user)"),
    "content_filter": (400, _INVALID, _INVALID, "Content Exists Risk"),
}
