"""Runs a command as a process of its own, and tells what it cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Cost", "cost_of"]

ROOT = Path(__file__).resolve().parents[1]

# Linux counts the memory of the process that forks as the child's own peak. The launcher is smaller than what it
# starts, this process is not.
_LAUNCHER = """
import json, os, resource, sys
with open(os.devnull, "r+b") as nothing:
    process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
        (os.POSIX_SPAWN_DUP2, nothing.fileno(), number) for number in (0, 1)])
_, status, usage = os.wait4(process, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
"""
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of a whole process, from its start to its end."""

    cpu_seconds: float
    peak_bytes: int


def cost_of(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run the command, its output discarded, and wait for its end; it must succeed."""
    surroundings = {**os.environ, **(environment or {})}
    surroundings.pop("PYTHONDONTWRITEBYTECODE", None)  # or every child would compile what it imports
    launched = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command],
        cwd=ROOT,
        env=surroundings,
        check=True,
        capture_output=True,
    )
    exit_code, cpu_seconds, peak = json.loads(launched.stdout)
    if exit_code != 0:
        raise subprocess.CalledProcessError(exit_code, list(command), stderr=launched.stderr)
    return Cost(cpu_seconds=cpu_seconds, peak_bytes=peak * _MAXRSS_BYTES)
