"""
Usage logs of earlier runs and of older tools, read into the ledger.

A line is taken as it is meant where that is clear: any spacing, any order, unknown keys. What isn't
clear is left out, counted, and told with the number of its line.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from hashlib import sha256
from math import isfinite
from pathlib import Path

from ..schemas.errors import Problem
from ..schemas.ledger import Attempt, Flag, HoldState, Usage
from ..schemas.policy import NANO, Model
from .door import LONGEST, shown
from .ledger import Ledger
from .money import MOST_NUSD, MOST_TOKENS, Charge, recorded_cost
from .rows import INSERT, find, recorded_row
from .tx import Tx, Value, trouble
from .usage_log import read_lines
from .windows import milliseconds

TOGETHER = 10_000
MOST_TOLD = 20
_ALIKE = 50_000
"""How many lines back an equal line is known as another call, not as the same one."""

_SLACK_MS = 60_000


@dataclass(slots=True)
class Imported:
    """
    How an import went.

    `cost_nusd` is what the new calls cost; `problems` are the first lines that were left out, `skipped`
    counts them all.
    """

    lines: int = 0
    new: int = 0
    known: int = 0
    skipped: int = 0
    cost_nusd: int = 0
    problems: list[Problem] = field(default_factory=list)

    def skip(self, number: int, why: str) -> None:
        """Leave a line out."""
        self.skipped += 1
        if len(self.problems) < MOST_TOLD:
            self.problems.append(Problem(f"line {number}", f"line {number} is left out: {why}"))


@dataclass(frozen=True, slots=True)
class Pricing:
    """What a policy knows of models, by any of their names: the model and the tier it stands in."""

    models: Mapping[str, tuple[Model, str | None]]
    zone: tzinfo


class _Unclear(ValueError):
    """A line that can't be taken as it is; says why."""


def import_log(
    ledger: Ledger, path: Path, pricing: Pricing, progress: Callable[[int], None] = lambda size: None
) -> Imported:
    """
    Read a usage log into the ledger; a line that is there already isn't counted again.

    Args:
        ledger: the ledger; no line is written to its own log.
        path: the log.
        pricing: prices calls without a cost, and the zone of times that say none.
        progress: is told how many bytes were read since it was told last.

    Raises:
        LedgerError: the ledger can't be used, or the log can't be read.
    """
    done, alike = Imported(), _Alike()
    batch: list[tuple[Value, ...]] = []
    late: list[tuple[int, str, int]] = []
    now_ms, before = ledger.now_ms(), ledger.do(_spent)
    try:
        for number, line, raw in read_lines(path):
            progress(len(raw))
            done.lines += 1
            try:
                if line is None:
                    raise _Unclear("it is no object of JSON")
                if line.get("adjusts") is True:
                    late.append((number, _text(line, "attempt_id") or "", _nusd(line, negative=True)))
                else:
                    batch.append(_row(line, alike.key(raw), pricing, now_ms))
            except _Unclear as why:
                done.skip(number, str(why))
            if len(batch) + len(late) >= TOGETHER:
                _write(ledger, batch, late, done)
    except OSError as error:
        raise trouble(f"{path} can't be read: {error.strerror}") from error
    _write(ledger, batch, late, done)
    done.cost_nusd = ledger.do(_spent) - before
    return done


def _write(
    ledger: Ledger, batch: list[tuple[Value, ...]], late: list[tuple[int, str, int]], done: Imported
) -> None:
    def work(tx: Tx) -> int:
        new = tx.many(INSERT, batch) if batch else 0
        for _, key, nusd in late:
            _true_up(tx, key, nusd)
        tx.run("DELETE FROM windows")  # each is added up anew when it is used next
        return new

    if batch or late:
        new = ledger.do(work)
        done.new += new
        done.known += len(batch) - new
        batch.clear()
        late.clear()


def _spent(tx: Tx) -> int:
    """What all calls cost."""
    spent: int = tx.rows("SELECT CAST(coalesce(sum(cost_nusd), 0) AS BIGINT) FROM attempts")[0][0]
    return spent


def _true_up(tx: Tx, key: str, nusd: int) -> None:
    """A later line of a call whose outcome was unknown; of no effect where the call isn't unknown here."""
    stored = find(tx, key)
    if stored is not None and stored.state is HoldState.UNKNOWN:
        cost = max(0, stored.cost_nusd + nusd)
        tx.run("UPDATE attempts SET state = 'committed', flag = NULL, cost_nusd = ? WHERE key = ?", cost, key)


# --- one line --------------------------------------------------------------------------------------------


