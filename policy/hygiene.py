"""What must not stand in any policy text, comments included: invisible characters and secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..schemas.diagnostics import Diagnostic
from ..schemas.text import Source, Span
from .checks.p103_forbidden_character import forbidden
from .checks.p601_secret import secret

MAX_FORBIDDEN = 20
"""Forbidden characters told per file."""

# Controls but tab and line ends (a carriage return alone ends no line here, but does in an editor, so a
# statement could hide behind a comment), bidirectional marks and overrides, zero-width and other invisible
# format characters, line and paragraph separators, tags, surrogates and non-characters.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\uffff"
    "\ud800-\udfff\U000e0000-\U000e0fff]|\r(?!\n)"
)

_SECRETS = (
    ("an Anthropic key", r"sk-ant-[A-Za-z0-9_-]{16,}"),
    ("an API key", r"\b(?:sk|rk|pk)-(?:proj-|live-|test-|or-v1-)?[A-Za-z0-9_-]{20,}"),
    ("a Google key", r"\bAIza[A-Za-z0-9_-]{30,}"),
    ("a GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})"),
    ("a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a Slack webhook", r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{8,}"),
    ("an AWS key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a key of Groq, xAI, Hugging Face or Replicate", r"\b(?:gsk_|xai-|hf_|r8_)[A-Za-z0-9]{24,}"),
    ("a JSON web token", r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,2000}"),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    ("a password in an address", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:\"]{1,100}:[^\s/@\"]{1,200}@"),
)
_ANY_SECRET = re.compile("|".join(f"({pattern})" for _, pattern in _SECRETS))


def clean(source: Source) -> tuple[Source, tuple[Diagnostic, ...]]:
    """
    The source with everything that is reported blotted out at the same length.

    The rest can then be parsed and shown without repeating a secret or a control character.
    """
    found = [*_secrets(source), *_invisible(source)]
    text = _ANY_SECRET.sub(lambda match: "x" * len(match.group()), source.text)
    text = _FORBIDDEN.sub(" ", text)
    return Source(source.name, text), tuple(found)


def _secrets(source: Source) -> Iterator[Diagnostic]:
    for match in _ANY_SECRET.finditer(source.text):
        what = _SECRETS[(match.lastindex or 1) - 1][0]
        yield secret(Span(source.name, match.start(), match.end()), what)


def _invisible(source: Source) -> Iterator[Diagnostic]:
    for count, match in enumerate(_FORBIDDEN.finditer(source.text)):
        if count == MAX_FORBIDDEN:
            return
        yield forbidden(Span(source.name, match.start(), match.end()), match.group())
