"""`policyctl report`, `summary` and `provider-breakdown`: what was spent, for people and programs."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import shlex
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import policyctl
from policyctl.deciding import Engine
from policyctl.ledger.ledger import Ledger
from policyctl.schemas.ledger import Attempt, Usage
from policyctl.schemas.policy import NANO
from policyctl.schemas.report import GROUPS

from .command import CHECKOUT, Ran, call

SCHEMA = Path(policyctl.__file__).parent / "schemas" / "report.schema.json"
POLICY = """\
policy "shop"
timezone America/New_York
baseline opus
model haiku  is anthropic/claude-haiku-4-5 costs $1 in, $1 out can nothing
model sonnet is litellm/claude-sonnet-4-5  costs $3 in, $3 out can nothing
model opus   is anthropic/claude-opus-4-1  costs $15 in, $15 out can nothing
tier cheap    from complexity 0 has haiku
tier medium   from complexity 3 has sonnet
tier powerful from complexity 6 has opus
budget monthly is $10 per month
  at 75%  downgrade 1 tier
  at 100% pause
"""


class Shop:
    """
    A checkout with a policy and a ledger.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = 0
        (folder / ".git").mkdir()
        (folder / "shop.policy").write_text(POLICY, encoding="utf-8")
        assert 0 == call("ledger", "init", at=folder).code

    def spend(self, usd: float, model: str = "haiku", *, when: datetime | None = None, **more: Any) -> None:
        """
        A call that is over.
        """
        engine, home = Engine.load(self.folder / "shop.policy"), self.folder / ".claude-loop"
        used = {"input_tokens": 1000, "output_tokens": 100, "latency_ms": 1500, "success": True}
        about = {name: value for name, value in more.items() if name not in used}
        usage = Usage(cost_nusd=round(usd * NANO), **{n: more.get(n, value) for n, value in used.items()})
        self.calls += 1
        key = f"call:{self.calls}"
        with Ledger(
            home / "policyctl.db", engine.policy, log=home / "logs" / "provider_usage.jsonl"
        ) as ledger:
            known = model in engine.policy.models
            attempt = (
                engine.attempt(key, model, **about)
                if known
                else Attempt(key=key, model=model, **{"provider": "elsewhere", **about})
            )
            assert ledger.record(attempt, usage, when=when)

    def run(self, words: str, **more: Any) -> Ran:
        """
        A command in this checkout.
        """
        return call(*shlex.split(words), at=self.folder, **more)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """
    A checkout with a policy and an empty ledger.
    """
    return Shop(tmp_path)


def valid(ran: Ran) -> Any:
    """
    The JSON of a run, which fits its schema.
    """
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert 0 == ran.code, ran.err
    assert [] == [f"{e.json_path}: {e.message}" for e in Draft202012Validator(schema).iter_errors(ran.json)]
    return ran.json


def days_ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


# --- the page --------------------------------------------------------------------------------------------


def test_the_page_has_the_document_s_lines(shop: Shop) -> None:
    """
    The page tells calls, spend by provider, the comparison with the baseline, and the rates.
    """
    shop.spend(1.25, "haiku", input_tokens=500_000, output_tokens=100_000)
    shop.spend(3.75, "sonnet", input_tokens=250_000, output_tokens=50_000, fallback_used=True)
    shop.spend(0, "sonnet", input_tokens=0, output_tokens=0, success=False)
    page = shop.run("report --days 7").out

    assert "Cost Analysis Report\nPeriod: Last 7 days\nDate range: " in page
    assert "Total Requests: 3\nSuccessful: 2 (66.7%)\nFailed: 1\n" in page
    assert "Provider Usage:\n" in page
    assert re.search(r"^  litellm +2 +1 +250,000 +50,000 +\$3\.75 +75\.0%$", page, re.MULTILINE)
    assert re.search(r"^  anthropic +1 +0 +500,000 +100,000 +\$1\.25 +25\.0%$", page, re.MULTILINE)
    assert re.search(r"^  Total +3 +1 +750,000 +150,000 +\$5\.00 +100\.0%$", page, re.MULTILINE)
    assert (
        "  Actual total:   $5.00\n  If all opus:   $13.50\n  Savings:        $8.50 (63.0% reduction)\n"
        in page
    )
    assert "Latency: p50 1.5s, p95 1.5s\nSuccess rate: 66.7%\nFallback rate: 33.3% (1)\n" in page


