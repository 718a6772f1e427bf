"""Starts the program that acknowledges executions, kills it, and looks at what is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from flowcore.errors import StoreError
from flowcore.events import ExecutionId
from flowruntime.stores.sqlite import SqliteStore

__all__ = ["Left", "acknowledged_until", "look_at"]

_PROGRAM = Path(__file__).parent / "fixtures" / "acknowledging.py"


class Left(NamedTuple):
    """What the database has: the statuses of executions, and what is wrong."""

    statuses: dict[str, str]
    gaps: list[str]

    def lost(self, lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The acknowledgements that the database does not know of."""
        return [
            (word, name)
            for word, name in lines
            if name not in self.statuses or (word == "ended" and self.statuses[name] != "succeeded")
        ]


def acknowledged_until(
    database: Path, *, count: int, stall: bool = False, protected: bool = True
) -> list[tuple[str, str]]:
    """What was acknowledged when the process got SIGKILL, after `count` lines and those until its disk hung."""
    words = [sys.executable, str(_PROGRAM), str(database), *(["stall"] if stall else [])]
    environment = {**os.environ, "FLOW_TEST_TELL_FIRST": "0" if protected else "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        lines = list(_read(process.stdout, count, stall=stall))
        process.kill()
        # What it had written before it died counts as well.
        lines += process.stdout.read().splitlines()
    return [(line.split()[0], line.split()[1]) for line in lines if line.count(" ") == 1]


def look_at(database: Path) -> Left:
    """Read every log from its first event to its last."""
    store = SqliteStore(database)
    store.open()
    statuses: dict[str, str] = {}
    gaps: list[str] = []
    try:
        for summary in store.executions(limit=1_000_000):
            statuses[summary.execution_id] = summary.status
            try:
                seqs = [event.seq for event in store.read(ExecutionId(summary.execution_id), limit=1_000_000).events]
            except StoreError as error:
                gaps.append(error.message)
                continue
            if seqs != list(range(1, summary.seq + 1)):
                gaps.append(f"{summary.execution_id}: {seqs}")
    finally:
        store.close()
    return Left(statuses, gaps)


def _read(lines: Iterator[str], count: int, *, stall: bool) -> Iterator[str]:
    if stall:
        for line in lines:
            if line.strip() == "stalled":
                break
            yield line
    for _ in range(count):
        yield next(lines)
