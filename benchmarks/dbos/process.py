"""The process in which DBOS runs the same workflow as we do, on a SQLite file in the folder for temporary files."""

from __future__ import annotations

import asyncio
import json
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from benchmarks.dbos.environment import VERSION, DbosMissingError, dbos_python
from benchmarks.measuring import Side

__all__ = ["Dbos", "dbos_process"]

_PROGRAM = Path(__file__).with_name("program.py")
_END_SECONDS = 10


class Dbos:
    """A running process. `about` says what it is and how it keeps things."""

    def __init__(self, process: Process, log: IO[bytes], how_kept: str) -> None:
        self.about = f"DBOS {VERSION}, {how_kept}"
        self._process = process
        self._log = log

    async def side(self, times: int, at_once: int) -> Side:
        """A side that gives the elapsed seconds of one run, or of so many at once."""

        async def side() -> float:
            return float(await _ask(self._process, self._log, [times, at_once])) / times

        await _ask(self._process, self._log, [1, min(at_once, 10)])  # threads, connections
        return side


@asynccontextmanager
async def dbos_process() -> AsyncIterator[Dbos]:
    """Ends with the block. Raises DbosMissingError when DBOS cannot be installed or does not work."""
    python = await asyncio.to_thread(dbos_python)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        words = ["-I", str(_PROGRAM), str(Path(folder, "dbos.db"))]
        process = await asyncio.create_subprocess_exec(python, *words, stdin=PIPE, stdout=PIPE, stderr=log)
        try:
            yield Dbos(process, log, json.loads(await _answer(process, log)))
        finally:
            await _end(process)


async def _ask(process: Process, log: IO[bytes], what: list[int]) -> str:
    assert process.stdin is not None
    process.stdin.write(json.dumps(what).encode() + b"\n")
    return await _answer(process, log)


async def _answer(process: Process, log: IO[bytes]) -> str:
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    if not line:
        log.seek(0)
        said = log.read().decode(errors="replace").strip().splitlines() or ["it does not say why"]
        raise DbosMissingError(f"DBOS has ended: {said[-1]}")
    return line


async def _end(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _END_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
