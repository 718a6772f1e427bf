"""What the figures depend on beside the code: interpreter, CPUs, load, and how long the disk takes."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from typing import Any

__all__ = ["fsync_seconds", "surroundings"]

_SYNCS = 20


def surroundings(load_at_start: float) -> dict[str, Any]:
    """To be asked at the end of the measurements."""
    return {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "load_at_start": load_at_start,
        "load_at_end": os.getloadavg()[0],
        "fsync_ms": fsync_seconds() * 1000,
    }


def fsync_seconds() -> float:
    """The median time until 4 KiB more of a temporary file are on the disk."""
    taken: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(_SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken)
