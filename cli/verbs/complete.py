"""`policyctl complete`: a prompt, answered by the policy's models."""

from __future__ import annotations

import sys
from typing import Any

import click

from ..answering import answer, answer_options, asked_for
from ..options import FREE_FORM, RequestVerb, color_option, policy_option, work_options

MOST_BYTES = 16 * 2**20


@click.command(cls=RequestVerb, context_settings=FREE_FORM)
@click.argument("prompt", required=False)
@policy_option
@work_options
@answer_options
@color_option
@click.pass_context
def command(ctx: click.Context, /, prompt: str | None, **options: Any) -> int:
    """
    Answer a prompt: decide, ask, fall back, and write down what it cost.

    Without PROMPT, or with -, it is read from standard input. The answer goes to stdout, what happens
    meanwhile to stderr. The exit code is 0 for an answer, 3 where no model can serve or a rule refuses, 4
    where a budget does, 5 where every step failed, 6 where a gate failed at the top tier.
    """
    if prompt is not None and prompt.startswith("--"):
        ctx.args.insert(0, prompt)  # a declared input as an option, in front of no prompt
        prompt = None
    asked = asked_for(ctx, options)
    return answer(ctx, asked, _prompt(prompt), options)


def _prompt(said: str | None) -> str:
    if said is not None and said != "-":
        if not said.strip():
            raise click.UsageError("the prompt is empty")
        return said
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError('what is the prompt? policyctl complete "Name three rivers."')
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise click.UsageError(f"standard input is larger than {MOST_BYTES // 2**20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError("standard input isn't UTF-8 text") from None
    if not text.strip():
        raise click.UsageError("standard input is empty: what is the prompt?")
    return text
