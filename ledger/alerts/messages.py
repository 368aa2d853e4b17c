"""What an alert says: one JSON object, the same on every channel, and one sentence in it for people."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256

from ...policy.words import level_words, percent, usd_short
from ...schemas.alerts import AlertKind
from ...schemas.policy import NANO
from ..door import shown
from ..windows import moment
from .watching import Reading, Watched, condition_of, limit_words, value_words, window_words

FORMAT_VERSION = "1.0"


def message_id(ledger_id: int, alert: str, condition: str, window: str, kind: AlertKind) -> str:
    """The id of a message: the same for whoever makes it, another for every other message."""
    named = json.dumps([ledger_id, alert, condition, window, kind.value])
    return sha256(named.encode()).hexdigest()[:32]


def body_of(reading: Reading, kind: AlertKind, window: str, made_ms: int, identity: str, policy: str) -> str:
    """A message as the JSON that is kept, logged and posted; schemas/alert.schema.json is its shape."""
    watched, value = reading.watched, reading.value
    assert value is not None  # what isn't known tells nothing
    made = moment(made_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body: dict[str, object] = {
        "format_version": FORMAT_VERSION,
        "id": identity,
        "alert": watched.name,
        "kind": kind.value,
        "text": shown(_sentence(reading, kind, window)),
        "condition": reading.condition,
        "metric": watched.metric,
        "value": in_unit(watched, value),
        "limit": in_unit(watched, reading.limit),
        "unit": unit_of(watched),
        "window": window,
        "policy": policy,
        "at": made,
    }
    return json.dumps(body)


def test_body(watched: Watched, policy: str, identity: str, now: datetime) -> str:
    """A message that says nothing but that the channel works."""
    condition = watched.metric if watched.value is None else condition_of(watched, watched.value)
    body: dict[str, object] = {
        "format_version": FORMAT_VERSION,
        "id": identity,
        "alert": watched.name,
        "kind": AlertKind.TEST.value,
        "text": shown(f"test of alert {watched.name}: {condition}; nothing has happened"),
        "condition": condition,
        "metric": watched.metric,
        "value": None,
        "limit": None if watched.value is None else in_unit(watched, watched.value),
        "unit": unit_of(watched),
        "window": None,
        "policy": policy,
        "at": now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return json.dumps(body)


def unit_of(watched: Watched) -> str:
    """The unit of a watched thing's numbers in JSON."""
    return "usd" if watched.is_cost else "percent" if watched.metric.endswith("_rate") else "seconds"


def in_unit(watched: Watched, value: Decimal) -> float:
    """A value in that unit."""
    return float(value / NANO if watched.is_cost else value)


def _sentence(reading: Reading, kind: AlertKind, window: str) -> str:
    watched, value = reading.watched, reading.value
    assert value is not None
    now = value_words(watched.is_cost, watched.metric, value)
    if watched.level is not None:
        whole = usd_short(int(reading.limit * 100 / watched.level.percent))
        here = f"budget {watched.budget.name} has {now} of {whole} spent"
        if reading.refused:
            return f"{here} and refused a call: {level_words(watched.level)}; {window}"
        if kind is AlertKind.FIRED:
            return f"{here}: {level_words(watched.level)}; {window}"
        return f"recovered: {here}, less than {percent(watched.level.percent)}; {window}"
    limit = limit_words(watched, reading.limit)
    if kind is AlertKind.FIRED:
        return f"{watched.name}: {watched.metric} is {now}, {watched.bound} {limit}; {window}"
    no_more = f"{watched.metric} is {now}, not {watched.bound} {limit} any more"
    return f"recovered: {watched.name}: {no_more}; {window}"


def window_of(reading: Reading) -> str:
    """A reading's window as messages name it."""
    return window_words(reading.window)
