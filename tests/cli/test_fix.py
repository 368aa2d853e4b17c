"""`validate --fix` and `--diff`: sure mends in files, and nothing else of them touched."""

from __future__ import annotations

import io
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from policyctl.cli import fixing
from policyctl.cli.patch import patch as patch_of

from .command import EXAMPLES, Ran, call

TWO_MODELS = """\
model small is offline/small costs $1 in, $1 out can nothing
model large is offline/large costs $2 in, $2 out can nothing
tier low  from complexity 0 has small
tier high from complexity 5 has large
"""
TYPOS = f"""{TWO_MODELS}# ü 😀 smal
rule  "x"   when kind == 'legal'   use smal   # smal
rule y when kind is "smal" use small low
fallback \t to  nobody, largee
"""
MENDED = f"""{TWO_MODELS}# ü 😀 smal
rule  "x"   when kind is "legal"   use small   # smal
rule y when kind is "smal" use small low
fallback \t to  nobody, large
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    An empty checkout: nothing above it is found.
    """
    (tmp_path / ".git").mkdir()
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return file


def piped(here: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, *words: str) -> Ran:
    """
    Run the command with bytes on its standard input.
    """
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
    return call(*words, at=here)


def test_sure_mends_are_made_and_the_rest_is_shown(here: Path) -> None:
    """
    What is sure is changed in the file, letter by letter; what isn't is shown, and the last line counts both.
    """
    file = write(here, "a.policy", TYPOS)
    ran = call("validate", "--fix", "a.policy", at=here)

    assert (1, "") == (ran.code, ran.err)
    assert MENDED == file.read_bytes().decode()
    assert ["error[P101]", "error[P203]"] == re.findall(r"^error\[\w+]", ran.out, re.MULTILINE)
    assert "Found 6 errors in 1 file (4 fixed, 2 remaining).\n" == ran.out.splitlines(keepends=True)[-1]


def test_a_mended_policy_is_fine(here: Path) -> None:
    """
    Where every finding was mended the exit code is 0, and the policy is said to be fine.
    """
    write(here, "a.policy", TWO_MODELS.replace("has large", "has larg"))
    ran = call("validate", "--fix", at=here)

    assert (0, "") == (ran.code, ran.err)
    assert (
        "Found 1 error in 1 file (1 fixed, 0 remaining).\nok  policy policy: 2 models, 2 tiers\n" == ran.out
    )
    assert "ok  policy policy: 2 models, 2 tiers\n" == call("validate", "--fix", at=here).out


def test_findings_say_that_they_can_be_fixed(here: Path) -> None:
    """
    Without --fix the findings that it would mend are marked and counted, in full and in brief.
    """
    write(here, "a.policy", TYPOS)
    full = call("validate", "a.policy", at=here).out
    concise = call("validate", "a.policy", "--output-format", "concise", at=here).out
    counts = call("validate", "a.policy", "--statistics", at=here).out

    for out in (full, concise):
        assert ("[*] 2 fixable with `policyctl validate --fix`.", 3) == (
            out.splitlines()[-1],
            out.count("[*]"),
        )
    assert re.search(r"^2  error\[P203]  \[\*]  unknown model$", counts, re.MULTILINE)
    assert [] == [line for line in full.splitlines() if len(line) > 80 and "help:" not in line]


def test_other_verbs_say_how_to_fix(here: Path) -> None:
    """
    Where another verb meets the errors of a policy, the mark names the verb that mends them.
    """
    write(here, "policyctl.policy", TWO_MODELS.replace("has large", "has larg"))

    assert "[*] 1 fixable with `policyctl validate --fix`." in call("list", at=here).out


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_everything_else_is_byte_for_byte_the_same(here: Path, mark: bytes, ending: str, last: str) -> None:
    """
    A byte order mark, line ends of either kind, a missing last one, tabs, blanks and comments are kept; so
    are the permissions of the file.
    """
    before, after = (text.rstrip("\n").replace("\n", ending) + last for text in (TYPOS, MENDED))
    file = here / "a.policy"
    file.write_bytes(mark + before.encode())
    file.chmod(0o640)
    call("validate", "--fix", "a.policy", at=here)

    assert mark + after.encode() == file.read_bytes()
    assert 0o640 == stat.S_IMODE(file.stat().st_mode)
    assert {".git", "a.policy"} == {path.name for path in here.iterdir()}


