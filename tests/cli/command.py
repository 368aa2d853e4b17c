"""The command as a person runs it: words in; an exit code, stdout and stderr out."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from policyctl.cli import __main__ as entry

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLES = CHECKOUT / "examples"
ENTRY = "from policyctl.cli.__main__ import run; run()"
PLAIN = {"COLUMNS": None, "TERM": "xterm-256color"}
"""What the layout and the colours depend on, unless a test says otherwise."""

MONDAY_10 = "2026-01-05T10:00"
MONDAY_20 = "2026-01-05T20:00"


@dataclass(frozen=True)
class Ran:
    """
    How a run of the command ended.
    """

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """
        What stdout holds, read as JSON.
        """
        return json.loads(self.out)


class Screen(io.TextIOWrapper):
    """
    A stream that remembers what is written, and may say that it is a terminal.
    """

    def __init__(self, *, terminal: bool, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n", write_through=True)
        self.terminal = terminal

    def isatty(self) -> bool:
        """
        Whether this is a terminal.
        """
        return self.terminal

    def text(self) -> str:
        """
        Everything written so far.
        """
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding)


def call(
    *words: str,
    at: Path,
    env: Mapping[str, str] | None = None,
    terminal: bool = False,
    encoding: str = "utf-8",
) -> Ran:
    """
    Run the command in this process, through its entry point, in some folder.
    """
    out, err = (Screen(terminal=terminal, encoding=encoding) for _ in range(2))
    code = 0
    with (
        chdir(at),
        changed_environment({**PLAIN, **(env or {})}),
        patch.object(sys, "argv", ["policyctl", *words]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            entry.run()
        except SystemExit as end:
            code = int(end.code or 0)
    return Ran(code, out.text(), err.text())


def changed_environment(changes: Mapping[str, str | None]) -> Any:
    """
    Set variables, or with None take them away, and put all back at the end.
    """
    kept = {name: value for name, value in os.environ.items() if name not in changes}
    return patch.dict(os.environ, {**kept, **{k: v for k, v in changes.items() if v is not None}}, clear=True)


def spawn(
    *words: str, at: Path, env: Mapping[str, str] | None = None, code: str = ENTRY, encoding: str = "utf-8"
) -> Ran:
    """
    Run the command in a process of its own.
    """
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=at,
        env={**without_columns(), "PYTHONIOENCODING": encoding, **(env or {})},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding))


def without_columns() -> dict[str, str]:
    """
    The environment of this process, but what says how wide a terminal is.
    """
    return {name: value for name, value in os.environ.items() if name != "COLUMNS"}


def copy_of_loop(to: Path) -> Path:
    """
    Copy examples/claude-loop to a checkout of its own, so that nothing above it is found.
    """
    folder = to / "claude-loop"
    shutil.copytree(EXAMPLES / "claude-loop", folder)
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/feature/orders\n", encoding="utf-8")
    return folder


def chain_of(ran: Ran) -> list[str]:
    """
    The chain that `select` prints, or that JSON has.
    """
    if ran.out.startswith("{"):
        chain: list[str] = ran.json["chain"]
        return chain
    lines = dict(line.split(": ", 1) for line in ran.out.splitlines())
    return lines["Fallback chain"].split(" -> ")
