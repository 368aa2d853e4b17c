"""How large a call can be: bounds that hold, since money is set aside by them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..schemas.calls import Message
from ..schemas.policy import Model

OUTPUT_TOKENS = 8192
"""What a model may answer where neither the caller nor the policy says less."""

_EACH = 16
"""Tokens that a message or tool may take on top of its text."""

_TOOLS = 1000
"""What a provider tells its model about the use of tools, on top of the tools themselves."""

_PROVIDERS_OWN = {"claude-code-cli": 2_000}
"""What a provider puts before a prompt on its own: without its tools the command says a few sentences."""


def most_input_tokens(
    model: Model,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] = (),
    schema: Mapping[str, Any] | None = None,
) -> int:
    """
    What a call's input can count at most: a token is never less than a byte of text.

    The provider refuses what is larger than the model's context window.
    """
    most = sum(_EACH + _bytes(message) for message in messages)
    most += sum(_EACH + len(json.dumps(tool)) for tool in tools)
    most += 0 if schema is None else _EACH + len(json.dumps(schema))
    most += _TOOLS if tools or schema is not None else 0
    most += _PROVIDERS_OWN.get(model.provider, _EACH)
    return most if model.context_tokens is None else min(most, model.context_tokens)


def likely_input_tokens(messages: Sequence[Message]) -> int:
    """What a call's input will count, about: four bytes a token. Decisions go by it, money doesn't."""
    return sum(_EACH // 4 + _bytes(message) // 4 for message in messages) + 1


def _bytes(message: Message) -> int:
    calls = sum(len(call.name) + len(call.arguments.encode()) + _EACH for call in message.tool_calls)
    return len(message.text.encode()) + sum(len(json.dumps(part)) for part in message.parts) + calls


def most_output_tokens(model: Model, asked: int | None) -> int:
    """How many tokens an answer may have: what is asked for, never more than the model can give."""
    most = OUTPUT_TOKENS if asked is None else asked
    return most if model.output_tokens is None else min(most, model.output_tokens)


def most_nusd(model: Model, input_tokens: int, output_tokens: int) -> int:
    """The most that a call costs at the model's prices, rounded up."""
    cost = input_tokens * model.price_in_nusd_per_mtok + output_tokens * model.price_out_nusd_per_mtok
    return -(-cost // 10**6)
