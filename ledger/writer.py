"""
One thread of a process that does all its work in the ledger, in groups.

SQLite's own waiting starves: with 32 writers the unluckiest waited six seconds. Here a thread waits for
the lock of the whole machine, takes along all that has gathered meanwhile, and makes it durable with
one write to the disk.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar, cast
from weakref import WeakSet

from ..schemas.errors import LedgerError
from .sheet import Sheet
from .tx import Backend, Tx, trouble

T = TypeVar("T")

MOST_TOGETHER = 256
"""Pieces of work in one transaction, so that nobody waits long for the lock."""

OWED_S = 0.05
"""How soon is done what was left to do."""


FORK_S = 10.0
"""How long a fork waits for a transaction to end."""


class _Task(Generic[T]):
    """A piece of work, and what came of it."""

    __slots__ = ("done", "error", "must", "result", "taken", "work")

    def __init__(self, work: Callable[[Sheet], T], must: bool = False) -> None:
        self.work = work
        self.must = must
        self.done = threading.Lock()
        self.done.acquire()
        self.taken = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def carry_out(self, sheet: Sheet) -> None:
        self.result = self.work(sheet)

    def fail(self, error: BaseException) -> None:
        self.error = error


class Writer:
    """
    Carries out work in transactions, each piece whole or not at all.

    Work may be carried out twice where another piece of its group failed, the first time without
    effect: so it mustn't change anything but the ledger.

    Args:
        backend: the database.
        before: carried out at the start of each transaction.
        after: carried out after each commit, still alone in the ledger. It is told whether the ledger had to
            be waited for, and whether it may leave something for later; it says whether it has, and is
            called again soon then. It mustn't raise.
    """

    def __init__(
        self,
        backend: Backend,
        before: Callable[[Tx], None] = lambda tx: None,
        after: Callable[[Backend, bool, bool], bool] = lambda backend, waited, may_leave: False,
    ) -> None:
        self._backend = backend
        self._before = before
        self._after = after
        self._start()
        _WRITERS.add(self)

    def _start(self) -> None:
        self._queue: SimpleQueue[_Task[object] | None] = SimpleQueue()
        self._taking = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._owes = False
        self._still = threading.Lock()
        self._held_still = False

    def do(self, work: Callable[[Sheet], T], wait_s: float, *, must: bool = False) -> T:
        """
        Carry work out; when this returns, its effect is durable.

        Args:
            work: what to do.
            wait_s: how long to wait until it is begun.
            must: it writes down what has happened already: room is made for it where the disk is full.

        Raises:
            LedgerError: nothing has happened: the ledger wasn't free in time, or can't be used.
        """
        task = _Task(work, must)
        self._put(cast("_Task[object]", task))
        if not task.done.acquire(timeout=wait_s):
            with self._taking:
                given_up = not task.taken
                task.taken = True
            if given_up:
                raise trouble(
                    f"the ledger wasn't free within {wait_s:g} s",
                    "another process holds its lock; policyctl ledger check says more",
                )
            task.done.acquire()  # it is being carried out: its outcome will be known
        if isinstance(task.error, LedgerError):  # it may be everybody's: to each one of his own
            raise type(task.error)(task.error.problem) from task.error
        if task.error is not None:
            raise task.error
        return cast(T, task.result)

    def later(self, work: Callable[[Sheet], object]) -> None:
        """Carry work out some time; nobody waits for it."""
        self._put(_Task(work))

    def close(self) -> None:
        """Finish what was asked for, and let go of the database."""
        with self._starting:
            self._closed = True
            thread = self._thread
            if thread is not None:
                self._queue.put(None)
        if thread is not None:
            thread.join()

    def _put(self, task: _Task[object]) -> None:
        with self._starting:
            if self._closed:
                raise trouble("the ledger was closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="policyctl-ledger", daemon=True)
                self._thread.start()
            self._queue.put(task)

    # --- in the thread ---------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            try:
                first = self._queue.get(timeout=OWED_S if self._owes else None)
            except Empty:
                self._group([], may_leave=False)
                continue
            if first is None:
                break
            self._group([first])
        if self._owes:
            self._group([], may_leave=False)
        self._backend.close()

    def _group(self, first: list[_Task[object]], *, may_leave: bool = True) -> None:
        tasks: list[_Task[object]] = []
        self._owes = False
        try:
            waited = self._backend.enter()
        except BaseException as error:
            tasks = self._take(first)
            for task in tasks:
                task.fail(error)
        else:
            with self._still:
                # Taken only now: whoever gave up while the lock was waited for isn't served any more.
                tasks = self._take(first)
                self._carry_out(tasks)
                self._owes = self._after(self._backend, waited, may_leave)
                self._backend.leave()
            self._sync(tasks)
        finally:
            for task in tasks:
                task.done.release()

    def _sync(self, tasks: list[_Task[object]]) -> None:
        """Make durable what was done, and what was seen: others may have done it a moment before."""
        try:
            self._backend.sync()
        except BaseException as error:
            for task in tasks:
                if task.error is None:
                    task.fail(error)

    def _take(self, first: list[_Task[object]]) -> list[_Task[object]]:
        """All that waits, but what was given up."""
        waiting = list(first)
        while len(waiting) < MOST_TOGETHER and not self._queue.empty():
            task = self._queue.get()
            if task is None:
                self._queue.put(None)
                break
            waiting.append(task)
        with self._taking:
            tasks = [task for task in waiting if not task.taken]
            for task in tasks:
                task.taken = True
        return tasks

    def _carry_out(self, tasks: list[_Task[object]]) -> None:
        if not tasks:
            return
        try:
            self._transaction(tasks)
        except BaseException as error:
            if len(tasks) == 1:
                if tasks[0].must and self._can_make_room(error):
                    self._carry_out(tasks)
                else:
                    tasks[0].fail(error)
                return
            for task in tasks:  # one of them failed: it alone
                self._carry_out([task])

    def _can_make_room(self, error: BaseException) -> bool:
        try:
            return isinstance(error, LedgerError) and self._backend.make_room()
        except LedgerError:
            return False

    def _transaction(self, tasks: list[_Task[object]]) -> None:
        self._backend.begin()
        sheet = Sheet(self._backend)
        try:
            self._before(sheet)
            for task in tasks:
                task.carry_out(sheet)
            sheet.write()
            self._backend.commit()
        except BaseException:
            self._backend.rollback()
            raise

    def before_fork(self) -> None:
        """
        Wait until no transaction is under way.

        What SQLite notes of its locks in this process's memory goes to a child as it stands: one that was
        born in the middle of a transaction would take the ledger for locked as long as it lives.
        """
        self._held_still = self._still.acquire(timeout=FORK_S)

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._held_still:
            self._held_still = False
            self._still.release()

    def after_fork(self) -> None:
        """Start anew in a child: the parent's thread isn't here, and its connection isn't ours."""
        self._backend.forget()
        self._start()


_WRITERS: WeakSet[Writer] = WeakSet()


def _before_fork() -> None:
    for writer in list(_WRITERS):
        writer.before_fork()


def _after_fork_in_parent() -> None:
    for writer in list(_WRITERS):
        writer.after_fork_in_parent()


def _after_fork() -> None:
    for writer in list(_WRITERS):
        writer.after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork)
