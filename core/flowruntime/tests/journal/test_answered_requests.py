"""What came of a request is kept with the events that came of it."""

from __future__ import annotations

from pathlib import Path

from core.flowruntime.tests.journal.keeping import ONE, Disk, begin, journal_on, started


async def test_of_two_answers_to_a_request_the_first_is_kept(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "flow.db")
    async with journal_on(disk) as journal:
        log = begin(journal)
        await log.until_durable(1)
        number = disk.requests.put(ONE, "signal", {"name": "go", "value": None})
        disk.hold()
        log.append(started(2))
        log.answer(number, None)
        log.answer(number, {"code": "execution.no_such_wait", "message": "It was told twice.", "remedy": ""})
        disk.let_go()
        await log.until_durable(2)
        assert disk.requests.answered(number) == {"error": None}
