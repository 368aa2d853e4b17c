"""
The Claude Code CLI as a model: it is asked for one answer, and can do nothing else.

It runs without a shell, tools, settings, memory, hooks and plugins, in `/`, with an environment that is
made anew, for one request to Anthropic. The prompt goes in on stdin and a system prompt through an open
file, since everybody on the machine can read what stands on a command line. What the program says is
looked at to tell what happened, and never repeated.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from ...schemas.calls import Answer, Call, Piece
from ...schemas.errors import ProviderError
from ...schemas.policy import FailureKind as Kind
from ...schemas.policy import Model
from ..keys import CLI_PROGRAM
from .base import NEEDS_NO_KEY, needed_key
from .bounds import bounded_pieces
from .checks import check_call
from .child import Child, TooMuchOutput, end_with_us
from .classify import failure, failure_of, unsent
from .claude_events import Events
from .parts import conversation, system_text, texts_of
from .wire import json_words

_MODEL: Final = re.compile(r"(?!-)[A-Za-z0-9._:/-]{1,128}")
_MOST_OUTPUT_BYTES: Final = 16 * 1024 * 1024
_EXIT_S: Final = 0.25

# What the program needs of the person's environment. Whoever calls it must not be found in it.
_INHERITED: Final = (
    "PATH HOME USER LANG LC_ALL TERM TMPDIR CLAUDE_CONFIG_DIR HTTPS_PROXY NO_PROXY NODE_EXTRA_CA_CERTS"
).split()
_LOGIN: Final = "CLAUDE_CODE_OAUTH_TOKEN"
_KEY: Final = "ANTHROPIC_API_KEY"

_ALWAYS: Final = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
    # One attempt is one request: no retry, no second way, and none that cost more than a hold covers.
    "CLAUDE_CODE_MAX_RETRIES": "0",
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    "DISABLE_PROMPT_CACHING": "1",
    # Without this, `@/some/file` in a prompt is replaced by what the file says.
    "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",
}

_FLAGS: Final = (
    "-p",
    "--output-format=stream-json",
    "--verbose",
    "--include-partial-messages",
    "--no-session-persistence",
    "--disable-slash-commands",
    "--strict-mcp-config",
    "--tools=",
    # It would ask again by itself after a cut-off or empty answer. Once anything is spent, it may not.
    "--max-budget-usd=0.000001",
)
_SYSTEM: Final = "You answer the request."


class ClaudeCli:
    """
    The adapter for `claude-code-cli/…`.

    A model without a `key` clause uses the program's own login; with one it uses that key, and no login.
    A model's `server` is where it asks, and never sees the login.

    Args:
        environ: where PATH, the keys and what the program needs are looked up.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._children: set[Child] = set()
        self._first_words: tuple[str, ...] | None = None

    async def complete(self, call: Call) -> Answer:
        """Ask once, and wait for the whole answer; see Adapter."""
        answer = None
        async with aclosing(self._bounded(call)) as pieces:
            async for piece in pieces:
                answer = piece.answer
        assert answer is not None, "the last piece holds the answer"
        return answer

    def stream(self, call: Call) -> AsyncIterator[Piece]:
        """Ask once, and hand over the answer as it comes; see Adapter."""
        return self._bounded(call)

    async def close(self) -> None:
        """End all children."""
        for child in tuple(self._children):
            await child.end()

    def _bounded(self, call: Call) -> AsyncGenerator[Piece, None]:
        return bounded_pieces(call, self._pieces(call), _failure_of)

    async def _pieces(self, call: Call) -> AsyncGenerator[Piece, None]:
        check_call(call)
        argv, prompt, system = self._program(call.model), _prompt(call), _system_prompt(call)
        if self._first_words is None:
            self._first_words = await end_with_us()
        with _in_memory(system) as file:
            child = await Child.start(
                (*self._first_words, *argv, *_system_flags(file)),
                environ=_environment(call, self._environ),
                cwd="/",
                stdin=prompt.encode(),
                most_bytes=_MOST_OUTPUT_BYTES,
                pass_fds=() if file is None else (file,),
            )
        self._children.add(child)
        patience_s = 0.0
        try:
            events = Events(call)
            while not events.over and (line := await child.line()) is not None:
                if text := events.take(line):
                    yield Piece(text)
            if not events.over:
                await child.ended_within(_EXIT_S)
            answer = events.answer(child.exit_code, bytes(child.errors))
            patience_s = _EXIT_S
            yield Piece(answer=answer)
        finally:
            await child.end(patience_s)
            self._children.discard(child)

    def _program(self, model: Model) -> list[str]:
        name = model.id.partition("/")[2]
        if not _MODEL.fullmatch(name):
            raise unsent(Kind.NOT_FOUND, "the Claude Code CLI has no model of such a name")
        path = shutil.which(CLI_PROGRAM, path=self._environ.get("PATH", ""))
        if path is None:
            raise unsent(Kind.NOT_FOUND, f"the program `{CLI_PROGRAM}` isn't on PATH")
        # Its bare mode knows no login, its safe mode does.
        mode = "--bare" if model.key_names or model.server else "--safe-mode"
        return [str(Path(path).absolute()), *_FLAGS, mode, f"--model={name}"]