def test_an_empty_ledger_is_reported(shop: Shop) -> None:
    """
    Where nothing was spent, the report says so, in every form.
    """
    assert "no calls in this period" in shop.run("report").out
    assert "Last 7 days: 0 requests, $0.00 spent\n" == shop.run("summary").out
    assert "Month-to-date spend: $0.00 / $10.00 (0.0%)" in shop.run("report --this-month").out
    assert [] == valid(shop.run("report --json"))["groups"]["provider"]
    assert 1 == len(shop.run("report --csv").out.splitlines())


def test_without_a_policy_there_is_no_baseline(shop: Shop) -> None:
    """
    Money is reported without a policy too; the page says that there is no baseline, and why.
    """
    shop.spend(1.25)
    (shop.folder / "shop.policy").unlink()
    ran = shop.run("report")

    assert 0 == ran.code
    assert "no baseline: there is no policy" in ran.out
    assert "note: no policy was found here or above" in ran.err
    assert "Last 7 days: 1 request, $1.25 spent\n" == shop.run("summary").out
    found = valid(shop.run("report --json"))
    assert (None, None, None) == (found["policy"], found["baseline"], found["savings_nusd"])


def test_a_broken_policy_is_none_unless_it_is_named(shop: Shop) -> None:
    """
    A policy with errors that was only found doesn't keep money from being reported; one that is named does.
    """
    shop.spend(1.25)
    (shop.folder / "shop.policy").write_text("tier x\n", encoding="utf-8")

    assert "Last 7 days: 1 request, $1.25 spent\n" == shop.run("summary").out
    assert "the policy has errors" in shop.run("summary").err
    assert 2 == shop.run("summary --policy shop.policy").code


def test_unpriced_calls_make_totals_lower_bounds(shop: Shop) -> None:
    """
    Where a call has tokens but neither price nor cost, totals are "at least", and the model is named.
    """
    shop.spend(1.25)
    shop.spend(0, "acme-9")
    page = shop.run("report").out

    assert re.search(r"^  Total .* >=\$1\.25", page, re.MULTILINE)
    assert "at least: the cost of 1 call isn't known" in page
    assert "1 call without a price: totals are lower bounds; give a price to acme-9" in " ".join(page.split())
    assert "2 requests, at least $1.25 spent" in shop.run("summary").out


# --- periods -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "calls"),
    [
        ("report", 4),
        ("report --all", 4),
        ("report --days 7", 2),
        ("report --since '7 days ago'", 2),
        ("report --since '2 weeks ago' --until '7 days ago'", 1),
        ("report --since '3 months ago'", 4),
        ("summary", 2),
        ("summary --days 30", 3),
        ("provider-breakdown --provider anthropic", 4),
        ("provider-breakdown --provider anthropic --days 7", 2),
    ],
)
def test_the_period_is_the_one_that_is_named(shop: Shop, words: str, calls: int) -> None:
    """
    `report` and `provider-breakdown` are about everything, `summary` about 7 days, unless an option says.
    """
    for days in (0.1, 6.5, 10, 45):
        shop.spend(1, when=days_ago(days))

    assert calls == valid(shop.run(f"{words} --json"))["total"]["calls"]


def test_cost_report_days_sets_the_period(shop: Shop) -> None:
    """
    COST_REPORT_DAYS, from the environment or `.env`, counts where no option does.
    """
    for days in (0.1, 10, 45):
        shop.spend(1, when=days_ago(days))
    env = {"COST_REPORT_DAYS": "30"}

    assert "Last 30 days: 2 requests" in shop.run("summary", env=env).out
    assert "Period: Last 30 days\n" in shop.run("report", env=env).out
    assert "Period: All time\n" in shop.run("report --all", env=env).out
    assert "Last 1,000 days: 3 requests" in shop.run("summary --days 1000", env=env).out
    assert (
        "COST_REPORT_DAYS soon: that is no number of days"
        in shop.run("summary", env={"COST_REPORT_DAYS": "soon"}).err
    )


