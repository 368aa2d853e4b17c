"""Files that the command writes: whole or not at all, nothing overwritten unasked, no link followed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import click
import pytest

from policyctl.cli.writing import rewrite, write_new


def test_a_new_file_is_written_with_the_usual_permissions(tmp_path: Path) -> None:
    """
    A new file has the data, and the permissions that the umask leaves; nothing else stays behind.
    """
    kept = os.umask(0o027)
    try:
        write_new(tmp_path / "new", b"one")
        rewrite(tmp_path / "other", b"two")
    finally:
        os.umask(kept)

    assert (b"one", b"two") == ((tmp_path / "new").read_bytes(), (tmp_path / "other").read_bytes())
    assert [0o640, 0o640] == [stat.S_IMODE(p.stat().st_mode) for p in sorted(tmp_path.iterdir())]


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link"])
def test_what_is_there_is_not_overwritten_by_a_new_file(tmp_path: Path, kind: str) -> None:
    """
    A new file takes the place of nothing, not even of a link that leads nowhere.
    """
    place, target = tmp_path / "place", tmp_path / "target"
    target.write_bytes(b"kept")
    if kind == "file":
        place.write_bytes(b"kept")
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(target if kind == "link" else tmp_path / "nowhere")
    before = sorted(tmp_path.iterdir())

    with pytest.raises(click.ClickException, match="is there already; nothing was written"):
        write_new(place, b"new")
    assert before == sorted(tmp_path.iterdir())
    assert b"kept" == target.read_bytes()


def test_a_rewritten_file_keeps_its_permissions(tmp_path: Path) -> None:
    """
    A file that is written anew keeps the permissions it had.
    """
    place = tmp_path / "place"
    place.write_bytes(b"old")
    place.chmod(0o604)
    rewrite(place, b"new")

    assert (b"new", 0o604) == (place.read_bytes(), stat.S_IMODE(place.stat().st_mode))
    assert [place] == list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe"])
def test_only_a_regular_file_is_rewritten(tmp_path: Path, kind: str) -> None:
    """
    A link isn't followed and not replaced; a folder or a pipe is left alone.
    """
    place, target = tmp_path / "place", tmp_path / "target"
    target.write_bytes(b"kept")
    if kind == "folder":
        place.mkdir()
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(target if kind == "link" else tmp_path / "nowhere")

    with pytest.raises(
        click.ClickException, match=r"can't be written: it is (a symbolic link|no regular file)"
    ):
        rewrite(place, b"new")
    assert b"kept" == target.read_bytes()
    assert {place, target} == set(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["missing/x", "file/x", "a\0b", "n" * 300])
@pytest.mark.parametrize("write", [write_new, rewrite])
def test_what_cannot_be_written_is_told(tmp_path: Path, write: object, name: str) -> None:
    """
    A folder that isn't there, or a name that can't be, is one line for the user.
    """
    (tmp_path / "file").write_bytes(b"")
    assert callable(write)

    with pytest.raises(click.ClickException, match="can't be written: "):
        write(tmp_path / name, b"new")
    assert ["file"] == [path.name for path in tmp_path.iterdir()]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where the disk is full in the middle, the file that was there is still whole, and nothing lies beside it.
    """
    place = tmp_path / "place"
    place.write_bytes(b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(click.ClickException, match="can't be written: no space left on device"):
        rewrite(place, b"new")
    assert b"old" == place.read_bytes()
    assert [place] == list(tmp_path.iterdir())
