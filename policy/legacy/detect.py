"""Which form of YAML a file is in: a policy, or the older form."""

from __future__ import annotations

from ..yaml import Mapping, Node, Scalar, Sequence

MODEL_FIELDS = frozenset(
    "name model enabled tier capabilities max_tokens timeout timeout_seconds parameters max_retries "
    "retry_delay_seconds fallback_on complexity_threshold input_cost_per_1k output_cost_per_1k "
    "cost_per_1k_input cost_per_1k_output input_cost_per_1m output_cost_per_1m cost_per_1m_input "
    "cost_per_1m_output".split()
)
"""Keys of one model in the older form."""

_ALWAYS = frozenset(
    "providers customTiers timeRules domainRouting complexity_thresholds cost_management "
    "capability_requirements".split()
)
_WITH = {
    "budget": {"monthly_limit_usd", "alert_thresholds"},
    "routing": {"strategy", "thresholds", "fallback_chain", "retry"},
}
BLOCKS = _ALWAYS | set(_WITH) | {"alerts", "performance", "logging", "price_unit", "timezone"}
"""Keys of a file in the older form that aren't models."""

TWIN = frozenset(
    "policy include baseline estimate models tiers inputs windows rules limits domains budgets escalate "
    "fallback hedge retry promises examples end".split()
)
"""Keys that only a policy in YAML has."""


def legacy_key(root: Node | None) -> Scalar | None:
    """The first key by which a file is of the older form, if it is."""
    if not isinstance(root, Mapping):
        return None
    sure = next((key for key, value in root.pairs if _is_legacy(key.text, value)), None)
    if sure is not None or twin_key(root) is not None:
        return sure
    return next((key for key, value in root.pairs if key.text not in BLOCKS and may_be_model(value)), None)


def twin_key(root: Mapping) -> Scalar | None:
    """The first key that only a policy in YAML has, and that is no model of the older form."""
    return next((key for key, value in root.pairs if key.text in TWIN and not _is_model(value)), None)


def may_be_model(value: Node) -> bool:
    """Whether a value has a field that models of the older form have."""
    return isinstance(value, Mapping) and any(key.text in MODEL_FIELDS - {"name"} for key, _ in value.pairs)


def _is_model(value: Node) -> bool:
    """Whether a value can only be a model of the older form: it says who serves which, or what it costs."""
    if not isinstance(value, Mapping):
        return False
    keys = {key.text for key, _ in value.pairs} & MODEL_FIELDS
    return keys >= {"name", "model"} or any("cost_per_1" in key for key in keys)


def _is_legacy(key: str, value: Node) -> bool:
    if key in _WITH:
        return isinstance(value, Mapping) and any(k.text in _WITH[key] for k, _ in value.pairs)
    return key in _ALWAYS or (key == "alerts" and isinstance(value, Sequence)) or _is_model(value)
