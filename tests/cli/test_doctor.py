"""`policyctl doctor`: what the policy needs, what is here, and what mends it."""

from __future__ import annotations

import os
import re
from contextlib import chdir
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path

import pytest

from policyctl.cli.checkup import Check, State, checkup, extras, look_at
from policyctl.providers.catalogue import snapshot

from .command import ENTRY, Ran, call, spawn
from .test_json import faults

SECRET = "sk-not-to-be-seen"  # noqa: S105
NOVEMBER = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
OFFLINE = """\
timezone America/New_York
model small is offline/small costs $1 in, $1 out can nothing
tier low from complexity 0 has small
"""
KEYS = """\
model haiku is anthropic/claude-haiku-5-5
model opus  is anthropic/claude-opus-5-5
model flash is google/gemini-3.8-flash
model house is openai/gpt-6-luna server "http://localhost:8000/v1"
model off   is deepseek/deepseek-v4-pro disabled
tier low from complexity 0 has haiku, opus, flash, house
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    An empty checkout: nothing above it is found.
    """
    (tmp_path / ".git").mkdir()
    return tmp_path


def with_policy(folder: Path, text: str) -> Path:
    (folder / "policyctl.policy").write_text(text, encoding="utf-8")
    return folder


def doctor(at: Path, *words: str, **env: str) -> Ran:
    ran = call("doctor", "--json", *words, at=at, env=env)
    assert [] == faults("doctor", ran.json)
    assert ran.code == (0 if ran.json["ok"] else 1)
    return ran


def found(ran: Ran, name: str) -> list[tuple[str, str, str | None]]:
    return [(c["state"], c["detail"], c["help"]) for c in ran.json["checks"] if name == c["name"]]


def checks(at: Path, now: datetime, name: str) -> list[Check]:
    with chdir(at):
        return [check for check in checkup(look_at(at, (), now)) if name == check.name]


# --- as a whole ------------------------------------------------------------------------------------------


def test_nothing_is_missing_where_nothing_is_needed(here: Path) -> None:
    """
    A policy whose models need neither key nor package is content, with exit code 0.
    """
    ran = call("doctor", at=with_policy(here, OFFLINE))

    assert (0, "") == (ran.code, ran.err)
    assert ran.out.endswith("\n\nNothing is missing.\n")
    assert {"ok"} == {line.split()[0] for line in ran.out.splitlines()[:-2] if not line.startswith(" ")}


def test_the_page_has_a_line_a_check_and_its_mend(here: Path) -> None:
    """
    What is missing is said with the command that mends it, counted at the end, with exit code 1, and fits.
    """
    ran = call("doctor", at=with_policy(here, KEYS))
    lines = ran.out.splitlines()

    assert (1, "") == (ran.code, ran.err)
    assert [] == [line for line in lines if len(line) > 80]
    place = lines.index("missing  key       ANTHROPIC_API_KEY isn't set, for haiku and 1 more")
    assert "help: export ANTHROPIC_API_KEY=..., or put it into .env" == lines[place + 1].strip()
    assert re.fullmatch(r"[23] missing\.", lines[-1])


def test_no_value_is_ever_shown(here: Path) -> None:
    """
    Keys are looked at, in the environment and in .env, and stand nowhere.
    """
    with_policy(here, KEYS)
    (here / ".env").write_text(f"GEMINI_API_KEY={SECRET}\n", encoding="utf-8")
    for words in (("doctor",), ("doctor", "--json")):
        ran = call(*words, at=here, env={"ANTHROPIC_API_KEY": SECRET})
        assert SECRET not in ran.out + ran.err
        assert "isn't set" not in ran.out


def test_the_doctor_calls_nobody(here: Path) -> None:
    """
    No client, no event loop and no process is started.
    """
    shown = "import sys, atexit\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    code = shown + "from policyctl.cli.__main__ import run; run()"
    ran = spawn("doctor", at=with_policy(here, OFFLINE), code=code)
    heavy = {"litellm", "httpx", "http.client", "asyncio", "subprocess", "requests", "pydantic"}

    assert 0 == ran.code
    assert set() == set(ran.err.split()) & heavy


