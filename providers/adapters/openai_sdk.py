"""
OpenAI, DeepSeek and every server that speaks OpenAI's protocol, by OpenAI's official SDK.

The address is always said, so that no variable of the environment can lead a key elsewhere, and no
redirect is followed, for the same reason.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

import openai

from ...schemas.calls import Answer, Call, Piece
from .base import NEEDS_NO_KEY, OneTry, needed_key
from .bounds import bound_response
from .checks import checked
from .quiet import silence
from .wire import Gathering, answer_of, read_json, request_of, settings_of

SERVERS: Final[Mapping[str, str]] = {
    "openai": "https://api.openai.com/v1",
    "deepseek": "https://api.deepseek.com",
}
_CONNECTIONS: Final = 1_000


class OpenAiSdk(OneTry[openai.AsyncOpenAI]):
    """
    Speaks OpenAI's protocol, on one event loop; a client for each key and address.

    Args:
        environ: where keys are.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._clients: dict[tuple[str, str], openai.AsyncOpenAI] = {}
        silence("openai", "httpx2", "httpcore2")

    async def close(self) -> None:
        """Close all connections."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.close()

    async def _complete(self, call: Call, client: openai.AsyncOpenAI) -> Answer:
        create = client.chat.completions.with_raw_response.create
        response = await create(**_request(call), timeout=call.timeout_s)
        return checked(call, answer_of(call, read_json(response.http_response.content)))

    async def _stream(self, call: Call, client: openai.AsyncOpenAI) -> AsyncGenerator[Piece, None]:
        gathering = Gathering(call)
        stream = await client.chat.completions.create(
            **_request(call), stream=True, stream_options={"include_usage": True}, timeout=call.timeout_s
        )
        async with stream:
            async for chunk in stream:
                if text := gathering.add(chunk):
                    yield Piece(text)
        yield Piece(answer=checked(call, gathering.answer()))

    def _prepared(self, call: Call) -> openai.AsyncOpenAI:
        model = call.model
        server = model.server or SERVERS[model.provider]
        known = (needed_key(model, self._environ) or NEEDS_NO_KEY, server)
        if known not in self._clients:
            self._clients[known] = made_client(*known)
        return self._clients[known]


def made_client(key: str, server: str) -> openai.AsyncOpenAI:
    """A client for a key and an address: it tries once and follows no redirect."""
    http = openai.DefaultAsyncHttpxClient(
        follow_redirects=False,
        event_hooks={"response": [bound_response]},
        limits=openai.DEFAULT_CONNECTION_LIMITS,
    )
    client = openai.AsyncOpenAI(api_key=key, base_url=server, max_retries=0, http_client=http)
    if server != SERVERS["openai"]:
        client.organization = client.project = None  # nobody else's business
    return client


def _request(call: Call) -> dict[str, Any]:
    model = call.model
    at_openai = model.provider == "openai" and model.server is None
    # OpenAI's newer models refuse the one name, everybody else's servers may not know the other.
    limit = "max_completion_tokens" if at_openai else "max_tokens"
    return {
        "model": model.id.partition("/")[2],
        **request_of(call, json_schema=model.provider != "deepseek"),
        limit: call.max_output_tokens,
        "extra_body": settings_of(call),
    }
