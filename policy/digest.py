"""The fingerprint of what a policy means, whatever it is called and however it is laid out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from typing import Any

from ..schemas.policy import Policy


def digest_of(policy: Policy) -> Policy:
    """The policy with its digest: SHA-256 in hex over everything but places in the text."""
    text = json.dumps(_plain(policy), sort_keys=True, separators=(",", ":"))
    return replace(policy, digest=hashlib.sha256(text.encode()).hexdigest())


def _counts(field: str) -> bool:
    """Whether a field is part of what a policy means; places in the text aren't."""
    return field != "digest" and not field.endswith("span")


def _plain(value: Any) -> Any:
    """A value as JSON can write it, always the same way."""
    if is_dataclass(value) and not isinstance(value, type):
        named = {f.name: _plain(getattr(value, f.name)) for f in fields(value) if _counts(f.name)}
        return {"": type(value).__name__, **named}
    if isinstance(value, Mapping):
        # Pairs, since the order counts: of two budgets that are level the first one written does.
        return [[str(key), _plain(item)] for key, item in value.items()]
    if isinstance(value, frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value.normalize()) if isinstance(value, Decimal) else value
