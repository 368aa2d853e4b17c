"""What other repositories use of this one: the pre-commit hooks and the GitHub Action."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from .command import CHECKOUT, ENTRY, call

TWO_MODELS = """\
model small is offline/small costs $1 in, $1 out can nothing
model large is offline/large costs $2 in, $2 out can nothing
tier low  from complexity 0 has small
tier high from complexity 5 has large
example complexity is 1 gives small
"""
BROKEN = TWO_MODELS.replace("has large", "has larg")
CASES = "policy: {}\ncases:\n  - {{name: small work, facts: {{complexity: 1}}, expect: {{first: small}}}}\n"
HOSTILE = "a b; touch hit $(touch hit) `touch hit` '\".policy"


def read(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((CHECKOUT / name).read_text(encoding="utf-8"))


HOOKS = read(".pre-commit-hooks.yaml")
ACTION = read("action.yml")
SCRIPTS = {step["name"]: step for step in ACTION["runs"]["steps"] if "run" in step}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    An empty checkout: nothing above it is found.
    """
    (tmp_path / ".git").mkdir()
    return tmp_path


# --- pre-commit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_runs_a_verb(hook: dict[str, Any], here: Path) -> None:
    """
    Each hook is the id of its verb, says what it does, and its command exists with all its flags.
    """
    program, verb, *flags = hook["entry"].split()
    known = call(verb, "--help", at=here).out

    assert ("policyctl", f"policyctl-{verb}", "python") == (program, hook["id"], hook["language"])
    assert hook["description"]
    assert [] == [flag for flag in flags if flag not in known]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_knows_the_files_it_is_about(hook: dict[str, Any]) -> None:
    """
    A hook runs where a policy changes, and not for every file of YAML.
    """
    about = re.compile(hook["files"])

    assert about.search("deep/down/loop.policy")
    assert not about.search("docs/policy.md")
    assert not about.search("deploy.yaml")


def test_the_hook_of_tests_runs_where_tests_change() -> None:
    """
    A changed test file runs the tests.
    """
    (hook,) = (hook for hook in HOOKS if hook["id"] == "policyctl-test")

    assert re.search(hook["files"], "tests/loop.test.yaml")


@pytest.mark.parametrize(("text", "code"), [(TWO_MODELS, 0), (BROKEN, 1)])
def test_the_hooks_pass_and_fail(here: Path, text: str, code: int) -> None:
    """
    Without a word from the repository the hooks find its policy; what is wrong fails them.
    """
    (here / "loop.policy").write_text(text, encoding="utf-8")
    (here / "loop.test.yaml").write_text(CASES.format("loop.policy"), encoding="utf-8")
    ended = {hook["id"]: call(*hook["entry"].split()[1:], at=here).code for hook in HOOKS}

    assert code == ended["policyctl-validate"]
    assert (code == 0) is (ended["policyctl-test"] == 0)


def test_the_hook_of_the_layout_takes_files(here: Path) -> None:
    """
    The layout is a matter of single files: the hook is handed those that changed; with --check it looks.
    """
    (hook,) = (hook for hook in HOOKS if hook["id"] == "policyctl-fmt")
    file = here / "loop.policy"
    file.write_text(f"  {TWO_MODELS}", encoding="utf-8")
    words = hook["entry"].split()[1:]
    looked = call(*words, "--check", file.name, at=here)
    laid_out = call(*words, file.name, at=here)

    assert "pass_filenames" not in hook
    assert (1, 0, 0) == (looked.code, laid_out.code, call(*words, "--check", file.name, at=here).code)


# --- the action --------------------------------------------------------------------------------------------


def test_every_input_is_described_and_used() -> None:
    """
    Each input says what it is and has a default, and some step reads it.
    """
    text = (CHECKOUT / "action.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"inputs\.([\w-]+)", text))

    assert set(ACTION["inputs"]) == used
    assert all(said["description"] and isinstance(said["default"], str) for said in ACTION["inputs"].values())


@pytest.mark.parametrize("name", SCRIPTS)
def test_nothing_is_put_into_a_script(name: str) -> None:
    """
    What a person or a pull request says reaches a script as a variable, never as its text.
    """
    step = SCRIPTS[name]

    assert "${{" not in step["run"]
    assert "bash" == step["shell"]
    assert {"eval", "source"}.isdisjoint(step["run"].split())


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_command_of_the_action_exists(name: str, here: Path) -> None:
    """
    Each verb and flag that a script types is one of the command.
    """
    script = SCRIPTS[name]["run"].replace("\\\n", " ")
    for line in re.findall(r'bin/policyctl" (.*)', script):
        verb, *words = shlex.split(line)
        known = call(verb, "--help", at=here).out
        assert [] == [word for word in words if word.startswith("--") and word != "--" and word not in known]


def test_docs_know_every_input_and_hook() -> None:
    """
    docs/ci.md names each input of the action and each hook.
    """
    page = (CHECKOUT / "docs" / "ci.md").read_text(encoding="utf-8")

    assert [] == [name for name in ACTION["inputs"] if f"`{name}`" not in page]
    assert [] == [hook["id"] for hook in HOOKS if hook["id"] not in page]


def runner(here: Path) -> Path:
    """
    A folder as $RUNNER_TEMP, where policyctl is installed already.
    """
    program = here / "runner" / "policyctl" / "bin" / "policyctl"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{ENTRY}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return here / "runner"


def run_step(
    name: str, at: Path, temp: Path, inputs: Mapping[str, str], path: str | None = None
) -> subprocess.CompletedProcess[str]:
    """
    Run a step of the action as the runner does: its script in bash, its inputs in the environment.
    """
    said = {key: spec["default"] for key, spec in ACTION["inputs"].items()} | dict(inputs)
    env = {
        key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: said[match[1]], value)
        for key, value in SCRIPTS[name]["env"].items()
    }
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", SCRIPTS[name]["run"]],
        cwd=at,
        env={"PATH": path or os.environ["PATH"], "RUNNER_TEMP": str(temp), **env},
        capture_output=True,
        text=True,
        check=False,
    )