@pytest.mark.parametrize(
    "words",
    ["--days 7 --this-month", "--since soon", "--since 2026-02-30", "--since 2026-03-02 --until 2026-03-01",
     "--days 0", "--since '99999 years ago'", "--current-run", "--json --csv"],
)  # fmt: skip
def test_a_period_that_can_t_be_is_refused(shop: Shop, words: str) -> None:
    """
    Options that contradict one another or name no time are errors.
    """
    ran = shop.run(f"report {words}")

    assert (2, "") == (ran.code, ran.out)
    assert "error: " in ran.err


def test_the_current_run_is_the_latest_unless_one_is_named(shop: Shop) -> None:
    """
    --current-run reports the run of --run or POLICYCTL_RUN, else the one of the latest call.
    """
    shop.spend(1, run_id="first", when=days_ago(2))
    shop.spend(2, run_id="second", when=days_ago(1))
    shop.spend(4)

    assert "Run second: 1 request, $2.00 spent" in shop.run("summary --current-run").out
    assert "Run first: 1 request, $1.00 spent" in shop.run("summary --current-run --run first").out
    env = {"POLICYCTL_RUN": "first"}
    assert "Run first: 1 request, $1.00 spent" in shop.run("summary --current-run", env=env).out


# --- rows --------------------------------------------------------------------------------------------------


def test_sub_tasks_stand_below_their_story(shop: Shop) -> None:
    """
    By story, the dearest with its sub-tasks comes first, and these stand below it, in their order.
    """
    for story, usd in (("US-1", 1), ("US-2/10", 0.25), ("US-2/2", 1), ("US-2", 0.5), (None, 9)):
        shop.spend(usd, story_id=story)
    rows = valid(shop.run("report --by story --json"))["groups"]["story"]

    expected = [("US-2", None), ("US-2/2", "US-2"), ("US-2/10", "US-2"), ("US-1", None), (None, None)]
    assert expected == [(row["name"], row["parent"]) for row in rows]
    page = shop.run("report --by story").out
    assert re.search(r"^  US-2 .*\n    US-2/2 .*\n    US-2/10 ", page, re.MULTILINE)


def test_an_unknown_provider_gets_a_suggestion(shop: Shop) -> None:
    """
    A provider that neither the policy nor the ledger has is an error with a suggestion.
    """
    ran = shop.run("provider-breakdown --provider antropic")

    assert 2 == ran.code
    assert "did you mean `anthropic`?" in ran.err


def test_csv_is_exact_and_no_formula(shop: Shop) -> None:
    """
    CSV has a line a row with exact amounts; a name that a spreadsheet would calculate is a text.
    """
    for story in ("=1+1", "+1", "-1", "@x", "plain", "a\nb,c"):
        shop.spend(0.000000001, story_id=story)
    rows = list(csv.DictReader(io.StringIO(shop.run("report --by story --csv").out)))

    assert {"'=1+1", "'+1", "'-1", "'@x", "plain"} < {row["story"] for row in rows}
    assert {"0.000000001"} == {row["cost_usd"] for row in rows}


def test_hostile_names_can_t_act_on_the_terminal(shop: Shop) -> None:
    """
    What a terminal would act on is made visible, and names keep to their line.
    """
    shop.spend(1, "evil", story_id="\x1b[2Jx\nTotal 9 $9", provider="p\x07")
    pages = [shop.run(f"report --by {by}", terminal=True).out for by in ("provider", "story", "model")]

    assert [] == [page for page in pages if "\x1b[2J" in page or "\x07" in page]
    assert [1, 1, 1] == [len(re.findall(r"^\W*(?:\x1b\[1m)?Total(?=\W* )", p, re.MULTILINE)) for p in pages]


# --- what follows ------------------------------------------------------------------------------------------


def test_the_month_leads_to_what_to_do(shop: Shop) -> None:
    """
    --this-month tells what is spent of the budget, where that leads, and what then happens.
    """
    shop.spend(9.5)
    page = " ".join(shop.run("report --this-month").out.split())

    assert "Month-to-date spend: $9.50 / $10.00 (95.0%)" in page
    assert "Estimated end-of-month: " in page


