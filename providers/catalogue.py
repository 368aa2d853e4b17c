"""
The price catalogue: a shipped snapshot of facts from LiteLLM's price map.

`snapshot` turns that map into the text of `prices.json`, `read_catalogue` turns the text into a
`Catalogue`, `load_catalogue` does so for the shipped file. The rest looks things up in one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from ..schemas.catalogue import Catalogue, Price
from ..schemas.policy import CAPABILITIES
from ..schemas.records import dataclass

SHIPPED: Final = Path(__file__).with_name("prices.json")
_FORMAT: Final = 1
_ABOUT: Final = (
    "Facts about chat models, taken from LiteLLM's price map, which is MIT-licensed. Prices are nano-USD "
    "per million tokens; null means that the map doesn't say. `policyctl prices update` writes this file."
)
_COLUMNS: Final = (
    "id",
    "provider",
    "price_in_nusd_per_mtok",
    "price_out_nusd_per_mtok",
    "context_tokens",
    "output_tokens",
    "capabilities",
    "deprecation_date",
)
_Row = tuple[str, str, int | None, int | None, int | None, int | None, str, str | None]

_MODES: Final = ("chat", "completion", "responses")
_SUPPORTS: Final = {
    "vision": "supports_vision",
    "tools": "supports_function_calling",
    "json_mode": "supports_response_schema",
    "reasoning": "supports_reasoning",
    "audio": "supports_audio_input",
    "pdf": "supports_pdf_input",
    "web_search": "supports_web_search",
}

_NUSD_PER_MTOK_EXPONENT: Final = 15  # a dollar is 10^9 nano-USD, and a price is for 10^6 tokens
# The dearest model sells at $600 per million tokens; what is above $1,000 is a slip in the map.
_DEAREST_USD_PER_TOKEN: Final = Decimal("0.001")
_MOST_TOKENS: Final = 1_000_000_000
_LARGEST: Final = 10**12  # of all columns: the dearest price

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+-]{0,199}", re.ASCII)
_VERSION: Final = re.compile(r"[0-9A-Za-z.+!_-]{0,64}", re.ASCII)
_PROVIDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)

# Where LiteLLM's word for a provider isn't the prefix under which it takes that provider's models.
_ROUTES: Final = {
    "azure_text": "azure",
    "bedrock_converse": "bedrock",
    "cohere_chat": "cohere",
    "text-completion-openai": "openai",
}

_GOOGLE_KEYS: Final = ("GOOGLE_API_KEY", "GEMINI_API_KEY")

# Only providers whose every way to hand over a key is known. A provider whose credentials may lie
# elsewhere (a cloud profile, a managed identity, a login) isn't here: nothing is looked at, since a
# model that is wrongly taken for keyless costs one failed attempt, the opposite hides a model.
_KEY_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "google": _GOOGLE_KEYS,
    "gemini": _GOOGLE_KEYS,
    "deepseek": ("DEEPSEEK_API_KEY",),
    "ai21": ("AI21_API_KEY",),
    "anyscale": ("ANYSCALE_API_KEY",),
    "baseten": ("BASETEN_API_KEY",),
    "cerebras": ("CEREBRAS_API_KEY",),
    "cloudflare": ("CLOUDFLARE_API_KEY",),
    "codestral": ("CODESTRAL_API_KEY",),
    "cohere": ("COHERE_API_KEY", "CO_API_KEY"),
    "dashscope": ("DASHSCOPE_API_KEY",),
    "deepinfra": ("DEEPINFRA_API_KEY",),
    "featherless_ai": ("FEATHERLESS_AI_API_KEY",),
    "fireworks_ai": (
        "FIREWORKS_API_KEY",
        "FIREWORKS_AI_API_KEY",
        "FIREWORKSAI_API_KEY",
        "FIREWORKS_AI_TOKEN",
    ),
    "friendliai": ("FRIENDLIAI_API_KEY", "FRIENDLI_TOKEN"),
    "github": ("GITHUB_API_KEY",),
    "groq": ("GROQ_API_KEY",),
    "huggingface": ("HF_TOKEN", "HUGGINGFACE_API_KEY"),
    "hyperbolic": ("HYPERBOLIC_API_KEY",),
    "inception": ("INCEPTION_API_KEY",),
    "lambda_ai": ("LAMBDA_API_KEY",),
    "meta_llama": ("LLAMA_API_KEY",),
    "minimax": ("MINIMAX_API_KEY",),
    "mistral": ("MISTRAL_API_KEY", "MISTRAL_AZURE_API_KEY"),
    "moonshot": ("MOONSHOT_API_KEY",),
    "morph": ("MORPH_API_KEY",),
    "nebius": ("NEBIUS_API_KEY",),
    "nlp_cloud": ("NLP_CLOUD_API_KEY",),
    "novita": ("NOVITA_API_KEY",),
    "nscale": ("NSCALE_API_KEY",),
    "nvidia_nim": ("NVIDIA_NIM_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY", "OR_API_KEY"),
    "perplexity": ("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"),
    "replicate": ("REPLICATE_API_KEY", "REPLICATE_API_TOKEN"),
    "sambanova": ("SAMBANOVA_API_KEY",),
    "text-completion-codestral": ("CODESTRAL_API_KEY",),
    "together_ai": (
        "TOGETHERAI_API_KEY",
        "TOGETHER_API_KEY",
        "TOGETHER_AI_API_KEY",
        "TOGETHER_AI_TOKEN",
    ),
    "v0": ("V0_API_KEY",),
    "vercel_ai_gateway": ("VERCEL_AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"),
    "wandb": ("WANDB_API_KEY",),
    "xai": ("XAI_API_KEY",),
    "zai": ("ZAI_API_KEY",),
}

# First words that are ours, or LiteLLM's without a model in its map.
_MORE_PROVIDERS: Final = frozenset(
    {
        "litellm",
        "claude-code-cli",
        "offline",
        "docker_model_runner",
        "hosted_vllm",
        "litellm_proxy",
        "llamafile",
        "lm_studio",
        "ollama",
        "ollama_chat",
        "vllm",
    }
)
_UNPRICED_PROVIDERS: Final = frozenset({"claude-code-cli", "offline"})

_WELL_KNOWN_STARTS: Final = (
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("claude-", "anthropic"),
    ("gemini-", "google"),
    ("deepseek-", "deepseek"),
)

_LONGEST_GUESSED: Final = 120
_COMPARED_IN_FULL: Final = 40


# -- reading ---------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def load_catalogue() -> Catalogue:
    """
    Read the catalogue that ships with policyctl, once a process.

    Raises:
        OSError: The installation lacks the file.
        ValueError: The file is no catalogue.
    """
    return read_catalogue(SHIPPED.read_bytes())


def read_catalogue(text: str | bytes) -> Catalogue:
    """
    Read what `snapshot` wrote.

    Each model stands under LiteLLM's spelling and, where that is a bare name, under `PROVIDER/NAME`
    as well, which LiteLLM takes too; `Price.id` is always the latter.

    Raises:
        ValueError: The text isn't such a snapshot.
    """
    try:
        document = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise ValueError("this file isn't JSON") from error
    try:
        if document["format"] != _FORMAT or tuple(document["columns"]) != _COLUMNS:
            raise ValueError("this price catalogue was written by another version of policyctl")
        prices = _prices(document["models"])
        as_of = date.fromisoformat(document["as_of"]).isoformat()
        litellm_version = document["litellm_version"]
        if not isinstance(litellm_version, str) or not _VERSION.fullmatch(litellm_version):
            raise ValueError("this price catalogue doesn't say which release of LiteLLM it is from")
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("this file is no price catalogue") from error
    providers = _providers(prices)
    return Catalogue(
        prices=prices,
        providers=providers,
        key_names=MappingProxyType({name: _KEY_NAMES.get(name, ()) for name in sorted(providers)}),
        as_of=as_of,
        litellm_version=litellm_version,
    )


class _Prices(Mapping[str, Price]):
    """
    The prices of checked rows, each made when it is asked for.

    A policy asks for some ten of four thousand, and making them all would take most of a load.
    """

    __slots__ = ("_rows",)

    def __init__(self, rows: dict[str, tuple[str, list[Any]]]) -> None:
        self._rows = rows

    def __getitem__(self, litellm_id: str) -> Price:
        in_full, row = self._rows[litellm_id]
        _, _, price_in, price_out, context, output, words, day = row
        return Price(in_full, price_in, price_out, frozenset(words.split()), context, output, day)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _prices(rows: list[list[Any]]) -> _Prices:
    """All rows by LiteLLM's spelling, then by the full one where no row of its own has it."""
    # Column by column, so that the loops run inside Python rather than in it.
    columns = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
    ids, providers, prices_in, prices_out, contexts, outputs, words, days = columns
    for numbers in (prices_in, prices_out, contexts, outputs):
        _refuse_odd_numbers(numbers)
    _refuse_odd_words(words)
    _refuse_odd_days(days)
    in_full = map(_in_full, ids, providers)
    by_id = dict(zip(ids, zip(in_full, rows, strict=True), strict=True))
    for each in list(by_id.values()):
        by_id.setdefault(each[0], each)
    return _Prices(by_id)


