"""Libraries that log what they send are kept from it."""

from __future__ import annotations

import logging


def silence(*names: str) -> None:
    """
    Turn some loggers off: their records hold prompts, keys or a provider's text, at DEBUG and above.

    Whoever turns one on again, by its own name, wants to see that.
    """
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
