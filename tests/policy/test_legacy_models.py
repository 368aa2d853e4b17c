"""Models of the older YAML form: units of prices, who serves them, short names, tiers."""

from __future__ import annotations

import itertools

import pytest

from policyctl import Engine
from policyctl.policy.load import Older

from .older_files import CASES, a_model, dollars, found_in, listed, policy_of, text_of, told

# --- the unit of prices ----------------------------------------------------------------------------------


def test_the_two_units_give_the_same_prices() -> None:
    """
    Keys that say 1K in both files mean 1M tokens in one and 1K in the other.
    """
    by_name, listed = policy_of(text_of("map")).models, policy_of(text_of("list")).models

    assert (15.0, 75.0) == dollars(by_name["claude-opus"]) == dollars(listed["claude-opus"])
    assert (0.25, 1.25) == dollars(by_name["claude-haiku"]) == dollars(listed["claude-haiku"])
    assert (2.5, 10.0) == dollars(by_name["litellm/gpt-4o"]) == dollars(listed["gpt-4o"])


def test_a_file_of_unknown_models_asks_for_the_unit() -> None:
    """
    A price that nothing can be compared with is an error that says how to tell the unit.
    """
    (finding,) = found_in(text_of("custom_model"))

    assert "P121" == finding.code
    assert "`my-custom-provider`" in finding.message
    assert finding.help is not None
    assert "price_unit: 1k" in finding.help
    assert "--price-unit" in finding.help


@pytest.mark.parametrize(("unit", "prices"), [("1m", (1.0, 3.0)), ("1k", (1000.0, 3000.0))])
def test_the_unit_can_be_said(unit: str, prices: tuple[float, float]) -> None:
    """
    A key of the file or an option says the unit; the option counts where both do.
    """
    text = text_of("custom_model")
    other = {"1m": "1k", "1k": "1m"}[unit]

    assert prices == dollars(policy_of(f"price_unit: {unit}\n{text}").models["my-custom-provider"])
    assert prices == dollars(policy_of(text, Older(price_unit=unit)).models["my-custom-provider"])
    assert prices == dollars(
        policy_of(f"price_unit: {other}\n{text}", Older(price_unit=unit)).models["my-custom-provider"]
    )


CUSTOM = a_model("mine", "my-model", "0.002", "0.004")


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (a_model("litellm/gpt-4o", "gpt-4o", "2.5", "10"), (0.002, 0.004)),
        (a_model("litellm/gpt-4o", "gpt-4o", "0.0025", "0.01"), (2.0, 4.0)),
        (a_model("claude-opus", "gone-long-ago", "15", "75"), (0.002, 0.004)),
        (a_model("opus", "gone-long-ago", "0.015", "0.075"), (2.0, 4.0)),
        (a_model("another", "gpt-4o", "0.005", "0.02"), (2.0, 4.0)),
    ],
)
def test_known_models_decide_for_the_whole_file(known: str, expected: tuple[float, float]) -> None:
    """
    A model of the price catalogue, or one of the thirteen under its key or short name, tells the unit.
    """
    assert expected == dollars(policy_of(CUSTOM + known).models["mine"])


@pytest.mark.parametrize(
    "more", ["", a_model("free", "gpt-4o", "0", "0"), a_model("far", "gpt-4o", "0.1", "0.3")]
)
def test_what_is_near_neither_unit_decides_nothing(more: str) -> None:
    """
    A price of zero, or one that is far from the known one in both units, leaves the question open.
    """
    assert ["P121"] == [code for code, _ in told(CUSTOM + more)]


def test_known_models_that_disagree_are_both_named() -> None:
    """
    Where one known price says 1K and another one 1M, the file is refused and both are shown.
    """
    text = a_model("litellm/gpt-4o", "gpt-4o", "2.5", "10") + a_model("litellm/o1", "o1", "0.015", "0.06")
    (finding,) = found_in(text)

    assert "P121" == finding.code
    assert "`litellm/o1` fits 1K tokens" in finding.message
    assert "`litellm/gpt-4o` fits 1M tokens" in finding.message
    assert [] == found_in("price_unit: 1m\n" + text)


def test_a_key_that_says_a_million_means_a_million() -> None:
    """
    Keys with 1m in them need no comparison.
    """
    text = CUSTOM.replace("_1k", "_1m")

    assert (0.002, 0.004) == dollars(policy_of(text).models["mine"])
    assert (0.002, 0.004) == dollars(
        policy_of(text.replace("input_cost_per_1m", "cost_per_1m_input")).models["mine"]
    )


