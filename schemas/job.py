"""What an executor is given: what is asked, how it is decided, and where money and models come from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .calls import Answer, Message
from .decision import Decision
from .request import Failure


@dataclass(frozen=True, slots=True)
class Plan:
    """
    A decision, and which models of its chain start together once those before them have failed.

    `left_out` are models that would be in the chain if this machine had their key, each with the reason.
    """

    decision: Decision
    together: frozenset[str] = frozenset()
    left_out: tuple[tuple[str, str], ...] = ()


class Planner(Protocol):
    """Decides for one request, as often as the executor asks."""

    def __call__(self, failures: tuple[Failure, ...]) -> Plan:
        """
        The chain as things stand now: what is spent, who is in cooldown, what has failed so far.

        Raises:
            RequestError: the request can't be decided.
            LedgerError: the ledger can't tell what is spent.
        """


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, the model that gave it, and the tier of the decision that asked it."""

    model: str
    tier: str | None
    answer: Answer = field(repr=False)


class Keep(Protocol):
    """Where an answer lies from before it is paid for until it is used: who is killed meanwhile has it."""

    def enter(self) -> bool:
        """Whether this request is this process's alone from now on, as no other one is at work on it."""

    def leave(self) -> None:
        """Let others have the request."""

    def load(self) -> Kept | None:
        """The answer to this request that lies there; asked before anybody else is."""

    def keep(self, kept: Kept) -> None:
        """Lay an answer there, in place of the one before; asked before the ledger is told of it."""


Gate = Callable[[Answer], bool | Awaitable[bool]]
"""
A check of an answer; False fails it.

It may be asynchronous, and is then cancelled with its request. One that isn't runs in a thread.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """
    One request to be answered.

    `about` are the fields of the ledger's Attempt that are the request's: story_id, run_id and so on.
    `max_output_tokens` None: what suits the model. `gates` are looked at in their order. `keep` is where each
    whole answer lies until it is used; None: nowhere.
    """

    request_id: str
    plan: Planner
    messages: tuple[Message, ...] = field(repr=False)
    deadline_s: float
    max_output_tokens: int | None = None
    tools: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    json_mode: bool = False
    gates: Mapping[str, Gate] = field(default_factory=dict)
    keep: Keep | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
