"""
Processes that cross the same bounds at once, run as a program of their own: `python crossings.py JSON`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from policyctl.deciding import Engine
from policyctl.ledger.alerts.alerter import Alerter, Alerts
from policyctl.ledger.alerts.channels import Channels
from policyctl.ledger.alerts.web import Web
from policyctl.ledger.ledger import Ledger
from policyctl.schemas.ledger import Attempt, Usage
from policyctl.schemas.policy import NANO

POLICY = """\
timezone UTC
model small is offline/small costs $1 in, $1 out can nothing
tier low from complexity 0 has small
budget monthly is $1000000 per month
  at 0.0001% warn
  at 0.0002% downgrade 1 tier
budget story is $1 per story
  at 50% warn
alert dear_story when story_cost is above $0.10 webhook env HOOK
alert dear_day   when daily_cost is above $0.10 webhook env HOOK
"""


def cross(job: dict[str, Any], process: int) -> None:
    """
    Spend on every story, and tell so, from some threads: each story's bound is crossed by all at once.
    """
    policy = Engine.from_text(POLICY.replace("budget story", "budget one_story")).policy
    where = job["where"] if job["where"].startswith("postgresql://") else Path(job["where"])
    ledger = Ledger(where, policy, create=True, wait_s=120)
    channels = Channels(Path(job["log"]), {"HOOK": job["url"]}, Web(frozenset({job["origin"]})).post)
    alerts = Alerts(ledger, policy, channels=channels)
    alerter = Alerter(ledger, policy, channels=channels, every_s=0.01)

    def work(thread: int) -> None:
        keys = []
        for story in range(job["stories"]):
            key = f"{process}:{thread}:{story}"
            call = Attempt(key=key, provider="offline", model="small", story_id=f"S{story}", most_nusd=NANO)
            ledger.reserve(call, send=True)
            ledger.commit(key, Usage(input_tokens=1, output_tokens=1, cost_nusd=NANO // 2))
            alerter.after(key)
            keys.append(key)
            if len(keys) == job["together"]:  # and some look by themselves, against their own background
                alerts.look(keys)
                keys.clear()

    time.sleep(max(0, job["start"] - time.time()))
    threads = [threading.Thread(target=work, args=(number,)) for number in range(job["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alerter.close(120)
    ledger.close()


if __name__ == "__main__":
    said = json.loads(sys.argv[1])
    children = []
    for number in range(said["processes"]):
        children.append(os.fork())
        if children[-1] == 0:
            code = 1
            try:
                cross(said, number)
                code = 0
            finally:
                os._exit(code)
    sys.exit(sum(os.waitpid(child, 0)[1] for child in children) > 0)
