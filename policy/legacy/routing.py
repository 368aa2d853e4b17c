"""Time rules, domains, the fallback list and retries of the older form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from ...schemas.text import Span
from .. import document as doc
from ..checks.p122_shell_trigger import shell_trigger
from ..checks.p123_legacy_value import missing
from ..checks.p126_read_as import read_as
from ..document import Name
from ..yaml import Scalar
from .amounts import count, duration, plain
from .fields import Body, name_of
from .models import Entry, Models
from .names import Keys
from .schedule import read_schedule
from .tiers import Tiers

SWITCH, SWITCH_VARIABLE = "time_rules", "ENABLE_TIME_RULES"
"""The input that switches schedules on, and the variable it comes from."""

BACKUPS = ("claude-sonnet", "litellm/gpt-4o", "claude-code-cli")
"""The fallback list where a file names none."""

ATTEMPTS, WAIT_S = Decimal(3), Decimal(1)
"""How often a model is tried, and the first wait between, where a file doesn't say; waits double."""

_ON_BRANCH = re.compile(r"git\s+branch\s*\|\s*grep\s+([A-Za-z0-9_][A-Za-z0-9_./-]*)")


# --- time rules ------------------------------------------------------------------------------------


def time_rules(root: Body, tiers: Tiers) -> Iterator[doc.Statement]:
    """Windows, then rules by the branch, then rules by the clock: a schedule never hides a trigger."""
    windows: list[doc.Window] = []
    triggers: list[doc.Rule] = []
    schedules: list[doc.Rule] = []
    for body in root.bodies("timeRules", "a time rule"):
        triggered = body.key("trigger") is not None
        window, rule = _time_rule(body, tiers)
        body.end()
        windows += [] if window is None else [window]
        if rule is not None:
            (triggers if triggered else schedules).append(rule)
    if windows:
        at = windows[0].name.span
        yield doc.Input(Name(SWITCH, at), "yes or no", (), Name("no", at), Name(SWITCH_VARIABLE, at), at)
    yield from windows
    yield from (*triggers, *schedules)


def _time_rule(body: Body, tiers: Tiers) -> tuple[doc.Window | None, doc.Rule | None]:
    """A rule, and the window of its schedule if it has one; no rule where something can't be read."""
    name, tier = body.needed("name"), body.needed("preferred_tier")
    trigger, schedule = body.key("trigger"), body.key("schedule")
    if trigger is None and schedule is None:
        body.notes.found.append(missing(body.first(), body.kind, "schedule"))
    if name is None or tier is None:
        return None, None
    conditions = [] if trigger is None else [_on_branch(body, name, tier)]
    window = None if schedule is None else _window(body, name)
    if schedule is not None:
        conditions += [None, None] if window is None else _during(window)
    read = tuple(c for c in conditions if c is not None)
    if not read or len(read) < len(conditions):
        return window, None
    when = doc.Alternative(read, False, read[0].span)
    return window, doc.Rule(name, (when,), tiers.resolve(tier), (), None, body.span)


def _on_branch(body: Body, name: Name, tier: Name) -> doc.Condition | None:
    """The one command that is understood, as a condition. No other one is, and none is ever run."""
    command = body.name("trigger")
    match = None if command is None else _ON_BRANCH.fullmatch(command.text)
    if command is None or match is None:
        if command is not None:
            body.notes.found.append(shell_trigger(command.span, name.text, tier.text))
        return None
    at = command.span
    return doc.Condition("is", Name("branch", at), (Name(match[1], at, quoted=True),), False, at)


def _window(body: Body, name: Name) -> doc.Window | None:
    found = body.key("schedule")
    assert found is not None
    node = found[1]
    if name_of(body.notes, node, "`schedule`") is None or not isinstance(node, Scalar):
        return None
    stretches = read_schedule(body.notes, node)
    return doc.Window(name, stretches, None, None, node.span) if stretches else None


def _during(window: doc.Window) -> list[doc.Condition | None]:
    at = window.span
    return [
        doc.Condition("is", Name(SWITCH, at), (Name("yes", at),), False, at),
        doc.Condition("during", Name(window.name.text, at), (), False, at),
    ]


# --- domains ---------------------------------------------------------------------------------------


