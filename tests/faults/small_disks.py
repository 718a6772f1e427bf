"""A file system of its own for a test, a few MiB large, where mounting is allowed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

__all__ = ["fill", "remount", "small_disk"]


@contextmanager
def small_disk(folder: Path, *, kib: int = 4096) -> Iterator[Path]:
    """A tmpfs on this folder. Skips the test where it cannot be mounted: that takes a right that only root has."""
    folder.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "flownodes-test", str(folder)],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that is left; gives the file to remove."""
    ballast = folder / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            os.write(file.fileno(), bytes(4096))
    return ballast


def remount(folder: Path, option: str) -> None:
    """Make the file system `ro` or `rw`."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)