def _refuse_odd_numbers(numbers: tuple[Any, ...]) -> None:
    """The door for money and sizes: whole numbers that aren't negative or beyond all measure, or None."""
    known = [0, *filter(None, numbers)]
    if not {int, type(None)}.issuperset(map(type, numbers)) or min(known) < 0 or max(known) > _LARGEST:
        raise ValueError("a number of this price catalogue can't be one")


def _refuse_odd_days(days: tuple[Any, ...]) -> None:
    if any(date.fromisoformat(day).isoformat() != day for day in set(days) - {None}):
        raise ValueError("a date of this price catalogue isn't written YYYY-MM-DD")


def _refuse_odd_words(capabilities: tuple[Any, ...]) -> None:
    if any(not frozenset(words.split()).issubset(CAPABILITIES) for words in set(capabilities)):
        raise ValueError("this price catalogue names a capability that policyctl doesn't have")


def _in_full(litellm_id: str, provider: str) -> str:
    """`PROVIDER/NAME` for an id that LiteLLM may spell barely, or with `-` for `_` in the prefix."""
    first, slash, name = litellm_id.partition("/")
    if slash and first.replace("-", "_") == provider.replace("-", "_"):
        return provider + "/" + name
    return provider + "/" + litellm_id  # not an f-string, which would take a provider that is no text


