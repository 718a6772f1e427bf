"""A process is killed while it writes: what it had acknowledged is there, and every log is a gapless prefix."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.killing import acknowledged_until, look_at


@pytest.mark.parametrize("count", [1, 7, 60, 333, 1_000])
def test_what_was_acknowledged_survives_sigkill(tmp_path: Path, count: int) -> None:
    lines = acknowledged_until(tmp_path / "flow.db", count=count)
    left = look_at(tmp_path / "flow.db")
    assert len(lines) >= count
    assert left.lost(lines) == []
    assert left.gaps == []


def test_several_processes_write_one_after_the_other_and_all_of_it_is_there(tmp_path: Path) -> None:
    lines = [line for _ in range(3) for line in acknowledged_until(tmp_path / "flow.db", count=50)]
    left = look_at(tmp_path / "flow.db")
    assert left.lost(lines) == []
    assert left.gaps == []


def test_while_the_disk_hangs_nothing_is_acknowledged(tmp_path: Path) -> None:
    lines = acknowledged_until(tmp_path / "flow.db", count=0, stall=True)
    assert lines
    assert look_at(tmp_path / "flow.db").lost(lines) == []


def test_control_without_waiting_for_the_disk_acknowledged_executions_are_lost(tmp_path: Path) -> None:
    lines = acknowledged_until(tmp_path / "flow.db", count=20, stall=True, protected=False)
    assert look_at(tmp_path / "flow.db").lost(lines)
