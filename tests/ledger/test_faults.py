"""What happens when something fails: each row of the table in docs/ledger.md. Nothing is silent."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policyctl.ledger.places import file_system, prepare
from policyctl.ledger.sqlite import SqliteBackend
from policyctl.schemas.errors import LedgerError
from policyctl.schemas.ledger import DeniedBy, Flag, HoldState
from policyctl.schemas.request import Spend

from .world import CENT, DOLLAR, World, attempt, denied, held, policy_of, usage

ROOT = os.geteuid() == 0
SOAK = int(os.environ.get("POLICYCTL_SOAK", "0"))


def spent(world: World) -> Spend:
    """
    What the monthly budget has, asked by a ledger of its own.
    """
    with world.open() as ledger:
        return ledger.spend()["monthly"]


# --- the disk -----------------------------------------------------------------------------------------


@contextmanager
def a_full_disk(world: World) -> Iterator[None]:
    """
    No file may grow any more.
    """
    largest = max(file.stat().st_size for file in world.folder.rglob("*") if file.is_file())
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (min(largest, 32768), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_no(world: World) -> None:
    """
    Where nothing can be written, nothing is reserved; a commit is an error, and its hold stays until
    the commit comes again.
    """
    ledger = world.open()
    for number in range(20):  # so that the write-ahead log is past what it may have
        ledger.reserve(attempt(f"{number}", CENT))
    ledger.reserve(attempt("a"), send=True)
    with a_full_disk(world):
        refused = denied(ledger.reserve(attempt("b")))
        with pytest.raises(LedgerError):
            ledger.commit("a", usage())

    assert DeniedBy.LEDGER == refused.by
    assert "policyctl.db" in refused.message
    assert DOLLAR + 20 * CENT == ledger.spend()["monthly"].held_nusd
    assert 10 * CENT == ledger.commit("a", usage()).cost_nusd
    assert HoldState.HELD == held(ledger.reserve(attempt("b"))).state
    assert () == world.health().problems


def test_a_database_that_may_not_grow_is_no(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    SQLite's own word for a full disk is told as one, and leaves the ledger as it was.
    """
    ledger = world.open()
    ledger.reserve(attempt("a"), send=True)
    ledger.do(lambda tx: tx.rows(f"PRAGMA max_page_count = {tx.rows('PRAGMA page_count')[0][0]}"))
    answers = [ledger.reserve(attempt(f"b{number}" + "x" * 400)) for number in range(20)]
    refused = denied(answers[-1])

    assert (DeniedBy.LEDGER, True) == (refused.by, "the disk of" in refused.message)
    admitted = sum(not hasattr(answer, "by") for answer in answers)
    assert (1 + admitted) * DOLLAR == ledger.spend()["monthly"].held_nusd


FULL = """
import os, sys
from pathlib import Path
from policyctl.ledger.checking import check
from policyctl.ledger.ledger import Ledger
from policyctl.schemas.ledger import Attempt, Usage
folder = Path(sys.argv[1])
if sys.argv[2] == "after":
    sys.exit()
ledger = Ledger(folder / "policyctl.db", log=folder / "usage.jsonl", create=True)
def reserve(key):
    answer = ledger.reserve(Attempt(key=key, provider="p", model="m", most_nusd=9), send=True)
    return getattr(answer, "message", "held")
held = [reserve(f"a{n}") for n in range(30)]
filler = os.open(folder / "filler", os.O_WRONLY | os.O_CREAT)
for size in (65536, 4096, 1):
    try:
        while os.write(filler, bytes(size)) == size:
            pass
    except OSError as error:
        full = error.strerror
refused = [reserve(f"b{n}") for n in range(40)]
states = [ledger.commit(f"a{n}", Usage(cost_nusd=7)).state.value for n in range(30)]
after = reserve("c")
os.ftruncate(filler, 0)
again = reserve("d")
ledger.commit("d", Usage(cost_nusd=7))
health = check(ledger)
print(full)
print(set(held), "no room" in refused[-1] or "full" in refused[-1], set(states), "no room" in after, again)
print(health.problems, health.spent_nusd, len((folder / "usage.jsonl").read_text().splitlines()))
"""


