"""The page that `explain` prints: the answer first, then why, then what would flip it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..deciding import Engine
from ..engine.explain import EMPTY
from ..engine.flips import Flip
from ..engine.situation import Situation
from ..policy.names import listed
from ..policy.words import number, usd
from ..schemas.decision import Decision, Explanation, Outcome, Seen, Step, Verdict
from ..schemas.policy import LimitKind
from ..schemas.records import dataclass
from ..schemas.request import Request
from ..schemas.story import Story
from .findings import place
from .output import bad, cells, columns, dim, good, hang, named, pad, safe, strong, warned, width

_MOST_FLIPS = 12
_ORIGINS = {"number": "the story's number", "word": "the story's word", "formula": "by formula"}


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that the page shows."""

    engine: Engine
    request: Request
    situation: Situation
    explanation: Explanation
    story: Story | None

    def lines(self) -> Iterator[str]:
        """The page but its last section."""
        yield from self._title()
        if self.explanation.steps:
            yield from self._chain()
        yield from self._why()
        yield from self._others()

    # the answer

    def _title(self) -> Iterator[str]:
        if self.story is not None:
            yield f"{strong(safe(self.story.id))}  {safe(self.story.title)}"
        decision = self.explanation.decision
        if decision.chain:
            cost = usd(decision.cost_estimate_nusd or 0)
            head = good(safe(decision.chain[0]))
            yield f"{strong('->')} {head}  about {cost}, request in tier {decision.tier}"
        else:
            yield from self._refusal(decision)
        for remark in self.explanation.notes:
            yield f"   {warned('note:')} {safe(remark)}"

    def _refusal(self, decision: Decision) -> Iterator[str]:
        text = f"{safe(decision.refusal or '')}{until(self.engine, decision)}"
        yield f"{strong('->')} {bad(decision.outcome.value)}: {text}"

    def _chain(self) -> Iterator[str]:
        yield ""
        yield strong("Chain")
        yield from columns(
            [
                str(number_),
                named(safe(step.model)),
                dim(safe(step.provider)),
                usd(step.cost_nusd),
                safe(step.reason) + (", in cooldown" if _is_news(step) else ""),
            ]
            for number_, step in enumerate(self.explanation.steps, 1)
        )

    # why

    def _why(self) -> Iterator[str]:
        yield ""
        yield strong("Why")
        policy = self.engine.policy
        rows = [("policy", f"{safe(policy.name)}, digest {policy.digest[:12]}")]
        rows += [("facts", text) for text in self._facts()]
        rows += [("complexity", text) for text in self._complexity()]
        rows.append(("clock", self._clock()))
        rows += self._statements("limits", self.explanation.limits, "no hard limit holds")
        rows += self._statements("rules", self.explanation.rules, "no rule matches")
        rows += [(layer.name, safe(layer.text)) for layer in self.explanation.layers]
        yield from _labelled(rows)

    def _facts(self) -> Iterator[str]:
        facts = self.explanation.facts
        given = [f"{_name(f.name)} {safe(f.value)}" for f in facts if f.given]
        if self.request.story_models:
            given.append(f"the story names {safe(', '.join(self.request.story_models))}")
        yield ", ".join(given) or "none is given"
        read = self._read()
        default = [f"{_name(f.name)} {safe(f.value)}" for f in facts if not f.given and f.name in read]
        default = [text.replace(EMPTY, "empty") for text in default]
        if default:
            yield "by default: " + ", ".join(default)

    def _read(self) -> set[str]:
        """The facts worth showing where they have their default: those that are declared here."""
        return {f.name for f in self.engine.policy.facts.values() if not f.built_in} | {"requires", "branch"}

    def _complexity(self) -> Iterator[str]:
        story = self.story
        if story is None or self.request.complexity != story.complexity.value:
            return
        said = f" {story.complexity.parts[0][1]}" if story.complexity.origin == "word" else ""
        yield f"{number(story.complexity.value)}, {_ORIGINS[story.complexity.origin]}{safe(said)}"
        for name, seen, points in story.complexity.parts if story.complexity.origin == "formula" else ():
            yield f"  {points:4.2f}  {safe(name)}: {safe(seen)}"

    def _clock(self) -> str:
        local = self.situation.local
        inside = sorted(self.situation.windows)
        windows = f", in {', '.join(inside)}" if inside else ""
        return f"{local:%a %d %b %Y %H:%M %Z}{windows}"

    def _statements(self, label: str, seen: Sequence[Seen], none: str) -> Iterator[tuple[str, str]]:
        """Each rule or limit in its order: what holds, or of what doesn't the first condition that failed."""
        if seen and not any(s.matched and s.decisive for s in seen):
            yield label, none
        room = max((cells(_statement(s)) for s in seen), default=0)
        for s in seen:
            head = pad(_statement(s), room)
            if not s.decisive:
                yield label, f"{head}  not looked at, it stands below"
            elif not s.matched:
                yield label, f"{head}  {_missed(s)}"
            else:
                holds = f"matches: {safe(s.text)}" if label == "rules" else "holds"
                yield label, f"{good(head)}  {holds}  {dim(self._place(s))}"
                if s.because:
                    yield label, f'  "{safe(s.because)}"'

    def _place(self, seen: Seen) -> str:
        source = next((s for s in self.engine.sources if s.name == seen.source), None)
        return "" if source is None else f"{safe(seen.source)}:{place(source, seen.start).line}"

    # the others

    def _others(self) -> Iterator[str]:
        out = _last_of_each(
            [v for v in self.explanation.verdicts if not v.kept], set(self.explanation.decision.chain)
        )
        if not out:
            return
        yield ""
        yield strong("Not in the chain")
        yield from columns([named(safe(v.model)), safe(v.reason)] for v in out)

    # what would flip it

    def flips(self, flips: list[tuple[Flip, str]]) -> Iterator[str]:
        """The last section: each change with what comes of it and the command that shows it."""
        yield ""
        if not flips:
            yield strong("Nothing would flip it") + " (no single fact, window, budget or cooldown)"
            return
        yield strong("What would flip it")
        room = max(cells(flip.change) for flip, _ in flips[:_MOST_FLIPS])
        for flip, command in flips[:_MOST_FLIPS]:
            outcome = _outcome(self.explanation.decision, flip.decision)
            yield from hang(f"  {pad(safe(flip.change), room)}  {strong('->')} ", outcome)
            yield f"    {dim(safe(command))}"
        if len(flips) > _MOST_FLIPS:
            yield f"  and {len(flips) - _MOST_FLIPS} more (--json lists them all)"