# --- models ----------------------------------------------------------------------------------------------


def test_max_tokens_is_the_answer_in_one_file_and_the_window_in_the_other() -> None:
    """
    The known limits of a file's models tell what its `max_tokens` are.
    """
    by_name, listed = policy_of(text_of("map")).models, policy_of(text_of("list")).models

    assert 8192 == by_name["claude-sonnet"].output_tokens
    assert 65536 == by_name["litellm/o1-mini"].output_tokens
    assert 200_000 == listed["claude-opus"].context_tokens
    assert 64_000 == listed["deepseek-r1"].context_tokens


@pytest.mark.parametrize(("tokens", "window", "answer"), [(4096, None, 4096), (200_000, 200_000, None)])
def test_max_tokens_of_unknown_models_go_by_size(tokens: int, window: int | None, answer: int | None) -> None:
    """
    Where nothing is known, 100,000 tokens and more are a window, fewer an answer.
    """
    model = policy_of(f"price_unit: 1m\n{a_model('m', 'mine', '1', '2', max_tokens=str(tokens))}").models["m"]

    assert (window, answer) == (model.context_tokens, model.output_tokens)


def test_the_limit_of_the_parameters_counts_before_that_of_the_model() -> None:
    """
    Where both say `max_tokens`, the model's gives way, which is told.
    """
    text = "claude-haiku:\n  max_tokens: 8192\n  parameters: {max_tokens: 1000, temperature: 0}\n"

    assert [("P126", "8192")] == told(text)
    assert (1000, (("temperature", 0.0),)) == (
        policy_of(text).models["claude-haiku"].output_tokens,
        policy_of(text).models["claude-haiku"].settings,
    )


@pytest.mark.parametrize(
    ("name", "model", "expected"),
    [
        ("anthropic", "claude-x", "anthropic/claude-x"),
        ("google", "gemini-x", "google/gemini-x"),
        ("deepseek", "deepseek-x", "deepseek/deepseek-x"),
        ("openai", "gpt-x", "openai/gpt-x"),
        ("litellm", "groq/llama-x", "litellm/groq/llama-x"),
        ("claude-code", "claude-sonnet-3.5", "claude-code-cli/sonnet"),
        ("claude-code", "opus", "claude-code-cli/opus"),
        ("groq", "llama-x", "groq/llama-x"),
    ],
)
def test_by_name_a_model_says_who_serves_it(name: str, model: str, expected: str) -> None:
    """
    In the form by names, `name` is the provider.
    """
    text = "price_unit: 1m\n" + a_model("m", model, "1", "2").replace("name: litellm", f"name: {name}")

    assert expected == policy_of(text).models["m"].id


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-opus-9", "anthropic/claude-opus-9"),
        ("gpt-9", "openai/gpt-9"),
        ("o3-mini", "openai/o3-mini"),
        ("gemini-9-pro", "google/gemini-9-pro"),
        ("deepseek-chat", "deepseek/deepseek-chat"),
        ("groq/llama-x", "groq/llama-x"),
        ("jamba-large-1.7", "ai21/jamba-large-1.7"),
    ],
)
def test_in_a_list_the_id_says_who_serves_it(model: str, expected: str) -> None:
    """
    In the form of a list, `name` is the key, and the provider follows from the model's id.
    """
    fields = f"model: {model}, cost_per_1k_input: 1, cost_per_1k_output: 2"

    assert expected == policy_of(f"price_unit: 1m\nproviders:\n  - {{name: m, {fields}}}").models["m"].id


def test_an_id_that_nobody_is_known_to_serve_is_an_error() -> None:
    """
    The finding points at the id and says to write the provider in front.
    """
    text = "providers:\n  - {name: m, model: house-7b, cost_per_1m_input: 1, cost_per_1m_output: 1}"

    assert ("P211", "house-7b") in told(text)


def test_a_provider_that_does_not_exist_is_an_error_at_its_word() -> None:
    """
    A misspelt provider is pointed at, with the one that was meant.
    """
    text = "price_unit: 1m\n" + a_model("m", "x", "1", "2").replace("litellm", "antropic")
    (finding,) = found_in(text)

    assert ("P211", "antropic") == told(text)[0]
    assert "did you mean `anthropic`?" == finding.help


@pytest.mark.parametrize("word", ["true", "True", "yes", "on"])
def test_old_words_for_true_are_understood(word: str) -> None:
    """
    The loops that such files come from read YAML 1.1, where yes and on are true.
    """
    assert policy_of(f"claude-haiku: {{enabled: {word}}}").models["claude-haiku"].enabled
    assert not policy_of("claude-haiku: {enabled: off}").models["claude-haiku"].enabled


