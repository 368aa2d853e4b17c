"""What the price catalogue says against a policy: P801 to P804, for a day that the test names."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from policyctl.deciding import price_book, validate, validate_text
from policyctl.policy.check import check_text
from policyctl.policy.freshness import outdated
from policyctl.providers.catalogue import PriceBook, read_catalogue, snapshot
from policyctl.schemas.diagnostics import Diagnostic, Severity

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "claude-loop"
TODAY = date(2026, 11, 24)
GOES = date(2026, 12, 11)


def an_entry(provider: str, usd_in: float, usd_out: float, goes: date | None = None) -> dict[str, object]:
    return {
        "mode": "chat",
        "litellm_provider": provider,
        "input_cost_per_token": usd_in / 1e6,
        "output_cost_per_token": usd_out / 1e6,
        "deprecation_date": None if goes is None else goes.isoformat(),
    }


MAP = {
    "gpt-x": an_entry("openai", 1.0, 4.0),
    "gpt-free": an_entry("openai", 0.0, 0.0),
    "gpt-old": an_entry("openai", 1.0, 4.0, GOES),
    "gemini/gem": an_entry("gemini", 1.0, 4.0, GOES),
    "mistral/small": an_entry("mistral", 1.0, 4.0, GOES),
}
PRICES = PriceBook(read_catalogue(snapshot(MAP, litellm_version="1.0.0", as_of="2026-11-01")))


def found(model: str, today: date = TODAY) -> list[Diagnostic]:
    """
    Return what is said of one model, with its place shown as the text there.
    """
    checked = check_text(f"model m is {model}\ntier low from complexity 0 has m\n", PRICES)
    assert checked.policy is not None, checked.report.diagnostics
    return list(outdated(checked.policy.policy, PRICES, today))


def codes(model: str, today: date = TODAY) -> list[str]:
    return [d.code for d in found(model, today)]


# --- dates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days_before", "code"),
    [(61, None), (60, "P802"), (1, "P802"), (0, "P801"), (-1, "P801"), (-999, "P801")],
)
def test_when_a_date_is_told(days_before: int, code: str | None) -> None:
    """
    From 60 days before its date on a model is soon deprecated, from the day itself on it is.
    """
    assert ([] if code is None else [code]) == codes("openai/gpt-old", GOES - timedelta(days=days_before))


def test_a_date_is_named_with_what_is_left() -> None:
    """
    A finding names the model as the policy does, its date, and how many days are left.
    """
    soon, tomorrow, gone = (
        found("openai/gpt-old", GOES - timedelta(days=days))[0].message for days in (17, 1, -30)
    )

    assert "`openai/gpt-old` will be deprecated on 2026-12-11, in 17 days" == soon
    assert "`openai/gpt-old` will be deprecated on 2026-12-11, tomorrow" == tomorrow
    assert "`openai/gpt-old` was deprecated on 2026-12-11" == gone


@pytest.mark.parametrize(
    "model", ["openai/gpt-old", "litellm/gpt-old", "google/gem", "litellm/gemini/gem", "mistral/small"]
)
def test_a_model_is_known_under_every_spelling(model: str) -> None:
    """
    The catalogue is asked for the same model whichever way the policy reaches it.
    """
    assert ["P802"] == codes(model)


@pytest.mark.parametrize(
    "model",
    [
        "openai/gpt-old disabled",
        'openai/gpt-old server "http://localhost:8000/v1"',
        "openai/gpt-old costs $9 in, $9 out disabled",
        'openai/gpt-old costs nothing server "http://localhost:8000/v1"',
        "claude-code-cli/gpt-old costs $9 in, $9 out",
        "mistral/gpt-old costs $9 in, $9 out",
        'openai/gpt-newer costs $9 in, $9 out server "http://localhost:8000/v1"',
        "openai/gpt-newer costs $9 in, $9 out disabled",
        "mistral/ours costs $9 in, $9 out",
    ],
)
def test_of_what_nothing_is_said(model: str) -> None:
    """
    A model that can't be in a chain, has a server of its own, or is of a provider whose models have their
    users' names, has nothing to be held against.
    """
    assert [] == codes(model)


@pytest.mark.parametrize(
    "model", ["openai/gpt-newer costs $9 in, $9 out", "litellm/gpt-newer costs $9 in, $9 out"]
)
def test_a_model_in_no_list_is_told(model: str) -> None:
    """
    Where the catalogue has all models of a provider, one that it doesn't know is mistyped, gone or too new.
    """
    assert ["P805"] == codes(model)


def test_the_place_is_the_id_or_the_price() -> None:
    """
    A date points at the model's id, a price at its `costs` clause, in both surfaces.
    """
    texts = {
        "p.policy": "model m is openai/gpt-old\n  costs $2 in, $4 out\ntier low from complexity 0 has m",
        "p.yaml": "models: {m: {is: openai/gpt-old, costs: '$2 in, $4 out'}}\ntiers: {x: {from: 0, has: m}}",
    }
    for name, text in texts.items():
        checked = check_text(text, PRICES, name)
        assert checked.policy is not None
        places = [d.span for d in outdated(checked.policy.policy, PRICES, TODAY)]
        model, price = (text[place.start : place.end] for place in places if place)
        assert "openai/gpt-old" == model, name
        assert re.fullmatch(r"costs\W+2 in, \$4 out", price), name


# --- prices --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("costs", "code"),
    [
        ("", None),
        ("costs $1 in, $4 out", None),
        ("costs $1.10 in, $3.60 out", None),
        ("costs $0.90 in, $4.40 out", None),
        ("costs $1.11 in, $4 out", "P803"),
        ("costs $1 in, $3.59 out", "P803"),
        ("costs nothing", "P803"),
        ("costs $1000 in, $4000 out", "P803"),
        ("costs $0.001 in, $4 out", "P803"),
        ("costs $0.001 in, $0.004 out", "P804"),
        ("costs $0.002 in, $0.002 out", "P804"),
        ("costs $0.0005 in, $0.008 out", "P804"),
        ("costs $0.0021 in, $0.004 out", "P803"),
        ("costs $0.00049 in, $0.004 out", "P803"),
        ("costs $0.01 in, $0.04 out", "P803"),
    ],
)
def test_when_a_price_is_told(costs: str, code: str | None) -> None:
    """
    More than 10 % off is told; both prices at about a thousandth of the catalogue's are told as that.
    """
    assert ([] if code is None else [code]) == codes(f"openai/gpt-x {costs}")


def test_a_free_model_may_be_given_a_price() -> None:
    """
    Where the catalogue says zero, a written price counts more than nothing, and isn't told.
    """
    assert [] == codes("openai/gpt-free costs $1 in, $1 out")


def test_both_prices_are_named_and_the_line_to_write() -> None:
    """
    A finding names what is written and what the catalogue says and of which day, its help what to write.
    """
    (differs,) = found("openai/gpt-x costs $2 in, $4 out")
    (thousandth,) = found("openai/gpt-x costs $0.001 in, $0.004 out")

    assert (
        "`m` costs $2.00 in, $4.00 out here, but $1.00 in, $4.00 out in the price catalogue of 2026-11-01"
        == (differs.message)
    )
    assert "about a thousandth of the $1.00 in, $4.00 out in the price catalogue" in thousandth.message
    for finding in (differs, thousandth):
        assert finding.help is not None
        assert "write `costs $1.00 in, $4.00 out`" in finding.help


def random_prices(rng: random.Random) -> tuple[int, int]:
    """
    Return a price of the catalogue, and one that is near it, a thousandth of it, or anything, in millionths.
    """
    right = rng.choice((1, 3, 17, 100, 250, 1_000, 999_983)) * 1000
    near = rng.choice((right, right // 1000, rng.randrange(1, 2 * right)))
    return right, near + rng.choice((0, 0, 1, near // 10, -(near // 10), near))


def expected(pairs: list[tuple[int, int]]) -> str | None:
    """
    Say in fractions what a reader of docs/language.md expects of (catalogue's, written) prices.
    """
    if all(0.9 <= written / right <= 1.1 for right, written in pairs):
        return None
    per_thousand = all(0.5 <= written * 1000 / right <= 2 for right, written in pairs)
    return "P804" if per_thousand else "P803"


def cases() -> Iterator[list[tuple[int, int]]]:
    rng = random.Random(803)  # noqa: S311  # a fixed seed, no secret
    for _ in range(300):
        yield [random_prices(rng), random_prices(rng)]


def test_random_prices() -> None:
    """
    For 300 pairs of prices the finding is what a plain reading of the page gives.
    """
    met = set()
    for (right_in, in_), (right_out, out) in cases():
        book = {"gpt-x": an_entry("openai", right_in / 1e6, right_out / 1e6)}
        prices = PriceBook(read_catalogue(snapshot(book, litellm_version="1.0.0", as_of="2026-11-01")))
        text = f"model m is openai/gpt-x costs ${in_ / 1e6:.6f} in, ${out / 1e6:.6f} out\n"
        checked = check_text(text + "tier low from complexity 0 has m\n", prices)
        assert checked.policy is not None
        told = [d.code for d in outdated(checked.policy.policy, prices, TODAY)]
        wanted = expected([(right_in, in_), (right_out, out)])
        assert ([] if wanted is None else [wanted]) == told, text
        met.add(wanted)

    assert {None, "P803", "P804"} == met


# --- in `validate` ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("surface", ["policy", "yaml"])
def test_the_example_that_mirrors_an_old_list_is_told(surface: str) -> None:
    """
    claude-loop keeps the models of the loop it was written for: three are past their date, two of them
    have other prices by now, seven are in no list any more, and all else is as the catalogue says.
    """
    found = validate([EXAMPLE / f"claude-loop.{surface}"], TODAY).report.diagnostics

    assert [
        ("P805", "anthropic/claude-3-5-haiku-20241022"),
        ("P805", "anthropic/claude-3-5-sonnet-20241022"),
        ("P805", "anthropic/claude-opus-4-20250514"),
        ("P801", "litellm/o1"),
        ("P805", "litellm/o1-mini"),
        ("P805", "google/gemini-2.0-flash-exp"),
        ("P805", "google/gemini-1.5-pro"),
        ("P805", "google/gemini-2.0-flash-thinking-exp"),
        ("P801", "deepseek/deepseek-chat"),
        ("P803", "deepseek-chat"),
        ("P801", "deepseek/deepseek-reasoner"),
        ("P803", "deepseek-r1"),
    ] == [(d.code, d.message.split("`")[1]) for d in found]
    assert {Severity.WARNING} == {d.severity for d in found}


def test_the_day_counts() -> None:
    """
    On the day of the source document's models nothing was past yet; the day is given, not read.
    """
    found = validate([EXAMPLE / "claude-loop.policy"], date(2026, 5, 1)).report.diagnostics

    assert ["P803", "P803"] == [d.code for d in found if d.code != "P805"]


def test_only_a_policy_without_errors_is_held_against_the_catalogue() -> None:
    """
    Errors come first; and loading a policy to use it looks at no dates.
    """
    text = "model m is openai/o1\ntier low from complexity 0 has m\n"

    assert ["P801"] == [d.code for d in validate_text(text, today=TODAY).report.diagnostics]
    assert ["P203"] == [
        d.code for d in validate_text(text + "fallback to n\n", today=TODAY).report.diagnostics
    ]
    assert () == check_text(text, price_book()).report.diagnostics
