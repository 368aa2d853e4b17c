"""Policy -> CheckedPolicy: what can only be said once everything is resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from ..schemas.catalogue import Prices
from ..schemas.checked import Checked
from ..schemas.diagnostics import Diagnostic, Report, Severity
from ..schemas.policy import CheckedPolicy, Policy
from ..schemas.text import Source, Span
from .build import build
from .checks import (
    p401_tier_order,
    p402_level_order,
    p403_no_tier,
    p404_window_circle,
)
from .fixes import settled
from .load import Loaded, load, load_text

Check = Callable[[Policy], Iterator[Diagnostic]]

CHECKS_WITHOUT_TIERS: tuple[Check, ...] = (
    p402_level_order.check,
    p404_window_circle.check,
)

CHECKS: tuple[Check, ...] = (
    p401_tier_order.check,
    p403_no_tier.check,
    *CHECKS_WITHOUT_TIERS,
)

MAX_DIAGNOSTICS = 200
"""Findings told in one run."""


def check_files(paths: list[Path], prices: Prices, texts: Mapping[Path, str] | None = None) -> Checked:
    """Load, build and check a policy of one file, or of several that are merged in order; `load` says how."""
    return check(load(paths, prices, texts=texts), prices)


def check_text(text: str, prices: Prices, name: str = "policy") -> Checked:
    """Load, build and check a policy from its text."""
    return check(load_text(text, prices, name), prices)


def check(loaded: Loaded, prices: Prices) -> Checked:
    """Build and check a document."""
    built = build(loaded, prices)
    found = [*loaded.diagnostics, *built.diagnostics]
    if built.policy is not None and len(found) < MAX_DIAGNOSTICS:
        found += _check_whole(loaded, built.policy, [d.span for d in found if d.span is not None])
    sources = loaded.document.sources
    own = [source for source in sources if source.name not in loaded.legacy]
    report = Report(sources, tuple(settled(in_order(sources, found), own)))
    if built.policy is None or report.has_errors:
        return Checked(report, None, loaded.files)
    return Checked(report, CheckedPolicy(built.policy), loaded.files)


def _check_whole(loaded: Loaded, policy: Policy, wrong: list[Span]) -> Iterator[Diagnostic]:
    """What the checks find, but nothing that only follows from the places that are wrong already."""
    tiers_known = not loaded.incomplete and not any(kind == "tier" for kind, _ in loaded.broken)
    for run in CHECKS if tiers_known else CHECKS_WITHOUT_TIERS:
        for diagnostic in islice(run(policy), MAX_DIAGNOSTICS):
            if not _follows(diagnostic, wrong):
                yield diagnostic


def _follows(diagnostic: Diagnostic, wrong: list[Span]) -> bool:
    """Whether a finding is about a statement in which something is wrong already."""
    spans = [label.span for label in diagnostic.others]
    spans += [diagnostic.span] if diagnostic.span is not None else []
    return any(w.source == s.source and s.start <= w.start and w.end <= s.end for s in spans for w in wrong)


def in_order(sources: tuple[Source, ...], found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """
    Findings by place in the text, files in the order they were read; each once.

    Where they are more than can be told, errors are kept before warnings.
    """
    order = {source.name: number for number, source in enumerate(sources)}

    def place(diagnostic: Diagnostic) -> tuple[int, int]:
        span = diagnostic.span
        return (-1, 0) if span is None else (order.get(span.source, -1), span.start)

    placed = sorted(dict.fromkeys(found), key=place)
    kept = sorted(placed, key=lambda d: d.severity is not Severity.ERROR)[:MAX_DIAGNOSTICS]
    return tuple(sorted(kept, key=place))
