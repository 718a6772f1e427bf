"""Loads the Python file given with --nodes."""

from __future__ import annotations

from pathlib import Path

from flowcli.sources import refuse_missing

__all__ = ["read_nodes"]


def read_nodes(name: str | None) -> list[object]:
    """The nodes that the file defines; none without a file.

    Raises UsageError when there is no such file, InstallationError when it cannot be imported or defines none.
    """
    if name is None:
        return []
    path = Path(name)
    if not path.exists():
        refuse_missing(name, suffix=".py")
    from flowruntime.registry import load_nodes_file

    return load_nodes_file(path)
