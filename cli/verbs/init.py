"""`policyctl init`: a small policy to start from."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from shlex import quote

import click

from ...policy.files import read_bytes
from ...policy.names import did_you_mean, listed
from ...policy.words import listed_count
from ...providers.catalogue import key_names_for
from ...providers.keys import has_key
from ...providers.snapshots import catalogue_in_force
from .. import completing, config
from ..options import color_option
from ..output import dim, named, note, out, safe, strong
from ..problems import Impossible, tell_prices
from ..published import schema_text
from ..starting import DSL, PROVIDERS, SCHEMA_FILE, YAML, first_policy
from ..writing import make_folder, write_new


def _chosen(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """The providers that --providers names, in its order."""
    if value is None:
        return None
    names = [name.strip() for name in value.split(",")]
    for name in names:
        if name not in PROVIDERS:
            help = did_you_mean(name, PROVIDERS, else_list="the providers are")
            raise click.BadParameter(f"there are no models for `{name}`; {help}", ctx, param)
    return tuple(dict.fromkeys(names))


@click.command()
@click.argument("folder", default=".", shell_complete=completing.files)
@click.option(
    "--providers",
    metavar="NAME,...",
    callback=_chosen,
    help=f"Whose models to take: {', '.join(PROVIDERS)}. Default: those whose key is set, else all.",
)
@click.option(
    "--yaml", "in_yaml", is_flag=True, help="Write it in YAML, with a schema for editors beside it."
)
@color_option
def command(folder: str, providers: tuple[str, ...] | None, in_yaml: bool) -> None:
    """
    Write a small policy to start from.

    It has today's models of three providers, three tiers, a budget and a fallback, each with a line that
    says what it does. FOLDER is this one unless another is given. Nothing is ever overwritten.
    """
    place = Path(folder)
    _refuse_second(place)
    tell_prices()
    with_key = () if providers else _with_key(place)
    chosen = providers or with_key or tuple(PROVIDERS)
    text, checked = first_policy(chosen, date.today(), in_yaml=in_yaml)
    if checked.policy is None:
        raise Impossible(
            f"the price catalogue doesn't fit: {checked.report.diagnostics[0].message}",
            "policyctl prices says which one counts here",
        )
    make_folder(place)
    if in_yaml:
        _write_schema(place / SCHEMA_FILE)
    file = place / (YAML if in_yaml else DSL)
    write_new(file, text.encode())
    out(f"wrote {named(safe(str(file)))}")
    if 0 < len(with_key) < len(PROVIDERS):
        note(f"note: with the models of {listed(with_key)}, whose key is set; --providers takes others")
    if checked.report.diagnostics:
        note(
            f"note: {listed_count(len(checked.report.diagnostics), 'finding')}: policyctl validate shows them"
        )
    _tell_next(place)


def _refuse_second(place: Path) -> None:
    """A second policy of a folder would hide the first, or be hidden by it."""
    for path in (*(place / name for name in config.POLICY_NAMES), *sorted(place.glob("*.policy"))):
        if os.path.lexists(path):
            raise Impossible(
                f"there is a policy already: {path}", "policyctl init FOLDER writes one elsewhere"
            )


def _write_schema(file: Path) -> None:
    """The schema that the first line of a YAML policy names, so that editors need no network for it."""
    schema = schema_text("policy").encode()
    if read_bytes(file) == schema:
        return
    if os.path.lexists(file):
        help = f"policyctl schema -o {quote(str(file))} writes that of this version"
        raise Impossible(f"{file} is there already, and is another schema", help)
    write_new(file, schema)
    out(f"wrote {named(safe(str(file)))}")


def _with_key(place: Path) -> tuple[str, ...]:
    """The providers one of whose keys is set."""
    environ = config.environment(place.absolute())
    catalogue = catalogue_in_force(os.environ).catalogue
    return tuple(
        provider
        for provider, models in PROVIDERS.items()
        for names in (key_names_for(catalogue, f"{provider}/{models.cheap[1]}"),)
        if has_key(names, environ)
    )


def _tell_next(place: Path) -> None:
    out()
    out(strong("next"))
    if place.resolve() != Path.cwd():
        out(f"  cd {quote(safe(str(place)))}")
    for line, remark in _NEXT.items():
        out(f"  {line:34} {dim(remark)}")


_NEXT = {
    "policyctl validate": "checks it",
    "policyctl explain --complexity 4": "says which models answer, and why",
    "policyctl doctor": "says which keys are missing",
    "policyctl plan": "prices the stories of a prd.json",
}