def test_advice_names_its_figure(shop: Shop) -> None:
    """
    A recommendation comes with the figure from which it follows.
    """
    for number in range(20):
        shop.spend(
            0.01, "opus", fallback_used=number < 6, escalation="escalated to powerful" if number < 8 else None
        )
    found = valid(shop.run("report --json"))["recommendations"]
    figures = {each["figure"] for each in found}

    assert {"escalation rate 40.0%", "fallback rate 30.0%", "powerful: 100.0% of the calls"} <= figures


# --- sums ----------------------------------------------------------------------------------------------


def test_the_printed_rows_add_up_to_the_printed_total(tmp_path: Path) -> None:
    """
    Costs, shares, requests and tokens of the rows shown add up to the total shown, whatever is rounded.
    """
    (tmp_path / "shop.policy").write_text(POLICY, encoding="utf-8")
    engine, chance = Engine.load(tmp_path / "shop.policy"), random.Random(5)  # noqa: S311
    for size in (1, 100, 10**5, 10**9):
        folder = tmp_path / str(size)
        folder.mkdir()
        with Ledger(folder / "l.db", engine.policy, create=True) as ledger:
            for number in range(70):
                usage = Usage(
                    input_tokens=chance.randrange(10**4 * size) % 10**11,
                    output_tokens=chance.randrange(10**3 * size) % 10**11,
                    cost_nusd=chance.randrange(20 * size) % 10**15,
                )
                story = f"S-{chance.randrange(60)}"
                ledger.record(engine.attempt(f"c{number}", "haiku", story_id=story), usage)
        for by in GROUPS:
            words = ["report", "--by", by, "--ledger", str(folder / "l.db"), "--policy", "shop.policy"]
            page = call(*words, at=tmp_path, env={"COLUMNS": "120"}).out
            assert [] == wrong_columns(page), page


def wrong_columns(page: str) -> list[str]:
    """
    The columns of a page's table whose rows don't add up to its last line.
    """
    table = page[re.search(r"^(Provider Usage|By \w+):$", page, re.MULTILINE).end() + 1 :]  # type: ignore[union-attr]
    head, *rows = (re.split(r" {2,}", line.strip()) for line in table.partition("\n\n")[0].splitlines())
    assert ("cost", "share", "Total") == (head[-2], head[-1], rows[-1][0])
    columns = list(zip(*(row[1:] for row in rows), strict=True))
    return [str(column) for column in columns if sum(map(figure, column[:-1])) != figure(column[-1])]


def figure(text: str) -> Decimal:
    """
    A figure of the page, whatever its unit.
    """
    return Decimal(re.sub(r"[^0-9.]", "", text))


# --- HTML ------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """
    What a page is made of.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """
        Note a tag.
        """
        self.found.append((tag, dict(attrs)))


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=//evil.example/x onerror=alert(1)>',
    "' onload=a '",
    "&lt;",
    "\x1b[31m",
)


def test_the_html_page_needs_nothing_and_runs_nothing(shop: Shop) -> None:
    """
    The page names no other file or site, has no script, and forbids both; hostile names are text.
    """
    for number, name in enumerate(HOSTILE):
        shop.spend(1, f"m{name}", story_id=name, domain=name, provider=f"p{name}", when=days_ago(number))
    ran = shop.run("report --days 30 --html out.html")
    page = (shop.folder / "out.html").read_text(encoding="utf-8")
    tags = Tags(page).found

    assert (0, "", "wrote out.html\n") == (ran.code, ran.out, ran.err)
    assert not {tag for tag, _ in tags} & {"script", "img", "link", "iframe", "object", "a", "form", "base"}
    named = {name for _, attributes in tags for name in attributes}
    assert not {name for name in named if name.startswith("on") or name in ("src", "href", "action", "style")}
    policies = [a["content"] for tag, a in tags if tag == "meta" and a.get("http-equiv")]
    assert ["default-src 'none'; style-src 'unsafe-inline'"] == policies
    assert "url(" not in page
    assert "@import" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\x1b" not in page


def test_the_html_page_has_the_figures(shop: Shop) -> None:
    """
    The page has spend, baseline and saving, a bar for each day, and the rows with their total.
    """
    shop.spend(1, "haiku", when=days_ago(3), story_id="US-1", input_tokens=1_000_000)
    shop.spend(2, "sonnet", story_id="US-1/1", input_tokens=1_000_000)
    assert 0 == shop.run("report --days 6 --html out.html").code
    page = (shop.folder / "out.html").read_text(encoding="utf-8")

    assert "<b>$3.00</b><small>2 requests</small>" in page
    assert "<b>$30.00</b>" in page
    assert 7 == page.count("<rect class=hit")
    assert "<td class=part>US-1/1" in page
    for bad in ("{", "None"):
        assert bad not in page.split("</style>")[1]
    assert 2 == call("report", "--html", "x.html", "--json", at=shop.folder).code


