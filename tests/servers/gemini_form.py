"""generateContent and streamGenerateContent, as the Gemini API has them."""

from __future__ import annotations

import re

from .forms import Call, Counts, Event, Json, Problem, Reply, encoded, last_of_the_user, texts_in, words

FINISH = {"stop": "STOP", "tools": "STOP", "length": "MAX_TOKENS", "filter": "SAFETY"}
PATH = re.compile(r"/models/([^/:]+):(generateContent|streamGenerateContent)$")


def read(body: Json, path: str, query: str) -> Call:
    """
    Read a request to `.../models/M:generateContent`; clients write its names in either case.
    """
    found = PATH.search(path)
    assert found
    contents = body["contents"]
    settings = _field(body, "generationConfig") or {}
    declared = [one for tool in body.get("tools") or () for one in _field(tool, "functionDeclarations") or ()]
    tools = {
        one["name"]: _field(one, "parametersJsonSchema") or one.get("parameters", {}) for one in declared
    }
    return Call(
        provider="google",
        model=found[1],
        stream=found[2] == "streamGenerateContent",
        prompt=last_of_the_user(contents),
        texts=(
            *texts_in(_field(body, "systemInstruction") or ""),
            *(text for content in contents for text in texts_in(content)),
        ),
        tools=tools,
        forced_tool=_forced(_field(body, "toolConfig") or {}, list(tools)),
        schema=_schema(settings),
        max_tokens=_field(settings, "maxOutputTokens"),
        wants_usage=True,
        as_events="alt=sse" in query,
    )


def _field(mapping: Json, name: str) -> Json:
    snake = re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), name)
    return mapping.get(name, mapping.get(snake))


def _forced(config: Json, names: list[str]) -> str | None:
    calling = _field(config, "functionCallingConfig") or {}
    if str(calling.get("mode")).upper() != "ANY":
        return None
    allowed = _field(calling, "allowedFunctionNames") or names
    return str(allowed[0])


def _schema(settings: Json) -> Json | None:
    schema = _field(settings, "responseJsonSchema") or _field(settings, "responseSchema")
    if schema is None and _field(settings, "responseMimeType") == "application/json":
        return {}
    return schema


def answer(call: Call, reply: Reply, counts: Counts) -> Json:
    """
    A whole answer.
    """
    parts: list[Json] = [{"text": reply.thinking, "thought": True}] if reply.thinking else []
    parts += [{"text": reply.text}] if reply.text or not reply.tools else []
    parts += [{"functionCall": {"name": tool.name, "args": dict(tool.arguments)}} for tool in reply.tools]
    return _frame(call, reply, parts, FINISH[reply.finish], counts)


def events(call: Call, reply: Reply, counts: Counts) -> list[Event]:
    """
    The same as a stream: server-sent events, or one array of JSON where those were not asked for.
    """
    said: list[tuple[Json, bool]] = [
        ({"text": word, "thought": True}, False) for word in words(reply.thinking)
    ]
    said += [({"text": word}, True) for word in words(reply.text)]
    said += [({"functionCall": {"name": t.name, "args": dict(t.arguments)}}, True) for t in reply.tools]
    so_far = Counts(counts.input, 0, counts.cached, counts.written, 0)
    parts = (
        [(_frame(call, reply, [part], None, so_far), text) for part, text in said] if reply.choices else []
    )
    last = _frame(call, reply, [{"text": ""}], FINISH[reply.finish], counts)
    return _framed([*parts, (last, False)], call.as_events)


def _framed(found: list[tuple[Json, bool]], as_events: bool) -> list[Event]:
    if as_events:
        return [Event(b"data: " + encoded(value) + b"\r\n\r\n", text) for value, text in found]
    starts = [b"[", *[b",\r\n"] * (len(found) - 1)]
    array = [Event(start + encoded(value), text) for start, (value, text) in zip(starts, found, strict=True)]
    return [*array, Event(b"]")]


def _frame(call: Call, reply: Reply, parts: list[Json], finish: str | None, counts: Counts) -> Json:
    candidate: dict[str, Json] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    found: dict[str, Json] = {"candidates": [candidate]} if reply.choices else {}
    if reply.usage:
        found["usageMetadata"] = usage(counts)
    return {**found, "modelVersion": call.model, "responseId": "fake"}


def usage(counts: Counts) -> Json:
    found = {
        "promptTokenCount": counts.input,
        "candidatesTokenCount": counts.output - counts.reasoning,
        "totalTokenCount": counts.input + counts.output,
    }
    if counts.cached:
        found["cachedContentTokenCount"] = counts.cached
    if counts.reasoning:
        found["thoughtsTokenCount"] = counts.reasoning
    return found


def stream_error(call: Call) -> bytes:
    """
    The event with which a stream breaks off.
    """
    return b"data: " + problem("overloaded", call).body + b"\r\n\r\n"


def problem(fault: str, call: Call, retry_s: float | None = None) -> Problem:
    """
    An error in Google's form. When to try again stands in the body, not in a header.
    """
    if fault == "content_filter":
        blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "modelVersion": call.model}
        return Problem(
            200, encoded({**blocked, "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1}})
        )
    code, status, message = _ERRORS[fault]
    error = {"code": code, "message": message.format(model=call.model), "status": status}
    return Problem(code, encoded({"error": {**error, "details": _details(fault, retry_s)}}))


def _details(fault: str, retry_s: float | None) -> list[Json]:
    kind = "type.googleapis.com/google.rpc."
    if fault == "bad_key":
        return [{"@type": f"{kind}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]
    if fault == "rate_limit" and retry_s is not None:
        return [{"@type": f"{kind}RetryInfo", "retryDelay": f"{retry_s:g}s"}]
    if fault == "quota":
        violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}
        return [{"@type": f"{kind}QuotaFailure", "violations": [violation]}]
    return []


_ERRORS = {
    "rate_limit": (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    "quota": (
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "server_error": (500, "INTERNAL", "An internal error has occurred. Please retry."),
    "unavailable": (503, "UNAVAILABLE", "The service is currently unavailable."),
    "overloaded": (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "bad_key": (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    "auth": (401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "permission": (403, "PERMISSION_DENIED", "The caller does not have permission"),
    "not_found": (404, "NOT_FOUND", "models/{model} is not found for API version v1beta."),
    "bad_request": (400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    "context_length": (
        400,
        "INVALID_ARGUMENT",
        "The input token count (210000) exceeds the maximum number of tokens allowed (200000).",
    ),
}
