"""The policy that `policyctl init` writes: today's models of three providers, in words to start from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from ..deciding import Engine, validate_text
from ..policy.written import converted, formatted, read_written
from ..schemas.checked import Checked
from ..schemas.records import dataclass
from ..schemas.request import Request
from ..schemas.text import Source

DSL, YAML = "policyctl.policy", "policyctl.yaml"
"""What a policy is called that is found from here upward."""

SCHEMA_FILE = "policy.schema.json"
"""What the first line of a policy in YAML calls the schema beside it."""


@dataclass(frozen=True, slots=True)
class Models:
    """Three models of a provider: a key of the policy and the name at the provider, for each tier."""

    cheap: tuple[str, str]
    medium: tuple[str, str]
    powerful: tuple[str, str]


# The newest of each size in the shipped price catalogue; a test holds that they are priced, rise in price
# and aren't deprecated. Keys have no version, so that a newer model takes a line's place and nothing else.
PROVIDERS = {
    "anthropic": Models(
        cheap=("claude-haiku", "claude-haiku-5-5"),
        medium=("claude-sonnet", "claude-sonnet-5-5"),
        powerful=("claude-opus", "claude-opus-5-5"),
    ),
    "openai": Models(
        cheap=("gpt-luna", "gpt-6-luna"),
        medium=("gpt-terra", "gpt-6.1-terra"),
        powerful=("gpt-sol", "gpt-6.1-sol"),
    ),
    "google": Models(
        cheap=("gemini-flash-lite", "gemini-3.5-flash-lite"),
        medium=("gemini-flash", "gemini-3.8-flash"),
        powerful=("gemini-argon", "gemini-4-argon"),
    ),
}

EXAMPLES = {
    "complexity is 2": Request(complexity=2),
    "complexity is 4": Request(complexity=4),
    'complexity is 2 and branch is "main"': Request(complexity=2, branch="main"),
}
"""What the policy's examples ask, in its words and as a request; what they give the policy itself says."""

_TEXT = """\
# Which model answers each request. `policyctl init` wrote this: make it yours.
#
#   policyctl validate                  checks it
#   policyctl explain --complexity 4    says which models answer, and why
#   policyctl table                     shows all of it

policy "main" version 1
timezone UTC
baseline {best}
estimate 2000 in, 1000 out

# Who can answer. The first word of an id says who serves it. What a model costs
# and can do comes from the price catalogue (`policyctl prices`), unless it has
# clauses of its own, such as `costs` and `can`.
{models}

# A request's complexity, from 0 to 10, gives its tier. There the cheapest model
# that has what the request requires is asked first.
tier cheap from complexity 0 has {cheap}
tier medium from complexity 3 has {medium}
tier powerful from complexity 6 has {powerful}

# The first rule that matches gives the tier in place of the complexity.
rule release
  when branch is "main"
  use tier powerful
  because "What goes out has to be right."

# What may be spent, and what happens on the way there.
budget monthly is $100 per month
  at 50% warn
  at 75% downgrade 1 tier
  at 90% only {cheap}
  at 100% pause

# Whoever fails is asked again at first, then these are. After tests that failed
# the next attempt is a tier higher.
retry 3 attempts wait 1s doubling up to 30s
fallback to {fallback}
escalate to next tier when gate tests fails

# What must stay true; `policyctl validate` tries it.
{examples}

end
"""


def first_policy(providers: Sequence[str], today: date, *, in_yaml: bool = False) -> tuple[str, Checked]:
    """
    A policy for the models of some providers, laid out as `fmt` does, and what `validate` says of it.

    Its examples hold by the price catalogue that counts here: what they give is what the policy decides.
    """
    draft = _text(providers, ())
    checked = validate_text(draft, DSL, today)
    if checked.policy is None:
        return draft, checked
    engine = Engine(checked)
    answers = {asked: engine.decide(request).chain[0] for asked, request in EXAMPLES.items()}
    plain = _text(providers, [f"example {asked} gives {model}" for asked, model in answers.items()])
    written = read_written(Source(DSL, plain))
    text = converted(written, to_yaml=True) if in_yaml else formatted(written)
    return text, validate_text(text, YAML if in_yaml else DSL, today)


def _text(providers: Sequence[str], examples: Sequence[str]) -> str:
    chosen = [(provider, PROVIDERS[provider]) for provider in providers]
    rows = [
        (key, f"{provider}/{name}")
        for provider, models in chosen
        for key, name in (models.cheap, models.medium, models.powerful)
    ]
    width = max(len(key) for key, _ in rows)
    medium = [models.medium[0] for _, models in chosen]
    return _TEXT.format(
        best=chosen[0][1].powerful[0],
        models="\n".join(f"model {key:{width}} is {model_id}" for key, model_id in rows),
        cheap=", ".join(models.cheap[0] for _, models in chosen),
        medium=", ".join(medium),
        powerful=", ".join(models.powerful[0] for _, models in chosen),
        # One provider's models must do for each other.
        fallback=", ".join(medium if len(chosen) > 1 else [medium[0], chosen[0][1].cheap[0]]),
        examples="\n".join(examples),
    )