# --- the line for a prompt ---------------------------------------------------------------------------------


def test_the_statusline_is_one_short_line(shop: Shop) -> None:
    """
    The line says what is spent today, this month and in a run, and the worst level in force.
    """
    shop.spend(1.5, run_id="r1")
    shop.spend(7, run_id="r2")

    level = "monthly at 75% downgrade 1 tier"
    assert f"today $8.50 · month $8.50 of $10.00 (85%) · {level}\n" == shop.run("statusline").out
    assert shop.run("statusline --run r1").out.startswith("run $1.50 · today $8.50 · ")
    found = shop.run("statusline --json").json
    schema = json.loads((SCHEMA.parent / "statusline.schema.json").read_text(encoding="utf-8"))
    assert [] == [e.message for e in Draft202012Validator(schema).iter_errors(found)]
    assert (8_500_000_000, "downgrade") == (found["month_nusd"], found["level"]["action"])


def test_the_statusline_needs_neither_ledger_nor_policy(shop: Shop, tmp_path: Path) -> None:
    """
    Without a ledger the line says so; without a policy it says what is spent.
    """
    shop.spend(1.5)
    (shop.folder / "shop.policy").unlink()
    nowhere = shop.run("statusline --ledger none")

    assert "today $1.50 · month $1.50\n" == shop.run("statusline").out
    assert (0, "no ledger\n") == (nowhere.code, nowhere.out)
    found = shop.run("statusline --ledger none --json").json
    assert {"1.0", False, None} == set(found.values())


def test_a_run_s_report_says_how_far_it_has_come(shop: Shop) -> None:
    """
    The report of a run has its cost, its stories of the PRD, where that leads, and the budget per run.
    """
    text = f"{POLICY}budget each is $50 per run\n"
    (shop.folder / "shop.policy").write_text(text, encoding="utf-8")
    stories = [{"id": f"S-{n}", "title": "t", "complexity": 1, "passes": n < 3} for n in range(6)]
    (shop.folder / "prd.json").write_text(json.dumps({"userStories": stories}), encoding="utf-8")
    shop.spend(4, story_id="S-1", run_id="r")
    shop.spend(2.25, story_id="S-2/1", run_id="r")
    shop.spend(5, story_id="S-3", run_id="other", when=days_ago(1))
    page = shop.run("report --current-run").out
    expected = "Current Run Cost: $6.25\nStories completed: 2/5\nProjected total: $15.62\n"

    assert f"{expected}Budget: $50.00 (87.5% remaining)\n" in page
    assert "Run other: 1 request" in shop.run("summary --run other").out
    assert "Current Run Cost: " not in shop.run("report", env={"POLICYCTL_RUN": "r"}).out


@pytest.mark.parametrize(
    "words", ["report --detailed --verbose", "report --by story --verbose", "report --this-month"]
)
def test_pages_fit_80_columns(shop: Shop, words: str) -> None:
    """
    Long names are cut and columns left out rather than lines made longer than the terminal.
    """
    for number in range(3):
        name = "a-rather-long-name-that-goes-on-" * 5 + str(number)
        shop.spend(1234.5678, name, story_id=name, domain=name, provider=name, input_tokens=10**9)

    assert [] == [line for line in shop.run(words).out.splitlines() if len(line) > 80]


def test_the_page_s_program_runs(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """
    The lines of Python in docs/reports.md print what they say.
    """
    shop.spend(2.5, input_tokens=400_000, output_tokens=100_000)
    text = (CHECKOUT / "docs" / "reports.md").read_text(encoding="utf-8")
    program = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert program is not None
    with chdir(shop.folder):
        exec(program[1].replace("claude-loop.policy", "shop.policy"), {})  # noqa: S102

    assert "Total requests: 1\nTotal cost: $2.50\nSavings: $5.00 (66.7%)\n" == capsys.readouterr().out