def _providers(prices: Iterable[str]) -> frozenset[str]:
    in_map = {first for first, slash, _ in (each.partition("/") for each in prices) if slash}
    return frozenset(in_map | _MORE_PROVIDERS | _KEY_NAMES.keys())


# -- looking up ------------------------------------------------------------------------------------


def look_up(catalogue: Catalogue, model_id: str) -> Price | None:
    """
    Find what is known of a model, by its id as a policy writes it.

    `PROVIDER/NAME` never finds another provider's model of that name. `litellm/ID` takes ID as
    LiteLLM spells it; `google/NAME` is LiteLLM's `gemini/NAME`.

    Returns:
        The facts, or None where the catalogue has none: an id that it doesn't know, one without
        a provider, and everything that no provider charges for by the token.
    """
    provider, slash, name = model_id.partition("/")
    if not slash or provider in _UNPRICED_PROVIDERS:
        return None
    if provider == "litellm":
        return catalogue.prices.get(name)
    if provider == "google":
        return catalogue.prices.get(f"gemini/{name}")
    return catalogue.prices.get(model_id)


def find_by_name(catalogue: Catalogue, name: str) -> str | None:
    """The id, in the policy's spelling, of a model that LiteLLM takes without a provider in front."""
    return _with_provider(catalogue, name) if name in catalogue.prices else None


def key_names_for(catalogue: Catalogue, model_id: str) -> tuple[str, ...]:
    """
    Name the environment variables of which one must hold the key for a model.

    For `litellm/ID` they are those of the provider that serves ID, by the catalogue, else by ID's
    own prefix, else by how well-known names start.

    Returns:
        The names, the preferred one first; none where no key is needed or none is known.
    """
    provider, _, name = model_id.partition("/")
    if provider == "litellm":
        provider = _provider_behind_litellm(catalogue, name)
    return catalogue.key_names.get(provider, ())


