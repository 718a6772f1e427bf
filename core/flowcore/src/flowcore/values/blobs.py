"""A Blob is a value too large or too binary for JSON, named by the hash of its content."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, ClassVar, Final, Protocol

__all__ = ["BLOB_KEY", "Blob", "BlobSource", "BytesSource", "resolve_blobs"]

#: The reserved key that marks a Blob's reference in JSON.
BLOB_KEY = "$blob"

_PART_BYTES: Final = 64 * 1024
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
#: What can stand in a header and in JSON; what servers send is often no media type.
_MEDIA_TYPE: Final = re.compile(r"[^\0-\x08\n-\x1f\x7f\ud800-\udfff]*")


class BlobSource(Protocol):
    """Where the bytes of a Blob are: memory, a temporary file, a store."""

    def open(self) -> BinaryIO:
        """A new reader from the first byte; the caller closes it."""
        ...


class Writer(Protocol):
    """What takes bytes one part after the other."""

    def write(self, data: bytes, /) -> object:
        """Take a part."""
        ...


class BytesSource:
    """Bytes held in memory."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def open(self) -> BinaryIO:
        """A reader over the bytes; nothing is copied."""
        return io.BytesIO(self._data)


class Blob:
    """Bytes as a value: compared and stored by `sha256`, passed on by reference, never changed.

    >>> blob = Blob.from_bytes(b"hello", media_type="text/plain")
    >>> blob.size, blob.read()
    (5, b'hello')
    """

    __slots__ = ("is_verified", "media_type", "sha256", "size", "source")

    #: Whether any Blob was made in this process that is not verified: without one, nobody need look for them.
    some_unverified: ClassVar[bool] = False

    def __init__(
        self,
        *,
        sha256: str,
        size: int,
        media_type: str = "application/octet-stream",
        source: BlobSource | None = None,
        is_verified: bool = False,
    ) -> None:
        """`is_verified`: the bytes of the source were hashed and counted; else they are before they are kept.

        Raises ValueError for what could not be read back from JSON.
        """
        if not (_is_text(sha256, _SHA256) and type(size) is int and size >= 0):
            msg = "A Blob has the SHA-256 of its content as 64 small hex digits, and the number of its bytes."
            raise ValueError(msg)
        if not _is_text(media_type, _MEDIA_TYPE):
            msg = f"{media_type!r} is no media type of a Blob."
            raise ValueError(msg)
        self.sha256 = sha256
        self.size = size
        self.media_type = media_type
        #: None for a reference whose bytes have not been fetched into this process.
        self.source = source
        self.is_verified = is_verified or source is None
        if not self.is_verified:
            Blob.some_unverified = True

    @classmethod
    def from_bytes(cls, data: bytes, *, media_type: str = "application/octet-stream") -> Blob:
        """A Blob of bytes kept in memory; large content belongs in a file (`flowruntime.blobs`)."""
        digest = hashlib.sha256(data).hexdigest()
        return cls(sha256=digest, size=len(data), media_type=media_type, source=BytesSource(data), is_verified=True)

    def open(self) -> BinaryIO:
        """A reader over the content; the caller closes it. Raises ValueError when the bytes are not here."""
        if self.source is None:
            msg = f"The content of blob {self.sha256[:12]} is not available in this process."
            raise ValueError(msg)
        return self.source.open()

    def read(self) -> bytes:
        """The whole content in memory; `parts` and `copy_to` hold 64 KiB of it at most."""
        with self.open() as reader:
            return reader.read()

    def parts(self) -> Iterator[bytes]:
        """The content in order, in parts of 64 KiB at most.

        Raises ValueError when the bytes are not here, and at its end when they are not as many as `size` says.
        """
        given = 0
        with self.open() as reader:
            while part := reader.read(_PART_BYTES):
                given += len(part)
                if given <= self.size:
                    yield part
        if given != self.size:
            msg = f"The content of blob {self.sha256[:12]} has {given} bytes in place of {self.size}."
            raise ValueError(msg)

    def copy_to(self, writer: Writer) -> None:
        """Write the whole content to an open binary file, or whatever else takes bytes. Raises as `parts` does.

        >>> target = io.BytesIO()
        >>> Blob.from_bytes(b"hello").copy_to(target)
        >>> target.getvalue()
        b'hello'
        """
        for part in self.parts():
            writer.write(part)

    def to_json(self) -> dict[str, Any]:
        """The reference that stands for the Blob in JSON."""
        return {BLOB_KEY: {"sha256": self.sha256, "media_type": self.media_type, "size": self.size}}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Blob):
            return NotImplemented
        return self.sha256 == other.sha256 and self.media_type == other.media_type

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        return f"Blob(sha256={self.sha256[:12]!r}, size={self.size}, media_type={self.media_type!r})"


def _is_text(value: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def resolve_blobs(value: Any, depth: int = 64) -> Any:
    """The JSON value with every well-formed reference replaced by its Blob, whose content is not fetched.

    What holds no reference is returned as it is, as is what lies deeper than `depth` or is ill-formed.

    >>> reference = Blob.from_bytes(b"hello").to_json()
    >>> resolve_blobs([reference]) == [Blob.from_bytes(b"hello")]
    True
    """
    if depth == 0:
        return value
    if isinstance(value, dict):
        if BLOB_KEY in value:
            return _referred(value) or value
        resolved = {key: resolve_blobs(item, depth - 1) for key, item in value.items()}
        return resolved if any(resolved[key] is not item for key, item in value.items()) else value
    if isinstance(value, list):
        items = [resolve_blobs(item, depth - 1) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def _referred(reference: dict[str, Any]) -> Blob | None:
    match reference:
        case {"$blob": {"sha256": str(sha256), "media_type": str(media_type), "size": int(size)} as named}:
            if len(reference) == 1 and named.keys() == {"sha256", "media_type", "size"}:
                with suppress(ValueError):
                    return Blob(sha256=sha256, size=size, media_type=media_type)
        case _:
            pass
    return None
