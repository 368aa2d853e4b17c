"""
Room on the disk that is kept, so that what is held can be settled after the disk has filled up.

A file that holds nothing lies beside the ledger. It is given up for what must be written, and nothing
new is held until there is room for it again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SIZE = 1024 * 1024
"""Enough for some twenty groups of work in the WAL."""

_PIECE = 64 * 1024


class Ballast:
    """The file. Whoever lays it or gives it up has the ledger's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def lay(self) -> None:
        """
        Make sure that it is there.

        Raises:
            OSError: there is no room for it.
        """
        if self._file is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(self.path, flags, 0o600)
        if os.fstat(self._file).st_size >= SIZE:
            return
        try:
            _fill(self._file)
        except OSError:
            self.give_up()
            raise

    def give_up(self) -> bool:
        """Give its room back to the disk; whether there was any."""
        try:
            if self._file is None:
                self._file = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            had = os.fstat(self._file).st_size > 0
            os.ftruncate(self._file, 0)
        except OSError:
            return False
        return had

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None


def _fill(file: int) -> None:
    """Write it out: some disks take room only for what is written."""
    for start in range(0, SIZE, _PIECE):
        if os.pwrite(file, bytes(_PIECE), start) < _PIECE:
            os.pwrite(file, bytes(_PIECE), start)  # what is wrong is told only now
