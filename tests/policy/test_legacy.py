"""The older YAML form: the same statements as a policy would say, under the rules of docs/legacy.md."""

from __future__ import annotations

import importlib
import itertools
import json
import pkgutil
import random
import re
import textwrap

import pytest

from policyctl import Engine
from policyctl.deciding import price_book
from policyctl.policy import checks
from policyctl.policy import document as doc
from policyctl.policy.check import check_text
from policyctl.policy.load import Older, load_text
from policyctl.policy.parser import parse
from policyctl.policy.writer import policy_text
from policyctl.schemas.diagnostics import Severity
from policyctl.schemas.text import Source

from ..reference.generate import seeded
from .older_files import (
    CASES,
    EXAMPLE,
    ON_TOP,
    PAIRS,
    WHOLE,
    aliases,
    converted,
    found_in,
    policy_of,
    read,
    text_of,
    told,
)

# --- each printed form -----------------------------------------------------------------------------------


def on_top(case: str) -> str:
    """The known models and tiers of the example, with those of a case in their place, as a policy."""
    known = parse(Source("known", aliases(EXAMPLE.read_text(encoding="utf-8")))).statements
    said = parse(Source("case", (CASES / f"{case}.policy").read_text(encoding="utf-8"))).statements
    own = {s.key.text for s in said if isinstance(s, doc.Model)}
    models = [s for s in known if isinstance(s, doc.Model) and s.key.text not in own]
    tiers = [s for s in known if isinstance(s, doc.Tier)]
    return 'policy "x"\n' + policy_text(
        [*models, *([] if any(isinstance(s, doc.Tier) for s in said) else tiers), *said]
    )


@pytest.mark.parametrize("case", WHOLE)
def test_a_whole_file_is_the_policy_beside_it(case: str) -> None:
    """
    A file of the older form is, to the digest, the policy that stands beside it in the cases.
    """
    text = (CASES / f"{case}.policy").read_text(encoding="utf-8")
    expected = check_text(f'policy "x"\n{text}', price_book())

    assert expected.policy is not None, expected.report.diagnostics
    assert expected.policy.policy.digest == policy_of(text_of(case)).digest


@pytest.mark.parametrize("case", ON_TOP)
def test_a_block_alone_counts_on_top_of_the_known_models(case: str) -> None:
    """
    A block printed alone is, to the digest, the known models with what the case's policy says.
    """
    expected = check_text(on_top(case), price_book())

    assert expected.policy is not None, expected.report.diagnostics
    assert expected.policy.policy.digest == policy_of(text_of(case)).digest


@pytest.mark.parametrize("case", [*WHOLE, *ON_TOP])
def test_what_is_converted_is_the_same_policy(case: str) -> None:
    """
    The text of a file's statements is a policy without errors, and equal to the file.
    """
    checked = check_text(converted(text_of(case)), price_book())

    assert not checked.report.has_errors
    assert checked.policy is not None
    assert policy_of(text_of(case)).digest == checked.policy.policy.digest


def test_a_converted_file_says_what_it_was_and_what_it_lost() -> None:
    """
    The policy is headed by the file's name, without its folder, and by what was left out, with its line.
    """
    lines = converted(text_of("list")).splitlines()

    assert "# Converted from x.yaml." == lines[0]
    assert "# Left out, or said otherwise than there:" == lines[2]
    assert (
        "# - line 11: `description` has no meaning in a policy and is left out, here and in 9 more places"
        == lines[3]
    )
    assert 'policy "x"' == lines[14]
    assert "end" == lines[-1]


def test_a_converted_file_says_what_it_takes_for_granted() -> None:
    """
    The known models, and the zone of windows, are told where the file doesn't say them.
    """
    text = text_of("time_rules")

    assert "that of the thirteen known models" in converted(text)
    assert "Windows are read in UTC" in converted(text)
    assert "UTC" not in converted(text + "timezone: Europe/Berlin\n")
    assert "thirteen" not in converted(text_of("map"))