NEEDS_BASH = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


@NEEDS_BASH
@pytest.mark.parametrize("name", ["", "loop.policy", "loop.policy\n", HOSTILE, "\n\n-x.policy\n"])
def test_the_action_checks_the_policy(here: Path, name: str) -> None:
    """
    The policy is found, or named by files of any name, one a line; findings are told as annotations and
    fail the job. Nothing in a name is run.
    """
    file = here / (name.strip() or "loop.policy")
    temp = runner(here)
    for text, code in ((TWO_MODELS, 0), (BROKEN, 1)):
        file.write_text(text, encoding="utf-8")
        done = run_step("Check the policy", here, temp, {"files": name})
        assert (code, "") == (done.returncode, done.stderr)
        assert (code == 1) is done.stdout.startswith("::error title=policyctl P203,file=")

    assert {".git", "runner", file.name} == {path.name for path in here.iterdir()}


@NEEDS_BASH
def test_the_action_merges_files(here: Path) -> None:
    """
    Several files are one policy, in their order.
    """
    models, tiers = TWO_MODELS.partition("tier")[0], TWO_MODELS.removeprefix(TWO_MODELS.partition("tier")[0])
    (here / "a.policy").write_text(models, encoding="utf-8")
    (here / "b.policy").write_text(tiers, encoding="utf-8")

    assert 0 == run_step("Check the policy", here, runner(here), {"files": "a.policy\nb.policy"}).returncode


@NEEDS_BASH
def test_the_action_fails_on_what_it_is_told(here: Path) -> None:
    """
    A warning fails the job where fail-on says so; another word is told.
    """
    (here / "loop.policy").write_text(f"# policyctl: ignore[P801]\n{TWO_MODELS}", encoding="utf-8")
    temp = runner(here)
    codes = [
        run_step("Check the policy", here, temp, {"fail-on": word}).returncode
        for word in ("error", "warning", "$(touch hit)")
    ]

    assert [0, 1, 2] == codes
    assert not (here / "hit").exists()


@NEEDS_BASH
def test_the_action_writes_a_log_for_code_scanning(here: Path) -> None:
    """
    The log is written whatever is found, so that it can be handed on before the job fails.
    """
    (here / "loop.policy").write_text(BROKEN, encoding="utf-8")
    temp = runner(here)
    done = run_step("Write findings for code scanning", here, temp, {"files": "loop.policy"})
    log = json.loads((temp / "policyctl.sarif").read_text(encoding="utf-8"))

    assert 0 == done.returncode
    assert ["P203"] == [result["ruleId"] for result in log["runs"][0]["results"]]


@NEEDS_BASH
@pytest.mark.parametrize("files", ["", "loop.policy"])
def test_the_action_runs_tests(here: Path, files: str) -> None:
    """
    The tests beside the policy are run, and one that fails fails the job.
    """
    (here / "loop.policy").write_text(TWO_MODELS, encoding="utf-8")
    cases = CASES.format("loop.policy")
    temp = runner(here)
    (here / "loop.test.yaml").write_text(cases, encoding="utf-8")
    passed = run_step("Run its tests", here, temp, {"files": files})
    (here / "loop.test.yaml").write_text(cases.replace("first: small", "first: large"), encoding="utf-8")
    failed = run_step("Run its tests", here, temp, {"files": files})

    assert (0, 1) == (passed.returncode, failed.returncode), passed.stderr


@NEEDS_BASH
@pytest.mark.parametrize("version", ["", "0.1.0", "1; touch hit $(touch hit)"])
def test_the_action_installs_what_is_asked_for(here: Path, version: str) -> None:
    """
    A version is installed by its number, as one word whatever it holds; without one the action's own code,
    with packages that have hashes. pip is replaced by a program that writes down how it was called.
    """
    fake = here / "bin" / "python"
    fake.parent.mkdir()
    fake.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@" -- >> "$RUNNER_TEMP/calls"\n'
        'if [ "$2" = venv ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; fi\n',
        encoding="utf-8",
    )
    fake.chmod(0o755)
    path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
    done = run_step("Install policyctl", here, here, {"version": version}, path)
    calls = [words.split("\n") for words in (here / "calls").read_text(encoding="utf-8").split("\n--\n")[:-1]]
    ends = [words[-1] for words in calls[1:]]

    assert (0, "") == (done.returncode, done.stderr)
    action = SCRIPTS["Install policyctl"]["env"]["ACTION"]
    assert ends == ([f"policyctl=={version}"] if version else [f"{action}/requirements/base.txt", action])
    assert bool(version) is not any("--require-hashes" in words for words in calls)
    assert not (here / "hit").exists()
