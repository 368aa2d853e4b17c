"""
Gemini by Google's official SDK, `google-genai`.

The address, its version and the kind of account are always said, so that no variable of the environment
can lead a key elsewhere. The SDK is given an HTTP client of httpx: with aiohttp, which it takes where it
finds it, it sends a request again by itself after a broken connection, and follows redirects.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Final

import httpx
from google import genai
from google.genai import errors, types

from ...schemas.calls import Answer, Call, Piece
from ...schemas.policy import FailureKind as Kind
from .base import NEEDS_NO_KEY, OneTry, needed_key
from .bounds import bound_response
from .checks import checked
from .classify import failure_said, read_error, unsent
from .gemini_form import Gathering, config, contents
from .quiet import silence

SERVER: Final = "https://generativelanguage.googleapis.com"
_VERSION: Final = "v1beta"
_WITH_VERSION: Final = re.compile(r"(.*?)/(v\d\w{0,10})/?")
_MODEL: Final = re.compile(r"(?!.*\.\.)[\w.:@-]{1,128}", re.ASCII)
_CONNECTIONS: Final = httpx.Limits(max_connections=1_000, max_keepalive_connections=100)


_responses: ContextVar[list[httpx.Response] | None] = ContextVar("responses of a stream", default=None)


class GoogleSdk(OneTry[genai.Client]):
    """
    Speaks Gemini's protocol, on one event loop; a client for each key and address.

    Args:
        environ: where keys are.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._clients: dict[tuple[str, str], tuple[genai.Client, httpx.AsyncClient]] = {}
        silence("google_genai", "google.auth", "httpx", "httpcore")

    async def close(self) -> None:
        """Close all connections."""
        clients, self._clients = self._clients, {}
        for client, http in clients.values():
            client.close()
            await http.aclose()

    async def _complete(self, call: Call, client: genai.Client) -> Answer:
        gathering = Gathering(call)
        gathering.add(await client.aio.models.generate_content(**_request(call)))
        return checked(call, gathering.answer())

    async def _stream(self, call: Call, client: genai.Client) -> AsyncGenerator[Piece, None]:
        gathering = Gathering(call)
        async with _closing_responses():
            chunks = await client.aio.models.generate_content_stream(**_request(call))
            try:
                async for chunk in chunks:
                    if text := gathering.add(chunk):
                        yield Piece(text)
            except errors.APIError as error:
                if not gathering.started:
                    raise
                # Its status stands in a chunk: the answer's was fine, and what came of it may be billed.
                raise failure_said(read_error(None, error.details)) from None
        yield Piece(answer=checked(call, gathering.answer()))

    def _prepared(self, call: Call) -> genai.Client:
        known = (needed_key(call.model, self._environ) or NEEDS_NO_KEY, call.model.server or SERVER)
        if known not in self._clients:
            self._clients[known] = _made_client(*known)
        return self._clients[known][0]


def _made_client(key: str, server: str) -> tuple[genai.Client, httpx.AsyncClient]:
    """A client for a key and an address: it tries once and follows no redirect."""
    http = httpx.AsyncClient(
        follow_redirects=False, limits=_CONNECTIONS, event_hooks={"response": [bound_response, _remember]}
    )
    with_version = _WITH_VERSION.fullmatch(server)
    address, version = with_version.groups() if with_version else (server, _VERSION)
    options = types.HttpOptions(base_url=address, api_version=version, httpx_async_client=http)
    return genai.Client(api_key=key, vertexai=False, http_options=options), http


async def _remember(response: httpx.Response) -> None:
    if (responses := _responses.get()) is not None:
        responses.append(response)


@asynccontextmanager
async def _closing_responses() -> AsyncIterator[None]:
    """
    Close the connection of a stream when it is left early.

    The SDK leaves that to the garbage collector: closing its iterator doesn't close the ones within.
    """
    responses: list[httpx.Response] = []
    _responses.set(responses)
    try:
        yield
    finally:
        for response in responses:
            await response.aclose()


def _request(call: Call) -> dict[str, Any]:
    name = call.model.id.partition("/")[2]
    if not _MODEL.fullmatch(name):
        raise unsent(Kind.NOT_FOUND, "Google has no model of such a name")
    return {"model": name, "contents": contents(call), "config": config(call)}
