"""The fake provider of Anthropic, held to the real Claude Code CLI."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from .clients import KEY
from .fake_providers import FakeProviders

MODEL = "claude-haiku-5-5"


def told(claude: Path, base: str, home: Path) -> dict[str, Any]:
    """
    What the CLI tells of one prompt, as JSON; it retries nothing, and knows nothing of this machine.
    """
    env = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": base,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "DISABLE_AUTOUPDATER": "1",
    }
    words = ["--output-format", "json", "--model", MODEL, "--bare", "--no-session-persistence"]
    done = subprocess.run(
        [claude, "-p", *words], input=b"hi", env=env, cwd=home, capture_output=True, timeout=60, check=False
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_reads_a_streamed_answer(fakes: FakeProviders, claude_cli: Path, tmp_path: Path) -> None:
    """
    The CLI asks whether somebody is there, sends its prompt, and understands text and tokens.
    """
    fakes.reply(MODEL, "hello from a model")
    found = told(claude_cli, fakes.base("anthropic"), tmp_path)
    (call,) = [seen for seen in fakes.requests if seen.model]

    assert (False, "hello from a model", 5) == (
        found["is_error"],
        found["result"],
        found["usage"]["output_tokens"],
    )
    assert (MODEL, True, True) == (call.model, call.stream, call.sent_key(KEY))


def test_it_tells_an_error(fakes: FakeProviders, claude_cli: Path, tmp_path: Path) -> None:
    """
    An error of the provider is told with its status, after one request.
    """
    fakes.plan(MODEL, "overloaded")
    found = told(claude_cli, fakes.base("anthropic"), tmp_path)

    assert (True, 529, 1) == (found["is_error"], found["api_error_status"], fakes.count())
