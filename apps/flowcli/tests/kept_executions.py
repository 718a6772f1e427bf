"""Executions that are started in a process of their own, brought to a certain event, and killed there."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.flowcli.tests.flow_command import Flow

__all__ = ["DB", "LASTING", "SOON_SECONDS", "events_until", "kept", "killed", "started", "stopped"]

#: The file with nodes that last, for --nodes.
LASTING = str(Path(__file__).parent / "fixtures" / "lasting_nodes.py")
DB = ("--db", "sqlite:///flow.db")
#: Far more than anything in these tests takes.
SOON_SECONDS = 60


def events_until(process: subprocess.Popen[bytes], wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """The events that a process with --events writes, up to the first one that is wanted."""
    assert process.stdout is not None
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        if wanted(events[-1]):
            return events
    raise AssertionError((events, process.communicate()))


def started(flow: Flow, *words: str, at: str = "NodeStarted", count: int = 1) -> tuple[subprocess.Popen[bytes], str]:
    """A process that runs, and the id of its execution, once it has told `count` events of the type `at`."""
    process = flow.start(*words, "--events", *DB)
    seen = 0

    def wanted(event: dict[str, Any]) -> bool:
        nonlocal seen
        seen += int(event["type"] == at)
        return seen == count

    return process, str(events_until(process, wanted)[0]["execution_id"])


def killed(flow: Flow, *words: str, at: str = "NodeStarted", count: int = 1) -> str:
    """The id of an execution whose process got SIGKILL after so many events of the type `at`."""
    process, execution_id = started(flow, *words, at=at, count=count)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=SOON_SECONDS)
    return execution_id


def stopped(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """How a process ended by itself: its exit code, and what it wrote to stderr."""
    _, err = process.communicate(timeout=SOON_SECONDS)
    return process.returncode, err.decode()


def kept(flow: Flow, execution_id: str, *words: str) -> Any:
    """What `flow executions show --json` says."""
    return flow("executions", "show", execution_id, "--json", *DB, *words).json
