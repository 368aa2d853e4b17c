"""What is sent and read by every way to a provider: tools, JSON, tokens; and that a call lets go."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from policyctl.providers.adapters.choose import Adapters
from policyctl.schemas.calls import Adapter, Answer, Message, ToolCall
from policyctl.schemas.errors import Billed, ProviderError
from policyctl.schemas.policy import FailureKind as Kind

from ..servers.fake_providers import FakeProviders, Reply
from ..servers.fake_providers import ToolCall as Called
from .calls import a_call, a_model
from .routes import KEY, ROUTES, Caller, Route, calling

every_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather at a place.",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}},
            "required": ["place"],
            "additionalProperties": False,
        },
    },
}
VERDICT = {
    "type": "object",
    "properties": {"good": {"type": "boolean"}, "why": {"type": "string"}},
    "required": ["good", "why"],
    "additionalProperties": False,
}
GIVEN = {"good": True, "why": "it is"}
DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgAAIAAAUAAXpeqz8AAAAA"
    "SUVORK5CYII="
)


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    yield from calling()


# --- what is asked, what is answered ---------------------------------------------------------------------


@every_route
@both_ways
def test_an_answer(fakes: FakeProviders, caller: Caller, route: Route, streamed: bool) -> None:
    """
    The text comes with what the provider counted, and the key and the limit went along.
    """
    answer = caller.answer(route.call(fakes, max_output_tokens=50), streamed)
    seen = fakes.requests[0]

    assert ("echo: hello there you", "stop") == (answer.text, answer.finish_reason)
    assert answer.tokens is not None
    assert (4, 6, False) == (
        answer.tokens.input_tokens,
        answer.tokens.output_tokens,
        answer.tokens.estimated,
    )
    assert (seen.stream, True) == (streamed, seen.sent_key(KEY))
    assert 50 in [*seen.body.values(), *seen.body.get("generationConfig", {}).values()]


@every_route
def test_a_stream_comes_in_pieces(fakes: FakeProviders, caller: Caller, route: Route) -> None:
    """
    Text is handed over as it comes, and only the last piece holds the answer.
    """
    pieces = caller.pieces(route.call(fakes))

    assert len(pieces) > 2
    assert [None] * (len(pieces) - 1) == [piece.answer for piece in pieces[:-1]]
    assert pieces[-1].answer is not None
    assert pieces[-1].answer.text == "".join(piece.text for piece in pieces)


@every_route
@both_ways
def test_cached_tokens(fakes: FakeProviders, caller: Caller, route: Route, streamed: bool) -> None:
    """
    Input read from the provider's cache is part of the input, and told apart.
    """
    fakes.reply("*", Reply("fine", input_tokens=1000, output_tokens=7, cached_tokens=200))
    tokens = caller.answer(route.call(fakes), streamed).tokens

    assert tokens is not None
    assert (1000, 7, 200) == (tokens.input_tokens, tokens.output_tokens, tokens.cache_read_tokens)


@every_route
@both_ways
def test_settings_are_sent(fakes: FakeProviders, caller: Caller, route: Route, streamed: bool) -> None:
    """
    What the policy sets for a model is sent, also where LiteLLM's table doesn't know that it can be set.
    """
    # Of the newest models of OpenAI and Anthropic it knows that they can't.
    older = {
        "litellm-openai": "litellm/openai/gpt-4o",
        "litellm-anthropic": "litellm/anthropic/claude-sonnet-4-5",
    }
    route = replace(route, id=older.get(route.name, route.id))
    caller.answer(route.call(fakes, settings={"temperature": 0.25, "top_p": 0.5}), streamed)
    sent = fakes.requests[0].body
    sent = sent.get("generationConfig", sent)

    assert (0.25, 0.5) == (sent["temperature"], sent.get("top_p", sent.get("topP")))


@every_route
@both_ways
def test_a_tool_is_called(fakes: FakeProviders, caller: Caller, route: Route, streamed: bool) -> None:
    """
    A model that wants a tool run says which, with arguments as JSON text; it needs no text beside.
    """
    fakes.reply("*", Reply(tools=(Called("weather", {"place": "Bern"}),), finish="tools"))
    answer = caller.answer(route.call(fakes, tools=(WEATHER,)), streamed)

    assert [("weather", {"place": "Bern"})] == [(t.name, json.loads(t.arguments)) for t in answer.tool_calls]
    assert ("", "tool_calls") == (answer.text, answer.finish_reason)
    assert answer.tool_calls[0].id


@every_route
def test_what_a_tool_gave_is_sent(fakes: FakeProviders, caller: Caller, route: Route) -> None:
    """
    A conversation with a tool's call and what it gave is understood, images of parts too.
    """
    messages = (
        Message("system", "Be brief."),
        Message("user", "How is it there?", parts=({"type": "image_url", "image_url": {"url": DOT}},)),
        Message("assistant", tool_calls=(ToolCall("call_1", "weather", '{"place": "Bern"}'),)),
        Message("tool", "sunny", tool_call_id="call_1"),
        Message("user", "and now"),
    )
    answer = caller.answer(route.call(fakes, messages=messages, tools=(WEATHER,)), streamed=False)
    sent = json.dumps(fakes.requests[0].body)

    # LiteLLM leaves images off for DeepSeek, none of whose models sees; a policy says so by `can`.
    image = [] if route.name == "litellm-deepseek" else ["iVBORw0"]
    words = ["Be brief.", "How is it there?", "sunny", *image]
    assert answer.text.endswith("and now")
    assert [] == [word for word in words if word not in sent]


@every_route
@both_ways
def test_a_schema_in_json_mode(fakes: FakeProviders, caller: Caller, route: Route, streamed: bool) -> None:
    """
    A model with a JSON mode is asked for a schema there, and what it gives follows it.
    """
    fakes.reply(
        "*",
        lambda call: (
            Reply(tools=(Called(call.forced_tool, GIVEN),), finish="tools")
            if call.forced_tool
            else json.dumps(GIVEN)
        ),
    )
    answer = caller.answer(route.call(fakes, schema=VERDICT), streamed)

    assert (GIVEN, ()) == (json.loads(answer.text), answer.tool_calls)
    assert "why" in json.dumps(fakes.requests[0].body)


@every_route
@both_ways
def test_a_schema_through_a_tool(fakes: FakeProviders, caller: Caller, route: Route, streamed: bool) -> None:
    """
    A model that has tools but no JSON mode is made to call one, whose arguments are the answer.
    """
    fakes.reply("*", lambda call: Reply(tools=(Called(call.forced_tool or "", GIVEN),), finish="tools"))
    call = route.call(fakes, schema=VERDICT, model={"capabilities": frozenset({"tools"})})
    answer = caller.answer(call, streamed)

    assert (GIVEN, ()) == (json.loads(answer.text), answer.tool_calls)


@every_route
@both_ways
def test_a_schema_in_words(fakes: FakeProviders, caller: Caller, route: Route, streamed: bool) -> None:
    """
    A model that can do neither is told in words, and a fence around its JSON is taken off.
    """
    fakes.reply("*", f"```json\n{json.dumps(GIVEN)}\n```")
    call = route.call(fakes, schema=VERDICT, model={"capabilities": frozenset()})
    answer = caller.answer(call, streamed)

    assert GIVEN == json.loads(answer.text)
    assert "JSON Schema" in json.dumps(fakes.requests[0].body)


@every_route
@both_ways
@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('{"good": 3, "why": ""}', "the answer doesn't follow the JSON Schema"),
        ("certainly!", "the answer is not the JSON that was asked for"),
        ('{"good": NaN, "why": ""}', "the answer is not the JSON that was asked for"),
    ],
)
def test_json_that_is_none(
    fakes: FakeProviders, caller: Caller, route: Route, streamed: bool, said: str, words: str
) -> None:
    """
    An answer that isn't the JSON that was asked for is a failure, and paid for.
    """
    fakes.reply("*", said)
    call = route.call(fakes, schema=VERDICT, model={"capabilities": frozenset()})
    failed = caller.failure(call, streamed)

    assert (Kind.BAD_RESPONSE, Billed.YES, words) == (failed.kind, failed.billed, failed.words)


@every_route
@both_ways
def test_json_mode(fakes: FakeProviders, caller: Caller, route: Route, streamed: bool) -> None:
    """
    Any JSON can be asked for without a schema.
    """
    fakes.reply("*", '{"any": 1}')

    assert {"any": 1} == json.loads(caller.answer(route.call(fakes, json_mode=True), streamed).text)


# --- where it goes -----------------------------------------------------------------------------------


@every_route
@both_ways
def test_nobody_listens(fakes: FakeProviders, caller: Caller, route: Route, streamed: bool) -> None:
    """
    Where no connection comes about nothing was sent, and nothing is billed.
    """
    failed = caller.failure(route.call(fakes, model={"server": f"{fakes.refusing}/v1"}), streamed)

    assert (Kind.CONNECTION, Billed.NO) == (failed.kind, failed.billed)
    assert "the provider can't be reached" == failed.words


@every_route
def test_a_server_of_ones_own_gets_no_other_key(
    fakes: FakeProviders, caller: Caller, route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A model that needs no key sends none of those that lie around.
    """
    names = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "DEEPSEEK_API_KEY")
    for name in names:
        monkeypatch.setenv(name, f"other-{name}")
    caller.answer(route.call(fakes, model={"key_names": ()}), streamed=False)

    assert [] == [name for name in names if fakes.requests[0].sent_key(f"other-{name}")]


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("openai/gpt-6-luna", "OPENAI_BASE_URL"),
        ("deepseek/deepseek-flash", "OPENAI_BASE_URL"),
        ("litellm/openai/gpt-6-luna", "OPENAI_BASE_URL"),
        ("litellm/openai/gpt-6-luna", "OPENAI_API_BASE"),
        ("litellm/anthropic/claude-haiku-5-5", "ANTHROPIC_API_BASE"),
        ("litellm/anthropic/claude-haiku-5-5", "ANTHROPIC_BASE_URL"),
        ("litellm/gemini/gemini-3.8-flash", "GEMINI_API_BASE"),
        ("litellm/deepseek/deepseek-chat", "DEEPSEEK_API_BASE"),
        ("anthropic/claude-haiku-5-5", "ANTHROPIC_BASE_URL"),
        ("google/gemini-3.8-flash", "GOOGLE_GEMINI_BASE_URL"),
        ("google/gemini-3.8-flash", "GOOGLE_VERTEX_BASE_URL"),
    ],
)
def test_no_variable_leads_a_key_elsewhere(
    fakes: FakeProviders, caller: Caller, monkeypatch: pytest.MonkeyPatch, id: str, name: str
) -> None:
    """
    The address of a provider is its own, whatever the libraries would read from the environment.
    """
    monkeypatch.setenv(name, f"{fakes.url}/v1")
    monkeypatch.setenv("HTTPS_PROXY", fakes.refusing)  # nothing leaves this machine
    monkeypatch.setenv("https_proxy", fakes.refusing)
    call = a_call(a_model(id, key_names=("TEST_KEY",)), timeout_s=2.0)

    async def ask(_: Adapter) -> None:
        fresh = Adapters({"TEST_KEY": KEY})
        try:
            with pytest.raises(ProviderError):
                await fresh.for_model(call.model).complete(call)
        finally:
            await fresh.close()

    caller.run(ask, call)

    assert [] == fakes.requests


