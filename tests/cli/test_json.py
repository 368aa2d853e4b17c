"""What a program reads: the JSON of each verb has the shape that its published schema says."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import policyctl

from .command import MONDAY_10, call, copy_of_loop

SCHEMAS = Path(policyctl.__file__).parent / "schemas"
VERBS = (
    "select",
    "explain",
    "list",
    "fallback-chain",
    "table",
    "findings",
    "rule",
    "prices",
    "config",
    "test",
    "doctor",
    "diff",
    "report",
    "statusline",
    "run",
    "health",
    "stories",
)
FORMAT_VERSIONS = {"findings": "1.1"}
"""The versions that aren't the first any more."""

CASES = Path(__file__).resolve().parents[1] / "cases" / "policies"

REQUESTS = [
    "--complexity 4",
    "--complexity 1 --requires-vision --branch main",
    "--story US-035",
    "--story US-037",
    "--story US-042",
    "--story US-044 --gate tests=failed",
    "--story US-046 --spend monthly=80%",
    "--story US-043 --down claude-opus --down sonnet",
    "--complexity 8 --spend monthly=95%",
    "--complexity 8 --spend monthly=100%",
    "--story US-042 --spend monthly=100%",
    "--complexity 8 --requires-audio",
    "--story US-042 --requires-audio",
    "--complexity 7 --requires-json-mode --preferred opus",
    "--complexity 8 --gate tests=failed --gate tests=failed",
    "--complexity 4 --domain debugging",
    "--complexity 4 --available",
]
REFUSED_BY_RULE = "--policy facts.policy --complexity 4 --stage 'the prod' --private"
SOME_TYPOS = """\
model small is offline/small costs $1 in, $1 out can nothing
model small is offline/other costs $1 in, $1 out can nothing
tier low from complexity 0 has smal
rule x when branhc is main use small
"""


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    examples/claude-loop, alone in a checkout of its own.
    """
    return copy_of_loop(tmp_path_factory.mktemp("json"))


def schema(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return document


def faults(name: str, document: object) -> list[str]:
    """
    Return how a document differs from its schema.
    """
    found = Draft202012Validator(schema(name)).iter_errors(document)
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


def printed(at: Path, line: str) -> Any:
    ran = call(*shlex.split(line), at=at)
    assert ran.code in (0, 1, 3, 4), ran.err
    return ran.json


def all_prints(loop: Path) -> Iterator[tuple[str, Any]]:
    """
    Print each kind of document once, and say whose it is.
    """
    yield "select", printed(loop, "select --story US-042 --json")
    yield "explain", printed(loop, "explain --story US-037 --branch main --json")
    yield "explain", printed(loop, "explain --story US-042 --why-not haiku --json")
    yield "list", printed(loop, "list --json")
    yield "fallback-chain", printed(loop, "fallback-chain --provider haiku --json")
    yield "table", printed(loop, "table --json")
    yield "findings", printed(loop, "validate --output-format json")
    yield "rule", printed(loop, "rule P203 --json")
    yield "doctor", printed(loop, "doctor --json")
    yield "config", printed(loop, "config --json")
    yield "prices", printed(loop, "prices deepseek gpt-5 --json")
    yield "diff", printed(loop, "diff claude-loop.policy --prd prd.json --json")
    yield "test", printed(loop, "test --coverage --mutate --json")
    assert 0 == call("ledger", "init", at=loop).code
    yield "report", printed(loop, "report --by story --json")
    yield "statusline", printed(loop, "statusline --json")
    yield "health", printed(loop, "health --json")
    yield "stories", printed(loop, "stories --json")
    yield "run", printed(loop, "run --story US-042 --offline --json")
    yield "run", printed(loop, "complete hello --complexity 4 --requires-audio --offline --json")


# --- the schemas ---------------------------------------------------------------------------------------


def objects(part: object, path: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    """
    Return every part of a schema that says which properties an object has.
    """
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield path, part
        for key, value in part.items():
            yield from objects(value, f"{path}.{key}")
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from objects(value, f"{path}[{index}]")


@pytest.mark.parametrize("name", VERBS)
def test_each_schema_is_one(name: str) -> None:
    """
    Each schema is valid JSON Schema 2020-12 and has an address of its own, with its version.
    """
    document = schema(name)
    Draft202012Validator.check_schema(document)

    assert "https://json-schema.org/draft/2020-12/schema" == document["$schema"]
    assert f"urn:policyctl:schema:{name}:1" == document["$id"]
    assert f'"const": "{FORMAT_VERSIONS.get(name, "1.0")}"' in json.dumps(document)


@pytest.mark.parametrize("name", VERBS)
def test_each_property_is_described(name: str) -> None:
    """
    Every object is closed, and each of its properties says in words what it is.
    """
    document = schema(name)
    closed = dict(objects(document))
    undescribed = [
        f"{path}.{key}"
        for path, part in closed.items()
        for key, value in part["properties"].items()
        if not (value.get("description") or document["$defs"][value["$ref"].split("/")[-1]]["description"])
    ]

    assert [] == [path for path, part in closed.items() if part["additionalProperties"] is not False]
    assert [] == [path for path, part in closed.items() if set(part["required"]) != set(part["properties"])]
    assert [] == undescribed


def test_each_schema_has_nothing_unused() -> None:
    """
    What a schema defines is used in it.
    """
    for name in VERBS:
        document = schema(name)
        text = json.dumps(document)
        assert [] == [key for key in document.get("$defs", {}) if f'"#/$defs/{key}"' not in text]


def test_the_schemas_are_strict(loop: Path) -> None:
    """
    A document with one key less, one key more, or another version doesn't fit its schema.
    """
    for name, document in all_prints(loop):
        assert [] == faults(name, document)
        assert faults(name, {**document, "unheard_of": 1})
        assert faults(name, {**document, "format_version": "2.0"})
        for key in document:
            assert faults(name, {k: v for k, v in document.items() if k != key}), (name, key)


def test_the_schema_of_a_decision_knows_a_refusal(loop: Path) -> None:
    """
    A decision that serves has a model, a chain and a cost; a refusal has none of them, but a reason.
    """
    served = printed(loop, "select --complexity 4 --json")
    refused = printed(loop, "select --complexity 4 --requires-audio --json")

    assert ([], []) == (faults("select", served), faults("select", refused))
    for key in ("model", "provider", "chain", "cost_estimate_nusd", "refusal"):
        assert faults("select", {**served, key: refused[key]}), key
        assert faults("select", {**refused, key: served[key]}), key


# --- the documents -----------------------------------------------------------------------------------


@pytest.mark.parametrize("line", REQUESTS)
def test_decisions_fit(loop: Path, line: str) -> None:
    """
    What `select` and `explain` print fits its schema, for requests and stories, served and refused; both
    agree on all that both say.
    """
    select = printed(loop, f"select {line} --json --at {MONDAY_10}")
    explain = printed(loop, f"explain {line} --json --at {MONDAY_10}")

    assert [] == faults("select", select)
    assert [] == faults("explain", explain)
    del select["selection_time_ms"]
    assert select == {key: explain[key] for key in select}


def test_every_outcome_is_met(loop: Path) -> None:
    """
    Served, refused by a rule, refused by a budget and no model each have their outcome and exit code.
    """
    requests = {
        "served": (loop, "--complexity 4", 0),
        "refused by rule": (CASES, REFUSED_BY_RULE, 3),
        "refused by budget": (loop, "--complexity 8 --spend monthly=100%", 4),
        "no model": (loop, "--complexity 8 --requires-audio", 3),
    }
    for outcome, (at, line, code) in requests.items():
        for verb in ("select", "explain"):
            ran = call(verb, *shlex.split(line), "--json", at=at)
            assert (outcome, code, "") == (ran.json["outcome"], ran.code, ran.err)
            assert [] == faults(verb, ran.json)


@pytest.mark.parametrize(
    "line",
    [
        "--policy facts.policy --complexity 9.8 --risk 5",
        "--policy facts.policy --complexity 2 --stage staging --domain law",
        "--policy clock-and-money.policy --complexity 9 --spend weekly=100% --domain law",
        "--policy clock-and-money.policy --complexity 4 --spend google_month=100%",
    ],
)
def test_decisions_of_other_policies_fit(line: str) -> None:
    """
    Policies with budgets for a part, refusals and rules of all kinds print what fits.
    """
    assert [] == faults("select", printed(CASES, f"select {line} --json"))
    assert [] == faults("explain", printed(CASES, f"explain {line} --json"))


@pytest.mark.parametrize("name", ["haiku", "gemini-pro", "claude-sonnet", "production_deploy", "off_hours"])
@pytest.mark.parametrize("line", ["--complexity 4", "--complexity 4 --branch main --time-rules"])
def test_why_not_fits(loop: Path, name: str, line: str) -> None:
    """
    What `explain --why-not` prints fits the schema of `explain`.
    """
    document = printed(loop, f"explain {line} --why-not {name} --json")

    assert [] == faults("explain", document)
    assert ("rule" if "_" in name else "model") == document["kind"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("list", "list --json"),
        ("list", "list --json --verbose --available"),
        ("fallback-chain", "fallback-chain --provider opus --json"),
        ("table", "table --json"),
        ("findings", "validate --output-format json"),
        ("rule", "rule --json"),
        ("rule", "rule P601 --json"),
    ],
)
@pytest.mark.parametrize("policy", ["claude-loop", "facts", "clock-and-money"])
def test_other_documents_fit(loop: Path, name: str, line: str, policy: str) -> None:
    """
    What every other verb prints fits its schema, for policies of all kinds.
    """
    file = loop / "claude-loop.policy" if policy == "claude-loop" else CASES / f"{policy}.policy"
    provider = {"claude-loop": "opus", "facts": "huge", "clock-and-money": "large"}[policy]
    ran = call(*line.replace("opus", provider).split(), at=loop, env={"POLICYCTL_POLICY": str(file)})

    assert 0 == ran.code
    assert [] == faults(name, ran.json)


def test_findings_fit(tmp_path: Path) -> None:
    """
    Findings have their places, counted from 1, and fit their schema; so do those without a place.
    """
    (tmp_path / "a.policy").write_text(SOME_TYPOS, encoding="utf-8")
    ran = call("validate", "a.policy", "--output-format", "json", at=tmp_path)
    found = ran.json
    places = {d["code"]: d["location"]["start"] for d in found["diagnostics"]}

    assert (1, "") == (ran.code, ran.err)
    assert [] == faults("findings", found)
    assert (False, 3, 0, ["a.policy"]) == (
        found["valid"],
        found["error_count"],
        found["warning_count"],
        found["files"],
    )
    assert {
        "P201": {"line": 2, "column": 7, "offset": 67},
        "P203": {"line": 3, "column": 32, "offset": 153},
        "P202": {"line": 4, "column": 13, "offset": 170},
    } == places
    missing = call("validate", "none.policy", "--output-format", "json", at=tmp_path)
    assert 2 == missing.code
    assert [] == faults("findings", missing.json)


def test_a_finding_names_the_first_declaration(tmp_path: Path) -> None:
    """
    A name that is declared twice is told at the second place, with the first as a related one.
    """
    (tmp_path / "a.policy").write_text(SOME_TYPOS, encoding="utf-8")
    found = call("validate", "a.policy", "--output-format", "json", at=tmp_path).json
    twice = next(d for d in found["diagnostics"] if d["code"] == "P201")

    assert [1] == [other["location"]["start"]["line"] for other in twice["related"]]


def test_the_clock_of_an_explanation(loop: Path) -> None:
    """
    An explanation says for which moment it is, in the policy's zone, and in which windows that lies.
    """
    explained = printed(loop, "explain --complexity 1 --at 2026-01-05T15:00Z --json")

    assert {
        "at": "2026-01-05T10:00:00-05:00",
        "zone": "America/New_York",
        "windows": ["office_hours"],
    } == explained["clock"]


def test_money_is_exact(loop: Path) -> None:
    """
    Money comes as an integer of nano-USD; the dollars beside it are the same amount.
    """
    answer = printed(loop, "select --complexity 4 --preferred litellm/gpt-4o --json")

    assert (15_000_000, 0.015) == (answer["cost_estimate_nusd"], answer["cost_estimate_usd"])


def test_a_table_has_numbers(loop: Path) -> None:
    """
    A program reads where tiers start and from which percentage a budget level holds, without parsing words.
    """
    table = printed(loop, "table --json")
    lowered = table["levels"][1]

    assert [("cheap", 0, True), ("medium", 3, True), ("powerful", 6, True)] == [
        (tier["name"], tier["start"], tier["start_included"]) for tier in table["tiers"]
    ]
    assert ("monthly", 75, "downgrade", 1) == tuple(
        lowered[key] for key in ("budget", "percent", "action", "tiers")
    )
    assert ["claude-sonnet", "litellm/gpt-4o", "claude-code-cli"] == table["fallback"]
