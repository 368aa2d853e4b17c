"""Routers over three offline models, with a script for each test."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from policyctl.deciding import Engine
from policyctl.ledger.ledger import Ledger
from policyctl.providers.adapters.choose import Adapters
from policyctl.router import Router
from policyctl.schemas.run import Ended, Event, Result, Skipped, Started

POLICY = """\
timezone UTC
model small  is offline/small  costs $1 in, $4 out    can tools  context 4k
model middle is offline/middle costs $2 in, $8 out    can tools, vision  context 8k
model large  is offline/large  costs $10 in, $40 out  can tools, vision  context 16k
tier cheap    from complexity 0 has small
tier medium   from complexity 3 has middle
tier powerful from complexity 6 has large
"""
CHAIN = POLICY + "fallback to middle, large\nretry 2 attempts wait 0s\n"

Steps = list[dict[str, Any]]


@contextmanager
def a_router(
    folder: Path, policy: str = CHAIN, steps: Steps | None = None, *, money: bool = False
) -> Iterator[Router]:
    """
    A router whose models answer by a script; `money`: with a ledger in the folder.
    """
    script = folder / "script.json"
    script.write_text(json.dumps({"steps": steps or []}), encoding="utf-8")
    engine = Engine.from_text(policy)
    ledger = None
    if money:
        where = folder / "ledger" / "policyctl.db"
        ledger = Ledger(where, engine.policy, log=folder / "ledger" / "logs" / "usage.jsonl", create=True)
    adapters = Adapters({}, offline=True, script=script)
    with Router(engine, ledger, environ={}, adapters=adapters) as router:
        yield router


def story(events: tuple[Event, ...]) -> list[str]:
    """
    What happened, a line an event: `small 1`, `small 1 rate_limit`, `small 1 ok`, `small -`.
    """
    lines = []
    for event in events:
        if isinstance(event, Started):
            lines.append(f"{event.model} {event.attempt}")
        elif isinstance(event, Ended):
            lines.append(f"{event.model} {event.attempt} {event.kind or 'ok'}")
        elif isinstance(event, Skipped):
            lines.append(f"{event.model} -")
        else:
            lines.append(f"now {event.why}")
    return lines


def tried(result: Result) -> list[str]:
    """
    The attempts that were made, in the order in which they ended.
    """
    return [f"{a.model} {a.attempt} {a.kind or 'ok'}" for a in result.attempts]


def log_lines(folder: Path) -> list[Mapping[str, Any]]:
    """
    What the usage log says.
    """
    path = folder / "ledger" / "logs" / "usage.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
