"""
Speaks with the ledger for the executor's loop.

A ledger waits for its disk, so it is asked in threads. What was asked is always heard out, even by a
run that is being cancelled: a hold that nobody knows of would stay until its lease ends.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from inspect import iscoroutinefunction
from typing import TypeVar, cast

from ..schemas.calls import Answer
from ..schemas.job import Gate
from .ending import to_its_end

T = TypeVar("T")

THREADS = 32


class Purser:
    """Threads for what may block."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    async def ask(self, work: Callable[[], T]) -> T:
        """
        Do work in a thread, and hear it out.

        Where this is cancelled meanwhile, the outcome is thrown away: see `ask_or_undo`.
        """
        return await self.ask_or_undo(work, lambda _: None)

    async def ask_or_undo(self, work: Callable[[], T], undo: Callable[[T], object]) -> T:
        """The same; what came of work that nobody waits for any more is undone."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="policyctl-purse")
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._pool, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # What the work or its undoing raised is nobody's any more: being cancelled comes first.
            with suppress(Exception):
                await to_its_end(_undone(loop, self._pool, future, undo))
            raise

    async def judge(self, gate: Gate, answer: Answer) -> bool:
        """Ask a gate: on the loop where it is asynchronous, else in a thread that nobody waits for longer."""
        if iscoroutinefunction(gate) or iscoroutinefunction(type(gate).__call__):
            return await cast("Awaitable[bool]", gate(answer))
        return await _in_its_thread(cast("Callable[[Answer], bool]", gate), answer)

    def close(self) -> None:
        """Wait for what is being done."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None


async def _in_its_thread(gate: Callable[[Answer], bool], answer: Answer) -> bool:
    """
    Ask in a thread of its own: a gate that hangs takes nobody else's, and holds up no exit.
    """
    loop = asyncio.get_running_loop()
    verdict: asyncio.Future[bool] = loop.create_future()

    def tell(said: bool | BaseException) -> None:
        if verdict.done():
            return  # nobody waits any more
        if isinstance(said, BaseException):
            verdict.set_exception(said)
        else:
            verdict.set_result(said)

    def ask() -> None:
        said: bool | BaseException
        try:
            said = bool(gate(answer))
        except BaseException as error:
            said = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, said)

    threading.Thread(target=ask, name="policyctl-gate", daemon=True).start()
    return await verdict


async def _undone(
    loop: asyncio.AbstractEventLoop,
    pool: ThreadPoolExecutor,
    future: asyncio.Future[T],
    undo: Callable[[T], object],
) -> None:
    await loop.run_in_executor(pool, undo, await future)
