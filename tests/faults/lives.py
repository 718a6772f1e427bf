"""Begins processes that run workflows, reads what they say, and ends them at a moment of the test's choice."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flowruntime.stores.sqlite import SqliteStore

from tests.faults.ledger import Ledger

__all__ = ["Life", "Nursery", "nursery"]

_PROGRAM = Path(__file__).parent / "fixtures" / "living.py"
#: Whatever hangs is killed, and fails the test.
_MOST_SECONDS = 60


class Life:
    """One process. `said` are the lines that it has written so far, as words."""

    def __init__(self, pid: int, nursery: Nursery) -> None:
        self.pid = pid
        self._nursery = nursery
        self.said: list[list[str]] = []
        #: The exit status, negative for a signal; None while it lives.
        self.status: int | None = None

    def until(self, *words: str, seconds: float = _MOST_SECONDS) -> bool:
        """Read until it has said this, or has come to its end, or the time is over: whether it said it."""
        end = time.monotonic() + seconds
        while not any(said[: len(words)] == list(words) for said in self.said):
            if self.status is not None:
                return False
            line = self._nursery.line(end - time.monotonic())
            if line is None:
                return False
            if line[0] == "gone":
                self.status = int(line[1])
            else:
                self.said.append(line)
        return True

    def kill(self) -> None:
        """SIGKILL, now."""
        self.send(signal.SIGKILL)
        self.until("the end")

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        if self.status is None:
            os.kill(self.pid, number)

    def to_its_end(self) -> int:
        """The exit status."""
        if not self.until("the end") and self.status is None:
            self.kill()
            raise AssertionError(f"It hangs after {self.said}.")
        assert self.status is not None
        return self.status

    def ids(self, *words: str) -> list[str]:
        """The executions of which it has said this."""
        return [said[len(words)] for said in self.said if said[: len(words)] == list(words)]


class Nursery:
    """Begins lives, one after the other."""

    def __init__(self, process: subprocess.Popen[bytes], ledger: Ledger, database: Path) -> None:
        self._process = process
        self.ledger = ledger
        self.database = database
        self._read = b""

    def begin(self, **life: Any) -> Life:
        """A process; what the words mean stands in `fixtures/living.py`."""
        assert self._process.stdin is not None
        words = {"database": str(self.database), "port": self.ledger.port, **life}
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        self._process.stdin.flush()
        line = self.line(_MOST_SECONDS)
        assert line is not None
        early = []
        while line[0] != "pid":  # it was quicker than whoever gave it its life
            early.append(line)
            line = self.line(_MOST_SECONDS)
            assert line is not None
        begun = Life(int(line[1]), self)
        begun.said += early
        return begun

    def live(self, **life: Any) -> Life:
        """A process that has come to its end."""
        begun = self.begin(**life)
        begun.to_its_end()
        return begun

    def unfinished(self) -> list[str]:
        """The executions that have not ended, the oldest first."""
        store = SqliteStore(self.database)
        store.open()
        try:
            return list(store.unowned(limit=10_000))
        finally:
            store.close()

    def line(self, seconds: float) -> list[str] | None:
        """The next line that is said, as words; None when the time is over."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._read:
            ready, _, _ = select.select([descriptor], [], [], max(0, seconds))
            if not ready:
                return None
            read = os.read(descriptor, 65536)
            assert read, "the nursery is gone"
            self._read += read
        line, _, self._read = self._read.partition(b"\n")
        return line.decode().split()


@contextmanager
def nursery(ledger: Ledger, database: Path) -> Iterator[Nursery]:
    """A nursery for processes on one database."""
    with subprocess.Popen([sys.executable, str(_PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Nursery(process, ledger, database)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.terminate()
