"""`policyctl fmt`: policies in the one layout that the language has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from ...policy.checks.p111_unwritable import Unwritable
from ...policy.files import read_bytes
from ...policy.words import listed_count
from ...policy.written import Written, formatted, includes_of, read_file, read_written
from ...schemas.diagnostics import Diagnostic, Report
from ...schemas.records import dataclass
from ...schemas.text import Source
from .. import completing, config
from ..exits import Exit
from ..findings import Findings
from ..formats import render
from ..options import color_option
from ..output import note, out, raw, safe
from ..patch import patch
from ..piped import STDIN, as_text, standard_input
from ..problems import Impossible, tell_usage
from ..writing import rewrite


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completing.files)
@click.option("--check", is_flag=True, help="Name the files that would change, and change nothing.")
@click.option("--diff", is_flag=True, help="Show what would change, and change nothing.")
@click.option(
    "--stdin-filename",
    metavar="NAME",
    default=STDIN,
    help="What standard input is called; NAME.yaml is read as YAML.",
)
@color_option
def command(files: tuple[str, ...], check: bool, diff: bool, stdin_filename: str) -> int:
    """
    Lay out policies the one way, in .policy text and in YAML.

    Without a FILE that is the policy found from here upward, with the files that it includes. Each
    file is written anew only where that changes it; what it says and its comments stay. One with
    errors is left as it is, and the errors are shown. - reads standard input and prints the text.

    The exit code is 1 where there are errors, or where --check or --diff find something to change.
    """
    if "-" in files:
        if len(files) > 1:
            raise click.UsageError("- stands alone: it is standard input")
        return _standard_input(check, diff, stdin_filename)
    laid_out = [_laid_out(path) for path in _asked(files)]
    looking = check or diff
    for file in (file for file in laid_out if file.changed and looking):
        _preview(file, diff)
    failed = [] if looking else [file for file in laid_out if file.changed and not _write(file)]
    _tell([file for file in laid_out if file.wrong], in_notes=False)
    _count([file for file in laid_out if file not in failed], looking)
    return Exit.USAGE if failed else _exit_code(laid_out, looking)


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A file as it was and as it is to be (None: it is left alone, for what is wrong with it)."""

    name: str
    before: bytes
    after: str | None
    source: Source
    wrong: tuple[Diagnostic, ...]

    @property
    def changed(self) -> bool:
        """Whether it would be another file."""
        return self.after is not None and self.after.encode() != self.before


def _asked(files: tuple[str, ...]) -> list[Path]:
    """The files that are named, else those of the policy found from here."""
    if files:
        return [Path(file) for file in dict.fromkeys(files)]
    found = (file for path in config.find_policy(Path.cwd()) for file in includes_of(Path(path)))
    return list(dict.fromkeys(found))


def _laid_out(path: Path) -> LaidOut:
    data = read_bytes(path)
    return _lay_out(read_file(path), data if isinstance(data, bytes) else b"")


def _lay_out(written: Written, before: bytes) -> LaidOut:
    wrong = written.diagnostics
    after = None
    if not wrong:
        try:
            after = formatted(written)
        except Unwritable as error:
            wrong = (error.diagnostic,)
    return LaidOut(written.source.name, before, after, written.source, wrong)


def _standard_input(check: bool, diff: bool, name: str) -> int:
    """Print standard input as it is to be; what is wrong with it goes where the text doesn't."""
    data = standard_input()
    file = _lay_out(read_written(Source(name, as_text(data))), data)
    _tell([file] if file.wrong else [], in_notes=True)
    if file.changed and (check or diff):
        _preview(file, diff)
    elif file.after is not None and not (check or diff):
        raw(file.after.encode())
    return _exit_code([file], check or diff)


def _preview(file: LaidOut, diff: bool) -> None:
    assert file.after is not None
    if diff:
        out(patch(file.name, file.before.decode(), file.after))
    else:
        out(f"would be laid out anew: {safe(file.name)}")


def _write(file: LaidOut) -> bool:
    """Put a file's new text in its place; why that can't be is told, and keeps no other from it."""
    assert file.after is not None
    try:
        if read_bytes(Path(file.name)) != file.before:
            raise Impossible(f"{file.name} has changed meanwhile; it was left as it is")
        rewrite(Path(file.name), file.after.encode())
    except Impossible as error:
        tell_usage(error)
        return False
    return True


def _tell(wrong: list[LaidOut], *, in_notes: bool) -> None:
    """What is wrong with files that were left alone."""
    if not wrong:
        return
    report = Report(
        tuple(file.source for file in wrong), tuple(found for file in wrong for found in file.wrong)
    )
    (note if in_notes else out)(render(Findings(report), "full"))


def _count(files: list[LaidOut], looking: bool) -> None:
    if files:
        note(", ".join(_parts(files, "would be laid out anew" if looking else "laid out anew")))


def _parts(files: list[LaidOut], changed: str) -> Iterator[str]:
    counts = (
        (sum(file.changed for file in files), changed),
        (sum(not file.changed and not file.wrong for file in files), "laid out already"),
        (sum(bool(file.wrong) for file in files), "with errors left alone"),
    )
    for number, (count, what) in enumerate((count, what) for count, what in counts if count):
        yield f"{listed_count(count, 'file') if number == 0 else count} {what}"


def _exit_code(files: list[LaidOut], looking: bool) -> int:
    found = any(file.wrong or (looking and file.changed) for file in files)
    return Exit.FINDINGS if found else Exit.OK
