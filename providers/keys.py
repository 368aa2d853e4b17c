"""Which models can be called from here, as far as keys and programs tell."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping

from ..schemas.policy import Model

CLI_PROVIDER = "claude-code-cli"
CLI_PROGRAM = "claude"


def program_on_path(program: str, path: str) -> bool:
    """Tell whether a program can be found in a search path (`:`-separated, as PATH)."""
    return shutil.which(program, path=path) is not None


def available_models(
    models: Iterable[Model],
    environ: Mapping[str, str],
    has_program: Callable[[str, str], bool] = program_on_path,
) -> frozenset[str]:
    """
    Find the models that can be called with what the environment holds.

    A model is available when one of its `key_names` has a value that isn't blank, or it has none
    (as a model with a server of its own and no `key` clause). The Claude Code CLI needs its
    program too. Values are looked at, never kept, shown or returned.

    Args:
        models: The models of a policy, disabled ones too: this only looks at keys.
        environ: The environment to look in, PATH included.
        has_program: Told a program and a search path, whether it is there.

    Returns:
        The keys (in the policy's sense: the names) of the models that are available.
    """
    with_key = [model for model in models if has_key(model.key_names, environ)]
    needs_program = any(model.provider == CLI_PROVIDER for model in with_key)
    cli_works = needs_program and has_program(CLI_PROGRAM, environ.get("PATH", ""))
    return frozenset(model.key for model in with_key if cli_works or model.provider != CLI_PROVIDER)


def has_key(names: Iterable[str], environ: Mapping[str, str]) -> bool:
    """Whether one of some variables has a value that isn't blank, or there are none to look at."""
    known = list(names)
    return not known or any(environ.get(name, "").strip() for name in known)
