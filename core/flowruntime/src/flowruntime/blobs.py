"""Makes Blobs of streams: small content stays in memory, large content goes to a temporary file."""

from __future__ import annotations

import hashlib
import os
import weakref
from types import TracebackType
from typing import BinaryIO, Final, Self

from flowcore.errors import FatalNodeError
from flowcore.values import Blob, BlobSource, BytesSource

__all__ = ["MAX_BLOB_BYTES", "MEMORY_BYTES", "BlobTooLargeError", "BlobWriter", "FileSource"]

#: The size limit of a Blob, 64 MiB.
MAX_BLOB_BYTES: Final = 64 * 1024 * 1024
#: Content up to 256 KiB is kept in memory.
MEMORY_BYTES: Final = 256 * 1024


class BlobTooLargeError(FatalNodeError):
    """The content is larger than a Blob may be."""

    default_code = "blob.too_large"
    default_remedy = "Fetch a part of it, or keep it outside and pass its address on."


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

    def write(self, data: bytes) -> None:
        """Add a part. Raises BlobTooLargeError, and takes nothing, when that would exceed `max_bytes`."""
        if self.size + len(data) > self.max_bytes:
            raise BlobTooLargeError(f"The content is larger than the limit of {self.max_bytes:,} bytes.")
        self.size += len(data)
        self._hash.update(data)
        if self._file is None and self.size > MEMORY_BYTES:
            self._move_to_file()
        if self._file is None:
            self._memory += data
        else:
            self._file.write(data)

    def finish(self) -> Blob:
        """The Blob of all that was written; nothing can be written after it."""
        source: BlobSource
        if self._file is None:
            source = BytesSource(bytes(self._memory))
        else:
            self._file.close()
            source = FileSource(self._path)
            self._file = None
        return Blob(sha256=self._hash.hexdigest(), size=self.size, media_type=self.media_type, source=source)

    def _move_to_file(self) -> None:
        import tempfile

        descriptor, self._path = tempfile.mkstemp(prefix="flownodes-")
        self._file = os.fdopen(descriptor, "wb")
        self._file.write(self._memory)
        self._memory.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            _remove(self._path)


def _remove(path: str) -> None:
    import contextlib

    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108 - runs at interpreter exit, where little can be relied on
