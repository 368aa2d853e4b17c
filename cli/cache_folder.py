"""
The folder of what is kept between runs: only ever the user's own, and never large.

It is POLICYCTL_CACHE_DIR, else policyctl in XDG_CACHE_HOME (~/.cache). Nothing in it is needed: where it
can't be read or written, or belongs to somebody else, it counts as empty and nothing is said.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

VARIABLE = "POLICYCTL_CACHE_DIR"

MAX_BYTES = 16 * 1024 * 1024
"""What one file may have at most."""

MAX_FILES = 100
MAX_ALL_BYTES = 64 * 1024 * 1024

_ENDING = ".json"
_UNFINISHED = ".unfinished"


def place(environ: Mapping[str, str]) -> Path | None:
    """Where the folder is, or would be; None for a user without a home."""
    named = environ.get(VARIABLE)
    if named:
        return Path(named)
    caches = environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(caches) if Path(caches).is_absolute() else Path.home() / ".cache") / "policyctl"
    except RuntimeError:
        return None


def read(folder: Path, name: str) -> bytes | None:
    """What a file of the folder holds, where it is the user's own."""
    with suppress(OSError, ValueError), _opened(folder) as root:
        handle = os.open(name + _ENDING, os.O_RDONLY | _CAREFUL, dir_fd=root)
        with os.fdopen(handle, "rb") as file:
            if _own(os.fstat(handle), stat.S_ISREG):
                data = file.read(MAX_BYTES + 1)
                return data if len(data) <= MAX_BYTES else None
    return None


def write(folder: Path, name: str, data: bytes) -> None:
    """Keep data in a file of the folder, whole or not at all; what is oldest goes where it gets too much."""
    if len(data) > MAX_BYTES:
        return
    with suppress(OSError, ValueError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened(folder) as root:
            _written(root, name + _ENDING, data)
            _tidy(root)


# A symbolic link is never followed, and a pipe in place of a file keeps nobody waiting.
_CAREFUL = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """The folder, held open: what is done in it is done there, wherever its name leads meanwhile."""
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _CAREFUL)
    try:
        if not _own(os.fstat(root), stat.S_ISDIR):
            raise PermissionError
        yield root
    finally:
        os.close(root)


def _own(found: os.stat_result, is_right: Callable[[int], bool]) -> bool:
    """Whether this is the user's, of the right kind, and nobody else may write it."""
    return is_right(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _written(root: int, name: str, data: bytes) -> None:
    unfinished = f"{name}.{os.getpid()}{_UNFINISHED}"
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CAREFUL, 0o600, dir_fd=root)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.rename(unfinished, name, src_dir_fd=root, dst_dir_fd=root)
    except BaseException:
        os.unlink(unfinished, dir_fd=root)
        raise


def _tidy(root: int) -> None:
    """Remove the oldest files where they are too many, or too large together."""
    found = []
    for name in os.listdir(root):
        if not name.endswith((_ENDING, _UNFINISHED)):
            continue
        with suppress(FileNotFoundError):  # another run tidies, too
            about = os.stat(name, dir_fd=root, follow_symlinks=False)
            found.append((about.st_mtime_ns, name, about.st_size))
    total = 0
    for number, (_, name, size) in enumerate(sorted(found, reverse=True)):
        total += size
        if number >= MAX_FILES or total > MAX_ALL_BYTES:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=root)
