"""`policyctl config`: each setting, where it comes from, and no secret."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from .command import Ran, call, copy_of_loop
from .test_json import faults

SECRET = "sk-not-to-be-seen"  # noqa: S105
TWO_MODELS = """\
model small is openai/gpt-4o-mini
model house is offline/large costs $2 in, $2 out can nothing key HOUSE_KEY
model off is anthropic/claude-haiku-4-5 disabled
tier low  from complexity 0 has small, house
input stage is one of dev, prod default dev from env STAGE
alert dear when daily_cost is above $5 slack env SLACK_HOOK
alert mail when daily_cost is above $5 email "a@example.com"
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    An empty checkout: nothing above it is found.
    """
    (tmp_path / ".git").mkdir()
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def asked(at: Path, *words: str, **env: str) -> Ran:
    ran = call("config", "--json", *words, at=at, env=env)
    assert (0, []) == (ran.code, faults("config", ran.json)), ran.err
    return ran


def setting(at: Path, name: str, *words: str, **env: str) -> tuple[list[str], str, str | None]:
    """
    Return the values of a setting, and where they come from.
    """
    (found,) = (s for s in asked(at, *words, **env).json["settings"] if name == s["name"])
    return found["values"], found["kind"], found["origin"]


# --- where a setting comes from ----------------------------------------------------------------------------


def test_the_page(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """
    Settings with their sources; below them the variables of the policy, set or not.
    """
    loop = copy_of_loop(tmp_path)
    write(loop, "policyctl.toml", 'color = "never"\n')
    write(loop, ".env", f"ANTHROPIC_API_KEY={SECRET}\n")
    ran = call("config", at=loop, env={"OPENAI_API_KEY": SECRET})

    assert (0, "") == (ran.code, ran.err)
    assert snapshot == ran.out


def test_the_sources_of_the_policy(here: Path) -> None:
    """
    A flag, a variable, a configuration file, the nearest file of a known name, the only one of its kind.
    """
    (here / "below").mkdir()
    write(here, "any.policy", TWO_MODELS)
    only = setting(here / "below", "policy")
    write(here, "policyctl.policy", TWO_MODELS)
    named = setting(here / "below", "policy")
    write(here, "pyproject.toml", '[tool.policyctl]\npolicy = "any.policy"\n')
    project = setting(here / "below", "policy")
    write(here, "policyctl.toml", 'policy = ["any.policy", "more.policy"]\n')
    own = setting(here, "policy")
    variable = setting(here, "policy", POLICYCTL_POLICY=f"a{os.pathsep}b")
    flag = setting(here, "policy", "--policy", "c", "--policy", "d", POLICYCTL_POLICY="a")

    assert (["../any.policy"], "found", "the only *.policy here or above") == only
    assert (["../policyctl.policy"], "found", "policyctl.policy here or above") == named
    assert (["../any.policy"], "file", "tool.policyctl.policy in ../pyproject.toml") == project
    assert (["any.policy", "more.policy"], "file", "policy in policyctl.toml") == own
    assert (["a", "b"], "environment", "POLICYCTL_POLICY") == variable
    assert (["c", "d"], "flag", "--policy") == flag


def test_the_sources_of_the_prd(here: Path) -> None:
    """
    The PRD is found, or said, as the policy is.
    """
    write(here, "prd.json", "{}")
    found = setting(here, "prd")
    write(here, "policyctl.toml", 'prd = "docs/prd.json"\n')

    assert (["prd.json"], "found", "prd.json here or above") == found
    assert (["docs/prd.json"], "file", "prd in policyctl.toml") == setting(here, "prd")
    assert (["x.json"], "environment", "POLICYCTL_PRD") == setting(here, "prd", POLICYCTL_PRD="x.json")
    assert (["y.json"], "flag", "--prd") == setting(here, "prd", "--prd", "y.json", POLICYCTL_PRD="x.json")


def test_the_sources_of_the_rest(here: Path) -> None:
    """
    Colour, format and prices have defaults, and variables of their own.
    """
    (here / "data" / "policyctl").mkdir(parents=True)
    shipped = Path(str(call("prices", "--json", at=here).json["catalogue"]["path"]))
    own = here / "data" / "policyctl" / "prices.json"
    own.write_bytes(shipped.read_bytes())

    assert (["auto"], "default", None) == setting(here, "color")
    assert (["never"], "environment", "POLICYCTL_COLOR") == setting(here, "color", POLICYCTL_COLOR="never")
    assert (["always"], "flag", "--color") == setting(here, "color", "--color", "always")
    assert (["full"], "default", None) == setting(here, "output_format")
    assert (["json"], "environment", "POLICYCTL_OUTPUT_FORMAT") == setting(
        here, "output_format", POLICYCTL_OUTPUT_FORMAT="json"
    )
    assert (["shipped"], "default", None) == setting(here, "prices")
    assert ([str(own)], "environment", "POLICYCTL_PRICES") == setting(
        here, "prices", POLICYCTL_PRICES=str(own)
    )
    assert ([str(own)], "found", "newer than the shipped one") == setting(
        here, "prices", XDG_DATA_HOME=str(here / "data")
    )


def test_an_absolute_path_stays_one(here: Path) -> None:
    """
    A file that the configuration names absolutely is shown so; a relative one is shown from here.
    """
    write(here, "policyctl.toml", f'policy = ["{here}/a.policy", "b.policy"]\n')
    (here / "below").mkdir()

    assert [f"{here}/a.policy", "../b.policy"] == setting(here / "below", "policy")[0]


def test_what_is_missing_says_why(here: Path) -> None:
    """
    A setting without a value says what to do, and the others are shown all the same.
    """
    write(here, "a.policy", "")
    write(here, "b.policy", "")
    odd = {"POLICYCTL_OUTPUT_FORMAT": "xml", "POLICYCTL_PRICES": "none.json"}
    problems = {s["name"]: s["problem"] for s in asked(here, **odd).json["settings"]}
    ran = call("config", at=here, env=odd)

    assert "there are several policies here (a.policy, b.policy); say which" in problems["policy"]
    assert "no prd.json was found" in problems["prd"]
    assert "`xml` is none of full, concise, json" in problems["output_format"]
    assert "POLICYCTL_PRICES names none.json, but there is no such file" == problems["prices"]
    assert problems["color"] is None
    assert [] == [line for line in ran.out.splitlines() if len(line) > 80]


@pytest.mark.parametrize("text", ['polcy = "x"', "policy = ", 'color = "blue"'])
def test_a_broken_configuration_file_is_an_error(here: Path, text: str) -> None:
    """
    A file that can't be read as settings is told as by every verb.
    """
    write(here, "policyctl.toml", text)
    ran = call("config", at=here)

    assert (2, "") == (ran.code, ran.out)
    assert "error: " in ran.err


# --- variables ---------------------------------------------------------------------------------------------


def variables(at: Path, **env: str) -> dict[str, dict[str, Any]]:
    return {v.pop("name"): v for v in asked(at, **env).json["variables"]}


def test_the_variables_of_the_policy(here: Path) -> None:
    """
    Inputs, keys of models that are enabled, and alerts name variables; each is set, here or in .env, or not.
    """
    write(here, "policyctl.policy", TWO_MODELS)
    write(here, ".env", f"OPENAI_API_KEY={SECRET}\nSLACK_HOOK=\nSTAGE=dev\n")
    found = variables(here, HOUSE_KEY=SECRET, STAGE="prod")

    assert {
        "STAGE": {"use": "input stage", "set": True, "source": "environment"},
        "OPENAI_API_KEY": {"use": "key of small", "set": True, "source": ".env"},
        "HOUSE_KEY": {"use": "key of house", "set": True, "source": "environment"},
        "SLACK_HOOK": {"use": "alert dear", "set": False, "source": None},
    } == found


def test_a_blank_variable_hides_the_one_of_dotenv(here: Path) -> None:
    """
    The real environment wins over .env, also with nothing.
    """
    write(here, "policyctl.policy", TWO_MODELS)
    write(here, ".env", f"OPENAI_API_KEY={SECRET}\n")

    assert variables(here, OPENAI_API_KEY=" ")["OPENAI_API_KEY"]["set"] is False


def test_no_value_is_ever_shown(here: Path) -> None:
    """
    Whatever a variable holds stands nowhere in the page or the JSON, nor in a complaint about .env.
    """
    write(here, "policyctl.policy", TWO_MODELS)
    write(here, ".env", f"OPENAI_API_KEY={SECRET}\nthis is {SECRET} no setting\nSTAGE={SECRET}\n")
    env = {"HOUSE_KEY": SECRET, "SLACK_HOOK": f"https://hooks.example.com/{SECRET}"}

    for words in (("config",), ("config", "--json")):
        ran = call(*words, at=here, env=env)
        assert 0 == ran.code
        assert SECRET not in ran.out + ran.err


def test_a_broken_policy_names_no_variables(here: Path) -> None:
    """
    Settings are shown where the policy has errors, too.
    """
    write(here, "policyctl.policy", "tier")

    assert {} == variables(here)
