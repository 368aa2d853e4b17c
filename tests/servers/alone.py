"""The fake providers as a process of their own, for measurements."""

from __future__ import annotations

import argparse
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .fake_providers import FakeProviders


@contextmanager
def apart(text: str = "") -> Iterator[str]:
    """
    A server in a process of its own, for measurements; yields its URL. Without a text it echoes.
    """
    command = [sys.executable, str(Path(__file__).parent), "--text", text]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()  # which is what ends it
            process.wait(timeout=10)


def main() -> None:
    """
    Serve until stdin closes or the time is over.
    """
    parser = argparse.ArgumentParser(description="Fake providers of models on the loopback.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=600, help="when it ends at the latest")
    parser.add_argument("--text", default="", help="what each model says; it echoes otherwise")
    options = parser.parse_args()
    until = time.monotonic() + options.seconds
    with FakeProviders(options.port, keep=0) as fakes:
        if options.text:
            fakes.reply("*", options.text)
        print(fakes.url, flush=True)
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([sys.stdin], [], [], left)
            if ready and not sys.stdin.readline():
                break
