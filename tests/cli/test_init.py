"""`policyctl init`: a policy that is right at once, and nothing overwritten."""

from __future__ import annotations

import json
import os
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from syrupy.assertion import SnapshotAssertion

from policyctl.cli.starting import PROVIDERS, first_policy
from policyctl.deciding import Engine
from policyctl.policy.files import published_schema
from policyctl.policy.written import formatted, read_written
from policyctl.providers.catalogue import load_catalogue, look_up, snapshot
from policyctl.schemas.text import Source

from .command import Ran, call

ALL = tuple(PROVIDERS)
CHOICES = [chosen for count in (1, 2, 3) for chosen in combinations(ALL, count)]
DAY = date.fromisoformat(load_catalogue().as_of)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """
    An empty checkout: nothing above it is found.
    """
    (tmp_path / ".git").mkdir()
    return tmp_path


def init(at: Path, *words: str, **env: str) -> Ran:
    return call("init", *words, at=at, env=env)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".git")


# --- the models --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ALL)
def test_the_models_are_today_s(provider: str) -> None:
    """
    Each model is in the shipped catalogue, priced, not deprecated within half a year, able to use tools,
    and dearer than the one below it.
    """
    models = PROVIDERS[provider]
    found = [
        look_up(load_catalogue(), f"{provider}/{name}")
        for _, name in (models.cheap, models.medium, models.powerful)
    ]
    costs = []
    for price in found:
        assert price is not None
        assert price.price_in_nusd_per_mtok and price.price_out_nusd_per_mtok
        gone = price.deprecation_date
        assert gone is None or date.fromisoformat(gone) > DAY + timedelta(days=182)
        assert "tools" in price.capabilities
        costs.append((price.price_in_nusd_per_mtok, price.price_out_nusd_per_mtok))

    assert sorted(set(costs)) == costs


@pytest.mark.parametrize("providers", CHOICES, ids=",".join)
def test_a_policy_is_right_at_once(providers: tuple[str, ...]) -> None:
    """
    With the models of any of the providers the policy has no finding at all, on the catalogue's day and
    a month later, and every request gets a chain of at least two models.
    """
    for day in (DAY, DAY + timedelta(days=30)):
        text, checked = first_policy(providers, day)
        assert () == checked.report.diagnostics
    engine = Engine(checked)

    written = read_written(Source("policyctl.policy", text))

    assert text.endswith("\n\nend\n")
    assert text == formatted(written)
    assert 3 * len(providers) == len(engine.policy.models)
    for complexity in range(11):
        for branch in ("", "main"):
            for spent in (0, 76, 91):
                chain = engine.decide(complexity=complexity, branch=branch, spend={"monthly": spent}).chain
                assert len(chain) >= (1 if spent == 91 else 2)


@pytest.mark.parametrize("providers", CHOICES, ids=",".join)
def test_the_same_in_yaml(providers: tuple[str, ...]) -> None:
    """
    In YAML it is the same policy, without a finding, laid out as `fmt` does, and an editor that knows the
    schema finds nothing either.
    """
    (_, one), (text, other) = first_policy(providers, DAY), first_policy(providers, DAY, in_yaml=True)
    document = YAML(typ="safe", pure=True).load(text)

    assert () == other.report.diagnostics
    assert one.policy is not None
    assert other.policy is not None
    assert one.policy.policy.digest == other.policy.policy.digest
    assert text == formatted(read_written(Source("policyctl.yaml", text)))
    assert [] == [
        error.message for error in Draft202012Validator(published_schema("policy")).iter_errors(document)
    ]


def test_other_prices_are_no_finding() -> None:
    """
    What the examples say is what the policy decides by the prices that count, not what was once cheapest.
    """
    text, _ = first_policy(ALL, DAY)

    assert 3 == text.count("\nexample ")
    for line in text.splitlines():
        if line.startswith("example complexity is 2 gives "):
            assert line.rpartition(" ")[2] in {models.cheap[0] for models in PROVIDERS.values()}


# --- what is written ---------------------------------------------------------------------------------------


def test_the_page_and_the_policy(here: Path, snapshot: SnapshotAssertion) -> None:
    """
    It says what it wrote and what to try next; the policy is short and says what each part does.
    """
    ran = init(here)

    assert (0, "") == (ran.code, ran.err)
    assert snapshot == ran.out
    assert snapshot == (here / "policyctl.policy").read_text(encoding="utf-8")
    assert ["policyctl.policy"] == files(here)


def test_yaml_comes_with_its_schema(here: Path, snapshot: SnapshotAssertion) -> None:
    """
    With --yaml the first line names the schema, which is written beside it, so that it resolves offline.
    """
    ran = init(here, "--yaml")
    text = (here / "policyctl.yaml").read_text(encoding="utf-8")

    assert (0, "") == (ran.code, ran.err)
    assert snapshot == ran.out
    assert text.startswith("# yaml-language-server: $schema=policy.schema.json\n")
    assert ["policy.schema.json", "policyctl.yaml"] == files(here)
    assert published_schema("policy") == json.loads((here / "policy.schema.json").read_text(encoding="utf-8"))
    assert 0 == call("validate", "--fail-on", "warning", "--at", DAY.isoformat(), at=here).code


