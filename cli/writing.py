"""
Files that the command writes: whole or not at all, and never through a symbolic link.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .problems import Impossible


def write_new(path: Path, data: bytes, *, help: str | None = None) -> None:
    """
    Write a file that isn't there yet; `help` says what to do where it is.

    Raises:
        Impossible: something is there already, or the file can't be written.
    """
    with _told(path, help):
        if os.path.lexists(path):
            raise FileExistsError
        with _written_beside(path, data, 0o666) as temporary:
            try:
                os.link(temporary, path)  # unlike a renamed file, a link never takes another's place
            except FileExistsError:
                raise
            except OSError:  # a disk that knows no links
                temporary.replace(path)


def rewrite(path: Path, data: bytes) -> None:
    """
    Write a file, in place of the one that is there, if any, whose permissions it keeps.

    Raises:
        Impossible: it is a symbolic link or no regular file, or can't be written.
    """
    with _told(path):
        mode = _mode(path)
        with _written_beside(path, data, 0o666 if mode is None else mode) as temporary:
            if mode is not None:
                temporary.chmod(mode)
            temporary.replace(path)


def make_folder(folder: Path) -> None:
    """
    Make a folder, and those above it, unless it is there.

    Raises:
        Impossible: it can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise Impossible(f"{folder} can't be made: {_reason(error)}") from error


def _mode(path: Path) -> int | None:
    """The permissions of a file that is there already."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        raise Impossible(f"{path} can't be written: it is a symbolic link")
    if not stat.S_ISREG(found.st_mode):
        raise Impossible(f"{path} can't be written: it is no regular file")
    return stat.S_IMODE(found.st_mode)


@contextmanager
def _written_beside(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    """A file with the data in the same folder, which is gone afterwards unless it was renamed."""
    from secrets import token_hex  # slow to import

    temporary = path.with_name(f".policyctl-{token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _told(path: Path, help: str | None = None) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise Impossible(f"{path} is there already; nothing was written", help) from error
    except (OSError, ValueError) as error:
        raise Impossible(f"{path} can't be written: {_reason(error)}") from error


def _reason(error: OSError | ValueError) -> str:
    words = error.strerror if isinstance(error, OSError) else None
    return words.lower() if words else "its name can't be used"