def test_a_file_without_a_mend_is_not_written(here: Path) -> None:
    """
    A file in which nothing is mended isn't opened for writing: it may even be read-only.
    """
    good = write(here, "a.policy", TWO_MODELS + 'include "b.policy"\n')
    write(here, "b.policy", "fallback to smal\n")
    before = good.stat()
    ran = call("validate", "--fix", "a.policy", at=here)

    assert 0 == ran.code
    assert (before.st_ino, before.st_mtime_ns) == (good.stat().st_ino, good.stat().st_mtime_ns)
    assert "fallback to small\n" == (here / "b.policy").read_text(encoding="utf-8")


def test_included_files_of_both_kinds_are_mended(here: Path) -> None:
    """
    A policy of .policy text and YAML is mended in all its files, in one run.
    """
    write(here, "a.policy", TWO_MODELS + 'include "parts/b.yaml"\nrule x when during nigths use smal\n')
    write(
        here,
        "parts/b.yaml",
        "# a comment\nwindow: {nights: Mon to Fri 22:00 to 06:00}\nfallback: {to: [ 'smal' ]}\n",
    )
    ran = call("validate", "--fix", "a.policy", at=here)

    assert (0, "") == (ran.code, ran.err)
    assert TWO_MODELS + 'include "parts/b.yaml"\nrule x when during nights use small\n' == (
        here / "a.policy"
    ).read_text(encoding="utf-8")
    assert "# a comment\nwindows: {nights: Mon to Fri 22:00 to 06:00}\nfallback: {to: [ 'small' ]}\n" == (
        here / "parts/b.yaml"
    ).read_text(encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="symbolic links are made here")
def test_a_symbolic_link_is_not_written_through(here: Path) -> None:
    """
    Where a file is a symbolic link it is left as it is, and so is what it leads to.
    """
    target = write(here, "real.policy", TYPOS)
    (here / "link.policy").symlink_to("real.policy")
    ran = call("validate", "--fix", "link.policy", at=here)

    assert (2, "") == (ran.code, ran.out)
    assert "error: link.policy can't be written: it is a symbolic link" in ran.err
    assert (TYPOS, True) == (target.read_bytes().decode(), (here / "link.policy").is_symlink())


def test_a_file_that_changes_meanwhile_is_left(here: Path) -> None:
    """
    What somebody writes between the check and the mend is never lost.
    """
    file = write(here, "a.policy", TYPOS)
    read = fixing.read_text

    def read_and_change(path: Path) -> object:
        text = read(path)
        file.write_text("# new\n" + TYPOS, encoding="utf-8")
        return text

    with patch.object(fixing, "read_text", read_and_change):
        ran = call("validate", "--fix", "a.policy", at=here)

    assert (2, "") == (ran.code, ran.out)
    assert "error: a.policy has changed meanwhile; it was left as it is" in ran.err
    assert "# new\n" + TYPOS == file.read_text(encoding="utf-8")


def test_json_counts_what_was_fixed(here: Path) -> None:
    """
    For a program the findings that are left come with how many were mended; stderr says so too.
    """
    write(here, "a.policy", TYPOS)
    ran = call("validate", "--fix", "a.policy", "--output-format", "json", at=here)

    assert (4, 2) == (ran.json["fixed_count"], ran.json["error_count"])
    assert "note: 4 findings fixed\n" == ran.err


def test_edits_of_json_do_what_fix_does(here: Path) -> None:
    """
    A program that makes the edits of a finding by their offsets gets the text that --fix writes.
    """
    file = write(here, "a.policy", TWO_MODELS.replace("has large", "has larg") + "fallback to smal\n")
    text = file.read_text(encoding="utf-8")
    found = call("validate", "a.policy", "--output-format", "json", at=here).json["diagnostics"]
    edits = [edit for finding in found for edit in finding["fix"]["edits"]]
    for edit in sorted(edits, key=lambda edit: -edit["location"]["start"]["offset"]):
        start, end = (edit["location"][side]["offset"] for side in ("start", "end"))
        text = text[:start] + edit["replacement"] + text[end:]
    call("validate", "--fix", "a.policy", at=here)

    assert text == file.read_text(encoding="utf-8")


