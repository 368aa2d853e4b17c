"""`policyctl plan`: its page, its groups, CSV and JSON, its exit codes, and what a hostile PRD does to it."""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from syrupy.assertion import SnapshotAssertion

import policyctl
from policyctl.cli.output import cells
from policyctl.cli.planning import Money, cut, places_for, spread
from policyctl.cli.verbs.plan import COLUMNS

from .command import CHECKOUT, MONDAY_10, Ran, call, copy_of_loop

SCHEMA: dict[str, Any] = json.loads(
    (Path(policyctl.__file__).parent / "schemas" / "plan.schema.json").read_text(encoding="utf-8")
)

POLICY = """\
policy "shop"
timezone Europe/Berlin
baseline large
estimate 2000 in, 1000 out
model tiny       is offline/tiny           costs $0.14 in, $0.28 out  can tools, json_mode
model small      is anthropic/small        costs $0.25 in, $1.25 out  can vision, tools
model mid/vision is litellm/mid            costs $2.50 in, $10 out    can vision, tools, json_mode
model large      is anthropic/large        costs $15 in, $75 out      can vision, tools
tier cheap    from complexity 0 has tiny, small
tier medium   from complexity 3 has mid/vision
tier powerful from complexity 6 has large
input private is yes or no default no from env PRIVATE_CODE
never use tiny when private is yes
refuse when branch is "frozen" because "Nothing goes out before the audit."
domain pictures prefers mid/vision at any tier
budget monthly is $1 per month
  at 20%  warn
  at 50%  downgrade 1 tier
  at 100% pause
budget each is $0.20 per story
  at 50% warn
fallback to small
"""

STORIES: list[dict[str, Any]] = [
    {"id": "S-1", "title": "Fix the typing error on the imprint", "complexity": 0, "passes": True},
    {"id": "S-2", "title": "Read the totals off the scanned invoices", "complexity": 4, "domain": "pictures",
     "estimatedTokens": {"input": 30001, "output": 2000}},
    {"id": "S-3", "title": "Let customers sign in with the account of their company", "complexity": 8,
     "dependencies": ["S-4", "S-1"],
     "delegation": {"subtasks": [
         {"title": "Add the sign-in page", "complexity": 2},
         {"title": "Check tokens on every request, those of the machines too", "complexity": 4},
     ]}},
    {"id": "S-4", "title": "Move the addresses", "complexity": "low", "private": True},
    {"id": "S-5", "title": "Listen to customers", "complexity": 2, "required_capabilities": ["audio"]},
    {"id": "S-6", "title": "Write the answers", "complexity": 7, "dependencies": ["S-5", "S-0"]},
]  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """
    A checkout with a policy and a PRD.
    """
    (tmp_path / ".git").mkdir()
    (tmp_path / "shop.policy").write_text(POLICY, encoding="utf-8")
    write_prd(tmp_path, STORIES)
    return tmp_path


def write_prd(folder: Path, stories: list[dict[str, Any]]) -> None:
    (folder / "prd.json").write_text(json.dumps({"userStories": stories}, indent=1), encoding="utf-8")


def planned(at: Path, line: str = "", *, columns: int = 80, **more: Any) -> Ran:
    """
    Plan on a Monday morning.
    """
    words = ("plan", "--at", MONDAY_10, *line.split())
    return call(*words, at=at, env={"COLUMNS": str(columns), **more.pop("env", {})}, **more)


def document(at: Path, line: str = "") -> Any:
    """
    The JSON of a plan, which fits its schema.
    """
    ran = planned(at, f"--json {line}")
    assert [] == faults(ran.json)
    return ran.json


def faults(value: object) -> list[str]:
    found = Draft202012Validator(SCHEMA).iter_errors(value)
    return [f"{error.json_path}: {error.message[:200]}" for error in found]


def every(rows: list[Any]) -> list[Any]:
    return [one for row in rows for one in (row, *every(row["subtasks"]))]


def money(text: str) -> Decimal:
    return Decimal(text.replace("$", "").replace(",", ""))


# --- money that adds up


@given(st.lists(st.integers(0, 10**15), max_size=30), st.integers(2, 6))
def test_amounts_that_are_shown_add_up(amounts: list[int], places: int) -> None:
    """
    Whatever the amounts and decimals: the amounts shown add up to the sum shown, and none is off by a unit.
    """
    shown = Money(places)
    parts = spread(amounts, shown.unit)

    assert sum(map(money, shown.spread(amounts))) == sum(money(t) for t in shown.spread([sum(amounts)]))
    assert [] == [
        (part, amount)
        for part, amount in zip(parts, amounts, strict=True)
        if abs(part * shown.unit - amount) >= shown.unit
    ]


