"""A policy language and decision engine that picks the LLM for each request."""

from __future__ import annotations

from typing import Any

__all__ = ["__version__"]


def __getattr__(name: str) -> Any:
    """
    Load a public name when it is first asked for.

    Start-up time is a promise of the command, so importing this package imports nothing else.
    """
    if name == "__version__":
        from importlib.metadata import version

        return version("policyctl")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