# --- --diff ----------------------------------------------------------------------------------------------


def test_a_difference_is_shown_and_nothing_written(here: Path) -> None:
    """
    --diff prints what --fix would change, and has exit code 1; the file stays as it is.
    """
    file = write(here, "a.policy", TWO_MODELS.replace("has large", "has larg"))
    ran = call("validate", "--diff", "a.policy", at=here)

    assert (1, "1 finding would be fixed, 0 would remain\n") == (ran.code, ran.err)
    assert (
        "--- a.policy\n+++ a.policy\n@@ -1,4 +1,4 @@\n"
        " model small is offline/small costs $1 in, $1 out can nothing\n"
        " model large is offline/large costs $2 in, $2 out can nothing\n"
        " tier low  from complexity 0 has small\n"
        "-tier high from complexity 5 has larg\n"
        "+tier high from complexity 5 has large\n"
    ) == ran.out
    assert "larg\n" in file.read_text(encoding="utf-8")


def test_no_difference_is_nothing(here: Path) -> None:
    """
    Where nothing can be mended --diff prints nothing; the exit code is that of what is left.
    """
    write(here, "fine.policy", TWO_MODELS)
    write(here, "other.policy", TWO_MODELS + "fallback to nobody\n")
    fine, other = (call("validate", "--diff", f"{name}.policy", at=here) for name in ("fine", "other"))

    assert (0, "", "0 findings would be fixed, 0 would remain\n") == (fine.code, fine.out, fine.err)
    assert (1, "", "0 findings would be fixed, 1 would remain\n") == (other.code, other.out, other.err)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_a_difference_can_be_applied(here: Path, ending: str, last: str) -> None:
    """
    git applies what --diff prints, and what comes out is what --fix writes.
    """
    text = TYPOS.rstrip("\n").replace("\n", ending) + last
    for name in ("a.policy", "b.policy"):
        write(here, name, text)
    shown = call("validate", "--diff", "a.policy", "-o", "a.patch", at=here)
    subprocess.run(["git", "init", "-q"], cwd=here, check=True)
    subprocess.run(["git", "apply", "-p0", "a.patch"], cwd=here, check=True)
    call("validate", "--fix", "b.policy", at=here)

    assert (1, "") == (shown.code, shown.out)
    assert (here / "a.policy").read_bytes() == (here / "b.policy").read_bytes()


def test_a_difference_is_coloured_on_a_terminal(here: Path) -> None:
    """
    On a terminal lines that go are red and lines that come are green; without colours it is the same text.
    """
    write(here, "a.policy", TYPOS)
    plain = call("validate", "--diff", "a.policy", at=here)
    colored = call("validate", "--diff", "a.policy", at=here, terminal=True)

    assert "\x1b[32m+" in colored.out
    assert plain.out == re.sub(r"\x1b\[[0-9;]*m", "", colored.out)


def test_a_difference_shows_no_secret(here: Path) -> None:
    """
    What is blotted out in findings is blotted out in a difference, and kept in the file.
    """
    secret = "sk-ant-" + "a" * 30
    file = write(
        here, "a.policy", f'{TWO_MODELS}fallback to smal\nrule x when kind is "{secret}\u202e" use small\n'
    )
    shown = call("validate", "--diff", "a.policy", at=here).out
    call("validate", "--fix", "a.policy", at=here)

    assert "+fallback to small" in shown
    assert not {secret, "\u202e"} & set(re.findall(rf"{secret}|\u202e", shown))
    assert f'fallback to small\nrule x when kind is "{secret}\u202e"' in file.read_text(encoding="utf-8")


def test_names_of_files_are_shown_not_obeyed() -> None:
    """
    A file's name can't add a line to a difference, or say anything to a terminal.
    """
    shown = patch_of("a\n+b\x1b[2J.policy", "one\n", "two\n")

    assert ["--- a\\n+b\\x1b[2J.policy", "+++ a\\n+b\\x1b[2J.policy"] == re.sub(
        r"\x1b\[[0-9;]*m", "", shown
    ).splitlines()[:2]


