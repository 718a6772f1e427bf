"""What a survey of the installed packs found, kept in one cache file whose reading imports nothing dear.

The file's first line is a checksum of the rest, the second line the index, and each further line one catalog
entry: a lookup parses the line of its type only, and all lines are of one moment, whatever other processes
write meanwhile.
"""

# pathlib would be dear here:
# ruff: noqa: PTH116, PTH123

from __future__ import annotations

import json
import os
import zlib
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Snapshot", "Stamp", "read_snapshot", "snapshot_name", "snapshot_text", "stamp_of"]

#: `[modification time in ns, size in bytes]` of a file or directory; None where there is none.
Stamp: TypeAlias = list[int] | None


class Snapshot(NamedTuple):
    """Packs and node types as plain JSON data; what each list holds, in this order, is said beside it."""

    #: distribution, version, namespace, package, editable
    packs: list[list[Any]]
    #: namespace, pack, stage, code, message, remedy
    problems: list[list[Any]]
    #: Namespace → distribution of what flow.toml keeps from loading.
    denied: dict[str, str]
    #: Which distributions may load: allow (None: all), deny, safe mode.
    rules: list[Any]
    #: distribution, name, value, folder, namespaces: the fields of `flowruntime.hooks.PluginPoint`
    plugins: list[list[Any]]
    #: id, version, title, description, category, stability, index of the pack; sorted by id and version
    rows: list[list[Any]]
    #: The catalog entry of each row, as JSON.
    entries: list[bytes]


def stamp_of(path: str) -> Stamp:
    """When the file was changed and how large it is: another stamp means other content."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return [status.st_mtime_ns, status.st_size]


def snapshot_name(key: str) -> str:
    """The name of the cache file. Two keys may share a name: the key inside the file decides."""
    return f"packs-{zlib.crc32(key.encode()):08x}.cache"


def snapshot_text(key: str, stamps: dict[str, Stamp], snapshot: Snapshot) -> bytes:
    """The content of the cache file; the snapshot is good as long as all paths have these stamps."""
    index = {
        "key": key,
        "stamps": stamps,
        "packs": snapshot.packs,
        "problems": snapshot.problems,
        "denied": snapshot.denied,
        "rules": snapshot.rules,
        "plugins": snapshot.plugins,
        "rows": snapshot.rows,
    }
    # ASCII: paths may hold bytes that are no text in any encoding.
    body = b"\n".join([json.dumps(index, separators=(",", ":")).encode("ascii"), *snapshot.entries])
    return _checksum(body) + b"\n" + body


def read_snapshot(file: str, key: str) -> Snapshot | None:
    """The snapshot in a cache file; None when there is none for this key that still holds. Never an error."""
    try:
        with open(file, "rb") as opened:
            checksum, _, body = opened.read().partition(b"\n")
    except OSError:
        return None
    if checksum != _checksum(body):
        return None
    head, *entries = body.split(b"\n")
    index = json.loads(head)
    if index["key"] != key or any(stamp_of(path) != stamp for path, stamp in index["stamps"].items()):
        return None
    fields = [index[name] for name in ("packs", "problems", "denied", "rules", "plugins", "rows")]
    return Snapshot._make([*fields, entries])


def _checksum(body: bytes) -> bytes:
    return b"%08x" % zlib.crc32(body)
