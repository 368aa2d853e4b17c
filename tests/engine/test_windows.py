"""
Windows against second opinions: every minute asked one by one, and croniter.

POLICYCTL_PAIRS scales how many random schedules and moments are drawn.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from policyctl import Engine
from policyctl.engine.windows import active, changes, first_times, holds, next_change
from policyctl.policy.cron import read_cron
from policyctl.schemas.policy import Cron, WeekSpan, Window
from policyctl.schemas.text import Span

from ..reference.generate import seeded

# Read before the tests run: they see no variable of policyctl.
PAIRS = int(os.environ.get("POLICYCTL_PAIRS", "100000"))
HERE = Span("test", 0, 0)
MINUTE = timedelta(minutes=1)

MODEL = "model m is offline/m costs nothing tier only_tier from complexity 0 has m\n"

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
SANTIAGO = ZoneInfo("America/Santiago")
CAIRO = ZoneInfo("Africa/Cairo")
ST_JOHNS = ZoneInfo("America/St_Johns")
APIA = ZoneInfo("Pacific/Apia")
TORONTO = ZoneInfo("America/Toronto")
CLOCK_CHANGES = {
    NEW_YORK: ("2026-03-08", "2026-11-01"),
    BERLIN: ("2026-03-29", "2026-10-25"),
    LORD_HOWE: ("2026-04-05", "2026-10-04"),  # by half an hour
    SANTIAGO: ("2026-04-05", "2026-09-06"),  # at midnight, which is skipped in September
    CAIRO: ("2026-04-24", "2026-10-30"),  # the same in April
    ST_JOHNS: ("2010-03-14", "2010-11-07"),  # at one minute past midnight: back into yesterday
    APIA: ("2011-12-30", "2011-12-31"),  # leaves out a whole day
    TORONTO: ("1919-03-31", "1919-10-26"),  # skips from half an hour before midnight to half an hour after
}


def windows_of(text: str) -> Mapping[str, Window]:
    return Engine.from_text(MODEL + text).policy.windows


def hours_of(definition: str, day: str) -> list[str]:
    """
    When a window holds on a day without clock changes, as the minutes at which it starts and ends.
    """
    windows = windows_of(f"window w is {definition}")
    first = datetime.fromisoformat(day)
    minutes = [first + n * MINUTE for n in range(1440)]
    inside = [False, *(holds(windows, "w", minute) for minute in minutes), False]
    return [f"{n // 60:02}:{n % 60:02}" for n, (before, now) in enumerate(pairwise(inside)) if before != now]


# --- spans ---------------------------------------------------------------------------------------

MON, TUE, WED, THU, FRI, SAT, SUN = (f"2026-01-{day:02}" for day in range(5, 12))


@pytest.mark.parametrize(
    ("definition", "day", "expected"),
    [
        ("Mon to Fri 09:00 to 17:00", MON, ["09:00", "17:00"]),
        ("Mon to Fri 09:00 to 17:00", FRI, ["09:00", "17:00"]),
        ("Mon to Fri 09:00 to 17:00", SAT, []),
        # past midnight: it belongs to the day on which it starts
        ("Fri 22:00 to 06:00", FRI, ["22:00", "24:00"]),
        ("Fri 22:00 to 06:00", SAT, ["00:00", "06:00"]),
        ("Fri 22:00 to 06:00", THU, []),
        ("Mon to Fri 17:00 to 09:00", MON, ["17:00", "24:00"]),
        ("Mon to Fri 17:00 to 09:00", TUE, ["00:00", "09:00", "17:00", "24:00"]),
        ("Mon to Fri 17:00 to 09:00", SAT, ["00:00", "09:00"]),
        ("Sun 22:00 to 06:00", MON, ["00:00", "06:00"]),
        # whole days
        ("Sat to Sun all day", SAT, ["00:00", "24:00"]),
        ("Sat to Sun all day", MON, []),
        ("Mon 00:00 to 24:00", MON, ["00:00", "24:00"]),
        ("Mon 00:00 to 24:00", TUE, []),
        ("Mon 18:00 to 24:00", MON, ["18:00", "24:00"]),
        ("Mon 18:00 to 24:00", TUE, []),
        ("Mon 18:00 to 00:00", MON, ["18:00", "24:00"]),
        ("Mon 18:00 to 00:00", TUE, []),
        # start and end alike: a whole day from there
        ("Mon 09:00 to 09:00", MON, ["09:00", "24:00"]),
        ("Mon 09:00 to 09:00", TUE, ["00:00", "09:00"]),
        ("Mon 00:00 to 00:00", MON, ["00:00", "24:00"]),
        ("Mon 00:00 to 00:00", TUE, []),
        # over the week's end
        ("Sat to Mon 10:00 to 11:00", SAT, ["10:00", "11:00"]),
        ("Sat to Mon 10:00 to 11:00", SUN, ["10:00", "11:00"]),
        ("Sat to Mon 10:00 to 11:00", MON, ["10:00", "11:00"]),
        ("Sat to Mon 10:00 to 11:00", TUE, []),
        ("Sat to Mon 10:00 to 11:00", FRI, []),
        # lists
        ("Mon, Wed to Fri 10:00 to 11:00", TUE, []),
        ("Mon, Wed to Fri 10:00 to 11:00", THU, ["10:00", "11:00"]),
        ("Mon 10:00 to 11:00, Mon 10:30 to 12:00", MON, ["10:00", "12:00"]),
        ("Mon 10:00 to 11:00, Mon 11:00 to 12:00", MON, ["10:00", "12:00"]),
        ("Mon 22:00 to 24:00, Tue 00:00 to 02:00", TUE, ["00:00", "02:00"]),
        # one minute
        ("Mon 23:59 to 24:00", MON, ["23:59", "24:00"]),
        ('cron "* 9-16 * * mon-fri"', MON, ["09:00", "17:00"]),
        ('cron "0 9 * * *"', MON, ["09:00", "09:01"]),
        ('cron "0 9 * * sun"', MON, []),
    ],
)
def test_a_window_holds_when_it_says(definition: str, day: str, expected: list[str]) -> None:
    """
    A span holds from its start up to, not including, its end, on the days that it names.
    """
    assert expected == hours_of(definition, day)


def test_outside_is_whenever_the_other_window_does_not_hold() -> None:
    """
    At each minute of a week a window or what is outside it holds; outside of outside is the window.
    """
    windows = windows_of(
        "window w is Fri 22:00 to 06:00, Tue 10:00 to 11:00  window o is outside w  window oo is outside o"
    )
    week = [datetime(2026, 1, 5) + n * MINUTE for n in range(7 * 1440)]

    assert all(holds(windows, "w", m) != holds(windows, "o", m) for m in week)
    assert all(holds(windows, "w", m) == holds(windows, "oo", m) for m in week)
    assert 9 * 60 == sum(holds(windows, "w", m) for m in week)


# --- clock changes -------------------------------------------------------------------------------


def stretches(zone: ZoneInfo, definition: str, first: str, hours: int) -> list[str]:
    """
    When a window starts and ends in the hours after a moment in UTC, in local time with its offset.
    """
    windows = windows_of(f"window w is {definition}")
    start = datetime.fromisoformat(first).replace(tzinfo=UTC)
    found = (
        moment.astimezone(zone)
        for moment in changes(windows, zone, start)
        if moment <= start + timedelta(hours=hours)
    )
    return [f"{local:%d %H:%M%z}" for local in found]


@pytest.mark.parametrize(
    ("zone", "definition", "first", "expected"),
    [
        # the lost hour, 02:00 to 03:00, belongs to no window
        (NEW_YORK, "Sun 02:00 to 03:00", "2026-03-08T00:00", []),
        (NEW_YORK, "Sun 02:30 to 02:45", "2026-03-08T00:00", []),
        # a window that starts inside it starts when the clock resumes
        (NEW_YORK, "Sun 02:30 to 05:00", "2026-03-08T00:00", ["08 03:00-0400", "08 05:00-0400"]),
        (BERLIN, "Sun 02:30 to 05:00", "2026-03-28T20:00", ["29 03:00+0200", "29 05:00+0200"]),
        # one that ends inside it ends when the clock stops
        (NEW_YORK, "Sun 01:00 to 02:30", "2026-03-08T00:00", ["08 01:00-0500", "08 03:00-0400"]),
        # the doubled hour, 01:00 to 02:00, counts both times
        (NEW_YORK, "Sun 01:00 to 02:00", "2026-11-01T00:00", ["01 01:00-0400", "01 02:00-0500"]),
        (
            NEW_YORK,
            "Sun 01:15 to 01:30",
            "2026-11-01T00:00",
            ["01 01:15-0400", "01 01:30-0400", "01 01:15-0500", "01 01:30-0500"],
        ),
        (
            NEW_YORK,
            "Sun 00:00 to 01:30",
            "2026-11-01T00:00",
            ["01 00:00-0400", "01 01:30-0400", "01 01:00-0500", "01 01:30-0500"],
        ),
        (
            NEW_YORK,
            "Sun 01:30 to 04:00",
            "2026-11-01T00:00",
            ["01 01:30-0400", "01 01:00-0500", "01 01:30-0500", "01 04:00-0500"],
        ),
        (
            BERLIN,
            'cron "30 2 * * *"',
            "2026-10-24T20:00",
            ["25 02:30+0200", "25 02:31+0200", "25 02:30+0100", "25 02:31+0100"],
        ),
        # half an hour is lost (02:00 to 02:30) or doubled (01:30 to 02:00)
        (LORD_HOWE, "Sun 02:00 to 02:30", "2026-10-03T10:00", []),
        (LORD_HOWE, "Sun 02:15 to 03:00", "2026-10-03T10:00", ["04 02:30+1100", "04 03:00+1100"]),
        (
            LORD_HOWE,
            "Sun 01:40 to 01:50",
            "2026-04-04T10:00",
            ["05 01:40+1100", "05 01:50+1100", "05 01:40+1030", "05 01:50+1030"],
        ),
        (LORD_HOWE, "Sun 01:30 to 02:00", "2026-04-04T10:00", ["05 01:30+1100", "05 02:00+1030"]),
        # midnight itself is lost: the day starts at 01:00
        (SANTIAGO, "Sun all day", "2026-09-06T00:00", ["06 01:00-0300"]),
        (SANTIAGO, "Sun 00:00 to 01:00", "2026-09-06T00:00", []),
        (SANTIAGO, "Sun 00:30 to 02:00", "2026-09-06T00:00", ["06 01:00-0300", "06 02:00-0300"]),
        (SANTIAGO, "Sat 22:00 to 00:30", "2026-09-06T00:00", ["05 22:00-0400", "06 01:00-0300"]),
        (CAIRO, "Fri all day", "2026-04-23T12:00", ["24 01:00+0300"]),
        # the hour before midnight is doubled, and so the day is longer
        (SANTIAGO, "Sat all day", "2026-04-05T00:00", ["05 00:00-0400"]),
        (
            SANTIAGO,
            "Sat 23:15 to 23:30",
            "2026-04-05T00:00",
            ["04 23:15-0300", "04 23:30-0300", "04 23:15-0400", "04 23:30-0400"],
        ),
        # a day begins, and a minute later it is yesterday again
        (
            ST_JOHNS,
            "Sun 00:00 to 00:30",
            "2010-11-07T01:00",
            ["07 00:00-0230", "06 23:01-0330", "07 00:00-0330", "07 00:30-0330"],
        ),
    ],
)
def test_the_lost_and_the_doubled_hour(
    zone: ZoneInfo, definition: str, first: str, expected: list[str]
) -> None:
    """
    The lost hour belongs to no window; the doubled hour counts both times.
    """
    assert expected == stretches(zone, definition, first, 16)


# --- cron against croniter -------------------------------------------------------------------------

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "sun mon tue wed thu fri sat".split()
FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, MONTHS), (0, 7, WEEKDAYS))


def random_field(rng: random.Random, low: int, high: int, names: tuple[str, ...] | list[str]) -> str:
    """
    A star, values, ranges and steps, now and then by name.
    """
    if rng.random() < 0.4:
        return rng.choice(("*", "*", f"*/{rng.randint(1, max(high // 2, 2))}"))
    parts = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        first, last = sorted(rng.sample(range(low, high + 1), 2))
        step = f"/{rng.randint(1, 5)}" if rng.random() < 0.3 else ""
        one = names[first - low] if names and first - low < len(names) and rng.random() < 0.5 else str(first)
        parts.append(rng.choice((one, one, f"{first}-{last}{step}")))
    return ",".join(parts)


def random_line(rng: random.Random) -> str:
    return " ".join(random_field(rng, *field) for field in FIELDS)


def agrees_with_croniter(cron: Cron, line: str, minute: datetime) -> bool:
    fields = line.split()
    # croniter takes only a bare `*` for "any day"; in Vixie's cron a star with a step (`*/2`) is one too,
    # so that both day fields must fit. `day_or=False` asks croniter for that.
    either = not (fields[2].startswith("*") or fields[4].startswith("*"))
    window = Window("w", (), cron, None, HERE)
    return holds({"w": window}, "w", minute) == croniter.match(line, minute, day_or=either)


def test_cron_lines_match_the_minutes_that_croniter_matches() -> None:
    """
    On random lines and minutes both say the same, half of the minutes aimed at the line's own values.
    """
    rng = seeded("cron")
    wrong = []
    for _ in range(PAIRS // 150):
        line = random_line(rng)
        cron = read_cron(line)
        assert isinstance(cron, Cron), line
        for _ in range(4):
            minute = datetime(2024, 1, 1) + rng.randrange(4 * 366 * 1440) * MINUTE
            if rng.random() < 0.6:
                minute = minute.replace(
                    minute=rng.choice(sorted(cron.minutes)),
                    hour=rng.choice(sorted(cron.hours)),
                    month=rng.choice(sorted(cron.months)),
                    day=rng.randint(1, 28),
                )
            if not agrees_with_croniter(cron, line, minute):
                wrong.append((line, minute.isoformat()))

    assert [] == wrong


@pytest.mark.parametrize(
    ("line", "day", "expected"),
    [
        ("0 0 13 * fri", "2026-02-13", True),  # a Friday the 13th
        ("0 0 13 * fri", "2026-01-13", True),  # the 13th
        ("0 0 13 * fri", "2026-01-09", True),  # a Friday
        ("0 0 13 * fri", "2026-01-10", False),
        ("0 0 13 * *", "2026-01-09", False),
        ("0 0 * * fri", "2026-01-13", False),
        ("0 0 */2 * fri", "2026-01-09", True),  # an odd day and a Friday
        ("0 0 */2 * fri", "2026-01-16", False),  # a Friday, but an even day
        ("0 0 */2 * fri", "2026-01-11", False),  # an odd day, but no Friday
        ("0 0 9 * */5", "2026-01-09", True),  # weekdays 0 and 5: Sunday and Friday
        ("0 0 9 * */5", "2026-02-09", False),
        ("0 0 * * 0", "2026-01-11", True),
        ("0 0 * * 7", "2026-01-11", True),
        ("0 0 * * 5-7", "2026-01-11", True),
        ("0 0 29 2 *", "2028-02-29", True),
        ("0 0 31 * *", "2026-04-30", False),
    ],
)
def test_vixies_rule_for_days(line: str, day: str, expected: bool) -> None:
    """
    Where both day fields are given, either may fit; where one starts with a star, both must.
    """
    windows = windows_of(f'window w is cron "{line}"')

    assert expected == holds(windows, "w", datetime.fromisoformat(day))


# --- changes, minute by minute ---------------------------------------------------------------------


def random_windows(rng: random.Random) -> dict[str, Window]:
    found: dict[str, Window] = {}
    for name in ("a", "b", "c")[: rng.randint(1, 3)]:
        kind = rng.choice(("spans", "spans", "cron", "outside"))
        if kind == "outside" and found:
            found[name] = Window(name, (), None, rng.choice(list(found)), HERE)
        elif kind == "cron":
            hour = f"{rng.choice((0, 0, 1, 2, 23))}-{rng.choice((23, 23, 23, 23))}"
            minute = rng.choice(("*", "*", "30", "*/20", "0-29", "1"))
            day = rng.choice(("* * *", "* * sun", "5-8 * *", "29-31 * sun", "*/2 * 6,0"))
            cron = read_cron(f"{minute} {rng.choice(('*', hour, '0-2', '1,23'))} {day}")
            assert isinstance(cron, Cron)
            found[name] = Window(name, (), cron, None, HERE)
        else:
            spans = tuple(random_span(rng) for _ in range(rng.randint(1, 3)))
            found[name] = Window(name, spans, None, None, HERE)
    return found


def random_span(rng: random.Random) -> WeekSpan:
    days = frozenset(rng.sample(range(7), rng.randint(1, 7)) + [6] * rng.randint(0, 1))
    edges = (0, 1, 30, 60, 75, 90, 105, 120, 135, 150, 180, 540, 1380, 1395, 1410, 1439)
    return WeekSpan(days, rng.choice(edges), rng.choice((*edges, 1440)))


def each_minute(
    windows: Mapping[str, Window], zone: ZoneInfo, start: datetime, days: int
) -> Iterator[datetime]:
    """
    The second opinion: at each minute ask what holds, and tell the minutes at which that differs.
    """
    before = active(windows, start.astimezone(zone))
    first = start.replace(second=0, microsecond=0) + MINUTE
    for n in range(days * 1440):
        minute = first + n * MINUTE
        now = active(windows, minute.astimezone(zone))
        if now != before:
            yield minute
        before = now


@pytest.mark.parametrize("zone", CLOCK_CHANGES, ids=str)
def test_changes_are_those_that_each_minute_shows(zone: ZoneInfo) -> None:
    """
    Around clock changes every change is found, none is invented, and they come in order.
    """
    rng = seeded(f"changes {zone}")
    for _ in range(max(PAIRS // 20_000, 2)):
        windows = random_windows(rng)
        for day in CLOCK_CHANGES[zone]:
            start = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(minutes=rng.randint(0, 5000))
            start += timedelta(seconds=rng.choice((0, 0, 1, 59)))
            days = 8
            end = start.replace(second=0) + timedelta(days=days)
            expected = list(each_minute(windows, zone, start, days))

            found = []
            for moment in changes(windows, zone, start):
                if moment > end:
                    break
                found.append(moment)

            assert expected == found, (windows, start)


@pytest.mark.parametrize("zone", CLOCK_CHANGES, ids=str)
def test_first_times_are_those_that_changes_show(zone: ZoneInfo) -> None:
    """
    Each set of windows is told once, at the first moment at which it holds; none is left out.
    """
    rng = seeded(f"first {zone}")
    for _ in range(max(PAIRS // 5_000, 2)):
        windows = random_windows(rng)
        day = rng.choice(CLOCK_CHANGES[zone])
        start = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(minutes=rng.randint(0, 5000))
        expected: dict[frozenset[str], datetime] = {}
        for moment in (start, *islice(changes(windows, zone, start, days=40), 3000)):
            expected.setdefault(active(windows, moment.astimezone(zone)), moment)

        found = [pair for pair in first_times(windows, zone, start, days=40) if pair[0] <= moment]

        assert [(when, names) for names, when in expected.items()] == found, (windows, start)


# --- nothing changes, and far ahead ------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "window w is Mon to Sun all day",
        "window w is Mon to Sun 09:00 to 09:00",
        'window w is cron "* * * * *"',
        'window w is cron "* * * * *"  window v is outside w',
        "window w is Mon to Sun 22:00 to 06:00, Mon to Sun 06:00 to 22:00",
        'window w is cron "0 0 30 2 *"',
    ],
)
def test_where_nothing_changes_there_is_no_next_change(text: str) -> None:
    """
    Windows that always or never hold don't change, on days with clock changes either.
    """
    windows = windows_of(text)

    assert all(None is next_change(windows, zone, datetime(2026, 1, 5, tzinfo=UTC)) for zone in CLOCK_CHANGES)


def test_a_yearly_window_is_found_within_the_year() -> None:
    """
    The change of the year is seen from the day after the last one.
    """
    windows = windows_of('window new_year is cron "* * 1 1 *"')
    after = datetime(2026, 1, 2, 12, tzinfo=UTC)

    assert datetime(2027, 1, 1, 5, tzinfo=UTC) == next_change(windows, NEW_YORK, after)
    assert None is next_change(windows, NEW_YORK, after, days=300)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("* * 29 2 *", datetime(2028, 2, 29)),
        ("* * 29 2 */7", datetime(2032, 2, 29)),  # a leap day on a Sunday
        ("30 4 29 2 */3", datetime(2032, 2, 29, 4, 30)),  # on a Sunday, Wednesday or Saturday
    ],
)
def test_a_leap_day_is_found_where_one_looks_far(line: str, expected: datetime) -> None:
    """
    It lies beyond the year that is looked at as a rule, which is told as "no change".
    """
    windows = windows_of(f'window leap is cron "{line}"')
    start = datetime(2026, 1, 5, 12, tzinfo=UTC)

    assert None is next_change(windows, BERLIN, start)
    times = {names: moment for moment, names in first_times(windows, BERLIN, start, days=40 * 366)}
    assert expected.replace(tzinfo=BERLIN) == times[frozenset({"leap"})]


def test_far_and_frequent_changes_take_no_time() -> None:
    """
    A year without a change, and a window that flickers each minute, are looked through in an instant.
    """
    rare = windows_of('window a is cron "* * 29 2 *"  window b is cron "0 0 30 2 *"')
    busy = windows_of('window a is cron "*/2 * * * *"  window b is cron "* * 29 2 *"')
    start = datetime(2026, 1, 5, 12, tzinfo=UTC)
    began = time.process_time()

    assert None is next_change(rare, NEW_YORK, start)
    assert 4 == len(list(first_times(busy, NEW_YORK, start, days=4 * 366)))
    assert [1, 2, 3] == [n.astimezone(UTC).minute for n in islice(changes(busy, NEW_YORK, start), 3)]
    assert 2 > time.process_time() - began
