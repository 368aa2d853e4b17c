"""What adapters have in common: one try in its time, in either face, and the key that it takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from typing import Final, Generic, TypeVar

from ...schemas.calls import Answer, Call, Piece
from ...schemas.errors import ProviderError
from ...schemas.policy import FailureKind as Kind
from ...schemas.policy import Model
from .bounds import bounded, bounded_pieces
from .checks import check_call
from .choose import key_of
from .classify import NO_KEY, failure_of, unsent

T = TypeVar("T")

NEEDS_NO_KEY: Final = "none"
"""What is sent as a key where none is needed: a library would take one from the environment."""


def needed_key(model: Model, environ: Mapping[str, str]) -> str | None:
    """
    The key that a model takes; None where it needs none.

    Raises:
        ProviderError: it needs one, and there is none.
    """
    key = key_of(model, environ)
    if key is None and model.key_names:
        raise unsent(Kind.AUTH, NO_KEY)
    return key


class OneTry(ABC, Generic[T]):
    """
    The two faces of an adapter around the call itself.

    T is what a call is made with, such as a client; `_prepared` finds it before the time begins.
    """

    @staticmethod
    def _classify(error: BaseException) -> ProviderError:
        """The failure that an exception of the library stands for."""
        return failure_of(error)

    async def complete(self, call: Call) -> Answer:
        """Ask once; see Adapter."""
        check_call(call)
        return await bounded(call, self._complete(call, self._prepared(call)), self._classify)

    async def stream(self, call: Call) -> AsyncGenerator[Piece, None]:
        """Ask once, and hand over the answer as it comes; see Adapter."""
        check_call(call)
        pieces = bounded_pieces(call, self._stream(call, self._prepared(call)), self._classify)
        try:
            async for piece in pieces:
                yield piece
        finally:
            await pieces.aclose()

    @abstractmethod
    def _prepared(self, call: Call) -> T:
        """What a call is made with."""

    @abstractmethod
    async def _complete(self, call: Call, prepared: T) -> Answer:
        """The call; what it raises is classified."""

    @abstractmethod
    def _stream(self, call: Call, prepared: T) -> AsyncGenerator[Piece, None]:
        """The call, streamed; what it raises is classified."""
