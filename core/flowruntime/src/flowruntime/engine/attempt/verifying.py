"""Verifies the Blobs that an attempt gave and that somebody made by hand: their bytes must be what their hash says.

A store would find out as well, but only when the event is decided that names them, and could keep nothing then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio.to_thread
from flowcore.errors import FatalNodeError
from flowcore.values import Blob

from flowruntime.blobs import BlobStorageError, BlobWriter

__all__ = ["has_unverified", "verify_blobs"]


async def verify_blobs(outputs: dict[str, Any], state: dict[str, Any] | None) -> None:
    """Copy the bytes of all Blobs that are not verified to where they stay as they are.

    Raises FatalNodeError for one whose bytes are others or cannot be read, RetryableNodeError when they cannot be put
    anywhere.
    """
    for blob in {id(blob): blob for blob in (*_unverified(outputs, set()), *_unverified(state, set()))}.values():
        await anyio.to_thread.run_sync(_verify, blob, abandon_on_cancel=True)


def has_unverified(value: Any) -> bool:
    """Whether a Blob stands in a value of which nobody knows yet whether it can be kept."""
    return Blob.some_unverified and next(_unverified(value, set()), None) is not None


def _unverified(value: Any, seen: set[int]) -> Iterator[Blob]:
    """The Blobs in a value; a part of it that stands in many places is looked at once."""
    if isinstance(value, Blob):
        if not value.is_verified:
            yield value
    elif isinstance(value, dict | list) and id(value) not in seen:
        seen.add(id(value))
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, dict | list | Blob):
                yield from _unverified(item, seen)


def _verify(blob: Blob) -> None:
    try:
        with BlobWriter(media_type=blob.media_type, max_bytes=blob.size) as writer:
            for part in blob.parts():
                writer.write(part)
            kept = writer.finish()
    except BlobStorageError:
        raise
    except Exception as error:
        raise _unfit(blob, f"its content cannot be read: {type(error).__name__}: {error}") from error
    if kept.sha256 != blob.sha256:
        raise _unfit(blob, f"its content has the SHA-256 {kept.sha256[:12]}…")
    blob.source = kept.source
    blob.is_verified = True


def _unfit(blob: Blob, why: str) -> FatalNodeError:
    return FatalNodeError(
        f"The Blob {blob.sha256[:12]}… of {blob.size:,} bytes cannot be kept: {why.removesuffix('.')}.",
        code="node.output_blob",
        remedy="Make Blobs with `Blob.from_bytes`, or of what can be read as often as it is asked for.",
    )
