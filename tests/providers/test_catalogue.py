"""The price catalogue: what ships, what is found in it, what a hostile map can't put into it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policyctl.providers import catalogue as module
from policyctl.providers.catalogue import (
    key_names_for,
    load_catalogue,
    look_up,
    read_catalogue,
    snapshot,
    suggest,
)
from policyctl.schemas.catalogue import Catalogue, Price
from policyctl.schemas.policy import CAPABILITIES

SHIPPED = Path(module.__file__).with_name("prices.json")


def an_entry(**changes: object) -> dict[str, object]:
    """An entry of LiteLLM's map, for a model of OpenAI's."""
    entry: dict[str, object] = {
        "mode": "chat",
        "litellm_provider": "openai",
        "input_cost_per_token": 2.5e-06,
        "output_cost_per_token": 1e-05,
        "max_input_tokens": 128000,
        "max_output_tokens": 16384,
    }
    return entry | changes


def is_a_date(text: str) -> bool:
    return text == date.fromisoformat(text).isoformat()


def text_of(litellm_map: dict[Any, object]) -> bytes:
    return snapshot(litellm_map, litellm_version="1.0.0", as_of="2026-11-23")


def catalogue_of(litellm_map: dict[Any, object]) -> Catalogue:
    return read_catalogue(text_of(litellm_map))


def price_of(**changes: object) -> Price:
    return catalogue_of({"gpt-x": an_entry(**changes)}).prices["gpt-x"]


def found(model_id: str) -> Price:
    price = look_up(load_catalogue(), model_id)
    assert price is not None, model_id
    return price


@pytest.fixture
def fresh() -> Iterator[None]:
    """No catalogue has been loaded yet."""
    load_catalogue.cache_clear()
    yield
    load_catalogue.cache_clear()


class TestShipped:
    def test_a_known_price(self) -> None:
        """
        gpt-4o costs $2.50 in and $10.00 out per million tokens.
        """
        price = found("openai/gpt-4o")

        assert 2_500_000_000 == price.price_in_nusd_per_mtok
        assert 10_000_000_000 == price.price_out_nusd_per_mtok

    def test_a_small_price(self) -> None:
        """
        gpt-4o-mini costs $0.15 in: 1.5e-07 in the map, with nothing lost on the way.
        """
        assert 150_000_000 == found("openai/gpt-4o-mini").price_in_nusd_per_mtok

    def test_more_facts(self) -> None:
        """
        What a model can do and take is known too, in the words of the language.
        """
        price = found("openai/gpt-4o")

        assert {"vision", "tools", "json_mode", "pdf"} == price.capabilities
        assert (128_000, 16_384) == (price.context_tokens, price.output_tokens)
        assert price.deprecation_date is None

    def test_a_retired_model(self) -> None:
        """
        deepseek-chat was retired before the day of the snapshot.
        """
        catalogue = load_catalogue()
        gone = found("deepseek/deepseek-chat").deprecation_date

        assert gone is not None
        assert date.fromisoformat(gone) < date.fromisoformat(catalogue.as_of)

    def test_every_row(self) -> None:
        """
        Every row has whole prices that aren't negative, sizes above zero, capabilities of the
        language, a real date, and an id that names its provider.
        """
        catalogue = load_catalogue()

        assert len(catalogue.prices) > 3000
        for price in catalogue.prices.values():
            for amount in (price.price_in_nusd_per_mtok, price.price_out_nusd_per_mtok):
                assert amount is None or (type(amount) is int and amount >= 0), price
            for size in (price.context_tokens, price.output_tokens):
                assert size is None or (type(size) is int and size > 0), price
            assert price.capabilities <= set(CAPABILITIES), price
            assert price.deprecation_date is None or is_a_date(price.deprecation_date)
            assert price.id.partition("/")[0] in catalogue.providers, price

    def test_ids_are_honest(self) -> None:
        """
        An id with a provider in front is served by that provider.
        """
        misleading = [
            litellm_id
            for litellm_id, price in load_catalogue().prices.items()
            if "/" in litellm_id
            and litellm_id.partition("/")[0].replace("-", "_") != price.id.partition("/")[0].replace("-", "_")
        ]

        assert [] == misleading

    def test_readable(self) -> None:
        """
        The file has one model a line, sorted, and says where and when it comes from.
        """
        text = SHIPPED.read_text(encoding="utf-8")
        document = json.loads(text)
        ids = [row[0] for row in document["models"]]
        rows = [line for line in text.splitlines() if line.startswith("[")]

        assert sorted(ids) == ids
        assert len(ids) == len(rows)
        assert document["litellm_version"] == load_catalogue().litellm_version
        assert re.fullmatch(r"\d+\.\d+\.\d+", document["litellm_version"])
        assert document["as_of"] == load_catalogue().as_of
        assert "MIT" in document["about"]
        assert len(text) < 700_000

    def test_one_read(self, monkeypatch: pytest.MonkeyPatch, fresh: None) -> None:
        """
        However often the catalogue is asked for, its file is read once.
        """
        reads: list[Path] = []
        real = Path.read_bytes

        def counted(path: Path) -> bytes:
            reads.append(path)
            return real(path)

        monkeypatch.setattr(Path, "read_bytes", counted)

        assert load_catalogue() is load_catalogue()
        assert [SHIPPED] == reads

    def test_frozen(self) -> None:
        """
        Nobody can change a price in the catalogue that all share.
        """
        with pytest.raises(TypeError):
            load_catalogue().prices["gpt-4o"] = found("openai/gpt-4")  # type: ignore[index]


class TestLookUp:
    @pytest.mark.parametrize(
        ("litellm_id", "model_id"),
        [
            ("claude-haiku-4-5", "anthropic/claude-haiku-4-5"),
            ("gpt-4o", "openai/gpt-4o"),
            ("gemini/gemini-2.5-flash", "google/gemini-2.5-flash"),
            ("gemini/gemini-2.5-flash", "gemini/gemini-2.5-flash"),
            ("deepseek/deepseek-chat", "deepseek/deepseek-chat"),
            ("gpt-4o", "litellm/gpt-4o"),
            ("gpt-4o", "litellm/openai/gpt-4o"),
            ("gemini-2.5-flash", "litellm/gemini-2.5-flash"),
            ("gemini/gemini-2.5-flash", "litellm/gemini/gemini-2.5-flash"),
            ("gemini-2.5-flash", "vertex_ai/gemini-2.5-flash"),
            ("groq/openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
            ("ollama/llama3", "ollama/llama3"),
            ("azure/gpt-4o", "azure/gpt-4o"),
            ("amazon-nova/nova-micro-v1", "amazon_nova/nova-micro-v1"),
        ],
    )
    def test_spellings(self, litellm_id: str, model_id: str) -> None:
        """
        An id is found as a policy writes it, whichever way LiteLLM spells it.
        """
        assert load_catalogue().prices[litellm_id] == look_up(load_catalogue(), model_id)

    @pytest.mark.parametrize(
        "model_id",
        [
            "anthropic/gpt-4o",
            "google/gpt-4o",
            "openai/claude-haiku-4-5",
            "openai/deepseek-chat",
            "groq/gpt-4o",
            "anthropic/openai/gpt-4o",
        ],
    )
    def test_another_provider(self, model_id: str) -> None:
        """
        A model isn't found under a provider that doesn't serve it.
        """
        assert look_up(load_catalogue(), model_id) is None

    @pytest.mark.parametrize(
        "model_id",
        ["claude-code-cli/sonnet", "offline/gpt-4o", "gpt-4o", "openai/", "/gpt-4o", "litellm/", ""],
    )
    def test_no_price(self, model_id: str) -> None:
        """
        The CLI, the offline provider and half an id have no price.
        """
        assert look_up(load_catalogue(), model_id) is None

    def test_googles_two_services(self) -> None:
        """
        Google's own service and Vertex AI have a model of the same name each with facts of its own.
        """
        catalogue = catalogue_of(
            {
                "gemini-x": an_entry(litellm_provider="vertex_ai-language-models", max_input_tokens=1),
                "gemini/gemini-x": an_entry(litellm_provider="gemini", max_input_tokens=2),
            }
        )

        sizes = {
            model_id: price.context_tokens
            for model_id in ("google/gemini-x", "vertex_ai/gemini-x", "litellm/gemini-x")
            if (price := look_up(catalogue, model_id))
        }

        assert {"google/gemini-x": 2, "vertex_ai/gemini-x": 1, "litellm/gemini-x": 1} == sizes


class TestKeyNames:
    @pytest.mark.parametrize(
        ("names", "model_id"),
        [
            (("ANTHROPIC_API_KEY",), "anthropic/claude-haiku-4-5"),
            (("OPENAI_API_KEY",), "openai/gpt-4o"),
            (("GOOGLE_API_KEY", "GEMINI_API_KEY"), "google/gemini-2.5-flash"),
            (("DEEPSEEK_API_KEY",), "deepseek/deepseek-chat"),
            (("GROQ_API_KEY",), "groq/openai/gpt-oss-120b"),
            (("XAI_API_KEY",), "xai/anything"),
            ((), "ollama/llama3"),
            ((), "lm_studio/anything"),
            ((), "vllm/anything"),
            ((), "claude-code-cli/sonnet"),
            ((), "offline/echo"),
            ((), "nobody-knows/this"),
        ],
    )
    def test_by_provider(self, names: tuple[str, ...], model_id: str) -> None:
        """
        A model needs its provider's key, if the provider needs one.
        """
        assert names == key_names_for(load_catalogue(), model_id)

    @pytest.mark.parametrize(
        ("names", "model_id"),
        [
            (("OPENAI_API_KEY",), "litellm/gpt-4o"),
            (("ANTHROPIC_API_KEY",), "litellm/claude-haiku-4-5"),
            (("DEEPSEEK_API_KEY",), "litellm/deepseek-chat"),
            (("GOOGLE_API_KEY", "GEMINI_API_KEY"), "litellm/gemini/gemini-2.5-flash"),
            (("GROQ_API_KEY",), "litellm/groq/not-in-the-map"),
            (("OPENAI_API_KEY",), "litellm/gpt-not-in-the-map"),
            (("OPENAI_API_KEY",), "litellm/o1-mini"),
            (("ANTHROPIC_API_KEY",), "litellm/claude-not-in-the-map"),
            (("GOOGLE_API_KEY", "GEMINI_API_KEY"), "litellm/gemini-not-in-the-map"),
            (("DEEPSEEK_API_KEY",), "litellm/deepseek-not-in-the-map"),
            ((), "litellm/gemini-2.5-flash"),
            ((), "litellm/unheard-of"),
        ],
    )
    def test_through_litellm(self, names: tuple[str, ...], model_id: str) -> None:
        """
        Through LiteLLM the key is that of the provider that serves the model: by the catalogue
        (a bare Gemini name is Vertex AI's, which needs no key), by its prefix, by its name.
        """
        assert names == key_names_for(load_catalogue(), model_id)

    def test_every_provider_has_an_entry(self) -> None:
        """
        Each provider that a policy may write has its key names, or none.
        """
        catalogue = load_catalogue()
        ours = {"anthropic", "openai", "google", "deepseek", "litellm", "claude-code-cli", "offline"}

        assert catalogue.providers == catalogue.key_names.keys()
        assert ours | {"groq", "openrouter", "bedrock", "vertex_ai"} <= catalogue.providers


class TestSuggest:
    @pytest.mark.parametrize(
        ("meant", "written"),
        [
            ("openai/gpt-4o", "openai/gpt-4oo"),
            ("openai/gpt-4o", "anthropic/gpt-4o"),
            ("openai/gpt-4o", "gpt-4o"),
            ("openai/gpt-4o-mini", "gpt-4o-mni"),
            ("anthropic/claude-haiku-4-5", "antropic/claude-haiku-4-5"),
            ("google/gemini-2.5-flash", "google/gemini-2.5-flsh"),
            ("google/gemini-2.5-flash", "openai/gemini-2.5-flash"),
            ("litellm/gpt-4o", "litellm/gpt-4oo"),
            ("litellm/groq/openai/gpt-oss-120b", "litellm/groq/openai/gpt-oss-120"),
        ],
    )
    def test_closest_first(self, meant: str, written: str) -> None:
        """
        The first guess is what was meant, as a policy writes it.
        """
        assert meant == suggest(load_catalogue(), written)[0]

    @pytest.mark.parametrize(
        "written", ["", "/", "zzz/zzz", "offline/x", "openai/" + "x" * 1000, "openai/€€€€"]
    )
    def test_nothing_like_it(self, written: str) -> None:
        """
        Where nothing is close, nothing is guessed.
        """
        assert () == suggest(load_catalogue(), written)

    def test_limit(self) -> None:
        """
        There are at most as many guesses as asked for, none of them the id itself.
        """
        catalogue = load_catalogue()

        assert 1 == len(suggest(catalogue, "openai/gpt-4oo", limit=1))
        assert () == suggest(catalogue, "openai/gpt-4oo", limit=0)
        assert "openai/gpt-4o" not in suggest(catalogue, "openai/gpt-4o")

    @pytest.mark.parametrize("written", ["anthropic/claude-opus", "google/gemini", "litellm/gpt-6", "gpt-5"])
    def test_can_be_written(self, written: str) -> None:
        """
        Every guess is an id that the catalogue finds.
        """
        catalogue = load_catalogue()

        assert all(look_up(catalogue, guess) for guess in suggest(catalogue, written))


class TestPrices:
    @pytest.mark.parametrize(
        ("nusd_per_mtok", "usd_per_token"),
        [
            (250_000_000, 2.5e-07),
            (250_000_000, Decimal("2.5e-07")),
            (141_953_125, 1.41953125e-07),
            (750_000, 7.5e-10),
            (1, Decimal("1e-15")),
            (50_000_000, 5.0000000000000004e-08),
            (300_020_000, 3.0001999999999996e-07),
            (600_000_000_000, 0.0006),
            (0, 0),
            (0, -0.0),
        ],
    )
    def test_exact(self, nusd_per_mtok: int, usd_per_token: float | Decimal) -> None:
        """
        A price is exact, also below a nano-USD a token; what binary arithmetic left behind is cut off.
        """
        assert nusd_per_mtok == price_of(input_cost_per_token=usd_per_token).price_in_nusd_per_mtok

    @pytest.mark.parametrize(
        "usd_per_token",
        [
            float("nan"),
            float("inf"),
            float("-inf"),
            Decimal("sNaN"),
            Decimal("1e-999999999"),
            Decimal("1e999999999"),
            -2.5e-06,
            0.01,
            1e-300,
            10**4000,
            True,
            "2.5e-06",
            None,
            [2.5e-06],
            {"usd": 2.5e-06},
        ],
        ids=str,
    )
    def test_no_price(self, usd_per_token: object) -> None:
        """
        What can't be a price is unknown, and never free.
        """
        price = price_of(output_cost_per_token=usd_per_token)

        assert price.price_out_nusd_per_mtok is None
        assert 2_500_000_000 == price.price_in_nusd_per_mtok

    def test_billed_otherwise(self) -> None:
        """
        A model whose tokens cost nothing because its answers do isn't free.
        """
        free = price_of(input_cost_per_token=0, output_cost_per_token=0)
        by_answer = price_of(input_cost_per_token=0, output_cost_per_token=0, output_cost_per_image=0.04)

        assert (0, 0) == (free.price_in_nusd_per_mtok, free.price_out_nusd_per_mtok)
        assert (None, None) == (by_answer.price_in_nusd_per_mtok, by_answer.price_out_nusd_per_mtok)


class TestSnapshot:
    def test_modes(self) -> None:
        """
        Only models that one can chat with are in it.
        """
        catalogue = catalogue_of(
            {
                f"{mode}-model": an_entry(mode=mode)
                for mode in ("chat", "completion", "responses", "embedding", "image_generation", "")
            }
        )

        bare = {litellm_id for litellm_id in catalogue.prices if "/" not in litellm_id}
        assert {"chat-model", "completion-model", "responses-model"} == bare

    def test_capabilities(self) -> None:
        """
        LiteLLM's flags become our words; only a plain true counts.
        """
        price = price_of(
            supports_vision=True,
            supports_function_calling=True,
            supports_response_schema=False,
            supports_reasoning="yes",
            supports_audio_input=1,
            supports_pdf_input=True,
            supports_web_search=True,
        )

        assert {"vision", "tools", "pdf", "web_search"} == price.capabilities

    @pytest.mark.parametrize("size", [0, -1, 1.5, float("nan"), True, "128000", None, [], 10**30])
    def test_no_size(self, size: object) -> None:
        """
        What can't be a number of tokens is unknown.
        """
        price = price_of(max_input_tokens=size, max_output_tokens=size)

        assert (None, None) == (price.context_tokens, price.output_tokens)

    def test_size_as_float(self) -> None:
        """
        A number of tokens may be written as a float, as long as it is whole.
        """
        assert 128_000 == price_of(max_input_tokens=128e3).context_tokens

    @pytest.mark.parametrize("day", ["soon", "2026-13-01", "", 20261123, None, ["2026-11-23"]])
    def test_no_date(self, day: object) -> None:
        """
        What can't be a date is left out.
        """
        assert price_of(deprecation_date=day).deprecation_date is None

    @pytest.mark.parametrize(
        "litellm_id",
        [
            "",
            " ",
            "two words",
            "new\nline",
            "nul\0",
            "\u202egpt",
            "gpt-\ud800",
            '"',
            "../x",
            "*",
            "x" * 300,
            7,
            None,
        ],
        ids=ascii,
    )
    def test_no_id(self, litellm_id: object) -> None:
        """
        An entry whose key can't be a model's id is left out.
        """
        assert {} == catalogue_of({litellm_id: an_entry()}).prices

    @pytest.mark.parametrize("provider", [None, "", "two words", "a/b", 7, ["openai"], "x" * 300])
    def test_no_provider(self, provider: object) -> None:
        """
        An entry whose provider can't be one is left out.
        """
        assert {} == catalogue_of({"gpt-x": an_entry(litellm_provider=provider)}).prices

    @pytest.mark.parametrize("entry", [None, 1, "chat", [], {}, {"mode": ["chat"]}, {"mode": None}])
    def test_no_entry(self, entry: object) -> None:
        """
        What is no entry is left out, and the others stay.
        """
        catalogue = catalogue_of({"broken": entry, "gpt-x": an_entry()})

        assert {"gpt-x", "openai/gpt-x"} == catalogue.prices.keys()

    def test_false_colours(self) -> None:
        """
        An entry whose id looks like another provider's can't be found as that one's.
        """
        catalogue = catalogue_of({"openai/gpt-x": an_entry(litellm_provider="groq")})

        assert look_up(catalogue, "openai/gpt-x") is None
        assert look_up(catalogue, "groq/openai/gpt-x") is not None

    def test_own_row_wins(self) -> None:
        """
        Where the map has a bare and a full spelling, each keeps its own facts.
        """
        catalogue = catalogue_of(
            {
                "gpt-x": an_entry(max_input_tokens=1),
                "openai/gpt-x": an_entry(max_input_tokens=2),
            }
        )

        assert 1 == catalogue.prices["gpt-x"].context_tokens
        assert 2 == catalogue.prices["openai/gpt-x"].context_tokens

    def test_order(self) -> None:
        """
        The order of the map doesn't matter.
        """
        entries: dict[Any, object] = {f"gpt-{i}": an_entry(max_input_tokens=i + 1) for i in range(9)}

        assert text_of(entries) == text_of(dict(reversed(entries.items())))

    def test_floats_and_decimals(self) -> None:
        """
        A map parsed with floats and one parsed with decimals give the same file.
        """
        floats = text_of({"gpt-x": an_entry(input_cost_per_token=2.5e-07)})
        decimals = text_of({"gpt-x": an_entry(input_cost_per_token=Decimal("0.00000025"))})

        assert floats == decimals

    def test_nothing(self) -> None:
        """
        An empty map is an empty catalogue that still knows our providers.
        """
        catalogue = catalogue_of({})

        assert {} == catalogue.prices
        assert "anthropic" in catalogue.providers

    def test_bad_day(self) -> None:
        """
        The day of a snapshot is a date.
        """
        with pytest.raises(ValueError, match="isoformat"):
            snapshot({}, litellm_version="1.0.0", as_of="today")


class TestRead:
    @pytest.mark.parametrize(
        "text", [b"", b"{", b"[]", b"{}", b"null", b"7", b"\xff", b'{"format": 1}', b"[" * 100_000]
    )
    def test_no_catalogue(self, text: bytes) -> None:
        """
        What is no catalogue is refused, whatever it is.
        """
        with pytest.raises(ValueError):
            read_catalogue(text)

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            (0, 7),
            (0, None),
            (1, None),
            (2, -1),
            (2, 2.5),
            (2, float("nan")),
            (3, "10"),
            (3, True),
            (4, -128000),
            (5, [1]),
            (6, "telepathy"),
            (6, ["vision"]),
            (7, "soon"),
            (7, 0),
        ],
    )
    def test_a_bad_row(self, place: int, value: object) -> None:
        """
        One row that was tampered with, and nothing of the file is believed.
        """
        document = json.loads(text_of({"gpt-x": an_entry()}))
        document["models"][0][place] = value

        with pytest.raises(ValueError):
            read_catalogue(json.dumps(document))

    @pytest.mark.parametrize(
        ("name", "value"), [("format", 2), ("columns", ["id"]), ("as_of", "soon"), ("as_of", 7)]
    )
    def test_a_bad_head(self, name: str, value: object) -> None:
        """
        A file of another version, or of no known day, is refused.
        """
        document = json.loads(text_of({"gpt-x": an_entry()}))
        document[name] = value

        with pytest.raises(ValueError):
            read_catalogue(json.dumps(document))
