"""
P104: too much text

What it finds

A file of more than 256 KiB or 40,000 words, more than 1 MiB in all files of
one policy, more than 200 files (or 32 levels) of includes, or more than 200
windows.

Why it matters

A policy is text that a person reads. What is larger was named by mistake, or
is meant to keep the checker busy. It isn't read further.

Example

    loop.policy includes team/models.policy, and that file has 300 KiB.

Instead

    team/models.policy is split: loop.policy includes team/anthropic.policy
    and team/openai.policy, each below 256 KiB.
"""

from __future__ import annotations

from ...schemas.diagnostics import Diagnostic, Severity
from ...schemas.text import Span

CODE = "P104"


def file_too_large(name: str, limit: int) -> Diagnostic:
    """One file over the limit (bytes)."""
    message = f"`{name}` is larger than {limit // 1024} KiB"
    return Diagnostic(CODE, Severity.ERROR, message, None, help="split it with `include`")


def all_too_large(name: str, limit: int) -> Diagnostic:
    """All files together are over the limit (bytes)."""
    message = f"with `{name}` the policy is larger than {limit // 1024} KiB in all"
    return Diagnostic(CODE, Severity.ERROR, message, None, help="is it the right file?")


def too_many_files(span: Span, limit: int) -> Diagnostic:
    """More includes than anyone needs."""
    return Diagnostic(CODE, Severity.ERROR, f"more than {limit} files are included", span)


def too_deep(span: Span, limit: int) -> Diagnostic:
    """Files that include files that include files."""
    help = "include it from a file further up"
    message = f"includes go deeper than {limit} files"
    return Diagnostic(CODE, Severity.ERROR, message, span, help=help)


def too_many_words(name: str, limit: int) -> Diagnostic:
    """A file that is small enough in bytes, but made of very short words and signs."""
    message = f"`{name}` has more than {limit:,} words and signs"
    return Diagnostic(CODE, Severity.ERROR, message, None, help="split it with `include`")


def too_many_windows(span: Span, limit: int) -> Diagnostic:
    """More schedules than anyone needs; `span` is the first that is too many."""
    message = f"the policy has more than {limit} windows"
    return Diagnostic(CODE, Severity.ERROR, message, span, help="windows of the same times can be one")
