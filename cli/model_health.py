"""The state of each model by what the ledger has of it, as `health` and `monitor` show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..policy.words import listed_count
from ..providers.keys import CLI_PROGRAM
from ..schemas.health import Breaker, Record
from ..schemas.policy import Model
from ..schemas.records import dataclass
from .output import bad, dim, good, named, safe, warned

if TYPE_CHECKING:
    from ..ledger.ledger import Ledger

HOUR_S = 3600.0
"""How far back is looked unless an option says otherwise."""

ENOUGH = 3
"""With fewer attempts a share says nothing."""

FEW = 0.95
"""A model that answers less often than this is degraded."""

SLOW_MS = 30_000
"""So is one of whose answers one in twenty takes longer."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One model: its state, why, and the figures that led there."""

    model: Model
    state: str
    words: str
    record: Record
    cooldown_s: float


def looked_at(
    models: Iterable[Model],
    environ: Mapping[str, str] | None,
    book: Ledger | None,
    since_s: float,
    now_s: float,
) -> Iterator[Looked]:
    """
    Each enabled model with its state.

    Args:
        environ: has the keys of the models; None: whether they have one isn't looked at.
        book: has their calls; None: there is no ledger.
        since_s: how far back calls count, in seconds.
        now_s: the clock, in seconds since 1970.

    Raises:
        LedgerError: the ledger can't answer.
    """
    from ..ledger.health import SharedHealth
    from ..providers.health import refused_s
    from ..providers.keys import available_models

    breakers: Mapping[str, Breaker] = {}
    records: Mapping[str, Record] = {}
    if book is not None:
        breakers, records = SharedHealth(book).seen(now_s - since_s)
    enabled = [model for model in models if model.enabled]
    with_key = None if environ is None else available_models(enabled, environ)
    for model in enabled:
        record, breaker = records.get(model.key, Record()), breakers.get(model.key, Breaker())
        wait_s = refused_s(breaker, now_s)
        lacks = None if with_key is None or model.key in with_key else lack(model)
        state, words = _state(record, breaker, wait_s, lacks)
        yield Looked(model, state, words, record, wait_s)


def lack(model: Model) -> str:
    """What a model needs to be asked, and hasn't."""
    return f"set {' or '.join(model.key_names)}" if model.key_names else f"install {CLI_PROGRAM}"


def _state(record: Record, breaker: Breaker, wait_s: float, lacks: str | None) -> tuple[str, str]:
    """The state of a model, and why; docs/running.md has the bounds."""
    error = f" ({record.last_error})" if record.last_error else ""
    if lacks is not None:
        return "no key", f"to ask it, {lacks}"
    if wait_s > 0:
        return "down", f"set aside for another {wait_s:.0f} s{error}"
    if record.calls >= ENOUGH and record.answers == 0:
        return "down", f"none of {record.calls} calls was answered{error}"
    if breaker.until_s > 0:
        return "degraded", f"its cooldown has passed; the next call is a probe{error}"
    if record.calls == 0:
        return "unknown", "nobody has asked it"
    if record.answers == 0:
        return "unknown", f"not answered, but that was {listed_count(record.calls, 'call')} only{error}"
    if record.calls >= ENOUGH and record.answers < FEW * record.calls:
        return "degraded", f"{record.calls - record.answers} of {record.calls} calls failed{error}"
    if record.p95_ms is not None and record.p95_ms > SLOW_MS:
        return "degraded", f"one answer in twenty takes more than {SLOW_MS // 1000} s"
    return "healthy", f"{record.answers} of {record.calls} calls answered"


_LOOKS = {
    "healthy": ("✓", good),
    "degraded": ("⚠", warned),
    "down": ("✗", bad),
    "unknown": ("·", dim),
    "no key": ("·", dim),
}


def row(each: Looked) -> list[str]:
    """A line of a table: the model, its state, its latency, why."""
    mark, style = _LOOKS[each.state]
    return [named(safe(each.model.key)), style(f"{mark} {each.state}"), _latency(each), each.words]


def _latency(each: Looked) -> str:
    record = each.record
    return "" if record.p50_ms is None else f"{record.p50_ms} ms, p95 {record.p95_ms} ms"


def span(seconds: float) -> str:
    """A time in words: 1 h, 30 min, 45 s."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"


def as_json(each: Looked) -> dict[str, object]:
    """The JSON of a model; its shape is that of schemas/health.schema.json."""
    record = each.record
    when = None if record.last_error_s is None else datetime.fromtimestamp(record.last_error_s, UTC)
    return {
        "model": each.model.key,
        "provider": each.model.provider,
        "state": each.state,
        "words": each.words,
        "calls": record.calls,
        "answers": record.answers,
        "success_rate": record.answers / record.calls if record.calls else None,
        "p50_ms": record.p50_ms,
        "p95_ms": record.p95_ms,
        "last_error": record.last_error,
        "last_error_at": None if when is None else when.isoformat(),
        "cooldown_s": round(each.cooldown_s, 3),
    }
