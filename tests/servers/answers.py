"""What a fake model says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from .forms import Call, Reply, ToolCall, example_of, tokens_of

Say: TypeAlias = str | Reply | Callable[[Call], str | Reply]


def said(call: Call, say: Say) -> Reply:
    """
    The reply to one call, no longer than it allows.
    """
    found = say(call) if callable(say) else say
    return _bounded(call, Reply(text=found) if isinstance(found, str) else found)


def echo(call: Call) -> Reply:
    """
    Say what was said, call the tool that must be called, or meet the schema.
    """
    if call.forced_tool is not None:
        arguments = example_of(call.tools.get(call.forced_tool) or {})
        return Reply(tools=(ToolCall(call.forced_tool, arguments),), finish="tools")
    text = f"echo: {call.prompt}"
    if call.schema is not None:
        text = json.dumps(example_of(call.schema) if call.schema else {"echo": call.prompt})
    return Reply(text=text)


def _bounded(call: Call, reply: Reply) -> Reply:
    """
    Say no more than `max_tokens` allows.
    """
    if reply.tools and reply.finish == "stop":
        reply = replace(reply, finish="tools")
    if call.max_tokens is None or tokens_of(reply.text) <= call.max_tokens:
        return reply
    return replace(reply, text=reply.text[: 4 * call.max_tokens], finish="length")
