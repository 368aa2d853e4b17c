"""`policyctl fallback-chain`: what is tried after a model fails."""

from __future__ import annotations

import json

import click

from ...engine.chain import fallback_chain
from ...policy.names import did_you_mean
from ...schemas.errors import Problem, RequestError
from .. import completing
from ..options import color_option, load_engine, policy_option
from ..output import out, safe

FORMAT_VERSION = "1.0"


@click.command()
@policy_option
@click.option(
    "--provider",
    "--model",
    "model",
    required=True,
    metavar="MODEL",
    shell_complete=completing.models,
    help="The model that is tried first.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@color_option
def command(policies: tuple[str, ...], model: str, as_json: bool) -> None:
    """
    Show what is tried after a model fails.

    That is the policy's fallback list behind the model, whatever the request.
    """
    table = load_engine(policies).table
    key = table.references.get(model)
    if key is None:
        help = did_you_mean(model, table.references, else_list="the models are")
        raise RequestError((Problem("provider", f"unknown model `{model}`", help),))
    chain = fallback_chain(table, key)
    if as_json:
        document = {
            "format_version": FORMAT_VERSION,
            "policy": table.policy.name,
            "policy_digest": table.policy.digest,
            "model": key,
            "chain": list(chain),
        }
        out(json.dumps(document, indent=2))
    else:
        out(safe(" -> ".join(chain)))