def test_providers_may_be_a_map() -> None:
    """
    `providers` with a map below it is the form by names.
    """
    text = "price_unit: 1m\nproviders:\n  " + a_model("m", "x", "1", "2")

    assert ["litellm/x"] == [model.id for model in policy_of(text).models.values()]


@pytest.mark.parametrize(
    ("price_in", "tier"), [("0.99", "cheap"), ("1.00", "medium"), ("5.00", "medium"), ("5.01", "powerful")]
)
def test_models_without_a_tier_go_by_their_price(price_in: str, tier: str) -> None:
    """
    Below $1 is cheap, up to $5 is medium, above is powerful; the first tier serves from 0 on.
    """
    (found,) = policy_of("price_unit: 1m\n" + a_model("m", "x", price_in, "9")).tiers

    assert (tier, 0.0, False) == (found.name, found.start, found.above)


def test_known_models_have_their_tiers_whatever_they_cost() -> None:
    """
    o1-mini is medium, gemini-thinking and deepseek-r1 are cheap, the command-line program is in no tier.
    """
    tiers = {model: t.name for t in policy_of(text_of("map")).tiers for model in t.models}

    assert "medium" == tiers["litellm/o1-mini"]
    assert "cheap" == tiers["gemini-thinking"] == tiers["deepseek-r1"]
    assert "claude-code-cli" not in tiers


# --- short names -----------------------------------------------------------------------------------------


def chain_of(text: str) -> tuple[str, ...]:
    fallback = policy_of(text).fallback
    assert fallback is not None
    return tuple(str(entry) for entry in fallback.entries)


ALL_SHORT = "[haiku, sonnet, opus, deepseek, gpt-4o, gpt-4o-mini, o1, o1-mini, gemini-flash]"


def test_short_names_are_aliases_of_the_known_models() -> None:
    """
    The document's short names mean its thirteen models.
    """
    expected = ("claude-haiku", "claude-sonnet", "claude-opus", "deepseek-chat", "litellm/gpt-4o")
    expected += ("litellm/gpt-4o-mini", "litellm/o1", "litellm/o1-mini", "gemini-flash")

    assert expected == chain_of(f"routing:\n  fallback_chain: {ALL_SHORT}")
    assert "opus" in policy_of(text_of("map")).models["claude-opus"].aliases


def test_a_file_that_uses_short_names_as_keys_keeps_them() -> None:
    """
    Where a whole model is called `opus`, the name of the known model means it, and the other way round.
    """
    text = (
        listed("opus", "gpt-4o", "sonnet")
        + "routing: {fallback_chain: [claude-opus, litellm/gpt-4o, sonnet]}"
    )

    assert ("opus", "gpt-4o", "sonnet") == chain_of(text)
    assert "opus" == policy_of(text).baseline
    assert ("sonnet", "gpt-4o") == chain_of(listed("opus", "gpt-4o", "sonnet"))


def test_a_short_name_of_other_keys_means_the_only_one_it_fits() -> None:
    """
    `deepseek` means deepseek-v3 where that is the only one of its family.
    """
    assert ("deepseek-v3",) == chain_of(listed("deepseek-v3", "m") + "routing: {fallback_chain: [deepseek]}")


def test_a_short_name_that_fits_two_keys_names_both() -> None:
    """
    `deepseek` with deepseek-v3 and deepseek-r2 is an error that names them.
    """
    text = (
        listed("deepseek-v3", "deepseek-r2")
        + "domainRouting:\n  - {domain: math, preferred_providers: [deepseek]}"
    )
    (finding,) = found_in(text)

    assert [("P205", "deepseek")] == told(text)
    assert "write the whole key: `deepseek-v3`, `deepseek-r2`" == finding.help


def test_a_part_of_a_name_is_no_short_name() -> None:
    """
    `o1` never means o1-mini, nor `gpt-4o` gpt-4o-mini.
    """
    text = listed("o1-mini", "gpt-4o-mini") + "routing: {fallback_chain: [o1, gpt-4o]}"

    assert [("P203", "o1"), ("P203", "gpt-4o")] == told(text)


# --- tiers -----------------------------------------------------------------------------------------------


def starts(text: str) -> list[tuple[str, float, bool]]:
    return [(t.name, t.start, t.above) for t in policy_of(text).tiers]


