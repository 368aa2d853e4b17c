"""`policyctl schema`: a published JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .. import completing
from ..options import color_option
from ..output import columns, fits, named, note, out
from ..published import schema_names, schema_text
from ..writing import rewrite


@click.command()
@click.argument("name", required=False, shell_complete=completing.schemas)
@click.option("--list", "everything", is_flag=True, help="List all schemas.")
@click.option(
    "-o",
    "--output-file",
    "output",
    metavar="FILE",
    shell_complete=completing.files,
    help="Write it to a file.",
)
@color_option
def command(name: str | None, everything: bool, output: str | None) -> None:
    """
    Print a published JSON Schema.

    NAME is policy unless another is given: the shape of a policy in YAML, by which an editor that speaks to
    the YAML language server checks and completes. The others are those of test files, of a PRD and of what
    --json prints.
    """
    if everything:
        for line in columns([[named(each), _title(each)] for each in schema_names()], indent=0):
            out(line)
        return
    text = schema_text(name or "policy")
    if output is None or output == "-":
        out(text.rstrip("\n") if fits(text) else json.dumps(json.loads(text), indent=2))
        return
    rewrite(Path(output), text.encode())
    note(f"wrote {output}")


def _title(name: str) -> str:
    title: str = json.loads(schema_text(name))["title"]
    return title
