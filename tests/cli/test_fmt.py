"""`policyctl fmt`: what it writes, what it leaves alone, and how it says so."""

from __future__ import annotations

import io
import stat
import sys
from pathlib import Path

import pytest

from policyctl.cli import writing
from policyctl.cli.verbs import fmt
from policyctl.policy.written import Written, formatted

from .command import EXAMPLES, Ran, call, copy_of_loop, spawn

MESSY = "tier   a from complexity 0 has x # low\n\n\nbaseline   x\n"
NEAT = "tier a from complexity 0  has x  # low\n\nbaseline x\n"
MESSY_YAML = "tiers: {a: {from: 0, has: x}} # low\nbaseline:   'x'\n"
NEAT_YAML = "tiers:\n  a: {from: 0, has: [x]}  # low\nbaseline: x\n"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    return tmp_path


def put(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def piped(*words: str, at: Path, data: bytes, monkeypatch: pytest.MonkeyPatch) -> Ran:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
    return call(*words, at=at)


def test_files_are_written_where_that_changes_them(here: Path) -> None:
    """
    Each named file gets its one layout, in its own surface; those that have it aren't touched.
    """
    a, b, c = put(here, "a.policy", MESSY), put(here, "b.yaml", MESSY_YAML), put(here, "c.policy", NEAT)
    before = c.stat()
    ran = call("fmt", "a.policy", "b.yaml", "c.policy", at=here)

    assert (0, "", "2 files laid out anew, 1 laid out already\n") == (ran.code, ran.out, ran.err)
    assert [NEAT, NEAT_YAML, NEAT] == [path.read_text(encoding="utf-8") for path in (a, b, c)]
    assert (before.st_ino, before.st_mtime_ns) == (c.stat().st_ino, c.stat().st_mtime_ns)
    assert ["a.policy", "b.yaml", "c.policy"] == sorted(p.name for p in here.iterdir() if p.is_file())


def test_the_mode_is_kept(here: Path) -> None:
    """
    A file that others may write, or not even read, stays so.
    """
    for mode in (0o600, 0o664, 0o400):
        path = put(here, f"{mode:o}.policy", MESSY)
        path.chmod(mode)

        assert 0 == call("fmt", path.name, at=here).code
        assert mode == stat.S_IMODE(path.stat().st_mode)
        assert NEAT == path.read_text(encoding="utf-8")


def test_without_a_file_it_is_the_policy_with_its_includes(here: Path) -> None:
    """
    The policy found from here upward is laid out, and what it includes, however deep.
    """
    put(here, "policyctl.policy", 'include   "parts/b.yaml"\n')
    b = put(here, "parts/b.yaml", "include: [c.policy, ../up.policy, gone.policy]\n")
    c = put(here, "parts/c.policy", 'include "b.yaml"   baseline x\n')
    up = put(here, "up.policy", MESSY)
    deep = here / "deep"
    deep.mkdir()
    ran = call("fmt", at=deep)

    assert (1, "3 files laid out anew, 1 with errors left alone\n") == (ran.code, ran.err)
    assert "`../parts/gone.policy` can't be read: there is no such file" in ran.out
    assert 'include "parts/b.yaml"\n' == (here / "policyctl.policy").read_text(encoding="utf-8")
    assert "include:\n  - c.policy\n  - ../up.policy\n  - gone.policy\n" == b.read_text(encoding="utf-8")
    assert 'include "b.yaml"\nbaseline x\n' == c.read_text(encoding="utf-8")
    assert MESSY == up.read_text(encoding="utf-8")


def test_check_names_what_would_change(here: Path) -> None:
    """
    With --check nothing is written; the exit code is 1 where something would be.
    """
    path = put(here, "a.policy", MESSY)
    put(here, "b.policy", NEAT)
    ran, fine = (
        call("fmt", "--check", "a.policy", "b.policy", at=here),
        call("fmt", "--check", "b.policy", at=here),
    )

    assert (1, "would be laid out anew: a.policy\n") == (ran.code, ran.out)
    assert "1 file would be laid out anew, 1 laid out already\n" == ran.err
    assert (0, "", "1 file laid out already\n") == (fine.code, fine.out, fine.err)
    assert MESSY == path.read_text(encoding="utf-8")


def test_diff_shows_what_would_change(here: Path) -> None:
    """
    With --diff the change is shown as a patch, and nothing is written.
    """
    path = put(here, "a.policy", MESSY)
    ran, fine = (
        call("fmt", "--diff", "a.policy", at=here),
        call("fmt", "--diff", put(here, "b.policy", NEAT).name, at=here),
    )

    assert (1, "1 file would be laid out anew\n") == (ran.code, ran.err)
    assert [
        "--- a.policy",
        "+++ a.policy",
        "@@ -1,4 +1,3 @@",
        "-tier   a from complexity 0 has x # low",
        "+tier a from complexity 0  has x  # low",
        " ",
        "-",
        "-baseline   x",
        "+baseline x",
    ] == ran.out.splitlines()
    assert (0, "") == (fine.code, fine.out)
    assert MESSY == path.read_text(encoding="utf-8")


def test_a_file_with_errors_is_left_alone(here: Path) -> None:
    """
    Its errors are shown as `validate` shows them, the other files are written, the exit code is 1.
    """
    bad, good = put(here, "bad.policy", "baseline\n"), put(here, "good.policy", MESSY)
    ran = call("fmt", "bad.policy", "good.policy", at=here)

    assert (1, "1 file laid out anew, 1 with errors left alone\n") == (ran.code, ran.err)
    assert " --> bad.policy:1:8" in ran.out
    assert ["baseline\n", NEAT] == [path.read_text(encoding="utf-8") for path in (bad, good)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xfe", "P105"),
        (b"#" * (256 * 1024 + 1), "P104"),
        (b"# \x00\n", "P103"),
        (b"# sk-ant-aaaaaaaaaaaaaaaaaaaaaaaa\n", "P601"),
    ],
)
def test_hostile_files_are_left_alone(here: Path, data: bytes, code: str) -> None:
    """
    What is no policy's text stays to the byte, and a secret in it isn't repeated.
    """
    path = put(here, "a.policy", data)
    ran = call("fmt", "a.policy", at=here)

    assert 1 == ran.code
    assert f"error[{code}]" in ran.out
    assert "sk-ant" not in ran.out + ran.err
    assert data == path.read_bytes()


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf" + NEAT.encode(), NEAT.replace("\n", "\r\n").encode()])
def test_only_the_encoding_may_change(here: Path, data: bytes) -> None:
    """
    A byte order mark and carriage returns go away; --check and --diff see them too.
    """
    path = put(here, "a.policy", data)

    assert [1, 1] == [call("fmt", how, "a.policy", at=here).code for how in ("--check", "--diff")]
    assert data == path.read_bytes()
    assert 0 == call("fmt", "a.policy", at=here).code
    assert NEAT.encode() == path.read_bytes()


