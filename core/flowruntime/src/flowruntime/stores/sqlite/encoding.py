"""Events as rows of the database, and back.

A row is the JSON array `["SCS…", [event, …]]`: a letter for each event's type, then the events' fields in their order.
64-bit integers and finite floats come back exactly. What a row holds that is too large, and the content of Blobs, is
kept once by its hash (`contents`), with a reference in its place; user data cannot look like one, because its key is
the reserved one of Blobs.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from flowcore.errors import StoreError
from flowcore.events import EVENT_TYPES, Event
from flowcore.values import BLOB_KEY

from flowruntime.stores.sqlite.contents import Contents, Reading

__all__ = ["Row", "decode_row", "encode_rows"]

#: The letters stand in databases for ever.
_LETTERS: Final = {
    "WorkflowStarted": "w",
    "WorkflowResumed": "u",
    "WorkflowRetrying": "y",
    "WorkflowCompleted": "z",
    "NodeStarted": "S",
    "NodeWaiting": "W",
    "NodeWoken": "O",
    "NodeEvent": "E",
    "NodeRetrying": "R",
    "NodeInterrupted": "I",
    "NodeCompleted": "C",
    "NodeFailed": "F",
    "NodeSkipped": "K",
    "NodeCancelled": "X",
}
_LETTER_OF: Final = {kind: _LETTERS[name] for name, kind in EVENT_TYPES.items()}
_KIND_OF: Final = {letter: kind for kind, letter in _LETTER_OF.items()}
_PATH_AT: Final = {letter: kind._fields.index("path") for letter, kind in _KIND_OF.items() if "path" in kind._fields}
#: A row ends when it has grown to this.
_ROW_BYTES: Final = 1024 * 1024
_CONTAINERS: Final = frozenset({dict, list, str})


class Row(NamedTuple):
    """A batch of events, as it is written."""

    first_seq: int
    last_seq: int
    checksum: int
    data: bytes


def encode_rows(events: Sequence[Event], contents: Contents) -> Iterator[Row]:
    """The rows of these events, one unless they are large; what is kept by its hash goes into `contents`."""
    parts: list[bytes] = []
    size = start = 0
    for position, event in enumerate(events):
        part = _encode_event(event, contents)
        if parts and size + len(part) > _ROW_BYTES:
            yield _row(events[start:position], parts)
            parts, size, start = [], 0, position
        parts.append(part)
        size += len(part)
    if parts:
        yield _row(events[start:], parts)


def decode_row(row: Row, reading: Reading, execution_id: str) -> list[Event]:
    """The events of a row. Raises StoreError with `store.corrupt` for one that is not as it was written."""
    first_seq, last_seq, checksum, data = row
    try:
        if zlib.crc32(data) != checksum:
            raise ValueError("the checksum differs")  # noqa: TRY301 - told below, as all else
        letters, listed = msgspec.json.decode(data)
        # Few rows hold references, and what no row holds need not be looked for in each value.
        refers = BLOB_KEY.encode() in data
        events = [
            _decode_event(letter, reading.resolve(fields) if refers else fields)
            for letter, fields in zip(letters, listed, strict=True)
        ]
        if [event.seq for event in events] != list(range(first_seq, last_seq + 1)):
            raise ValueError("the events have other numbers")  # noqa: TRY301
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise StoreError(
            f"Events {first_seq} to {last_seq} of execution {execution_id!r} are damaged in the database: {error}.",
            code="store.corrupt",
            remedy="Restore the database from a backup; other executions can still be read.",
        ) from error
    return events


def _row(events: Sequence[Event], parts: list[bytes]) -> Row:
    letters = "".join([_LETTER_OF[type(event)] for event in events])
    data = b'["%b",[%b]]' % (letters.encode(), b",".join(parts))
    return Row(events[0].seq, events[-1].seq, zlib.crc32(data), data)


def _encode_event(event: Event, contents: Contents) -> bytes:
    if not any(map(contents.holds_remembered, event)):
        data = contents.encode(event)
        if len(data) <= contents.inline_bytes:
            return data
    return contents.encode(_slim(event, contents))


def _slim(event: Event, contents: Contents) -> Any:
    """The fields of an event, with references in place of large values."""
    return [contents.slim(field) if type(field) in _CONTAINERS else field for field in event]


def _decode_event(letter: str, fields: list[Any]) -> Event:
    place = _PATH_AT.get(letter)
    if place is not None:
        path = fields[place]
        fields[place] = tuple([(step[0], step[1], step[2]) for step in path]) if path else ()
    return _KIND_OF[letter]._make(fields)  # type: ignore[no-any-return]
