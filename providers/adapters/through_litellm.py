"""
Every other provider, through LiteLLM: the one file that imports it.

It is used for a single thing, one call of one model. Its retries, its debug output and its callbacks are
off for that call, and it fetches no price map. Its exception classes and statuses are partly made up (a
broken line is a 500, an unreadable answer a 422), so what its HTTP libraries said below them decides.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from ...schemas.calls import Answer, Call, Piece
from ...schemas.errors import Billed, ProviderError
from ...schemas.policy import FailureKind as Kind
from ...schemas.policy import Model
from .base import NEEDS_NO_KEY, OneTry, needed_key
from .bounds import bound_response
from .checks import checked
from .classify import (
    Said,
    answered,
    causes,
    failure,
    failure_along,
    failure_said,
    kind_of,
    read_error,
    unsent,
)
from .openai_sdk import made_client
from .quiet import silence
from .wire import Gathering, answer_of, request_of, settings_of

# Else the import fetches a price map, and reads every .env file on the way up into the environment.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LITELLM_MODE"] = "PRODUCTION"
import litellm
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

# Said with every call, so that no variable of the environment can lead a key elsewhere.
_SERVERS: Final[Mapping[str, str]] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "gemini": "https://generativelanguage.googleapis.com/v1beta",
    "deepseek": "https://api.deepseek.com",
}
_WITH_HANDLER: Final = frozenset({"anthropic", "gemini", "deepseek"})
"""These take a connection of ours, which follows no redirect, beside `openai`, which takes a client."""
_GEMINI: Final = frozenset({"gemini", "vertex_ai", "vertex_ai_beta"})

_CLOSING_S: Final = 0.5


class ThroughLiteLlm(OneTry[Mapping[str, Any]]):
    """
    Speaks to any provider that LiteLLM knows, on one event loop.

    Args:
        environ: where keys are.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._handler: Any = None
        self._clients: dict[tuple[str, str], Any] = {}
        litellm.suppress_debug_info = True
        silence("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "openai", "httpx2", "httpcore2")

    @staticmethod
    def _classify(error: BaseException) -> ProviderError:
        return failure_of(error)

    async def close(self) -> None:
        """Close the connections that are ours, and end the task that LiteLLM keeps on this loop."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.close()
        handler, self._handler = self._handler, None
        if handler is not None:
            await handler.close()
        if getattr(GLOBAL_LOGGING_WORKER, "_bound_loop", None) is asyncio.get_running_loop():
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING_S):
                    await GLOBAL_LOGGING_WORKER.flush()
                    await GLOBAL_LOGGING_WORKER.stop()

    async def _complete(self, call: Call, request: Mapping[str, Any]) -> Answer:
        response = await litellm.acompletion(**request)
        return checked(call, answer_of(call, response))

    async def _stream(self, call: Call, request: Mapping[str, Any]) -> AsyncGenerator[Piece, None]:
        gathering = Gathering(call)
        chunks = await litellm.acompletion(**request, stream=True, stream_options={"include_usage": True})
        try:
            async for chunk in chunks:
                if text := gathering.add(chunk):
                    yield Piece(text)
        finally:
            await chunks.aclose()
        if not _was_finished(chunks, gathering):
            gathering.unfinished()
        answer = gathering.answer()
        if answer.tokens is not None and not _was_counted(chunks):
            answer = replace(answer, tokens=replace(answer.tokens, estimated=True))
        yield Piece(answer=checked(call, answer))

    def _prepared(self, call: Call) -> Mapping[str, Any]:
        name = litellm_name(call.model)
        provider = _provider(name, call.model.server)
        server = call.model.server or _SERVERS.get(provider)
        key = self._key(call.model)
        at_openai = provider == "openai" and call.model.server is None
        limit = "max_completion_tokens" if at_openai else "max_tokens"
        return {
            **settings_of(call),
            "allowed_openai_params": [*call.settings],  # the policy knows its models better
            **request_of(call, json_schema=provider != "deepseek"),
            limit: call.max_output_tokens,
            # With its provider in front of it, LiteLLM needn't look for that again.
            "model": name if "/" in name else f"{provider}/{name}",
            "api_key": key,
            "api_base": server,
            "client": self._connection(provider, key, server),
            "timeout": call.timeout_s,
            "num_retries": 0,
            "max_retries": 0,
            "no-log": True,
        }

    def _key(self, model: Model) -> str | None:
        key = needed_key(model, self._environ)
        # A server of one's own must not get the key of the environment that LiteLLM would look for.
        return NEEDS_NO_KEY if key is None and model.server is not None else key

    def _connection(self, provider: str, key: str | None, server: str | None) -> Any:
        if provider == "openai" and key is not None and server is not None:
            if (key, server) not in self._clients:
                self._clients[key, server] = made_client(key, server)
            return self._clients[key, server]
        if provider not in _WITH_HANDLER:
            return None
        if self._handler is None:
            hooks = {"response": [bound_response]}
            self._handler = AsyncHTTPHandler(follow_redirects=False, event_hooks=hooks)
        return self._handler


def litellm_name(model: Model) -> str:
    """What LiteLLM calls a model."""
    name = model.id.partition("/")[2]
    if model.provider == "litellm":
        return name
    return f"gemini/{name}" if model.provider == "google" else model.id


@lru_cache(1024)  # it compares each name with a hundred addresses
def _provider(name: str, server: str | None) -> str:
    """
    Who LiteLLM thinks serves a model.

    Raises:
        ProviderError: it knows nobody who does.
    """
    try:
        return str(litellm.get_llm_provider(model=name, api_base=server)[1])
    except Exception:
        failed = unsent(Kind.NOT_FOUND, "LiteLLM knows no provider of this model")
    raise failed


def _was_finished(chunks: Any, gathering: Gathering) -> bool:
    """
    Whether the provider said why its stream ended: where it didn't, LiteLLM says `stop` all the same.

    Of Gemini's streams it always says so; there a text of no tokens tells that the end is missing.
    """
    tokens = gathering.tokens
    if getattr(chunks, "custom_llm_provider", "") in _GEMINI and tokens is not None and _was_counted(chunks):
        return tokens.output_tokens > 0 or not gathering.size
    names = ("received_finish_reason", "intermittent_finish_reason", "received_any_finish_reason")
    known = [getattr(chunks, name) for name in names if hasattr(chunks, name)]
    return not known or any(known)


def _was_counted(chunks: Any) -> bool:
    """Whether the provider counted a stream's tokens: where it didn't, LiteLLM estimates, and doesn't say."""
    seen = getattr(chunks, "chunks", None)
    return isinstance(seen, list) and any(getattr(chunk, "usage", None) is not None for chunk in seen)


# --- what went wrong -----------------------------------------------------------------------------------


def failure_of(error: BaseException) -> ProviderError:
    """What an exception of LiteLLM means, by what lies below it: see the top of this file."""
    line = list(causes(error))
    ours = [each for each in line if type(each).__module__.partition(".")[0] == "litellm"]
    below = [each for each in line if each not in ours]
    said = _said(ours)
    known = failure_along(below)
    if known is not None:
        answer = next((found for each in below if (found := answered(each)) is not None), None)
        return known if known.status is None or answer is None else failure_said(_both(answer, said))
    if said.status is None or below:
        return failure(Kind.BAD_RESPONSE, billed=Billed.UNKNOWN)
    # LiteLLM says no itself, before it asks anybody; or an error came in the middle of a stream.
    refused = 400 <= said.status < 500 and said.status not in {408, 422} and len(ours) == 1
    return failure(kind_of(said), status=said.status, billed=Billed.NO if refused else Billed.UNKNOWN)


def _said(ours: list[BaseException]) -> Said:
    """The statuses and texts of LiteLLM's own exceptions; the innermost is the least made up."""
    inwards = list(reversed(ours))
    statuses = (getattr(each, "status_code", None) for each in inwards)
    texts = " ".join(str(getattr(each, "message", "")) for each in inwards)
    return read_error(next((status for status in statuses if isinstance(status, int)), None), texts)


def _both(answer: Said, kept: Said) -> Said:
    """A provider's answer, with what LiteLLM alone kept of its body: its codes, and how long to wait."""
    wait_s = answer.retry_after_s if answer.retry_after_s is not None else kept.retry_after_s
    codes = (*answer.codes, *kept.codes)
    return Said(answer.status, codes, f"{answer.text} {kept.text}", wait_s)
