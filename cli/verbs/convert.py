"""`policyctl convert`: a policy in the other surface of the language."""

from __future__ import annotations

from pathlib import Path

import click

from ...deciding import price_book
from ...policy.check import check
from ...policy.checks.p111_unwritable import Unwritable
from ...policy.legacy.converting import as_written, told
from ...policy.load import Loaded, Older, load, load_text
from ...policy.words import listed_count
from ...policy.written import Written, converted, in_yaml, read_file, read_written
from ...schemas.diagnostics import Report
from ...schemas.text import Source
from .. import completing
from ..exits import Exit
from ..findings import Findings
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
@click.option("--from", "form", type=click.Choice(["legacy"]), help="FILE is of the older YAML form.")
@click.option(
    "--price-unit",
    type=click.Choice(["1k", "1m"]),
    help="For how many tokens the prices of the older form are, where FILE doesn't tell.",
)
@click.option("--force", is_flag=True, help="Write it to OUT even if that is there.")
@color_option
def command(
    file: str, to: str | None, output: str | None, form: str | None, price_unit: str | None, force: bool
) -> int:
    """
    Write a policy in the other surface: .policy text as YAML, or YAML as .policy text.

    It is the same policy, with its comments; each file is converted for itself, an include stays one.
    A file of the older YAML form (lib/llm_providers.yaml) becomes .policy text, headed by what was left
    out. - is standard input, in the surface that isn't the one to write. The exit code is 1 where the
    file has errors, or something that can't be said in the other surface; nothing is written then.
    """
    older = _older(file, Older(form == "legacy", price_unit))
    if older is None and price_unit is not None:
        raise click.UsageError("--price-unit is for files of the older YAML form")
    surface = _surface(file, to, output, older=older is not None)
    written = _read(file, surface) if older is None else as_written(older)
    report = Report((written.source,), written.diagnostics)
    if older is not None:  # the whole of it is made anew, so all of it must be right
        report = check(older, price_book()).report
    if written.diagnostics or report.has_errors:
        return _refuse(report)
    try:
        text = converted(written, to_yaml=surface == "yaml")
    except Unwritable as error:
        return _refuse(Report((written.source,), (error.diagnostic,)))
    _put(text, output, force=force)
    if older is not None and told(older):
        things = listed_count(len(told(older)), "thing")
        note(f"note: {things} left out or said otherwise; the first lines of the policy tell which")
    return Exit.OK


def _put(text: str, output: str | None, *, force: bool) -> None:
    if output is None or output == "-":
        raw(text.encode())
    else:
        if force:
            rewrite(Path(output), text.encode())
        else:
            write_new(Path(output), text.encode(), help="--force writes it over")
        note(f"wrote {output}")


def _older(file: str, older: Older) -> Loaded | None:
    """What a file of the older form says; None where it isn't one and nobody says that it is."""
    if file == "-":
        return load_text(as_text(standard_input()), price_book(), STDIN, older) if older.forced else None
    if not (older.forced or in_yaml(file)):
        return None
    loaded = load([Path(file)], price_book(), older)
    return loaded if older.forced or loaded.legacy else None


def _surface(file: str, to: str | None, output: str | None, *, older: bool) -> str:
    """Which surface is asked for: by --to, by the name of OUT, else the one that FILE isn't in."""
    named = None if output in (None, "-") else _of(str(output))
    if named == "" and to is None:
        raise click.UsageError(f"what is {output}? Say --to policy or --to yaml")
    if to is not None and named and named != to:
        raise click.UsageError(f"--to {to} doesn't go with the name {output}")
    return to or named or ("policy" if older or in_yaml(file) else "yaml")


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


def _refuse(report: Report) -> int:
    """Say what is wrong, where the text would not stand."""
    note(render(Findings(report), "full"))
    return Exit.FINDINGS