@pytest.mark.parametrize("key", ["x\nnever use opus", "x\\", 'x"', "x" * 300])
def test_no_key_gets_out_of_the_comment(key: str) -> None:
    """
    Whatever stands in a key that is left out, it is one line of comment.
    """
    text = f"{json.dumps(key)}: 1\n{text_of('map')}"
    checked = check_text(converted(text), price_book())

    assert not checked.report.has_errors
    assert checked.policy is not None
    assert () == checked.policy.policy.limits


def test_every_case_is_looked_at() -> None:
    """
    No file of the cases is left aside.
    """
    assert sorted([*WHOLE, *ON_TOP, "custom_model"]) == sorted(path.stem for path in CASES.glob("*.yaml"))


def test_the_known_models_are_those_of_the_example() -> None:
    """
    The thirteen models, their prices and their tiers are those of examples/claude-loop.
    """
    policy = policy_of(text_of("domains"))
    example = Engine.load(EXAMPLE).policy

    assert 13 == len(policy.models)
    for key, model in example.models.items():
        same = ("id", "price_in_nusd_per_mtok", "price_out_nusd_per_mtok", "capabilities", "context_tokens")
        same += ("output_tokens", "timeout_s", "enabled")
        assert [getattr(model, f) for f in same] == [getattr(policy.models[key], f) for f in same]
    assert [(t.name, t.start, t.above, t.models) for t in example.tiers] == [
        (t.name, t.start, t.above, t.models) for t in policy.tiers
    ]


# --- the map file decides as the document expects --------------------------------------------------------


ENGINE = Engine.from_text(text_of("map"), "lib/x.yaml")
SETS = [frozenset(s) for n in range(4) for s in itertools.combinations(("vision", "tools", "json_mode"), n)]


def test_the_map_file_and_its_conversion_decide_alike() -> None:
    """
    Every complexity from 0 to 10 by tenths, with every set of capabilities, gives the same chain.
    """
    other = Engine.from_text(converted(text_of("map")))

    for tenths, requires in itertools.product(range(101), SETS):
        asked = {"complexity": tenths / 10, "requires": requires}
        assert ENGINE.decide(**asked) == other.decide(**asked)


@pytest.mark.parametrize(
    ("complexity", "requires", "heads"),
    [
        (1, [], {"deepseek-chat", "gemini-flash", "litellm/gpt-4o-mini"}),
        (4, [], {"gemini-pro", "litellm/gpt-4o", "claude-sonnet"}),
        (8, [], {"claude-opus", "litellm/o1"}),
        (2, ["vision"], {"gemini-flash", "gemini-thinking", "litellm/gpt-4o-mini", "claude-haiku"}),
        (7, ["tools"], {"claude-opus"}),
    ],
)
def test_the_map_file_selects_what_its_document_expects(
    complexity: float, requires: list[str], heads: set[str]
) -> None:
    """
    Cheap, medium and powerful tasks get a model of their tier; vision and tools one that can do them.
    """
    decision = ENGINE.decide(complexity=complexity, requires=requires)

    assert decision.chain[0] in heads
    assert "claude-code-cli" == decision.chain[-1]


def test_a_domain_finds_its_model_at_any_tier() -> None:
    """
    A story of complexity 5 in domain large_context gets gemini-flash, then opus, then the backups.
    """
    chain = Engine.load(CASES / "domains.yaml").decide(complexity=5, domain="large_context").chain
    expected = ["gemini-flash", "claude-opus", "claude-sonnet", "litellm/gpt-4o", "claude-code-cli"]

    assert expected == list(chain)


# --- what is left out, and what is refused ---------------------------------------------------------------


def test_each_key_without_meaning_is_named_once() -> None:
    """
    Keys without meaning are warnings at their first place, blocks as a whole.
    """
    keys = ["description", "track_per_story", "track_per_iteration", "log_file", "auto_approve_threshold_usd"]
    keys += [
        "cache_selection",
        "cache_ttl_seconds",
        "max_concurrent_requests",
        "vision_timeout_seconds",
        "logging",
    ]

    assert [("P120", key) for key in keys] == told(text_of("list"))
    assert "here and in 9 more places" in found_in(text_of("list"))[0].message


