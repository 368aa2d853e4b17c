"""Which models can be called from here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from policyctl.providers.keys import available_models, program_on_path
from policyctl.schemas.policy import Model
from policyctl.schemas.text import Span

SECRET = "sk-not-to-be-seen"  # noqa: S105
A_SPAN = Span("loop.policy", 0, 0)


def a_model(key: str, *key_names: str, provider: str = "openai", server: str | None = None) -> Model:
    return Model(
        key=key,
        id=f"{provider}/{key}",
        provider=provider,
        price_in_nusd_per_mtok=0,
        price_out_nusd_per_mtok=0,
        capabilities=frozenset(),
        context_tokens=None,
        output_tokens=None,
        timeout_s=None,
        settings=(),
        aliases=(),
        key_names=key_names,
        server=server,
        enabled=True,
        span=A_SPAN,
        id_span=A_SPAN,
        costs_span=None,
    )


def installed(program: str, path: str) -> bool:
    return True


def not_installed(program: str, path: str) -> bool:
    return False


GPT = a_model("gpt", "OPENAI_API_KEY")
GEMINI = a_model("gemini", "GOOGLE_API_KEY", "GEMINI_API_KEY", provider="google")
LLAMA = a_model("llama", provider="ollama")
CLI = a_model("cli", provider="claude-code-cli")


class TestKeys:
    def test_present(self) -> None:
        """
        A model whose key is set is available, the others aren't.
        """
        assert {"gpt"} == available_models([GPT, GEMINI], {"OPENAI_API_KEY": SECRET})

    @pytest.mark.parametrize("name", ["GOOGLE_API_KEY", "GEMINI_API_KEY"])
    def test_any_name(self, name: str) -> None:
        """
        Any one of a model's key names will do.
        """
        assert {"gemini"} == available_models([GPT, GEMINI], {name: SECRET})

    @pytest.mark.parametrize("blank", ["", " ", "\t\n"])
    def test_blank(self, blank: str) -> None:
        """
        A key that is set to nothing isn't set.
        """
        assert set() == available_models([GPT], {"OPENAI_API_KEY": blank})

    def test_blank_and_set(self) -> None:
        """
        A blank name doesn't hide the other that is set.
        """
        environ = {"GOOGLE_API_KEY": "", "GEMINI_API_KEY": SECRET}

        assert {"gemini"} == available_models([GEMINI], environ)

    def test_no_key_needed(self) -> None:
        """
        A model that needs no key is available anywhere.
        """
        assert {"llama"} == available_models([GPT, LLAMA], {})

    def test_own_server(self) -> None:
        """
        A model with a server of its own needs a key only if it names one.
        """
        open_server = a_model("open", server="http://localhost:8000")
        locked_server = a_model("locked", "TEAM_KEY", server="http://localhost:8000")
        servers = [open_server, locked_server]

        assert {"open"} == available_models(servers, {})
        assert {"open", "locked"} == available_models(servers, {"TEAM_KEY": SECRET})

    def test_given_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Only the environment that was passed in counts.
        """
        monkeypatch.setenv("OPENAI_API_KEY", SECRET)

        assert set() == available_models([GPT], {})

    def test_silence(self, capsys: pytest.CaptureFixture[str]) -> None:
        """
        The value of a key is neither shown nor handed back.
        """
        answer = available_models([GPT], {"OPENAI_API_KEY": SECRET})

        assert SECRET not in repr(answer)
        assert ("", "") == capsys.readouterr()

    def test_nothing(self) -> None:
        """
        Of no models none is available.
        """
        assert set() == available_models([], {"OPENAI_API_KEY": SECRET})


class TestClaudeCode:
    def test_installed(self) -> None:
        """
        The CLI is available where its program is.
        """
        assert {"cli"} == available_models([CLI, GPT], {}, installed)
        assert set() == available_models([CLI, GPT], {}, not_installed)

    def test_key_too(self) -> None:
        """
        A CLI model that names a key needs both.
        """
        with_key = a_model("cli", "ANTHROPIC_API_KEY", provider="claude-code-cli")

        assert set() == available_models([with_key], {}, installed)
        assert {"cli"} == available_models([with_key], {"ANTHROPIC_API_KEY": SECRET}, installed)

    def test_asked_once(self) -> None:
        """
        The program `claude` is looked for in the given PATH, once, and only for a CLI model.
        """
        asked: list[tuple[str, str]] = []

        def has_program(program: str, path: str) -> bool:
            asked.append((program, path))
            return True

        available_models([LLAMA], {"PATH": "/somewhere"}, has_program)
        assert [] == asked

        available_models(
            [CLI, a_model("other", provider="claude-code-cli")], {"PATH": "/somewhere"}, has_program
        )
        assert [("claude", "/somewhere")] == asked

    def test_without_a_path(self) -> None:
        """
        An environment without PATH has no programs, whatever this process has.
        """
        assert set() == available_models([CLI], {})

    @pytest.mark.skipif(os.name == "nt", reason="programs are told by their suffix there")
    def test_program_on_path(self, tmp_path: Path) -> None:
        """
        Only a file that can be run is a program.
        """
        program = tmp_path / "claude"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o644)
        assert not program_on_path("claude", str(tmp_path))

        program.chmod(0o755)
        assert program_on_path("claude", str(tmp_path))
        assert not program_on_path("claude", "")
