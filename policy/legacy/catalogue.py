"""The thirteen models that the older files take for granted: keys, short names, prices, tiers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from ...schemas.records import dataclass
from ...schemas.text import Source
from .. import document as doc
from ..document import Amount
from ..files import read_text
from ..parser import parse

NAME = "<known models>"
"""What findings call the file of the thirteen models."""

_FILE = Path(__file__).with_name("catalogue.policy")


@dataclass(frozen=True, slots=True)
class Known:
    """
    The thirteen models by key and the three tiers, as a policy states them.

    `keys` has the key for each short name and for each key itself.
    """

    source: Source
    models: Mapping[str, doc.Model]
    tiers: tuple[doc.Tier, ...]
    keys: Mapping[str, str]

    def rank(self, key: str) -> int | None:
        """In which tier a model stands, 0 is the cheapest; None: in none."""
        ranks = (rank for rank, tier in enumerate(self.tiers) if any(key == n.text for n in tier.models))
        return next(ranks, None)

    def price(self, key: str, side: int) -> Decimal:
        """USD for a million tokens, in (0) or out (1)."""
        amount = attribute(self.models[key], "costs")[side]
        assert isinstance(amount, Amount) and amount.value is not None
        return amount.value

    def tokens(self, key: str, kind: str) -> int | None:
        """The context window or the limit of the output, where it is known."""
        values = attribute(self.models[key], kind)
        amount = values[0] if values else None
        return int(amount.value) if isinstance(amount, Amount) and amount.value is not None else None


def attribute(model: doc.Model, kind: str) -> tuple[doc.Value, ...]:
    """The values of a clause, none where the model hasn't got it."""
    return next((a.values for a in model.attributes if a.kind == kind), ())


@lru_cache(maxsize=1)
def known_models() -> Known:
    """The shipped file of the thirteen models."""
    text = read_text(_FILE)
    assert isinstance(text, str)
    statements = parse(Source(NAME, text)).statements
    models = {s.key.text: s for s in statements if isinstance(s, doc.Model)}
    short = {alias.text: key for key, model in models.items() for alias in attribute(model, "alias")}
    tiers = tuple(s for s in statements if isinstance(s, doc.Tier))
    return Known(Source(NAME, text), models, tiers, {**short, **{key: key for key in models}})
