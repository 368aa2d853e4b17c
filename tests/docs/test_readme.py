"""
What the README and its like show is what happens: each command is run, each policy is checked.

`python tests/docs/test_readme.py` writes the outputs on all these pages anew, with the package that it finds.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policyctl import Ledger, Usage
from policyctl.deciding import Engine, price_book
from policyctl.policy.check import check_text
from policyctl.schemas.decision import Missed

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"
EXAMPLE = ROOT / "examples" / "claude-loop"
PAGES = {
    "README.md": "claude-loop",
    "examples/README.md": ".",
    "examples/case-studies/README.md": "case-studies",
    "docs/plan.md": "team",
    "docs/features.md": "claude-loop",
    "docs/troubleshooting.md": "claude-loop",
}
"""Pages with commands, and the folder of examples/ in which a reader types them."""

WITH_A_PAST = ("docs/features.md", "docs/troubleshooting.md")
"""Pages whose reader has a ledger, a file of the older form and no keys."""

PAST = (
    ("US-036", "claude-haiku", 4_000, 800, 900, {}),
    ("US-037", "deepseek-chat", 0, 0, 60_000, {"error": "timeout"}),
    ("US-037", "deepseek-chat", 0, 0, 60_000, {"error": "timeout"}),
    ("US-037", "deepseek-chat", 0, 0, 60_000, {"error": "timeout"}),
    ("US-037", "claude-sonnet", 3_000, 600, 2_100, {"fallback_used": True}),
    ("US-038", "gemini-pro", 0, 0, 300, {"error": "auth"}),
    ("US-038", "claude-code-cli", 6_000, 1_200, 9_000, {"fallback_used": True}),
    ("US-039", "litellm/gpt-4o", 8_000, 1_600, 2_400, {}),
    ("US-039", "claude-opus", 8_000, 1_600, 6_300, {"escalation": "escalated to powerful"}),
    ("US-042", "gemini-flash", 9_000, 1_800, 1_100, {}),
    ("US-043", "claude-opus", 12_000, 2_400, 7_200, {}),
)
"""Calls of the last minutes: story, model, tokens in and out, milliseconds, and what is special."""

OLDER_FORM = """\
timeRules:
  - name: development_hours
    schedule: "Mon-Fri 9am-5pm"
    preferred_tier: cheap
  - name: production_deploy
    trigger: "git branch | grep main"
    preferred_tier: powerful
alerts:
  - name: expensive_story_detected
    condition: story_cost > 5.0
    action: slack_webhook
    webhook_url: https://hooks.slack.com/services/T0/B0/x
"""

CONSOLE = re.compile(r"(```console\n\$ (policyctl [^\n]*)\n)(.*?)(```)", re.DOTALL)
NAMED = re.compile(r"`((?:[A-Z_]+=\S+ )?policyctl [^`\n]+)`")
PLACEHOLDER = re.compile(r"\b(FILE|FOLDER|OLD|NEW)\b|…")
CARRY_OUT = """\
import contextlib, io, json, os, shlex, sys
from policyctl.cli.main import run
ends, before = [], dict(os.environ)
for command in json.loads(os.environ["COMMANDS"]):
    words = shlex.split(command)
    start = words.index("policyctl")
    os.environ.clear()
    os.environ.update(before | dict(word.split("=", 1) for word in words[:start]))
    sys.argv = words[start:]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            run()
        except SystemExit as end:
            ends.append(end.code)