@given(st.lists(st.integers(-(10**12), 10**12), max_size=30), st.integers(2, 6))
def test_losses_add_up_as_well(amounts: list[int], places: int) -> None:
    """
    Amounts below zero, such as what delegating costs more, add up like all others.
    """
    unit = Money(places).unit

    assert sum(spread(amounts, unit)) == sum(spread([sum(amounts)], unit))


@pytest.mark.parametrize(
    ("places", "amounts"),
    [
        (2, [28_880_000_000, 500_000_000]),
        (3, [210_000_000, 21_000_000]),
        (5, [1_750_000, 30_000_000]),
        (6, [1_000]),
        (4, [999]),
        (2, []),
    ],
)
def test_as_many_decimals_as_are_needed(places: int, amounts: list[int]) -> None:
    """
    The fewest decimals that show every amount exactly are taken; where six don't do, four and a fair split.
    """
    assert places == places_for(amounts)


@pytest.mark.parametrize(
    ("shown", "costs"),
    [
        ("$0.98", [500_000_000, 480_000_000]),
        ("$0.985", [500_000_000, 485_000_000]),
        ("$28.88", [22_500_000_000, 6_000_000_000, 375_000_000]),
        ("$1.00", [600_000_000, 395_000_000, 5_000_000]),
    ],
)
def test_sums_of_a_dollar_or_more_are_in_cents(tmp_path: Path, shown: str, costs: list[int]) -> None:
    """
    The total has the decimals of the stories below a dollar, and cents from there on.
    """
    policy = "model m is offline/m costs $1 in, $1 out tier low from complexity 0 has m"
    (tmp_path / "p.policy").write_text(policy, encoding="utf-8")
    tokens = [{"input": cost // 1000, "output": 0} for cost in costs]
    write_prd(
        tmp_path, [{"id": f"S{n}", "complexity": 1, "estimatedTokens": t} for n, t in enumerate(tokens)]
    )

    assert re.search(rf"^Total +{re.escape(shown)} ", planned(tmp_path).out, re.MULTILINE)


def test_a_group_of_less_than_a_cent_keeps_its_decimals(tmp_path: Path) -> None:
    """
    Where cents would leave nothing of a group, all groups and sums have the decimals of the stories.
    """
    policy = (
        "model m is offline/m costs $1 in, $1 out model n is offline/n costs $0.001 in, $1 out "
        "tier low from complexity 0 has n tier high from complexity 5 has m"
    )
    (tmp_path / "p.policy").write_text(policy, encoding="utf-8")
    write_prd(
        tmp_path,
        [
            {"id": f"S{c}", "complexity": c, "estimatedTokens": {"input": 2_000_000, "output": 0}}
            for c in (1, 9)
        ],
    )

    assert re.search(r"^Total +\$2\.00 ", planned(tmp_path).out, re.MULTILINE)
    assert re.search(r"^Total +\$2\.002 ", planned(tmp_path, "--by tier").out, re.MULTILINE)


def test_amounts_below_zero_have_their_sign_in_front() -> None:
    """
    A loss reads as one.
    """
    assert ("-$1.20", "$1,234.50") == (Money(2).words(-120), Money(2).words(123_450))


# --- the page


@pytest.mark.parametrize("color", ["never", "always"])
@pytest.mark.parametrize("columns", [80, 120])
def test_the_page(shop: Path, columns: int, color: str, snapshot: SnapshotAssertion) -> None:
    """
    The page of a plan with sub-tasks, a refusal and a level, plain and in colour.
    """
    ran = planned(shop, f"--all --color {color}", columns=columns)

    assert snapshot == (ran.out + "--- stderr\n" + ran.err).replace("\x1b", "␛")


@pytest.mark.parametrize("by", ["tier", "model", "provider", "domain"])
def test_the_page_of_groups(shop: Path, by: str, snapshot: SnapshotAssertion) -> None:
    """
    Grouped, the stories are counted and added up, with their share of the total.
    """
    assert snapshot == planned(shop, f"--by {by}").out


@pytest.mark.parametrize("columns", [60, 80, 100, 120])
def test_the_page_fits(shop: Path, columns: int) -> None:
    """
    No line is wider than the page; ids, models and sums are whole at any width.
    """
    ran = planned(shop, "--all", columns=columns)

    assert [] == [line for line in ran.out.splitlines() if cells(line) > columns]
    for whole in ("S-3/1", "S-3/2", "mid/vision", "large", "tiny"):
        assert re.search(rf"(^|\s){re.escape(whole)}(\s|$)", ran.out, re.MULTILINE)


@pytest.mark.parametrize("line", ["", "--all", "--by tier", "--by model --spend monthly=49%"])
@pytest.mark.parametrize("columns", [80, 120])
def test_the_rows_shown_add_up_to_the_total_shown(shop: Path, line: str, columns: int) -> None:
    """
    Costs, baselines and shares of the rows on the page add up to the sums on the page, to the last digit.
    """
    out = planned(shop, line, columns=columns).out
    table, sums = out.partition("\nTotal")[0], "Total" + out.partition("\nTotal")[2]
    rows = [re.findall(r"\$[\d,.]+", text) for text in table.splitlines() if "delegating" not in text]
    total, baseline, saving, delegated = (
        money(re.findall(r"-?\$[\d,.]+", text)[0]) for text in sums.splitlines()[:4]
    )
    delegating = [re.findall(r"\$[\d,.]+", text) for text in table.splitlines() if "delegating" in text]

    assert total == sum(money(found[0]) for found in rows if found)
    assert saving == baseline - total
    if columns == 120 and "--by" not in line:
        assert baseline == sum(money(found[1]) for found in rows if found)
    if "--by" in line:
        shares = [Decimal(share) for share in re.findall(r"([\d.]+)%", table.partition("share")[2])]
        assert Decimal(100) == sum(shares)
    else:
        assert delegated == sum(money(found[0]) for found in delegating)


def test_the_page_of_the_docs(tmp_path: Path) -> None:
    """
    What docs/cli.md shows is what the example gives.
    """
    text = (CHECKOUT / "docs" / "cli.md").read_text(encoding="utf-8")
    shown = text.partition(f"$ policyctl plan --at {MONDAY_10}\n")[2].partition("```")[0]

    assert shown == planned(copy_of_loop(tmp_path)).out


def test_stories_that_pass_are_named(shop: Path) -> None:
    """
    What is left out is said with its ids, and how to plan it too.
    """
    plain, everything = planned(shop), planned(shop, "--all")

    assert "S-1 passes and is left out; --all plans it too" in plain.out
    assert "left out" not in everything.out
    assert re.search(r"^ +S-1 .* passes +0 ", everything.out, re.MULTILINE)


def test_nothing_to_do(shop: Path) -> None:
    """
    A PRD whose stories all pass says that there is nothing to do, and is fine.
    """
    write_prd(shop, [{**story, "passes": True} for story in STORIES])
    ran = planned(shop)

    assert (0, True) == (ran.code, ran.out.startswith("prd.json  nothing to do\n"))
    assert "S-1, S-2, S-3, S-4 and 2 more pass and are left out; --all plans them too" in ran.out
    assert "Total" in ran.out


def test_the_dearest_model_stands_in_for_a_baseline(shop: Path) -> None:
    """
    Where the policy names no baseline, the page says what it compares with.
    """
    (shop / "shop.policy").write_text(POLICY.replace("baseline large\n", ""), encoding="utf-8")

    assert re.search(
        r"^On large .* the dearest of tier powerful, as the policy names no$", planned(shop).out, re.M
    )
    assert {"model": "large", "named": False} == document(shop)["baseline"]


def test_a_level_is_told_with_its_story(shop: Path) -> None:
    """
    The page says which budget level is reached, and by which story.
    """
    out = " ".join(planned(shop).out.split())

    assert "monthly at 20% warn by S-2" not in out
    assert "monthly at 20% warn by S-3" in out
    assert "each at 50% warn by S-3" in out


def test_spend_moves_the_levels(shop: Path) -> None:
    """
    With what is spent already, a level holds from the start, and the page says what the plan comes on top of.
    """
    out = " ".join(planned(shop, "--spend monthly=50%").out.split())

    assert "monthly at 20% warn from the start monthly at 50% downgrade 1 tier from the start" in out
    assert re.search(r"monthly \$1\.?\d* per month [\d.]+% of it, on top of 50\.0%: then at [\d.]+%", out)


def test_problems_go_to_stderr(shop: Path) -> None:
    """
    What is odd in the PRD is told beside the page, with its place, and does no harm.
    """
    stories = [
        *STORIES,
        {"id": "S-2", "complexity": -3, "dependencies": ["S-7"]},
        {"id": "S-7", "dependencies": ["S-7"]},
    ]
    write_prd(shop, stories)
    ran = planned(shop)

    assert 0 == ran.code
    for text in (
        "userStories[6].id (line 63): id `S-2` is taken by `userStories[1]`",
        "userStories[6].complexity (line 63): complexity `-3` is outside 0 to 10",
        "`S-7` depends on itself",
        "`S-6` depends on `S-0`, which isn't in this PRD",
    ):
        assert text in ran.err
        assert text not in ran.out


def test_many_problems_are_cut(shop: Path) -> None:
    """
    Past twenty problems the rest is counted; the JSON has them all.
    """
    write_prd(shop, [{"id": f"S{n}", "complexity": -1} for n in range(30)])

    assert "  and 10 more; --json has all\n" in planned(shop).err
    assert 30 == len(document(shop)["problems"])


# --- options


def test_options_stand_in_place_of_what_stories_say(shop: Path) -> None:
    """
    Tier, branch and declared inputs count for every story and sub-task; the environment for those that are
    silent.
    """
    plain = document(shop)
    tier = document(shop, "--tier powerful")
    private = document(shop, "--private")
    from_env = planned(shop, "--json", env={"PRIVATE_CODE": "yes"}).json

    assert {"tiny", "small", "mid/vision", "large", None} == {row["model"] for row in every(plain["stories"])}
    assert {"large", None} == {row["model"] for row in every(tier["stories"]) if row["domain"] == "none"}
    for answer in (private, from_env):
        assert "tiny" not in {row["model"] for row in every(answer["stories"])}


def test_only_models_with_a_key(shop: Path) -> None:
    """
    With --available only models whose key is set are planned.
    """
    models = {row["model"] for row in every(document(shop, "--available")["stories"])}

    assert {"mid/vision", None} == models


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--json --csv", "--json and --csv: say one of them"),
        ("--by colour", "'colour' is not one of 'tier', 'model', 'provider', 'domain'"),
        ("--fail-over much", "--fail-over much: that is no amount of money; write 25 or 0.50"),
        ("--fail-over -1", "--fail-over -1: that is no amount of money"),
        ("--fail-over nan", "--fail-over nan: that is no amount of money"),
        ("--spend each=50%", "--spend each: that budget starts anew with each story of a plan"),
        ("--spend montly=50%", "unknown budget `montly`"),
        ("--tier highest", "unknown tier `highest`"),
        ("--private maybe", "`private` can't be `maybe`"),
        ("--input secret=yes", "unknown input `secret`"),
        ("--secret", "No such option: --secret"),
        ("--prd none.json", "none.json: there is no such file"),
        ("--story S-1", "No such option: --story"),
    ],
)
def test_what_cannot_be_asked_is_2(shop: Path, line: str, message: str) -> None:
    """
    An option that can't be is told once, not for each story: exit code 2, nothing on stdout.
    """
    ran = planned(shop, line)

    assert (2, "", 1) == (ran.code, ran.out, ran.err.count(message))