def test_symbolic_links_are_refused(here: Path) -> None:
    """
    A link isn't written through, nor replaced; other files are written all the same.
    """
    target, other = put(here, "target.policy", MESSY), put(here, "other.policy", MESSY)
    link = here / "link.policy"
    link.symlink_to(target)
    ran = call("fmt", "link.policy", "other.policy", at=here)

    assert (2, "") == (ran.code, ran.out)
    assert "link.policy can't be written: it is a symbolic link" in ran.err
    assert link.is_symlink()
    assert [MESSY, NEAT] == [path.read_text(encoding="utf-8") for path in (target, other)]


def test_a_file_that_changes_meanwhile_is_left_alone(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Whoever saves while it is laid out wins.
    """
    path = put(here, "a.policy", MESSY)

    def and_saves(written: Written) -> str:
        path.write_text("# mine\n", encoding="utf-8")
        return formatted(written)

    monkeypatch.setattr(fmt, "formatted", and_saves)
    ran = call("fmt", "a.policy", at=here)

    assert (2, "error: a.policy has changed meanwhile; it was left as it is\n") == (ran.code, ran.err)
    assert "# mine\n" == path.read_text(encoding="utf-8")


def test_a_full_disk_leaves_the_file_whole(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Where the new text can't be written, the old one stays, and nothing is left beside it.
    """

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = put(here, "a.policy", MESSY)
    monkeypatch.setattr(writing.os, "fsync", full)
    ran = call("fmt", "a.policy", at=here)

    assert (2, "error: a.policy can't be written: no space left on device\n") == (ran.code, ran.err)
    assert MESSY == path.read_text(encoding="utf-8")
    assert [path] == [p for p in here.iterdir() if p.is_file()]


def test_standard_input(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    - is laid out to stdout and nothing else is said; its name tells the surface.
    """
    ran = piped("fmt", "-", at=here, data=MESSY.encode(), monkeypatch=monkeypatch)
    yaml = piped(
        "fmt", "-", "--stdin-filename", "b.yaml", at=here, data=MESSY_YAML.encode(), monkeypatch=monkeypatch
    )
    check = piped("fmt", "-", "--check", at=here, data=MESSY.encode(), monkeypatch=monkeypatch)
    neat = piped("fmt", "-", "--diff", at=here, data=NEAT.encode(), monkeypatch=monkeypatch)
    empty = piped("fmt", "-", at=here, data=b"", monkeypatch=monkeypatch)

    assert (0, NEAT, "") == (ran.code, ran.out, ran.err)
    assert (0, NEAT_YAML, "") == (yaml.code, yaml.out, yaml.err)
    assert (1, "would be laid out anew: <stdin>\n") == (check.code, check.out)
    assert (0, "") == (neat.code, neat.out)
    assert (0, "", "") == (empty.code, empty.out, empty.err)


def test_standard_input_with_errors(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nothing is printed where the text would stand; the errors go to stderr.
    """
    ran = piped("fmt", "-", at=here, data=b"baseline", monkeypatch=monkeypatch)
    text = piped("fmt", "-", at=here, data=b"\xff", monkeypatch=monkeypatch)

    assert (1, "") == (ran.code, ran.out)
    assert "error[P101]" in ran.err and "<stdin>:1:8" in ran.err
    assert (2, "", "error: standard input isn't UTF-8 text\n") == (text.code, text.out, text.err)
    assert 2 == call("fmt", "-", "a.policy", at=here).code


def test_the_examples_and_the_sketch_of_the_source_are_fine(tmp_path: Path) -> None:
    """
    The shipped example passes --check as a whole, and still passes its own tests.
    """
    loop = copy_of_loop(tmp_path)

    assert 0 == call("fmt", "--check", at=loop).code
    assert 0 == call("fmt", "--check", *(str(p) for p in EXAMPLES.glob("**/*.policy")), at=tmp_path).code


def test_fmt_needs_no_policy_of_others(here: Path) -> None:
    """
    Where there is no policy to be found, a named file is enough; without one that is an error.
    """
    put(here, "a.yaml", MESSY_YAML)

    assert 0 == call("fmt", "a.yaml", at=here).code
    assert 2 == call("fmt", at=here).code


def test_laying_out_loads_nothing_heavy(here: Path) -> None:
    """
    It starts as quickly as reading a policy does.
    """
    put(here, "a.policy", MESSY)
    heavy = ("litellm", "pydantic", "ruamel", "jsonschema", "rich", "asyncio")
    code = (
        "import sys; from policyctl.cli.main import command; command.main(standalone_mode=False); "
        f"print([m for m in {heavy} if m in sys.modules])"
    )

    assert "[]\n" == spawn("fmt", "a.policy", at=here, code=code).out
