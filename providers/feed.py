"""
A stream that is read in a task of its own.

Whoever listens may do so from several tasks, one piece here and one there; time limits and
cancellation inside an adapter, which belong to the task they began in, work all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

from ..schemas.calls import Piece

MOST_WAITING = 1024
"""Pieces that may wait to be heard before the provider has to."""

_END = object()


class Feed:
    """The pieces of an adapter's stream."""

    def __init__(self, pieces: AsyncIterator[Piece]) -> None:
        self._queue: asyncio.Queue[object] = asyncio.Queue(MOST_WAITING)
        self._task = asyncio.create_task(self._read(pieces), name="policyctl-feed")

    async def _read(self, pieces: AsyncIterator[Piece]) -> None:
        try:
            async with aclosing(cast(Any, pieces)):
                async for piece in pieces:
                    await self._queue.put(piece)
        except Exception as error:  # it is raised where the piece was waited for
            await self._queue.put(error)
        else:
            await self._queue.put(_END)

    async def next(self) -> Piece | None:
        """
        The next piece; None after the last one.

        Raises:
            ProviderError: what the adapter raised.
        """
        item = await self._queue.get()
        if isinstance(item, Exception):
            raise item
        return None if item is _END else cast(Piece, item)

    async def close(self) -> None:
        """Stop reading; the connection is closed when this returns."""
        self._task.cancel()
        while not self._task.done():
            await asyncio.wait({self._task})
