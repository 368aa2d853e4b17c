"""The real Claude Code CLI as a model, asking the fake provider of Anthropic."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policyctl.providers.adapters.claude_cli import ClaudeCli
from policyctl.providers.sizes import most_input_tokens
from policyctl.schemas.calls import Answer, Call, Message, Piece, Tokens
from policyctl.schemas.errors import Billed, ProviderError
from policyctl.schemas.policy import FailureKind

from ..servers.fake_providers import FakeProviders, Reply
from .calls import a_call, a_model

KEY = "sk-ant-not-for-others"
PROMPT = "the prompt is for nobody else"
MODEL = "claude-haiku-5-5"
LATE_S = 0.5
SLOW_START_S = 5.0
"""The program has asked by then, on a busy machine too."""

SOAK = bool(os.environ.get("POLICYCTL_SOAK"))
"""The program takes a good half second of CPU time a run, so most faults are tried by `make soak` alone."""

slow = pytest.mark.skipif(not SOAK, reason="tried by `make soak`")


@pytest.fixture
def environ(claude_cli: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """
    Where the program is found; after the test nothing on disk may tell of key or prompt.
    """
    home = tmp_path / "home"
    home.mkdir()
    yield {"PATH": f"{claude_cli.parent}:/usr/bin:/bin", "HOME": str(home), "TEST_KEY": KEY}
    kept = "\n".join(path.read_text(errors="replace") for path in home.rglob("*") if path.is_file())
    assert [] == [secret for secret in (KEY, PROMPT) if secret in kept]


def a_cli_call(fakes: FakeProviders, faults: str = "", **fields: Any) -> Call:
    server = fakes.base("anthropic", faults)
    plain = {"server": server, "key_names": ("TEST_KEY",), "capabilities": frozenset()}
    model = a_model(f"claude-code-cli/{MODEL}", **plain)
    return a_call(model, **{"text": PROMPT, "timeout_s": 30.0, **fields})


def complete(environ: dict[str, str], call: Call) -> Answer:
    return asyncio.run(ClaudeCli(environ).complete(call))


def failure(environ: dict[str, str], call: Call) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        complete(environ, call)
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)
    return caught.value


def asked(fakes: FakeProviders) -> list[Any]:
    """
    The bodies of the requests that ask a model something.
    """
    return [seen.body for seen in fakes.requests if seen.model]


def test_it_answers(fakes: FakeProviders, environ: dict[str, str]) -> None:
    """
    One request with the whole of it: the policy's key, limit and system prompt, no tools and no cache; the
    text is handed over as it comes.
    """
    fakes.reply(MODEL, Reply("one two three", input_tokens=1_000, output_tokens=20))
    messages = (Message("system", "Be short."), Message("user", PROMPT))
    call = a_cli_call(fakes, messages=messages, max_output_tokens=77)

    async def ask() -> list[Piece]:
        return [piece async for piece in ClaudeCli(environ).stream(call)]

    *pieces, last = asyncio.run(ask())
    answer = last.answer

    assert answer is not None
    assert len(pieces) >= 2
    assert "one two three" == answer.text == "".join(piece.text for piece in pieces)
    assert ("stop", MODEL) == (answer.finish_reason, answer.response_model)
    assert isinstance(answer.tokens, Tokens)
    assert (1_000, 20) == (answer.tokens.input_tokens, answer.tokens.output_tokens)
    assert (answer.tokens.cost_nusd or 0) > 0
    (body,) = asked(fakes)
    assert 77 == body["max_tokens"]
    assert "Be short." in [block["text"] for block in body["system"]]
    assert [] == body["tools"]
    assert "cache_control" not in json.dumps(body)
    assert any(seen.sent_key(KEY) for seen in fakes.requests)


def test_a_hold_covers_what_the_program_adds(fakes: FakeProviders, environ: dict[str, str]) -> None:
    """
    What it says to the model beside the prompt is less than a hold is made for, of which a byte is a token.
    """
    fakes.reply(MODEL, "hello there")
    call = a_cli_call(fakes)
    complete(environ, call)

    (body,) = asked(fakes)
    texts = [*body["system"], *(block for message in body["messages"] for block in message["content"])]
    sent = sum(len(block["text"].encode()) for block in texts)
    assert sent < most_input_tokens(call.model, call.messages)


def test_with_the_programs_own_login(
    fakes: FakeProviders, environ: dict[str, str], claude_cli: Path, tmp_path: Path
) -> None:
    """
    Without a key the login is used, which the program alone knows how to; a key in the environment isn't.
    """
    between = tmp_path / "claude"  # the login is for Anthropic's own address: this puts the fake one there
    between.write_text(f'#!/bin/sh\nANTHROPIC_BASE_URL={fakes.base("anthropic")} exec {claude_cli} "$@"\n')
    between.chmod(0o755)
    login = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "CLAUDE_CODE_OAUTH_TOKEN": "a-login",
        "ANTHROPIC_API_KEY": KEY,
    }
    fakes.reply(MODEL, "hello there")
    secret = tmp_path / "secret.txt"
    secret.write_text("what only the file says")
    call = a_call(a_model(f"claude-code-cli/{MODEL}"), text=f"/clear @{secret}", timeout_s=30.0)

    assert "hello there" == complete({**environ, **login}, call).text
    (body,) = asked(fakes)
    assert "what only the file says" not in json.dumps(body)
    assert not any(seen.sent_key(KEY) for seen in fakes.requests)


def test_a_prompt_is_text_and_nothing_else(
    fakes: FakeProviders, environ: dict[str, str], tmp_path: Path
) -> None:
    """
    A prompt that would be a command, or that names a file of this machine, is sent as it stands.
    """
    secret = tmp_path / "secret.txt"
    secret.write_text("what only the file says")
    prompt = f"/clear @{secret} and ! cat {secret}"
    fakes.reply(MODEL, "hello there")

    complete(environ, a_cli_call(fakes, text=prompt))

    (body,) = asked(fakes)
    assert prompt in json.dumps(body)
    assert "what only the file says" not in json.dumps(body)


K, B = FailureKind, Billed


QUICK = [
    ("bad_key", K.AUTH, B.NO),
    ("reset_mid", K.CONNECTION, B.UNKNOWN),
    ("length", K.BAD_RESPONSE, B.YES),
    ("content_filter_finish", K.CONTENT_FILTER, B.YES),
]
SLOW = [
    ("context_length", K.CONTEXT_WINDOW, B.NO),
    ("overloaded", K.OVERLOADED, B.NO),
    ("rate_limit", K.RATE_LIMIT, B.NO),
    ("quota", K.QUOTA, B.NO),
    ("server_error", K.SERVER_ERROR, B.NO),
    ("bad_gateway", K.SERVER_ERROR, B.UNKNOWN),
    ("unavailable", K.OVERLOADED, B.NO),
    ("gateway_timeout", K.TIMEOUT, B.UNKNOWN),
    ("auth", K.AUTH, B.NO),
    ("permission", K.AUTH, B.NO),
    ("bad_request", K.INVALID_REQUEST, B.NO),
    ("status:413", K.CONTEXT_WINDOW, B.NO),
    ("reset", K.CONNECTION, B.UNKNOWN),
    ("eof", K.CONNECTION, B.UNKNOWN),
    ("eof_mid", K.CONNECTION, B.UNKNOWN),
    ("empty_body", K.CONNECTION, B.UNKNOWN),
    ("no_finish", K.CONNECTION, B.UNKNOWN),
    ("stream_error", K.OVERLOADED, B.UNKNOWN),
    ("empty_text", K.BAD_RESPONSE, B.YES),
    ("empty_choices", K.BAD_RESPONSE, B.YES),
]


@pytest.mark.parametrize(
    ("fault", "kind", "billed"), QUICK + (SLOW if os.environ.get("POLICYCTL_SOAK") else [])
)
def test_a_fault(
    fakes: FakeProviders, environ: dict[str, str], fault: str, kind: FailureKind, billed: Billed
) -> None:
    """
    Each fault has its kind, after one request: neither a retry, nor another question after half an answer.
    """
    failed = failure(environ, a_cli_call(fakes, fault))

    assert (kind, billed) == (failed.kind, failed.billed)
    assert 1 == len(asked(fakes))


@slow
def test_a_model_that_is_not_there(fakes: FakeProviders, environ: dict[str, str]) -> None:
    """
    The program asks a second time after a 404, whatever it is told; neither is billed.
    """
    failed = failure(environ, a_cli_call(fakes, "not_found"))

    assert (K.NOT_FOUND, B.NO, 404) == (failed.kind, failed.billed, failed.status)
    assert len(asked(fakes)) <= 2


@slow
def test_nobody_at_the_address(fakes: FakeProviders, environ: dict[str, str]) -> None:
    """
    A refused connection is told as such, and costs nothing.
    """
    call = a_cli_call(fakes)
    model = replace(call.model, server=fakes.refusing)
    failed = failure(environ, replace(call, model=model))

    assert (K.CONNECTION, B.NO) == (failed.kind, failed.billed)


def test_without_a_login(environ: dict[str, str]) -> None:
    """
    A program that isn't logged in says so, and asks nobody.
    """
    failed = failure(environ, a_call(a_model(f"claude-code-cli/{MODEL}"), timeout_s=30.0))

    assert (K.AUTH, B.NO) == (failed.kind, failed.billed)


@pytest.mark.parametrize("fault", ["hang", "slow_drip"] if SOAK else ["slow_drip"])
def test_the_deadline(fakes: FakeProviders, environ: dict[str, str], fault: str) -> None:
    """
    A provider that never answers ends with the program, and the server sees the connection closed.
    """
    began = time.monotonic()
    failed = failure(environ, a_cli_call(fakes, fault, timeout_s=SLOW_START_S))

    assert (K.TIMEOUT, B.UNKNOWN) == (failed.kind, failed.billed)
    assert time.monotonic() - began < SLOW_START_S + LATE_S
    fakes.wait_idle()
    assert ["client_closed"] == [seen.outcome for seen in fakes.requests if seen.model]
