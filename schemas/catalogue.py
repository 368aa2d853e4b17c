"""Facts about models that a policy needn't repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from .records import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """
    What the catalogue knows of one model; None means that it doesn't say.

    Prices are in nano-USD per million tokens, `deprecation_date` is ISO 8601.
    """

    id: str
    price_in_nusd_per_mtok: int | None
    price_out_nusd_per_mtok: int | None
    capabilities: frozenset[str]
    context_tokens: int | None
    output_tokens: int | None
    deprecation_date: str | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """
    The price catalogue, by model id as LiteLLM spells it, and which provider serves what.

    `providers` are all first words that a model id may have; `key_names` gives for a provider
    the environment variables of which one must hold its key. `as_of` is the day of the snapshot,
    `litellm_version` the release of LiteLLM whose facts these are, empty where nobody said.
    """

    prices: Mapping[str, Price]
    providers: frozenset[str]
    key_names: Mapping[str, tuple[str, ...]]
    as_of: str
    litellm_version: str


class Prices(Protocol):
    """What the language asks of a price catalogue; the providers' room has one."""

    @property
    def providers(self) -> frozenset[str]:
        """All first words that a model id may have."""

    @property
    def as_of(self) -> str:
        """The day of the snapshot, ISO 8601."""

    def find(self, model_id: str) -> Price | None:
        """What is known of a model, by its id as a policy writes it."""

    def near(self, model_id: str) -> tuple[str, ...]:
        """Ids that the user may have meant."""

    def key_names(self, model_id: str) -> tuple[str, ...]:
        """The environment variables of which one must hold the key; empty: no key is needed."""
