"""Files in the cache directory: written whole or not at all, bounded in number, never an error."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["keep_newest", "read_file", "write_file"]


def write_file(file: Path, content: bytes) -> None:
    """Put the content there in one step, so that others see the old file or the new one; fails silently."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=file.name, suffix=".tmp", dir=file.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(content)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)


def read_file(file: Path) -> bytes | None:
    """The content, None when it cannot be read."""
    try:
        return file.read_bytes()
    except OSError:
        return None


def keep_newest(folder: Path, pattern: str, count: int) -> None:
    """Remove all but the `count` newest files that match the pattern; fails silently."""
    aged: list[tuple[int, Path]] = []
    with contextlib.suppress(OSError):
        for file in folder.glob(pattern):
            with contextlib.suppress(OSError):  # another process removed it first
                aged.append((file.stat().st_mtime_ns, file))
    for _, file in sorted(aged, reverse=True)[count:]:
        with contextlib.suppress(OSError):
            file.unlink()
