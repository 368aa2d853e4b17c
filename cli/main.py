"""The command: verbs that are imported when they are asked for, and how a run ends."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from .. import __version__
from ..schemas.errors import PolicyctlError, PolicyError, Problem
from .exits import Exit
from .subverbs import no_such_command

VERBS = {
    "init": "Write a small policy to start from.",
    "validate": "Check a policy: all problems, each with its place and its mend.",
    "fmt": "Lay out policies the one way, in .policy text and in YAML.",
    "convert": "Write a policy in the other surface: .policy text as YAML, or the other way round.",
    "explain": "Say which models answer a request or story, why, and what would change it.",
    "select": "Choose the models for a request: the chain, its cost, its reason.",
    "complete": "Answer a prompt: decide, ask, fall back, write down what it cost.",
    "run": "Run a story: decide, ask, check, escalate, write down what it cost.",
    "stories": "Show whose turn it is among the stories of a PRD; mark one as done.",
    "health": "Say which models are healthy, degraded or down, and what follows.",
    "test": "Run a policy's tests; say what they cover and would notice.",
    "plan": "Plan a PRD: each story's model and cost, the sums, and what they do to the budgets.",
    "diff": "Say which requests two policies decide differently.",
    "budget": "Show what the budgets have spent, and raise, pause or resume them.",
    "report": "Report what was spent, by whom, and what it would have cost on the baseline.",
    "summary": "Say in one line what was spent and saved.",
    "provider-breakdown": "Report what one provider's models were asked, and what that cost.",
    "monitor": "Watch a run: its cost, its stories, where it leads, budgets, models.",
    "alerts": "Show where alerts stand, try their channels, tell what is to be told.",
    "statusline": "Print one short line for a prompt or a status bar: what is spent.",
    "ledger": "Make, check, fill and empty the ledger, which has what was spent.",
    "list": "List the models of a policy.",
    "fallback-chain": "Show what is tried after a model fails.",
    "table": "Show a policy as a table: who serves which complexity and capability.",
    "prices": "Show what the price catalogue knows of models, or take a newer one.",
    "rule": "Print the page of a diagnostic's code.",
    "schema": "Print a published JSON Schema.",
    "config": "Show each setting, and where it comes from.",
    "doctor": "Check whether all that the policy needs is here, and say what mends it.",
    "completion": "Print the completion script of a shell.",
}


class Verbs(click.Group):
    """Imports a verb's file only when that verb runs; the list and its help need none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order in which one meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of a name, if there is one."""
        if cmd_name not in VERBS:
            return None
        module = import_module(f".verbs.{cmd_name.replace('-', '_')}", __package__)
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with their sentences, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; a misspelt one gets a suggestion, which lazy verbs need done by hand."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise no_such_command(ctx, args[0], VERBS)
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="policyctl", message="%(prog)s %(version)s")
def command() -> None:
    """
    Decide which LLM answers each request, by a policy that people can read.

    Start with `policyctl validate`, then `policyctl explain --complexity 4`.
    """


def run() -> None:
    """Run the command. Every way a run can end has its exit code."""
    sys.exit(_exit_code())


def _exit_code() -> int:
    stdout = sys.stdout
    try:
        result = command.main(prog_name="policyctl", standalone_mode=False)
        if sys.stdout is not None:  # closed before we were started
            sys.stdout.flush()
        return result if isinstance(result, int) else Exit.OK
    except click.exceptions.Exit as end:
        return end.exit_code
    except SystemExit:
        if sys.stdout is stdout:  # a shell asked for completions
            raise
        return _unread()  # click has put a muffler on stdout, and would exit with 1 as for findings
    except BrokenPipeError:
        return _unread()
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except click.ClickException as error:
        return _misused(error)
    except PolicyctlError as error:
        return _told(error)
    except Exception as error:
        return _crashed(error)


def _unread() -> int:
    """The reader has gone: nothing may be written any more, not even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.OK


def _misused(error: click.ClickException) -> int:
    """A command line that can't be run as it stands, in the words of click."""
    from .problems import tell_usage

    tell_usage(error)
    return Exit.USAGE


def _told(error: PolicyctlError) -> int:
    """An error that policyctl raised on purpose, as its reader wants it."""
    from .problems import tell

    if isinstance(error, PolicyError):
        from .formats import show

        show(error.report, "json" if "--json" in sys.argv else "full")
    else:
        tell(error)
    return Exit.USAGE


def _crashed(error: Exception) -> int:
    """A disk that is full, or a mistake of our own: never the exit code of findings."""
    from .problems import tell_problem

    if isinstance(error, OSError):
        tell_problem(Problem("", str(error)))
    else:
        from traceback import print_exception

        print_exception(error)
        tell_problem(Problem("", "policyctl has a bug, shown above", "please report it with this text"))
    return Exit.USAGE
