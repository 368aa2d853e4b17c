"""`policyctl completion`: the completion script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ..output import out


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """
    Print the completion script of a shell.

    \b
    bash:  policyctl completion bash >> ~/.bashrc
    zsh:   policyctl completion zsh >> ~/.zshrc
    fish:  policyctl completion fish > ~/.config/fish/completions/policyctl.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # the choice above lists those that click has
    complete = kind(ctx.find_root().command, {}, "policyctl", "_POLICYCTL_COMPLETE")
    # `source()` would run bash to ask for its version; the script needs no such thing.
    out(complete.source_template % complete.source_vars())