# --- exit codes


@pytest.mark.parametrize(
    ("code", "limit"),
    [(0, "100"), (0, "$1,000"), (1, "0.001"), (1, "0"), (0, "exactly"), (1, "a nano-dollar less")],
)
def test_fail_over(shop: Path, code: int, limit: str) -> None:
    """
    A total above --fail-over is exit code 1, told on stderr beside the page; one that equals it is fine.
    """
    total = document(shop)["totals"]["cost_nusd"]
    exact = {"exactly": total, "a nano-dollar less": total - 1}
    ran = planned(shop, f"--fail-over {Decimal(exact[limit]) / 10**9 if limit in exact else limit}")

    assert code == ran.code
    assert ("Total" in ran.out, code == 1) == (True, "over: the plan costs $" in ran.err)


def test_fail_over_in_json(shop: Path) -> None:
    """
    The JSON says whether the total is over, and over what.
    """
    assert (None, None) == tuple(document(shop)[key] for key in ("fail_over_nusd", "over"))
    assert (10_000_000, True) == tuple(
        document(shop, "--fail-over 0.01")[key] for key in ("fail_over_nusd", "over")
    )
    assert 1 == planned(shop, "--json --fail-over 0.01").code


@pytest.mark.parametrize(
    ("code", "line"),
    [(0, ""), (0, "--spend monthly=99%"), (3, "--branch frozen"), (4, "--spend monthly=100%")],
)
def test_a_plan_is_refused_only_as_a_whole(shop: Path, code: int, line: str) -> None:
    """
    Stories that are refused are in the plan with their reason; only where none is left does the exit code say
    by whom.
    """
    ran = planned(shop, line)

    assert code == ran.code
    assert "Refused" in ran.out
    assert [] == faults(planned(shop, f"{line} --json").json)


