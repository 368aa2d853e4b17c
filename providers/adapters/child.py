"""
A child process that can't outlive its call: a group of its own, and no one of it left behind.

What it writes is capped, what it reads is handed over in full, and it inherits nothing but what it is
given. On Linux, with util-linux's `setpriv`, the kernel ends it too when policyctl itself is killed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

_TERM_S: Final = 0.15
"""How long a child may take to end by itself once it is told to."""

_KILLED_S: Final = 0.1
_TRIED_S: Final = 1.0
_MOST_ERROR_BYTES: Final = 64 * 1024
_SYSTEM_PATH: Final = "/usr/bin:/bin"


class TooMuchOutput(Exception):
    """A child wrote more than anybody wants to read; it was ended."""


class Child(asyncio.SubprocessProtocol):
    """
    One running program. `start` makes it, `end` must be called whatever happens.

    Its output comes line by line from `line`; what it says on stderr is kept, up to a limit, in `errors`.
    """

    def __init__(self, most_bytes: int) -> None:
        self.errors = bytearray()
        self._left = most_bytes
        self._unfinished = bytearray()
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._overflowed = False
        self._exited = asyncio.Event()
        self._transport: asyncio.SubprocessTransport | None = None
        self._pid = 0

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        environ: Mapping[str, str],
        cwd: str,
        stdin: bytes,
        most_bytes: int,
        pass_fds: Sequence[int] = (),
    ) -> Child:
        """
        Start a program, without a shell, in a session of its own.

        Args:
            argv: the absolute path of the program, and what it is told.
            environ: all of its environment.
            stdin: what it can read, in full; then comes the end of the file.
            most_bytes: how much it may write on stdout.
            pass_fds: open files that it inherits besides its three pipes.

        Raises:
            OSError: there is no such program, or it can't be run.
        """
        loop = asyncio.get_running_loop()
        transport, child = await loop.subprocess_exec(
            lambda: cls(most_bytes),
            *argv,
            env=dict(environ),
            cwd=cwd,
            pass_fds=tuple(pass_fds),
            close_fds=True,
            start_new_session=True,
        )
        pipe = cast(asyncio.WriteTransport, transport.get_pipe_transport(0))
        pipe.write(stdin)
        pipe.close()  # once all is written
        return child

    @property
    def exit_code(self) -> int | None:
        """What it ended with, negative for a signal; None while it runs."""
        return None if self._transport is None else self._transport.get_returncode()

    async def line(self) -> bytes | None:
        """
        The next line of its output without its end, or None after the last.

        Raises:
            TooMuchOutput: it wrote more than it may.
        """
        line = await self._lines.get()
        if self._overflowed:
            raise TooMuchOutput
        return line

    async def ended_within(self, time_s: float) -> bool:
        """Wait until it has ended, for some time."""
        if not self._exited.is_set() and time_s > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(time_s):
                    await self._exited.wait()
        return self._exited.is_set()

    async def end(self, patience_s: float = 0.0) -> None:
        """
        End it and whoever it started: by TERM, and by KILL shortly after.

        Args:
            patience_s: how long it may first take to end by itself.
        """
        try:
            if not await self.ended_within(patience_s):
                self._signal(signal.SIGTERM)
                await self.ended_within(_TERM_S)
        finally:
            self._signal(signal.SIGKILL)
            if self._transport is not None:
                self._transport.close()
        await self.ended_within(_KILLED_S)

    def kill(self) -> None:
        """End it and whoever it started at once, where nobody can wait."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to its group; the group has its number as long as one of it lives."""
        if self._pid:
            with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that ended
                os.killpg(self._pid, number)

    # -- what the event loop tells --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._pid = self._transport.get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self.errors += data[: _MOST_ERROR_BYTES - len(self.errors)]
            return
        self._left -= len(data)
        if self._left < 0:
            self._overflowed = True
            self._lines.put_nowait(None)
            self.kill()
            return
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._lines.put_nowait(bytes(self._unfinished) + part)
            self._unfinished.clear()
        self._unfinished += rest

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self._finish()

    def process_exited(self) -> None:
        self._exited.set()
        self.kill()  # what it left behind would hold its pipes open, and work on for nobody
        self._pid = 0  # the number may soon be somebody else's
        asyncio.get_running_loop().call_later(_KILLED_S, self._finish)

    def _finish(self) -> None:
        if self._unfinished:
            self._lines.put_nowait(bytes(self._unfinished))
            self._unfinished.clear()
        self._lines.put_nowait(None)


async def end_with_us() -> tuple[str, ...]:
    """
    What to write before a program so that the kernel ends it when this process dies, or nothing.

    Python can't ask for that between fork and exec without a risk of deadlock, `setpriv` can. Not every
    system has one that knows how, so it is tried.
    """
    found = shutil.which("setpriv", path=_SYSTEM_PATH) if sys.platform == "linux" else None
    if found is None or Path(found).resolve().name != "setpriv":  # busybox's knows no --pdeathsig
        return ()
    words = (found, "--pdeathsig", "KILL", "--")
    try:
        child = await Child.start(
            (*words, found, "--version"), environ={}, cwd="/", stdin=b"", most_bytes=4096
        )
    except OSError:
        return ()
    try:
        return words if await child.ended_within(_TRIED_S) and child.exit_code == 0 else ()
    finally:
        await child.end()
