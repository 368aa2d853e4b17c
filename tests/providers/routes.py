"""The ways to a provider that the tests of faults go: an adapter and who answers it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from policyctl.providers.adapters.choose import Adapters
from policyctl.schemas.calls import Adapter, Answer, Call, Piece
from policyctl.schemas.errors import ProviderError

from ..servers.fake_providers import FakeProviders
from .calls import a_call, a_model

T = TypeVar("T")
KEY = "sk-test-0123456789"


@dataclass(frozen=True, slots=True)
class Route:
    """
    A model's id, and the fake provider that serves it.
    """

    name: str
    id: str
    provider: str

    def call(self, fakes: FakeProviders, timeout_s: float = 5.0, **fields: Any) -> Call:
        """
        A call of its model, with a server and a key.
        """
        model = fields.pop("model", {})
        server = {"server": fakes.base(self.provider), "key_names": ("TEST_KEY",)}
        return a_call(a_model(self.id, **{**server, **model}), timeout_s=timeout_s, **fields)


ROUTES = (
    Route("sdk-openai", "openai/gpt-6-luna", "openai"),
    Route("sdk-deepseek", "deepseek/deepseek-flash", "deepseek"),
    Route("litellm-openai", "litellm/openai/gpt-6-luna", "openai"),
    Route("litellm-anthropic", "litellm/anthropic/claude-haiku-5-5", "anthropic"),
    Route("litellm-gemini", "litellm/gemini/gemini-3.8-flash", "google"),
    Route("litellm-deepseek", "litellm/deepseek/deepseek-chat", "deepseek"),
    Route("sdk-anthropic", "anthropic/claude-haiku-5-5", "anthropic"),
    Route("sdk-gemini", "google/gemini-3.8-flash", "google"),
)


class Caller:
    """
    Adapters on an event loop of their own, used from plain tests.
    """

    def __init__(self, environ: dict[str, str] | None = None) -> None:
        self._runner = asyncio.Runner()
        self.adapters = Adapters({"TEST_KEY": KEY} if environ is None else environ)

    def run(self, work: Callable[[Adapter], Coroutine[Any, Any, T]], call: Call) -> T:
        """
        Do something with the adapter of a call.
        """
        return self._runner.run(work(self.adapters.for_model(call.model)))

    def answer(self, call: Call, streamed: bool) -> Answer:
        """
        What comes back, at once or in pieces that make up the same.
        """
        if not streamed:
            return self.run(lambda adapter: adapter.complete(call), call)
        pieces = self.pieces(call)
        assert pieces[-1].answer is not None
        return pieces[-1].answer

    def pieces(self, call: Call) -> list[Piece]:
        """
        The pieces of a streamed answer.
        """

        async def collect(adapter: Adapter) -> list[Piece]:
            return [piece async for piece in adapter.stream(call)]

        return self.run(collect, call)

    def failure(self, call: Call, streamed: bool) -> ProviderError:
        """
        How a call fails; an answer is none.
        """
        try:
            answer = self.answer(call, streamed)
        except ProviderError as failed:
            return failed
        raise AssertionError(f"it was answered: {answer}")

    def close(self) -> list[str]:
        """
        Close all, and tell which tasks are left.
        """

        async def closed() -> list[str]:
            await self.adapters.close()
            await asyncio.sleep(0.01)  # generators that were left close themselves at the loop's next turn
            return [repr(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()]

        with self._runner:
            return self._runner.run(closed())


def calling() -> Iterator[Caller]:
    """
    A caller whose adapters are loaded, closed at the end, with no task left.
    """
    caller = Caller()
    for route in ROUTES:
        caller.adapters.for_model(a_model(route.id))
    yield caller
    left = caller.close()
    assert [] == left, f"tasks are left: {left}"