def test_a_plan_without_a_story_that_can_be_asked_is_2(shop: Path) -> None:
    """
    Where no story can be asked, each reason is told once, and nothing is planned.
    """
    write_prd(shop, [{"id": "A", "tier": "highest"}, *({"id": n, "tier": "lowest"} for n in "BCD")])
    ran = planned(shop)

    assert (2, "") == (ran.code, ran.out)
    assert "error: story A can't be asked: unknown tier `highest`" in ran.err
    assert "error: story B and 2 more can't be asked: unknown tier `lowest`" in ran.err


# --- CSV and JSON


def test_csv(shop: Path) -> None:
    """
    CSV has a line for each story and sub-task, in the order of the plan, with exact amounts and whole chains.
    """
    ran = planned(shop, "--csv --all")
    rows = list(csv.DictReader(StringIO(ran.out)))
    answer = document(shop, "--all")

    assert list(COLUMNS) == list(rows[0])
    assert [row["id"] for row in every(answer["stories"])] == [row["id"] for row in rows]
    assert Decimal(answer["totals"]["cost_nusd"]) / 10**9 == sum(Decimal(row["cost_usd"]) for row in rows)
    assert Decimal(answer["totals"]["baseline_nusd"]) / 10**9 == sum(Decimal(r["baseline_usd"]) for r in rows)
    assert [" ".join(row["chain"]) for row in every(answer["stories"])] == [row["chain"] for row in rows]
    assert {"S-3/1": "S-3", "S-3/2": "S-3"} == {row["id"]: row["parent"] for row in rows if row["parent"]}
    assert ["no model"] == [row["outcome"] for row in rows if row["refusal"]]


