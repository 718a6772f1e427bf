"""How much memory this process holds, and what some work allocates."""

from __future__ import annotations

import gc
import os
import subprocess
import tracemalloc
from pathlib import Path

from benchmarks.measuring import Work

__all__ = ["peak_bytes", "resident_bytes"]

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Bytes in physical memory, after a collection of garbage."""
    gc.collect()
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], check=True, capture_output=True)  # noqa: S607
    return int(shown.stdout) * 1024


async def peak_bytes(work: Work) -> int:
    """What the work, done a second time, allocates at its peak."""
    await work()
    gc.collect()
    tracemalloc.start()
    try:
        await work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