print(json.dumps(ends), file=sys.stderr)
"""
FENCED = re.compile(r"```.*?```", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
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


def with_a_past(folder: Path) -> None:
    """Give a folder a ledger with calls of the last minutes, and a file of the older form."""
    engine, home, now = Engine.load(folder / "claude-loop.policy"), folder / ".claude-loop", datetime.now(UTC)
    log = home / "logs" / "provider_usage.jsonl"
    with Ledger(home / "policyctl.db", engine.policy, log=log, create=True) as ledger:
        for number, (story, model, tokens_in, tokens_out, latency_ms, special) in enumerate(PAST):
            about = {name: value for name, value in special.items() if name != "error"}
            attempt = engine.attempt(f"call-{number}:1:1", model, run_id="run-7", story_id=story, **about)
            usage = Usage(
                input_tokens=tokens_in,
                output_tokens=tokens_out,
                latency_ms=latency_ms,
                success="error" not in special,
                error=special.get("error"),
            )
            assert ledger.record(attempt, usage, when=now - timedelta(seconds=len(PAST) - number))
    (folder / "lib").mkdir()
    (folder / "lib" / "llm_providers.yaml").write_text(OLDER_FORM, encoding="utf-8")


def place(page: str, folder: Path) -> Path:
    """Where a reader of a page types its commands."""
    here = workplace(folder) / PAGES[page]
    if page in WITH_A_PAST:
        with_a_past(here)
    return here


def run(command: str, here: Path) -> str:
    """What a command prints, on stdout and stderr, without what is never the same."""
    return steady(spoken(command, here)[1])


def spoken(command: str, here: Path) -> tuple[int, str]:
    """How a command ends, and what it prints on stdout and stderr."""
    code = "import sys; from policyctl.cli.main import run; sys.argv[0] = 'policyctl'; run()"
    words = [sys.executable, "-c", code, *shlex.split(command)[1:]]
    done = subprocess.run(
        words,
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout + done.stderr


def environment() -> dict[str, str]:
    """The environment of a reader who has no keys and has set nothing."""
    ours = re.compile(r"FORCE_COLOR|COLUMNS|POLICYCTL_.*|.*_API_KEY|COST_REPORT_DAYS|MONTHLY_COST_BUDGET")
    return {name: value for name, value in os.environ.items() if not ours.fullmatch(name)}


def steady(text: str) -> str:
    """A text with times that are never the same written as one time."""
    text = re.sub(r"(Selection time: )[0-9.]+ms", r"\g<1>0.26ms", text)
    text = re.sub(r"(\"selection_time_ms\": )[0-9.e-]+", r"\g<1>0.26", text)
    text = re.sub(r"(Date range: )\S+ to \S+", r"\g<1>2026-01-20 to 2026-01-20", text)
    return re.sub(r"^(run run-7  ).*$", r"\g<1>Tue 20 Jan 2026 10:00:00 EST", text, flags=re.MULTILINE)


def blocks(page: str) -> list[tuple[str, str]]:
    """The commands of a page, and what it shows below each."""
    return [(match[2], match[3]) for match in CONSOLE.finditer((ROOT / page).read_text(encoding="utf-8"))]


SHOWN = [(page, *block) for page in PAGES for block in blocks(page)]


@pytest.mark.parametrize(("page", "command", "shown"), SHOWN, ids=[f"{p}: {c}" for p, c, _ in SHOWN])
def test_each_command_prints_what_the_page_shows(page: str, command: str, shown: str, tmp_path: Path) -> None:
    """
    A command of a page, run in a copy of the example, prints the text below it.
    """
    assert shown == run(command, place(page, tmp_path))


@pytest.mark.parametrize("page", WITH_A_PAST)
def test_each_command_that_is_named_can_be_carried_out(page: str, tmp_path: Path) -> None:
    """
    A command in a sentence or a table can be carried out as it stands, with the variables before it.
    """
    here = place(page, tmp_path)
    text = CONSOLE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    named = [command for command in NAMED.findall(text) if not PLACEHOLDER.search(command)]
    env = {**environment(), "COMMANDS": json.dumps(named)}
    done = subprocess.run(
        [sys.executable, "-c", CARRY_OUT], cwd=here, capture_output=True, check=False, env=env
    )
    ends = dict(zip(named, json.loads(done.stderr.splitlines()[-1]), strict=True))

    assert len(named) >= 8
    assert {} == {command: code for command, code in ends.items() if code not in (0, 1, 3)}


def test_each_link_leads_somewhere() -> None:
    """
    A link of a page to a file, or to a heading of a page, finds it.
    """
    pages = [README, *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("README.md")]
    texts = {page: FENCED.sub("", page.read_text(encoding="utf-8")) for page in pages}

    assert [] == [
        (page.name, link) for page in pages for link in LINK.findall(texts[page]) if is_dead(page, link)
    ]


def is_dead(page: Path, link: str) -> bool:
    """Whether a link of a page leads nowhere; addresses of other sites aren't looked at."""
    name, _, heading = link.partition("#")
    if "://" in name:
        return False
    target = page.parent / name if name else page
    if not heading or not target.is_file():
        return not target.exists()
    heads = HEADING.findall(FENCED.sub("", target.read_text(encoding="utf-8")))
    return heading not in {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


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
    for page in PAGES:
        with tempfile.TemporaryDirectory() as folder:
            there = place(page, Path(folder))
            text = (ROOT / page).read_text(encoding="utf-8")
            text = CONSOLE.sub(lambda match: match[1] + run(match[2], there) + match[4], text)  # noqa: B023
            (ROOT / page).write_text(text, encoding="utf-8")