def test_a_schema_that_is_there_stays(here: Path) -> None:
    """
    The same schema is left as it is; over another one nothing is written at all.
    """
    call("schema", "-o", "policy.schema.json", at=here)
    same = init(here, "--yaml")
    (here / "policyctl.yaml").unlink()
    (here / "policy.schema.json").write_text("{}", encoding="utf-8")
    other = init(here, "--yaml")

    assert (0, 1) == (same.code, same.out.count("wrote "))
    assert (2, "", ["policy.schema.json"]) == (other.code, other.out, files(here))
    assert other.err == (
        "error: policy.schema.json is there already, and is another schema\n"
        "  help: policyctl schema -o policy.schema.json writes that of this version\n"
    )


def test_what_comes_next_works(here: Path) -> None:
    """
    Each command that is named works at once, where what it reads is there; and there are no warnings.
    """
    (here / "prd.json").write_text(
        json.dumps({"stories": [{"id": "S-1", "complexity": 4}]}), encoding="utf-8"
    )
    page = init(here).out
    commands = [line.split("  ")[1].split() for line in page.splitlines() if line.startswith("  policyctl ")]

    assert ["validate", "explain", "doctor", "plan"] == [words[1] for words in commands]
    for words in commands:
        assert call(*words[1:], at=here).code == (1 if words[1] == "doctor" else 0)
    assert 0 == call("validate", "--fail-on", "warning", "--at", DAY.isoformat(), at=here).code


def test_a_folder_is_made(here: Path) -> None:
    """
    A folder that isn't there is made, and the next commands start with going there.
    """
    ran = init(here, "new/my project")

    assert 0 == ran.code
    assert ["policyctl.policy"] == files(here / "new" / "my project")
    assert "\n  cd 'new/my project'\n" in ran.out


@pytest.mark.parametrize("words", [(), ("--yaml",)])
@pytest.mark.parametrize("name", ["policyctl.policy", "policyctl.yaml", "policyctl.yml", "team.policy"])
def test_a_second_policy_is_refused(here: Path, name: str, words: tuple[str, ...]) -> None:
    """
    Where a policy is already nothing is written, since one would hide the other.
    """
    (here / name).write_text("kept", encoding="utf-8")
    ran = init(here, *words)

    assert (2, "") == (ran.code, ran.out)
    assert f"error: there is a policy already: {name}\n" in ran.err
    assert ([name], "kept") == (files(here), (here / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("words", [(), ("--yaml",)])
def test_a_link_is_not_followed(here: Path, words: tuple[str, ...]) -> None:
    """
    A symbolic link in the policy's place, even one that leads nowhere, is left alone.
    """
    for name in ("policyctl.policy", "policyctl.yaml"):
        (here / name).symlink_to("nowhere")
    ran = init(here, *words)

    assert (2, "") == (ran.code, ran.out)
    assert not (here / "nowhere").exists()


def test_what_cannot_be_written_is_told(here: Path) -> None:
    """
    A file where the folder should be is one line.
    """
    (here / "file").write_text("", encoding="utf-8")
    ran = init(here, "file")

    assert (2, "") == (ran.code, ran.out)
    assert ran.err.startswith("error: file ")


# --- whose models ------------------------------------------------------------------------------------------


def providers_of(folder: Path) -> set[str]:
    return {model.provider for model in Engine.load(folder / "policyctl.policy").policy.models.values()}


def test_providers_are_chosen(here: Path) -> None:
    """
    --providers takes the models of some, the first one's as the baseline.
    """
    ran = init(here, "--providers", "google, anthropic", OPENAI_API_KEY="k")

    assert (0, "") == (ran.code, ran.err)
    assert {"google", "anthropic"} == providers_of(here)
    assert "gemini-argon" == Engine.load(here / "policyctl.policy").policy.baseline


@pytest.mark.parametrize(
    ("env", "dotenv", "providers"),
    [
        ({}, "", set(ALL)),
        ({"OPENAI_API_KEY": "k"}, "", {"openai"}),
        ({"OPENAI_API_KEY": " "}, "", set(ALL)),
        ({"GEMINI_API_KEY": "k"}, "ANTHROPIC_API_KEY=k\n", {"google", "anthropic"}),
        ({"OPENAI_API_KEY": "k", "GOOGLE_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}, "", set(ALL)),
    ],
)
def test_providers_whose_key_is_set_come_first(
    here: Path, env: dict[str, str], dotenv: str, providers: set[str]
) -> None:
    """
    Where the keys of some providers are set, their models are taken, and that is said; else all are.
    """
    (here / ".env").write_text(dotenv, encoding="utf-8")
    ran = init(here, **env)

    assert 0 == ran.code
    assert providers == providers_of(here)
    assert ("whose key is set" in ran.err) is (len(providers) < len(ALL))


def test_a_misspelt_provider_gets_a_suggestion(here: Path) -> None:
    """
    A provider without models here is an error, with the nearest.
    """
    ran = init(here, "--providers", "anthropic,opnai")

    assert (2, []) == (ran.code, files(here))
    assert "there are no models for `opnai`; did you mean `openai`?" in ran.err


def test_a_catalogue_that_does_not_know_them(here: Path) -> None:
    """
    Where a catalogue of the user's own lacks the models, nothing is written, and the reason is said.
    """
    entry = {"mode": "chat", "litellm_provider": "openai", "input_cost_per_token": 1e-06}
    own = here / "own.json"
    own.write_bytes(snapshot({"gpt-x": entry}, litellm_version="", as_of="2026-11-24"))
    ran = init(here, POLICYCTL_PRICES=str(own))

    assert (2, "", ["own.json"]) == (ran.code, ran.out, files(here))
    assert "error: the price catalogue doesn't fit: no price is known for" in ran.err
    assert os.linesep not in ran.err.rstrip("\n").split("\n")[0]
