"""The YAML twin: the same policy whichever surface, with places, and nothing of YAML that hides a meaning."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from policyctl.deciding import price_book
from policyctl.policy.check import check_files, check_text
from policyctl.policy.files import published_schema
from policyctl.schemas.checked import Checked

from ..reference.generate import seeded

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "claude-loop"
TWIN = EXAMPLE / "claude-loop.yaml"

HEAD = """\
model haiku is offline/haiku costs $1 in, $5 out
model opus is offline/opus costs $5 in, $25 out
tier cheap from complexity 0 has haiku
tier strong from complexity 6 has opus
input private is yes or no default no
window office is Mon to Fri 09:00 to 17:00
"""
YAML_HEAD = {
    "models": {
        "haiku": {"is": "offline/haiku", "costs": "$1 in, $5 out"},
        "opus": {"is": "offline/opus", "costs": "$5 in, $25 out"},
    },
    "tiers": {"cheap": {"from": 0, "has": ["haiku"]}, "strong": {"from": 6, "has": "opus"}},
    "inputs": {"private": {"is": "yes or no", "default": "no"}},
    "windows": {"office": "Mon to Fri 09:00 to 17:00"},
}

TWINS = [
    ('policy "x" version 2', {"policy": "x", "version": 2}),
    ("timezone Europe/Berlin", {"timezone": "Europe/Berlin"}),
    ("baseline opus", {"baseline": "opus"}),
    ("estimate 128k in, 1M out", {"estimate": "128k in, 1M out"}),
    (
        "model m is offline/m costs nothing can vision, tools context 128k output 8192 timeout 2m "
        'set temperature 0.2, top_p 0.9 alias a, b key SOME_KEY server "http://127.0.0.1:1/v1" disabled',
        {
            "models": {
                "m": {
                    "is": "offline/m",
                    "costs": "nothing",
                    "can": ["vision", "tools"],
                    "context": "128k",
                    "output": 8192,
                    "timeout": "2m",
                    "set": {"temperature": 0.2, "top_p": 0.9},
                    "alias": ["a", "b"],
                    "key": "SOME_KEY",
                    "server": "http://127.0.0.1:1/v1",
                    "disabled": True,
                }
            }
        },
    ),
    ("tier top above complexity 8.5 has opus", {"tiers": {"top": {"above": 8.5, "has": ["opus"]}}}),
    (
        "input stage is one of dev, prod default dev from env STAGE",
        {"inputs": {"stage": {"is": "one of dev, prod", "default": "dev", "env": "STAGE"}}},
    ),
    ('input team is text default "a b"', {"inputs": {"team": {"is": "text", "default": "a b"}}}),
    ("input score is 0 to 10 default 2.5", {"inputs": {"score": {"is": "0 to 10", "default": 2.5}}}),
    ("window quiet is outside office", {"windows": {"quiet": "outside office"}}),
    ('window freeze is cron "* * 24-31 12 *"', {"windows": {"freeze": 'cron "* * 24-31 12 *"'}}),
    (
        'rule r when branch is "main" or when private is yes use tier strong because "Why not."',
        {
            "rules": {
                "r": {
                    "when": ['branch is "main"', "private is yes"],
                    "use": "tier strong",
                    "because": "Why not.",
                }
            }
        },
    ),
    ("rule r use opus, haiku", {"rules": {"r": {"use": ["opus", "haiku"]}}}),
    ('rule "story" use opus', {"rules": {"story": {"use": "opus"}}}),
    ("never use opus when private is yes", {"limits": [{"never_use": "opus", "when": "private is yes"}]}),
    ("only use opus", {"limits": [{"only_use": ["opus"]}]}),
    (
        'refuse when private is yes because "Not yet."',
        {"limits": [{"refuse_when": "private is yes", "because": "Not yet."}]},
    ),
    ("domain law prefers opus at any tier", {"domains": {"law": {"prefers": ["opus"], "at_any_tier": True}}}),
    ("domain law", {"domains": {"law": None}}),
    (
        "budget b is $1,500 per month for provider offline at 50% warn at 100% pause",
        {
            "budgets": {
                "b": {
                    "is": "$1,500 per month",
                    "for": "provider offline",
                    "levels": {"50%": "warn", "100%": "pause"},
                }
            }
        },
    ),
    (
        "escalate to next tier when gate tests fails escalate from cheap to strong on timeout, overloaded",
        {"escalate": ["to next tier when gate tests fails", "from cheap to strong on timeout, overloaded"]},
    ),
    (
        "fallback to next 2 of tier, opus in parallel",
        {"fallback": {"to": ["next 2 of tier", "opus"], "in_parallel": True}},
    ),
    ("fallback to opus, haiku", {"fallback": ["opus", "haiku"]}),
    ("hedge after 10s", {"hedge": "10s"}),
    (
        "retry 3 attempts wait 1s doubling up to 30s on rate_limit, overloaded wait 60s "
        "on timeout next model retry for opus 2 attempts wait 500ms doubling",
        {
            "retry": [
                {
                    "attempts": 3,
                    "wait": "1s",
                    "doubling": "up to 30s",
                    "on": {"rate_limit, overloaded": "wait 60s", "timeout": "next model"},
                },
                {"for": "opus", "attempts": 2, "wait": "500ms", "doubling": True},
            ]
        },
    ),
    (
        'alert a when daily_cost is above $20 email "a@b.example" '
        "alert b when fallback_rate is above 20% log",
        {
            "alerts": {
                "a": {"when": "daily_cost is above $20", "email": "a@b.example"},
                "b": {"when": "fallback_rate is above 20%", "log": True},
            }
        },
    ),
    (
        "promise p at least 2 providers when private is no",
        {"promises": {"p": {"claim": "at least 2 providers", "when": "private is no"}}},
    ),
    ("example complexity is 8 gives opus", {"examples": [{"when": "complexity is 8", "gives": "opus"}]}),
    ("end", {"end": True}),
]


def check(text: str) -> Checked:
    return check_text(text, price_book(), "x.yaml")


def merged(extra: dict[str, object]) -> str:
    """The head and a statement as YAML; JSON is YAML too, and needs no writer of our own."""
    document: dict[str, object] = json.loads(json.dumps(YAML_HEAD))
    for key, value in extra.items():
        here = document.get(key)
        document[key] = {**here, **value} if isinstance(here, dict) and isinstance(value, dict) else value
    return json.dumps(document, indent=1)


def findings(text: str) -> list[tuple[str, str]]:
    """The code of each finding, and the text it points at."""
    found = check(text).report.diagnostics
    return [(d.code, "" if d.span is None else text[d.span.start : d.span.end]) for d in found]


@pytest.mark.parametrize(("words", "tree"), TWINS, ids=[words[:40] for words, _ in TWINS])
def test_both_surfaces_give_the_same_policy(words: str, tree: dict[str, object]) -> None:
    """
    A statement means the same in .policy text and in YAML.
    """
    text = check_text(HEAD + words, price_book())
    twin = check(merged(tree))

    assert ((), ()) == (text.report.diagnostics, twin.report.diagnostics)
    assert text.policy is not None
    assert twin.policy is not None
    assert text.policy.policy.digest == twin.policy.policy.digest


def test_the_example_has_an_equal_twin() -> None:
    """
    claude-loop.yaml is claude-loop.policy, to the digest.
    """
    one, other = (check_files([EXAMPLE / f"claude-loop.{end}"], price_book()) for end in ("policy", "yaml"))

    assert one.policy is not None
    assert other.policy is not None
    assert one.policy.policy.digest == other.policy.policy.digest


@pytest.mark.parametrize(
    "scalar",
    [
        "private is yes and brnch is main",
        "'private is yes and brnch is main'",
        '"private is yes and brnch is main"',
        "|\n      private is yes\n      and brnch is main",
        ">-\n      private is yes\n\n      and\n      brnch is main",
        "private is yes\n      and brnch is main",
        '"private \\\n      is yes and \\u0062rnch is main"',
    ],
)
def test_places_are_right_in_every_kind_of_scalar(scalar: str) -> None:
    """
    A finding points at the very word, in plain, quoted, literal and folded texts.
    """
    text = f"rules:\n  r:\n    when: {scalar}\n    use: opus\n" + yaml_of(YAML_HEAD)
    code, where = findings(text)[0]

    assert "P202" == code
    assert where in ("brnch", "\\u0062rnch")


def yaml_of(tree: dict[str, object]) -> str:
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in tree.items())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: &x [1]\nb: *x", "P109"),
        ("models: {m: &x {is: offline/m}, n: {<<: *x}}", "P109"),
        ("<<: {policy: x}", "P109"),
        ("policy: !!python/object/apply:os.system [ls]", "P109"),
        ("policy: !mine x", "P109"),
        ("%YAML 1.1\n---\npolicy: x", "P109"),
        ("%TAG ! tag:x,2000:\n---\npolicy: x", "P109"),
        ("policy: x\n---\npolicy: y", "P109"),
        ("policy: x\npolicy: y", "P201"),
        ("? [a, b]\n: c", "P109"),
        ("policy: [", "P109"),
        ('policy: "x', "P109"),
        ("policy:\tx: y", "P109"),
        ("- " * 10_000 + "x", "P109"),
        ("{" * 10_000, "P109"),
        ("a: " + "[" * 5_000 + "]" * 5_000, "P109"),
        ("[" + "x, " * 60_000 + "x]", "P109"),
        ("just a text", "P110"),
        ("- policy: x", "P110"),
        ("no: 1", "P110"),
        ("true: 1", "P110"),
        ("models: {no: {is: 5}}", "P110"),
        ("policy: sk-ant-aaaaaaaaaaaaaaaaaaaaaaaa", "P601"),
        ("policy: x\u202e", "P103"),
        ("policy: x\x00", "P103"),
        ("", "P403"),
    ],
)
def test_hostile_yaml_is_answered(text: str, code: str) -> None:
    """
    Bombs, tags, directives, duplicate keys, several documents and deep nesting are findings.
    """
    assert code in [found for found, _ in findings(text)]
    assert check(text).policy is None


def test_an_alias_bomb_is_not_expanded() -> None:
    """
    Nine levels of nine aliases each end at the first anchor.
    """
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]

    assert [("P109", "&a0 [")] == findings("\n".join(lines))


BROKEN = [
    ("modles: {}", "modles"),
    ("policy: [x]", ""),
    ("policy: x\nversion: [1]", ""),
    ("version: 1", "version"),
    ("include: {a: b}", ""),
    ("estimate: 5", ""),
    ("models: [m]", ""),
    ("models: {m: offline/m}", ""),
    ("models: {m: {costs: nothing}}", "costs"),
    ("models: {m: {is: offline/m, cost: nothing}}", "cost"),
    ("models: {m: {is: offline/m, can: {vision: true}}}", ""),
    ("models: {m: {is: offline/m, set: {temperature: warm}}}", "warm"),
    ("models: {m: {is: offline/m, disabled: 1}}", "1"),
    ("models: {m: {is: offline/m, context: [1]}}", ""),
    ("models: {m: {is: offline/m, alias: []}}", ""),
    ("tiers: {t: {from: 0}}", "from"),
    ("tiers: {t: {from: low, has: [m]}}", "low"),
    ("tiers: {t: {from: 11, has: [m]}}", "11"),
    ("tiers: {t: {from: -1, has: [m]}}", "-1"),
    ("tiers: {t: {has: [m]}}", "has"),
    ("tiers: {t: {from: 0, above: 1, has: [m]}}", "from"),
    ("inputs: {i: yes or no}", "yes or no"),
    ("inputs: {i: {default: 1}}", "default"),
    ("windows: {w: [Mon]}", ""),
    ("windows: [w]", ""),
    ("rules: [{name: r}]", ""),
    ("rules: {r: {when: private is yes}}", "when"),
    ("rules: {r: {use: opus, wen: x}}", "wen"),
    ("rules: {r: {use: opus, when: {a: b}}}", ""),
    ("rules: {r: {use: opus, because: [x]}}", ""),
    ("limits: {never_use: opus}", "never_use"),
    ("limits: [{when: private is yes}]", "when"),
    ("limits: [{never_use: opus, only_use: haiku}]", "never_use"),
    ("domains: {d: [opus]}", ""),
    ("domains: {d: {prefers: [opus], at_any_tier: maybe}}", "maybe"),
    ("budgets: {b: $5 per day}", "$5 per day"),
    ("budgets: {b: {levels: {50%: warn}}}", "levels"),
    ("budgets: {b: {is: $5 per day, levels: [warn]}}", ""),
    ("budgets: {b: {is: $5 per day, levels: {50%: [warn]}}}", ""),
    ("escalate: {to: next}", "to"),
    ("fallback: {in_parallel: true}", "in_parallel"),
    ("fallback: {to: [a], parallel: true}", "parallel"),
    ("hedge: 10", "10"),
    ("retry: {attempts: 3, wait: 1s}", "attempts"),
    ("retry: [{attempts: 3}]", "attempts"),
    ("retry: [{attempts: 0, wait: 1s}]", "0"),
    ("retry: [{attempts: three, wait: 1s}]", "three"),
    ("alerts: {a: {log: true}}", "log"),
    ("alerts: {a: {when: daily_cost is above $5}}", "when"),
    ("alerts: {a: {when: daily_cost is above $5, log: true, email: a@b.example}}", "when"),
    ("promises: {p: at least 2 providers}", "at least 2 providers"),
    ("promises: {p: {when: private is yes}}", "when"),
    ("examples: [{when: complexity is 1}]", "when"),
    ("examples: complexity is 1 gives opus", "complexity is 1 gives opus"),
    ("end: 1", "1"),
]


@pytest.mark.parametrize(("line", "where"), BROKEN, ids=[line for line, _ in BROKEN])
def test_what_has_another_shape_is_found_at_its_place(line: str, where: str) -> None:
    """
    A wrong key, a missing key or another kind of value is a P110 at that key or value.
    """
    text = yaml_of({k: v for k, v in YAML_HEAD.items() if not line.startswith(k)}) + line
    found = [(code, at) for code, at in findings(text) if code == "P110"]

    assert 1 == len(found), found
    assert not where or where == found[0][1]


@pytest.mark.parametrize(("line", "where"), BROKEN, ids=[line for line, _ in BROKEN])
def test_the_published_schema_rejects_the_same(line: str, where: str) -> None:
    """
    An editor that knows only the schema marks what `validate` reports; asked of another maker's validator.
    """
    value = YAML(typ="safe", pure=True).load(line)

    assert not jsonschema_rs.validator_for(published_schema("policy")).is_valid(value)


SHARE = 150
"""Spoilt twins a run."""


def test_the_schema_and_the_checker_agree_on_spoilt_policies() -> None:
    """
    A key taken away, renamed or added, a value of another kind: the schema alone rejects what is P110.
    """
    rng = seeded("spoilt twins")
    whole = YAML(typ="safe", pure=True).load(TWIN.read_text(encoding="utf-8"))
    validator = jsonschema_rs.validator_for(published_schema("policy"))
    disagree = []
    for _ in range(SHARE):
        value = spoilt(rng, copy.deepcopy(whole))
        shaped = "P110" not in [d.code for d in check(json.dumps(value)).report.diagnostics]
        if shaped != validator.is_valid(value):
            disagree.append((value, list(validator.iter_errors(value))))

    assert [] == disagree


def spoilt(rng: random.Random, tree: Any) -> Any:
    """
    A document with one thing wrong, somewhere at any depth.
    """
    places = list(containers(tree))
    holder = rng.choice([place for place in places if len(place)])
    key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
    match rng.randrange(4):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[rng.choice(KEYS)] = holder.pop(key)
        case 2 if isinstance(holder, dict):
            holder[rng.choice(KEYS)] = copy.deepcopy(rng.choice(list(holder.values())))
        case _:
            holder[key] = copy.deepcopy(rng.choice(VALUES))
    return tree


KEYS = (
    "is",
    "from",
    "above",
    "log",
    "email",
    "use",
    "when",
    "has",
    "never_use",
    "refuse_when",
    "end",
    "for",
    "x",
)
VALUES: tuple[Any, ...] = (
    True,
    False,
    0,
    11,
    -1.5,
    "text",
    "",
    None,
    [],
    {},
    ["a"],
    [1],
    {"a": "b"},
    [["a"]],
    [{}],
)


def containers(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict | list):
        yield tree
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from containers(item)


def test_the_schema_is_one() -> None:
    """
    The published schema follows its metaschema, and describes every property.
    """
    schema = published_schema("policy")
    Draft202012Validator.check_schema(schema)

    assert [] == [
        name
        for definition in [schema, *schema["$defs"].values()]
        for name, value in definition.get("properties", {}).items()
        if "$ref" not in value and not value.get("description")
    ]
