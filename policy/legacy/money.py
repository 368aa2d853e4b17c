"""Budgets and alerts of the older form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from ...schemas.text import Span
from .. import document as doc
from ..checks.p123_legacy_value import missing, not_understood, unknown_word
from ..checks.p125_address import address_not_kept
from ..document import Amount, Name
from ..yaml import Node, Scalar
from .amounts import count, duration, money, percent
from .fields import Body, Number, is_null, part
from .names import Keys

LEVELS = {
    "log_warning": "warn",
    "downgrade_tier": "downgrade",
    "haiku_only": "only",
    "pause_execution": "pause",
}
"""What is done once a part of a budget is spent."""

CHANNELS = {"log_warning": "log", "email": "email", "slack_webhook": "slack", "webhook": "webhook"}
"""Who is told of an alert."""

VARIABLES = {"slack": "SLACK_WEBHOOK_URL", "webhook": "WEBHOOK_URL"}
"""The variables that hold the addresses of channels."""

ADDRESS = "webhook_url"
"""The key of an address, which is a secret."""

_BOUNDS = {">": "above", ">=": "at least", "<": "below", "<=": "at most"}
_CONDITION = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(>=|<=|>|<)\s*\$?([0-9]+(?:\.[0-9]+)?)\s*(%?)\s*")
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")


# --- budgets ---------------------------------------------------------------------------------------


def budgets(root: Body, keys: Keys) -> Iterator[doc.Budget]:
    """Budgets, from either of the two blocks that say them."""
    budget = root.body("budget", "`budget`")
    if budget is not None:
        limit = budget.number("monthly_limit_usd")
        levels = _levels(budget, keys)
        if limit is None and budget.key("monthly_limit_usd") is None:
            root.notes.found.append(missing(budget.first(), "`budget`", "monthly_limit_usd"))
        budget.end()
        if limit is not None:
            yield _budget("month", limit, levels)
    managed = root.body("cost_management", "`cost_management`")
    if managed is not None:
        yield from _managed(managed)
        managed.end()


def _budget(period: str, limit: Number, levels: tuple[doc.Level, ...]) -> doc.Budget:
    at = limit.span
    name = {"day": "daily", "month": "monthly"}[period]
    amount = money(limit.value, at)
    return doc.Budget(Name(name, at), amount, Name(period, at), None, None, levels, at)


def _levels(budget: Body, keys: Keys) -> tuple[doc.Level, ...]:
    """The levels in rising order, whatever order they stand in."""
    levels = []
    for body in budget.bodies("alert_thresholds", "an alert threshold"):
        part, action = body.number("percent"), body.needed("action")
        if part is None and body.key("percent") is None:
            budget.notes.found.append(missing(body.first(), body.kind, "percent"))
        body.end()
        if part is None or action is None:
            continue
        if action.text not in LEVELS:
            budget.notes.found.append(unknown_word(action.span, "an action", action.text, list(LEVELS)))
            continue
        kind, at = LEVELS[action.text], action.span
        haiku = keys.resolve(Name(keys.find("claude-haiku") or "haiku", at)) if kind == "only" else None
        if kind != "only" or haiku is not None:
            tiers = count(1, at) if kind == "downgrade" else None
            models = () if haiku is None else (haiku,)
            levels.append(doc.Level(percent(part.value, part.span), kind, tiers, models, body.span))
    return tuple(sorted(levels, key=lambda level: level.percent.value or Decimal(0)))


def _managed(body: Body) -> Iterator[doc.Budget]:
    """Budgets of a day and of a month that warn."""
    at_part = body.number("alert_threshold")
    levels: tuple[doc.Level, ...] = ()
    if at_part is not None:
        amount = percent(_as_percent(at_part.value), at_part.span)
        levels = (doc.Level(amount, "warn", None, (), at_part.span),)
    for period, key in (("day", "daily_budget_usd"), ("month", "monthly_budget_usd")):
        limit = body.number(key)
        if limit is not None:
            yield _budget(period, limit, levels)


def _as_percent(part: Decimal) -> Decimal:
    """A part of the whole (0.8) in percent; what is above 1 is one already."""
    return part * 100 if part <= 1 else part


# --- alerts ----------------------------------------------------------------------------------------


def alerts(root: Body) -> Iterator[doc.Alert]:
    """Alerts; the address of a channel becomes the variable that holds it."""
    bodies = root.bodies("alerts", "an alert")
    addresses = sum(is_address(node) for body in bodies for key, node in body.pairs() if key.text == ADDRESS)
    for body in bodies:
        name, action, test = body.needed("name"), body.needed("action"), _test(body)
        channel = None if action is None else CHANNELS.get(action.text)
        if action is not None and channel is None:
            root.notes.found.append(unknown_word(action.span, "an action", action.text, list(CHANNELS)))
        target = None
        if name is not None and channel is not None and channel != "log":
            target = body.needed("email") if channel == "email" else _variable(body, channel, name, addresses)
        body.end()
        if name is not None and channel is not None and test is not None and (target or channel == "log"):
            yield doc.Alert(name, *test, channel, target, body.span)


def is_address(node: Node) -> bool:
    """Whether an address is written out, and isn't the name of a variable."""
    named = isinstance(node, Scalar) and _VARIABLE.fullmatch(node.text.strip()) is not None
    return not named and not is_null(node)


def _variable(body: Body, channel: str, name: Name, addresses: int) -> Name | None:
    """The variable that holds an alert's address: its own where several addresses are written out."""
    written = body.needed(ADDRESS)
    if written is None:
        return None
    match = _VARIABLE.fullmatch(written.text)
    if match is not None:
        return Name(match[1], written.span)
    variable = VARIABLES[channel]
    if addresses > 1:
        variable += "_" + re.sub(r"[^A-Z0-9_]", "_", name.text.upper())[:60]
    body.notes.found.append(address_not_kept(written.span, variable))
    return Name(variable, written.span)


def _test(body: Body) -> tuple[Name, str, Amount] | None:
    """The metric, the bound and the amount of a condition such as `daily_cost > 20.0`."""
    if body.needed("condition") is None:
        return None
    found = body.key("condition")
    assert found is not None
    node = found[1]
    match = _CONDITION.fullmatch(node.text) if isinstance(node, Scalar) else None
    if match is None or not isinstance(node, Scalar):
        if isinstance(node, Scalar):  # what is no text has been told
            help = "write `METRIC > NUMBER`, for example `daily_cost > 20.0`"
            body.notes.found.append(not_understood(node.span, "a condition", node.text.strip(), help))
        return None
    metric = Name(match[1], part(node, *match.span(1)))
    return metric, _BOUNDS[match[2]], _amount(metric.text, match, part(node, *match.span(3)))


def _amount(metric: str, match: re.Match[str], at: Span) -> Amount:
    """The amount in the metric's unit; rates are parts of the whole, or percent."""
    value = Decimal(match[3])
    if metric.endswith("_rate"):
        return percent(value if match[4] else _as_percent(value), at)
    if metric.startswith("latency"):
        return duration(value, at)
    return money(value, at)
