"""The real libraries, each called in its own way against the fake providers, with the same result."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .forms import Json

KEY = "sk-not-for-others"
MODELS = {
    "openai": "gpt-6-luna",
    "deepseek": "deepseek-v4-pro",
    "anthropic": "claude-haiku-5-5",
    "google": "gemini-3.8-flash",
}
WEATHER: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
ANSWER: Json = {**WEATHER, "additionalProperties": False}


@dataclass(slots=True)
class Got:
    """
    What a library made of an answer: tokens as it tells them, tool calls by name.
    """

    text: str = ""
    tools: dict[str, Json] = field(default_factory=dict)
    finish: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    pieces: int = 0


Ask: TypeAlias = Callable[..., Got]
"""
Ask a model: ask(base, text, stream=, tool=, schema=). With `tool` the tool `weather` must be called, with
`schema` the answer must meet ANSWER.
"""


def litellm() -> Any:
    """
    LiteLLM, silent and without a look at the network.
    """
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.suppress_debug_info = True
    return litellm


def close_litellm() -> None:
    """
    Close the connections that LiteLLM keeps for later calls.
    """
    if "litellm" not in sys.modules:
        return

    async def close() -> None:
        for client in litellm().in_memory_llm_clients_cache.cache_dict.values():
            with suppress(RuntimeError):  # the event loop of an asynchronous one is gone
                closed = client.close()
                if inspect.isawaitable(closed):
                    await closed

    asyncio.run(close())


def litellm_words(provider: str, base: str, text: str, **more: Any) -> dict[str, Any]:
    """
    The arguments of a call of LiteLLM that retries nothing.
    """
    prefix = "gemini" if provider == "google" else provider
    return {
        "model": f"{prefix}/{MODELS[provider]}",
        "api_base": base,
        "api_key": KEY,
        "messages": [{"role": "user", "content": text}],
        "num_retries": 0,
        "max_retries": 0,
        **more,
    }


@asynccontextmanager
async def that_follows_nowhere(provider: str, base: str) -> AsyncIterator[Any]:
    """
    A client for `litellm.acompletion(client=…)` that follows no redirect.
    """
    litellm()
    from httpx import AsyncClient
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler
    from openai import AsyncOpenAI

    if provider == "openai":
        http = AsyncClient(follow_redirects=False)
        async with AsyncOpenAI(api_key=KEY, base_url=base, max_retries=0, http_client=http) as client:
            yield client
    else:
        handler = AsyncHTTPHandler(follow_redirects=False)
        try:
            yield handler
        finally:
            await handler.close()


def _openai_words(stream: bool, tool: bool, schema: bool) -> dict[str, Any]:
    words: dict[str, Any] = {"stream": stream}
    if stream:
        words["stream_options"] = {"include_usage": True}
    if tool:
        words["tools"] = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]
        words["tool_choice"] = {"type": "function", "function": {"name": "weather"}}
    if schema:
        form = {"name": "answer", "schema": ANSWER, "strict": True}
        words["response_format"] = {"type": "json_schema", "json_schema": form}
    return words


def by_litellm(provider: str) -> Ask:
    def ask(base: str, text: str, stream: bool = False, tool: bool = False, schema: bool = False) -> Got:
        words = litellm_words(provider, base, text, **_openai_words(stream, tool, schema))
        found = litellm().completion(**words)
        return _of_chunks(found) if stream else _of_completion(found)

    return ask


def by_openai(provider: str) -> Ask:
    def ask(base: str, text: str, stream: bool = False, tool: bool = False, schema: bool = False) -> Got:
        from openai import OpenAI

        with OpenAI(api_key=KEY, base_url=base, max_retries=0) as client:
            found = client.chat.completions.create(
                model=MODELS[provider],
                messages=[{"role": "user", "content": text}],
                **_openai_words(stream, tool, schema),
            )
            return _of_chunks(found) if stream else _of_completion(found)

    return ask


def _of_completion(found: Any) -> Got:
    (choice,) = found.choices
    calls = choice.message.tool_calls or ()
    return Got(
        choice.message.content or "",
        {call.function.name: json.loads(call.function.arguments) for call in calls},
        choice.finish_reason,
        found.usage.prompt_tokens,
        found.usage.completion_tokens,
        1,
    )


def _of_chunks(chunks: Iterable[Any]) -> Got:
    got = Got()
    names: dict[int, str] = {}
    arguments: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            got.text += choice.delta.content or ""
            got.pieces += bool(choice.delta.content)
            got.finish = choice.finish_reason or got.finish
            for call in choice.delta.tool_calls or ():
                names.setdefault(call.index, call.function.name)
                arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
        if getattr(chunk, "usage", None):
            got.input_tokens, got.output_tokens = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
    got.tools = {names[index]: json.loads(text) for index, text in arguments.items()}
    return got


def by_anthropic(base: str, text: str, stream: bool = False, tool: bool = False, schema: bool = False) -> Got:
    from anthropic import Anthropic

    words: dict[str, Any] = {
        "model": MODELS["anthropic"],
        "max_tokens": 100,
        "messages": [{"role": "user", "content": text}],
    }
    if tool:
        words["tools"] = [{"name": "weather", "input_schema": WEATHER}]
        words["tool_choice"] = {"type": "tool", "name": "weather"}
    if schema:
        words["output_config"] = {"format": {"type": "json_schema", "schema": ANSWER}}
    pieces = 0
    with Anthropic(api_key=KEY, base_url=base, max_retries=0) as client:
        if stream:
            with client.messages.stream(**words) as events:
                pieces = sum(1 for event in events if event.type == "text")
                found = events.get_final_message()
        else:
            found = client.messages.create(**words)
    return Got(
        "".join(block.text for block in found.content if block.type == "text"),
        {block.name: block.input for block in found.content if block.type == "tool_use"},
        found.stop_reason,
        found.usage.input_tokens,
        found.usage.output_tokens,
        pieces or 1,
    )


def by_google(base: str, text: str, stream: bool = False, tool: bool = False, schema: bool = False) -> Got:
    from google import genai
    from google.genai import types

    config: dict[str, Any] = {}
    if tool:
        declared = types.FunctionDeclaration(name="weather", parameters_json_schema=WEATHER)
        config["tools"] = [types.Tool(function_declarations=[declared])]
        config["tool_config"] = {"function_calling_config": {"mode": "ANY"}}
    if schema:
        config |= {"response_mime_type": "application/json", "response_json_schema": WEATHER}
    with genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=base)) as client:
        words: Mapping[str, Any] = {"model": MODELS["google"], "contents": text, "config": config}
        if not stream:
            return _of_google([client.models.generate_content(**words)])
        return _of_google(client.models.generate_content_stream(**words))


def _of_google(answers: Any) -> Got:
    got = Got()
    for answer in answers:
        for part in answer.candidates[0].content.parts:
            got.text += part.text or ""
            got.pieces += bool(part.text)
            if part.function_call:
                got.tools[part.function_call.name] = part.function_call.args
        finish = answer.candidates[0].finish_reason
        got.finish = finish.value if finish else got.finish
        got.input_tokens = answer.usage_metadata.prompt_token_count
        got.output_tokens = answer.usage_metadata.candidates_token_count or 0
    return got


CLIENTS: dict[str, tuple[str, Ask]] = {
    **{f"litellm-{provider}": (provider, by_litellm(provider)) for provider in MODELS},
    "openai": ("openai", by_openai("openai")),
    "openai-deepseek": ("deepseek", by_openai("deepseek")),
    "anthropic": ("anthropic", by_anthropic),
    "google": ("google", by_google),
}
