"""
Programs that stand in for the Claude Code CLI: each writes what it was given, and then does as it is told.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "claude"

_START = """#!{python} -I
import json, os, signal, subprocess, sys, time

with open({given!r}, "a") as file:
    said = {{
        "pid": os.getpid(),
        "argv": sys.argv,
        "environ": dict(os.environ),
        "cwd": os.getcwd(),
    }}
    if os.path.isdir("/proc/self/fd"):
        said["files"] = [int(name) for name in os.listdir("/proc/self/fd")]
    if {reads!r}:
        said["stdin"] = sys.stdin.read()
        for word in sys.argv:
            if word.startswith("--system-prompt-file="):
                with open(word.partition("=")[2]) as system:
                    said["system"] = system.read()
    file.write(json.dumps(said) + "\\n")

def say(*events):
    for event in events:
        print(json.dumps(event), flush=True)

"""


@dataclass(frozen=True, slots=True)
class StandIn:
    """
    A program of the name `claude` in a folder of its own.
    """

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        """
        The environment in which it is found.
        """
        return {"PATH": f"{self.folder}:/usr/bin:/bin", "HOME": str(self.folder)}

    @property
    def given(self) -> list[dict[str, Any]]:
        """
        What each of its runs was given, oldest first.
        """
        told = self.folder / "given.jsonl"
        return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []

    def left_over(self, within_s: float = 1.0) -> list[int]:
        """
        The process groups of its runs in which somebody still lives, after some time to be gone.
        """
        end = time.monotonic() + within_s
        while (alive := [run["pid"] for run in self.given if _lives(run["pid"])]) and time.monotonic() < end:
            time.sleep(0.02)
        return alive


def _lives(group: int) -> bool:
    """
    Whether somebody of a process group lives; a zombie doesn't, though it may wait long to be buried.
    """
    processes = Path("/proc")
    if not (processes / "self" / "stat").exists():
        with suppress(ProcessLookupError):
            os.killpg(group, 0)
            return True
        return False
    for stat in processes.glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, of_group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(of_group) == group and state != "Z":
                return True
    return False


def stand_in(folder: Path, body: str, *, reads: bool = True) -> StandIn:
    """
    Make a program that does what some lines of Python say.
    """
    start = _START.format(python=sys.executable, given=str(folder / "given.jsonl"), reads=reads)
    return _program(folder, start + body)


def shell_stand_in(folder: Path, *events: dict[str, Any]) -> StandIn:
    """
    Make a program that only says some events: it starts much faster.
    """
    lines = "\n".join(json.dumps(event) for event in events)
    return _program(folder, f"#!/bin/sh\ncat > /dev/null\ncat <<'EOF'\n{lines}\nEOF\n")


def _program(folder: Path, text: str) -> StandIn:
    program = folder / NAME
    program.write_text(text)
    program.chmod(0o755)
    return StandIn(folder)


# --- what the program says -------------------------------------------------------------------------------


def started(**usage: Any) -> dict[str, Any]:
    """
    The event with which an answer begins.
    """
    counted = {"input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 3} | usage
    message = {"model": "claude-sonnet-5-5", "usage": {**counted, "output_tokens": 1}}
    return _api({"type": "message_start", "message": message})


def text(words: str) -> dict[str, Any]:
    """
    A part of the answer's text.
    """
    return _api({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}})


def stopped(reason: str = "end_turn", output_tokens: Any = 7) -> dict[str, Any]:
    """
    The event with which an answer ends.
    """
    delta = {"stop_reason": reason, "stop_sequence": None}
    return _api({"type": "message_delta", "delta": delta, "usage": {"output_tokens": output_tokens}})


def result(**fields: Any) -> dict[str, Any]:
    """
    The last line: the program stops itself once anything is spent, so it is an error after a good answer too.
    """
    plain = {
        "type": "result",
        "subtype": "error_max_budget_usd",
        "is_error": True,
        "total_cost_usd": 0.00014775,
    }
    return plain | fields


def failed(text: str, status: int | None = None, error: str = "unknown") -> list[dict[str, Any]]:
    """
    What it says where there is no answer.
    """
    said = {"model": "<synthetic>", "content": [{"type": "text", "text": text}]}
    last = {"subtype": "success", "api_error_status": status, "result": text, "total_cost_usd": 0}
    return [{"type": "assistant", "message": said, "error": error}, result(**last)]


def _api(event: dict[str, Any]) -> dict[str, Any]:
    return {"type": "stream_event", "event": event}


HELLO = [
    {"type": "system", "subtype": "init", "tools": []},
    started(),
    text("hello "),
    text("there"),
    stopped(),
    result(),
]
