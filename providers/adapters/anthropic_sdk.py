"""
Anthropic by its official SDK.

The address is always said, so that no variable of the environment can lead a key elsewhere, and no
redirect is followed, for the same reason.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

import anthropic

from ...schemas.calls import Answer, Call, Piece
from .anthropic_form import Gathering, answer_of, request_of
from .base import NEEDS_NO_KEY, OneTry, needed_key
from .bounds import bound_response
from .checks import checked
from .quiet import silence
from .wire import read_json, settings_of

SERVER: Final = "https://api.anthropic.com"


class AnthropicSdk(OneTry[anthropic.AsyncAnthropic]):
    """
    Speaks Anthropic's protocol, on one event loop; a client for each key and address.

    Args:
        environ: where keys are.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._clients: dict[tuple[str, str], anthropic.AsyncAnthropic] = {}
        silence("anthropic", "httpx2", "httpcore2")

    async def close(self) -> None:
        """Close all connections."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.close()

    async def _complete(self, call: Call, client: anthropic.AsyncAnthropic) -> Answer:
        response = await client.messages.with_raw_response.create(**_request(call))
        return checked(call, answer_of(call, read_json(response.http_response.content)))

    async def _stream(self, call: Call, client: anthropic.AsyncAnthropic) -> AsyncGenerator[Piece, None]:
        gathering = Gathering(call)
        stream = await client.messages.create(**_request(call), stream=True)
        async with stream:
            async for event in stream:
                if text := gathering.add(event):
                    yield Piece(text)
        yield Piece(answer=checked(call, gathering.answer()))

    def _prepared(self, call: Call) -> anthropic.AsyncAnthropic:
        known = (needed_key(call.model, self._environ) or NEEDS_NO_KEY, call.model.server or SERVER)
        if known not in self._clients:
            self._clients[known] = _made_client(*known)
        return self._clients[known]


def _made_client(key: str, server: str) -> anthropic.AsyncAnthropic:
    """A client for a key and an address: it tries once and follows no redirect."""
    http = anthropic.DefaultAsyncHttpxClient(
        follow_redirects=False, event_hooks={"response": [bound_response]}
    )
    return anthropic.AsyncAnthropic(
        api_key=key, base_url=server, max_retries=0, http_client=http, open_telemetry=False
    )


def _request(call: Call) -> dict[str, Any]:
    return {
        "model": call.model.id.partition("/")[2],
        **request_of(call, _native_schema(call)),
        "max_tokens": call.max_output_tokens,
        "extra_body": settings_of(call),
        "timeout": call.timeout_s,
    }


def _native_schema(call: Call) -> dict[str, Any] | None:
    """The schema as the API takes it, for a model with JSON mode: what it doesn't know becomes words."""
    if call.schema is None or "json_mode" not in call.model.capabilities:
        return None
    try:
        return anthropic.transform_schema(dict(call.schema))
    except (TypeError, ValueError, RecursionError):
        return None
