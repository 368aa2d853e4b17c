"""
Where money is written: files that only their owner reads, on a disk of this machine.

A path that leads through a symlink could be pointed anywhere by whoever wrote the checkout, so it is
refused; so is a folder into which others may write, and a disk on which locks don't hold.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from .tx import trouble

REMOTE = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs")
_MOUNTS = Path("/proc/self/mountinfo")
_NO_FOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC


def prepare(path: Path, *, create: bool, mounts: str | None = None) -> None:
    """
    Make sure that a ledger's file, and its folder, are what they must be.

    Args:
        path: the file.
        create: make them where they are missing.
        mounts: what is mounted where, as /proc/self/mountinfo tells; None: what it tells.

    Raises:
        LedgerError: they aren't.
    """
    folder = path.parent
    refuse_symlinks(path)
    if create:
        make_folder(folder)
    try:
        _refuse_shared(folder)
        _refuse_remote(folder, _mounted() if mounts is None else mounts)
        if create and not path.exists():
            _make(path)
        _own(path)
    except FileNotFoundError:
        raise trouble(f"there is no ledger at {path}", "policyctl ledger init makes one") from None
    except OSError as error:
        raise trouble(f"{path} can't be opened: {error.strerror}") from error


def _make(path: Path) -> None:
    with suppress(FileExistsError):  # somebody else was faster
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o600))


def refuse_symlinks(path: Path) -> None:
    """
    Refuse a file that is a symlink, or that lies in a folder that is one.

    Raises:
        LedgerError: it is.
    """
    for part in (path, path.parent, path.parent.parent):
        if part.is_symlink():
            raise trouble(f"{part} is a symlink", "name the real place of the ledger and its log")


def make_folder(folder: Path) -> None:
    """
    Make a folder that only its owner sees, and those above it that are missing.

    Raises:
        LedgerError: it can't be made.
    """
    try:
        for part in reversed((folder, *folder.parents)):
            if not part.exists():
                part.mkdir(mode=0o700)
    except FileExistsError:
        make_folder(folder)  # somebody else was faster
    except OSError as error:
        raise trouble(f"{folder} can't be made: {error.strerror}") from error


def open_log(path: Path) -> int:
    """
    Open the usage log to read it and to write at its end; it is made where it is missing.

    Raises:
        OSError: it can't be.
        LedgerError: it is a symlink, or lies in one.
    """
    flags = os.O_RDWR | os.O_APPEND | _NO_FOLLOW
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        refuse_symlinks(path)
        make_folder(path.parent)
        return os.open(path, flags | os.O_CREAT, 0o600)


def _own(path: Path) -> None:
    """
    Refuse what isn't a file of ours, and close the file to others.

    It isn't opened for that: to close it again would take the locks away that SQLite has on it for
    another ledger of this process, and whoever closes it last then deletes the WAL that is in use.
    """
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise trouble(f"{path} is no file")
    if found.st_uid not in (os.geteuid(), 0) and os.geteuid() != 0:
        raise trouble(f"{path} belongs to somebody else", "name a ledger of your own with --ledger")
    if found.st_mode & 0o077:
        try:
            path.chmod(0o600)
        except OSError as error:
            raise trouble(f"others may read {path}: {error.strerror}", f"chmod 600 {path}") from error


def _refuse_shared(folder: Path) -> None:
    mode = folder.stat().st_mode
    if mode & 0o022 and not mode & stat.S_ISVTX:
        raise trouble(f"others may write into {folder}", f"chmod go-w {folder}")


def _mounted() -> str:
    try:
        return _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # this system doesn't tell


def _refuse_remote(folder: Path, mounts: str) -> None:
    kind = file_system(folder.resolve(), mounts)
    if kind in REMOTE:
        help_text = "use a disk of this machine, or a ledger in PostgreSQL: --ledger postgresql://..."
        raise trouble(f"{folder} lies on a network file system ({kind}), where locks don't hold", help_text)


def file_system(folder: Path, mounts: str) -> str | None:
    """The kind of file system that a folder lies on, by the lines of mountinfo."""
    best, kind = "", None
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, told = before.split(), after.split()
        if len(fields) < 5 or not told:
            continue
        point = fields[4].replace("\\040", " ")
        inside = point == "/" or folder == Path(point) or Path(point) in folder.parents
        if inside and len(point) >= len(best):
            best, kind = point, told[0]
    return kind
