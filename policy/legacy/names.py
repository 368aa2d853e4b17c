"""What the older files call models, and which key that is."""

from __future__ import annotations

from collections.abc import Iterable

from ..checks.p205_ambiguous_model import ambiguous
from ..document import Name
from .catalogue import Known
from .fields import Notes

FAMILIES = ("haiku", "sonnet", "opus", "deepseek")
"""Short names that name no model of their own, but one or another of a family."""


class Keys:
    """
    Resolves names of models to the keys of a file.

    A name is a key; or one of the thirteen known models under its key or short name, whichever of
    them the file uses; or the family of just one key. What the language resolves itself stays as it is.
    """

    def __init__(self, notes: Notes, keys: Iterable[str], known: Known) -> None:
        self._notes = notes
        self._keys = frozenset(keys)
        self._by_known: dict[str, str] = {}
        self._families: dict[str, list[str]] = {family: [] for family in FAMILIES}
        for key in dict.fromkeys(keys):
            if key in known.keys:
                self._by_known.setdefault(known.keys[key], key)
            for family in FAMILIES:
                if family in key.replace("/", "-").replace("_", "-").split("-"):
                    self._families[family].append(key)
        self._known = known

    def find(self, text: str) -> str | None:
        """The key of a name that is one of this file's, by itself or as one of the known models."""
        if text in self._keys:
            return text
        return self._by_known.get(self._known.keys.get(text, ""))

    def resolve(self, name: Name) -> Name | None:
        """The name as a key, None where it may be one of several (which is reported)."""
        found = self.find(name.text)
        if found is None:
            family = self._families.get(name.text, [])
            if len(family) > 1:
                self._notes.found.append(ambiguous(name.span, name.text, family))
                return None
            found = family[0] if family else name.text
        return Name(found, name.span)

    def resolve_all(self, names: Iterable[Name]) -> tuple[Name, ...]:
        """Names as keys, without those that may be one of several."""
        resolved = [self.resolve(name) for name in names]
        return tuple(name for name in resolved if name is not None)
