"""What is kept once by the hash of its content: large values, and the bytes of Blobs.

The same value may pass through many nodes by reference. It is recognized as the same object, so that it is encoded and
hashed once and not for every node.
"""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO, Final, cast

import msgspec
from flowcore.errors import StoreError
from flowcore.values import BLOB_KEY, Blob, resolve_blobs

from flowruntime.stores.sqlite.faults import telling_faults

__all__ = ["INLINE_BYTES", "Contents", "Reading"]

#: Values whose JSON is larger stand in `contents`; so may what an event has besides.
INLINE_BYTES: Final = 256 * 1024
#: How deep inside a value its large parts are looked for.
_DEPTH: Final = 3
#: How many large values are recognized when they come again, and how many bytes of JSON they may have together.
_REMEMBERED: Final = 64
_REMEMBERED_BYTES: Final = 64 * 1024 * 1024
_PART_BYTES: Final = 64 * 1024


class Contents:
    """The writing side, over the writer's connection and inside its transactions."""

    def __init__(self, connection: sqlite3.Connection, *, inline_bytes: int = INLINE_BYTES) -> None:
        self.inline_bytes = inline_bytes
        self._connection = connection
        #: Large values by their id, which they keep while they are held here: (value, reference, bytes of JSON).
        self._remembered: OrderedDict[int, tuple[Any, dict[str, Any], int]] = OrderedDict()
        self._remembered_bytes = 0
        self._encoder = msgspec.json.Encoder(enc_hook=self._encode_other)

    def holds_remembered(self, value: Any, depth: int = 2) -> bool:
        """Whether a large value that has come of late is one of the items of an object, or of the objects in it."""
        if not self._remembered or not isinstance(value, dict):
            return False
        return any(
            id(item) in self._remembered or (depth > 1 and self.holds_remembered(item, depth - 1))
            for item in value.values()
        )

    def forget(self) -> None:
        """Hold no values any more. Called when the rows of those that are held may have been rolled back."""
        self._remembered.clear()
        self._remembered_bytes = 0

    def encode(self, value: Any) -> bytes:
        """The JSON of a value or event. The bytes of Blobs in it are kept, references stand for them."""
        try:
            return self._encoder.encode(value)
        except UnicodeEncodeError:
            # Half a surrogate pair, from a file name in the text of an error: no Unicode, so it cannot stay.
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=self._encode_other)
            return text.encode(errors="replace")

    def slim(self, value: Any, depth: int = _DEPTH) -> Any:
        """The value with references in place of its large parts; small ones are returned as they are."""
        known = self._remembered.get(id(value))
        if known is not None:
            self._remembered.move_to_end(id(value))
            return known[1]
        if isinstance(value, str) and len(value) * 6 <= self.inline_bytes:
            return value
        if not self.holds_remembered(value) and len(self.encode(value)) <= self.inline_bytes:
            return value
        slimmed = self._slim_inside(value, depth)
        encoded = self.encode(slimmed)
        if len(encoded) <= self.inline_bytes:
            return slimmed
        reference = {BLOB_KEY: {"value": self._put(encoded)}}
        self._remember(value, reference, len(encoded))
        return reference

    def _slim_inside(self, value: Any, depth: int) -> Any:
        if depth == 0:
            return value
        if isinstance(value, dict) and BLOB_KEY not in value:
            items = {key: self._slim_part(item, depth) for key, item in value.items()}
            return items if any(items[key] is not item for key, item in value.items()) else value
        if isinstance(value, list):
            parts = [self._slim_part(item, depth) for item in value]
            return parts if any(new is not old for new, old in zip(parts, value, strict=True)) else value
        return value

    def _slim_part(self, item: Any, depth: int) -> Any:
        return self.slim(item, depth - 1) if isinstance(item, dict | list | str) else item

    def _remember(self, value: Any, reference: dict[str, Any], size: int) -> None:
        self._remembered[id(value)] = value, reference, size
        self._remembered_bytes += size
        while len(self._remembered) > _REMEMBERED or self._remembered_bytes > _REMEMBERED_BYTES:
            _, (_, _, gone) = self._remembered.popitem(last=False)
            self._remembered_bytes -= gone

    def _encode_other(self, value: Any) -> Any:
        """What msgspec does not know: Blobs, and subclasses of what it knows."""
        match value:
            case Blob():
                self._put_blob(value)
                return value.to_json()
            case str():
                return str.__str__(value)
            case int():
                return int(value)
            case float():
                return float(value)
            case _:
                msg = f"{type(value).__name__} is no value"
                raise TypeError(msg)

    def _put(self, data: bytes) -> str:
        digest = hashlib.sha256(data)
        self._connection.execute(
            "INSERT INTO contents (sha256, data) VALUES (?, ?) ON CONFLICT DO NOTHING", (digest.digest(), data)
        )
        return digest.hexdigest()

    def _put_blob(self, blob: Blob) -> None:
        if blob.source is None:
            return  # a reference whose bytes are elsewhere, or here already
        sha256 = bytes.fromhex(blob.sha256)
        if self._connection.execute("SELECT 1 FROM contents WHERE sha256 = ?", (sha256,)).fetchone():
            return
        try:
            # Part by part: a Blob may have 64 MiB.
            (number,) = self._connection.execute(
                "INSERT INTO contents (sha256, data) VALUES (?, zeroblob(?)) RETURNING number", (sha256, blob.size)
            ).fetchone()
            digest = hashlib.sha256()
            with self._connection.blobopen("contents", "data", number) as target:
                for part in blob.parts():
                    digest.update(part)
                    target.write(part)
            if digest.digest() != sha256:
                msg = "it is not what it was"  # and would be given to all who have the same content
                raise ValueError(msg)  # noqa: TRY301 - told below, as all else
        except sqlite3.Error:
            raise
        except Exception as error:  # the source may be anybody's, and must not keep others from being written
            self._connection.execute("DELETE FROM contents WHERE sha256 = ?", (sha256,))
            raise StoreError(
                f"The content of blob {blob.sha256[:12]} cannot be read: {error}",
                code="store.blob_lost",
                remedy="Leave the temporary files of running programs alone.",
            ) from error