@pytest.mark.parametrize(
    ("text", "key", "help"),
    [
        ("claude-haiku: {enabld: true, timeout: 5}", "enabld", "did you mean `enabled`?"),
        ("timeRules: []\ndomainRoutings: []", "domainRoutings", "did you mean `domainRouting`?"),
        (
            "budget: {monthly_limit_usd: 5, alert_treshold: []}",
            "alert_treshold",
            "did you mean `alert_thresholds`?",
        ),
    ],
)
def test_a_misspelt_key_is_recognised(text: str, key: str, help: str) -> None:
    """
    A key that is nearly one with a meaning gets a suggestion.
    """
    (finding,) = found_in(text)

    assert [("P120", key)] == told(text)
    assert help == finding.help


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("providers: 5", ("P123", "5")),
        ("providers: [5]", ("P123", "5")),
        ("providers: [{enabled: true}]", ("P123", "enabled")),
        ("providers: {m: 5}", ("P123", "5")),
        ("providers: [{name: [x], model: y}]", ("P123", "[")),
        ("providers: [{name: mine, cost_per_1m_input: 1, timeout: 5}]", ("P123", "mine")),
        ("providers: [{name: mine, model: [x]}]", ("P123", "[")),
        (
            "providers: [{name: m, model: gpt-9, cost_per_1m_input: 1, cost_per_1m_output: x}]",
            ("P123", "x"),
        ),
        (
            "providers: [{name: haiku, complexity_threshold: [0, 10]}, {name: opus}]",
            ("P126", "opus"),
        ),
        ("price_unit: 1m\nproviders: [{name: m, model: gpt-9, cost_per_1k_input: 1}]", ("P123", "m")),
        ("providers: [{name: haiku, cost_per_1m_input: cheap}]", ("P123", "cheap")),
        ("providers: [{name: haiku, cost_per_1m_input: -1}]", ("P123", "-1")),
        ("providers: [{name: haiku, cost_per_1m_input: .inf}]", ("P123", ".inf")),
        ("providers: [{name: haiku, cost_per_1m_input: 1e99}]", ("P123", "1e99")),
        (
            "providers: [{name: haiku, cost_per_1m_input: 1, input_cost_per_1k: 2}]",
            ("P215", "cost_per_1m_input"),
        ),
        ("providers: [{name: haiku, enabled: maybe}]", ("P123", "maybe")),
        ("providers: [{name: haiku, enabled: 1}]", ("P123", "1")),
        ("providers: [{name: haiku, capabilities: 5}]", ("P123", "5")),
        ("providers: [{name: haiku, capabilities: [sight]}]", ("P210", "sight")),
        ("providers: [{name: haiku, capabilities: {vision: maybe}}]", ("P123", "maybe")),
        ("providers: [{name: haiku, parameters: 5}]", ("P123", "5")),
        ("providers: [{name: haiku, parameters: {temperature: -1}}]", ("P126", "-1")),
        ("providers: [{name: haiku, parameters: {stop: [a]}}]", ("P120", "stop")),
        ("providers: [{name: haiku, complexity_threshold: 3}]", ("P123", "3")),
        ("providers: [{name: haiku, complexity_threshold: [3]}]", ("P123", "[")),
        ("providers: [{name: haiku, complexity_threshold: [5, 2]}]", ("P123", "[")),
        ("providers: [{name: haiku, tier: gold}]", ("P123", "gold")),
        ("providers: [{name: haiku}, {name: haiku}]", ("P201", "haiku")),
        ("customTiers: [{name: t, providers: [haiku]}]", ("P123", "t")),
        ("customTiers: [{name: t, use_for_complexity: [0, 10]}]", ("P123", "t")),
        ("customTiers: [{name: t, providers: [haiko], use_for_complexity: [0, 10]}]", ("P203", "haiko")),
        ("timeRules: [{name: t, preferred_tier: cheap}]", ("P123", "name")),
        ("timeRules: [{name: t, schedule: Mon all day}]", ("P123", "name")),
        ("timeRules: [{name: t, schedule: Mon all day, preferred_tier: chep}]", ("P204", "chep")),
        ("timeRules: {name: t}", ("P123", "name")),
        ("domainRouting: [{domain: math}]", ("P123", "domain")),
        ("domainRouting: [{preferred_providers: [opus]}]", ("P123", "preferred_providers")),
        ("domainRouting: [{domain: none, preferred_providers: [opus]}]", ("P216", "none")),
        ("budget: {alert_thresholds: []}", ("P123", "alert_thresholds")),
        ("budget: {monthly_limit_usd: lots}", ("P123", "lots")),
        ("budget: {monthly_limit_usd: 5, alert_thresholds: [{percent: 5}]}", ("P123", "percent")),
        ("budget: {monthly_limit_usd: 5, alert_thresholds: [{action: log_warning}]}", ("P123", "action")),
        (
            "budget: {monthly_limit_usd: 5, alert_thresholds: [{percent: 5, action: shout}]}",
            ("P123", "shout"),
        ),
        ("cost_management: {monthly_budget_usd: 1}\nbudget: {monthly_limit_usd: 5}", ("P201", "1")),
        ("alerts: [{name: a, condition: daily_cost > 1, action: call}]", ("P123", "call")),
        ("alerts: [{name: a, condition: daily_cost > 1, action: email}]", ("P123", "name")),
        ("alerts: [{name: a, condition: daily_cost > 1, action: email, email: x}]", ("P308", "x")),
        ("alerts: [{name: a, action: log_warning}]", ("P123", "name")),
        ("complexity_thresholds: {cheap_tier: 5}", ("P123", "5")),
        ("complexity_thresholds: {medium_tier: [7, 8]}", ("P401", "complexity_thresholds")),
        ("routing: {strategy: always_best}", ("P123", "always_best")),
        ("routing: {thresholds: {simple: 7, medium: 3}}", ("P401", "3")),
        ("routing: {fallback_chain: [opus, opus]}", ("P215", "opus")),
        ("routing: {retry: {max_attempts: 1000}}", ("P303", "1000")),
        ("timeRules: []\nprice_unit: 1t", ("P123", "1t")),
        ("timeRules: []\ntimezone: Nowhere", ("P214", "Nowhere")),
        ("providers: []\ntiers: {}", ("P124", "tiers")),
        ("a: &x [1]\nproviders: *x", ("P109", "&x [")),
        ("timeRules: []\ntimeRules: []", ("P201", "timeRules")),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(text: str, expected: tuple[str, str]) -> None:
    """
    Each value of another kind, missing key or unknown word is one finding, with its place.
    """
    assert [expected] == told(text)