def _provider_behind_litellm(catalogue: Catalogue, litellm_id: str) -> str:
    price = catalogue.prices.get(litellm_id)
    provider, slash, _ = (litellm_id if price is None else price.id).partition("/")
    if slash:
        return provider
    return next((known for start, known in _WELL_KNOWN_STARTS if litellm_id.startswith(start)), "")


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The price catalogue, as the language asks it."""

    catalogue: Catalogue

    @property
    def providers(self) -> frozenset[str]:
        """All first words that a model id may have."""
        return self.catalogue.providers

    @property
    def as_of(self) -> str:
        """The day of the snapshot."""
        return self.catalogue.as_of

    def find(self, model_id: str) -> Price | None:
        """What is known of a model."""
        return look_up(self.catalogue, model_id)

    def near(self, model_id: str) -> tuple[str, ...]:
        """Ids that the user may have meant."""
        return suggest(self.catalogue, model_id)

    def key_names(self, model_id: str) -> tuple[str, ...]:
        """The environment variables of which one must hold the key."""
        return key_names_for(self.catalogue, model_id)


# -- guessing --------------------------------------------------------------------------------------


def suggest(catalogue: Catalogue, model_id: str, limit: int = 3) -> tuple[str, ...]:
    """
    Guess which models an unknown id may have meant.

    Models of the id's own provider (or of the one whose name is closest) come first, then the
    same name at other providers.

    Returns:
        At most `limit` ids in the policy's spelling, the closest first; none for an id that is
        like no other.
    """
    if limit < 1 or len(model_id) > _LONGEST_GUESSED:
        return ()
    prefix, name = _split(catalogue, model_id)
    near = _closest(name, _names_after(catalogue, prefix), limit)
    guesses = [prefix + each if prefix else _with_provider(catalogue, each) for each in near]
    if not prefix.startswith("litellm/") and name in catalogue.prices:
        guesses.append(_with_provider(catalogue, name))
    if not prefix:
        guesses += [each for each in catalogue.prices if each.endswith(f"/{name}")]
    # A name that fits exactly beats every near miss at the provider that was written.
    guesses.sort(key=lambda guess: guess.partition("/")[2] != name)
    return tuple(dict.fromkeys(guess for guess in guesses if guess != model_id))[:limit]


def _split(catalogue: Catalogue, model_id: str) -> tuple[str, str]:
    """An id's name and what stands before it, its provider corrected if that is misspelt."""
    provider, slash, name = model_id.partition("/")
    if not slash:
        return "", model_id
    if provider not in catalogue.providers:
        provider = next(iter(_closest(provider, catalogue.providers, 1)), provider)
    if provider == "litellm":
        behind, slash, its_name = name.partition("/")
        return (f"litellm/{behind}/", its_name) if slash else ("litellm/", name)
    return f"{provider}/", name


def _names_after(catalogue: Catalogue, prefix: str) -> list[str]:
    """What may stand after a prefix of the policy's spelling; all bare names after none."""
    prefix = "gemini/" if prefix == "google/" else prefix.removeprefix("litellm/")
    if not prefix:
        return [each for each in catalogue.prices if "/" not in each]
    return [each.removeprefix(prefix) for each in catalogue.prices if each.startswith(prefix)]


def _with_provider(catalogue: Catalogue, name: str) -> str:
    """The policy's spelling of a name that LiteLLM takes bare."""
    # LiteLLM sends bare Gemini names to Vertex AI; a policy more likely means Google's own service.
    in_full = f"gemini/{name}" if f"gemini/{name}" in catalogue.prices else catalogue.prices[name].id
    return f"google/{in_full.removeprefix('gemini/')}" if in_full.startswith("gemini/") else in_full


def _closest(word: str, candidates: Iterable[str], limit: int) -> list[str]:
    """
    The candidates that are close to a word, closest first.

    difflib takes some 0.1 ms a pair of long names, so that only those which share most letter
    pairs with the word are compared in full.
    """
    # difflib and heapq are only for people who mistyped: everyone else starts faster without.
    from difflib import get_close_matches
    from heapq import nlargest

    pairs = _letter_pairs(word)
    likely = nlargest(_COMPARED_IN_FULL, candidates, key=lambda each: _likeness(pairs, each))
    return get_close_matches(word, likely, n=limit, cutoff=0.6)


def _letter_pairs(word: str) -> frozenset[str]:
    return frozenset(word[i : i + 2] for i in range(len(word) - 1))


def _likeness(pairs: frozenset[str], candidate: str) -> float:
    """Dice's coefficient of the letter pairs of two words: 0 (none shared) to 1."""
    others = _letter_pairs(candidate)
    return 2 * len(pairs & others) / (len(pairs) + len(others) or 1)


# -- making the file -------------------------------------------------------------------------------


