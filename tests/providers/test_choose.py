"""Which adapter serves a model, and that nothing heavy is loaded before one does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from policyctl.providers.adapters import choose
from policyctl.providers.adapters.choose import Adapters, adapter_name, key_of
from policyctl.schemas.errors import Billed, PolicyctlError, ProviderError
from policyctl.schemas.policy import FailureKind

from .calls import a_call, a_model

LOCAL = "http://127.0.0.1:11434/v1"


@pytest.mark.parametrize(
    ("id", "server", "expected"),
    [
        ("openai/gpt-6-luna", None, "openai_sdk"),
        ("openai/gpt-6-luna", LOCAL, "openai_sdk"),
        ("deepseek/deepseek-flash", None, "openai_sdk"),
        ("ollama/qwen3-coder:30b", LOCAL, "openai_sdk"),
        ("ollama/qwen3-coder:30b", None, "through_litellm"),
        ("groq/llama-4", None, "through_litellm"),
        ("litellm/gpt-4o", None, "through_litellm"),
        ("litellm/ollama/qwen3", LOCAL, "through_litellm"),
        ("offline/any", None, "offline"),
    ],
)
def test_the_provider_says_who_serves(id: str, server: str | None, expected: str) -> None:
    """
    OpenAI, DeepSeek and servers of one's own by OpenAI's SDK; everybody else through LiteLLM.
    """
    assert expected == adapter_name(a_model(id, server=server), lambda _: True)


@pytest.mark.parametrize("id", ["openai/gpt-6-luna", "deepseek/deepseek-flash"])
def test_litellm_serves_where_the_sdk_is_missing(id: str) -> None:
    """
    Without the SDK its models go through LiteLLM.
    """
    assert "through_litellm" == adapter_name(a_model(id), lambda package: package == "litellm")


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where nothing that can serve a model is installed, the command that installs it is said.
    """
    monkeypatch.setattr(choose, "_installed", lambda _: False)

    with pytest.raises(PolicyctlError) as caught:
        Adapters({}).for_model(a_model("groq/llama-4", key="fast"))

    assert "calling `fast` needs litellm, which isn't installed: pip install 'policyctl[run]'" == str(
        caught.value
    )


def test_models_of_one_kind_share_an_adapter() -> None:
    """
    One adapter serves all models of its kind, until it is closed.
    """
    adapters = Adapters({})
    first = adapters.for_model(a_model("offline/a"))

    assert first is adapters.for_model(a_model("offline/b"))
    asyncio.run(adapters.close())
    assert first is not adapters.for_model(a_model("offline/a"))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"FIRST": " ", "SECOND": " two \n"}, "two"),
        ({"FIRST": "one", "SECOND": "two"}, "one"),
        ({"FIRST": "o\nne", "SECOND": "schlüssel"}, None),
    ],
)
def test_the_first_variable_that_holds_a_key_gives_it(environ: dict[str, str], expected: str | None) -> None:
    """
    A variable that is blank holds no key; blanks around one are no part of it.
    """
    assert expected == key_of(a_model(key_names=("FIRST", "SECOND")), environ)


@pytest.mark.parametrize("id", ["openai/gpt-6-luna", "litellm/gpt-4o", "litellm/anthropic/claude-haiku-5-5"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_key_that_is_not_set_is_told_unsent(id: str, streamed: bool) -> None:
    """
    Without its key a model isn't called: the failure says so, and nothing is billed.
    """
    model = a_model(id, key_names=("NO_SUCH_KEY",))

    async def ask() -> None:
        adapters = Adapters({})
        adapter = adapters.for_model(model)
        try:
            if streamed:
                async for _ in adapter.stream(a_call(model)):
                    pass
            else:
                await adapter.complete(a_call(model))
        finally:
            await adapters.close()

    with pytest.raises(ProviderError) as caught:
        asyncio.run(ask())

    failed = caught.value
    assert (FailureKind.AUTH, Billed.NO, "its key isn't set, or is none") == (
        failed.kind,
        failed.billed,
        failed.words,
    )


HEAVY = {
    "aiohttp",
    "anthropic",
    "asyncio",
    "google.genai",
    "httpx",
    "httpx2",
    "jsonschema",
    "litellm",
    "openai",
}


@pytest.mark.parametrize("use", ["", "; Adapters({}, offline=True)"])
def test_choosing_loads_nothing_heavy(use: str, tmp_path: Path) -> None:
    """
    Importing what chooses, and making it, loads no SDK, no HTTP client and no event loop.
    """
    code = (
        "import sys; from policyctl.providers.adapters.choose import Adapters"
        f"{use}; print(' '.join(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )

    assert set() == HEAVY & set(ran.stdout.split())


@pytest.mark.parametrize("settings", [{"n": 3.0}, {"max_tokens": 9e9}, {"Stream": 1.0}])
def test_the_policy_does_not_set_what_the_call_says(settings: dict[str, Any]) -> None:
    """
    A setting that would undo the limit the hold relies on is refused, unsent.
    """
    model = a_model("offline/a")

    with pytest.raises(ProviderError) as caught:
        asyncio.run(Adapters({}).for_model(model).complete(a_call(model, settings=settings)))

    assert (FailureKind.INVALID_REQUEST, Billed.NO) == (caught.value.kind, caught.value.billed)