class _Alike:
    """Tells lines apart; equal lines that stand near each other are different calls."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def key(self, raw: bytes) -> str:
        digest = sha256(raw.strip()).digest()[:12]
        number = self._seen.pop(digest, 0) + 1
        self._seen[digest] = number
        if len(self._seen) > _ALIKE:
            self._seen.popitem(last=False)
        return f"{digest.hex()}:{number}"


def _row(line: Mapping[str, object], key: str, pricing: Pricing, now_ms: int) -> tuple[Value, ...]:
    model, tier = pricing.models.get(str(line.get("model")), (None, None))
    when_ms = _when(line.get("timestamp"), pricing.zone)
    if when_ms > now_ms + _SLACK_MS:
        raise _Unclear("its time is in the future")
    attempt = Attempt(
        # With its time in front keys come in order, as the index wants them.
        key=_text(line, "attempt_id") or f"import:{when_ms:015}:{key}",
        provider=_text(line, "provider") or (model.provider if model else "unknown"),
        model=model.key if model else _named(line),
        price_in_nusd_per_mtok=model.price_in_nusd_per_mtok if model else None,
        price_out_nusd_per_mtok=model.price_out_nusd_per_mtok if model else None,
        tier=_text(line, "tier"),
        model_tier=_text(line, "model_tier") or _text(line, "tier") or tier,
        domain=_text(line, "domain"),
        story_id=_text(line, "story_id"),
        run_id=_text(line, "run_id"),
        iteration=_count(line, "iteration", MOST_TOKENS),
        complexity=_number(line, "complexity"),
        attempt=_count(line, "attempt", MOST_TOKENS) or 1,
        fallback_used=line.get("fallback_used") is True,
        escalation=_shown(line, "escalation"),
        decision_id=_text(line, "decision_id"),
        policy_digest=_text(line, "policy_digest"),
    )
    usage = Usage(
        input_tokens=_count(line, "input_tokens", MOST_TOKENS),
        output_tokens=_count(line, "output_tokens", MOST_TOKENS),
        cache_read_tokens=_count(line, "cache_read_tokens", MOST_TOKENS) or 0,
        cache_write_tokens=_count(line, "cache_write_tokens", MOST_TOKENS) or 0,
        cost_nusd=None if line.get("cost_usd") is None else _nusd(line),
        latency_ms=_count(line, "latency_ms", MOST_TOKENS),
        success=line.get("success") is not False,
        error=_shown(line, "error"),
    )
    cost = recorded_cost(attempt, usage)
    if cost is None:
        raise _Unclear("it has no cost, and no price is known for its tokens")
    return recorded_row(attempt, usage, Charge(cost, _flag(line)), when_ms, body="")


def _named(line: Mapping[str, object]) -> str:
    name = _text(line, "model")
    if name is None:
        raise _Unclear("it names no model")
    return name


_FLAGS = {flag.value: flag for flag in Flag}


def _flag(line: Mapping[str, object]) -> Flag | None:
    told = line.get("flag")
    return _FLAGS.get(told) if isinstance(told, str) else None


_YEAR_3000_MS = 32_503_680_000_000


def _when(value: object, zone: tzinfo) -> int:
    try:
        if isinstance(value, str):
            when = datetime.fromisoformat(value)
            when = when if when.tzinfo is not None else when.replace(tzinfo=zone)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            when = datetime.fromtimestamp(value, UTC)
        else:
            raise _Unclear("it has no timestamp")
        found = milliseconds(when)
        if not 0 <= found < _YEAR_3000_MS:
            raise _Unclear("its time is out of range")
    except (ValueError, OverflowError, OSError) as error:
        if isinstance(error, _Unclear):
            raise
        raise _Unclear("its timestamp is no time") from None
    return found


def _text(line: Mapping[str, object], key: str) -> str | None:
    value = line.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)[:LONGEST]
    if not isinstance(value, str):
        raise _Unclear(f"`{key}` is no text")
    if len(value) > LONGEST or not value.isprintable():
        return shown(value)
    return value


def _shown(line: Mapping[str, object], key: str) -> str | None:
    value = line.get(key)
    return None if not value else shown(value)


def _number(line: Mapping[str, object], key: str) -> float | None:
    value = line.get(key)
    if value is None or isinstance(value, str):  # a word, as in older logs
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise _Unclear(f"`{key}` is no number")
    if not 0 <= value < MOST_TOKENS:
        raise _Unclear(f"`{key}` can't be {value}")
    return value


def _count(line: Mapping[str, object], key: str, most: int) -> int | None:
    value = line.get(key)
    if value is None:
        return None
    if type(value) is not int:
        if not isinstance(value, float):
            raise _Unclear(f"`{key}` is no number")
        if not isfinite(value):
            raise _Unclear(f"`{key}` can't be {value}")
        value = round(value)
    if not 0 <= value <= most:
        raise _Unclear(f"`{key}` can't be {str(value)[:30]}")
    return value


def _nusd(line: Mapping[str, object], *, negative: bool = False) -> int:
    value = line.get("cost_usd")
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise _Unclear("`cost_usd` is no amount of money")
    if abs(value) * NANO > MOST_NUSD or (value < 0 and not negative):
        raise _Unclear(f"`cost_usd` can't be {str(value)[:30]}")
    return round(value * NANO)