# -- what the program is given ---------------------------------------------------------------------------


def _environment(call: Call, environ: Mapping[str, str]) -> dict[str, str]:
    model = call.model
    given = {name: environ[name] for name in _INHERITED if name in environ} | _ALWAYS
    given["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(call.max_output_tokens)
    given["API_TIMEOUT_MS"] = str(int(call.timeout_s * 1000) + 1000)  # ours comes first
    if "reasoning" not in model.capabilities:
        given["CLAUDE_CODE_DISABLE_THINKING"] = "1"
    if model.server is not None:
        given["ANTHROPIC_BASE_URL"] = model.server
    key = needed_key(model, environ)
    if key is not None:
        given[_KEY] = key
    elif model.server is not None:  # it may need no key, but the program does
        given[_KEY] = NEEDS_NO_KEY
    elif _LOGIN in environ:
        given[_LOGIN] = environ[_LOGIN]
    return given


def _prompt(call: Call) -> str:
    """
    The messages as one text.

    It starts with a new line: a text that starts with `/` would be a command to the program.
    """
    said = conversation(call.messages)
    if call.tools or any(message.tool_calls or message.role == "tool" for message in said):
        raise unsent(Kind.NOT_FOUND, "the Claude Code CLI takes no tools of others")
    texts = [(message.role, texts_of(message)) for message in said]
    if len(texts) == 1:
        return f"\n{texts[0][1]}"
    return "".join(f"\n{role.capitalize()}:\n{text}\n" for role, text in texts)


def _system_prompt(call: Call) -> str:
    wants_json = call.json_mode or call.schema is not None
    return system_text(call.messages, json_words(call) if wants_json else "")


def _system_flags(file: int | None) -> tuple[str, ...]:
    return (f"--system-prompt={_SYSTEM}",) if file is None else (f"--system-prompt-file=/dev/fd/{file}",)


@contextmanager
def _in_memory(text: str) -> Iterator[int | None]:
    """An open file without a name that holds a text; None for no text."""
    if not text:
        yield None
        return
    with _nameless_file() as file:
        file.write(text.encode())
        file.seek(0)  # writes out what is buffered, too
        yield file.fileno()


def _nameless_file() -> BinaryIO:
    """A file in memory on Linux; elsewhere one on disk that nobody else finds."""
    if in_memory := getattr(os, "memfd_create", None):
        return os.fdopen(in_memory("policyctl"), "w+b")
    return cast(BinaryIO, tempfile.TemporaryFile())


def _failure_of(error: BaseException) -> ProviderError:
    if isinstance(error, TooMuchOutput):
        return failure(Kind.BAD_RESPONSE, "the Claude Code CLI wrote more than any answer can hold")
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return unsent(Kind.NOT_FOUND, f"the program `{CLI_PROGRAM}` can't be run")
    return failure_of(error)
