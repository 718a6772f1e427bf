"""Processes that share a database with a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["OtherProcess", "other_process"]

_PROGRAM = Path(__file__).with_name("lease_holder.py")


class OtherProcess:
    """Asks a process to do something; it has not ended, but what it is told last may hang."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def ask(self, *words: object) -> None:
        """Tell it what to do."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """What came of what it was asked first."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def do(self, *words: object) -> Any:
        """Both."""
        self.ask(*words)
        return self.hear()

    def kill(self) -> None:
        """End it at once. It stays a zombie, because nobody asks for its status yet."""
        self._process.kill()
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def stop(self) -> None:
        """Let it stand still."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)


@contextmanager
def other_process(database: Path) -> Iterator[OtherProcess]:
    """A process that has opened this database."""
    with subprocess.Popen(
        [sys.executable, str(_PROGRAM), str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield OtherProcess(process)
        finally:
            process.kill()
