"""
Policy files on disk: the only file of the language's room that touches them.

Files are hostile until read: only regular files, never more than a limit, and an include never
leaves the folder of the policy, by `..` or by a symbolic link.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path, PurePosixPath
from typing import Any

from ..schemas.records import dataclass

MAX_FILE_BYTES = 256 * 1024
POLICY_ENDINGS = (".policy", ".yaml", ".yml")
MAX_INCLUDE_LETTERS = 1024


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a file can't be read; `too_large` where its size is the reason."""

    reason: str
    too_large: bool = False


def read_text(path: Path) -> str | Unreadable:
    """The text of a regular file of at most MAX_FILE_BYTES, without its byte order mark."""
    data = read_bytes(path)
    if isinstance(data, Unreadable):
        return data
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Unreadable(f"it isn't UTF-8 text (line {line})")


def published_schema(name: str) -> dict[str, Any]:
    """A JSON Schema that is shipped with the package."""
    path = Path(__file__).parent.parent / "schemas" / f"{name}.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def read_bytes(path: Path, most: int = MAX_FILE_BYTES) -> bytes | Unreadable:
    """The bytes of a regular file that has at most so many."""
    try:
        # O_NONBLOCK: opening a pipe must not wait for its writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        return Unreadable(_reason(error))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return Unreadable("it is no regular file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(most + 1)
    except OSError as error:
        return Unreadable(_reason(error))
    finally:
        os.close(handle)
    return Unreadable("it is too large", too_large=True) if len(data) > most else data


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "permission is denied"
    return "its name can't be used" if isinstance(error, ValueError) else str(error.strerror).lower()


def real_path(path: Path) -> Path | Unreadable:
    """Where a path leads when its symbolic links are followed; the same for each spelling of it."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a loop of symbolic links
        return Unreadable("its path can't be followed")


def resolve_include(root: Path, including: Path, written: str) -> Path | Unreadable:
    """
    The file that an include names, relative to the file it stands in.

    Args:
        root: the folder of the policy, which no include may leave.
        including: the file that holds the statement.
        written: the path as the policy writes it.
    """
    if len(written) > MAX_INCLUDE_LETTERS:
        return Unreadable("it is too long")
    path = PurePosixPath(written)
    if not written or path.is_absolute() or "\\" in written or "\0" in written:
        return Unreadable("it isn't a relative path")
    if ".." in path.parts:
        return Unreadable("it goes up by `..`")
    if path.suffix not in POLICY_ENDINGS:
        return Unreadable("it is no .policy, .yaml or .yml file")
    target = including.parent / path
    real, folder = real_path(target), real_path(root)
    if isinstance(real, Unreadable):
        return real
    inside = isinstance(folder, Path) and real.is_relative_to(folder)
    return target if inside else Unreadable("a symbolic link leads out of the policy's folder")
