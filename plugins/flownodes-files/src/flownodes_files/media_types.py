"""Guesses the media type of a file by its name, the same on every machine."""

from __future__ import annotations

from mimetypes import MimeTypes
from typing import Final

__all__ = ["media_type_of"]

_MORE: Final = {
    ".csv": "text/csv",
    ".geojson": "application/geo+json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".toml": "application/toml",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
_COMPRESSED: Final = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


def media_type_of(name: str) -> str:
    """The media type that the end of a name stands for.

    >>> media_type_of("a.CSV"), media_type_of("a.tar.gz"), media_type_of("Makefile")
    ('text/csv', 'application/gzip', 'application/octet-stream')
    """
    kind, packed = _table().guess_type(name)
    if packed is not None:
        return _COMPRESSED.get(packed, "application/octet-stream")
    return kind or "application/octet-stream"


def _table() -> MimeTypes:
    if not _tables:
        # Its own table, not those of the system, which differ.
        table = MimeTypes()
        for end, kind in _MORE.items():
            table.add_type(kind, end)
        _tables.append(table)
    return _tables[0]


_tables: Final[list[MimeTypes]] = []
