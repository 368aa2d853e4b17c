"""
An answer on disk, from before it is paid for until it is used.

It is the caller who names the file and removes it; nothing else of policyctl writes answers down.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..schemas.calls import Answer, Message, Tokens, ToolCall
from ..schemas.errors import Problem, RequestError
from ..schemas.job import Kept

FORMAT_VERSION = "1.0"
MOST_BYTES = 64 * 2**20


class AnswerFile:
    """
    The file in which one request's answer lies; see `Keep`.

    Args:
        path: the file, which may not be there yet, nor its folder.
        messages: what is asked; an answer to anything else doesn't count.
    """

    def __init__(self, path: Path, messages: Sequence[Message]) -> None:
        self._path = path
        self._lock: int | None = None
        said = json.dumps([asdict(message) for message in messages], sort_keys=True)
        self._asked = sha256(said.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def _lock_path(self) -> Path:
        return self._path.with_name(f".{self._path.name}.lock")

    def enter(self) -> bool:
        """
        Whether this request is this process's alone now. The lock of one that was killed is nobody's.

        Raises:
            RequestError: no answer could be kept here, so nobody should be asked.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever held it before may have removed it meanwhile, and then a lock on it means nothing.
                if os.fstat(lock).st_ino == self._lock_path.stat().st_ino:
                    self._lock = lock
                    return True
            except (BlockingIOError, FileNotFoundError):
                pass
            os.close(lock)
            return False
        except OSError as error:
            raise self._told(error) from error

    def leave(self) -> None:
        """Let others have the request, and leave no lock behind."""
        lock, self._lock = self._lock, None
        if lock is not None:
            self._lock_path.unlink(missing_ok=True)
            os.close(lock)

    def load(self) -> Kept | None:
        """
        The answer to this request; None: there is none, or what lies there can't be read.

        Raises:
            RequestError: it can't be read, so nobody should be asked.
        """
        try:
            with self._path.open("rb") as file:
                return self._read(json.loads(file.read(MOST_BYTES)))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            return None
        except OSError as error:
            raise self._told(error) from error

    def keep(self, kept: Kept) -> None:
        """
        Write an answer, whole or not at all, and safe from a loss of power.

        Raises:
            RequestError: it can't be written.
        """
        said = {
            "format_version": FORMAT_VERSION,
            "asked": self._asked,
            "model": kept.model,
            "tier": kept.tier,
            "answer": asdict(kept.answer),
        }
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with beside.open("w", encoding="utf-8") as file:
                json.dump(said, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise self._told(error) from error

    def _read(self, said: Any) -> Kept | None:
        if said["format_version"] != FORMAT_VERSION or said["asked"] != self._asked:
            return None
        answer = dict(said["answer"])
        calls = tuple(ToolCall(**call) for call in answer.pop("tool_calls"))
        tokens = answer.pop("tokens")
        found = Answer(tool_calls=calls, tokens=None if tokens is None else Tokens(**tokens), **answer)
        texts = [found.text, said["model"], *(part for call in calls for part in asdict(call).values())]
        if not all(isinstance(text, str) for text in texts):
            return None
        return Kept(said["model"], said["tier"], found)

    def _told(self, error: OSError) -> RequestError:
        why = (error.strerror or "it can't be used").lower()
        return RequestError((Problem("keep", f"{self._path} can't keep an answer: {why}"),))
