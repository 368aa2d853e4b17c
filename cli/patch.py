"""What changes in a text, the way `diff -u` and git show it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff

from ..policy.hygiene import clean
from ..schemas.text import Source
from .output import bad, good, named, safe, strong


def patch(name: str, before: str, after: str) -> str:
    """
    The difference of two texts of a policy's file; nothing where there is none.

    What may not be shown, such as a key, is blotted out.
    """
    old, new = (clean(Source(name, text))[0].text for text in (before, after))
    called = safe(name).replace("\n", "\\n")
    lines = unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), called, called)
    return "\n".join(shown for number, line in enumerate(lines) for shown in _shown(line, heading=number < 2))


def _shown(line: str, *, heading: bool) -> Iterator[str]:
    text = line.removesuffix("\n")
    ending = "\r" if text.endswith("\r") else ""
    style = strong if heading else _STYLES.get(line[0], str)
    yield style(safe(text.removesuffix("\r"))) + ending
    if not line.endswith("\n"):
        yield "\\ No newline at end of file"


_STYLES = {"+": good, "-": bad, "@": named}