def domains(root: Body, keys: Keys) -> Iterator[doc.Domain]:
    """Domains: of any tier where they are routed by, under the tier's ceiling where a capability is meant."""
    names = set()
    for body in root.bodies("domainRouting", "a domain"):
        name, models = body.needed("domain"), body.names("preferred_providers")
        if models is None and body.key("preferred_providers") is None:
            root.notes.found.append(missing(body.first(), body.kind, "preferred_providers"))
        body.end()
        if name is not None:
            names.add(name.text)
            found = keys.resolve_all(models or ())
            yield doc.Domain(name, found, bool(found), body.span)
    needs = root.body("capability_requirements", "`capability_requirements`")
    for key, _ in () if needs is None else tuple(needs.pairs()):
        need = None if needs is None else needs.body(key.text, "a capability's requirements")
        if need is None:
            continue
        models = (*(need.names("preferred_providers") or ()), *(need.names("fallback_providers") or ()))
        need.end()
        if key.text in names:
            message = f"`{key.text}` is left out here: `domainRouting` says it"
            root.notes.found.append(read_as(key.span, message, "keep one of them"))
        else:
            yield doc.Domain(Name(key.text, key.span), keys.resolve_all(models), False, key.span)


# --- failures --------------------------------------------------------------------------------------


def failures(root: Body, routing: Body | None, models: Models, keys: Keys) -> Iterator[doc.Statement]:
    """The fallback list, the retries of all models, then those of single ones."""
    chain = None if routing is None else routing.names("fallback_chain")
    at = root.first()
    if chain is None:
        found = [Name(key, at) for backup in BACKUPS if (key := keys.find(backup)) is not None]
    else:
        found = list(keys.resolve_all(chain))
    if found:
        yield doc.Fallback(tuple(found), False, found[0].span)
    retry = None if routing is None else routing.body("retry", "`retry`")
    yield _retry_all(at, retry)
    yield from (s for entry in models.entries if (s := _retry_one(entry, models.broken)) is not None)


def _retry_all(at: Span, retry: Body | None) -> doc.Retry:
    if retry is None:
        return doc.Retry((), count(ATTEMPTS, at), duration(WAIT_S, at), True, None, (), at)
    attempts, delay = retry.number("max_attempts"), retry.number("initial_delay_ms")
    factor = retry.number("backoff_multiplier")
    retry.end()
    at = retry.first()
    if factor is not None and factor.value not in (1, 2):
        message = f"`backoff_multiplier: {plain(factor.value)}` is read as 2"
        help = "waits double, or stay as they are: write 2 or 1"
        retry.notes.found.append(read_as(factor.span, message, help))
    return doc.Retry(
        (),
        count(ATTEMPTS, at) if attempts is None else count(attempts.value or 1, attempts.span),
        duration(WAIT_S, at) if delay is None else duration(delay.value / 1000, delay.span),
        factor is None or factor.value != 1,
        None,
        (),
        retry.span,
    )


def _retry_one(entry: Entry, broken: frozenset[str]) -> doc.Retry | None:
    """The retries of one model, where it says any; so many "retries" are attempts."""
    body = entry.body
    attempts, delay = body.number("max_retries"), body.number("retry_delay_seconds")
    on = tuple(c for each in body.bodies("fallback_on", "a failure") if (c := _on_failure(each)) is not None)
    first = attempts or delay or (on[0] if on else None)
    if first is None or entry.key.text in broken:
        return None
    at = first.span
    return doc.Retry(
        (Name(entry.key.text, at),),
        count(ATTEMPTS, at) if attempts is None else count(attempts.value or 1, attempts.span),
        duration(WAIT_S, at) if delay is None else duration(delay.value, delay.span),
        delay is None,
        None,
        on,
        at,
    )


def _on_failure(body: Body) -> doc.OnFailure | None:
    """What is done on one kind of failure: after a wait the same model again, else the next one."""
    kind, wait, at_once = body.needed("error"), None, body.flag("immediate_fallback")
    if not at_once:  # where both are said, the wait has no meaning and is left out
        wait = body.number("wait_seconds")
    body.end()
    if kind is None or (wait is None and at_once is False):
        return None
    if wait is not None:
        return doc.OnFailure((kind,), "wait", duration(wait.value, wait.span), body.span)
    return doc.OnFailure((kind,), "next model", None, body.span)