class Reading:
    """The reading side, for one page: values that come several times are one object.

    `connect` opens a connection of its own for each reader of a Blob.
    """

    def __init__(self, connection: sqlite3.Connection, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connection = connection
        self._connect = connect
        self._values: dict[str, Any] = {}

    def resolve(self, value: Any) -> Any:
        """The value with what its references name; Blobs have their content where it is kept here.

        Raises ValueError when a value is not kept or not what its hash says.
        """
        if isinstance(value, dict):
            if BLOB_KEY in value:
                return self._referred(value)
            return {key: self.resolve(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        return value

    def _referred(self, reference: dict[str, Any]) -> Any:
        named = reference[BLOB_KEY]
        if set(named) == {"value"}:
            sha256 = named["value"]
            if sha256 not in self._values:
                self._values[sha256] = self.resolve(msgspec.json.decode(self._content(sha256)))
            return self._values[sha256]
        blob = resolve_blobs(reference)
        if isinstance(blob, Blob):
            row = self._connection.execute(
                "SELECT number FROM contents WHERE sha256 = ?", (bytes.fromhex(blob.sha256),)
            ).fetchone()
            if row is not None:
                blob.source = StoredSource(row[0], blob.sha256, self._connect)
        return blob

    def _content(self, sha256: str) -> bytes:
        row = self._connection.execute(
            "SELECT data FROM contents WHERE sha256 = ?", (bytes.fromhex(sha256),)
        ).fetchone()
        if row is None or hashlib.sha256(row[0]).hexdigest() != sha256:
            msg = f"value {sha256[:12]} is {'missing' if row is None else 'not what it was'}"
            raise ValueError(msg)
        return bytes(row[0])


class StoredSource:
    """The bytes of a Blob in the database. `flowcore.values.BlobSource`."""

    __slots__ = ("_connect", "_number", "_sha256")

    def __init__(self, number: int, sha256: str, connect: Callable[[], sqlite3.Connection]) -> None:
        self._number = number
        self._sha256 = sha256
        self._connect = connect

    def open(self) -> BinaryIO:
        """A reader with a connection of its own, for any thread.

        Raises StoreError at the end of what is read from its beginning and is not what was kept.
        """
        stored = _StoredBytes(self._connect(), self._number, self._sha256)
        return cast("BinaryIO", io.BufferedReader(stored, _PART_BYTES))


class _StoredBytes(io.RawIOBase):
    """Reads one content part by part."""

    def __init__(self, connection: sqlite3.Connection, number: int, sha256: str) -> None:
        super().__init__()
        self._connection = connection
        self._sha256 = sha256
        #: Of what was read so far, while that is all from the beginning on.
        self._digest = hashlib.sha256()
        self._digested = 0
        (_, _, path) = connection.execute("PRAGMA database_list").fetchone()
        try:
            with telling_faults(path):
                # `blobopen` says neither by its error what is wrong with the file, nor that there is no such row.
                if connection.execute("SELECT 1 FROM contents WHERE number = ?", (number,)).fetchone() is None:
                    raise self._damaged("missing")
                self._blob = connection.blobopen("contents", "data", number, readonly=True)
        except StoreError:
            connection.close()
            raise

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._blob.seek(offset, whence)
        return self._blob.tell()

    def readinto(self, buffer: Any, /) -> int:
        begins_at = self._blob.tell()
        try:
            part = self._blob.read(len(buffer))
        except sqlite3.Error as error:
            raise self._damaged("not readable") from error
        buffer[: len(part)] = part
        if begins_at == self._digested:
            self._digest.update(part)
            self._digested += len(part)
            # Pages of the database have no checksums, so that this is the only way to see a bit that flipped.
            if self._digested == len(self._blob) and self._digest.hexdigest() != self._sha256:
                raise self._damaged("not what it was")
        return len(part)

    def close(self) -> None:
        if not self.closed and hasattr(self, "_blob"):
            self._blob.close()
            self._connection.close()
        super().close()

    def _damaged(self, how: str) -> StoreError:
        return StoreError(
            f"The content of blob {self._sha256[:12]} is {how} in the database.",
            code="store.corrupt",
            remedy="Restore the database from a backup; other executions can still be read.",
        )
