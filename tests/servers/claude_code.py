"""
The real Claude Code CLI, by npm: the version of claude-code/package-lock.json, whose hashes npm checks.

No script of the package runs: its program is one file, in the package for this machine. To take a newer
version change package.json and run `npm install --package-lock-only --omit-lockfile-registry-resolved
--ignore-scripts` there.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

ASKED = Path(__file__).parent / "claude-code"
PLACE = Path(sys.prefix) / "claude-code"
"""In the virtual environment, so that it is fetched once, and goes when that goes."""


def the_program() -> Path | str:
    """
    The program `claude`, fetched now if it isn't there yet; or why there is none.
    """
    npm = shutil.which("npm")
    if npm is None:
        return "npm, which would fetch the Claude Code CLI, isn't installed here"
    PLACE.mkdir(exist_ok=True)
    with (PLACE / "lock").open("w") as lock:  # several processes run tests
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _found() or _fetch(npm) or _found() or "npm has no Claude Code CLI for this machine"


def _found() -> Path | None:
    """
    The program, if it is the one that is asked for.
    """
    lock = PLACE / "package-lock.json"
    if not lock.is_file() or lock.read_bytes() != (ASKED / lock.name).read_bytes():
        return None
    return next(PLACE.glob("node_modules/@anthropic-ai/claude-code-*/claude"), None)


def _fetch(npm: str) -> str | None:
    """
    Install it; return what went wrong.
    """
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ASKED / name, PLACE / name)
    quickly = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=0")
    try:
        done = subprocess.run(
            [npm, "ci", *quickly], cwd=PLACE, capture_output=True, text=True, timeout=180, check=False
        )
    except subprocess.TimeoutExpired:
        return "npm took more than 180 s to fetch the Claude Code CLI"
    if done.returncode:
        return f"npm can't fetch the Claude Code CLI: {' '.join(done.stderr.split())[:200]}"
    return None
