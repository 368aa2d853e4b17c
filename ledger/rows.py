"""An attempt as a row: how it is written, read and told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from operator import attrgetter

from ..schemas.ledger import Attempt, Flag, Hold, HoldState, Usage
from .money import Charge
from .tx import Tx, Value, misuse

_OWN = tuple(field.name for field in fields(Attempt) if field.name != "most_nusd")
_own_of = attrgetter(*_OWN)
_FALLBACK_USED = _OWN.index("fallback_used")
_USED = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "latency_ms",
    "success",
    "error",
)
_STATE = ("state", "hold_nusd", "cost_nusd", "flag", "reserved_ms", "was_sent", "logged", "body")
_READ = f"SELECT {', '.join((*_OWN, *_STATE))} FROM attempts"  # noqa: S608  # names of our own
_NEW = (*_OWN, *_STATE, "owner", "lease_ms", "settled_ms", *_USED)
INSERT = (
    f"INSERT INTO attempts ({', '.join(_NEW)}) VALUES ({', '.join('?' * len(_NEW))})"  # noqa: S608
    " ON CONFLICT (key) DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """An attempt as it stands in the book."""

    attempt: Attempt
    state: HoldState
    hold_nusd: int
    cost_nusd: int
    flag: Flag | None
    reserved_ms: int
    was_sent: bool
    logged: bool
    body: str

    @property
    def hold(self) -> Hold:
        """What the book's user is told."""
        return Hold(self.attempt.key, self.state, self.hold_nusd, self.cost_nusd, self.flag)


QUARANTINED = (Flag.INVALID, Flag.ABSURD)


def believed(usage: Usage | None, charged: Charge) -> Usage:
    """The usage as far as it is believed; its tokens aren't, where it was quarantined."""
    if usage is None:
        return Usage()
    if charged.flag in QUARANTINED:
        return Usage(success=bool(usage.success), error=usage.error)
    return usage


def reported(usage: Usage | None) -> str | None:
    """Usage that isn't believed, kept for a person to look at: numbers only, whatever they are."""
    if usage is None:
        return None
    told = {name: getattr(usage, name) for name in (*_USED[:5], "cost_nusd")}
    return json.dumps({name: _shown(value) for name, value in told.items()})


def _shown(value: object) -> object:
    """A number as it is, unless it is too long to be one; of everything else only what it is."""
    if value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**30):
        return value
    return type(value).__name__


def used_values(usage: Usage) -> tuple[Value, ...]:
    """The columns of what was used."""
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.latency_ms,
        int(usage.success),
        usage.error,
    )


def digest_of(attempt: Attempt, hold_nusd: int) -> str:
    """What tells whether a key is used for the same call again."""
    return sha256(repr((_own_of(attempt), hold_nusd)).encode()).hexdigest()[:32]


def _own_values(attempt: Attempt) -> list[Value]:
    own: list[Value] = list(_own_of(attempt))
    own[_FALLBACK_USED] = int(attempt.fallback_used)
    return own


@dataclass(frozen=True, slots=True)
class Asked:
    """A hold that is asked for, and all of its row that needs no look into the ledger."""

    attempt: Attempt
    hold_nusd: int
    state: HoldState
    lease_ms: int
    owner: str
    body: str
    own: tuple[Value, ...]

    def row(self, now_ms: int) -> tuple[Value, ...]:
        """The row, reserved at this moment."""
        sent = int(self.state is HoldState.SENT)
        stands = (self.state.value, self.hold_nusd, 0, None, now_ms, sent, 0, self.body)
        return (*self.own, *stands, self.owner, now_ms + self.lease_ms, *(None,) * 8)


def ask(attempt: Attempt, hold_nusd: int, *, send: bool, lease_ms: int, owner: str) -> Asked:
    """Ask for a hold; to be done before the lock is held, since others wait for that."""
    state = HoldState.SENT if send else HoldState.HELD
    body = digest_of(attempt, hold_nusd)
    return Asked(attempt, hold_nusd, state, lease_ms, owner, body, tuple(_own_values(attempt)))


def recorded_row(
    attempt: Attempt, usage: Usage, charged: Charge, when_ms: int, body: str
) -> tuple[Value, ...]:
    """The row of a call that is over: as if its hold had been what it cost."""
    own, cost = _own_values(attempt), charged.cost_nusd
    state = HoldState.UNKNOWN if charged.flag is Flag.UNKNOWN else HoldState.COMMITTED
    flag = charged.flag and charged.flag.value
    stands: list[Value] = [state.value, cost, cost, flag, when_ms, 1, 1, body]
    return (*own, *stands, "", when_ms, when_ms, *used_values(usage))


def lines_after(tx: Tx, ms: int, key: str, limit: int) -> list[tuple[Stored, Usage, int]]:
    """
    The calls that have a line in the log, with what they used and when they were settled.

    They come in the order of their reservation, after the one of this moment and key.
    """
    sql = (
        f"SELECT {', '.join((*_OWN, *_STATE, *_USED))}, settled_ms FROM attempts WHERE logged = 1"  # noqa: S608
        " AND reserved_ms >= ? AND (reserved_ms > ? OR key > ?) ORDER BY reserved_ms, key LIMIT ?"
    )
    found, start = [], len(_OWN) + len(_STATE)
    for row in tx.rows(sql, ms, ms, key, limit):
        used = dict(zip(_USED, row[start:-1], strict=True))
        used["success"] = bool(used["success"])
        found.append((_stored(row[:start]), Usage(**used), row[-1]))
    return found


def find(tx: Tx, key: str) -> Stored | None:
    """The attempt of a key, if there is one."""
    found = tx.rows(f"{_READ} WHERE key = ?", key)
    return _stored(found[0]) if found else None


def get(tx: Tx, key: str) -> Stored:
    """
    The attempt of a key.

    Raises:
        LedgerMisuse: there is none.
    """
    stored = find(tx, key)
    if stored is None:
        raise misuse(f"nothing is held under the key `{key}`", "reserve comes first")
    return stored


def _stored(row: Sequence[object]) -> Stored:
    own = dict(zip(_OWN, row, strict=False))
    state, hold, cost, flag, reserved_ms, was_sent, logged, body = row[len(_OWN) :]
    own["fallback_used"] = bool(own["fallback_used"])
    return Stored(
        Attempt(**own),  # type: ignore[arg-type]  # the columns are those of its fields
        HoldState(str(state)),
        hold,  # type: ignore[arg-type]
        cost,  # type: ignore[arg-type]
        None if flag is None else Flag(str(flag)),
        reserved_ms,  # type: ignore[arg-type]
        bool(was_sent),
        bool(logged),
        str(body),
    )
