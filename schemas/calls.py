"""
One call of a model: what is sent, what comes back, and how it can fail.

An adapter turns a Call into an Answer or raises ProviderError; it tries once, never retries, and
knows nothing of chains, budgets or other models. Everything an adapter says has been made safe:
no key, no prompt and no provider's text is in an error. What is asked and answered isn't in the `repr` of
these values either, so no log and no traceback can show it by accident.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import field
from typing import Any, Protocol

from .policy import Model
from .records import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; `parts` are content parts in OpenAI's form where it isn't just text."""

    role: str
    text: str = field(default="", repr=False)
    parts: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants run; `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    What one model is asked.

    `max_output_tokens` is sent on the wire, since the hold relies on it; `most_nusd` is that hold, for
    providers that can be given an amount. `timeout_s` is the time this attempt may take, whole, however
    its answer drips. `tools` are in OpenAI's form, `schema` is a JSON
    Schema that the answer must follow, `json_mode` asks for any JSON.
    """

    model: Model
    messages: tuple[Message, ...]
    max_output_tokens: int
    timeout_s: float
    settings: Mapping[str, float]
    most_nusd: int | None = None
    tools: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    json_mode: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """
    What a provider says it counted. `input_tokens` counts all input, cached tokens too.

    `estimated` marks figures that are nobody's count. `cost_nusd` is what the provider says it bills.
    """

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    estimated: bool = False
    cost_nusd: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model answered; `tokens` None where the provider didn't say what it counted."""

    text: str = field(repr=False)
    tool_calls: tuple[ToolCall, ...] = ()
    tokens: Tokens | None = None
    finish_reason: str | None = None
    response_model: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a streamed answer: text as it comes, and with the last one the whole answer."""

    text: str = field(default="", repr=False)
    answer: Answer | None = None


class Adapter(Protocol):
    """
    Speaks to one kind of provider. Asynchronous, so that a call can be cancelled at its deadline; the
    executor's synchronous face runs it on a loop of its own.
    """

    async def complete(self, call: Call) -> Answer:
        """
        Ask once, and wait for the whole answer.

        Raises:
            ProviderError: whatever went wrong; an empty or cut-off answer too.
        """

    def stream(self, call: Call) -> AsyncIterator[Piece]:
        """
        Ask once, and hand over the answer as it comes; the last piece holds the whole answer.

        Whoever stops early closes the iterator, which closes the connection.

        Raises:
            ProviderError: as for `complete`, before the first piece or between two.
        """

    async def close(self) -> None:
        """Let go of connections and children."""


class Adapters(Protocol):
    """Who speaks to which model."""

    def for_model(self, model: Model) -> Adapter:
        """
        The adapter of a model.

        Raises:
            PolicyctlError: a package that it needs isn't installed.
        """

    async def close(self) -> None:
        """Let go of all of them."""
