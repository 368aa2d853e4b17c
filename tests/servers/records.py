"""What a test plans and what it sees: rules for faults, and the requests that came."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .forms import Json
from .wire import Request

SECRETS = {"authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"}


@dataclass(slots=True)
class Seen:
    """
    A request that came, and how it ended.

    `at_s` is on the clock of time.monotonic(), `ended_s` are the seconds from then to the end (None: not
    ended). `outcome` is "pending", "answered", "client_closed", "reset" and "closed" (by a fault), or
    "server_closed".
    """

    path: str
    provider: str
    model: str
    stream: bool
    fault: str
    body: Json
    headers: dict[str, str]
    at_s: float
    status: int = 0
    outcome: str = "pending"
    ended_s: float | None = None
    keys: frozenset[str] = frozenset()
    complaint: str = ""

    def sent_key(self, key: str) -> bool:
        """
        Whether this key came along, in a header or in the address.
        """
        return digest(key) in self.keys


@dataclass(slots=True)
class Rule:
    """
    Faults for some models; see `FakeProviders.plan`.
    """

    glob: str
    faults: tuple[str, ...]
    times: int | None
    skip: int
    share: float
    chance: random.Random
    matched: int = 0
    used: int = 0

    def next(self) -> str | None:
        """
        The fault for the next request that matches; None where this rule has none for it.
        """
        self.matched += 1
        if self.matched <= self.skip or (self.times is not None and self.used >= self.times):
            return None
        if self.chance.random() >= self.share:
            return None
        self.used += 1
        return self.faults[(self.used - 1) % len(self.faults)]


def fits(glob: str, provider: str, model: str) -> bool:
    """
    Whether a model is meant: by its name, or by that behind its provider's.
    """
    return fnmatchcase(model, glob) or fnmatchcase(f"{provider}/{model}", glob)


def keys_of(request: Request) -> tuple[str, ...]:
    """
    The keys that came along, in a header or in the address.
    """
    sent = [value.removeprefix("Bearer ") for name, value in request.headers.items() if name in SECRETS]
    sent += [part.partition("=")[2] for part in request.query.split("&") if part.startswith("key=")]
    return tuple(sent)


def redacted(request: Request) -> dict[str, str]:
    """
    The headers without keys.
    """
    return {name: "(redacted)" if name in SECRETS else value for name, value in request.headers.items()}


def digest(key: str) -> str:
    """
    What of a key is kept.
    """
    return hashlib.sha256(key.encode()).hexdigest()