@pytest.mark.parametrize("by", ["tier", "model", "provider", "domain"])
def test_csv_of_groups(shop: Path, by: str) -> None:
    """
    With --by CSV has a line for each group; what nobody serves has no name.
    """
    rows = list(csv.DictReader(StringIO(planned(shop, f"--csv --by {by}").out)))
    answer = document(shop, f"--by {by}")

    assert [by, "requests", "cost_usd", "share"] == list(rows[0])
    assert [group["name"] or "" for group in answer["groups"]] == [row[by] for row in rows]
    assert (1, "") == (int(rows[-1]["requests"]), rows[-1][by])
    assert Decimal(answer["totals"]["cost_nusd"]) / 10**9 == sum(Decimal(row["cost_usd"]) for row in rows)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--all",
        "--by tier",
        "--by domain --fail-over 1",
        "--spend monthly=95%",
        "--spend monthly=100%",
        "--branch frozen",
        "--tier cheap --private --available",
    ],
)
def test_json_fits_its_schema(shop: Path, line: str) -> None:
    """
    The JSON of any plan fits the published schema, and its rows add up to its totals.
    """
    answer = document(shop, line)
    rows = every(answer["stories"])
    totals = answer["totals"]

    for key in ("cost_nusd", "baseline_nusd"):
        assert totals[key] == sum(row[key] for row in rows)
    assert totals["saving_nusd"] == totals["baseline_nusd"] - totals["cost_nusd"]
    assert len(rows) == totals["requests"] + totals["refused"] == totals["stories"] + totals["subtasks"]
    if answer["groups"]:
        assert totals["cost_nusd"] == sum(group["cost_nusd"] for group in answer["groups"])


def test_the_schema_is_strict(shop: Path) -> None:
    """
    A document with one key less, one key more or another version doesn't fit, at any depth.
    """
    answer = document(shop, "--by tier --spend monthly=20%")

    assert faults({**answer, "format_version": "2.0"})
    for key in answer:
        assert faults({k: v for k, v in answer.items() if k != key}), key
    for key in ("stories", "groups", "budgets", "levels", "problems"):
        first, *rest = answer[key]
        assert faults({**answer, key: [{**first, "unheard_of": 1}, *rest]}), key
        for name in first:
            assert faults({**answer, key: [{k: v for k, v in first.items() if k != name}, *rest]}), (
                key,
                name,
            )
    served, refused = (
        next(r for r in answer["stories"] if (r["model"] is None) == no) for no in (False, True)
    )
    for key in ("model", "chain", "refusal"):
        assert faults({**answer, "stories": [{**served, key: refused[key]}]}), key
        assert faults({**answer, "stories": [{**refused, key: served[key]}]}), key


