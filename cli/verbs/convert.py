"""`policyctl convert`: a policy in the other surface of the language."""

from __future__ import annotations

from pathlib import Path

import click

from ...policy.checks.p111_unwritable import Unwritable
from ...policy.written import Written, converted, in_yaml, read_file, read_written
from ...schemas.diagnostics import Diagnostic, Report
from ...schemas.text import Source
from .. import completing
from ..diagnostics import Findings
from ..exits import Exit
from ..formats import render
from ..options import color_option
from ..output import note, raw
from ..piped import STDIN, as_text, standard_input
from ..problems import Impossible
from ..writing import rewrite, write_new

SURFACES = ("policy", "yaml")


@click.command()
@click.argument("file", shell_complete=completing.files)
@click.option(
    "--to",
    type=click.Choice(SURFACES),
    help="What to write. Default: as OUT ends, else the other surface.",
)
@click.option(
    "-o",
    "--output-file",
    "output",
    metavar="OUT",
    shell_complete=completing.files,
    help="Write it to a file that isn't there yet, in place of printing it.",
)
@click.option("--force", is_flag=True, help="Write it to OUT even if that is there.")
@color_option
def command(file: str, to: str | None, output: str | None, force: bool) -> int:
    """
    Write a policy in the other surface: .policy text as YAML, or YAML as .policy text.

    It is the same policy, with its comments; each file is converted for itself, an include stays one.
    - is standard input, in the surface that isn't the one to write. The exit code is 1 where the file
    has errors, or something that can't be said in the other surface; nothing is written then.
    """
    surface = _surface(file, to, output)
    written = _read(file, surface)
    wrong = written.diagnostics
    try:
        text = "" if wrong else converted(written, to_yaml=surface == "yaml")
    except Unwritable as error:
        wrong = (error.diagnostic,)
    if wrong:
        return _refuse(written, wrong)
    if output is None or output == "-":
        raw(text.encode())
        return Exit.OK
    (rewrite if force else write_new)(Path(output), text.encode())
    note(f"wrote {output}")
    return Exit.OK


def _surface(file: str, to: str | None, output: str | None) -> str:
    """Which surface is asked for: by --to, by the name of OUT, else the one that FILE isn't in."""
    named = None if output in (None, "-") else _of(str(output))
    if named == "" and to is None:
        raise click.UsageError(f"what is {output}? Say --to policy or --to yaml")
    if to is not None and named and named != to:
        raise click.UsageError(f"--to {to} doesn't go with the name {output}")
    return to or named or ("policy" if in_yaml(file) else "yaml")


def _of(name: str) -> str:
    """The surface that the name of a file tells; empty: none."""
    return "yaml" if in_yaml(name) else "policy" if name.endswith(".policy") else ""


def _read(file: str, surface: str) -> Written:
    """The statements and comments to write, and what is wrong with them."""
    if file == "-":
        return read_written(Source(STDIN, as_text(standard_input())), yaml=surface == "policy")
    if in_yaml(file) == (surface == "yaml"):
        called = "YAML" if surface == "yaml" else ".policy text"
        raise Impossible(f"{file} is {called} already", f"to lay it out: policyctl fmt {file}")
    return read_file(Path(file))


def _refuse(written: Written, wrong: tuple[Diagnostic, ...]) -> int:
    """Say what is wrong, where the text would not stand."""
    note(render(Findings(Report((written.source,), wrong)), "full"))
    return Exit.FINDINGS
