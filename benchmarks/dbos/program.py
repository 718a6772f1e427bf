"""Runs the workflow of five steps with DBOS, as often as it is told on stdin; needs an interpreter that has DBOS.

The first line it writes says how SQLite keeps what DBOS writes. After that each line it reads is `[times, at_once]`,
and the answer the elapsed seconds.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
from typing import Any

from dbos import DBOS  # type: ignore[import-not-found, unused-ignore]

_VALUE = {"a": 1}
_SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")


@DBOS.step()  # type: ignore[untyped-decorator, unused-ignore]
async def noop(value: dict[str, Any]) -> dict[str, Any]:
    """Pass a small object on."""
    return value


@DBOS.workflow()  # type: ignore[untyped-decorator, unused-ignore]
async def five_steps(value: dict[str, Any]) -> dict[str, Any]:
    """Steps one after the other."""
    for _ in range(5):
        value = await noop(value)
    return value


async def main(database: str) -> None:
    """Serve stdin until it ends. DBOS gets no setting but its database: it is measured as it comes."""
    connections: list[sqlite3.Connection] = []
    # What a connection is set to can only be asked there, and DBOS hands none out.
    sys.addaudithook(lambda event, given: connections.append(given[0]) if event == "sqlite3.connect/handle" else None)
    DBOS(config={"name": "five-steps", "system_database_url": f"sqlite:///{database}", "log_level": "ERROR"})
    DBOS.launch()
    await _run(1, 1)
    print(json.dumps(_how_kept(connections[-1])), flush=True)
    # Nothing else runs in this loop, so waiting here for the next line harms nobody.
    for line in sys.stdin:
        begun = time.perf_counter()
        await _run(*json.loads(line))
        print(time.perf_counter() - begun, flush=True)
    DBOS.destroy()


async def _run(times: int, at_once: int) -> None:
    for _ in range(times):
        given = await asyncio.gather(*(five_steps(_VALUE) for _ in range(at_once)))
        assert given == [_VALUE] * at_once


def _how_kept(connection: sqlite3.Connection) -> str:
    ((journal_mode,),) = connection.execute("PRAGMA journal_mode")
    ((synchronous,),) = connection.execute("PRAGMA synchronous")
    return f"journal_mode={journal_mode.upper()}, synchronous={_SYNCHRONOUS[synchronous]}"


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
