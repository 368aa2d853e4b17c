"""Work that can't be stopped, and mustn't be waited for longer than a while."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class _Done(Generic[T]):
    """What came of work."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.result: T | None = None
        self.error: Exception | None = None
        try:
            self.result = work()
        except Exception as error:
            self.error = error


def within(seconds: float, work: Callable[[], T]) -> T:
    """
    What work gives; where it takes longer, it is left behind.

    Raises:
        TimeoutError: it took longer.
        Exception: whatever the work raises.
    """
    answers: SimpleQueue[_Done[T]] = SimpleQueue()
    Thread(target=lambda: answers.put(_Done(work)), name="policyctl-alerts-wait", daemon=True).start()
    try:
        done = answers.get(timeout=max(seconds, 0))
    except Empty:
        raise TimeoutError from None
    if done.error is not None:
        raise done.error
    return done.result  # type: ignore[return-value]  # without an error there is a result
