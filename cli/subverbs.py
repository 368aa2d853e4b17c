"""Verbs that have verbs of their own, such as `policyctl budget raise`."""

from __future__ import annotations

from collections.abc import Iterable

import click


class SubVerbs(click.Group):
    """A verb with verbs of its own; where none is named, `default` is meant."""

    default: str | None = None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line, with the default verb where none is named."""
        asks_help = bool(args) and args[0] in ctx.help_option_names
        if self.default is not None and not asks_help and (not args or args[0].startswith("-")):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order in which one meets them."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; a misspelt one gets a suggestion."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise no_such_command(ctx, args[0], self.commands)
        return super().resolve_command(ctx, args)


def no_such_command(ctx: click.Context, name: str, known: Iterable[str]) -> click.UsageError:
    """A verb that doesn't exist, with the nearest one that does."""
    from ..policy.names import closest

    near = closest(name, known)
    hint = f" Did you mean '{near}'?" if near is not None else ""
    return click.UsageError(f"No such command '{name}'.{hint}", ctx)
