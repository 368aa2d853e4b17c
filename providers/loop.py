"""
One event loop in a thread of its own, for callers with a loop of another make or none.

Clients of providers belong to the loop they were made on, and a synchronous call can't be cancelled. So
all calls run here, and both faces of the executor do the same.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Generic, TypeVar

from ..schemas.errors import RouterError

T = TypeVar("T")

ENDING_S = 0.8
"""How long a call that is interrupted may take to settle."""

_CLOSED = "the router was closed"


class _Work(Future[T]):
    """A coroutine on its way, that can be asked to end and then still be waited for."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, T],
        tasks: set[asyncio.Task[Any]],
    ) -> None:
        super().__init__()
        self._loop, self._coroutine, self._tasks = loop, coroutine, tasks
        self._task: asyncio.Task[T] | None = None
        self._asked_to_end = False
        loop.call_soon_threadsafe(self._start)

    def _start(self) -> None:
        self._task = self._loop.create_task(self._coroutine)
        self._tasks.add(self._task)
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            # Who didn't ask for it isn't to think that he was cancelled.
            self.set_exception(asyncio.CancelledError() if self._asked_to_end else RouterError(_CLOSED))
        elif (error := task.exception()) is not None:
            self.set_exception(error)
        else:
            self.set_result(task.result())

    def end(self) -> None:
        """Ask it to end."""

        def cancel() -> None:
            self._asked_to_end = True
            if self._task is not None:
                self._task.cancel()

        with suppress(RuntimeError):  # the loop has ended, and the work with it
            self._loop.call_soon_threadsafe(cancel)


class LoopThread:
    """A loop that starts when it is first used, and ends for good by `close`."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._last: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._open: set[_Stream[Any]] = set()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """
        Wait for a coroutine.

        An interrupt (Ctrl-C) ends it, and is raised when it has settled what it had begun.

        Raises:
            RouterError: it was closed, or is meanwhile; or it is its own thread that would wait.
        """
        if self.is_here():
            coroutine.close()
            raise RouterError("a request can't wait for another on the router's own loop: await `acomplete`")
        work = self._begun(coroutine)
        try:
            return work.result()
        except BaseException:
            if not work.done():
                work.end()
                with suppress(BaseException):
                    work.exception(ENDING_S)
            raise

    async def arun(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The same for a caller on a loop of his own; cancelling this cancels it."""
        work = self._begun(coroutine)
        waiting = asyncio.wrap_future(work)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            waiting.add_done_callback(_looked_at)
            work.end()
            await asyncio.wait({waiting}, timeout=ENDING_S)
            raise

    def iterate(self, pieces: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """What comes, as it comes; closing the iterator closes the generator."""
        stream = self._opened(pieces)
        try:
            while True:
                try:
                    piece = self.run(stream.next())
                except StopAsyncIteration:
                    return
                yield piece
        finally:
            with suppress(RouterError):  # closed with the loop
                if self.is_here():
                    self._begun(self._let_go(stream))  # thrown away, and found there to be garbage
                else:
                    self.run(self._let_go(stream))

    async def aiterate(self, pieces: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """The same for a caller on a loop of his own."""
        stream = self._opened(pieces)
        try:
            while True:
                try:
                    piece = await self.arun(stream.next())
                except StopAsyncIteration:
                    return
                yield piece
        finally:
            with suppress(RouterError):  # closed with the loop
                closed = asyncio.wrap_future(self._begun(self._let_go(stream)))
                closed.add_done_callback(_looked_at)
                await asyncio.wait(
                    {closed}
                )  # who is cancelled here doesn't wait, and it is closed all the same
                closed.result()

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """
        End the loop: what still runs is cancelled and heard out.

        Args:
            last: called on the loop when nothing else runs there any more.
        """
        with self._starting:
            self._closed = True
            loop, self._loop = self._loop, None
            thread = self._thread
        if loop is not None and thread is not None:
            self._last = last
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def is_here(self) -> bool:
        """Whether this is the loop's own thread, which can't wait for it."""
        return threading.current_thread() is self._thread

    def _begun(self, coroutine: Coroutine[Any, Any, T]) -> _Work[T]:
        with self._starting:
            if self._closed:
                coroutine.close()
                raise RouterError(_CLOSED)
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._live, args=(self._loop,), name="policyctl-loop", daemon=True
                )
                self._thread.start()
            return _Work(self._loop, coroutine, self._tasks)

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            loop.run_until_complete(self._end())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()

    async def _end(self) -> None:
        """Cancel what callers began, and nothing else: what they began themselves they end in order."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for stream in list(self._open):
            await self._let_go(stream)
        if self._last is not None:
            await self._last()

    def _opened(self, pieces: AsyncGenerator[T, None]) -> _Stream[T]:
        stream = _Stream(pieces)
        self._open.add(stream)
        return stream

    async def _let_go(self, stream: _Stream[Any]) -> None:
        await stream.close()
        self._open.discard(stream)


class _Stream(Generic[T]):
    """A generator that is asked for one thing at a time: one who was told to hurry may come too early."""

    def __init__(self, pieces: AsyncGenerator[T, None]) -> None:
        self._pieces, self._turn = pieces, asyncio.Lock()

    async def next(self) -> T:
        async with self._turn:
            return await anext(self._pieces)

    async def close(self) -> None:
        async with self._turn:
            await self._pieces.aclose()


def _looked_at(waiting: asyncio.Future[Any]) -> None:
    """Nobody waits for what comes of it; asyncio would complain of that."""
    if not waiting.cancelled():
        waiting.exception()