def test_a_shared_bound_belongs_to_the_lower_tier() -> None:
    """
    [0, 2] and [2, 6] meet in 2, which is the lower one's.
    """
    engine = Engine.load(CASES / "ranges.yaml")
    heads = [engine.decide(complexity=c).chain[0] for c in (0, 2, 2.1, 6, 6.1, 10)]

    assert ["claude-haiku"] * 2 + ["claude-sonnet"] * 2 + ["claude-opus"] * 2 == heads


def test_a_tier_starts_where_it_says() -> None:
    """
    Between [0, 1] and [2, 5], 1.5 is the lower tier's: it ends where the next one starts.
    """
    assert [("cheap", 0, False), ("medium", 2, False), ("powerful", 6, False)] == starts(
        text_of("thresholds")
    )


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_ranges_may_stand_in_any_order(order: tuple[int, ...]) -> None:
    """
    Tiers rise, however the file orders its ranges.
    """
    ranges = [("haiku", 0, 2), ("sonnet", 2, 6), ("opus", 6, 10)]
    entries = [f"- {{name: {name}, complexity_threshold: [{low}, {high}]}}" for name, low, high in ranges]
    text = "providers:\n" + "".join(f"  {entries[i]}\n" for i in order)

    assert [("cheap", 0, False), ("medium", 2, True), ("powerful", 6, True)] == starts(text)


@pytest.mark.parametrize(
    ("ranges", "names"),
    [
        (["[0, 3]", "[3, 10]"], ["cheap", "powerful"]),
        (["[0, 1]", "[1, 2]"], ["tier_1", "tier_2"]),
        (["[0, 3], tier: low", "[3, 10], tier: high"], ["low", "high"]),
        (["[0, 3], tier: same", "[3, 10], tier: same"], ["cheap", "powerful"]),
    ],
)
def test_ranges_are_named_by_their_models_or_their_middle(ranges: list[str], names: list[str]) -> None:
    """
    A range is called what its models say, else by the rank its middle is in, else by a number.
    """
    entries = zip(("haiku", "opus"), ranges, strict=True)
    text = "providers:\n" + "".join(f"  - {{name: {n}, complexity_threshold: {r}}}\n" for n, r in entries)

    assert names == [name for name, _, _ in starts(text)]


def test_ranges_that_overlap_are_told() -> None:
    """
    [0, 4] and [2, 10] overlap: the second starts where it says, with a warning.
    """
    text = "providers:\n  - {name: haiku, complexity_threshold: [0, 4]}\n"
    text += "  - {name: opus, complexity_threshold: [2, 10]}"

    assert [("P126", "2")] == told(text)
    assert [("cheap", 0, False), ("powerful", 2, False)] == starts(text)


def test_a_gap_below_the_first_range_is_an_error() -> None:
    """
    Where nobody serves the simplest requests, the checker says so.
    """
    assert ["P401"] == [
        code for code, _ in told("providers:\n  - {name: opus, complexity_threshold: [2, 10]}")
    ]


def test_a_model_that_is_dearer_than_its_tier_allows_is_left_out() -> None:
    """
    `max_cost_per_1m` bounds the price of input; what is above it is left out with a warning.
    """
    text = "customTiers:\n  - {name: t, max_cost_per_1m: 1, providers: [haiku, opus], "
    text += "use_for_complexity: [0, 10]}"

    assert [("P126", "opus")] == told(text)
    assert ("claude-haiku",) == policy_of(text).tiers[0].models


def test_a_tier_without_models_has_those_of_its_price() -> None:
    """
    Without `providers` a custom tier has all models up to its price that the cheaper tiers don't reach.
    """
    text = "customTiers:\n  - {name: a, max_cost_per_1m: 0.2, use_for_complexity: [0, 4]}\n"
    text += "  - {name: b, max_cost_per_1m: 2.5, use_for_complexity: [5, 10]}\n"
    first, second = policy_of(text).tiers

    assert {"gemini-flash", "gemini-thinking", "deepseek-chat", "litellm/gpt-4o-mini"} == set(first.models)
    assert {"claude-haiku", "deepseek-r1", "gemini-pro", "litellm/gpt-4o"} == set(second.models)


def test_a_tier_of_the_same_rank_is_meant() -> None:
    """
    A time rule that says cheap means the budget tier of a file that calls it so.
    """
    text = text_of("list") + text_of("time_rules")
    rules = {rule.name: rule.tier for rule in policy_of(text).rules}

    assert {"production_deploy": "premium", "development_hours": "budget", "off_hours": "standard"} == rules
