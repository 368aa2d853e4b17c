"""What every verb has in common: exit codes, streams, colour, configuration, help, start-up."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from policyctl.cli import config
from policyctl.cli.main import VERBS
from policyctl.deciding import validate
from policyctl.schemas.checked import Checked
from policyctl.schemas.diagnostics import Diagnostic, Report, Severity

from .command import ENTRY, MONDAY_10, Ran, call, chain_of, copy_of_loop, spawn, without_columns

TWO_MODELS = """\
model small is offline/small costs $1 in, $1 out can nothing
model large is offline/large costs $2 in, $2 out can nothing
tier low  from complexity 0 has small
tier high from complexity 5 has large
"""
INPUTS = """\
input private is yes or no default no from env PRIVATE_CODE
input stage is one of dev, prod default dev from env STAGE
input risk is 1 to 5 default 1
input ticket is text default ""
rule private_code when private is yes use large
rule production when stage is prod use large
"""


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    examples/claude-loop, alone in a checkout of its own.
    """
    return copy_of_loop(tmp_path_factory.mktemp("conventions"))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    An empty checkout: nothing above it is found.
    """
    (tmp_path / ".git").mkdir()
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def policy_named(name: str) -> str:
    return f'policy "{name}"\n{TWO_MODELS}'


def facts_of(ran: Ran) -> dict[str, str]:
    return {fact["name"]: fact["value"] for fact in ran.json["facts"]}


# --- exit codes and streams ----------------------------------------------------------------------------


def test_fine_is_0(here: Path) -> None:
    """
    A policy without findings is said to be fine on stdout, with exit code 0.
    """
    promises = "promise first at least 1 providers\npromise second at most $5 in when complexity is 1\n"
    write(here, "policyctl.policy", policy_named("fine") + promises)
    ran = call("validate", at=here)

    assert (0, "") == (ran.code, ran.err)
    assert "ok  policy fine: 2 models, 2 tiers, 2 promises proven\n" == ran.out


@pytest.mark.parametrize(("at", "codes"), [("2026-09-01", ["P802"]), ("2026-10-23", ["P801"])])
def test_the_day_of_validate_is_told(here: Path, at: str, codes: list[str]) -> None:
    """
    `validate --at` looks at deprecation dates from another day than today; they are warnings.
    """
    write(here, "policyctl.policy", "model m is openai/gpt-4-turbo\ntier low from complexity 0 has m\n")
    found = call("validate", "--at", at, "--output-format", "json", at=here)

    assert (0, True, len(codes)) == (found.code, found.json["valid"], found.json["warning_count"])
    assert codes == [d["code"] for d in found.json["diagnostics"]]
    assert 1 == call("validate", "--at", at, "--fail-on", "warning", at=here).code


def test_findings_are_1_and_go_to_stdout(here: Path) -> None:
    """
    Findings are the data of `validate`: on stdout, with nothing on stderr and exit code 1.
    """
    file = write(here, "a.policy", TWO_MODELS.replace("has large", "has larg"))
    ran = call("validate", file.name, at=here)

    assert (1, "") == (ran.code, ran.err)
    assert "error[P203]: unknown model `larg`" in ran.out
    assert "help: did you mean `large`?" in ran.out


@pytest.mark.parametrize(
    "words", ["nonsense", "select --nonsense", "select --complexity x", "explain --story US-999", "rule P000"]
)
def test_usage_is_2_and_goes_to_stderr(loop: Path, words: str) -> None:
    """
    A call that can't be carried out says so on stderr, leaves stdout empty and has exit code 2.
    """
    ran = call(*words.split(), at=loop)

    assert (2, "") == (ran.code, ran.out)
    assert re.search(r"^error: ", ran.err, re.MULTILINE)


def test_a_file_that_is_not_there_is_2(here: Path) -> None:
    """
    Where a file that was asked for can't be read nothing was found out; an include is a finding of its file.
    """
    write(here, "a.policy", policy_named("a") + 'include "gone.policy"\n')
    asked = [call("validate", *words, at=here) for words in (["gone.policy"], ["gone.policy", "--exit-zero"])]

    assert [2, 2] == [ran.code for ran in asked]
    assert all(ran.out.startswith("error[P105]: `gone.policy` can't be read") for ran in asked)
    assert 1 == call("validate", "a.policy", at=here).code


def test_a_policy_with_errors_is_2_for_other_verbs(here: Path) -> None:
    """
    Where a verb needs a policy and the policy has errors, they are shown, and the exit code is 2.
    """
    write(here, "policyctl.policy", TWO_MODELS.replace("has large", "has larg"))
    ran = call("select", "--complexity", "1", at=here)

    assert 2 == ran.code
    assert "error[P203]: unknown model `larg`" in ran.out


def test_no_model_is_3(loop: Path) -> None:
    """
    A capability that no model has leaves nobody: exit code 3, the reason on stderr.
    """
    ran = call("select", "--complexity", "1", "--requires-audio", at=loop)

    assert (3, "") == (ran.code, ran.out)
    assert ran.err.startswith("no model: ")


def test_a_refusing_rule_is_3(here: Path) -> None:
    """
    A rule that refuses is told with its reason, with exit code 3.
    """
    refuse = 'refuse when branch is "main" because "Not before the audit."\n'
    write(here, "policyctl.policy", TWO_MODELS + refuse)
    ran = call("select", "--complexity", "1", "--branch", "main", at=here)

    assert (3, "") == (ran.code, ran.out)
    assert ran.err.startswith("refused by rule: ")
    assert "Not before the audit." in ran.err


def test_a_budget_is_4(loop: Path) -> None:
    """
    A budget that is used up refuses with exit code 4.
    """
    assert 4 == call("select", "--complexity", "1", "--spend", "monthly=100%", at=loop).code


def test_interrupt_is_130(loop: Path) -> None:
    """
    Ctrl-C ends a run with exit code 130 and without a traceback.
    """
    waiting = (
        "import sys, time\n"
        "from policyctl.cli import config\n"
        "def wait(here):\n"
        "    print('waiting', flush=True)\n"
        "    time.sleep(60)\n"
        "config.find_policy = wait\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", waiting + ENTRY, "list"],
        cwd=loop,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "waiting\n" == process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    assert (130, "", "") == (process.returncode, out, err.strip())


def test_a_crash_is_never_findings(loop: Path) -> None:
    """
    A bug of our own shows its traceback on stderr and has exit code 2, not that of findings.
    """
    with patch.object(config, "find_policy", side_effect=RuntimeError("a bug")):
        ran = call("list", at=loop)

    assert (2, "") == (ran.code, ran.out)
    assert "Traceback (most recent call last)" in ran.err
    assert "error: policyctl has a bug" in ran.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_in_one_line(loop: Path) -> None:
    """
    What can't be written is one line on stderr and exit code 2.
    """
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", ENTRY, "explain", "--story", "US-042"],
            cwd=loop,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert 2 == done.returncode
    assert re.fullmatch(r"error: \[Errno 28\] .*\n", done.stderr)


@pytest.mark.parametrize("words", ["explain --story US-042", "list --verbose", "rule --all", "--help"])
def test_a_cut_pipe_is_silent(loop: Path, words: str) -> None:
    """
    When the reader goes away early, as `head -1` does, nothing is said, and it counts as fine.
    """
    with subprocess.Popen(
        [sys.executable, "-c", ENTRY, *words.split()],
        cwd=loop,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()

    assert (0, b"") == (process.returncode, err)


@pytest.mark.skipif(os.name != "posix", reason="streams are closed by a shell here")
@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_closed_stream_is_no_crash(loop: Path, closed: str) -> None:
    """
    A stream that the caller has closed is left alone.
    """
    script = f'"$0" -c "$1" list {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", script, sys.executable, ENTRY], cwd=loop, capture_output=True, check=False
    )

    assert (0, b"") == (done.returncode, done.stderr)


def test_notes_go_to_stderr(loop: Path, tmp_path: Path) -> None:
    """
    A remark beside the answer stands on stderr, so that stdout can be read by a program.
    """
    prd = write(
        tmp_path, "garden.json", '{"stories": [{"id": "G-1", "complexity": 4, "domain": "gardening"}]}'
    )
    ran = call("select", "--story", "G-1", "--prd", str(prd), at=loop)

    assert 0 == ran.code
    assert 6 == len(ran.out.splitlines())
    assert ran.err.startswith("note: the policy has no domain `gardening`")


def test_oddities_of_a_prd_go_to_stderr(loop: Path, tmp_path: Path) -> None:
    """
    What is odd about a story is a warning on stderr beside its explanation.
    """
    story = {"id": "S-1", "title": "T", "complexity": "enormous-ish"}
    prd = write(tmp_path, "prd.json", json.dumps({"userStories": [story]}))
    ran = call("explain", "--story", "S-1", "--prd", str(prd), at=loop)

    assert 0 == ran.code
    assert "warning: " in ran.err
    assert "warning: " not in ran.out


@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 1)])
def test_fail_on_says_what_counts(here: Path, fail_on: str, code: int) -> None:
    """
    A warning is a finding for the exit code only with --fail-on warning; it is shown either way.
    """
    file = write(here, "a.policy", TWO_MODELS)
    checked = validate([file])
    warning = Diagnostic("P999", Severity.WARNING, "this is odd", None)
    found = Checked(Report(checked.report.sources, (warning,)), checked.policy)
    with patch("policyctl.cli.cache.validate", return_value=found):
        ran = call("validate", "a.policy", "--fail-on", fail_on, at=here)

    assert code == ran.code
    assert ran.out.startswith("warning[P999]: this is odd")
    assert ran.out.endswith("Found 1 warning in 1 file.\n")


def test_control_characters_are_shown_not_obeyed(loop: Path) -> None:
    """
    An escape sequence in a name, from a file or the command line, reaches no terminal.
    """
    verb = call("sel\x1b[31mect", at=loop, terminal=True)
    option = call("select", "--complexity", "1", "--x\x1b[31m\u202e", at=loop)
    file = call("select", "--policy", "\x1b[31m.policy", at=loop)

    assert "No such command 'sel\\x1b[31mect'" in verb.err
    assert "No such option: --x\\x1b[31m\\u202e" in option.err
    assert "`\\x1b[31m.policy` can't be read" in file.out


# --- colour and characters -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terminal", "env", "words", "colored"),
    [
        (True, {}, [], True),
        (False, {}, [], False),
        (True, {"NO_COLOR": "1"}, [], False),
        (True, {"NO_COLOR": ""}, [], True),
        (True, {"TERM": "dumb"}, [], False),
        (False, {"FORCE_COLOR": "1"}, [], True),
        (False, {"CLICOLOR_FORCE": "1"}, [], True),
        (False, {"CLICOLOR_FORCE": "0"}, [], False),
        (False, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, [], False),
        (False, {"TERM": "dumb", "FORCE_COLOR": "1"}, [], True),
        (False, {}, ["--color", "always"], True),
        (False, {"NO_COLOR": "1"}, ["--color", "always"], True),
        (True, {}, ["--color", "never"], False),
        (True, {"FORCE_COLOR": "1"}, ["--color", "never"], False),
        (True, {}, ["--color", "auto"], True),
        (False, {}, ["--color", "auto"], False),
        (False, {"POLICYCTL_COLOR": "always"}, [], True),
        (True, {"POLICYCTL_COLOR": "never"}, [], False),
        (True, {"POLICYCTL_COLOR": "never"}, ["--color", "always"], True),
    ],
)
def test_when_there_is_colour(
    loop: Path, terminal: bool, env: dict[str, str], words: list[str], colored: bool
) -> None:
    """
    --color wins, then the setting, NO_COLOR, FORCE_COLOR and CLICOLOR_FORCE, then whether it is a terminal.
    """
    ran = call("explain", "--story", "US-042", *words, at=loop, env=env, terminal=terminal)

    assert colored is ("\x1b[" in ran.out)


def test_colour_says_nothing_new(loop: Path) -> None:
    """
    Without its colours, a coloured page is the plain page.
    """
    words = ("explain", "--story", "US-042", "--at", MONDAY_10, "--color")
    always, never = (call(*words, when, at=loop).out for when in ("always", "never"))

    assert never.replace("--color never", "--color always") == re.sub(r"\x1b\[[0-9;]*m", "", always)


def test_json_has_no_colour(loop: Path) -> None:
    """
    JSON stays JSON on a terminal that shows colours.
    """
    ran = call("select", "--complexity", "1", "--json", "--color", "always", at=loop, terminal=True)

    assert "deepseek-chat" == ran.json["model"]


@pytest.mark.parametrize("words", ["list", "list --verbose", "table", "validate", "explain --story S-1"])
def test_a_stream_of_ascii_is_enough(loop: Path, tmp_path: Path, words: str) -> None:
    """
    Where stdout can't show a character, another stands in its place; nothing crashes.
    """
    story = {"id": "S-1", "title": "Prüfe — 漢字 ✓", "complexity": 1}
    prd = write(tmp_path, "prd.json", json.dumps({"userStories": [story]}))
    env = {"POLICYCTL_PRD": str(prd)}
    ran = call(*words.split(), at=loop, env=env, encoding="ascii")

    assert (0, "") == (ran.code, ran.err)
    assert ran.out.isascii()


def test_a_process_with_ascii_streams_lists(loop: Path) -> None:
    """
    PYTHONIOENCODING=ascii gives `+` for a tick.
    """
    ran = spawn("list", at=loop, encoding="ascii")

    assert (0, "") == (ran.code, ran.err)
    assert ran.out.splitlines()[1].startswith("+ claude-haiku ")


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_pages_fit_their_width(loop: Path, columns: int) -> None:
    """
    No line of a page is wider than COLUMNS, but a command to paste, which stays whole.
    """
    pages = [
        call(*words.split(), at=loop, env={"COLUMNS": str(columns)}).out.splitlines()
        for words in ("explain --story US-042", "explain --story US-044 --spend monthly=80%", "select -h")
    ]
    lines = [line for page in pages for line in page if "policyctl explain --" not in line]

    assert [] == [line for line in lines if len(line) > columns]


# --- did you mean ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("explian", "explain"),
        ("fallback_chain", "fallback-chain"),
        ("--hlep", "--help"),
        ("select --complexty 4", "--complexity"),
        ("explain --complexity 4 --requires-visoin", "--requires-vision"),
        ("select --complexity 4 --privat", "--private"),
        ("select --complexity 4 --no-privat", "--no-private"),
        ("select --complexity 4 --preferred claude-hiku", "claude-haiku"),
        ("select --complexity 4 --down claude-hiku", "claude-haiku"),
        ("fallback-chain --provider gtp-4o", "gpt-4o"),
        ("explain --complexity 4 --why-not claude-hiku", "claude-haiku"),
        ("explain --complexity 4 --why-not of_hours", "off_hours"),
        ("select --complexity 4 --spend montly=80%", "monthly"),
        ("select --complexity 4 --tier powerfull", "powerful"),
        ("select --complexity 4 --gate tests=failed:mediun", "medium"),
        ("select --complexity 4 --input privat=yes", "private"),
        ("explain --story US-42", "US-042"),
        ("rule PP203", "P203"),
        ("list --availabel", "--available"),
    ],
)
def test_a_misspelt_name_gets_a_suggestion(loop: Path, words: str, meant: str) -> None:
    """
    A misspelt verb, option, model, budget, tier, input, story, rule or code: the nearest one is named.
    """
    ran = call(*words.split(), at=loop)

    assert (2, "") == (ran.code, ran.out)
    assert re.search(rf"[Dd]id you mean [`']?{re.escape(meant)}[`']?\?", ran.err), ran.err


def test_a_misspelt_setting_gets_a_suggestion(here: Path) -> None:
    """
    An unknown key of a configuration file, or a value that can't be, is an error that helps.
    """
    write(here, "policyctl.toml", 'polcy = "a.policy"\n')
    key = call("list", at=here)
    write(here, "policyctl.toml", 'color = "alwyas"\n')
    value = call("list", at=here)

    assert (2, 2) == (key.code, value.code)
    assert "unknown setting `polcy`; did you mean `policy`?" in key.err
    assert "the setting `color` can't be `alwyas`; did you mean `always`?" in value.err


# --- what is found where -------------------------------------------------------------------------------


def name_of_policy(folder: Path, *words: str, **env: str) -> str:
    ran = call("table", "--json", *words, at=folder, env=env)
    assert 0 == ran.code, ran.err
    name: str = ran.json["policy"]
    return name


def test_the_policy_is_found_upward(here: Path) -> None:
    """
    From a folder below, the nearest policyctl.policy above is found.
    """
    write(here, "policyctl.policy", policy_named("top"))
    write(here, "a/policyctl.policy", policy_named("near"))
    below = here / "a" / "b" / "c"
    below.mkdir(parents=True)

    assert "near" == name_of_policy(below)
    assert "top" == name_of_policy(here)


def test_the_only_policy_of_a_folder_is_found(here: Path) -> None:
    """
    A folder's only *.policy is found under any name; beside others, policyctl.policy is.
    """
    write(here, "loop.policy", policy_named("loop"))
    only = name_of_policy(here)
    write(here, "policyctl.policy", policy_named("main"))

    assert ("loop", "main") == (only, name_of_policy(here))


def test_several_policies_ask_which(here: Path) -> None:
    """
    Where a folder has several policies, the command lists them and asks.
    """
    write(here, "a.policy", policy_named("a"))
    write(here, "b.policy", policy_named("b"))
    ran = call("list", at=here)

    assert (2, "") == (ran.code, ran.out)
    assert "several policies here (a.policy, b.policy); say which: --policy a.policy" in ran.err
    assert "b" == name_of_policy(here, "--policy", "b.policy")


def test_nothing_above_the_checkout_is_found(here: Path) -> None:
    """
    The search ends at the root of the checkout.
    """
    write(here, "policyctl.policy", policy_named("outside"))
    (here / "checkout" / ".git").mkdir(parents=True)
    ran = call("list", at=here / "checkout")

    assert 2 == ran.code
    assert "no policy was found here or above; say which: --policy FILE" in ran.err


def test_an_unknown_domain_is_asked_back(loop: Path) -> None:
    """
    A domain that a person types and the policy doesn't have is an error with a suggestion.
    """
    ran = call("select", "--complexity", "4", "--domain", "vison", at=loop)

    assert (2, "error: unknown domain `vison`\n  help: did you mean `vision`?\n") == (ran.code, ran.err)


def test_a_story_that_can_not_be_is_named(loop: Path, tmp_path: Path) -> None:
    """
    Where a story's own values can't be, the error says which story it is.
    """
    prd = write(tmp_path, "odd.json", '{"stories": [{"id": "G-1", "complexity": 4, "tier": "huge"}]}')
    ran = call("explain", "--story", "G-1", "--prd", str(prd), at=loop)

    assert 2 == ran.code
    assert ran.err.startswith("error: story G-1: unknown tier `huge`")
    assert 1 == ran.err.count("error:")


def test_a_policy_comes_from_standard_input(loop: Path) -> None:
    """
    `validate -` checks what is piped into it.
    """
    entry = [sys.executable, "-c", ENTRY, "validate", "-", "--output-format", "concise"]
    done = subprocess.run(entry, input=b"teir cheap", cwd=loop, capture_output=True, check=False)

    assert 1 == done.returncode
    assert done.stdout.startswith(b"<stdin>:1:1: error[P101] expected a statement, found `teir`")


def test_tokens_are_written_as_in_the_language(loop: Path) -> None:
    """
    A number of tokens may be 10k or 1M, and nothing else.
    """
    ran = call("explain", "--complexity", "4", "--input-tokens", "10k", "--json", at=loop)
    odd = call("explain", "--complexity", "4", "--input-tokens", "10K", at=loop)

    assert "10000" == facts_of(ran)["input_tokens"]
    assert (2, True) == (odd.code, "write 2000, 10k or 1M" in odd.err)


def test_several_policies_named_are_one(here: Path) -> None:
    """
    --policy may be given more than once: the files are merged in that order.
    """
    models, tiers = TWO_MODELS.splitlines()[:2], TWO_MODELS.splitlines()[2:]
    write(here, "models.policy", "\n".join(models))
    write(here, "tiers.policy", "\n".join(tiers))
    ran = call(
        "select", "--policy", "models.policy", "--policy", "tiers.policy", "--complexity", "7", at=here
    )

    assert ["large"] == chain_of(ran)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("policyctl.toml", 'policy = "policies/team.policy"\n'),
        ("policyctl.toml", 'policy = ["policies/team.policy"]\n'),
        ("pyproject.toml", '[tool.policyctl]\npolicy = "policies/team.policy"\n'),
        ("pyproject.toml", '[ tool . "policyctl" ]\npolicy = "policies/team.policy"\n'),
        ("pyproject.toml", '["\\u0074ool".policyctl]\npolicy = "policies/team.policy"\n'),
        ("pyproject.toml", '[tool]\npolicyctl.policy = "policies/team.policy"\n'),
        ("pyproject.toml", 'tool.policyctl.policy = "policies/team.policy"\n'),
        ("pyproject.toml", 'tool = {policyctl = {policy = "policies/team.policy"}}\n'),
    ],
)
def test_a_configuration_file_names_the_policy(here: Path, file: str, text: str) -> None:
    """
    policyctl.toml or [tool.policyctl] names the policy from its own folder, wherever one stands below it.
    """
    write(here, file, text)
    write(here, "policies/team.policy", policy_named("team"))
    write(here, "below/policyctl.policy", policy_named("found"))

    assert "team" == name_of_policy(here)
    assert "team" == name_of_policy(here / "below")


def test_flag_wins_over_environment_over_file_over_search(here: Path) -> None:
    """
    --policy wins over POLICYCTL_POLICY, that over policyctl.toml, that over what is found.
    """
    for name in ("flag", "env", "file"):
        write(here, f"{name}.txt", policy_named(name))
    write(here, "policyctl.policy", policy_named("search"))

    assert "search" == name_of_policy(here)
    write(here, "policyctl.toml", 'policy = "file.txt"\n')
    assert "file" == name_of_policy(here)
    assert "env" == name_of_policy(here, POLICYCTL_POLICY="env.txt")
    assert "flag" == name_of_policy(here, "--policy", "flag.txt", POLICYCTL_POLICY="env.txt")


def test_a_project_without_settings_is_passed_by(here: Path) -> None:
    """
    A pyproject.toml that says nothing about policyctl doesn't hide the settings above it.
    """
    write(here, "policyctl.toml", 'policy = "top.policy"\n')
    write(here, "top.policy", policy_named("top"))
    write(here, "below/pyproject.toml", '[project]\nname = "x"\n')

    assert "top" == name_of_policy(here / "below")


def test_the_prd_is_found_as_the_policy_is(loop: Path, tmp_path: Path) -> None:
    """
    prd.json is found upward; POLICYCTL_PRD wins over it, and --prd over both.
    """
    files = {
        name: {"userStories": [{"id": "S-1", "title": name, "complexity": 1}]} for name in ("env", "flag")
    }
    env, flag = (write(tmp_path, f"{name}.json", json.dumps(prd)) for name, prd in files.items())
    below = loop / "src" / "deep"
    below.mkdir(parents=True, exist_ok=True)
    found = call("explain", "--story", "US-042", at=below)
    by_env = call("explain", "--story", "S-1", at=below, env={"POLICYCTL_PRD": str(env)})
    by_flag = call("explain", "--story", "S-1", "--prd", str(flag), at=below, env={"POLICYCTL_PRD": str(env)})

    assert ["US-042  Analyze codebase architecture", "S-1  env", "S-1  flag"] == [
        ran.out.splitlines()[0] for ran in (found, by_env, by_flag)
    ]


# --- inputs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "private", "time_rules"),
    [
        ("", "no", "no"),
        ("--private", "yes", "no"),
        ("--private yes", "yes", "no"),
        ("--private=yes", "yes", "no"),
        ("--private no", "no", "no"),
        ("--private true", "yes", "no"),
        ("--private=0", "no", "no"),
        ("--no-private", "no", "no"),
        ("--private --no-private", "no", "no"),
        ("--input private=yes", "yes", "no"),
        ("--input private=on --input time_rules=off", "yes", "no"),
        ("--input private=no --private", "yes", "no"),
        ("--time-rules yes", "no", "yes"),
        ("--time_rules yes", "no", "yes"),
        ("--private --time-rules", "yes", "yes"),
        ("--time-rules --branch x --private", "yes", "yes"),
    ],
)
def test_declared_inputs_are_options(loop: Path, words: str, private: str, time_rules: str) -> None:
    """
    --NAME VALUE, --NAME=VALUE and --input NAME=VALUE give an input; yes or no also --NAME and --no-NAME.
    """
    facts = facts_of(call("explain", "--complexity", "1", *words.split(), "--json", at=loop))

    assert (private, time_rules) == (facts["private"], facts["time_rules"])


def test_inputs_of_all_kinds_are_options(here: Path) -> None:
    """
    A number, a word and a text are given as options too; an empty text is a text.
    """
    write(here, "policyctl.policy", TWO_MODELS + INPUTS)
    given = "--risk 2.5 --stage prod".split()
    facts = facts_of(call("explain", "--complexity", "1", *given, "--ticket", "A B", "--json", at=here))
    empty = facts_of(call("explain", "--complexity", "1", "--ticket", "", "--json", at=here))

    assert ("2.5", "prod", "A B", '""') == (facts["risk"], facts["stage"], facts["ticket"], empty["ticket"])


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("--private maybe", "error: `private` can't be `maybe`\n  help: it is yes or no"),
        ("--input private", "error: --input private: write NAME=VALUE"),
        ("--no-private=yes", "error: Option '--no-private' does not take a value."),
        ("--risk", "error: Option '--risk' requires an argument."),
        ("--risk --private", "error: Option '--risk' requires an argument."),
        ("--risk high", "error: `risk` is a number, not `high`"),
        ("--risk 6", "error: `risk` can't be 6\n  help: it is a number from 1 to 5"),
        ("--stage live", "error: `stage` can't be `live`\n  help: it is dev or prod"),
        ("--zzzzzz 1", "error: No such option: --zzzzzz."),
        ("stray", "error: Got unexpected extra argument (stray)"),
    ],
)
def test_an_input_that_cannot_be_is_an_error(here: Path, words: str, error: str) -> None:
    """
    A value that an input can't have, a missing value and an unknown option are errors that say so.
    """
    write(here, "policyctl.policy", TWO_MODELS + INPUTS)
    ran = call("select", "--complexity", "1", *words.split(), at=here)

    assert (2, "") == (ran.code, ran.out)
    assert ran.err.endswith(error + "\n")


def test_a_required_input_is_asked_for(here: Path) -> None:
    """
    An input without a default that nobody gives is an error that names the option.
    """
    write(here, "policyctl.policy", TWO_MODELS + "input team is one of web, core\n")
    ran = call("select", "--complexity", "1", at=here)

    assert (2, "") == (ran.code, ran.out)
    assert "error: `team` isn't given\n  help: give it: --team web\n" == ran.err


def test_input_from_flag_story_environment_default(here: Path) -> None:
    """
    A flag wins over the story, the story over the variable, the variable over the default.
    """
    write(here, "policyctl.policy", TWO_MODELS + INPUTS)
    stories = [
        {"id": "S-1", "title": "says it", "complexity": 1, "private": True},
        {"id": "S-2", "title": "silent", "complexity": 1},
    ]
    write(here, "prd.json", json.dumps({"userStories": stories}))

    def private(story: str, *words: str, **env: str) -> str:
        ran = call("explain", "--story", story, *words, "--json", at=here, env=env)
        return facts_of(ran)["private"]

    assert "no" == private("S-2")
    assert "yes" == private("S-2", PRIVATE_CODE="true")
    assert "no" == private("S-2", PRIVATE_CODE="")
    assert "yes" == private("S-1", PRIVATE_CODE="no")
    assert "no" == private("S-1", "--no-private", PRIVATE_CODE="yes")
    assert "no" == private("S-2", "--private", "no", PRIVATE_CODE="yes")


def test_a_variable_with_nonsense_is_an_error(here: Path) -> None:
    """
    A variable whose value the input can't have is an error, not the default.
    """
    write(here, "policyctl.policy", TWO_MODELS + INPUTS)
    ran = call("select", "--complexity", "1", at=here, env={"STAGE": "live"})

    assert (2, "") == (ran.code, ran.out)
    assert ran.err.startswith("error: `stage` can't be `live`")


def test_dotenv_is_read(here: Path) -> None:
    """
    A variable may stand in the nearest .env; the real environment wins over it.
    """
    write(here, "policyctl.policy", TWO_MODELS + INPUTS)
    write(here, ".env", "PRIVATE_CODE=yes\nSTAGE='prod'\n")
    below = here / "below"
    below.mkdir()
    words = ("explain", "--complexity", "1", "--json")
    dotenv = facts_of(call(*words, at=below))
    real = facts_of(call(*words, at=below, env={"PRIVATE_CODE": "no"}))

    assert ("yes", "prod") == (dotenv["private"], dotenv["stage"])
    assert ("no", "prod") == (real["private"], real["stage"])


# --- branch, clock, keys, why not --------------------------------------------------------------------------


def branch_of(folder: Path) -> str:
    facts = facts_of(call("explain", "--complexity", "1", "--branch", "@git", "--json", at=folder))
    return facts["branch"]


def test_git_branch_of_a_checkout(here: Path) -> None:
    """
    --branch @git is the branch of the HEAD file, from any folder of the checkout.
    """
    write(here, "policyctl.policy", TWO_MODELS)
    write(here, ".git/HEAD", "ref: refs/heads/feature/one\n")
    (here / "below").mkdir()

    assert "feature/one" == branch_of(here)
    assert "feature/one" == branch_of(here / "below")


@pytest.mark.parametrize("absolute", [True, False])
def test_git_branch_of_a_worktree(here: Path, absolute: bool) -> None:
    """
    In a worktree .git is a file that names the folder with its HEAD, absolute or relative.
    """
    write(here, "main/.git/HEAD", "ref: refs/heads/main\n")
    real = write(here, "main/.git/worktrees/side/HEAD", "ref: refs/heads/side\n").parent
    named = str(real) if absolute else "../main/.git/worktrees/side"
    write(here, "side/.git", f"gitdir: {named}\n")
    write(here, "side/policyctl.policy", TWO_MODELS)

    assert "side" == branch_of(here / "side")


def test_a_detached_head_has_no_branch(here: Path) -> None:
    """
    With a detached HEAD the branch is empty.
    """
    write(here, "policyctl.policy", TWO_MODELS)
    write(here, ".git/HEAD", "4a238cd0000000000000000000000000000000aa\n")

    assert '""' == branch_of(here)


def test_git_branch_outside_a_checkout_is_an_error(here: Path) -> None:
    """
    Outside a checkout --branch @git is an error, not an empty branch.
    """
    write(here, "policyctl.policy", TWO_MODELS)
    ran = call("select", "--complexity", "1", "--branch", "@git", at=here)

    assert (2, "") == (ran.code, ran.out)
    assert "--branch @git: this is no git checkout" in ran.err


@pytest.mark.parametrize(
    ("at", "clock"),
    [
        ("2026-01-05T10:00", r"Mon 05 Jan 2026 10:00 EST, in office_hours"),
        ("2026-01-05 10:00", r"Mon 05 Jan 2026 10:00 EST, in office_hours"),
        ("2026-01-05T10:00:30", r"Mon 05 Jan 2026 10:00 EST, in office_hours"),
        ("2026-01-05T10:00Z", r"Mon 05 Jan 2026 05:00 EST"),
        ("2026-07-06T10:00+02:00", r"Mon 06 Jul 2026 04:00 EDT"),
        ("2026-01-04", r"Sun 04 Jan 2026 00:00 EST, in off_hours"),
        ("mon 10:00", r"Mon \d\d \w{3} \d{4} 10:00 E[SD]T, in office_hours"),
        ("Monday 9:00", r"Mon \d\d \w{3} \d{4} 09:00 E[SD]T, in office_hours"),
        ("Sun 23:59", r"Sun \d\d \w{3} \d{4} 23:59 E[SD]T, in off_hours"),
        ("16:59", r"\w{3} \d\d \w{3} \d{4} 16:59 E[SD]T, in (office|off)_hours"),
    ],
)
def test_the_clock_is_set_in_many_forms(loop: Path, at: str, clock: str) -> None:
    """
    --at takes a date and time, with a zone or in the policy's, a date, a time, or a weekday and a time.
    """
    ran = call("explain", "--complexity", "1", "--at", at, at=loop)
    line = next(line for line in ran.out.splitlines() if line.strip().startswith("clock "))

    assert re.fullmatch(rf"  clock +{clock}", line), line


@pytest.mark.parametrize(
    "at",
    ["noon", "25:00", "Mon 25:00", "Xyz 10:00", "2026-13-01", "2026-02-30T10:00", "9999-12-31T23:59", ""],
)
def test_a_time_that_is_none_is_an_error(loop: Path, at: str) -> None:
    """
    What is no time, or is at the ends of the calendar, is an error that shows the forms.
    """
    ran = call("explain", "--complexity", "1", "--at", at, at=loop)

    assert (2, "") == (ran.code, ran.out)
    assert 'that is no time; write 2026-01-05T10:00, 10:00 or "Mon 10:00"' in ran.err


@pytest.mark.parametrize(
    "text", ["monthly", "monthly=", "monthly=x", "monthly=-1", "monthly=nan%", "monthly=1e99"]
)
def test_an_amount_that_is_none_is_an_error(loop: Path, text: str) -> None:
    """
    What is no amount of money or percentage is an error.
    """
    ran = call("select", "--complexity", "1", "--spend", text, at=loop)

    assert (2, "") == (ran.code, ran.out)
    assert f"--spend {text}: " in ran.err


def available(loop: Path, **env: str) -> Ran:
    return call("select", "--complexity", "4", "--available", at=loop, env={"PATH": "", **env})


def test_available_leaves_models_with_a_key(loop: Path) -> None:
    """
    With --available only models whose key is set serve; without it no key is looked at.
    """
    anthropic = available(loop, ANTHROPIC_API_KEY="k")
    both = available(loop, ANTHROPIC_API_KEY="k", GEMINI_API_KEY="k")
    nobody = available(loop)

    assert ["claude-sonnet"] == chain_of(anthropic)
    assert ["gemini-pro", "claude-sonnet"] == chain_of(both)
    assert (3, "") == (nobody.code, nobody.out)
    assert 4 == len(chain_of(call("select", "--complexity", "4", at=loop)))


def test_keys_of_a_dotenv_count(tmp_path: Path) -> None:
    """
    A key may stand in .env; it is never shown.
    """
    folder = copy_of_loop(tmp_path)
    write(folder, ".env", "ANTHROPIC_API_KEY=very-secret\n")
    ran = available(folder)
    listed = call("list", "--verbose", "--available", at=folder, env={"PATH": ""})

    assert ["claude-sonnet"] == chain_of(ran)
    assert 3 == listed.out.count("ANTHROPIC_API_KEY")
    assert "very-secret" not in ran.out + ran.err + listed.out + listed.err


@pytest.mark.parametrize(
    ("words", "first_line"),
    [
        ("--why-not gemini-pro", "gemini-pro is the first of the chain: the cheapest that can serve"),
        ("--why-not sonnet", "claude-sonnet is step 2 of the chain: from the fallback list"),
        ("--why-not haiku", "claude-haiku: in tier cheap, the request is in medium"),
        ("--why-not production_deploy", 'rule production_deploy doesn\'t match: branch is "main"'),
        ("--branch main --why-not production_deploy", "rule production_deploy matches: use tier powerful"),
        (
            "--branch main --time-rules --at 2026-01-05T10:00 --why-not development_hours",
            "rule development_hours would match, but a rule above it matches first: production_deploy",
        ),
    ],
)
def test_why_not(loop: Path, words: str, first_line: str) -> None:
    """
    --why-not says in a few lines why a model or rule isn't what decides, or that it is.
    """
    ran = call("explain", "--complexity", "4", *words.split(), at=loop)

    assert (0, "") == (ran.code, ran.err)
    assert ran.out.startswith(first_line)
    assert len(ran.out.splitlines()) <= 4


# --- help, pages, completion ---------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("verb", ["", *VERBS])
def test_every_verb_has_help_that_fits(loop: Path, verb: str, flag: str) -> None:
    """
    Each verb explains itself on stdout, within 80 columns.
    """
    ran = call(*verb.split(), flag, at=loop, env={"COLUMNS": "80"})

    assert (0, "") == (ran.code, ran.err)
    assert ran.out.startswith(f"Usage: policyctl {verb}".rstrip())
    assert [] == [line for line in ran.out.splitlines() if len(line) > 80]


def test_help_lists_the_verbs(loop: Path) -> None:
    """
    The help of the command has each verb with what it does, and the sentence of the verb is the same.
    """
    ran = call("--help", at=loop, env={"COLUMNS": "200"})
    words = " ".join(ran.out.split())

    for verb, sentence in VERBS.items():
        own = " ".join(call(verb, "--help", at=loop).out.split())
        assert f"{verb} {sentence}" in words
        assert sentence.partition(":")[0].rstrip(".") in own


def test_help_lists_the_inputs_of_the_policy(loop: Path) -> None:
    """
    The help of `select` and `explain` names the inputs that the policy found from here declares.
    """
    ran = call("explain", "--help", at=loop)

    assert "Inputs of policy claude-loop:" in ran.out
    assert re.search(r"--time-rules +yes or no; default no; from ENABLE_TIME_RULES", ran.out)


def test_help_needs_no_policy(here: Path) -> None:
    """
    Where no policy is found, or one that is broken, there is help all the same.
    """
    none = call("explain", "--help", at=here)
    write(here, "policyctl.policy", "tier")
    broken = call("explain", "--help", at=here)

    assert (0, 0, "", "") == (none.code, broken.code, none.err, broken.err)
    assert none.out == broken.out


def test_without_words_the_help_is_shown(loop: Path) -> None:
    """
    The bare command shows its help.
    """
    ran = call(at=loop)

    assert "Usage: policyctl [OPTIONS] COMMAND [ARGS]..." in ran.out + ran.err
    assert "error" not in ran.err


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version(loop: Path, flag: str) -> None:
    """
    --version is one line.
    """
    ran = call(flag, at=loop)

    assert (0, "") == (ran.code, ran.err)
    assert re.fullmatch(r"policyctl \d+\.\d+\.\d+\S*\n", ran.out)


def test_rule_lists_all_codes(loop: Path) -> None:
    """
    `rule` alone, and `rule --all`, list each code with its title, in order.
    """
    alone, everything = call("rule", at=loop), call("rule", "--all", at=loop)
    codes = [line.split()[0] for line in alone.out.splitlines()]

    assert alone == everything
    assert 0 == alone.code
    assert sorted(codes) == codes
    assert {"P101", "P203", "P601"} <= set(codes)
    assert re.search(r"^P203 +unknown model$", alone.out, re.MULTILINE)


@pytest.mark.parametrize("code", ["P203", "p203"])
def test_rule_prints_a_page(loop: Path, code: str) -> None:
    """
    `rule CODE` prints what is found, why it matters, an example and its mend.
    """
    ran = call("rule", code, at=loop)
    headings = [line for line in ran.out.splitlines() if line and not line.startswith(" ")]

    assert (0, "") == (ran.code, ran.err)
    assert "P203: unknown model" == headings[0]
    assert ["What it finds", "Why it matters", "Example", "Instead"] == [
        line for line in headings if line in ("What it finds", "Why it matters", "Example", "Instead")
    ]


def test_an_unknown_code_is_an_error(loop: Path) -> None:
    """
    A code that doesn't exist is an error that says where all codes are.
    """
    ran = call("rule", "X1", at=loop)

    assert (2, "") == (ran.code, ran.out)
    assert "there is no code X1; policyctl rule lists all codes" in ran.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(loop: Path, shell: str) -> None:
    """
    `completion SHELL` prints a script that asks policyctl for what fits.
    """
    ran = call("completion", shell, at=loop)

    assert (0, "") == (ran.code, ran.err)
    assert f"_POLICYCTL_COMPLETE={shell}_complete" in ran.out


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("policyctl ex", ["explain"]),
        ("policyctl ", list(VERBS)),
        ("policyctl select --requires-v", ["--requires-vision"]),
        ("policyctl completion z", ["zsh"]),
    ],
)
def test_bash_completes(loop: Path, tmp_path: Path, typed: str, offered: list[str]) -> None:
    """
    In bash the script really completes verbs, options and values.
    """
    program = write(tmp_path, "policyctl", f'#!/bin/sh\nexec "{sys.executable}" -c "{ENTRY}" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    script = write(tmp_path, "completion.bash", call("completion", "bash", at=loop).out)
    words = typed.split(" ")
    line = " ".join(f'"{word}"' for word in words)
    asked = (
        f'. "{script}"; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; '
        '_policyctl_completion policyctl; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", asked],
        cwd=loop,
        env={**without_columns(), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ("", offered) == (done.stderr, done.stdout.split())


# --- start-up ----------------------------------------------------------------------------------------------

SHOW_MODULES = "import sys, atexit\natexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr))\n"
HEAVY = {
    "aiohttp",
    "asyncio",
    "http.client",
    "httpx",
    "jsonschema",
    "litellm",
    "openai",
    "pydantic",
    "requests",
    "rich",
    "ruamel",
    "urllib3",
}


def imported(loop: Path, *words: str) -> set[str]:
    ran = spawn(*words, at=loop, code=SHOW_MODULES + ENTRY)
    assert 0 == ran.code, ran.err
    modules = set(ran.err.split())
    assert {"sys", "policyctl"} <= modules
    return modules


def test_the_version_needs_nothing(loop: Path) -> None:
    """
    After --version neither click nor anything else of weight is imported.
    """
    assert set() == imported(loop, "--version") & {"click", "dataclasses", "lark", *HEAVY}


def test_help_needs_click_alone(loop: Path) -> None:
    """
    After --help no verb was imported, nor the language, nor anything else of weight.
    """
    modules = imported(loop, "--help")

    assert set() == modules & {"lark", "policyctl.policy", "policyctl.engine", *HEAVY}
    assert not any(name.startswith("policyctl.cli.verbs.") for name in modules)


@pytest.mark.parametrize("words", ["explain --story US-042", "select --complexity 4", "validate", "list"])
def test_authors_pay_for_no_client(loop: Path, words: str) -> None:
    """
    On the author's path there is no LiteLLM, asyncio, HTTP client, pydantic, jsonschema or YAML.
    """
    assert set() == imported(loop, *words.split()) & HEAVY


@pytest.mark.parametrize("name", [".env", "policyctl.toml", "pyproject.toml"])
@pytest.mark.parametrize(("data", "words"), [(b"\xff\xfe=", "isn't UTF-8"), (b"#" * 70_000, "larger than")])
def test_odd_files_beside_the_policy_are_named(here: Path, name: str, data: bytes, words: str) -> None:
    """
    A settings file that is no text, or far too large, is one error line that names it.
    """
    write(here, "one.policy", policy_named("one"))
    (here / name).write_bytes(data)
    ran = call("select", "--complexity", "1", at=here)

    assert 2 == ran.code
    assert name in ran.err
    assert words in ran.err


def test_a_story_of_too_many_names_is_cut(loop: Path, tmp_path: Path) -> None:
    """
    A story that names thousands of models is told with the first of them, and quickly read.
    """
    names = [f"model-{number}" for number in range(20_000)]
    story = {"id": "G-1", "complexity": 1, "title": "x" * 100_000, "preferred_provider": names}
    prd = write(tmp_path, "many.json", json.dumps({"stories": [story]}))
    ran = call("explain", "--story", "G-1", "--prd", str(prd), at=loop)

    assert 0 == ran.code
    assert len(ran.out) + len(ran.err) < 30_000


def test_a_narrow_table_says_only_what_differs(here: Path) -> None:
    """
    Where a column for each capability doesn't fit, the models that differ stand behind the first one.
    """
    names = [f"a-long-model-name-{number}" for number in range(2)]
    models = [
        f"model {name} is offline/{name} costs ${price} in, $1 out can {can}\n"
        for name, price, can in zip(names, (1, 2), ("tools, json_mode", "vision"), strict=True)
    ]
    write(here, "one.policy", f"{''.join(models)}tier whole from complexity 0 has {', '.join(names)}\n")
    wide, narrow = (call("table", at=here, env={"COLUMNS": columns}).out for columns in ("120", "80"))

    assert (3, 1) == (wide.count(names[0]), narrow.count(names[0]))
    assert f"{names[0]}, vision {names[1]}" in " ".join(narrow.split())
    assert all(len(line) <= 80 for line in narrow.splitlines())
