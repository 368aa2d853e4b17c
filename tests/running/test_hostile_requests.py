"""Requests that others have written: each is answered, or an error names what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policyctl import LedgerError, RequestError
from policyctl.router import Router

from .test_cut_short import MONEY
from .world import CHAIN, POLICY, a_router

CALL = {"id": "1", "function": {"name": "look", "arguments": "{}"}}


def user(content: object, **more: object) -> list[dict[str, object]]:
    """
    A conversation of one message.
    """
    return [{"role": "user", "content": content, **more}]


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (None, "a text or a list of messages"),
        (3, "a text or a list of messages"),
        (b"x", "a text or a list of messages"),
        ({"role": "user", "content": "x"}, "a text or a list of messages"),
        ("", "the prompt is empty"),
        (" \n", "the prompt is empty"),
        ([], "the prompt is empty"),
        (["x"], "message 1 is no message"),
        ([*user("x"), None], "message 2 is no message"),
        (user(b"ab"), "message 1 has no role, or no content"),
        (user({"type": "text"}), "message 1 has no role, or no content"),
        (user(["x"]), "message 1 has a part that is no JSON object"),
        (user([{"type": "text", "text": {1, 2}}]), "message 1 has a part that is no JSON object"),
        (user([{"type": "text", "text": float("nan")}]), "message 1 has a part that is no JSON object"),
        (user([{"type": "text", "text": "\ud800"}]), "message 1 has a part that is no JSON object"),
        ("half a pair \ud800", "message 1 holds characters that no text has"),
        (user("x", tool_calls=3), "message 1 has `tool_calls` that are no list"),
        (user("x", tool_calls=["x"]), "message 1 has a tool call that is none"),
        (user("x", tool_calls=[{"id": "1"}]), "message 1 has a tool call that is none"),
        (user("x", tool_calls=[{"id": "1", "function": {}}]), "message 1 has a tool call that is none"),
        (user("x", tool_calls=[{**CALL, "id": None}]), "message 1 has a tool call that is none"),
        (user("x", tool_call_id=3), "message 1 has a `tool_call_id` that is no text"),
    ],
)
def test_a_prompt_that_is_none_is_named(tmp_path: Path, prompt: Any, words: str) -> None:
    """
    Messages of whatever shape are sent or refused with their place; they never crash the router.
    """
    with a_router(tmp_path) as router, pytest.raises(RequestError, match=words):
        router.complete(prompt, complexity=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("deadline_s", value) for value in (float("nan"), float("inf"), -1, 0, "9", None, True)),
        *(("max_output_tokens", value) for value in (-5, 0, True, "7", 1.5, float("nan"), 10**30)),
        *(("schema", value) for value in ([1], {"a": {1}}, "x")),
        *(("gates", value) for value in ({"a": 3}, ["a"])),
        *(("story_id", value) for value in (3, "\ud800")),
        *(("iteration", value) for value in (-1, "x", True, 10**30)),
        ("request_id", 5),
        ("run_id", b"x"),
    ],
)
def test_terms_that_cannot_be_are_named(tmp_path: Path, name: str, value: Any) -> None:
    """
    Terms that no request can be held to, such as a deadline that never comes, are errors that name them.
    """
    with a_router(tmp_path, MONEY, money=True) as router, pytest.raises(RequestError, match=f"`{name}`"):
        router.complete("hello", complexity=1, **{name: value})


@pytest.mark.parametrize("tools", [3, "x", {}, [1], [{}], [{"a": {1}}]])
def test_tools_that_are_none_are_named(tmp_path: Path, tools: Any) -> None:
    """
    So are tools.
    """
    if tools == {}:
        tools = {"type": "function"}
    with a_router(tmp_path) as router, pytest.raises(RequestError, match="tool"):
        router.complete("hello", complexity=1, tools=tools)


def test_a_stream_cannot_be_checked_or_kept(tmp_path: Path) -> None:
    """
    Gates, and a file that keeps the answer, would be of no effect on a stream: asking for them is an error.
    """
    with a_router(tmp_path) as router:
        with pytest.raises(RequestError, match="handed over before"):
            list(router.stream("hello", complexity=1, gates={"tests": lambda answer: False}))
        with pytest.raises(RequestError, match="handed over before"):
            list(router.stream("hello", complexity=1, keep=tmp_path / "answer.json"))


def test_an_id_names_one_request(tmp_path: Path) -> None:
    """
    A second request of the same name would be paid for and not counted, so it isn't sent.
    """
    with a_router(tmp_path, MONEY, money=True) as router:
        router.complete("hello", complexity=1, request_id="US-1")
        told: list[object] = []
        with pytest.raises(LedgerError, match="`US-1` was sent before"):
            router.complete("hello", complexity=1, request_id="US-1", observe=told.append)

    assert [] == told


def test_an_answer_may_hold_half_a_character(tmp_path: Path) -> None:
    """
    What a model answers is handed on as it is, also to a gate.
    """
    from policyctl.providers.command_gate import CommandGate

    gate = CommandGate("grep -q yes", {"PATH": "/usr/bin:/bin"}, tmp_path)
    with a_router(tmp_path, steps=[{"text": "yes \ud800"}]) as router:
        assert "yes \ud800" == router.complete("hello", complexity=1, gates={"tests": gate}).text


def test_a_gate_that_cannot_be_run_is_no_failed_gate(tmp_path: Path) -> None:
    """
    A check that can't even start says nothing of the answer: no dearer model is asked because of it.
    """
    from policyctl.providers.command_gate import CommandGate

    script = tmp_path / "check"
    script.write_text("exit 0\n", encoding="utf-8")
    script.chmod(0o755)
    gate = CommandGate(str(script), {"PATH": ""}, tmp_path)
    policy = CHAIN + "escalate to next tier when gate tests fails\n"
    with a_router(tmp_path, policy) as router, pytest.raises(RequestError, match="can't be run"):
        router.complete("hello", complexity=1, gates={"tests": gate})


@pytest.mark.parametrize("amount", ["2,50", "1_0", "1e3", "nan", "-1", "inf", "$", "٣", "9" * 30])
def test_a_monthly_limit_that_may_mean_two_things_is_none(tmp_path: Path, amount: str) -> None:
    """
    MONTHLY_COST_BUDGET is an amount in dollars, and where it may mean another one, an error.
    """
    file = tmp_path / "small.policy"
    file.write_text(POLICY, encoding="utf-8")
    with pytest.raises(RequestError, match="is no amount of money"):
        Router.load(file, ledger=None, environ={"MONTHLY_COST_BUDGET": amount}, offline=True)


def test_a_script_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    """
    Offline, a script that can't be read is an error before anything is asked.
    """
    from policyctl import PolicyctlError

    file = tmp_path / "small.policy"
    file.write_text(POLICY, encoding="utf-8")
    with pytest.raises(PolicyctlError, match="the script can't be read"):
        Router.load(file, ledger=None, environ={}, offline=tmp_path / "nowhere.json")


def test_a_long_prompt_is_answered(tmp_path: Path) -> None:
    """
    A prompt of some megabytes goes to a model that has room for it, and to nobody else.
    """
    policy = CHAIN.replace("context 16k", "context 4000k")
    with a_router(tmp_path, policy, [{"text": json.dumps(["yes"])}]) as router:
        assert "large" == router.complete("word " * 2**20, complexity=1).model
