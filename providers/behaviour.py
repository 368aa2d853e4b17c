"""What follows a failed attempt: the policy's word for its kind, else what suits the kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..schemas.policy import FailureKind, OnFailure, Retry
from ..schemas.run import Next

ATTEMPTS = 3
WAIT_S = 1.0
CAP_S = 30.0
"""Attempts at a step and the waits between them, where the policy says nothing: 1 s, 2 s, at most 30 s."""

_DEFAULTS = {
    FailureKind.RATE_LIMIT: Next.RETRY,
    FailureKind.OVERLOADED: Next.RETRY,
    FailureKind.TIMEOUT: Next.RETRY,
    FailureKind.CONNECTION: Next.RETRY,
    FailureKind.SERVER_ERROR: Next.RETRY,
    FailureKind.AUTH: Next.NEXT_MODEL,
    FailureKind.QUOTA: Next.NEXT_MODEL,
    FailureKind.NOT_FOUND: Next.NEXT_MODEL,
    FailureKind.CONTEXT_WINDOW: Next.NEXT_MODEL,
    FailureKind.CONTENT_FILTER: Next.NEXT_MODEL,
    FailureKind.BAD_RESPONSE: Next.NEXT_MODEL,
    # The same bad request fails everywhere.
    FailureKind.INVALID_REQUEST: Next.STOP,
    FailureKind.CANCELLED: Next.STOP,
}


@dataclass(frozen=True, slots=True)
class Then:
    """
    What to do next, and for a retry after how long.

    `at_least`: the wait was asked for, so jitter may only lengthen it.
    """

    next: Next
    wait_s: float = 0.0
    at_least: bool = False


def retry_for(retries: Iterable[Retry], model: str) -> Retry | None:
    """The statement that counts for a model: its own, else the one for all."""
    general = None
    for retry in retries:
        if model in retry.models:
            return retry
        if not retry.models:
            general = retry
    return general


def after(retry: Retry | None, kind: FailureKind, attempt: int, retry_after_s: float | None) -> Then:
    """
    What follows a failure.

    Args:
        retry: what the policy says of this model.
        attempt: which try of the model failed, from 1.
        retry_after_s: how long the provider asks to be left alone. A longer time than the policy would
            ever wait makes it the next model's turn.
    """
    told = _told(retry, kind)
    if told is not None and told.then != "wait":
        return Then(Next.STOP if told.then == "stop" else Next.NEXT_MODEL)
    default = _DEFAULTS[kind]
    if told is None and default is not Next.RETRY:
        return Then(default)
    if attempt >= (ATTEMPTS if retry is None else retry.attempts):
        return Then(Next.NEXT_MODEL)
    wait_s, longest_s = (
        (told.wait_s, max(told.wait_s, CAP_S)) if told is not None else _back_off(retry, attempt)
    )
    if retry_after_s is None:
        return Then(Next.RETRY, wait_s, at_least=told is not None)
    if retry_after_s > longest_s:
        return Then(Next.NEXT_MODEL)
    return Then(Next.RETRY, max(retry_after_s, wait_s if told is not None else 0.0), at_least=True)


def _told(retry: Retry | None, kind: FailureKind) -> OnFailure | None:
    return next((on for on in (retry.on if retry is not None else ()) if kind in on.kinds), None)


def _back_off(retry: Retry | None, attempt: int) -> tuple[float, float]:
    """The wait after an attempt, and the longest that may come."""
    wait_s, doubling, cap_s = WAIT_S, True, CAP_S
    if retry is not None:
        wait_s, doubling = retry.wait_s, retry.doubling
        cap_s = max(CAP_S, wait_s) if retry.cap_s is None else retry.cap_s
    return min(wait_s * 2 ** (attempt - 1), cap_s) if doubling else wait_s, max(cap_s, wait_s)


def jittered(then: Then, random: float) -> float:
    """
    A wait that isn't everybody's.

    Args:
        random: from 0 up to 1. A wait of our own becomes 75 to 125 % of itself, one that was asked for 100
            to 110 %.
    """
    return then.wait_s * (1 + 0.1 * random if then.at_least else 0.75 + 0.5 * random)


class Allowance:
    """
    How many retries of the same step a process may make: one for ten steps, once the first are used up.

    An outage therefore never becomes a storm. Steps pay in, retries draw out.
    """

    SHARE = 0.1
    MOST = 10.0

    def __init__(self) -> None:
        self._left = self.MOST

    def step(self) -> None:
        """Note that a step begins."""
        self._left = min(self.MOST, self._left + self.SHARE)

    def draw(self) -> bool:
        """Take a retry, if there is one."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