@every_route
@both_ways
def test_callbacks_of_litellm_hear_nothing(
    fakes: FakeProviders, caller: Caller, route: Route, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Somebody else's LiteLLM callbacks in the same process aren't told of our calls.
    """
    import litellm
    from litellm.integrations.custom_logger import CustomLogger

    heard: list[Any] = []

    class Listener(CustomLogger):  # type: ignore[misc]
        async def async_log_success_event(self, *told: Any) -> None:
            heard.append(told)

        log_success_event = async_log_failure_event = log_failure_event = async_log_success_event

    monkeypatch.setattr(litellm, "callbacks", [Listener()])
    caller.answer(route.call(fakes), streamed)
    caller.run(lambda _: asyncio.sleep(0.05), route.call(fakes))

    assert [] == heard


# --- letting go --------------------------------------------------------------------------------------


def closed_by_us(fakes: FakeProviders) -> list[str]:
    fakes.wait_idle()
    return [seen.outcome for seen in fakes.requests]


@every_route
@both_ways
def test_a_cancelled_call_closes_its_socket(
    fakes: FakeProviders, caller: Caller, route: Route, streamed: bool
) -> None:
    """
    Whoever cancels a call ends it at once, and the server sees the line close.
    """
    fakes.plan("*", "hang")

    async def cancelled(adapter: Adapter) -> float:
        async def ask() -> None:
            if not streamed:
                await adapter.complete(call)
            async for _ in adapter.stream(call):
                pass

        task = asyncio.create_task(ask())
        while not fakes.requests:
            await asyncio.sleep(0.005)
        began_s = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - began_s

    call = route.call(fakes)

    assert caller.run(cancelled, call) < 0.5
    assert ["client_closed"] == closed_by_us(fakes)


@every_route
def test_a_stream_that_is_left_closes_its_socket(fakes: FakeProviders, caller: Caller, route: Route) -> None:
    """
    Whoever has enough of a stream closes it, and the server sees that.
    """
    fakes.plan("*", "slow_stream:0.3")
    call = route.call(fakes)

    async def leave(adapter: Adapter) -> str:
        pieces = adapter.stream(call)
        first = await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]
        return first.text

    assert "echo: " == caller.run(leave, call)
    assert ["client_closed"] == closed_by_us(fakes)


@every_route
def test_late_calls_close_their_sockets(fakes: FakeProviders, caller: Caller, route: Route) -> None:
    """
    A call whose time is over leaves no line open.
    """
    fakes.plan("*", "hang")
    caller.failure(route.call(fakes, timeout_s=0.1), streamed=False)
    caller.failure(route.call(fakes, timeout_s=0.1), streamed=True)

    assert ["client_closed"] * 2 == closed_by_us(fakes)


@pytest.mark.parametrize("route", [ROUTES[0], ROUTES[3], *ROUTES[6:]], ids=lambda route: route.name)
def test_two_hundred_calls_at_once(fakes: FakeProviders, caller: Caller, route: Route) -> None:
    """
    One adapter serves 200 calls at a time on one loop, each with its own answer, streamed or not.
    """
    calls = [route.call(fakes, 30.0, text=f"number {n}") for n in range(200)]

    async def all_at_once(adapter: Adapter) -> list[Answer]:
        async def ask(n: int) -> Answer:
            if n % 2:
                return await adapter.complete(calls[n])
            pieces = [piece async for piece in adapter.stream(calls[n])]
            assert pieces[-1].answer is not None
            return pieces[-1].answer

        return await asyncio.gather(*map(ask, range(200)))

    answers = caller.run(all_at_once, calls[0])

    assert [f"echo: number {n}" for n in range(200)] == [answer.text for answer in answers]
    assert 200 == fakes.count()


# LiteLLM ends a stream that repeats itself after a hundred pieces, before it gets large.
@pytest.mark.parametrize(
    ("route", "streamed"),
    [(ROUTES[0], False), (ROUTES[0], True), (ROUTES[3], False)],
    ids=["sdk-plain", "sdk-streamed", "litellm-plain"],
)
def test_an_endless_answer_is_cut_off(
    fakes: FakeProviders, caller: Caller, route: Route, streamed: bool
) -> None:
    """
    An answer that is larger than any can be is read no further than that.
    """
    fakes.plan("*", "huge:64")
    failed = caller.failure(route.call(fakes, 20.0), streamed)

    assert (Kind.BAD_RESPONSE, Billed.UNKNOWN) == (failed.kind, failed.billed)
    assert ["client_closed"] == closed_by_us(fakes)