def on_a_disk_of_its_own(tmp_path: Path, script: str, between: str = "true") -> list[str]:
    """
    What a script prints that works on a small disk, `before` and `after` a command that is given the disk.
    """
    if shutil.which("unshare") is None:
        pytest.skip("no unshare to mount a small disk with")
    (tmp_path / "script.py").write_text(script)
    (tmp_path / "disk").mkdir()
    commands = (
        'mount -t tmpfs -o size=3m,mode=700 tmpfs "$1" || exit 77; '
        f'"$2" "$3" "$1" before && {between} && exec "$2" "$3" "$1" after'
    )
    words = ["unshare", "-rm", "sh", "-c", commands, "sh", tmp_path / "disk"]
    done = subprocess.run(
        [*words, sys.executable, tmp_path / "script.py"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no disk of its own can be mounted here")
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()


def test_what_is_held_can_be_settled_on_a_full_disk(tmp_path: Path) -> None:
    """
    A disk that fills up after money was held: the calls are settled with the room that was kept for
    that, nothing new is held, and all goes on when there is room again.
    """
    assert [
        "No space left on device",
        "{'held'} True {'committed'} True held",
        "() 217 31",
    ] == on_a_disk_of_its_own(tmp_path, FULL)


READ_ONLY = """
import sys
from pathlib import Path
from policyctl.ledger.ledger import Ledger
from policyctl.schemas.errors import LedgerError
try:
    Ledger(Path(sys.argv[1]) / "policyctl.db", create=True).close()
    print("opened")
except LedgerError as error:
    print(error)
"""


def test_a_disk_that_is_read_only_is_told(tmp_path: Path) -> None:
    """
    Where the disk itself takes nothing any more, the ledger isn't opened, and the reason is said.
    """
    told = on_a_disk_of_its_own(tmp_path, READ_ONLY, between='mount -o remount,ro "$1"')

    assert "opened" == told[0]
    assert [True] == ["Read-only file system" in line for line in told[1:]]


@pytest.mark.skipif(ROOT, reason="the superuser may write everywhere")
def test_a_read_only_ledger_is_no(world: World) -> None:
    """
    A file or folder that can't be written is told when the ledger is opened.
    """
    world.open().close()
    world.folder.chmod(0o500)
    try:
        with pytest.raises(LedgerError, match=r"can't be locked|can't be opened|can't be written"):
            world.open()
    finally:
        world.folder.chmod(0o700)


def test_a_ledger_that_turns_read_only_is_no(world: World) -> None:
    """
    Where SQLite may only read, nothing is reserved, and that is said.
    """
    ledger = world.open()
    ledger.do(lambda tx: None)
    ledger._writer.do(lambda tx: None, 1)
    db = ledger._backend
    assert isinstance(db, SqliteBackend)
    ledger.do(lambda tx: tx.rows("PRAGMA query_only = ON"))
    refused = denied(ledger.reserve(attempt("a")))

    assert (DeniedBy.LEDGER, True) == (refused.by, "can't be written" in refused.message)


def test_what_was_answered_outlives_a_power_cut(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Whenever an answer is given, all that it rests on is on the disk, also what another process has done: what
    was written to the disk until then has it.
    """
    first, second = world.open(), world.open(log=None)
    disk = World(world.folder / "disk")
    disk.folder.mkdir(mode=0o700)

    def to_disk(wal: int) -> None:
        for name in ("policyctl.db", "policyctl.db-wal"):
            shutil.copy(world.folder / name, disk.folder / name)
        os.fdatasync(wal)

    monkeypatch.setattr("policyctl.ledger.sqlite._to_disk", to_disk)
    for ledger, key in ((first, "a"), (second, "b"), (first, "b")):
        ledger.reserve(attempt(key), send=True)
        with disk.open() as found:
            assert HoldState.SENT == held(found.reserve(attempt(key), send=True)).state
    second.commit("a", usage())
    with disk.open() as found:
        assert {"monthly": Spend(10 * CENT, DOLLAR)} == found.spend()


def test_what_cannot_be_made_durable_is_no(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A disk that fails while something is made durable is told to all who waited for that, and what it may
    have lost is written anew before the ledger goes on.
    """
    ledger = world.open()
    ledger.reserve(attempt("a"), send=True)
    with monkeypatch.context() as broken:
        broken.setattr("policyctl.ledger.sqlite._to_disk", _failing)
        refused = denied(ledger.reserve(attempt("b")))
        with pytest.raises(LedgerError, match="Input/output error"):
            ledger.commit("a", usage())
    wal = world.folder / "policyctl.db-wal"
    ledger.spend()

    assert (DeniedBy.LEDGER, True) == (refused.by, "can't be written: Input/output error" in refused.message)
    assert 0 == wal.stat().st_size
    assert 10 * CENT == ledger.commit("a", usage()).cost_nusd
    assert {"monthly": Spend(10 * CENT, DOLLAR)} == ledger.spend()  # what was refused is held, not lost
    assert () == world.health().problems


def _failing(file: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


# --- locks --------------------------------------------------------------------------------------------


def test_a_lock_that_isnt_free_is_no(world: World) -> None:
    """
    Another process sits on the lock: the answer is no in the time that was given, nothing was done, and
    nothing is done later.
    """
    ledger = world.open(wait_s=0.2)
    with (world.folder / "policyctl.db-lock").open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = denied(ledger.reserve(attempt("a")))
        with pytest.raises(LedgerError, match=r"wasn't free within 0\.2 s"):
            ledger.spend()

    assert (DeniedBy.LEDGER, "the ledger wasn't free within 0.2 s") == (refused.by, refused.message)
    assert Spend() == spent(world)


def test_a_program_that_writes_without_asking_is_waited_for_shortly(world: World) -> None:
    """
    A database that another program has locked is told as such, and works again afterwards.
    """
    ledger = world.open()
    ledger.do(lambda tx: tx.rows("PRAGMA busy_timeout = 50"))
    other = sqlite3.connect(str(world.place), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    refused = denied(ledger.reserve(attempt("a")))
    other.execute("ROLLBACK")
    other.close()

    assert "another program is writing to" in refused.message
    assert HoldState.HELD == held(ledger.reserve(attempt("a"))).state


@pytest.mark.parametrize("program", ["ours", "another"])
def test_a_ledger_that_is_locked_for_long_is_no_until_it_isnt(world: World, program: str) -> None:
    """
    For as long as somebody sits on the ledger (a minute, at full size), each answer is no and comes in the
    time that was given; then all goes on, and nothing of what was refused was done.
    """
    locked_s, wait_s = (60, 10) if SOAK else (0.6, 0.2)
    ledger = world.open(wait_s=wait_s)
    ledger.reserve(attempt("before"))
    if not SOAK:
        ledger.do(lambda tx: tx.rows("PRAGMA busy_timeout = 100"))
    free = sit_on(world, program)
    start, slowest, refused, number = time.monotonic(), 0.0, [], 0
    while (gone := time.monotonic() - start) < locked_s:
        answer = denied(ledger.reserve(attempt(f"r{number}")))
        slowest = max(slowest, time.monotonic() - start - gone)
        refused.append(answer.by)
        number += 1
    free()

    assert {DeniedBy.LEDGER} == set(refused)
    assert slowest < wait_s + 5
    assert HoldState.HELD == held(ledger.reserve(attempt("after"))).state
    assert {"monthly": Spend(0, 2 * DOLLAR)} == ledger.spend()
    assert () == world.health().problems


def sit_on(world: World, program: str) -> Callable[[], None]:
    """
    Lock a ledger, as another process that uses it or a program that knows nothing of its lock.
    """
    if program == "ours":
        lock = (world.folder / "policyctl.db-lock").open("r+b")
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock.close
    other = sqlite3.connect(str(world.place), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other.close


def test_a_lock_file_that_was_removed_is_made_anew(world: World) -> None:
    """
    Whoever removes the lock's file doesn't let two writers in: both lock the new one.
    """
    first, second = world.open(), world.open()
    (world.folder / "policyctl.db-lock").unlink()
    first.reserve(attempt("a"))
    second.reserve(attempt("b"))

    assert Spend(0, 2 * DOLLAR) == spent(world)
    assert (world.folder / "policyctl.db-lock").exists()


# --- the file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("replaced", [False, True])
def test_a_ledger_that_is_deleted_in_use_is_no(world: World, replaced: bool) -> None:
    """
    A ledger that was deleted, or that another stands in place of, isn't written to any more, nor made anew.
    """
    ledger = world.open(create=True)
    ledger.reserve(attempt("a"))
    other = World(world.folder / "other")
    other.open().close()
    (world.folder / "policyctl.db").unlink()
    if replaced:
        shutil.copy(world.folder / "other" / "policyctl.db", world.folder / "policyctl.db")
    answers = [denied(ledger.reserve(attempt(key))) for key in "bcd"]

    assert {DeniedBy.LEDGER} == {refused.by for refused in answers}
    assert all(
        "deleted or replaced" in refused.message or "no ledger" in refused.message for refused in answers
    )
    assert replaced == (world.folder / "policyctl.db").exists()
    other.close()


LOOK = """
import sys
from pathlib import Path
from policyctl.ledger.ledger import Ledger
with Ledger(Path(sys.argv[1])) as ledger:
    print(*[key for (key,) in ledger.do(lambda tx: tx.rows("SELECT key FROM attempts ORDER BY key"))])
"""


def look(world: World) -> str:
    """
    The keys that another process finds, which opens the ledger and closes it again.
    """
    done = subprocess.run(
        [sys.executable, "-c", LOOK, world.place], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_two_ledgers_of_a_process_share_a_file(world: World) -> None:
    """
    A process may open a ledger twice, and close one of the two: what it writes through the other is found
    by all, however often others open and close the ledger meanwhile.
    """
    first, second = world.open(), world.open()
    first.reserve(attempt("a"))
    second.reserve(attempt("b"))
    seen = [look(world)]
    first.reserve(attempt("c"))
    seen.append(look(world))
    second.close()
    seen.append(look(world))
    first.reserve(attempt("d"))

    assert ["a b", "a b c", "a b c", "a b c d"] == [*seen, look(world)]


def test_a_write_ahead_log_that_is_deleted_in_use_is_no(world: World) -> None:
    """
    What would be written to a WAL that is gone could be lost: it is refused until the program is started
    again, which finds what was answered before.
    """
    ledger = world.open()
    ledger.reserve(attempt("a"))
    (world.folder / "policyctl.db-wal").unlink()

    for key in "bc":
        assert "deleted or replaced" in denied(ledger.reserve(attempt(key))).message
    ledger.close()
    assert Spend(0, DOLLAR) == spent(world)


def test_a_damaged_file_is_told(world: World) -> None:
    """
    What is no database, or not one of a ledger, is refused and left as it is.
    """
    world.folder.mkdir(mode=0o700)
    file = world.folder / "policyctl.db"
    file.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(LedgerError, match="is no ledger"):
        world.open()
    file.unlink()
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE other (x)")
    db.close()
    with pytest.raises(LedgerError, match="is no ledger"):
        world.open()


def test_a_newer_ledger_is_left_alone(world: World) -> None:
    """
    A ledger of a newer policyctl is refused.
    """
    world.open().close()
    with sqlite3.connect(str(world.place)) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(LedgerError, match="written by a newer policyctl"):
        world.open()


# --- clocks -------------------------------------------------------------------------------------------


def test_a_clock_that_goes_back_opens_no_old_window(world: World) -> None:
    """
    A day back, the calls still count in the window of the latest call; so no day is spent twice.
    """
    policy = policy_of("budget daily is $1 per day\n  at 100% pause\n")
    ledger = world.open(policy)
    ledger.reserve(attempt("a"))
    world.now -= timedelta(days=1)

    assert "daily" == denied(ledger.reserve(attempt("b"))).budget
    assert ["2026-03-10"] == [window.window for window in ledger.status()]


def test_a_clock_that_went_too_far_is_told(world: World) -> None:
    """
    After a jump ahead and back, `check` says that the ledger is ahead of the clock.
    """
    ledger = world.open()
    world.now += timedelta(days=40)
    ledger.reserve(attempt("a"))
    world.now -= timedelta(days=40)

    assert ["clock"] == [problem.where for problem in world.health().problems]
    assert {"monthly": Spend(0, DOLLAR)} == ledger.spend()


@pytest.mark.parametrize(
    ("zone", "before", "after", "days"),
    [
        ("America/New_York", "2026-03-08T04:59", "2026-03-08T05:00", ("2026-03-07", "2026-03-08")),
        ("America/New_York", "2026-03-09T03:59", "2026-03-09T04:00", ("2026-03-08", "2026-03-09")),
        ("America/New_York", "2026-11-02T04:59", "2026-11-02T05:00", ("2026-11-01", "2026-11-02")),
        ("America/Santiago", "2026-09-06T03:59", "2026-09-06T04:00", ("2026-09-05", "2026-09-06")),
        ("Australia/Lord_Howe", "2026-04-04T12:59", "2026-04-04T13:00", ("2026-04-04", "2026-04-05")),
        ("UTC", "2026-02-28T23:59", "2026-03-01T00:00", ("2026-02-28", "2026-03-01")),
    ],
)
def test_days_turn_at_local_midnight(
    world: World, zone: str, before: str, after: str, days: tuple[str, str]
) -> None:
    """
    A day ends when the next one starts on the policy's clock, also on days of 23, 25 or 23.5 hours and where
    the clock skips midnight; what was held before the turn counts before it, whenever it is settled.
    """
    policy = policy_of("budget daily is $1 per day\n  at 100% pause\n", zone)
    ledger = world.open(policy)
    world.now = datetime.fromisoformat(before).replace(tzinfo=UTC)
    ledger.reserve(attempt("a"), send=True)
    first = ledger.status()[0]
    world.now = datetime.fromisoformat(after).replace(tzinfo=UTC)
    ledger.commit("a", usage())
    second = ledger.status()[0]

    assert days == (first.window, second.window)
    assert first.ends == second.starts == world.now
    assert Spend() == second.spend
    assert Spend(10 * CENT) == ledger.status(at=first.starts)[0].spend
    assert HoldState.HELD == held(ledger.reserve(attempt("b"))).state


def test_months_and_weeks_turn(world: World) -> None:
    """
    At the month's end a pause ends by itself; a week goes on from Monday to Sunday.
    """
    policy = policy_of(
        "budget monthly is $1 per month\n  at 100% pause\nbudget weekly is $2 per week\n  at 100% pause\n"
    )
    world.now = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)  # a Tuesday
    ledger = world.open(policy)
    ledger.reserve(attempt("a"))
    refused = denied(ledger.reserve(attempt("b")))
    world.now += timedelta(minutes=1)
    ledger.reserve(attempt("b"))

    assert "2026-04-01T00:00:00+00:00" == (refused.until and refused.until.isoformat())
    assert ["2026-04-01", "2026-03-30"] == [window.window for window in ledger.status()]
    assert [DOLLAR, 2 * DOLLAR] == [window.spend.held_nusd for window in ledger.status()]


def test_a_new_budget_knows_what_was_spent(world: World) -> None:
    """
    A budget that is new, renamed, or for something else counts all that was spent in its window before.
    """
    with world.open() as ledger:
        ledger.reserve(attempt("a", story_id="S-1"), send=True)
        ledger.commit("a", usage())
        ledger.reserve(attempt("b", provider="openai", model="large", story_id="S-1"))
    other = world.open(
        policy_of(
            "budget whole is $5 per month\n"
            "budget weekly is $5 per week\n"
            "budget of_openai is $5 per day for provider openai\n"
            "budget a_story is $5 per story\n"
        )
    )

    assert {
        "whole": Spend(10 * CENT, DOLLAR),
        "weekly": Spend(10 * CENT, DOLLAR),
        "of_openai": Spend(0, DOLLAR),
        "a_story": Spend(10 * CENT, DOLLAR),
    } == other.spend(story_id="S-1")


# --- processes ----------------------------------------------------------------------------------------


FORK = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from policyctl.ledger.ledger import Ledger
from policyctl.schemas.ledger import Attempt
ledger = Ledger(Path(sys.argv[1]), create=True)
def ask(key):
    return ledger.reserve(Attempt(key=key, provider="p", model="m", most_nusd=1)).state.value
ask("before")
child = os.fork()
states = [ask(f"{'child' if child == 0 else 'parent'}{n}") for n in range(20)]
if child == 0:
    ledger.close()
    os._exit(0 if set(states) == {"held"} else 1)
_, code = os.waitpid(child, 0)
again = ask("after")
count = ledger.do(lambda tx: tx.rows("SELECT count(*), count(DISTINCT owner) FROM attempts"))
print(code, again, count[0])
ledger.close()
"""


def test_a_child_opens_the_ledger_anew(tmp_path: Path) -> None:
    """
    After a fork parent and child both go on, each as an owner of its own.
    """
    done = subprocess.run(
        [sys.executable, "-c", FORK, tmp_path / "l" / "policyctl.db", ""],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert "0 held (42, 2)" == done.stdout.strip()


# --- the log ------------------------------------------------------------------------------------------


def settle(world: World, *keys: str) -> None:
    with world.open() as ledger:
        for key in keys:
            ledger.reserve(attempt(key, CENT), send=True)
            ledger.commit(key, usage(CENT))


def test_a_torn_line_is_ended_first(world: World) -> None:
    """
    What a killed writer left unfinished becomes a line of its own, and no line of ours merges with it.
    """
    settle(world, "a")
    with world.log.open("a") as log:
        log.write('{"timestamp": "2026-')
    settle(world, "b", "c")
    lines = world.log.read_text().splitlines()

    assert ['"a"', '"b"', '"c"'] == [
        line.split('"attempt_id": ')[1].split(",")[0] for line in lines if line.endswith("}")
    ]
    assert '{"timestamp": "2026-' == lines[1]
    assert () == world.health().problems


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_torn_line_of_ours_is_written_anew(world: World, cut: int) -> None:
    """
    A line whose end is missing is written again, whole.
    """
    settle(world, "a", "b")
    text = world.log.read_bytes()
    world.log.write_bytes(text[:-cut])
    settle(world, "c")
    whole = [line for line in world.log.read_text().splitlines() if line.endswith("}")]

    assert {"a", "b", "c"} == {line.split('"attempt_id": "')[1][0] for line in whole}
    assert () == world.health().problems


def test_lines_wait_where_the_log_cannot_be_written(world: World) -> None:
    """
    Money goes on being counted; the lines wait, `check` says so, and they come as soon as they can.
    """
    world.log.parent.mkdir(parents=True, mode=0o700)
    world.folder.chmod(0o700)
    world.log.mkdir()
    settle(world, "a", "b")
    health = world.health()
    world.log.rmdir()
    settle(world, "c")

    assert 2 == health.waiting_lines
    assert ["log"] == [problem.where for problem in health.problems]
    assert ["a", "b", "c"] == [line["attempt_id"] for line in world.lines()]
    assert 3 * CENT == spent(world).spent_nusd


def test_lines_come_a_moment_later_where_others_wait(world: World) -> None:
    """
    Lines are in the log when the answer comes, but where others wait for the ledger, too, within a moment
    after; the ledger is closed only once they are.
    """
    ledger = world.open()
    ledger.outbox.after(ledger._backend, True, True)
    ledger.reserve(attempt("a"), send=True)
    ledger.commit("a", usage())
    at_once = world.lines()
    for _ in range(200):
        if world.lines():
            break
        time.sleep(0.05)
    later = world.lines()
    ledger.outbox.after(ledger._backend, True, True)
    ledger.reserve(attempt("b"), send=True)
    ledger.commit("b", usage())
    ledger.close()

    assert [0, 1, 2] == [len(at_once), len(later), len(world.lines())]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_of_the_log_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A log on a full disk takes no part of a line, and its problem is known.
    """
    ledger = world.open()
    ledger.reserve(attempt("a"), send=True)
    opened = os.open("/dev/full", os.O_RDWR)
    monkeypatch.setattr("policyctl.ledger.usage_log.open_log", lambda path: os.dup(opened))
    ledger.commit("a", usage())
    os.close(opened)

    assert "No space left" in (ledger.outbox.problem or "")


def test_the_log_may_be_rotated(world: World) -> None:
    """
    A log that was moved away is made anew; no line comes twice.
    """
    settle(world, "a")
    settle(world, "b")
    world.log.rename(world.log.with_suffix(".1"))
    settle(world, "c")

    assert "c" == world.lines()[-1]["attempt_id"]
    assert len(world.lines()) == len({line["attempt_id"] for line in world.lines()})


# --- places -------------------------------------------------------------------------------------------


def test_files_are_for_their_owner_alone(world: World) -> None:
    """
    Files have mode 0600 and folders 0700, whatever the umask.
    """
    before = os.umask(0)
    try:
        settle(world, "a")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in [world.folder, *world.folder.rglob("*")]}

    assert {0o600, 0o700} == set(modes.values())
    assert 0o700 == modes["ledger"] == modes["logs"]


def test_a_file_that_others_may_read_is_closed_to_them(world: World) -> None:
    """
    A ledger that was copied with wider rights gets its own back.
    """
    world.open().close()
    (world.folder / "policyctl.db").chmod(0o644)
    world.open().close()

    assert 0o600 == (world.folder / "policyctl.db").stat().st_mode & 0o777


def test_symlinks_are_refused(world: World, tmp_path: Path) -> None:
    """
    A ledger that is a symlink, or lies in one, is refused; so is its lock, and its log.
    """
    real = World(tmp_path / "real")
    real.open().close()
    world.folder.mkdir(mode=0o700)
    (world.folder / "policyctl.db").symlink_to(tmp_path / "real" / "policyctl.db")
    with pytest.raises(LedgerError, match="is a symlink"):
        world.open()
    world.folder.rename(tmp_path / "away")
    world.folder.symlink_to(tmp_path / "real")
    with pytest.raises(LedgerError, match="is a symlink"):
        world.open()
    (tmp_path / "real" / "policyctl.db-lock").unlink()
    (tmp_path / "real" / "policyctl.db-lock").symlink_to(tmp_path / "target")
    with pytest.raises(LedgerError, match="can't be locked"):
        real.open()
    (tmp_path / "real" / "policyctl.db-lock").unlink()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "real" / "logs").symlink_to(tmp_path / "elsewhere")
    settle(real, "a")

    assert [] == list((tmp_path / "elsewhere").iterdir())
    assert not (tmp_path / "target").exists()


def test_a_folder_that_others_may_write_into_is_refused(world: World) -> None:
    """
    Whoever may write into the folder could put another ledger there.
    """
    world.folder.mkdir()
    world.folder.chmod(0o777)
    with pytest.raises(LedgerError, match="others may write into"):
        world.open()


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 22 0:40 / /mnt/home rw - nfs4 server:/home rw
31 30 0:41 / /mnt/home/local\\040disk rw - xfs /dev/sdb rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/x", "ext4"), ("/mnt/home/me", "nfs4"), ("/mnt/homes", "ext4"), ("/mnt/home/local disk/x", "xfs")],
)
def test_a_network_file_system_is_known(folder: str, kind: str) -> None:
    """
    The file system of a folder is that of the nearest mount above it.
    """
    assert kind == file_system(Path(folder), MOUNTS)


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    """
    Locks don't hold there, so no ledger may lie there.
    """
    mounts = f"22 1 0:1 / {tmp_path.resolve()} rw - nfs4 server:/x rw\n"
    with pytest.raises(LedgerError, match=r"network file system \(nfs4\)"):
        prepare(tmp_path / "l" / "policyctl.db", create=True, mounts=mounts)


def test_flags_are_told(world: World) -> None:
    """
    What isn't believed is counted by the check, and its numbers are kept.
    """
    ledger = world.open()
    ledger.reserve(attempt("a"), send=True)
    settled = ledger.commit("a", usage(-5, output_tokens=10**40))
    kept = ledger.do(lambda tx: tx.rows("SELECT reported FROM attempts"))[0][0]

    assert Flag.INVALID == settled.flag
    assert '"cost_nusd": -5' in kept
    assert '"output_tokens": "int"' in kept
    assert ["usage invalid"] == [line["flag"] for line in world.lines()]
