"""
One attempt in the time it may take, and nothing of a provider's in what it raises.

A failure is raised outside of the `except` that met it, so that it has no context: an exception of a
library may hold a prompt, a key or a provider's text, and goes no further than here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, TypeVar

from ...schemas.calls import Call, Piece
from ...schemas.errors import ProviderError
from ...schemas.policy import FailureKind
from .checks import MOST_CHARACTERS
from .classify import failure, failure_of

_T = TypeVar("_T")
_Classify = Callable[[BaseException], ProviderError]

_CLOSING_S: Final = 0.1


async def bounded(call: Call, work: Awaitable[_T], classify: _Classify = failure_of) -> _T:
    """
    Wait for one attempt, no longer than its call allows.

    Raises:
        ProviderError: whatever went wrong. Being cancelled passes through.
    """
    try:
        async with asyncio.timeout(call.timeout_s):
            return await work
    except Exception as error:
        failed = _without_past(classify(error))
    raise failed


async def bounded_pieces(
    call: Call, pieces: AsyncGenerator[Piece, None], classify: _Classify = failure_of
) -> AsyncGenerator[Piece, None]:
    """
    Hand over the pieces of one attempt, no longer than its call allows from the first request to the end.

    Raises:
        ProviderError: whatever went wrong. Being cancelled passes through.
    """
    deadline = asyncio.get_running_loop().time() + call.timeout_s
    try:
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            except Exception as error:
                failed = _without_past(classify(error))
            else:
                yield piece
                continue
            raise failed
    finally:
        await _close(pieces)


def _without_past(failed: ProviderError) -> ProviderError:
    failed.__cause__ = failed.__context__ = None
    return failed


async def _close(pieces: AsyncGenerator[Piece, None]) -> None:
    """Close the connection behind; a server that doesn't let go must not hold us."""
    try:
        async with asyncio.timeout(_CLOSING_S):
            await pieces.aclose()
    except Exception:
        return  # its failure is over, and would only hide what went before


async def bound_response(response: Any) -> None:
    """Let a response hold no more than an answer can, however it comes."""
    read: Callable[..., AsyncGenerator[bytes, None]] = response.aiter_bytes

    async def bounded_read(chunk_size: int | None = None) -> AsyncIterator[bytes]:
        size = 0
        async with aclosing(read(chunk_size)) as parts:
            async for part in parts:
                size += len(part)
                if size > MOST_CHARACTERS:
                    raise failure(FailureKind.BAD_RESPONSE, "the answer is larger than any can be")
                yield part

    response.aiter_bytes = bounded_read
