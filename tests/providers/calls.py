"""Models and calls to make adapters with."""

from __future__ import annotations

from typing import Any

from policyctl.schemas.calls import Call, Message
from policyctl.schemas.policy import Model
from policyctl.schemas.text import Span

NOWHERE = Span(0, 0, 0)
ALL = frozenset({"tools", "json_mode", "vision"})


def a_model(id: str = "offline/test", **fields: Any) -> Model:
    """
    Return a model of the catalogue, by its id.
    """
    plain: dict[str, Any] = {
        "key": id.replace("/", "-"),
        "id": id,
        "provider": id.partition("/")[0],
        "price_in_nusd_per_mtok": 0,
        "price_out_nusd_per_mtok": 0,
        "capabilities": ALL,
        "context_tokens": None,
        "output_tokens": None,
        "timeout_s": None,
        "settings": (),
        "aliases": (),
        "key_names": (),
        "server": None,
        "enabled": True,
        "span": NOWHERE,
        "id_span": NOWHERE,
        "costs_span": None,
    }
    return Model(**{**plain, **fields})


def a_call(model: Model | None = None, text: str = "hello there you", **fields: Any) -> Call:
    """
    Return a call with one message.
    """
    plain: dict[str, Any] = {
        "model": model or a_model(),
        "messages": (Message("user", text),),
        "max_output_tokens": 100,
        "timeout_s": 5.0,
        "settings": {},
    }
    return Call(**{**plain, **fields})
