"""What Anthropic's and Google's SDKs alone are made to send and to do; test_adapters.py has what all do."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from policyctl.providers.adapters.choose import adapter_name
from policyctl.schemas.calls import Message, Tokens, ToolCall
from policyctl.schemas.errors import Billed
from policyctl.schemas.policy import FailureKind

from ..servers.fake_providers import FakeProviders, Reply
from ..servers.fake_providers import ToolCall as Said
from .calls import a_call, a_model
from .routes import KEY, ROUTES, Caller, Route, calling

ANTHROPIC, GOOGLE = (route for route in ROUTES if route.name in {"sdk-anthropic", "sdk-gemini"})

both = pytest.mark.parametrize("route", [ANTHROPIC, GOOGLE], ids=lambda route: route.name)
plain_and_streamed = pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells the weather.", "parameters": WEATHER},
}
PIXEL = base64.b64encode(b"a pixel").decode()


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    yield from calling()


def asked(fakes: FakeProviders) -> Any:
    """
    The body of the last request.
    """
    return fakes.requests[-1].body


# --- who serves -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id", "package", "module"),
    [
        ("anthropic/claude-haiku-5-5", "anthropic", "anthropic_sdk"),
        ("google/gemini-3.8-flash", "google.genai", "google_sdk"),
    ],
)
def test_the_official_sdk_serves_where_it_is_installed(id: str, package: str, module: str) -> None:
    """
    With the extra the provider's own SDK serves, its own servers too; without it LiteLLM does.
    """
    for server in (None, "http://127.0.0.1:8080"):
        model = a_model(id, server=server)
        assert module == adapter_name(model, lambda name: name in (package, "litellm"))
        assert "through_litellm" == adapter_name(model, lambda name: name == "litellm")


# --- what is sent -----------------------------------------------------------------------------------------

CALLS = (ToolCall("t1", "weather", '{"city": "Oslo"}'), ToolCall("t2", "weather", ""))
TALK = (
    Message("system", "Be short."),
    Message("developer", "Be kind."),
    Message("user", "Weather?"),
    Message(
        "assistant",
        "I look.",
        tool_calls=(ToolCall("t1", "weather", '{"city": "Oslo"}'), ToolCall("t2", "weather", "")),
    ),
    Message("tool", "rain", tool_call_id="t1"),
    Message("tool", '{"sky": "blue"}', tool_call_id="t2"),
    Message("user", "And?"),
)


def test_a_conversation_in_anthropics_form(fakes: FakeProviders, caller: Caller) -> None:
    """
    The system stands aside, results of tools stand together and before what the user says with them.
    """
    caller.answer(ANTHROPIC.call(fakes, messages=TALK, tools=(TOOL,)), False)

    body = asked(fakes)
    assert "Be short.\n\nBe kind." == body["system"]
    assert [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}},
                {"type": "tool_use", "id": "t2", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "rain"},
                {"type": "tool_result", "tool_use_id": "t2", "content": '{"sky": "blue"}'},
                {"type": "text", "text": "And?"},
            ],
        },
    ] == body["messages"]
    assert [{"name": "weather", "description": "Tells the weather.", "input_schema": WEATHER}] == body[
        "tools"
    ]


def test_a_conversation_in_geminis_form(fakes: FakeProviders, caller: Caller) -> None:
    """
    The assistant is the model; a tool's result is an object, and has the tool's name.
    """
    caller.answer(GOOGLE.call(fakes, messages=TALK, tools=(TOOL,)), False)

    body = asked(fakes)
    assert [{"text": "Be short.\n\nBe kind."}] == body["systemInstruction"]["parts"]
    assert ["user", "model", "user"] == [turn["role"] for turn in body["contents"]]
    calls, results = body["contents"][1]["parts"][1:], body["contents"][2]["parts"]
    assert ["weather", "weather"] == [part["functionCall"]["name"] for part in calls]
    assert {"city": "Oslo"} == calls[0]["functionCall"]["args"]
    assert [
        {"id": "t1", "name": "weather", "response": {"result": "rain"}},
        {"id": "t2", "name": "weather", "response": {"sky": "blue"}},
    ] == [part["functionResponse"] for part in results[:2]]
    assert {"text": "And?"} == results[2]
    (declared,) = body["tools"][0]["functionDeclarations"]
    assert ("weather", WEATHER) == (declared["name"], declared["parameters_json_schema"])


IMAGES = Message(
    "user",
    "What is it?",
    parts=(
        {"type": "text", "text": "This:"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.webp?size=9"}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PIXEL}"}},
    ),
)


def test_images_in_anthropics_form(fakes: FakeProviders, caller: Caller) -> None:
    """
    Images and documents keep their place between the texts.
    """
    caller.answer(ANTHROPIC.call(fakes, messages=(IMAGES,)), False)

    data = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    link = {"type": "url", "url": "https://example.com/cat.webp?size=9"}
    paper = {"type": "base64", "media_type": "application/pdf", "data": PIXEL}
    assert [
        {"type": "text", "text": "What is it?"},
        {"type": "text", "text": "This:"},
        {"type": "image", "source": data},
        {"type": "image", "source": link},
        {"type": "document", "source": paper},
    ] == asked(fakes)["messages"][0]["content"]


def test_images_in_geminis_form(fakes: FakeProviders, caller: Caller) -> None:
    """
    What is in the message is sent along, what lies elsewhere is named with its kind.
    """
    caller.answer(GOOGLE.call(fakes, messages=(IMAGES,)), False)

    _, _, data, link, paper = asked(fakes)["contents"][0]["parts"]
    assert {"mime_type": "image/png", "data": PIXEL} == data["inlineData"]
    assert {"mime_type": "image/webp", "file_uri": "https://example.com/cat.webp?size=9"} == link["fileData"]
    assert "application/pdf" == paper["inlineData"]["mime_type"]


@both
@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
        {"type": "image_url"},
        {"type": "riddle"},
        {},
    ],
)
def test_a_part_that_nobody_knows_is_not_sent(
    fakes: FakeProviders, caller: Caller, route: Route, part: dict[str, Any]
) -> None:
    """
    A part of a form that isn't known, a file of this machine for one, is the caller's mistake.
    """
    failed = caller.failure(route.call(fakes, messages=(Message("user", parts=(part,)),)), False)

    assert (FailureKind.INVALID_REQUEST, Billed.NO, 0) == (failed.kind, failed.billed, fakes.count())


def test_audio_goes_to_gemini_alone(fakes: FakeProviders, caller: Caller) -> None:
    """
    Where a provider has no place for a kind of part, the next step may have.
    """
    said = Message("user", parts=({"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}},))
    caller.answer(GOOGLE.call(fakes, messages=(Message("user", "Hear:"), said)), False)
    assert "audio/wav" == asked(fakes)["contents"][0]["parts"][1]["inlineData"]["mime_type"]

    failed = caller.failure(ANTHROPIC.call(fakes, messages=(said,)), False)
    assert (FailureKind.NOT_FOUND, Billed.NO, 1) == (failed.kind, failed.billed, fakes.count())


def test_limits_and_settings_are_sent(fakes: FakeProviders, caller: Caller) -> None:
    """
    The hold's limit of tokens is on the wire, and what the policy sets, whole numbers as such.
    """
    more = {"max_output_tokens": 77, "settings": {"temperature": 0.5, "top_p": 0.25, "top_k": 40.0}}
    caller.answer(ANTHROPIC.call(fakes, **more), False)
    body = asked(fakes)
    assert (77, 0.5, 0.25, 40) == (body["max_tokens"], body["temperature"], body["top_p"], body["top_k"])

    caller.answer(GOOGLE.call(fakes, **more), False)
    sent = asked(fakes)["generationConfig"]
    assert (77, 0.5, 0.25, 40) == (sent["maxOutputTokens"], sent["temperature"], sent["topP"], sent["topK"])


@both
@pytest.mark.parametrize("setting", ["max_tokens", "stream"])
def test_what_a_call_says_itself_can_not_be_set(
    fakes: FakeProviders, caller: Caller, route: Route, setting: str
) -> None:
    """
    A policy that sets what the hold or the way of reading relies on is told so.
    """
    failed = caller.failure(route.call(fakes, settings={setting: 1.0}), False)

    assert (FailureKind.INVALID_REQUEST, Billed.NO, 0) == (failed.kind, failed.billed, fakes.count())


def test_a_setting_that_google_does_not_know(fakes: FakeProviders, caller: Caller) -> None:
    """
    The SDK has a list of what can be set; what is not on it is the policy's mistake.
    """
    failed = caller.failure(GOOGLE.call(fakes, settings={"candidate_count": 2.0}), False)

    assert (FailureKind.INVALID_REQUEST, Billed.NO, 0) == (failed.kind, failed.billed, fakes.count())


# --- JSON -------------------------------------------------------------------------------------------------

TOOLS_ALONE = frozenset({"tools"})
NEITHER: frozenset[str] = frozenset()


@both
@plain_and_streamed
@pytest.mark.parametrize("can", [frozenset({"json_mode", "tools"}), TOOLS_ALONE], ids=["mode", "tool"])
def test_a_schema_is_met(
    fakes: FakeProviders, caller: Caller, route: Route, streamed: bool, can: frozenset[str]
) -> None:
    """
    By the provider's own form where the model has JSON mode, else by a tool that must be called, of which the
    caller sees nothing.
    """
    answer = caller.answer(route.call(fakes, schema=WEATHER, model={"capabilities": can}), streamed)

    assert "city" in json.loads(answer.text)
    assert () == answer.tool_calls
    body = asked(fakes)
    by_tool = can == TOOLS_ALONE
    assert by_tool == ("tools" in body)
    own = "output_config" in body or "responseJsonSchema" in body.get("generationConfig", {})
    assert by_tool != own


@both
def test_a_schema_is_told_in_words_where_there_is_no_other_way(
    fakes: FakeProviders, caller: Caller, route: Route
) -> None:
    """
    A model with neither JSON mode nor tools is told the schema, and its answer is checked.
    """
    fakes.reply("*", '{"city": "Oslo"}')
    call = route.call(fakes, schema=WEATHER, model={"capabilities": NEITHER})
    assert '{"city": "Oslo"}' == caller.answer(call, False).text
    assert '\\"required\\"' in json.dumps(asked(fakes))

    fakes.reply("*", "It rains.")
    failed = caller.failure(call, False)
    assert (FailureKind.BAD_RESPONSE, Billed.YES) == (failed.kind, failed.billed)


def test_a_schema_that_the_api_has_no_form_for(fakes: FakeProviders, caller: Caller) -> None:
    """
    A JSON Schema that Anthropic's own form can't say is told in words.
    """
    fakes.reply("*", "{}")
    caller.answer(ANTHROPIC.call(fakes, schema={"minProperties": 0}), False)

    assert "output_config" not in asked(fakes)
    assert "minProperties" in asked(fakes)["system"]


# --- what comes back --------------------------------------------------------------------------------------


@both
@plain_and_streamed
def test_tool_calls(fakes: FakeProviders, caller: Caller, route: Route, streamed: bool) -> None:
    """
    Calls of tools come with an id, a name and JSON arguments, none of which must be there.
    """
    fakes.reply(
        "*", Reply("I look.", tools=(Said("weather", {"city": "Oslo"}), Said("now", {})), finish="tools")
    )
    answer = caller.answer(route.call(fakes, tools=(TOOL,)), streamed)

    assert "I look." == answer.text
    assert "tool_calls" == answer.finish_reason
    assert ["weather", "now"] == [call.name for call in answer.tool_calls]
    assert [{"city": "Oslo"}, {}] == [json.loads(call.arguments or "{}") for call in answer.tool_calls]
    assert 2 == len({call.id for call in answer.tool_calls})


@both
@plain_and_streamed
def test_tokens(fakes: FakeProviders, caller: Caller, route: Route, streamed: bool) -> None:
    """
    Input is all input, what was cached too; output is all that is billed as such, thoughts too.
    """
    written = 20 if route is ANTHROPIC else 0
    said = Reply(
        "Fine.",
        thinking="Hm.",
        input_tokens=100,
        output_tokens=30,
        cached_tokens=50,
        cache_write_tokens=written,
        reasoning_tokens=10,
    )
    fakes.reply("*", said)
    answer = caller.answer(route.call(fakes), streamed)

    assert "Fine." == answer.text
    assert route.id.partition("/")[2] == answer.response_model
    expected = Tokens(input_tokens=100, output_tokens=30, cache_read_tokens=50, cache_write_tokens=written)
    assert expected == answer.tokens


# --- where it goes ----------------------------------------------------------------------------------------


@both
def test_no_variable_leads_a_key_elsewhere(
    fakes: FakeProviders, monkeypatch: pytest.MonkeyPatch, route: Route
) -> None:
    """
    Addresses, kinds of accounts and keys in the environment of the process don't count: the policy's do.
    """
    for name in ("ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL"):
        monkeypatch.setenv(name, fakes.refusing)
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "somebody-elses-key")
    for name in ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v9")
    caller = Caller()

    caller.answer(route.call(fakes), False)

    (seen,) = fakes.requests
    assert seen.sent_key(KEY)
    assert not seen.sent_key("somebody-elses-key")
    assert [] == caller.close()


@both
def test_without_its_key_nothing_is_sent(fakes: FakeProviders, route: Route) -> None:
    """
    A model whose key isn't set fails before anything leaves.
    """
    caller = Caller({"TEST_KEY": " "})
    failed = caller.failure(route.call(fakes), True)

    assert (FailureKind.AUTH, Billed.NO, 0) == (failed.kind, failed.billed, fakes.count())
    assert [] == caller.close()


@both
@plain_and_streamed
def test_a_key_does_not_follow_a_redirect(
    fakes: FakeProviders, caller: Caller, route: Route, streamed: bool
) -> None:
    """
    A server that sends a request elsewhere is believed nothing.
    """
    fakes.plan("*", "redirect:308")
    caller.failure(route.call(fakes), streamed)

    assert [] == [seen.path for seen in fakes.requests if seen.path.startswith("/elsewhere")]


@pytest.mark.parametrize("version", ["", "/v1beta", "/v1/"])
def test_geminis_address_may_have_its_version(fakes: FakeProviders, caller: Caller, version: str) -> None:
    """
    A server may be written with or without the version at its end.
    """
    caller.answer(GOOGLE.call(fakes, model={"server": fakes.base("google") + version}), False)

    expected = version.strip("/") or "v1beta"
    assert f"/{expected}/models/gemini-3.8-flash:generateContent" == fakes.requests[-1].path


@pytest.mark.parametrize("name", ["../../files", "a/b", "a?key=b", "", "x" * 129])
def test_a_model_of_googles_of_an_odd_name(fakes: FakeProviders, caller: Caller, name: str) -> None:
    """
    A name that would be another address is not asked for.
    """
    model = a_model(f"google/{name}", server=fakes.base("google"))
    failed = caller.failure(a_call(model), False)

    assert (FailureKind.NOT_FOUND, Billed.NO, 0) == (failed.kind, failed.billed, fakes.count())
