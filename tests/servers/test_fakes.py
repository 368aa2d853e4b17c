"""The fake providers, held to the real libraries: what these understand and what they raise."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from .alone import apart
from .clients import CLIENTS, KEY, MODELS, litellm, litellm_words, that_follows_nowhere
from .fake_providers import Call, FakeProviders, Reply, Seen, ToolCall, tokens_of
from .faults import NAMES

WORDS = "hello there you"
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
EACH_CLIENT = pytest.mark.parametrize("client", CLIENTS)


def raised(provider: str, base: str, stream: bool = False, timeout_s: float = 5) -> tuple[str, int | None]:
    """
    The class and the status of what LiteLLM raises.
    """
    words = litellm_words(provider, base, WORDS, stream=stream, timeout=timeout_s)
    with pytest.raises(Exception) as caught:
        list(litellm().completion(**words))
    return type(caught.value).__name__, getattr(caught.value, "status_code", None)


def post(
    base: str, body: Any = None, path: str = "/chat/completions", method: str = "POST"
) -> tuple[int, bytes]:
    """
    The status and the body of an answer, without any library of a provider.
    """
    address = urlsplit(base)
    conn = http.client.HTTPConnection(str(address.hostname), address.port, timeout=5)
    try:
        conn.request(method, address.path + path, None if body is None else json.dumps(body))
        answer = conn.getresponse()
        return answer.status, answer.read()
    finally:
        conn.close()


def asked(model: str = "m", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": WORDS}], **more}


def only(fakes: FakeProviders) -> Seen:
    """
    The one request that came.
    """
    fakes.wait_idle()
    (seen,) = fakes.requests
    return seen


def arrived(fakes: FakeProviders, number: int = 1) -> None:
    """
    Wait until so many requests came.
    """
    until = time.monotonic() + 30
    while len(fakes.requests) < number and time.monotonic() < until:
        time.sleep(0.01)


# --- what the libraries understand ---------------------------------------------------------------------


@BOTH
@EACH_CLIENT
def test_a_text(fakes: FakeProviders, client: str, stream: bool) -> None:
    """
    Each library reads the text, why it ended and the tokens; streamed, the words come one by one.
    """
    provider, ask = CLIENTS[client]
    got = ask(fakes.base(provider), WORDS, stream=stream)

    assert f"echo: {WORDS}" == got.text
    assert (tokens_of(WORDS), tokens_of(got.text)) == (got.input_tokens, got.output_tokens)
    assert got.finish in ("stop", "end_turn", "STOP")
    assert (4 if stream else 1) == got.pieces


@BOTH
@EACH_CLIENT
def test_a_tool_call(fakes: FakeProviders, client: str, stream: bool) -> None:
    """
    A tool that must be called is called, with arguments that meet its schema.
    """
    provider, ask = CLIENTS[client]
    got = ask(fakes.base(provider), WORDS, stream=stream, tool=True)

    assert ("", {"weather": {"city": "text", "days": 1}}) == (got.text, got.tools)


@BOTH
@EACH_CLIENT
def test_an_answer_by_a_schema(fakes: FakeProviders, client: str, stream: bool) -> None:
    """
    Where a schema is asked for, the text is JSON that meets it.
    """
    provider, ask = CLIENTS[client]
    got = ask(fakes.base(provider), WORDS, stream=stream, schema=True)

    assert {"city": "text", "days": 1} == json.loads(got.text)


@BOTH
@pytest.mark.parametrize("provider", MODELS)
def test_usage(fakes: FakeProviders, provider: str, stream: bool) -> None:
    """
    LiteLLM finds the tokens of the cache and of reasoning where each provider tells them.
    """
    fakes.reply("*", Reply(text="ok", input_tokens=100, cached_tokens=60, reasoning_tokens=7))
    more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    found = litellm().completion(**litellm_words(provider, fakes.base(provider), WORDS, **more))
    usage = (list(found)[-1] if stream else found).usage

    assert (100, 8, 60) == (
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.prompt_tokens_details.cached_tokens,
    )
    if provider != "anthropic":  # which tells no tokens of reasoning
        assert 7 == usage.completion_tokens_details.reasoning_tokens


@BOTH
@EACH_CLIENT
def test_what_a_test_lets_them_say(fakes: FakeProviders, client: str, stream: bool) -> None:
    """
    Thoughts, a text and several tool calls in one answer; thoughts are no part of the text.
    """
    provider, ask = CLIENTS[client]
    tools = (ToolCall("a", {"x": [1, "ä"]}), ToolCall("b", {}))
    fakes.reply(MODELS[provider], Reply(text="Look: ", thinking="I think so", tools=tools))
    got = ask(fakes.base(provider), WORDS, stream=stream)

    assert {"a": {"x": [1, "ä"]}, "b": {}} == got.tools
    if client != "google":  # which leaves it to its caller to tell thoughts from text
        assert "Look: " == got.text


# --- faults --------------------------------------------------------------------------------------------

INTERNAL, CONNECTION = ("InternalServerError", 500), ("APIConnectionError", 500)
UNAVAILABLE = ("ServiceUnavailableError", 503)
RATE, BAD = ("RateLimitError", 429), ("BadRequestError", 400)
TIMEOUT = ("Timeout", 408)


def all_four(kind: tuple[str, int]) -> tuple[tuple[str, int], ...]:
    return (kind,) * 4


FOUR = ("openai", "anthropic", "google", "deepseek")
RAISED = {  # by each of the four
    "rate_limit": all_four(RATE),
    "rate_limit_date": all_four(RATE),
    "rate_limit_bare": all_four(RATE),
    "quota": (RATE, BAD, RATE, ("BadRequestError", 402)),
    "server_error": all_four(INTERNAL),
    "bad_gateway": (*[("BadGatewayError", 502)] * 2, CONNECTION, ("BadGatewayError", 502)),
    "unavailable": all_four(UNAVAILABLE),
    "overloaded": (UNAVAILABLE, INTERNAL, ("InternalServerError", 500), UNAVAILABLE),
    "gateway_timeout": all_four(("Timeout", 504)),
    "auth": all_four(("AuthenticationError", 401)),
    "bad_key": all_four(("AuthenticationError", 401)),
    "permission": (
        ("APIError", 403),
        ("PermissionDeniedError", 403),
        *[("BadRequestError", 403)] * 2,
    ),
    "not_found": all_four(("NotFoundError", 404)),
    "bad_request": all_four(BAD),
    "context_length": all_four(("ContextWindowExceededError", 400)),
    "reset": (INTERNAL, INTERNAL, CONNECTION, INTERNAL),
    "reset_mid": (INTERNAL, INTERNAL, CONNECTION, INTERNAL),
    "eof": (INTERNAL, INTERNAL, CONNECTION, INTERNAL),
    "eof_mid": (INTERNAL, INTERNAL, CONNECTION, INTERNAL),
    "truncated_json": (INTERNAL, CONNECTION, ("BadRequestError", 422), ("APIError", 200)),
    "garbage": (INTERNAL, CONNECTION, ("BadRequestError", 422), ("APIError", 200)),
    "header_bomb": (INTERNAL, INTERNAL, CONNECTION, INTERNAL),
    "hang": all_four(TIMEOUT),
    "stall_stream": all_four(TIMEOUT),
    "delay:5": all_four(TIMEOUT),
}
BROKEN = ("MidStreamFallbackError", 500)
RAISED_IN_STREAMS = {
    "rate_limit": (RATE, RATE, ("MidStreamFallbackError", 429), RATE),
    "reset_mid": all_four(BROKEN),
    "eof_mid": all_four(BROKEN),
    "stream_error": all_four(BROKEN),
    "stream_error:0": all_four(BROKEN),
    "stall_stream": (TIMEOUT, *[("MidStreamFallbackError", 408)] * 3),
}


@pytest.mark.parametrize("fault", RAISED)
def test_what_litellm_raises(fakes: FakeProviders, fault: str) -> None:
    """
    Each fault is raised in its way, after one request on the wire; 529 and what is broken are 500, or 422, or
    200.
    """
    slow = fault in ("hang", "stall_stream", "delay:5")
    for number, (provider, expected) in enumerate(zip(FOUR, RAISED[fault], strict=True), start=1):
        found = raised(provider, fakes.base(provider, fault), timeout_s=0.3 if slow else 5)
        arrived(fakes, number)
        assert (expected, 1) == (found, fakes.count(f"{provider}/*")), provider


@pytest.mark.parametrize("fault", RAISED_IN_STREAMS)
def test_what_litellm_raises_in_streams(fakes: FakeProviders, fault: str) -> None:
    """
    So it is with streams.
    """
    timeout_s = 0.3 if fault == "stall_stream" else 5
    for number, (provider, expected) in enumerate(zip(FOUR, RAISED_IN_STREAMS[fault], strict=True), start=1):
        found = raised(provider, fakes.base(provider, fault), stream=True, timeout_s=timeout_s)
        arrived(fakes, number)
        assert (expected, 1) == (found, fakes.count(f"{provider}/*")), provider


@pytest.mark.parametrize("provider", MODELS)
def test_answers_that_litellm_takes_for_good(fakes: FakeProviders, provider: str) -> None:
    """
    Empty, cut off and absurd answers raise nothing: whoever calls has to look.
    """

    def answer(fault: str) -> Any:
        return litellm().completion(**litellm_words(provider, fakes.base(provider, fault), WORDS))

    assert not answer("empty_text").choices[0].message.content
    assert not [c for c in answer("empty_choices").choices if c.message.content]
    assert "length" == answer("length").choices[0].finish_reason
    assert "content_filter" == answer("content_filter_finish").choices[0].finish_reason
    assert -5 == answer("negative_usage").usage.completion_tokens
    assert 10**12 == answer("absurd_usage").usage.prompt_tokens


@pytest.mark.parametrize("provider", MODELS)
def test_a_dripping_answer_outlives_a_timeout(fakes: FakeProviders, provider: str) -> None:
    """
    What drips resets a read timeout: 1.2 s pass under a timeout of 1 s.
    """
    words = litellm_words(provider, fakes.base(provider, "slow_drip:0.3:4"), WORDS, timeout=1)
    start = time.monotonic()
    found = litellm().completion(**words)

    assert f"echo: {WORDS}" == found.choices[0].message.content
    assert time.monotonic() - start >= 1.2


@pytest.mark.parametrize("provider", ["openai", "anthropic", "deepseek"])
def test_when_to_try_again_is_a_header(fakes: FakeProviders, provider: str) -> None:
    """
    Seconds or a date in Retry-After.
    """
    for fault, expected in (("rate_limit:7", "7"), ("rate_limit_date:7", "GMT")):
        with pytest.raises(litellm().RateLimitError) as caught:
            litellm().completion(**litellm_words(provider, fakes.base(provider, fault), WORDS))
        assert caught.value.litellm_response_headers["retry-after"].endswith(expected)


def test_when_to_try_again_is_in_the_body_of_google(fakes: FakeProviders) -> None:
    """
    RetryInfo, as Google's APIs have it.
    """
    with pytest.raises(litellm().RateLimitError, match=r'retryDelay": ?"7s"'):
        litellm().completion(**litellm_words("google", fakes.base("google", "rate_limit:7"), WORDS))


@pytest.mark.parametrize("provider", MODELS)
def test_a_redirect_is_followed_by_litellm(fakes: FakeProviders, provider: str) -> None:
    """
    LiteLLM follows to another host with the prompt, and with keys that aren't in `Authorization`: a reason to
    forbid it.
    """
    litellm().completion(**litellm_words(provider, fakes.base(provider, "redirect:307"), WORDS))
    first, second = fakes.requests

    assert second.path.startswith("/elsewhere/")
    assert (True, provider in ("anthropic", "google")) == (first.sent_key(KEY), second.sent_key(KEY))


@BOTH
@pytest.mark.parametrize("provider", MODELS)
def test_a_client_of_ones_own_forbids_redirects(fakes: FakeProviders, provider: str, stream: bool) -> None:
    """
    Handed a client that follows nowhere, LiteLLM goes nowhere: the key and the prompt stay.
    """
    base = fakes.base(provider, "redirect:307")

    async def ask() -> None:
        async with that_follows_nowhere(provider, base) as client:
            words = litellm_words(provider, base, WORDS, stream=stream, client=client)
            answer = await litellm().acompletion(**words)
            async for _ in answer:
                pass

    from openai import APIError

    with pytest.raises(APIError):
        asyncio.run(ask())
    assert 307 == only(fakes).status


SDKS = {"openai": (503, 429, 401, 404, 400), "anthropic": (529, 400, 401, 404, 400)}
SDKS |= {"openai-deepseek": (503, 402, 401, 404, 400), "google": (503, 429, 400, 404, 400)}
SDK_FAULTS = ("overloaded", "quota", "bad_key", "not_found", "context_length")


@pytest.mark.parametrize("client", SDKS)
def test_what_the_sdks_raise(fakes: FakeProviders, client: str) -> None:
    """
    The SDKs tell the status as it was sent; Anthropic counts a used-up quota among bad requests.
    """
    provider, ask = CLIENTS[client]
    statuses = []
    for fault in SDK_FAULTS:
        with pytest.raises(Exception) as caught:
            ask(fakes.base(provider, fault), WORDS)
        statuses.append(getattr(caught.value, "status_code", None) or getattr(caught.value, "code", None))

    assert list(SDKS[client]) == statuses
    assert len(SDK_FAULTS) == fakes.count()


def test_nobody_listens(fakes: FakeProviders) -> None:
    """
    There is an address that refuses.
    """
    assert ("InternalServerError", 500) == raised("openai", fakes.refusing + "/v1")
    assert [] == fakes.requests


QUICK = {"delay": "delay:0.001", "slow_drip": "slow_drip:0.001:2", "slow_stream": "slow_stream:0.001"}
QUICK |= {"status": "status:418", "huge": "huge:0.2", "gzip_bomb": "gzip_bomb:0.2", "hang": "ok"}


@BOTH
@pytest.mark.parametrize("fault", NAMES)
def test_every_fault_in_every_protocol(fakes: FakeProviders, fault: str, stream: bool) -> None:
    """
    Each fault can be told of each protocol, plain and streamed, alone and late, without a complaint.
    """
    gemini = f"/models/m:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"
    calls = (
        ("openai", "/chat/completions", asked(stream=stream)),
        ("deepseek", "/chat/completions", asked(stream=stream)),
        ("anthropic", "/v1/messages", asked(stream=stream, max_tokens=50)),
        ("google", gemini, {"contents": [{"parts": [{"text": WORDS}]}]}),
    )
    for provider, path, body in calls:
        base = fakes.base(provider, "delay:0.001," + QUICK.get(fault, fault))
        if fault == "stall_stream":
            with pytest.raises(TimeoutError):
                _impatient(base, path, body)
        elif fault.startswith(("reset", "eof")):
            with pytest.raises((http.client.HTTPException, ConnectionError)):
                post(base, body, path)
        elif fault == "header_bomb":
            with pytest.raises(http.client.LineTooLong):
                post(base, body, path)
        else:
            assert post(base, body, path)[0] >= 200


def _impatient(base: str, path: str, body: Any) -> None:
    address = urlsplit(base)
    conn = http.client.HTTPConnection(str(address.hostname), address.port, timeout=0.05)
    try:
        conn.request("POST", address.path + path, json.dumps(body))
        conn.getresponse().read()
    finally:
        conn.close()


# --- who meets a fault, and what was seen --------------------------------------------------------------


def statuses(fakes: FakeProviders, number: int, model: str = "m") -> list[int]:
    return [post(fakes.base("openai"), asked(model))[0] for _ in range(number)]


def test_a_plan_skips_and_ends(fakes: FakeProviders) -> None:
    """
    The first requests may pass, then some meet the fault, then all is well again.
    """
    fakes.plan("m", "server_error", skip=1, times=2)

    assert [200, 500, 500, 200] == statuses(fakes, 4)


def test_the_faults_of_a_plan_take_turns(fakes: FakeProviders) -> None:
    """
    Several faults of one plan come one after the other; what has none left gives way to the next plan.
    """
    fakes.plan("m", "rate_limit", "ok", "unavailable", times=4)
    fakes.plan("m", "not_found")

    assert [429, 200, 503, 429, 404, 404] == statuses(fakes, 6)


def test_a_plan_is_for_a_model_or_a_provider(fakes: FakeProviders) -> None:
    """
    Names are matched as file names are, alone or behind their provider.
    """
    fakes.plan("gpt-*", "server_error")
    fakes.plan("anthropic/*", "overloaded")

    assert [500, 200] == [*statuses(fakes, 1, "gpt-x"), *statuses(fakes, 1, "claude")]
    assert 529 == post(fakes.base("anthropic"), asked("claude", max_tokens=9), "/v1/messages")[0]


def test_a_share_of_the_requests(fakes: FakeProviders) -> None:
    """
    A plan may meet some requests only, by chance, and the same ones each time.
    """
    fakes.plan("a", "server_error", share=0.3, seed=7)
    fakes.plan("b", "server_error", share=0.3, seed=7)
    found = statuses(fakes, 60, "a")

    assert 8 <= found.count(500) <= 28
    assert found == statuses(fakes, 60, "b")


def test_healing(fakes: FakeProviders) -> None:
    """
    A provider that was down comes back.
    """
    fakes.plan("*", "server_error")
    before = statuses(fakes, 1)
    fakes.heal()

    assert [500, 200] == before + statuses(fakes, 1)


def test_a_wrong_name_of_a_fault_is_told_at_once(fakes: FakeProviders) -> None:
    """
    A fault that doesn't exist stops the test that names it.
    """
    with pytest.raises(ValueError, match="did you mean `rate_limit`"):
        fakes.plan("*", "rate_limt")
    with pytest.raises(ValueError, match="no fault is named `overload_ed`"):
        fakes.base("openai", "delay:1,overload_ed")


def test_what_no_provider_would_understand_is_a_complaint(fakes: FakeProviders) -> None:
    """
    A request that lacks what its protocol demands is answered by 400 and told to the test.
    """
    status, _ = post(fakes.base("anthropic"), asked(), "/v1/messages")
    complaints = list(fakes.complaints)
    fakes.complaints.clear()

    assert 400 == status
    assert ["/v1/messages: KeyError: 'max_tokens'"] == complaints


def test_a_reply_that_fails_is_a_complaint(fakes: FakeProviders) -> None:
    """
    A mistake in what a test lets a model say is told to that test.
    """
    fakes.reply("*", lambda call: call.prompt + 1)  # type: ignore[operator]
    found = statuses(fakes, 1)
    complaints = list(fakes.complaints)
    fakes.complaints.clear()

    assert [400] == found
    assert ["/v1/chat/completions: TypeError"] == [text[: text.rindex(":")] for text in complaints]


def test_a_leak_says_the_key_and_the_prompt(fakes: FakeProviders) -> None:
    """
    A canary needs an error that says again what must not be seen.
    """
    from anthropic import AuthenticationError

    with pytest.raises(AuthenticationError) as caught:
        CLIENTS["anthropic"][1](fakes.base("anthropic", "leak"), WORDS)

    assert (True, True) == (KEY in str(caught.value), WORDS in str(caught.value))


def test_a_later_reply_goes_before_an_earlier_one(fakes: FakeProviders) -> None:
    """
    Replies are texts, or functions of what was asked.
    """

    def backwards(call: Call) -> str:
        return call.prompt[::-1]

    fakes.reply("*", "all")
    fakes.reply("m*", backwards)
    found = [json.loads(post(fakes.base("openai"), asked(model))[1]) for model in ("m1", "x")]

    assert [WORDS[::-1], "all"] == [answer["choices"][0]["message"]["content"] for answer in found]


def test_max_tokens_bounds_the_answer(fakes: FakeProviders) -> None:
    """
    No more is said than was allowed, and the reason is told.
    """
    body = json.loads(post(fakes.base("openai"), asked(max_tokens=3))[1])

    assert ("echo: hello ", "length") == (
        body["choices"][0]["message"]["content"],
        body["choices"][0]["finish_reason"],
    )
    assert 3 == body["usage"]["completion_tokens"]


def test_what_was_seen(fakes: FakeProviders) -> None:
    """
    A request is told with its body, its fault and its end; of the key only that it came along.
    """
    litellm().completion(**litellm_words("anthropic", fakes.base("anthropic", "delay:0.05"), WORDS))
    seen = only(fakes)

    assert ("anthropic", MODELS["anthropic"], False, "delay:0.05") == (
        seen.provider,
        seen.model,
        seen.stream,
        seen.fault,
    )
    assert (200, "answered", WORDS) == (
        seen.status,
        seen.outcome,
        seen.body["messages"][0]["content"][0]["text"],
    )
    assert seen.ended_s is not None
    assert 0.05 <= seen.ended_s < 5
    assert (True, False) == (seen.sent_key(KEY), seen.sent_key("another"))
    assert KEY not in repr(seen)


@BOTH
@pytest.mark.parametrize("provider", MODELS)
def test_a_cancelled_call_closes_its_socket(fakes: FakeProviders, provider: str, stream: bool) -> None:
    """
    A task that is cancelled is seen by the server as a client that went away.
    """
    fault = "stall_stream" if stream else "hang"

    async def ask() -> None:
        words = litellm_words(provider, fakes.base(provider, fault), WORDS, stream=stream)
        answer = await litellm().acompletion(**words)
        async for _ in answer:
            pass

    async def give_up() -> None:
        asking = asyncio.create_task(ask())
        await asyncio.to_thread(arrived, fakes)
        asking.cancel()
        await asking

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(give_up())

    assert "client_closed" == only(fakes).outcome


def test_a_stream_of_google_without_events_is_one_array(fakes: FakeProviders) -> None:
    """
    Where events aren't asked for, Gemini streams the parts of an array; its key may stand in the address.
    """
    body = {"contents": [{"role": "user", "parts": [{"text": WORDS}]}]}
    status, found = post(fakes.base("google"), body, f"/v1beta/models/m:streamGenerateContent?key={KEY}")
    parts = [answer["candidates"][0]["content"]["parts"][0]["text"] for answer in json.loads(found)]

    assert (200, ["echo: ", "hello ", "there ", "you", ""]) == (status, parts)
    assert only(fakes).sent_key(KEY)


def test_tokens_can_be_counted_beforehand(fakes: FakeProviders) -> None:
    """
    Anthropic counts the tokens of a prompt; that is no request for an answer.
    """
    found = post(fakes.base("anthropic"), asked(), "/v1/messages/count_tokens")

    assert (200, {"input_tokens": tokens_of(WORDS)}) == (found[0], json.loads(found[1]))
    assert (0, 1) == (fakes.count(), len(fakes.requests))


def test_many_at_once(fakes: FakeProviders) -> None:
    """
    Requests on many connections don't get into each other's way.
    """
    fakes.plan("*", "delay:0.05")
    threads = [threading.Thread(target=statuses, args=(fakes, 2, f"m{n % 3}")) for n in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fakes.wait_idle()

    assert [40, 40, 40, 120] == [fakes.count(glob) for glob in ("m0", "m1", "m2", "*")]
    assert {"answered"} == {seen.outcome for seen in fakes.requests}


# --- its life ------------------------------------------------------------------------------------------


def hanging(server: FakeProviders) -> tuple[socket.socket, threading.Thread]:
    """
    Ask for something that never comes, and read until the server ends it.
    """
    address = urlsplit(server.base("openai", "hang"))
    conn = socket.create_connection((str(address.hostname), address.port or 0), timeout=10)
    body = json.dumps(asked()).encode()
    conn.sendall(
        b"POST %s/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s"
        % (address.path.encode(), len(body), body)
    )
    reading = threading.Thread(target=conn.recv, args=[1])
    reading.start()
    return conn, reading


@pytest.mark.parametrize("how", ["close", "reset"])
def test_the_server_ends_every_wait(how: str) -> None:
    """
    Closing it, or the end of a test, ends what hangs; no thread is left when it is closed.
    """
    before = set(threading.enumerate())
    with FakeProviders() as server:
        conn, reading = hanging(server)
        arrived(server)
        (seen,) = server.requests
        getattr(server, how)()
        reading.join(5)
        conn.close()

    assert "server_closed" == seen.outcome
    assert set() == {thread.name for thread in set(threading.enumerate()) - before}


def test_waiting_names_what_is_pending(fakes: FakeProviders) -> None:
    """
    Who waits for the end of all requests in vain hears which are left.
    """
    conn, reading = hanging(fakes)
    arrived(fakes)
    with pytest.raises(TimeoutError, match="still being answered: m hang"):
        fakes.wait_idle(0.05)
    conn.shutdown(socket.SHUT_RDWR)
    reading.join(5)
    conn.close()

    assert "client_closed" == only(fakes).outcome


def test_a_process_of_its_own() -> None:
    """
    Measurements run it apart; it says where it is, answers, and ends when nobody holds it.
    """
    with apart("hello") as url:
        status, body = post(f"{url}/v1", asked())

    assert (200, "hello") == (status, json.loads(body)["choices"][0]["message"]["content"])
    with pytest.raises(ConnectionRefusedError):
        post(url, method="HEAD", path="/")