def test_a_zone_may_be_said() -> None:
    """
    Schedules are read in UTC unless the file names a time zone.
    """
    assert "UTC" == policy_of(text_of("time_rules")).timezone
    assert "Europe/Berlin" == policy_of(text_of("time_rules") + "timezone: Europe/Berlin").timezone


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("budgets: {b: {is: $5 per day}}", "P403"),
        ("budget: 5", "P110"),
        ("alerts: {a: {when: daily_cost is above $5, log: true}}", "P403"),
        ("models: {m: {is: offline/m, costs: nothing}}\nbudget: {}", "P110"),
        ("modles: {m: {is: offline/m}}", "P110"),
        ("logging: {level: info}", "P110"),
    ],
)
def test_a_policy_in_yaml_stays_one(text: str, code: str) -> None:
    """
    Without a key of the older form a file is a policy in YAML, whatever else is wrong with it.
    """
    assert code in [found for found, _ in told(text)]
    assert not load_text(text, price_book(), "x.yaml").legacy


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("models: {m: {is: offline/m}}", "P124"),
        ("just a text", "P123"),
        ("[1, 2]", "P123"),
        ("foo: 1", "P123"),
        ("{", "P109"),
    ],
)
def test_a_file_that_must_be_of_the_older_form_says_if_it_is_not(text: str, code: str) -> None:
    """
    Where somebody says that a file is of the older form, and it isn't, that is told.
    """
    assert [code] == [found for found, _ in told(text, Older(forced=True))]


@pytest.mark.parametrize(("kind", "keys"), [("block", ON_TOP), ("file", WHOLE)], ids=["blocks", "files"])
def test_a_file_of_the_older_form_is_recognised(kind: str, keys: list[str]) -> None:
    """
    Each of the printed forms is known by its keys.
    """
    assert [{"x.yaml"}] * len(keys) == [load_text(text_of(k), price_book(), "x.yaml").legacy for k in keys]


