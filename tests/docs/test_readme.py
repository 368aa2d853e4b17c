"""
What the README and its like show is what happens: each command is run, each policy is checked.

`python tests/docs/test_readme.py` writes the outputs on all these pages anew, with the package that it finds.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from policyctl.policy.check import check_text
from policyctl.router import price_book
from policyctl.schemas.decision import Missed

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"
EXAMPLE = ROOT / "examples" / "claude-loop"
PAGES = {
    "README.md": "claude-loop",
    "examples/README.md": ".",
    "examples/case-studies/README.md": "case-studies",
    "docs/plan.md": "team",
}
"""Pages with commands, and the folder of examples/ in which a reader types them."""

CONSOLE = re.compile(r"(```console\n\$ (policyctl [^\n]*)\n)(.*?)(```)", re.DOTALL)
TYPOS = (
    ("prefers litellm/gpt-4o, gemini", "perfers litellm/gpt-4o, gemini"),
    ("during off_hours", "during of_hours"),
    ("only claude-haiku", "only claude-hiku"),
)


def workplace(folder: Path) -> Path:
    """A copy of the examples; one of them has a policy with three typos beside its own."""
    copy = folder / "examples"
    shutil.copytree(EXAMPLE.parent, copy)
    text = (EXAMPLE / "claude-loop.policy").read_text(encoding="utf-8")
    for right, wrong in TYPOS:
        assert right in text
        text = text.replace(right, wrong)
    here = copy / EXAMPLE.name
    (here / "policyctl.toml").write_text('policy = "claude-loop.policy"\n', encoding="utf-8")
    (here / "broken.policy").write_text(text, encoding="utf-8")
    return copy


def run(command: str, here: Path) -> str:
    """What a command prints, on stdout and stderr, with the one figure that is never the same taken out."""
    code = "import sys; from policyctl.cli.main import run; sys.argv[0] = 'policyctl'; run()"
    words = [sys.executable, "-c", code, *shlex.split(command)[1:]]
    environment = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "COLUMNS")}
    done = subprocess.run(words, cwd=here, capture_output=True, text=True, check=False, env=environment)
    return steady(done.stdout + done.stderr)


def steady(text: str) -> str:
    """A text with the time that a selection took written as 0.26ms."""
    return re.sub(r"(Selection time: )[0-9.]+ms", r"\g<1>0.26ms", text)


def blocks(page: str) -> list[tuple[str, str]]:
    """The commands of a page, and what it shows below each."""
    return [(match[2], match[3]) for match in CONSOLE.finditer((ROOT / page).read_text(encoding="utf-8"))]


SHOWN = [(page, *block) for page in PAGES for block in blocks(page)]


@pytest.mark.parametrize(("page", "command", "shown"), SHOWN, ids=[f"{p}: {c}" for p, c, _ in SHOWN])
def test_each_command_prints_what_the_page_shows(page: str, command: str, shown: str, tmp_path: Path) -> None:
    """
    A command of a page, run in a copy of the example, prints the text below it.
    """
    assert shown == run(command, workplace(tmp_path) / PAGES[page])


def test_the_policy_of_the_readme_has_no_finding() -> None:
    """
    The first policy that a reader sees is one that works.
    """
    text = re.findall(r"```policy\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]

    assert () == check_text(text, price_book()).report.diagnostics


def test_the_program_of_the_readme_runs() -> None:
    """
    The Python in the README gives what its comments say.
    """
    code = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]
    code = code.replace('"claude-loop.policy"', repr(str(EXAMPLE / "claude-loop.policy")))
    names: dict[str, object] = {"Missed": Missed}
    for line in code.splitlines():
        statement, comment, value = line.partition("  # ")
        if comment:
            assert eval(value, names) == eval(statement, names)  # noqa: S307
        else:
            exec(statement, names)  # noqa: S102


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        there = workplace(Path(folder))
        for page, example in PAGES.items():
            text = (ROOT / page).read_text(encoding="utf-8")
            text = CONSOLE.sub(lambda match: match[1] + run(match[2], there / example) + match[4], text)  # noqa: B023
            (ROOT / page).write_text(text, encoding="utf-8")
