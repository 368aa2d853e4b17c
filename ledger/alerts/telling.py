"""A ledger that lets alerts know of each call that is settled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...schemas.alerts import AlertWatch
from ...schemas.ledger import Attempt, Denied, Hold, Purse, Usage
from ...schemas.request import Spend


@dataclass(frozen=True, slots=True)
class Telling:
    """
    What an executor asks of a ledger, and a word to `watch` after each call that is settled or refused.

    That word costs next to nothing, and what becomes of it is no matter of the call.
    """

    purse: Purse
    watch: AlertWatch

    def reserve(
        self, attempt: Attempt, *, send: bool = False, lease_s: float = 120, wait_s: float = 0
    ) -> Hold | Denied:
        """Set the worst case aside."""
        answer = self.purse.reserve(attempt, send=send, lease_s=lease_s, wait_s=wait_s)
        if isinstance(answer, Denied):
            self.watch.refused(attempt, answer)
        return answer

    def sent(self, key: str) -> Hold:
        """Note that the call is being sent."""
        return self.purse.sent(key)

    def commit(self, key: str, usage: Usage | None) -> Hold:
        """Turn the hold into the real cost."""
        return self._settled(self.purse.commit(key, usage))

    def release(self, key: str, error: str | None = None) -> Hold:
        """Give the hold back."""
        return self._settled(self.purse.release(key, error))

    def abandon(self, key: str, error: str | None = None) -> Hold:
        """Count the hold as spent until somebody knows better."""
        return self._settled(self.purse.abandon(key, error))

    def renew(self, key: str, lease_s: float = 120) -> Hold:
        """Say that the call is still under way."""
        return self.purse.renew(key, lease_s)

    def spend(self, *, run_id: str | None = None, story_id: str | None = None) -> Mapping[str, Spend]:
        """What each budget has spent and holds."""
        return self.purse.spend(run_id=run_id, story_id=story_id)

    def _settled(self, hold: Hold) -> Hold:
        self.watch.after(hold.key)
        return hold