def snapshot(litellm_map: Mapping[str, object], *, litellm_version: str, as_of: str) -> bytes:
    """
    Turn LiteLLM's price map into the text of a catalogue, one model a line, sorted.

    Nothing in the map is trusted: entries that aren't models one can chat with, or whose id or
    provider can't be one, are left out; a price, a size or a date that can't be true becomes null.
    Prices are exact where the map is parsed with `parse_float=Decimal`, and where it has floats
    they are taken as they print.

    Args:
        litellm_map: Entries by model id, in USD per token.
        litellm_version: The release that the map came with; empty if nobody knows.
        as_of: The day of the snapshot, ISO 8601.

    Returns:
        UTF-8 JSON for `read_catalogue`, the same bytes for the same map in any order.

    Raises:
        ValueError: `as_of` is no date.
    """
    head = {
        "about": _ABOUT,
        "format": _FORMAT,
        "litellm_version": litellm_version,
        "as_of": date.fromisoformat(as_of).isoformat(),
        "columns": _COLUMNS,
    }
    rows = sorted(_rows(litellm_map), key=lambda row: row[0])
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    start = json.dumps(head, indent=1).removesuffix("\n}")
    return f'{start},\n "models": [\n{lines}\n]}}\n'.encode()


def _rows(litellm_map: Mapping[str, object]) -> Iterator[_Row]:
    for litellm_id, entry in litellm_map.items():
        if isinstance(entry, Mapping) and entry.get("mode") in _MODES:
            row = _row(litellm_id, entry)
            if row is not None:
                yield row


def _row(litellm_id: object, entry: Mapping[str, object]) -> _Row | None:
    provider = _route(entry.get("litellm_provider"))
    if provider is None or not isinstance(litellm_id, str) or not _ID.fullmatch(litellm_id):
        return None
    price_in, price_out = _both_prices(entry)
    return (
        _spelled(litellm_id, provider),
        provider,
        price_in,
        price_out,
        _tokens(entry.get("max_input_tokens")),
        _tokens(entry.get("max_output_tokens")),
        " ".join(word for word in CAPABILITIES if entry.get(_SUPPORTS[word]) is True),
        _day(entry.get("deprecation_date")),
    )


def _route(provider: object) -> str | None:
    """The prefix under which LiteLLM takes a provider's models: all of Vertex AI's kinds are one."""
    if not isinstance(provider, str) or not _PROVIDER.fullmatch(provider):
        return None
    return "vertex_ai" if provider.startswith("vertex_ai-") else _ROUTES.get(provider, provider)


def _spelled(litellm_id: str, provider: str) -> str:
    """LiteLLM's spelling, unless it reads as if another provider served the model."""
    # INVARIANT: an id with a slash starts with the provider that serves it; `look_up` relies on it.
    first, slash, _ = litellm_id.partition("/")
    honest = not slash or first.replace("-", "_") == provider.replace("-", "_")
    return litellm_id if honest else f"{provider}/{litellm_id}"


def _both_prices(entry: Mapping[str, object]) -> tuple[int | None, int | None]:
    """The two prices; unknown where zero only means that something other than tokens is billed."""
    prices = _price(entry.get("input_cost_per_token")), _price(entry.get("output_cost_per_token"))
    if prices == (0, 0) and any(_costs_something(name, value) for name, value in entry.items()):
        return None, None
    return prices


def _costs_something(name: object, value: object) -> bool:
    amount = _decimal(value)
    return isinstance(name, str) and "cost" in name and amount is not None and amount > 0


def _price(usd_per_token: object) -> int | None:
    """
    Nano-USD per million tokens, None for what is no price.

    The map has some prices that went through binary arithmetic (1.0000000000000001e-07), so the
    last step rounds to the nearest nano-USD.
    """
    amount = _decimal(usd_per_token)
    if amount is None or not 0 <= amount <= _DEAREST_USD_PER_TOKEN:
        return None
    nano = int(amount.scaleb(_NUSD_PER_MTOK_EXPONENT).to_integral_value())
    # What rounds to nothing isn't free: it is no price that anyone charges.
    return None if nano == 0 and amount > 0 else nano


def _decimal(value: object) -> Decimal | None:
    """A finite number as an exact decimal; a float as it prints, since that is what was written."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    amount = Decimal(float.__repr__(value)) if isinstance(value, float) else Decimal(value)
    return amount if amount.is_finite() else None


def _tokens(value: object) -> int | None:
    amount = _decimal(value)
    if amount is None or not 1 <= amount <= _MOST_TOKENS or amount != int(amount):
        return None
    return int(amount)


def _day(value: object) -> str | None:
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) else None
    except ValueError:
        return None