def test_fix_and_diff_are_one_or_the_other(here: Path) -> None:
    """
    --fix with --diff is an error, and nothing is written.
    """
    file = write(here, "a.policy", TYPOS)
    ran = call("validate", "--fix", "--diff", "a.policy", at=here)

    assert (2, "", TYPOS) == (ran.code, ran.out, file.read_text(encoding="utf-8"))


# --- standard input --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_standard_input_is_mended_to_standard_output(
    here: Path, monkeypatch: pytest.MonkeyPatch, mark: bytes
) -> None:
    """
    As a filter --fix prints the mended text and nothing else; what is left is told on stderr.
    """
    ran = piped(here, monkeypatch, mark + TYPOS.encode(), "validate", "--fix", "-")

    assert (1, mark + MENDED.encode()) == (ran.code, ran.out.encode())
    assert "error[P203]: unknown model `nobody`" in ran.err
    assert "Found 6 errors in 1 file (4 fixed, 2 remaining).\n" == ran.err.splitlines(keepends=True)[-1]


def test_a_fine_text_comes_out_as_it_went_in(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A text without a mend passes through unchanged; --diff of it prints nothing.
    """
    text = TWO_MODELS.replace("\n", "\r\n").encode()
    fixed = piped(here, monkeypatch, text, "validate", "--fix", "-")
    shown = piped(here, monkeypatch, text, "validate", "--diff", "-")

    assert (0, text) == (fixed.code, fixed.out.encode())
    assert (0, "") == (shown.code, shown.out)


def test_what_is_no_text_is_not_passed_on(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Bytes that aren't UTF-8 can't be mended: exit code 2, nothing on stdout.
    """
    ran = piped(here, monkeypatch, TYPOS.encode() + b"\xff", "validate", "--fix", "-")

    assert (2, "") == (ran.code, ran.out)
    assert "error: standard input isn't UTF-8 text" in ran.err


def test_a_difference_of_standard_input(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    --diff of standard input calls it <stdin>.
    """
    ran = piped(here, monkeypatch, TYPOS.encode(), "validate", "--diff", "-")

    assert (1, ["--- <stdin>", "+++ <stdin>"]) == (ran.code, ran.out.splitlines()[:2])


# --- many at once ----------------------------------------------------------------------------------------


def test_hundreds_of_misspellings_are_mended_in_one_run(here: Path) -> None:
    """
    More misspelt names than one check looks up suggestions for are mended in one run.
    """
    rules = "".join(f'rule r{number} when branch is "b{number}" use smal\n' for number in range(150))
    file = write(here, "a.policy", TWO_MODELS + rules)
    ran = call("validate", "--fix", "a.policy", at=here)

    assert (0, 0) == (ran.code, file.read_text(encoding="utf-8").count("smal\n"))
    assert "(150 fixed, 0 remaining)" in ran.out


def test_the_typos_of_the_example_are_mended(here: Path) -> None:
    """
    The example with ten typos comes back letter by letter.
    """
    text = (EXAMPLES / "claude-loop" / "claude-loop.policy").read_text(encoding="utf-8")
    typos = {
        "during office_hours": "during office_huors",
        "fallback to claude-sonnet, ": "fallback to claude-sonet, ",
        "domain debugging       prefers": "domain debugging       preferes",
        "rule off_hours\n  when": "rule off_hours\n  whne",
        "budget monthly is at least 80%": "budget montly is at least 80%",
        "use tier cheap": "use tier cheep",
        "can tools, json_mode  timeout": "can tools, json_mod  timeout",
        "timezone America/New_York": "timezone America/New_Yrok",
        "baseline claude-opus": "baseline claude-opsu",
        'when branch is "main"': "when branch == 'main'",
    }
    wrong = text
    for right, typo in typos.items():
        assert right in text
        wrong = wrong.replace(right, typo, 1)
    file = write(here, "a.policy", wrong)

    assert 0 == call("validate", "--fix", "a.policy", at=here).code
    assert text == file.read_bytes().decode()
