"""
What was crossed and what is told of it, in SQL: each function is one transaction's work.

A crossing is a row whose key is the alert, its bound and the window, so however many processes see it,
one of them writes it down, and its message with it. A message is sent by whoever claims it; a claim lasts for
a while only, so that a message of a process that dies is sent by another one.

Of these two tables a sheet keeps nothing in mind, so they are read and written past it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...schemas.alerts import AlertEvent, AlertKind, Delivery, Outcome
from ..sheet import Sheet
from ..windows import moment
from .messages import body_of, message_id, window_of
from .watching import Reading

WAITS_S = (5, 60, 600, 3600)
"""How long a message waits after each try that failed; after one more it is given up."""

CLAIM_S = 60
"""How long a claim lasts: longer than it takes to send a message."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours to send, and how often it was tried before."""

    id: str
    channel: str
    target: str | None
    body: str
    tries: int


# --- crossings -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Teller:
    """Writes down what readings say that wasn't known yet, once for each window."""

    ledger_id: int
    policy: str

    def tell(self, sheet: Sheet, readings: Iterable[Reading], now_ms: int) -> int:
        """
        Write down which bounds are crossed and which aren't any more; how many messages that makes.

        The end of a window ends what fired in it: that is told once the next window is known to be quiet, and
        not at all where that fires too.
        """
        return sum(self._one(sheet, reading, now_ms) for reading in readings)

    def _one(self, sheet: Sheet, reading: Reading, now_ms: int) -> int:
        window, ends = window_of(reading), reading.window.ends_ms
        own = (reading.watched.name, reading.condition)
        if reading.crosses:
            if not sheet.direct.run(
                "INSERT INTO alerts (alert, condition, window_name, ends_ms, fired_ms) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (alert, condition, window_name) DO NOTHING",
                *(*own, window, ends, now_ms),
            ):
                return 0
            self._message(sheet, reading, AlertKind.FIRED, window, now_ms)
            if reading.window.starts_ms is not None:
                _end_earlier(sheet, own, reading.window.starts_ms, now_ms)
            return 1
        if reading.value is None:
            return 0
        return sum(self._recovered(sheet, reading, each, now_ms) for each in _open(sheet, own, reading))

    def _recovered(self, sheet: Sheet, reading: Reading, window: str, now_ms: int) -> int:
        sheet.direct.run(
            "UPDATE alerts SET recovered_ms = ? WHERE alert = ? AND condition = ? AND window_name = ?",
            *(now_ms, reading.watched.name, reading.condition, window),
        )
        self._message(sheet, reading, AlertKind.RECOVERED, window, now_ms)
        return 1

    def _message(self, sheet: Sheet, reading: Reading, kind: AlertKind, window: str, now_ms: int) -> None:
        watched = reading.watched
        identity = message_id(self.ledger_id, watched.name, reading.condition, window, kind)
        body = body_of(reading, kind, window, now_ms, identity, self.policy)
        sheet.direct.run(
            "INSERT INTO messages (id, number, alert, condition, window_name, kind, made_ms,"
            " channel, target, body, state, tries, next_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting', 0, ?)",
            identity,
            sheet.next_number("messages"),
            *(watched.name, reading.condition, window, kind.value, now_ms),
            *(watched.channel, watched.target, body, now_ms),
        )


def _open(sheet: Sheet, own: tuple[str, str], reading: Reading) -> list[str]:
    """
    The windows in which this fired and hasn't recovered: this one, and those by the clock before it.

    A budget that refused a call has less spent than its limit, and yet no room: it recovers when it turns.
    """
    here = "" if reading.watched.pauses else window_of(reading)
    found = sheet.direct.rows(
        "SELECT window_name FROM alerts WHERE alert = ? AND condition = ? AND recovered_ms IS NULL"
        " AND (window_name = ? OR ends_ms <= ?) ORDER BY fired_ms",
        *(*own, here, reading.window.starts_ms),
    )
    return [window for (window,) in found]


