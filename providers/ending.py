"""Waiting for what must come to its end, whoever is cancelled meanwhile: settling, closing, taking back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """
    Do work in a task of its own, and hear it out; it must be short.

    Raises:
        CancelledError: this was cancelled meanwhile; the work is done all the same.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    outcome = task.exception()  # looked at in any case, else asyncio complains that nobody did
    if cancelled:
        raise asyncio.CancelledError from outcome
    return task.result()
