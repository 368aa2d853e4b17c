"""`policyctl run`: a story of a PRD, answered by the policy's models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ...engine.stories import prompt_of
from ..answering import answer, answer_options, asked_for
from ..options import FREE_FORM, RequestVerb, color_option, policy_option, work_options

MOST_BYTES = 16 * 2**20


@click.command(cls=RequestVerb, context_settings=FREE_FORM)
@policy_option
@work_options
@click.option(
    "--prompt-file",
    metavar="FILE",
    help="What to ask in place of the story's own words; {story} stands for these.",
)
@click.option(
    "--prd-checks",
    is_flag=True,
    help="Also run the checks that the PRD names: only for one that you trust, as they are programs.",
)
@answer_options
@color_option
@click.pass_context
def command(ctx: click.Context, /, prompt_file: str | None, **options: Any) -> int:
    """
    Run a story: decide, ask, fall back, check, escalate, and write down what it cost.

    The prompt is the story's title, description, criteria and files. The answer goes to stdout, what happens
    meanwhile to stderr. The exit code is 0 for an answer, 3 where no model can serve or a rule refuses, 4
    where a budget does, 5 where every step failed, 6 where a gate failed at the top tier.
    """
    if options["story_id"] is None:
        raise click.UsageError("which story? policyctl run --story US-042")
    asked = asked_for(ctx, options)
    assert asked.story is not None
    prompt = prompt_of(asked.story)
    if prompt_file is not None:
        prompt = _template(prompt_file).replace("{story}", prompt)
    return answer(ctx, asked, prompt, options)


def _template(name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise click.UsageError(f"--prompt-file {name} is larger than {MOST_BYTES // 2**20} MiB")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise click.UsageError(f"--prompt-file {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"--prompt-file {name} isn't UTF-8 text") from None