def _end_earlier(sheet: Sheet, own: tuple[str, str], starts_ms: int, now_ms: int) -> None:
    sheet.direct.run(
        "UPDATE alerts SET recovered_ms = ?"
        " WHERE alert = ? AND condition = ? AND recovered_ms IS NULL AND ends_ms <= ?",
        *(now_ms, *own, starts_ms),
    )


def fired_ms(sheet: Sheet, reading: Reading) -> int | None:
    """When a reading's bound was crossed in its window, where it is known to be crossed still."""
    found = sheet.direct.rows(
        "SELECT fired_ms FROM alerts WHERE alert = ? AND condition = ? AND window_name = ?"
        " AND recovered_ms IS NULL",
        *(reading.watched.name, reading.condition, window_of(reading)),
    )
    return found[0][0] if found else None


# --- messages --------------------------------------------------------------------------------------------


def claim(sheet: Sheet, now_ms: int) -> Claimed | None:
    """
    A message whose time has come; None: there is none.

    The try counts from now on: a process that ends in the middle of it has tried, too.
    """
    sheet.direct.run(
        "UPDATE messages SET state = 'failed', problem = coalesce(problem, ?)"
        " WHERE state = 'waiting' AND next_ms <= ? AND tries > ?",
        *("each process that sent it ended before it was answered", now_ms, len(WAITS_S)),
    )
    rows = sheet.direct.rows(
        "SELECT id, channel, target, body, tries FROM messages WHERE state = 'waiting' AND next_ms <= ?"
        " ORDER BY next_ms, number LIMIT 1",
        now_ms,
    )
    if not rows:
        return None
    message = Claimed(*rows[0])
    sheet.direct.run(
        "UPDATE messages SET next_ms = ?, tries = tries + 1 WHERE id = ?", now_ms + CLAIM_S * 1000, message.id
    )
    return message


def settle(sheet: Sheet, message: Claimed, outcome: Outcome, now_ms: int) -> None:
    """
    Write down what came of a claimed message.

    Where its address can't be reached, the others for it wait as well. Of two processes that sent the same
    message, as a claim ran out, the one that succeeded counts.
    """
    tries = message.tries + 1
    again = outcome.again and tries <= len(WAITS_S)
    state = Delivery.SENT if outcome.sent else Delivery.WAITING if again else Delivery.FAILED
    next_ms = now_ms + WAITS_S[min(tries, len(WAITS_S)) - 1] * 1000
    sheet.direct.run(
        "UPDATE messages SET state = ?, tries = ?, next_ms = ?, problem = ?"
        " WHERE id = ? AND (state = 'waiting' OR ? = 'sent')",
        *(state.value, tries, next_ms, None if outcome.sent else outcome.what, message.id, state.value),
    )
    if outcome.again:
        sheet.direct.run(
            "UPDATE messages SET next_ms = ? WHERE state = 'waiting' AND next_ms <= ?"
            " AND channel = ? AND coalesce(target, '') = ?",
            *(next_ms, now_ms, message.channel, message.target or ""),
        )


def next_due_ms(sheet: Sheet) -> int | None:
    """When the next message that waits may be sent."""
    due: int | None = sheet.direct.rows("SELECT min(next_ms) FROM messages WHERE state = 'waiting'")[0][0]
    return due


def last_of(sheet: Sheet, alert: str) -> AlertEvent | None:
    """The last message of an alert, whatever its bound was then."""
    found = sheet.direct.rows(
        "SELECT id, kind, window_name, made_ms, state, tries, problem FROM messages WHERE alert = ?"
        " ORDER BY number DESC LIMIT 1",
        alert,
    )
    if not found:
        return None
    identity, kind, window, made, state, tries, problem = found[0]
    return AlertEvent(
        id=identity,
        kind=AlertKind(kind),
        window=window,
        at=moment(made),
        delivery=Delivery(state),
        tries=tries,
        problem=problem,
    )


def forget_before(sheet: Sheet, cut_ms: int) -> None:
    """Take out what was told before a moment; what waits to be told stays."""
    sheet.direct.run("DELETE FROM messages WHERE made_ms < ? AND state != 'waiting'", cut_ms)
    sheet.direct.run("DELETE FROM alerts WHERE fired_ms < ? AND recovered_ms IS NOT NULL", cut_ms)