def objects(part: object) -> list[dict[str, Any]]:
    if isinstance(part, dict):
        own = [part] if part.get("type") == "object" else []
        return own + [found for value in part.values() for found in objects(value)]
    return [found for value in part for found in objects(value)] if isinstance(part, list) else []


def test_the_schema_describes_everything() -> None:
    """
    The schema is valid, has an address with its version, and each property in it says what it is.
    """
    Draft202012Validator.check_schema(SCHEMA)
    text = json.dumps(SCHEMA)

    assert "urn:policyctl:schema:plan:1" == SCHEMA["$id"]
    assert [] == [name for name in SCHEMA["$defs"] if f'"#/$defs/{name}"' not in text]
    for part in objects(SCHEMA):
        assert part["additionalProperties"] is False
        assert set(part["required"]) == set(part["properties"])
        for value in part["properties"].values():
            assert value.get("description") or SCHEMA["$defs"][value["$ref"].split("/")[-1]]["description"]


# --- hostile text

HOSTILE = [
    "\x1b[31mred\x1b[0m and \x1b]0;title\x07",
    "two\nlines\r\nand\ttabs",
    "\u202eeltit\u202c \u200bhidden\ufeff",
    "=cmd|' /C calc'!A0",
    "漢字" * 100,
    "e\u0301" * 200,
    'quotes " and , commas',
    "x" * 100_000,
    "\ud800",
]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_hostile_titles_do_no_harm(shop: Path, columns: int) -> None:
    """
    Whatever a title holds, no control character gets out, no line breaks or grows too wide, and the columns
    stay under one another.
    """
    write_prd(shop, [{"id": f"S{n}", "title": text, "complexity": 1} for n, text in enumerate(HOSTILE)])
    ran = planned(shop, columns=columns)
    rows = [line for line in ran.out.splitlines() if re.match(r" +S\d ", line)]

    assert (0, len(HOSTILE)) == (ran.code, len(rows))
    assert [] == re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\ufeff]", ran.out)
    assert 1 == len({cells(row) for row in rows})
    assert [] == [line for line in ran.out.splitlines() if cells(line) > columns]


def test_hostile_ids_stay_whole(shop: Path) -> None:
    """
    An id is shown on one line, escaped, and whole, even where that leaves no room for titles.
    """
    name = "A\x1b[31m\n" + "B" * 90
    write_prd(shop, [{"id": name, "title": "Something", "complexity": 1}])
    out = planned(shop).out

    assert f"A\\x1b[31m {'B' * 90}  " in out
    assert "Something" not in out


def test_a_spreadsheet_takes_no_title_for_a_formula(shop: Path) -> None:
    """
    In CSV a text that looks like a formula gets an apostrophe, and every text is one line without controls.
    """
    stories = [{"id": f"S{n}", "title": text, "complexity": 1} for n, text in enumerate(HOSTILE)]
    write_prd(shop, [*stories, {"id": "-9", "title": "@SUM(1)", "complexity": 1}])
    ran = planned(shop, "--csv")
    rows = list(csv.DictReader(StringIO(ran.out)))

    assert len(HOSTILE) + 1 == len(rows) == len(ran.out.splitlines()) - 1
    assert ("'=cmd|' /C calc'!A0", "'-9", "'@SUM(1)") == (rows[3]["title"], rows[-1]["id"], rows[-1]["title"])
    assert 'quotes " and , commas' == rows[6]["title"]
    assert "\x1b" not in ran.out


def test_json_keeps_texts_as_they_are(shop: Path) -> None:
    """
    JSON escapes, so a program gets the very title.
    """
    write_prd(shop, [{"id": "S0", "title": HOSTILE[0], "complexity": 1}])

    assert HOSTILE[0].strip() == document(shop)["stories"][0]["title"]


def test_a_stream_of_ascii_is_enough(shop: Path) -> None:
    """
    Where the terminal can't show an ellipsis, three dots take its place.
    """
    out = planned(shop, encoding="ascii").out

    assert "..." in out
    assert "?" not in out


@given(st.text(max_size=40), st.integers(4, 30))
def test_a_cut_text_fits(text: str, room: int) -> None:
    """
    A text that is cut never takes more columns than there are, and one that fits isn't touched.
    """
    short = cut(text, room)

    assert cells(short) <= max(room, 0)
    assert cells(text) > room or text == short
