"""The scripted provider: it answers alike for like calls, and never repeats what it was asked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from policyctl.providers.adapters.choose import Adapters
from policyctl.providers.adapters.offline import Offline, load_script, read_script
from policyctl.schemas.calls import Answer, Call, Piece
from policyctl.schemas.errors import Billed, PolicyctlError, ProviderError
from policyctl.schemas.policy import FailureKind

from .calls import a_call, a_model


def scripted(*steps: dict[str, Any]) -> Offline:
    return Offline(read_script(json.dumps({"steps": steps})))


def complete(adapter: Offline, call: Call) -> Answer:
    return asyncio.run(adapter.complete(call))


def stream(adapter: Offline, call: Call) -> list[Piece]:
    async def collected() -> list[Piece]:
        return [piece async for piece in adapter.stream(call)]

    return asyncio.run(collected())


def failure(adapter: Offline, call: Call) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        complete(adapter, call)
    return caught.value


# --- without a script ----------------------------------------------------------------------------------


def test_the_same_call_gives_the_same_answer() -> None:
    """
    Two calls alike are answered alike, with the same tokens.
    """
    call = a_call(text="a secret thing")

    assert complete(Offline(), call) == complete(Offline(), call)


def test_the_plain_answer_does_not_repeat_the_prompt() -> None:
    """
    The answer without a script names the model, and nothing of what was asked.
    """
    answer = complete(Offline(), a_call(a_model("offline/quick"), text="zebra"))

    assert "An offline answer in place of offline-quick." == answer.text
    assert "stop" == answer.finish_reason


def test_tokens_are_counted_by_characters() -> None:
    """
    Four characters make a token, rounded up.
    """
    tokens = complete(Offline(), a_call(text="x" * 41)).tokens

    assert tokens is not None
    assert (11, 11) == (tokens.input_tokens, tokens.output_tokens)


def test_json_is_answered_with_json() -> None:
    """
    Without a script, a call for JSON gets JSON, and a schema gets a value that follows it.
    """
    schema = {
        "type": "object",
        "required": ["name", "score", "kind", "tags"],
        "properties": {
            "name": {"type": "string"},
            "score": {"type": "integer", "minimum": 3},
            "kind": {"enum": ["bug", "feature"]},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1},
        },
        "$defs": {"tag": {"type": "boolean"}},
    }

    assert {"answer"} == set(json.loads(complete(Offline(), a_call(json_mode=True)).text))
    assert {"name": "", "score": 3, "kind": "bug", "tags": [False]} == json.loads(
        complete(Offline(), a_call(schema=schema)).text
    )


def test_a_stream_ends_with_the_whole_answer() -> None:
    """
    The pieces put together are the answer's text, and the last one holds the answer.
    """
    pieces = stream(Offline(), a_call())

    assert pieces[-1].answer is not None
    assert pieces[-1].answer.text == "".join(piece.text for piece in pieces)
    assert len(pieces) > 2


# --- with a script -------------------------------------------------------------------------------------


def test_the_first_step_that_fits_and_is_left_answers() -> None:
    """
    Steps are looked at from the top; one with `times` is used up after as many calls.
    """
    adapter = scripted(
        {"model": "other-*", "text": "for others"},
        {"model": "offline-*", "times": 1, "text": "once"},
        {"text": "always"},
    )

    assert ["once", "always", "always"] == [complete(adapter, a_call()).text for _ in range(3)]


def test_a_step_says_tools_tokens_and_why_it_ended() -> None:
    """
    What a step says is what the answer holds.
    """
    adapter = scripted(
        {"tool_calls": [{"name": "look", "arguments": {"at": 1}}], "tokens": {"input": 7, "output": 2}}
    )
    answer = complete(adapter, a_call())

    assert [("call_1", "look", '{"at": 1}')] == [(t.id, t.name, t.arguments) for t in answer.tool_calls]
    assert answer.tokens is not None
    assert (7, 2, "tool_calls") == (
        answer.tokens.input_tokens,
        answer.tokens.output_tokens,
        answer.finish_reason,
    )


@pytest.mark.parametrize("kind", FailureKind)
def test_a_step_fails_in_each_kind(kind: FailureKind) -> None:
    """
    `fail` names a kind of failure, and the failure carries what the step says of it.
    """
    failed = failure(scripted({"fail": kind.value, "retry_after_s": 2.5}), a_call())

    assert (kind, 2.5) == (failed.kind, failed.retry_after_s)


def test_a_stream_fails_after_its_pieces() -> None:
    """
    A step with pieces and `fail` hands the pieces over first.
    """
    adapter = scripted({"pieces": ["half ", "of"], "fail": "connection"})
    seen: list[str] = []

    async def read() -> None:
        async for piece in adapter.stream(a_call()):
            seen.append(piece.text)

    with pytest.raises(ProviderError) as caught:
        asyncio.run(read())

    assert ["half ", "of"] == seen
    assert (FailureKind.CONNECTION, Billed.UNKNOWN) == (caught.value.kind, caught.value.billed)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_delay_is_cut_at_the_time_allowed(streamed: bool) -> None:
    """
    A step that takes longer than its call may fails by timeout, streamed or not.
    """
    adapter = scripted({"delay_s": 60, "text": "late"})
    call = a_call(timeout_s=0.05)

    with pytest.raises(ProviderError) as caught:
        (stream if streamed else complete)(adapter, call)

    assert FailureKind.TIMEOUT == caught.value.kind


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ({"text": ""}, FailureKind.BAD_RESPONSE),
        ({"text": "  "}, FailureKind.BAD_RESPONSE),
        ({"text": "cut o", "finish_reason": "length"}, FailureKind.BAD_RESPONSE),
        ({"text": "no", "finish_reason": "content_filter"}, FailureKind.CONTENT_FILTER),
    ],
)
def test_an_answer_that_is_none_is_a_failure_and_billed(step: dict[str, Any], kind: FailureKind) -> None:
    """
    Empty, cut off, declined: a failure whose tokens are told, since they are paid for.
    """
    failed = failure(scripted(step), a_call())

    assert (kind, Billed.YES) == (failed.kind, failed.billed)
    assert failed.tokens is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", '"steps"'),
        ("[]", '"steps"'),
        ('{"steps": 3}', '"steps"'),
        ('{"steps": [], "more": 1}', '"steps"'),
        ('{"steps": [3]}', "step 1 is no JSON object"),
        ('{"steps": [{"txt": "x"}]}', "unknown field `txt`"),
        ('{"steps": [{"text": "x"}, {"times": true}]}', "step 2: `times`"),
        ('{"steps": [{"times": -1}]}', "between 0 and 86400"),
        ('{"steps": [{"fail": "broken"}]}', "`fail` is one of rate_limit"),
        ('{"steps": [{"pieces": [1]}]}', "`pieces` are texts"),
        ('{"steps": [{"tool_calls": [1]}]}', "a tool call"),
        ('{"steps": [{"tokens": {"input": 1}}]}', "`tokens` are two"),
    ],
)
def test_a_script_that_is_wrong_says_where(text: str, words: str) -> None:
    """
    What isn't a script is told with the step and the field.
    """
    with pytest.raises(PolicyctlError) as caught:
        read_script(text)

    assert words in str(caught.value)


def test_a_script_that_is_not_there_says_so(tmp_path: Path) -> None:
    """
    A file that can't be read is named.
    """
    with pytest.raises(PolicyctlError, match=r"nowhere\.json: the script can't be read"):
        load_script(tmp_path / "nowhere.json")


# --- chosen ------------------------------------------------------------------------------------------------


def test_offline_serves_every_model(tmp_path: Path) -> None:
    """
    Under `--offline` the script answers for all models; POLICYCTL_OFFLINE_SCRIPT names it.
    """
    script = tmp_path / "script.json"
    script.write_text('{"steps": [{"model": "openai-*", "text": "scripted"}]}', encoding="utf-8")
    adapters = Adapters({"POLICYCTL_OFFLINE_SCRIPT": str(script)}, offline=True)
    call = a_call(a_model("openai/gpt-5.4-mini"))

    assert "scripted" == asyncio.run(adapters.for_model(call.model).complete(call)).text