# --- policy and PRD --------------------------------------------------------------------------------------


def test_the_policy(here: Path) -> None:
    """
    No policy and one with errors are missing, warnings are worth a look, and each says the next command.
    """
    none = found(doctor(here), "policy")
    with_policy(here, OFFLINE)
    fine = found(doctor(here), "policy")
    with_policy(here, OFFLINE + "fallback to smal\n")
    broken = found(doctor(here), "policy")
    with_policy(here, OFFLINE + "example complexity is 1 gives smal\n".replace("smal", "small, small"))
    (here / "other.policy").write_text(KEYS.replace("haiku-5-5", "mythos-preview"), encoding="utf-8")
    warned = found(doctor(here, "--policy", "other.policy"), "policy")

    assert [("missing", "no policy was found here or above; say which: --policy FILE", NO_POLICY)] == none
    assert [("ok", "policyctl.policy is valid", None)] == fine
    assert [("missing", "policyctl.policy has 1 error", "policyctl validate shows where")] == broken
    assert [("warn", "other.policy is valid, with 1 warning", "policyctl validate shows them")] == warned


NO_POLICY = "policyctl init writes one to start from"


def test_several_policies_ask_which(here: Path) -> None:
    """
    Where nobody can know which policy is meant, that is what is told.
    """
    for name in ("a.policy", "b.policy"):
        (here / name).write_text(OFFLINE, encoding="utf-8")
    ((state, detail, help),) = found(doctor(here), "policy")

    assert ("missing", None) == (state, help)
    assert "say which: --policy a.policy" in detail


def test_the_prd(here: Path) -> None:
    """
    A PRD is counted; one that can't be read is worth a look; none is fine.
    """
    with_policy(here, OFFLINE)
    none = found(doctor(here), "prd")
    (here / "prd.json").write_text('{"stories": [{"id": "S-1"}]}', encoding="utf-8")
    fine = found(doctor(here), "prd")
    (here / "prd.json").write_text("[", encoding="utf-8")
    broken = found(doctor(here), "prd")

    assert [("ok", "there is none here; `plan` and `--story` would read it", None)] == none
    assert [("ok", "prd.json, stories: 1", None)] == fine
    assert ["warn"] == [state for state, _, _ in broken]


# --- packages, keys, programs ------------------------------------------------------------------------------


def test_the_extras_are_those_of_the_package() -> None:
    """
    What is looked for is what the installed package says of itself.
    """
    known = extras()

    assert {"run", "anthropic", "google", "postgres", "lsp", "metrics"} <= known.keys()
    assert "litellm" in dict(known["run"])
    assert "dev" not in known