def _is_news(step: Step) -> bool:
    """Whether a step is in cooldown and its reason doesn't say so."""
    return step.in_cooldown and "in cooldown" not in step.reason


def why_not(explanation: Explanation, name: str, *, is_rule: bool) -> Iterator[str]:
    """Why one model or rule isn't what decides, in a few lines; each names what it is about."""
    if is_rule:
        yield from _why_not_rule(explanation, next(s for s in explanation.rules if s.name == name))
        return
    chain = explanation.decision.chain
    if name in chain:
        number_ = chain.index(name)
        place_ = "the first" if number_ == 0 else f"step {number_ + 1}"
        yield f"{name} is {place_} of the chain: {explanation.steps[number_].reason}"
        if number_:
            yield f"before it: {chain[0]}, {explanation.steps[0].reason}"
        return
    verdicts = [v for v in explanation.verdicts if v.model == name]
    if not verdicts:
        yield f"{name}: {explanation.decision.refusal}"
    for verdict in dict.fromkeys(verdicts):
        source = f" ({verdict.source})" if verdict.source else ""
        yield f"{name}{source}: {verdict.reason}"
    yield from (f"{layer.name}: {layer.text}" for layer in explanation.layers)


def _why_not_rule(explanation: Explanation, rule: Seen) -> Iterator[str]:
    if rule.matched and rule.decisive:
        yield f"rule {rule.name} matches: {rule.text}"
        yield from (f"{layer.name}: {layer.text}" for layer in explanation.layers)
    elif rule.matched:
        yield f"rule {rule.name} would match, but a rule above it matches first: {explanation.decision.rule}"
    for missed in rule.missed:
        met = "empty" if missed.met == EMPTY else missed.met
        yield f"rule {rule.name} doesn't match: {missed.condition}, but it is {met}"


def _last_of_each(verdicts: list[Verdict], chain: set[str]) -> list[Verdict]:
    """One line a model: what was said of it last, which is the most telling."""
    last = {v.model: v for v in verdicts if v.model not in chain}
    return list(last.values())


def _labelled(rows: list[tuple[str, str]]) -> Iterator[str]:
    """Rows under their labels; a label is said once, further lines stand below it."""
    room = max(len(label) for label, _ in rows)
    before = ""
    for label, text in rows:
        shown = "" if label == before else label
        before = label
        head = "  " + pad(dim(shown), room + 2)
        indent = 2 + room + 2 + (len(text) - len(text.lstrip()))
        if cells(text) <= width() - indent or "\x1b" in text:
            yield head + text
            continue
        first, *rest = _wrapped(text, width() - (2 + room + 2))
        yield head + first
        yield from (" " * (2 + room + 2) + line for line in rest)


def _wrapped(text: str, room: int) -> list[str]:
    lead = text[: len(text) - len(text.lstrip())]
    return list(_wrap(text.strip(), room, lead))


def _wrap(text: str, room: int, lead: str) -> Iterator[str]:
    from textwrap import wrap

    yield from wrap(
        text,
        room,
        initial_indent=lead,
        subsequent_indent=lead + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _name(fact: str) -> str:
    return fact.replace("_tokens", " tokens")


def _statement(seen: Seen) -> str:
    """A rule by its name, a hard limit by what it says."""
    limit = seen.name in tuple(LimitKind)
    return safe(f"{seen.name} {seen.text}".strip() if limit else seen.name)


def _missed(seen: Seen) -> str:
    """`branch is "main", but it is empty`, once for each alternative."""
    met = ("empty" if m.met == EMPTY else safe(m.met) for m in seen.missed)
    return "; ".join(f"{safe(m.condition)}, but it is {is_}" for m, is_ in zip(seen.missed, met, strict=True))


def _outcome(was: Decision, now: Decision) -> str:
    """What comes of a change: the new first model, or how the rest of the chain differs."""
    if now.outcome is not Outcome.SERVED:
        return bad(now.outcome.value)
    head, *rest = (safe(key) for key in now.chain)
    if was.chain[:1] != now.chain[:1]:
        return good(head) + (f", then {rest[0]}" if rest else " alone")
    gone = [safe(key) for key in was.chain if key not in now.chain]
    new = [safe(key) for key in now.chain if key not in was.chain]
    parts = [f"without {listed(gone)}"] if gone else []
    parts += [f"with {listed(new)}"] if new else []
    return f"{head} still, {', '.join(parts) or 'the rest in another order'}"


def until(engine: Engine, decision: Decision) -> str:
    """Until when a budget refuses, on the policy's clock: ` until Sun 01 Feb 2026 00:00 EST`."""
    if decision.until is None:
        return ""
    return f" until {decision.until.astimezone(engine.table.zone):%a %d %b %Y %H:%M %Z}"