OLDER_PAGES = [m.name for m in pkgutil.iter_modules(checks.__path__) if m.name.startswith("p12")]


@pytest.mark.parametrize("name", OLDER_PAGES)
def test_the_pages_show_what_they_say(name: str) -> None:
    """
    The example of a page gives its code and no other error; what stands instead gives no finding.
    """
    page = importlib.import_module(f"{checks.__name__}.{name}")
    example, instead = (page.__doc__ or "").partition("\nExample\n")[2].split("\nInstead\n")
    found = found_in(textwrap.dedent(example))

    assert page.CODE in {d.code for d in found}
    assert {page.CODE} >= {d.code for d in found if d.severity is Severity.ERROR}
    assert [] == told(textwrap.dedent(instead))


# --- hostile files ---------------------------------------------------------------------------------------


ODD_VALUES = [
    *("null", "~", "[]", "{}", "''", "5", "-5", "1e999", ".nan", "99999999999999999999999", "true", "no"),
    *("x", "[1, 2]", "[[[]]]", "{a: {b: c}}", '"\\x22"', "2026-01-01", "0x10", "$HOME", "a b", "é"),
    *("[null]", "[{}]", "{name: }"),
]


def spoilt(rng: random.Random, text: str) -> str:
    """A file with one to three lines changed: values replaced, lines dropped, doubled, moved or indented."""
    lines = text.splitlines()
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(lines))
        kind = rng.randrange(6)
        if kind < 3:
            key, colon, _ = lines[at].partition(": ")
            value = rng.choice(ODD_VALUES)
            lines[at] = f"{key}: {value}" if colon else f"{key.rstrip(':')}: {value}"
        elif kind == 3:
            del lines[at]
        elif kind == 4:
            lines.insert(at, lines[rng.randrange(len(lines))])
        else:
            inner = re.findall(r"[\w./-]+", lines[at])
            lines[at] = lines[at].replace(rng.choice(inner), rng.choice(ODD_VALUES), 1) if inner else ""
        if not lines:
            return ""
    return "\n".join(lines)


def test_spoilt_files_are_answered() -> None:
    """
    Whatever is wrong in a file of the older form, there are findings with places, or a policy.
    """
    rng = seeded("older files")
    texts = [text_of(case) for case in (*WHOLE, *ON_TOP, "custom_model")]
    refused = 0
    for _ in range(max(500, PAIRS // 200)):
        text = spoilt(rng, rng.choice(texts))
        checked = read(text)
        refused += checked.policy is None
        for found in checked.report.diagnostics:
            assert found.code == "P403" or found.span is not None, (found, text)
            if found.span is not None and found.span.source == "x.yaml":
                assert 0 <= found.span.start <= found.span.end <= len(text) + 1, (found, text)
        if checked.policy is None:
            assert checked.report.has_errors
    assert 100 < refused


@pytest.mark.parametrize(
    "text",
    [
        "providers:\n" + "  - {name: haiku}\n" * 2000,
        "providers:\n" + "".join(f"  - {{name: deepseek-{i}, model: gpt-4o}}\n" for i in range(2000)),
        "routing:\n  fallback_chain: [" + "deepseek, " * 20000 + "opus]",
        "timeRules:\n" + "  - 5\n" * 20000,
        "alerts:\n" + "  - {name: a, webhook_url: abc}\n" * 2000,
        'timeRules:\n  - {name: t, preferred_tier: cheap, schedule: "' + "Mon, " * 40000 + '"}',
        'timeRules:\n  - {name: t, preferred_tier: cheap, trigger: "git branch | grep '
        + "a" * 200000
        + ';"}',
        "".join(f"k{i}: 1\n" for i in range(5000)) + "providers: []",
        "customTiers:\n" + "  - {name: t, providers: [opus], use_for_complexity: [0, 10]}\n" * 1000,
    ],
)
def test_huge_files_are_answered(text: str) -> None:
    """
    A file of many or long parts ends in findings, soon.
    """
    assert len(found_in(text)) <= 200