def installed(folder: Path, **versions: str) -> dict[str, str]:
    """
    Lay the names of some packages where Python finds them.
    """
    for name, version in versions.items():
        about = folder / f"{name}-{version}.dist-info"
        about.mkdir(parents=True)
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (about / "METADATA").write_text(text, encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


def packages(here: Path, **versions: str) -> list[tuple[str, str, str | None]]:
    ran = spawn("doctor", "--json", at=here, env=installed(here / "site", **versions))
    return found(ran, "packages")


def without(folder: Path, *names: str) -> tuple[dict[str, str], str]:
    """
    An environment that has all packages of this one but some, and the code that runs the command in it.
    """
    folder.mkdir()
    for path in Path(str(distribution("policyctl").locate_file(""))).iterdir():
        if not path.name.startswith(names):
            (folder / path.name).symlink_to(path)
    only_there = "import sys; sys.path = [path for path in sys.path if 'site-packages' not in path]\n"
    return {"PYTHONPATH": str(folder)}, only_there + ENTRY


@pytest.mark.parametrize("lacking", [("litellm", "openai"), ("openai",)])
def test_packages_that_the_policy_needs(here: Path, lacking: tuple[str, ...]) -> None:
    """
    A policy with models of providers needs policyctl[run]; what is lacking is named, and the command said.
    """
    env, code = without(here / "site", *lacking)
    told = found(spawn("doctor", "--json", at=with_policy(here, KEYS), env=env, code=code), "packages")

    assert (
        "missing",
        f"to call the models: {' and '.join(lacking)}",
        "pip install 'policyctl[run]'",
    ) == told[0]


def test_packages_that_are_too_old(here: Path) -> None:
    """
    A release below the range, such as the stolen ones of LiteLLM, counts as missing.
    """
    found = packages(with_policy(here, KEYS), litellm="1.82.8", openai="3.53.0")

    assert ("missing", "to call the models: litellm from 1.100 on (here is 1.82.8)") == found[0][:2]


def test_packages_that_are_there(here: Path) -> None:
    """
    Where all is installed, one line says what is, and what isn't needed.
    """
    ((state, detail, help),) = packages(with_policy(here, KEYS), litellm="1.110.0", openai="3.53.0")

    assert ("ok", True) == (state, help is None or "pip install 'policyctl[" in help)
    assert re.match(r"extras that are installed: run\b", detail)


def test_a_policy_without_calls_needs_no_package(here: Path) -> None:
    """
    Models that are offline, disabled or of the Claude Code CLI need no package.
    """
    text = (
        OFFLINE
        + "model off is openai/gpt-6-luna disabled\nmodel cli is claude-code-cli/opus costs $1 in, $1 out\n"
    )

    assert ["ok"] == [state for state, _, _ in found(doctor(with_policy(here, text)), "packages")]


def test_keys(here: Path) -> None:
    """
    Of the names a provider takes one must be set; models that are disabled or need none aren't asked.
    """
    with_policy(here, KEYS)
    none, one = found(doctor(here), "key"), found(doctor(here, GEMINI_API_KEY=SECRET), "key")

    assert [
        ("missing", "ANTHROPIC_API_KEY isn't set, for haiku and 1 more"),
        ("missing", "GOOGLE_API_KEY or GEMINI_API_KEY isn't set, for flash"),
    ] == [each[:2] for each in none]
    assert ("ok", "GOOGLE_API_KEY or GEMINI_API_KEY is set, for flash", None) == one[1]


def test_the_program_of_the_claude_code_cli(here: Path) -> None:
    """
    A policy with the Claude Code CLI needs its program on the path; others aren't asked for it.
    """
    without = found(doctor(with_policy(here, OFFLINE)), "claude")
    with_policy(here, OFFLINE + "model cli is claude-code-cli/opus costs $1 in, $1 out\n")
    missing = found(doctor(here, PATH=str(here)), "claude")
    program = here / "claude"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    there = found(doctor(here, PATH=str(here)), "claude")

    assert [] == without
    assert [("missing", "the program `claude` isn't found, for cli", CLAUDE)] == missing
    assert [("ok", f"{program}, for cli", None)] == there


CLAUDE = "npm install -g @anthropic-ai/claude-code"


# --- the machine -------------------------------------------------------------------------------------------


def test_the_clock_in_the_policy_s_zone(here: Path) -> None:
    """
    The time is told in the policy's zone, and as this machine has it where that is another.
    """
    with_policy(here, OFFLINE)
    same = found(doctor(here, TZ="America/New_York"), "clock")
    code = "import time; time.tzset()\nfrom policyctl.cli.__main__ import run; run()"
    other = found(spawn("doctor", "--json", at=here, env={"TZ": "Asia/Tokyo"}, code=code), "clock")

    assert "ok" == same[0][0]
    assert " in America/New_York, the policy's zone" in other[0][1]
    assert other[0][1].endswith(" by the clock of this machine")


def test_a_clock_that_is_wrong(here: Path) -> None:
    """
    A clock from before the price catalogue was made is worth a look.
    """
    with_policy(here, OFFLINE)
    (early,) = checks(here, datetime(2020, 1, 1, tzinfo=UTC), "clock")
    (fine,) = checks(here, NOVEMBER, "clock")

    assert (State.WARN, "set the clock") == (early.state, early.help)
    assert State.OK == fine.state
    assert fine.detail.startswith("Tue 24 Nov 2026 10:30 in America/New_York, the policy's zone")


def test_the_ledger(here: Path) -> None:
    """
    A ledger is found upward, or can be made; without one a policy with budgets is worth a look.
    """
    below = with_policy(here, OFFLINE) / "below"
    below.mkdir()
    none = found(doctor(below), "ledger")
    with_policy(here, OFFLINE + "budget daily is $5 per day at 100% pause\n")
    budgets = found(doctor(below), "ledger")
    made = call("ledger", "init", at=here)
    there = found(doctor(below), "ledger")

    assert [
        ("ok", "there is none yet; policyctl ledger init makes ../.claude-loop/policyctl.db", None)
    ] == none
    assert [("warn", "policyctl ledger init makes ../.claude-loop/policyctl.db")] == [b[::2] for b in budgets]
    assert 0 == made.code, made.err
    assert [("ok", "../.claude-loop/policyctl.db", None)] == there


def test_a_ledger_that_cannot_be_made(here: Path) -> None:
    """
    A file where the ledger's folder should be is missing, with the command that mends it.
    """
    with_policy(here, OFFLINE)
    (here / ".claude-loop").write_text("", encoding="utf-8")
    file = found(doctor(here, POLICYCTL_LEDGER=".claude-loop/policyctl.db"), "ledger")

    assert [("missing", ".claude-loop is no folder", "mv .claude-loop elsewhere")] == file


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(here: Path) -> None:
    """
    A folder without the permission is missing, with the command that mends it.
    """
    with_policy(here, OFFLINE)
    (here / ".claude-loop").mkdir(mode=0o500)

    assert [("missing", "chmod u+wx .claude-loop")] == [c[::2] for c in found(doctor(here), "ledger")]


def test_a_ledger_in_postgresql(here: Path) -> None:
    """
    A ledger in a database needs its extra; no password of its address is shown, and nobody is called.
    """
    with_policy(here, OFFLINE)
    address = f"postgresql://me:{SECRET}@db.example.com/money"
    env = {**installed(here / "site", psycopg="2.9.1"), "POLICYCTL_LEDGER": address}
    ran = spawn("doctor", "--json", at=here, env=env)
    too_old = "for the ledger: psycopg from 3.2 on (here is 2.9.1)"

    assert [("ok", "postgresql://db.example.com/money, not looked into", None)] == found(ran, "ledger")
    assert ("missing", too_old, "pip install 'policyctl[postgres]'") == found(ran, "packages")[0]
    assert SECRET not in ran.out + ran.err


def test_no_ledger_is_a_choice(here: Path) -> None:
    """
    Where it is said that there is to be none, that is fine.
    """
    ran = doctor(with_policy(here, OFFLINE), POLICYCTL_LEDGER="none")

    assert [("ok", "there is to be none: POLICYCTL_LEDGER", None)] == found(ran, "ledger")


def test_the_age_of_the_price_catalogue(here: Path) -> None:
    """
    After 90 days an update is worth it; a catalogue of one's own that can't be used is worth a look.
    """
    with_policy(here, OFFLINE)
    (fresh,) = checks(here, NOVEMBER, "prices")
    (old,) = checks(here, NOVEMBER.replace(year=2027), "prices")
    broken = found(doctor(here, POLICYCTL_PRICES="none.json"), "prices")

    assert (State.OK, "price catalogue of 2026-11-23, as policyctl ships it") == (fresh.state, fresh.detail)
    assert (State.WARN, "policyctl prices update takes a newer one") == (old.state, old.help)
    assert "warn" == broken[0][0]
    assert "POLICYCTL_PRICES names none.json" in broken[0][1]


def test_a_catalogue_of_ones_own_is_named(here: Path) -> None:
    """
    Which catalogue counts is told, with its file.
    """
    own = here / "own.json"
    entry = {"mode": "chat", "litellm_provider": "openai", "input_cost_per_token": 1e-06}
    own.write_bytes(snapshot({"gpt-x": entry}, litellm_version="1.200.0", as_of="2026-11-24"))
    told = found(doctor(with_policy(here, OFFLINE), POLICYCTL_PRICES=str(own)), "prices")

    assert str(own) in told[0][1]
