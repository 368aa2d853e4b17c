"""A quality check that is a command: the answer on its standard input, exit code 0 for a pass."""

from __future__ import annotations

import asyncio
import shlex
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..schemas.calls import Answer
from ..schemas.errors import Problem, RequestError
from .adapters.child import Child, TooMuchOutput

TIMEOUT_S = 600.0
MOST_BYTES = 64 * 2**20
_EXIT_S = 1.0


class CommandGate:
    """
    Runs a command without a shell, in a group of its own that ends with it.

    What it prints is thrown away; one that runs for too long, or prints without end, hasn't passed.

    Args:
        command: as on a command line; quotes count, and nothing else has a meaning.
        environ: all of its environment, PATH included.
        cwd: where it runs.

    Raises:
        RequestError: there is no such program, or, once it is needed, it can't be run.
    """

    def __init__(
        self, command: str, environ: Mapping[str, str], cwd: Path, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        try:
            words = shlex.split(command)
        except ValueError:
            words = []
        path = shutil.which(words[0], path=environ.get("PATH", "")) if words else None
        if path is None:
            what = f"`{words[0]}` isn't on PATH" if words else f"`{command}` is no command"
            raise RequestError((Problem("check", f"check: {what}", "write a program and its arguments"),))
        self._argv = [str(Path(path).absolute()), *words[1:]]
        self._environ, self._cwd, self._timeout_s = environ, cwd, timeout_s

    async def __call__(self, answer: Answer) -> bool:
        """Whether the answer passes."""
        try:
            child = await Child.start(
                self._argv,
                environ=self._environ,
                cwd=str(self._cwd),
                stdin=answer.text.encode(errors="replace"),
                most_bytes=MOST_BYTES,
            )
        except OSError as error:
            what = f"check: `{self._argv[0]}` can't be run: {error.strerror}"
            help = "a script begins with a line such as #!/bin/sh"
            raise RequestError((Problem("check", what, help),)) from error
        try:
            with suppress(TimeoutError, TooMuchOutput):
                async with asyncio.timeout(self._timeout_s):
                    while await child.line() is not None:
                        pass
                    await child.ended_within(_EXIT_S)
            return child.exit_code == 0
        finally:
            await child.end()
