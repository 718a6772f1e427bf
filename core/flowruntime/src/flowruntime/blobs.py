"""Makes Blobs of streams: small content stays in memory, large content goes to a temporary file."""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

from flowcore.errors import FatalNodeError, RetryableNodeError
from flowcore.values import Blob, BlobSource, BytesSource

__all__ = ["MAX_BLOB_BYTES", "MEMORY_BYTES", "BlobStorageError", "BlobTooLargeError", "BlobWriter", "FileSource"]

#: The size limit of a Blob, 64 MiB.
MAX_BLOB_BYTES: Final = 64 * 1024 * 1024
#: Content up to 256 KiB is kept in memory.
MEMORY_BYTES: Final = 256 * 1024

_PART_BYTES: Final = 64 * 1024


class BlobTooLargeError(FatalNodeError):
    """The content is larger than a Blob may be."""

    default_code = "blob.too_large"
    default_remedy = "Fetch a part of it, or keep it outside and pass its address on."


class BlobStorageError(RetryableNodeError):
    """The temporary file for the content cannot be written."""

    default_code = "blob.storage"
    default_remedy = "Free space where temporary files go, or have TMPDIR name a folder that has some."


class Reader(Protocol):
    """What gives bytes part by part, such as an open binary file."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, `size` at most; empty at the end."""
        ...


class FileSource:
    """Bytes in a temporary file, removed when the source is garbage-collected or the interpreter exits.

    A reader that is open then can still be read to its end.
    """

    __slots__ = ("__weakref__", "_path")

    def __init__(self, path: str) -> None:
        self._path = path
        weakref.finalize(self, _remove, path)

    def open(self) -> BinaryIO:
        """A reader of its own over the file."""
        return open(self._path, "rb")  # noqa: PTH123 - pathlib is not worth its import here


class BlobWriter:
    """Takes content in parts, hashes it on the way, and gives a Blob at the end.

    Leaving the `with` block without `finish` throws the content away. For one thread at a time.

    >>> with BlobWriter(media_type="text/plain") as writer:
    ...     writer.write(b"hel")
    ...     writer.write(b"lo")
    ...     blob = writer.finish()
    >>> blob.size, blob.read()
    (5, b'hello')
    """

    def __init__(self, *, media_type: str = "application/octet-stream", max_bytes: int = MAX_BLOB_BYTES) -> None:
        self.media_type = media_type
        self.max_bytes = max_bytes
        self.size = 0
        self._hash = hashlib.sha256()
        self._memory = bytearray()
        self._file: BinaryIO | None = None
        self._path = ""
        self._finished = False

    def write(self, data: bytes) -> None:
        """Add a part.

        Raises BlobTooLargeError, and takes nothing, when that would exceed `max_bytes`, and BlobStorageError when the
        temporary file cannot be written. After `finish` it raises ValueError.
        """
        self._require_unfinished()
        if self.size + len(data) > self.max_bytes:
            raise BlobTooLargeError(f"The content is larger than the limit of {self.max_bytes:,} bytes.")
        self._hash.update(data)
        self.size += len(data)
        if self._file is None and self.size <= MEMORY_BYTES:
            self._memory += data
            return
        with _stored():
            file = self._move_to_file() if self._file is None else self._file
            file.write(data)

    def copy_from(self, reader: Reader) -> None:
        """Add all that an open binary file still gives, 64 KiB at a time. Raises as `write` does."""
        while part := reader.read(_PART_BYTES):
            self.write(part)

    def finish(self) -> Blob:
        """The Blob of all that was written; nothing can be written after it.

        Raises BlobStorageError when the temporary file cannot be written, and ValueError when called again.
        """
        self._require_unfinished()
        self._finished = True
        source: BlobSource
        if self._file is None:
            source = BytesSource(bytes(self._memory))
        else:
            with _stored():
                self._file.close()
            source = FileSource(self._path)
            self._file = None
        return Blob(
            sha256=self._hash.hexdigest(),
            size=self.size,
            media_type=self.media_type,
            source=source,
            is_verified=True,
        )

    def _require_unfinished(self) -> None:
        if self._finished:
            msg = "This writer has given its Blob already: make another one."
            raise ValueError(msg)

    def _move_to_file(self) -> BinaryIO:
        import tempfile

        descriptor, self._path = tempfile.mkstemp(prefix="flownodes-")
        self._file = os.fdopen(descriptor, "wb")
        self._file.write(self._memory)
        self._memory.clear()
        return self._file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with suppress(OSError):  # what was still to be written is thrown away anyway
                self._file.close()
            self._file = None
            _remove(self._path)


@contextmanager
def _stored() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BlobStorageError(f"The temporary file for the content cannot be written: {error.strerror}.") from error


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)  # noqa: PTH108 - runs at interpreter exit, where little can be relied on
